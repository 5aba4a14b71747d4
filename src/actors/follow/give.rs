//! What this node gives to those who follow it: its published blocks, a page at a time, in the order in which its log published
//! them. Only the log makes such blocks, so nothing else can get here.

use dta_protocol::car::MAX_CAR_BYTES;
use dta_protocol::cid::CID_BYTES;
use dta_protocol::{BlockPage, CarError, Cid, CidError, Codec, Place, block_page::MAX_PAGE_BLOCKS, car};
use thiserror::Error;

use crate::actors::log::{LogReader, PublishedAt, PublishedBlock, ReadError};

/// Blocks read from the log at once.
const READ: usize = 16;
/// Bytes of a CAR beside its blocks: the page, and the header.
const FRAME_BYTES: usize = 16 << 10;
/// Bytes beside each block: its length and its name.
const BLOCK_FRAME_BYTES: usize = 4 + CID_BYTES;

/// Why there is no page.
#[derive(Debug, Error)]
pub enum GiveError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log has a block under what is no CID.
    #[error("a published block: {0}")]
    Cid(#[from] CidError),
    /// A block that is not within its limits.
    #[error("a page of published blocks: {0}")]
    Car(#[from] CarError),
}

impl From<PublishedAt> for Place {
    fn from(PublishedAt { sequence, n }: PublishedAt) -> Self {
        Self { sequence, n }
    }
}

impl From<Place> for PublishedAt {
    fn from(Place { sequence, n }: Place) -> Self {
        Self { sequence, n }
    }
}

/// A CAR with what the log published after a place, or from its start: at most 63 blocks and 4 MiB. It waits for the disk.
///
/// # Errors
/// See [`GiveError`].
pub fn page(log: &dyn LogReader, after: Option<Place>) -> Result<Vec<u8>, GiveError> {
    let (blocks, more) = next(log, after)?;
    let mut named = Vec::with_capacity(blocks.len());
    for (at, block) in &blocks {
        named.push(((*at).into(), Cid::from_bytes(block.cid())?));
    }
    let cids: Vec<Cid> = named.iter().map(|(_, cid)| *cid).collect();
    let page = BlockPage { blocks: named, more }.encode();
    let root = (Cid::of(Codec::DagCbor, &page), page.as_slice());
    let blocks = cids.into_iter().zip(blocks.iter().map(|(_, block)| block.bytes()));
    Ok(car::encode(root.0, std::iter::once(root).chain(blocks))?)
}

/// As many as go into one CAR, and whether there are more.
fn next(
    log: &dyn LogReader,
    after: Option<Place>,
) -> Result<(Vec<(PublishedAt, PublishedBlock)>, bool), ReadError> {
    let (mut blocks, mut bytes) = (Vec::new(), FRAME_BYTES);
    let mut after = after.map(PublishedAt::from);
    loop {
        let some = log.published(after, READ)?;
        let Some((last, _)) = some.last() else { return Ok((blocks, false)) };
        after = Some(*last);
        for (at, block) in some {
            bytes = bytes.saturating_add(BLOCK_FRAME_BYTES).saturating_add(block.bytes().len());
            if blocks.len() == MAX_PAGE_BLOCKS || bytes > MAX_CAR_BYTES {
                return Ok((blocks, true));
            }
            blocks.push((at, block));
        }
    }
}
