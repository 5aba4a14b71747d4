//! Sealing of what a node keeps for itself: AES-256-GCM under a key and a nonce that the caller never pairs twice.

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};

use crate::{OpenError, Secret, SecretBytes, impossible};

/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 12;
/// Bytes that sealing adds.
pub const TAG_BYTES: usize = 16;

/// The ciphertext of `plaintext`, then its tag. One key must never see the same nonce twice.
pub fn seal_at_rest(key: &Secret<32>, nonce: &[u8; NONCE_BYTES], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    // The whole capacity at once: growing would leave an unwiped copy of the plaintext.
    let mut buffer = Vec::with_capacity(plaintext.len() + TAG_BYTES);
    buffer.extend_from_slice(plaintext);
    if Aes256Gcm::new(key.expose().into()).encrypt_in_place(nonce.into(), aad, &mut buffer).is_err() {
        impossible(); // beyond 64 GiB
    }
    buffer
}

/// Opens what [`seal_at_rest`] sealed.
///
/// # Errors
/// [`OpenError`] if the key, the nonce, `aad` or any bit of `ciphertext` is another.
pub fn open_at_rest(
    key: &Secret<32>,
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    ciphertext: &[u8],
) -> Result<SecretBytes, OpenError> {
    let mut buffer = SecretBytes::new(ciphertext.to_vec());
    Aes256Gcm::new(key.expose().into())
        .decrypt_in_place(nonce.into(), aad, buffer.as_vec())
        .map_err(|_| OpenError)?;
    Ok(buffer)
}
