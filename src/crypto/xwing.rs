//! X-Wing (draft-connolly-cfrg-xwing-kem) over aws-lc, as a KEM for hpke, whose own derives the key anew for each decapsulation
//! and has no vector instructions. Bit for bit the same; hpke's is its oracle in the tests, and its stand-in where aws-lc does
//! not build.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;
use hpke::kem::SharedSecret;
use hpke::rand_core::CryptoRng;
use hpke::{Deserializable, HpkeError, Kem, Serializable};
use hybrid_array::Array;
use hybrid_array::sizes::{U32, U1120, U1216};
use shake::digest::{ExtendableOutput, Update, XofReader};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::aws_lc::{ML_KEM_CIPHERTEXT_BYTES, ML_KEM_PUBLIC_BYTES, MlKem, x25519, x25519_public};
use crate::kem::{ENCAPSULATED_BYTES, PUBLIC_BYTES};
use crate::{Secret, impossible};

/// Set apart from other uses of the hash: an X-wing in ASCII.
const LABEL: &[u8; 6] = br"\.//^\";

/// The KEM.
pub(crate) struct XWing;

/// A decapsulation key: 32 bytes, kept with what is derived from them. hpke asks for `Clone` and for its bytes: clones share the
/// one copy, which wipes itself, and nothing outside this package can name the type.
#[derive(Clone)]
pub(crate) struct PrivateKey(Arc<Expanded>);

struct Expanded {
    seed: Secret<32>,
    ml_kem: MlKem,
    x25519: Secret<32>,
    /// The public half of `x25519`.
    public: [u8; 32],
}

/// An encapsulation key whose ML-KEM half is valid.
#[derive(Clone)]
pub(crate) struct PublicKey {
    bytes: Box<[u8; PUBLIC_BYTES]>,
    ml_kem: Arc<MlKem>,
}

/// An ML-KEM ciphertext, then an X25519 key.
#[derive(Clone)]
pub(crate) struct EncappedKey(Box<[u8; ENCAPSULATED_BYTES]>);

impl PrivateKey {
    fn new(seed: Secret<32>) -> Self {
        let mut expanded = shake::Shake256::default();
        expanded.update(seed.expose());
        let mut expanded = expanded.finalize_xof();
        let (mut ml_kem, mut scalar) = (Zeroizing::new([0; 64]), Zeroizing::new([0; 32]));
        expanded.read(&mut *ml_kem);
        expanded.read(&mut *scalar);
        let (ml_kem, public) = (MlKem::from_seed(&ml_kem), x25519_public(&scalar));
        let x25519 = Secret::build(|to| to.copy_from_slice(&*scalar));
        Self(Arc::new(Expanded { seed, ml_kem, x25519, public }))
    }
}

impl PublicKey {
    fn x25519(&self) -> &[u8; 32] {
        self.bytes.last_chunk().unwrap_or_else(|| impossible())
    }
}

impl Kem for XWing {
    type PublicKey = PublicKey;
    type PrivateKey = PrivateKey;
    type EncappedKey = EncappedKey;
    type NSecret = U32;
    const KEM_ID: u16 = <hpke::kem::XWing as Kem>::KEM_ID;

    fn sk_to_pk(key: &PrivateKey) -> PublicKey {
        let halves = [key.0.ml_kem.public().as_slice(), &key.0.public].concat();
        PublicKey::from_bytes(&halves).unwrap_or_else(|_| impossible())
    }

    fn derive_keypair(material: &[u8]) -> (PrivateKey, PublicKey) {
        let (key, _) = hpke::kem::XWing::derive_keypair(material);
        let key = PrivateKey::from_bytes(&key.to_bytes()).unwrap_or_else(|_| impossible());
        let public = Self::sk_to_pk(&key);
        (key, public)
    }

    fn decap(
        key: &PrivateKey,
        sender: Option<&PublicKey>,
        encapped: &EncappedKey,
    ) -> Result<SharedSecret<Self>, HpkeError> {
        let (Some(ciphertext), Some(point)) = (encapped.0.first_chunk(), encapped.0.last_chunk()) else {
            impossible()
        };
        // X-Wing does not authenticate a sender.
        if sender.is_some() {
            return Err(HpkeError::DecapError);
        }
        let ml_kem = key.0.ml_kem.decapsulate(ciphertext).ok_or(HpkeError::DecapError)?;
        let agreed = x25519(key.0.x25519.expose(), point);
        Ok(combined(&ml_kem, &agreed, point, &key.0.public))
    }

