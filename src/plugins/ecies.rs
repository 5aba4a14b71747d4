//! ECIES over secp256k1 as the original D-TA seals a text to an order's commitment.
//!
//! It calls Apache Milagro's crypto library (`ECP_SECP256K1_ECIES_ENCRYPT` and `_DECRYPT`), which follows IEEE 1363a in the
//! mode named DHAES, from SHA-256 and AES-128:
//!
//! - V = u·G, uncompressed, of a scalar u used once; Z is the x coordinate of u·W (32 bytes), W the recipient's key;
//! - K1 ‖ K2 = KDF2(V ‖ Z, P1), 16 bytes each: in one step, SHA-256(V ‖ Z ‖ 00000001 ‖ P1), where P1 = 000102;
//! - C = AES-128-CBC under K1, the IV zero, PKCS #7 padding. The key is used once, so the IV may be fixed;
//! - T = the first 12 bytes of HMAC-SHA-256 under K2 of C alone.
//!
//! By the standard T is of C ‖ P2 ‖ L2, here P2 = 00010203 and L2 its length in bytes (4), in 8 bytes big-endian. The library
//! appends these to C in C's own buffer, as far as they fit; the original gives it a buffer as long as C, so nothing does.
//! P2 is the same for all, so nothing is lost.
//!
//! The library seals the empty text as an empty C without padding; its buffer is then 16 bytes long, and T is of P2 ‖ L2. The original
//! cannot open that, since its buffer is then empty. Here it opens. What is made here of the empty text has a block of
//! padding, as the standard has it, which the library reads.

use aes::Aes128;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use dta_crypto::{Entropy, Secret, SecretBytes};
use hmac::{Hmac, KeyInit, Mac};
use k256::NonZeroScalar;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::field::{self, FieldError};
use crate::impossible;
use crate::keys::{PublicPoint, UNCOMPRESSED_BYTES, scalar};

/// Bytes of the tag.
pub const TAG_BYTES: usize = 12;
/// Bytes of a ciphertext, at most: in hexadecimal and with `v` and `t` beside it, it fits an order's extension (16,384 bytes).
pub const CIPHERTEXT_MAX_BYTES: usize = 8_096;
/// Bytes of a plaintext, at most: padding adds 1 to 16.
pub const PLAINTEXT_MAX_BYTES: usize = CIPHERTEXT_MAX_BYTES - 1;

const BLOCK_BYTES: usize = 16;
const IV: [u8; BLOCK_BYTES] = [0; BLOCK_BYTES];
const P1: [u8; 3] = [0, 1, 2];
const P2: [u8; 4] = [0, 1, 2, 3];
const L2: [u8; 8] = (P2.len() as u64).to_be_bytes();

/// Why nothing was sealed, or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EciesError {
    /// What it is to be sealed to is no public key.
    #[error("ECIES: the recipient is not a point of secp256k1")]
    Recipient,
    /// The plaintext is longer than [`PLAINTEXT_MAX_BYTES`].
    #[error("ECIES: a text of more than {PLAINTEXT_MAX_BYTES} bytes")]
    PlaintextLength,
    /// The randomness is no scalar: a chance of 2^-127, or a source that does not work.
    #[error("ECIES: the randomness is not a scalar from 1 to the order of secp256k1 - 1")]
    Entropy,
    /// It does not open. There is one error for all reasons: which of them it was, an attacker could learn from.
    #[error("ECIES: does not open with this key")]
    Open,
}

/// A text sealed to a public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The public key used once: uncompressed SEC1.
    pub v: [u8; UNCOMPRESSED_BYTES],
    /// The ciphertext: whole blocks of 16 bytes.
    pub c: Vec<u8>,
    /// The tag.
    pub t: [u8; TAG_BYTES],
}

/// A sealed text as fields of an order's extension: lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedFields {
    /// `cypherText`.
    pub cypher_text: String,
    /// `v`.
    pub v: String,
    /// `t`.
    pub t: String,
}

impl Sealed {
    /// As fields of an order's extension.
    pub fn to_fields(&self) -> SealedFields {
        SealedFields {
            cypher_text: field::write(&self.c),
            v: field::write(&self.v),
            t: field::write(&self.t),
        }
    }

