//! Signatures, key encapsulation, sealing, derivation and secret types. No I/O and no clock; randomness is
//! injected ([`Entropy`]), except for the hedging that aws-lc does inside ML-DSA.
//!
//! The standards, sizes and labels are those of docs/protocol.md, sections 1 to 3.

pub mod at_rest;
#[cfg(feature = "aws-lc")]
mod aws_lc;
pub mod bip340;
mod bls;
pub mod derive;
pub mod identity;
mod kem;
mod ml_dsa;
pub mod order_key;
pub mod original;
pub mod public_keys;
pub mod seal;
pub mod secret;
pub mod verify;
#[cfg(feature = "aws-lc")]
mod xwing;

pub use at_rest::{open_at_rest, seal_at_rest};
pub use derive::{hkdf, hosted_seed, purpose};
pub use identity::{IdentityKeys, SIGNATURE_BYTES, Signature};
pub use order_key::{COMMITMENT_BYTES, CommitmentError, OrderKey, OrderKeyError, commitment_is_valid};
pub use original::{original_ec_key, original_order_key};
pub use public_keys::{BLS_BYTES, KEM_BYTES, KeyError, ML_DSA_BYTES, PublicKeys};
pub use seal::{
    CID_BYTES, ContentKey, ENTRY_BYTES, Entry, OpenError, Recipient, SealError, SealedParts, open, open_with,
    recipients_match, seal,
};
pub use secret::{Entropy, Secret, SecretBytes};
pub use verify::{SignatureError, VerifyingKeys};

/// Ends the process where an interface allows an error that cannot occur: a length fixed by a type, or a chance
/// below 2^-120. Returning a made-up key or signature instead would be stored and believed.
pub(crate) fn impossible() -> ! {
    std::process::abort()
}
