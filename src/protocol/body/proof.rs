//! Proofs by the key pair of an order: that the fiduciary holds it, and that the beneficiary got it.

use dta_crypto::{OrderKey, SignatureError, bip340};

use crate::cid::{CID_BYTES, Cid};

/// BIP340 tag of `proof` in order/committed.
pub const COMMITMENT_TAG: &str = "milagro-dta/v1/commitment";
/// BIP340 tag of `proof` in order/received.
pub const RECEIVED_TAG: &str = "milagro-dta/v1/received";

/// What the commitment key signs: placed CID, fiduciary CID, commitment (65).
pub fn commitment_proof_message(
    placed: &Cid,
    fiduciary: &Cid,
    commitment: &[u8; 65],
) -> [u8; 2 * CID_BYTES + 65] {
    let mut message = [0; 2 * CID_BYTES + 65];
    message[..CID_BYTES].copy_from_slice(&placed.to_bytes());
    message[CID_BYTES..2 * CID_BYTES].copy_from_slice(&fiduciary.to_bytes());
    message[2 * CID_BYTES..].copy_from_slice(commitment);
    message
}

/// What the released secret signs: released CID, beneficiary CID.
pub fn received_proof_message(released: &Cid, beneficiary: &Cid) -> [u8; 2 * CID_BYTES] {
    let mut message = [0; 2 * CID_BYTES];
    message[..CID_BYTES].copy_from_slice(&released.to_bytes());
    message[CID_BYTES..].copy_from_slice(&beneficiary.to_bytes());
    message
}

/// The proof of a commitment by its own key.
pub fn sign_commitment_proof(key: &OrderKey, placed: &Cid, fiduciary: &Cid) -> [u8; 64] {
    key.sign(COMMITMENT_TAG, &commitment_proof_message(placed, fiduciary, &key.commitment()))
}

/// Whether `fiduciary` held the key of `commitment` for the order `placed`.
pub fn verify_commitment_proof(
    placed: &Cid,
    fiduciary: &Cid,
    commitment: &[u8; 65],
    proof: &[u8; 64],
) -> Result<(), SignatureError> {
    let message = commitment_proof_message(placed, fiduciary, commitment);
    bip340::verify(commitment, COMMITMENT_TAG, &message, proof)
}

/// The proof of receipt by the secret that `released` released.
pub fn sign_received_proof(secret: &OrderKey, released: &Cid, beneficiary: &Cid) -> [u8; 64] {
    secret.sign(RECEIVED_TAG, &received_proof_message(released, beneficiary))
}

/// Whether `beneficiary` holds the secret of `commitment`, released by `released`.
pub fn verify_received_proof(
    released: &Cid,
    beneficiary: &Cid,
    commitment: &[u8; 65],
    proof: &[u8; 64],
) -> Result<(), SignatureError> {
    bip340::verify(commitment, RECEIVED_TAG, &received_proof_message(released, beneficiary), proof)
}
