//! The block exchange: how published blocks get from node to node. The port; [`embedded`] is an IPFS node inside this
//! process, `memory` joins several in one test.

pub mod address;
pub mod embedded;
mod peers;
pub mod swarm_key;

#[cfg(test)]
mod contract;
#[cfg(test)]
pub(crate) mod memory;
#[cfg(test)]
pub(crate) mod testing;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use dta_protocol::envelope::MAX_BLOCK_BYTES;
use dta_protocol::sealed::MAX_CIPHERTEXT_BYTES;
use dta_protocol::{Cid, Codec};
use thiserror::Error;

use super::log::PublishedBlock;

pub use embedded::Embedded;
pub use swarm_key::SwarmKey;

/// What an exchange answers, when it does.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, ExchangeError>> + Send>>;

/// A node of the exchange. Every method may be called from any thread, at the same time as others; none blocks the
/// thread that polls its answer. After `stop` all answer `Stopped`.
pub trait BlockExchange: Send + Sync {
    /// Stores a block, pins it, and offers it to whoever asks. Once answered, it is there after a crash too (not in
    /// memory). A block that is there stays, unless it is damaged. Errors: `Store`; `NotItsBytes` or `TooLarge`, and nothing is stored.
    fn put(&self, block: PublishedBlock) -> Answer<()>;

    /// A block's bytes, from here or from a connected peer, waiting at most this long for one to have it. They are those
    /// the CID names, and within [`limit`]. Errors: `TimedOut`, `NotItsBytes`, `TooLarge`, `Store`.
    fn get(&self, cid: Cid, timeout: Duration) -> Answer<Vec<u8>>;

    /// Whether the block is stored here. Errors: `Store`.
    fn has(&self, cid: Cid) -> Answer<bool>;

    /// Whether the block is stored here with the bytes its CID names. One with others is removed, so that the next `put`
    /// writes it again. Errors: `Store`, also if it cannot be removed.
    fn whole(&self, cid: Cid) -> Answer<bool>;

    /// Who it is and whom it is connected to.
    fn standing(&self) -> Answer<Standing>;

    /// Closes connections and store. It may be repeated.
    fn stop(&self) -> Answer<()>;
}

/// Who a node of the exchange is and whom it is connected to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Its name on the network: of its public key.
    pub peer_id: String,
    /// Where it listens, each with its peer id, as others give it in their `peers`.
    pub addresses: Vec<String>,
    /// Peer ids of those connected, sorted.
    pub connected: Vec<String>,
}

/// Why an exchange does not do it. All but `NotItsBytes` and `TooLarge` may pass.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExchangeError {
    /// The node does not run, and could not be started just now.
    #[error("the IPFS node is away: {0}")]
    Away(String),
    /// The store does not take or give it.
    #[error("the IPFS store fails: {0}")]
    Store(String),
    /// Nobody connected had it.
    #[error("block {cid}: nobody connected gave it within {timeout_ms} ms")]
    TimedOut {
        /// Which.
        cid: Cid,
        /// How long was waited.
        timeout_ms: u64,
    },
    /// These are another block's.
    #[error("block {0}: the bytes are not those its CID names")]
    NotItsBytes(Cid),
    /// More than this protocol's blocks have.
    #[error("block {cid}: has {bytes} bytes, more than {limit}")]
    TooLarge {
        /// Which.
        cid: Cid,
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        limit: usize,
    },
    /// It was told to stop.
    #[error("the IPFS node has stopped")]
    Stopped,
}

/// The most bytes a block of this kind has: 64 KiB an envelope, 256 KiB a sealed body (docs/protocol.md, sections 1, 2).
pub const fn limit(codec: Codec) -> usize {
    match codec {
        Codec::DagCbor => MAX_BLOCK_BYTES,
        Codec::Raw => MAX_CIPHERTEXT_BYTES,
    }
}

/// Whether these are the bytes of a block of this protocol with that CID.
fn check(cid: &Cid, bytes: &[u8]) -> Result<(), ExchangeError> {
    let limit = limit(cid.codec());
    if bytes.len() > limit {
        return Err(ExchangeError::TooLarge { cid: *cid, bytes: bytes.len(), limit });
    }
    if cid.names(bytes) { Ok(()) } else { Err(ExchangeError::NotItsBytes(*cid)) }
}

/// The CID of a block from the log, after the same checks.
fn checked(block: &PublishedBlock) -> Result<Cid, ExchangeError> {
    let cid =
        Cid::from_bytes(block.cid()).map_err(|error| ExchangeError::Store(format!("not a CID: {error}")))?;
    check(&cid, block.bytes())?;
    Ok(cid)
}
