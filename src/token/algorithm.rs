//! How a KEK wraps. Pure: the token's part is handed in.
//!
//! - `aes-gcm`: AES-256-GCM in the token (CKM_AES_GCM, tag of 128 bits). Wrapped: length of the IV (1) ‖ IV ‖ ciphertext ‖ tag. The
//!   IV is 12 random bytes, unless the token takes its own, and then that is what is stored: some write it back over the given
//!   one, some append it, and some of them take none but zeros to begin with.
//! - `hmac-kdf`: the token has only HMAC-SHA-256. Each wrapping has a key of its own, by the KDF in counter mode of NIST SP 800-108r1,
//!   one block: HMAC(KEK, 00000001 ‖ `milagro-dta/v1/hmac-kdf` ‖ 00 ‖ salt (32 random bytes) ‖ SHA-256(aad) ‖ 00000100). With it,
//!   AES-256-GCM in software under a nonce of zeros, since the key is used once. Wrapped: salt ‖ ciphertext ‖ tag. The derived
//!   key is in memory for that moment, where with `aes-gcm` only what is wrapped is.

use std::fmt;
use std::str::FromStr;

use dta_crypto::at_rest::{NONCE_BYTES, TAG_BYTES, open_at_rest, seal_at_rest};
use dta_crypto::{Secret, SecretBytes};
use sha2::{Digest, Sha256};

use crate::error::TokenError;

/// Bytes that a wrapping may add, and those of what it wraps: 64.
pub const WRAPPED_MAX_BYTES: usize = 1 + IV_MAX_BYTES + PLAIN_MAX_BYTES + TAG_BYTES;
/// What is wrapped has this many bytes at most.
const PLAIN_MAX_BYTES: usize = 64;
/// The longest IV that a token may take for itself.
pub(crate) const IV_MAX_BYTES: usize = 32;
/// Bytes of the salt of `hmac-kdf`.
pub(crate) const SALT_BYTES: usize = 32;
const LABEL: &[u8] = b"milagro-dta/v1/hmac-kdf\0";

/// How a KEK wraps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// AES-256-GCM in the token.
    AesGcm,
    /// HMAC-SHA-256 in the token derives a key for AES-256-GCM in software.
    HmacKdf,
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AesGcm => "aes-gcm",
            Self::HmacKdf => "hmac-kdf",
        })
    }
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "aes-gcm" => Ok(Self::AesGcm),
            "hmac-kdf" => Ok(Self::HmacKdf),
            _ => Err(format!("{text:?} is neither \"aes-gcm\" nor \"hmac-kdf\"")),
        }
    }
}

/// What an encryption in the token gave, as it is stored: `given` is the IV handed in, `after` what stood in its place then.
pub(crate) fn pack_gcm(
    given: &[u8],
    after: &[u8],
    mut ciphertext: Vec<u8>,
    plain_bytes: usize,
) -> Result<Vec<u8>, TokenError> {
    let sealed = plain_bytes + TAG_BYTES;
    let odd = |what: String| Err(TokenError::Failed { what });
    let Some(excess) = ciphertext.len().checked_sub(sealed) else {
        return odd(format!("it made {} bytes of {plain_bytes}", ciphertext.len()));
    };
    let appended = ciphertext.split_off(sealed);
    let iv = match (excess, after != given) {
        (0, _) => after,
        (_, false) => &appended,
        (_, true) => return odd("it both wrote an IV back and appended one".to_owned()),
    };
    if iv.iter().all(|byte| *byte == 0) {
        return odd("it encrypted under an IV of zeros, as it would again".to_owned());
    }
    match u8::try_from(iv.len()) {
        Ok(len) if (12..=IV_MAX_BYTES).contains(&iv.len()) => Ok([&[len], iv, &ciphertext].concat()),
        _ => odd(format!("it took an IV of {} bytes", iv.len())),
    }
}

/// IV and ciphertext of what [`pack_gcm`] packed.
pub(crate) fn unpack_gcm(wrapped: &[u8]) -> Result<(Vec<u8>, &[u8]), TokenError> {
    let (len, rest) = wrapped.split_first().ok_or(TokenError::Refused)?;
    let (iv, ciphertext) = rest.split_at_checked(usize::from(*len)).ok_or(TokenError::Refused)?;
    if !(12..=IV_MAX_BYTES).contains(&iv.len()) || ciphertext.len() < TAG_BYTES {
        return Err(TokenError::Refused);
    }
    Ok((iv.to_vec(), ciphertext))
}

/// What the token makes the HMAC of.
pub(crate) fn hmac_input(salt: &[u8; SALT_BYTES], aad: &[u8]) -> Vec<u8> {
    let context = Sha256::digest(aad);
    [&1u32.to_be_bytes(), LABEL, salt, &context[..], &256u32.to_be_bytes()].concat()
}

/// Wraps under a key that was derived for this salt.
pub(crate) fn seal_derived(key: &Secret<32>, salt: &[u8; SALT_BYTES], aad: &[u8], plain: &[u8]) -> Vec<u8> {
    [salt.as_slice(), &seal_at_rest(key, &[0; NONCE_BYTES], aad, plain)].concat()
}

/// The salt of what [`seal_derived`] wrapped, and the rest.
pub(crate) fn unpack_derived(wrapped: &[u8]) -> Result<(&[u8; SALT_BYTES], &[u8]), TokenError> {
    wrapped.split_first_chunk().ok_or(TokenError::Refused)
}

/// Opens what [`seal_derived`] wrapped.
pub(crate) fn open_derived(key: &Secret<32>, aad: &[u8], sealed: &[u8]) -> Result<SecretBytes, TokenError> {
    open_at_rest(key, &[0; NONCE_BYTES], aad, sealed).map_err(|_| TokenError::Refused)
}
