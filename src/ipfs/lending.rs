//! Serves what the store does not keep: looks at what connected peers want, and puts what the source has of it into the store
//! for a while. rust-ipfs takes no store but its own and tells nobody of a want, but it can be asked for them.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dta_protocol::Cid;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use rust_ipfs::{Block, Ipfs};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::check;

/// A CID in rust-ipfs's words.
type Name = ipld_core::cid::Cid;

/// How often it looks when somebody is connected, with this much more for each of them; and when nobody is.
const LOOK: Duration = Duration::from_millis(50);
const LOOK_EACH: Duration = Duration::from_millis(2);
const LOOK_ALONE: Duration = Duration::from_millis(250);
/// How often it looks again at what is still wanted: a block may have been here at the last look, and gone before it was served.
const REVIEW: Duration = Duration::from_secs(10);
/// How long a block is lent: more than enough for who was told that it is here to fetch it.
const LENT_FOR: Duration = Duration::from_secs(60);
/// Blocks lent at once; the oldest goes for a new one.
const LENT_MAX: usize = 1_024;
/// Blocks lent in one look: others are served between two of them.
const LENT_A_LOOK: usize = 64;
/// Blocks looked at after a start, whether they are to stay, between two looks.
const SWEPT_A_LOOK: usize = 256;

/// Where blocks are that a node may give away and does not keep.
pub trait Source: Send + Sync {
    /// A block's bytes, if it is there. It may wait for a disk. Errors: whatever keeps it from saying so.
    fn block(&self, cid: &Cid) -> Result<Option<Vec<u8>>, String>;
}

/// Asks the source where nobody else waits for it. A block that is damaged there is none.
pub(super) async fn ask(source: &Arc<dyn Source>, cid: Cid) -> Result<Option<Vec<u8>>, String> {
    let source = source.clone();
    let found = spawn_blocking(move || source.block(&cid)).await.map_err(|error| error.to_string())??;
    Ok(found.filter(|bytes| check(&cid, bytes).is_ok()))
}

/// What is in the store for a while. What is pinned is there to stay, and returning it changes nothing.
pub(super) struct Lending {
    ipfs: Ipfs,
    source: Arc<dyn Source>,
    /// Held by whoever stores and then pins: in between a block looks like one that is lent.
    storing: Arc<Mutex<()>>,
    /// Since when each is lent, longest first; and which.
    since: VecDeque<(Instant, Name)>,
    lent: HashSet<Name>,
    /// What was wanted at the last look: a want is looked at once, until the next review.
    wanted: HashSet<Name>,
    reviewed: Instant,
}

impl Lending {
    pub(super) fn new(ipfs: Ipfs, source: Arc<dyn Source>, storing: Arc<Mutex<()>>) -> Self {
        let (since, lent, wanted) = (VecDeque::new(), HashSet::new(), HashSet::new());
        Self { ipfs, source, storing, since, lent, wanted, reviewed: Instant::now() }
    }

    pub(super) async fn run(mut self) {
        // What an earlier process lent, or fetched, goes; slowly, for it is looked for among all.
        let mut swept = Some(self.ipfs.repo().list_blocks().await);
        loop {
            if let Some(stored) = &mut swept
                && !self.sweep(stored).await
            {
                swept = None;
            }
            let peers = self.look().await;
            let longer = LOOK_EACH * u32::try_from(peers).unwrap_or(u32::MAX);
            sleep(if peers == 0 { LOOK_ALONE } else { LOOK + longer }).await;
        }
    }

    /// Takes back some that are neither kept nor lent. Answers whether there may be more.
    async fn sweep(&self, stored: &mut BoxStream<'static, Name>) -> bool {
        for _ in 0..SWEPT_A_LOOK {
            match stored.next().await {
                Some(name) if self.lent.contains(&name) => {}
                Some(name) => self.take_back(name).await,
                None => return false,
            }
        }
        true
    }

    /// Lends what is newly wanted, returns what was lent long enough. Answers how many are connected.
    async fn look(&mut self) -> usize {
        let peers = self.ipfs.connected().await.unwrap_or_default();
        let mut wanted = HashSet::new();
        for peer in &peers {
            // It may have gone meanwhile.
            wanted.extend(self.ipfs.bitswap_wantlist(*peer).await.unwrap_or_default());
        }
        if self.reviewed.elapsed() >= REVIEW {
            self.reviewed = Instant::now();
            self.wanted.clear();
        }
        let new: Vec<Name> = wanted.difference(&self.wanted).copied().collect();
        let (now, later) = new.split_at(new.len().min(LENT_A_LOOK));
        for name in later {
            wanted.remove(name);
        }
        self.wanted = wanted;
        for name in now {
            if let Err(error) = self.lend(*name).await {
                tracing::warn!(%name, error, "a block that a peer wants is not lent to it");
            }
        }
        self.take_back_what_is_due().await;
        peers.len()
    }

    async fn lend(&mut self, name: Name) -> Result<(), String> {
        // Other protocols' blocks have other names.
        let Ok(cid) = Cid::from_bytes(&name.to_bytes()) else { return Ok(()) };
        let text = |error: rust_ipfs::Error| format!("{error:#}");
        if self.ipfs.repo().contains(name).await.map_err(text)? {
            return Ok(());
        }
        let Some(bytes) = ask(&self.source, cid).await? else { return Ok(()) };
        let block = Block::new(name, bytes).map_err(|error| error.to_string())?;
        // Whoever wants it is told so by this.
        self.ipfs.put_block(&block).await.map_err(text)?;
        self.since.push_back((Instant::now(), name));
        self.lent.insert(name);
        Ok(())
    }

    async fn take_back_what_is_due(&mut self) {
        while let Some((since, name)) = self.since.front().copied() {
            if since.elapsed() < LENT_FOR && self.lent.len() <= LENT_MAX {
                break;
            }
            self.since.pop_front();
            self.lent.remove(&name);
            self.take_back(name).await;
            // Whoever wants it still, or again, gets it again.
            self.wanted.remove(&name);
        }
    }

    /// Removes the block unless it is pinned.
    async fn take_back(&self, name: Name) {
        let _storing = self.storing.lock().await;
        // One that stays is only bytes on the disk, until the next start.
        let _ = self.ipfs.remove_block(name, false).await;
    }
}
