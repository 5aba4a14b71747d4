//! The block exchange: how published blocks get from node to node. The port; [`Embedded`] is an IPFS node inside this
//! process, [`Api`] speaks to one beside it, `memory` joins several in one test.

mod api;
#[cfg(test)]
mod contract;
#[cfg(test)]
pub(crate) mod memory;
#[cfg(test)]
pub(crate) mod testing;

use std::sync::Arc;
use std::time::Duration;

use dta_ipfs::check;
use dta_ipfs::lending::Source;
use dta_protocol::Cid;

use super::log::{LogReader, PublishedBlock};

pub use api::Api;
pub use dta_ipfs::{Answer, Embedded, ExchangeError, Standing, SwarmKey, limit};

/// A node of the exchange. Every method may be called from any thread, at the same time as others; none blocks the
/// thread that polls its answer. After `stop` all answer `Stopped`.
pub trait BlockExchange: Send + Sync {
    /// Stores a block, pins it, and offers it to whoever asks. Once answered, it is there after a crash too (not in
    /// memory). A block that is there stays, unless it is damaged. Errors: `Store`; `NotItsBytes` or `TooLarge`, and nothing is stored.
    fn put(&self, block: PublishedBlock) -> Answer<()>;

    /// Stores a block of somebody else's, as [`put`](Self::put) does one of this node's log. Errors: as of that.
    fn keep(&self, cid: Cid, bytes: Vec<u8>) -> Answer<()>;

    /// A block's bytes as they are in the store here; it is fetched from nowhere. None: it is not here, or not whole. Errors:
    /// `Store`.
    fn stored(&self, cid: Cid) -> Answer<Option<Vec<u8>>>;

    /// A block's bytes, from here or from a connected peer, waiting at most this long for one to have it. They are those
    /// the CID names, and within [`limit`]. Errors: `TimedOut`, `NotItsBytes`, `TooLarge`, `Store`.
    fn get(&self, cid: Cid, timeout: Duration) -> Answer<Vec<u8>>;

    /// Whether the block is stored here. Errors: `Store`.
    fn has(&self, cid: Cid) -> Answer<bool>;

    /// Whether the block is stored here with the bytes its CID names. One with others is removed, so that the next `put`
    /// writes it again. Errors: `Store`, also if it cannot be removed.
    fn whole(&self, cid: Cid) -> Answer<bool>;

    /// Removes the block from the store, pinned or not; none there is no error. Whoever wants it may still get it from the
    /// exchange, if that can read what the log published. Errors: `Store`.
    fn forget(&self, cid: Cid) -> Answer<()>;

    /// Who it is and whom it is connected to.
    fn standing(&self) -> Answer<Standing>;

    /// Closes connections and store, if they are this process's: a node beside it goes on. It may be repeated.
    fn stop(&self) -> Answer<()>;
}

impl BlockExchange for Embedded {
    fn put(&self, block: PublishedBlock) -> Answer<()> {
        match checked(&block) {
            Ok(cid) => Self::put(self, cid, block.bytes().to_vec()),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn keep(&self, cid: Cid, bytes: Vec<u8>) -> Answer<()> {
        Self::put(self, cid, bytes)
    }

    fn stored(&self, cid: Cid) -> Answer<Option<Vec<u8>>> {
        Self::stored(self, cid)
    }

    fn get(&self, cid: Cid, timeout: Duration) -> Answer<Vec<u8>> {
        Self::get(self, cid, timeout)
    }

    fn has(&self, cid: Cid) -> Answer<bool> {
        Self::has(self, cid)
    }

    fn whole(&self, cid: Cid) -> Answer<bool> {
        Self::whole(self, cid)
    }

    fn forget(&self, cid: Cid) -> Answer<()> {
        Self::forget(self, cid)
    }

    fn standing(&self) -> Answer<Standing> {
        Self::standing(self)
    }

    fn stop(&self) -> Answer<()> {
        Self::stop(self)
    }
}

/// What a log has published, for a node that keeps only the newest of it.
pub struct Published(pub Arc<dyn LogReader>);

impl Source for Published {
    fn block(&self, cid: &Cid) -> Result<Option<Vec<u8>>, String> {
        let block = self.0.published_block(&cid.to_bytes()).map_err(|error| error.to_string())?;
        Ok(block.map(|block| block.bytes().to_vec()))
    }
}

/// The CID of a block from the log, after the same checks.
fn checked(block: &PublishedBlock) -> Result<Cid, ExchangeError> {
    let cid =
        Cid::from_bytes(block.cid()).map_err(|error| ExchangeError::Store(format!("not a CID: {error}")))?;
    check(&cid, block.bytes())?;
    Ok(cid)
}
