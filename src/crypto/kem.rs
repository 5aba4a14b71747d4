//! X-Wing (MLKEM768-X25519, KEM 0x647A) in HPKE base mode (RFC 9180): wrapping 32 bytes for one recipient.

use std::convert::Infallible;

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::Kem;
#[cfg(not(feature = "aws-lc"))]
use hpke::kem::XWing;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable, OpModeR, OpModeS, Serializable};

#[cfg(feature = "aws-lc")]
use crate::xwing::XWing;
use crate::{KeyError, Secret, SecretBytes, impossible};

/// Bytes of a public key: ML-KEM-768 (1,184), then X25519 (32).
pub const PUBLIC_BYTES: usize = 1216;
/// Bytes of an encapsulated key: the ML-KEM ciphertext (1,088), then an X25519 key (32).
pub(crate) const ENCAPSULATED_BYTES: usize = 1120;
/// Bytes that wrapping 32 bytes gives: the encapsulated key, 32 encrypted bytes, a tag of 16.
pub(crate) const WRAPPED_BYTES: usize = ENCAPSULATED_BYTES + 32 + 16;

/// The decapsulation key; it wipes itself.
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

#[cfg(test)]
mod tests {
    use hpke::rand_core::TryRng;
    use sha2::{Digest, Sha256};

    use super::{Once, is_canonical, parse, private_key, public_key, unwrap, wrap};
    use crate::Secret;

    #[test]
    fn the_drafts_keys() {
        // Seed and SHA-256 of the public key of the three vectors in draft-connolly-cfrg-xwing-kem.
        let vectors = [
            (
                "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26",
                "2e816deebcd76c5c80d0cd2d174478871658e8e2ff42bc9d4a6e486372e856bb",
            ),
            (
                "badfd6dfaac359a5efbb7bcc4b59d538df9a04302e10c8bc1cbf1a0b3a5120ea",
                "c42ba5f8430d7d2c83739338203819f090e8303ce9c8b02107c272bfa5376916",
            ),
            (
                "ef58538b8d23f87732ea63b02b4fa0f4873360e2841928cd60dd4cee8cc0d4c9",
                "6b080d6b84f095342092fa7a22423e58bd681397ad0ef00eac92bd254db4fa95",
            ),
        ];
        for (seed, digest) in vectors {
            let seed = Secret::from_bytes(hex::decode(seed).unwrap().try_into().unwrap());
            assert_eq!(hex::encode(Sha256::digest(public_key(&private_key(&seed)))), digest);
        }
    }

    #[test]
    fn wrapping_draws_64_bytes_and_depends_on_nothing_else() {
        let key = private_key(&Secret::from_bytes([1; 32]));
        let public = parse(&public_key(&key)).unwrap();
        let secret = Secret::from_bytes([2; 32]);
        let wrapped =
            |fill, info: &[u8]| wrap(&public, info, &secret, &Secret::from_bytes([fill; 64])).unwrap();
        let one = wrapped(3, b"info");
        assert_eq!(one, wrapped(3, b"info"));
        assert_ne!(one, wrapped(4, b"info"));
        assert_ne!(one, wrapped(3, b"into"));
        assert_eq!(unwrap(&key, b"info", &one).unwrap().expose(), secret.expose());
        assert!(unwrap(&key, b"into", &one).is_none());
        assert!(unwrap(&private_key(&Secret::from_bytes([9; 32])), b"info", &one).is_none());
    }

    #[test]
    fn every_byte_of_randomness_counts_and_drawing_more_shows() {
        let randomness = Secret::build(|buf| (0..).zip(buf).for_each(|(index, byte)| *byte = index));
        let mut source = Once { bytes: &randomness, drawn: 0 };
        let mut first = [0; 60];
        source.try_fill_bytes(&mut first).unwrap();
        assert_eq!(first, randomness.expose()[..60]);
        assert_eq!(source.try_next_u64(), Ok(u64::from_le_bytes([60, 61, 62, 63, 0, 0, 0, 0])));
        assert_eq!(source.drawn, 68);
        source.try_fill_bytes(&mut first).unwrap();
        assert_eq!((first, source.drawn), ([0; 60], 128));
    }

    #[test]
    fn canonical_numbers_are_below_the_prime() {
        let mut p = [0xff; 32];
        (p[0], p[31]) = (0xed, 0x7f);
        assert!(!is_canonical(&p));
        p[0] = 0xec;
        assert!(is_canonical(&p));
        (p[0], p[16]) = (0xff, 0xfe);
        assert!(is_canonical(&p));
        p[31] = 0x80;
        assert!(!is_canonical(&p));
    }
}