    fn encap_with_rng(
        recipient: &PublicKey,
        sender: Option<(&PrivateKey, &PublicKey)>,
        randomness: &mut impl CryptoRng,
    ) -> Result<(SharedSecret<Self>, EncappedKey), HpkeError> {
        if sender.is_some() {
            return Err(HpkeError::EncapError);
        }
        // The 64 bytes at once, as hpke's own draws them.
        let mut drawn = Zeroizing::new([0; 64]);
        randomness.fill_bytes(&mut *drawn);
        let (Some(for_ml_kem), Some(scalar)) = (drawn.first_chunk(), drawn.last_chunk()) else {
            impossible()
        };
        let (ciphertext, ml_kem) = recipient.ml_kem.encapsulate(for_ml_kem).ok_or(HpkeError::EncapError)?;
        let point = x25519_public(scalar);
        let agreed = x25519(scalar, recipient.x25519());
        let secret = combined(&ml_kem, &agreed, &point, recipient.x25519());
        let encapped = EncappedKey::from_bytes(&[ciphertext.as_slice(), &point].concat())?;
        Ok((secret, encapped))
    }
}

fn combined(
    ml_kem: &Secret<32>,
    agreed: &Secret<32>,
    point: &[u8; 32],
    recipient: &[u8; 32],
) -> SharedSecret<XWing> {
    let mut hash = digest::Context::new(&digest::SHA3_256);
    for part in [ml_kem.expose().as_slice(), agreed.expose(), point, recipient, LABEL] {
        hash.update(part);
    }
    let mut secret = SharedSecret(Array::default());
    secret.0.copy_from_slice(hash.finish().as_ref());
    secret
}

impl Serializable for PrivateKey {
    type OutputSize = U32;

    fn write_exact(&self, to: &mut [u8]) {
        to.copy_from_slice(self.0.seed.expose());
    }
}

impl Deserializable for PrivateKey {
    fn from_bytes(bytes: &[u8]) -> Result<Self, HpkeError> {
        let seed: &[u8; 32] = bytes.try_into().map_err(|_| length(32, bytes))?;
        Ok(Self::new(Secret::build(|to| to.copy_from_slice(seed))))
    }
}

impl ConstantTimeEq for PrivateKey {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.seed.expose().ct_eq(other.0.seed.expose())
    }
}

impl Serializable for PublicKey {
    type OutputSize = U1216;

    fn write_exact(&self, to: &mut [u8]) {
        to.copy_from_slice(&*self.bytes);
    }
}

impl Deserializable for PublicKey {
    fn from_bytes(bytes: &[u8]) -> Result<Self, HpkeError> {
        let bytes: Box<[u8; PUBLIC_BYTES]> =
            Box::new(bytes.try_into().map_err(|_| length(PUBLIC_BYTES, bytes))?);
        let half: &[u8; ML_KEM_PUBLIC_BYTES] = bytes.first_chunk().unwrap_or_else(|| impossible());
        let ml_kem = MlKem::from_public(half).ok_or(HpkeError::ValidationError)?;
        Ok(Self { bytes, ml_kem: Arc::new(ml_kem) })
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_tuple("PublicKey").field(&self.bytes).finish()
    }
}

impl Serializable for EncappedKey {
    type OutputSize = U1120;

    fn write_exact(&self, to: &mut [u8]) {
        to.copy_from_slice(&*self.0);
    }
}

impl Deserializable for EncappedKey {
    fn from_bytes(bytes: &[u8]) -> Result<Self, HpkeError> {
        let bytes = bytes.try_into().map_err(|_| length(ENCAPSULATED_BYTES, bytes))?;
        Ok(Self(Box::new(bytes)))
    }
}

fn length(expected: usize, bytes: &[u8]) -> HpkeError {
    HpkeError::IncorrectInputLength(expected, bytes.len())
}

// The two halves make the whole.
const _: () = assert!(ML_KEM_PUBLIC_BYTES + 32 == PUBLIC_BYTES);
const _: () = assert!(ML_KEM_CIPHERTEXT_BYTES + 32 == ENCAPSULATED_BYTES);

#[cfg(test)]
mod tests;
