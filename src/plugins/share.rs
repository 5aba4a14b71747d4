//! The key that a principal adds to its fiduciary's commitment, and the proof that it holds it.
//!
//! The share is an [`OrderKey`] of the principal's own (`OrderKey::from_seed`, of a seed for this order alone). Its proof is a BIP340
//! signature, tag `milagro-dta/v1/principal-share`, of
//!
//! | | bytes |
//! |---|---|
//! | length of the order's reference, big-endian | 2 |
//! | the order's reference | as many |
//! | the principal's CID, binary | 36 |
//! | the fiduciary's CID, binary | 36 |
//! | the share's public key, compressed SEC1 | 33 |
//!
//! so that it serves for one order between these two and nobody takes another's share for his own. BIP340 looks at x alone;
//! the compressed key has y's parity, so the opposite of a share has no proof.

use dta_crypto::{CID_BYTES, OrderKey, bip340};

use crate::keys::{COMPRESSED_BYTES, PublicPoint};

/// Bytes of a proof.
pub const PROOF_BYTES: usize = bip340::SIGNATURE_BYTES;

/// BIP340 tag of a proof.
pub const TAG: &str = "milagro-dta/v1/principal-share";

/// Why there is no proof, or it proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// The reference is longer than its length can say.
    #[error("principal's share: a reference of more than {} bytes", u16::MAX)]
    ReferenceLength,
    /// Not a signature of this share for this order between these parties.
    #[error("principal's share: the proof is not of this key, order, principal and fiduciary")]
    Proof,
}

/// The proof that whoever has `key` adds it for the order `reference` of `principal` with `fiduciary`. Deterministic.
///
/// # Errors
/// [`ShareError::ReferenceLength`].
pub fn prove(
    key: &OrderKey,
    reference: &str,
    principal: &[u8; CID_BYTES],
    fiduciary: &[u8; CID_BYTES],
) -> Result<[u8; PROOF_BYTES], ShareError> {
    Ok(key.sign(TAG, &message(reference, principal, fiduciary, &key.compressed())?))
}

/// Whether `proof` is by the secret of `point`, for the order `reference` of `principal` with `fiduciary`.
///
/// # Errors
/// [`ShareError::Proof`] if it is not; [`ShareError::ReferenceLength`].
pub fn verify(
    point: &PublicPoint,
    proof: &[u8; PROOF_BYTES],
    reference: &str,
    principal: &[u8; CID_BYTES],
    fiduciary: &[u8; CID_BYTES],
) -> Result<(), ShareError> {
    let point = point.compressed();
    let message = message(reference, principal, fiduciary, &point)?;
    bip340::verify(&point, TAG, &message, proof).map_err(|_| ShareError::Proof)
}

fn message(
    reference: &str,
    principal: &[u8; CID_BYTES],
    fiduciary: &[u8; CID_BYTES],
    point: &[u8; COMPRESSED_BYTES],
) -> Result<Vec<u8>, ShareError> {
    let length = u16::try_from(reference.len()).map_err(|_| ShareError::ReferenceLength)?;
    Ok([&length.to_be_bytes(), reference.as_bytes(), principal, fiduciary, point].concat())
}