    /// From the extension's fields `cypherText`, `v` and `t`. Whether `v` is a point is asked when it is opened.
    ///
    /// # Errors
    /// [`FieldError`] names the field and its limit.
    pub fn from_fields(cypher_text: &str, v: &str, t: &str) -> Result<Self, FieldError> {
        let blocks =
            FieldError::Blocks { field: "cypherText", block: BLOCK_BYTES, limit: CIPHERTEXT_MAX_BYTES };
        if cypher_text.len() > 2 * CIPHERTEXT_MAX_BYTES || !cypher_text.len().is_multiple_of(2 * BLOCK_BYTES)
        {
            return Err(blocks);
        }
        let c = hex::decode(cypher_text).map_err(|_| blocks)?;
        Ok(Self { v: field::read("v", v)?, c, t: field::read("t", t)? })
    }
}

/// Seals `plain` to the public key `to`, an uncompressed SEC1 point. Draws exactly 32 bytes of `entropy`.
///
/// # Errors
/// [`EciesError::PlaintextLength`], [`EciesError::Recipient`], [`EciesError::Entropy`].
pub fn encrypt(
    to: &[u8; UNCOMPRESSED_BYTES],
    plain: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<Sealed, EciesError> {
    if plain.len() > PLAINTEXT_MAX_BYTES {
        return Err(EciesError::PlaintextLength);
    }
    let to = PublicPoint::parse(to).map_err(|_| EciesError::Recipient)?;
    let once = scalar(&Secret::random(entropy)).ok_or(EciesError::Entropy)?;
    let v = PublicPoint::of_scalar(&once).uncompressed();
    let keys = Keys::agree(&once, &to, &v);
    let c = keys.encrypt(plain);
    Ok(Sealed { t: keys.tag(&c), v, c })
}

/// Opens what was sealed to the public key of `key`, a secret key of 32 bytes, big-endian.
///
/// The tag is compared first, in constant time: nothing is decrypted that its sender did not make, so padding tells nobody anything.
///
/// # Errors
/// [`EciesError::Open`], whatever the reason.
pub fn decrypt(key: &Secret<32>, sealed: &Sealed) -> Result<SecretBytes, EciesError> {
    open(key, sealed).ok_or(EciesError::Open)
}

fn open(key: &Secret<32>, sealed: &Sealed) -> Option<SecretBytes> {
    let point = PublicPoint::parse(&sealed.v).ok()?;
    let keys = Keys::agree(&*scalar(key)?, &point, &sealed.v);
    bool::from(keys.tag(&sealed.c).ct_eq(&sealed.t)).then_some(())?;
    keys.decrypt(&sealed.c)
}

/// K1 and K2.
struct Keys {
    cipher: Secret<16>,
    mac: Secret<16>,
}

impl Keys {
    /// The keys that `scalar` and the holder of `point` share; `v` is the public key used once, which is one of the two.
    fn agree(scalar: &NonZeroScalar, point: &PublicPoint, v: &[u8; UNCOMPRESSED_BYTES]) -> Self {
        let z = k256::ecdh::diffie_hellman(scalar, point.key().as_affine());
        let hash =
            Sha256::new().chain_update(v).chain_update(z.raw_secret_bytes()).chain_update([0, 0, 0, 1]);
        let both = Secret::<32>::build(|both| hash.chain_update(P1).finalize_into(both.into()));
        let (cipher, mac) = both.expose().split_at(16);
        Self {
            cipher: Secret::build(|key| key.copy_from_slice(cipher)),
            mac: Secret::build(|key| key.copy_from_slice(mac)),
        }
    }

    fn encrypt(&self, plain: &[u8]) -> Vec<u8> {
        cbc::Encryptor::<Aes128>::new(self.cipher.expose().into(), &IV.into())
            .encrypt_padded_vec::<Pkcs7>(plain)
    }

    /// None if these are not whole blocks, or the padding is wrong.
    fn decrypt(&self, c: &[u8]) -> Option<SecretBytes> {
        let mut plain = Zeroizing::new(c.to_vec());
        if !c.is_empty() {
            let cipher = cbc::Decryptor::<Aes128>::new(self.cipher.expose().into(), &IV.into());
            let length = cipher.decrypt_padded::<Pkcs7>(&mut plain).ok()?.len();
            plain.truncate(length);
        }
        Some(SecretBytes::new(std::mem::take(&mut *plain)))
    }

    fn tag(&self, c: &[u8]) -> [u8; TAG_BYTES] {
        // HMAC takes a key of any length.
        let mac = Hmac::<Sha256>::new_from_slice(self.mac.expose()).unwrap_or_else(|_| impossible());
        // No tag serves for both: P2 and L2 together are no whole block.
        let mac = if c.is_empty() { mac.chain_update(P2).chain_update(L2) } else { mac.chain_update(c) };
        let mut tag = [0; TAG_BYTES];
        tag.iter_mut().zip(mac.finalize().into_bytes()).for_each(|(to, from)| *to = from);
        tag
    }
}
