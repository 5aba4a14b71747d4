//! X-Wing (MLKEM768-X25519, KEM 0x647A) in HPKE base mode (RFC 9180): wrapping 32 bytes for one recipient.

use std::convert::Infallible;

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::{Kem, XWing};
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable, OpModeR, OpModeS, Serializable};

use crate::{KeyError, Secret, SecretBytes, impossible};

/// Bytes of a public key: ML-KEM-768 (1,184), then X25519 (32).
pub const PUBLIC_BYTES: usize = 1216;
/// Bytes of an encapsulated key: the ML-KEM ciphertext (1,088), then an X25519 key (32).
const ENCAPSULATED_BYTES: usize = 1120;
/// Bytes that wrapping 32 bytes gives: the encapsulated key, 32 encrypted bytes, a tag of 16.
pub(crate) const WRAPPED_BYTES: usize = ENCAPSULATED_BYTES + 32 + 16;

/// The decapsulation key; hpke wipes it.
pub(crate) type PrivateKey = <XWing as Kem>::PrivateKey;
/// A public key that passed [`parse`].
pub(crate) type PublicKey = <XWing as Kem>::PublicKey;

/// The decapsulation key that these 32 bytes are: nothing is derived from them on top.
pub(crate) fn private_key(seed: &Secret<32>) -> PrivateKey {
    PrivateKey::from_bytes(seed.expose()).unwrap_or_else(|_| impossible())
}

/// The public key of a decapsulation key.
pub(crate) fn public_key(key: &PrivateKey) -> [u8; PUBLIC_BYTES] {
    XWing::sk_to_pk(key).to_bytes().into()
}

/// Parses and validates a public key. hpke makes the modulus check of FIPS 203 but takes any X25519 half; a
/// low-order one would make that half of the shared secret zero for everybody.
pub(crate) fn parse(bytes: &[u8; PUBLIC_BYTES]) -> Result<PublicKey, KeyError> {
    let key = PublicKey::from_bytes(bytes).map_err(|_| KeyError::KemModulus)?;
    let Some(x25519) = bytes.last_chunk::<32>() else { impossible() };
    if !is_canonical(x25519) {
        return Err(KeyError::KemX25519NotCanonical);
    }
    // Any clamped scalar is a multiple of 8, so it takes exactly the points of low order to zero.
    if x25519_dalek::x25519([1; 32], *x25519) == [0; 32] {
        return Err(KeyError::KemX25519LowOrder);
    }
    Ok(key)
}

/// Whether a little-endian number is below 2^255 - 19.
fn is_canonical(u: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = u;
    *high < 0x7f || (*high == 0x7f && (*low < 0xed || middle.iter().any(|byte| *byte != 0xff)))
}

/// Wraps `secret` for `recipient` with exactly this `randomness`, so that whoever knows it can wrap again and
/// compare. `None` if hpke draws another number of bytes than the 64 it is given.
pub(crate) fn wrap(
    recipient: &PublicKey,
    info: &[u8],
    secret: &Secret<32>,
    randomness: &Secret<64>,
) -> Option<Box<[u8; WRAPPED_BYTES]>> {
    let mut source = Once { bytes: randomness, drawn: 0 };
    let (key, ciphertext) = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, XWing>(
        &OpModeS::Base,
        recipient,
        info,
        secret.expose(),
        &[],
        &mut source,
    )
    .ok()?;
    if source.drawn != randomness.expose().len() {
        return None;
    }
    let mut wrapped = Vec::with_capacity(WRAPPED_BYTES);
    wrapped.extend_from_slice(&key.to_bytes());
    wrapped.extend_from_slice(&ciphertext);
    wrapped.into_boxed_slice().try_into().ok()
}

/// The 32 bytes in `wrapped`, or `None` if it is not for `key` with this `info`.
pub(crate) fn unwrap(key: &PrivateKey, info: &[u8], wrapped: &[u8; WRAPPED_BYTES]) -> Option<Secret<32>> {
    let (encapsulated, ciphertext) = wrapped.split_at(ENCAPSULATED_BYTES);
    let encapsulated = <XWing as Kem>::EncappedKey::from_bytes(encapsulated).ok()?;
    let plaintext = hpke::single_shot_open::<AesGcm256, HkdfSha256, XWing>(
        &OpModeR::Base,
        key,
        &encapsulated,
        info,
        ciphertext,
        &[],
    )
    .ok()?;
    let plaintext = SecretBytes::new(plaintext);
    let bytes: &[u8; 32] = plaintext.expose().try_into().ok()?;
    Some(Secret::build(|buf| buf.copy_from_slice(bytes)))
}

/// A random source that gives the bytes it was made with, once. What is drawn beyond them is zeros, and shows in
/// `drawn`, so that it is never used.
struct Once<'a> {
    bytes: &'a Secret<64>,
    drawn: usize,
}

impl TryRng for Once<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut word = [0; 4];
        self.try_fill_bytes(&mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut word = [0; 8];
        self.try_fill_bytes(&mut word)?;
        Ok(u64::from_le_bytes(word))
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Infallible> {
        let left = self.bytes.expose().get(self.drawn..).unwrap_or_default();
        to.fill(0);
        to.iter_mut().zip(left).for_each(|(to, from)| *to = *from);
        self.drawn = self.drawn.saturating_add(to.len());
        Ok(())
    }
}

impl TryCryptoRng for Once<'_> {}
