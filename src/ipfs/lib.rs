//! An IPFS node inside this process, as the rest of the trust authority sees it: blocks by CID, and who is connected. A
//! package of its own, because what its library is made of takes minutes to compile and nothing else should wait for it.

pub mod address;
pub mod embedded;
pub mod lending;
mod peers;
pub mod swarm_key;

use std::future::Future;
use std::pin::Pin;

use dta_protocol::envelope::MAX_BLOCK_BYTES;
use dta_protocol::sealed::MAX_CIPHERTEXT_BYTES;
use dta_protocol::{Cid, Codec};
use thiserror::Error;

pub use embedded::Embedded;
pub use rust_ipfs::{Multiaddr, PeerId, Protocol};
pub use swarm_key::SwarmKey;

/// What an exchange answers, when it does.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, ExchangeError>> + Send>>;

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
///
/// # Errors
/// `TooLarge`, `NotItsBytes`.
pub fn check(cid: &Cid, bytes: &[u8]) -> Result<(), ExchangeError> {
    let limit = limit(cid.codec());
    if bytes.len() > limit {
        return Err(ExchangeError::TooLarge { cid: *cid, bytes: bytes.len(), limit });
    }
    if cid.names(bytes) { Ok(()) } else { Err(ExchangeError::NotItsBytes(*cid)) }
}
