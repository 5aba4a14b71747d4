//! What goes over the wire and onto IPFS: identities, envelopes, sealed bodies and the CAR files they travel in.
//!
//! Pure: no I/O, no clock, randomness is injected. The only way from bytes to a fact is
//! [`Envelope::verify`](envelope::Envelope::verify), and only verification or signing makes a `Verified`.

pub mod cid;
pub mod fields;
pub mod kind;
mod stored_cid;
pub mod strict;

pub use cid::{Cid, CidError, Codec};
pub use kind::{Kind, Role};
