//! Calls between nodes: requests signed by the caller's identity, answers signed by the one addressed and bound to the
//! request (RFC 9421, RFC 9530).
//!
//! ```text
//! pure   fields ── headers, read strictly      signature ── what a signature covers
//!        request, answer ── signed and judged  nonces ── which requests were seen     url ── where a peer is
//! kept   book ── whom the operator trusts, and where they serve   pins ── the actor that keeps it
//! I/O    client ── calls another node          incoming ── what a node remembers of those who call it
//! ```

pub mod answer;
pub mod book;
pub mod client;
mod error;
mod fields;
pub mod incoming;
pub mod nonces;
pub mod pins;
pub mod request;
pub mod signature;
pub mod url;

pub use client::{PeerAnswer, PeerClient, PeerError};
pub use error::PeerCallError;
pub use incoming::Incoming;
pub use request::SignedRequest;
pub use url::{PeerUrl, PeerUrlError};

#[cfg(test)]
mod tests;
