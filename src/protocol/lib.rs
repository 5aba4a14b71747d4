//! What goes over the wire and onto IPFS: identities, envelopes, sealed bodies and the CAR files they travel in.
//!
//! Pure: no I/O and no clock, and randomness is injected. Bytes from outside become facts in one way only:
//! [`Envelope::decode`], then [`Envelope::verify`] (or [`Identity::decode`]); nothing but verifying or signing makes a
//! [`Verified`].

pub mod block_page;
pub mod body;
pub mod canonical;
pub mod car;
pub mod checkpoint;
pub mod cid;
pub mod envelope;
mod fields;
pub mod identity;
pub mod kind;
pub mod manifest;
pub mod page;
pub mod sealed;
pub mod statement;
pub mod strict;

pub use block_page::{BlockPage, Place};
pub use body::{BodyError, Extension, Plaintext, Policy};
pub use car::CarError;
pub use checkpoint::{CheckpointBody, LogPart};
pub use cid::{Cid, CidError, Codec};
pub use envelope::{Envelope, EnvelopeError, Verified};
pub use fields::FieldError;
pub use identity::{Identity, IdentityBody, IdentityError, name_is_plain};
pub use kind::{Kind, Role};
pub use manifest::{Manifest, ManifestError};
pub use page::{DeliveryPage, NotePage, PageError};
pub use sealed::{SealRequest, SealedBody, SealedError};
pub use statement::{Body, Descriptor, Statement, StatementError};
pub use strict::CborError;
