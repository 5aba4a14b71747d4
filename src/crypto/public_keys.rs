//! The public keys of an identity, and what each must be before anything is verified with it or sealed to it.

use std::fmt;
use std::sync::Arc;

use crate::{VerifyingKeys, bip340, kem};

pub use crate::bls::PUBLIC_BYTES as BLS_BYTES;
pub use crate::kem::PUBLIC_BYTES as KEM_BYTES;
pub use crate::ml_dsa::PUBLIC_BYTES as ML_DSA_BYTES;

/// The public keys of an identity, as they stand in its document; not yet validated.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKeys {
    /// BLS12-381 min-sig: a compressed point of G2.
    pub bls: [u8; BLS_BYTES],
    /// ML-DSA-65 (FIPS 204).
    pub ml_dsa: Box<[u8; ML_DSA_BYTES]>,
    /// X-Wing: ML-KEM-768 (1,184 bytes), then X25519 (32).
    pub kem: Box<[u8; KEM_BYTES]>,
    /// secp256k1: a compressed SEC1 point.
    pub secp256k1: [u8; 33],
    /// Ed25519 (RFC 8032).
    pub ed25519: [u8; 32],
}

/// Why a public key is refused. Each names the field of the identity document.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum KeyError {
    /// Not a canonical compressed point of the curve.
    #[error("bls: not a canonical compressed point of BLS12-381 G2")]
    BlsEncoding,
    /// The point at infinity, under which everything could be signed.
    #[error("bls: the point at infinity")]
    BlsInfinity,
    /// On the curve, outside the group of prime order.
    #[error("bls: outside the subgroup of prime order")]
    BlsSubgroup,
    /// The modulus check of FIPS 203, section 7.2.
    #[error("kem: an ML-KEM-768 coefficient is not below 3,329")]
    KemModulus,
    /// The X25519 half is not the canonical form of its number.
    #[error("kem: the X25519 half is not below 2^255 - 19")]
    KemX25519NotCanonical,
    /// The X25519 half is zero or another point of low order.
    #[error("kem: the X25519 half is zero or of low order")]
    KemX25519LowOrder,
    /// Not a compressed SEC1 point.
    #[error("secp256k1: not a canonical compressed point of the curve")]
    Secp256k1Encoding,
    /// Not the canonical form of a point.
    #[error("ed25519: not a canonical point of the curve")]
    Ed25519Encoding,
    /// Of low order.
    #[error("ed25519: a point of low order")]
    Ed25519LowOrder,
    /// On the curve, outside the group of prime order: no honest key is.
    #[error("ed25519: outside the subgroup of prime order")]
    Ed25519Subgroup,
}

impl PublicKeys {
    /// Checks every key, once, and gives what verifies with them and seals to them.
    ///
    /// # Errors
    /// [`KeyError`], the first in the order bls, kem, secp256k1, ed25519. An ML-DSA key has no invalid form.
    pub fn validate(&self) -> Result<VerifyingKeys, KeyError> {
        let bls = self.bls()?;
        let kem = Arc::new(kem::parse(&self.kem)?);
        bip340::sec1(&self.secp256k1).ok_or(KeyError::Secp256k1Encoding)?;
        let ed25519 = self.ed25519()?;
        Ok(VerifyingKeys { public: Arc::new(self.clone()), bls, kem, ed25519 })
    }

    fn bls(&self) -> Result<blst::min_sig::PublicKey, KeyError> {
        let key = blst::min_sig::PublicKey::uncompress(&self.bls).map_err(|_| KeyError::BlsEncoding)?;
        key.validate().map_err(|error| match error {
            blst::BLST_ERROR::BLST_PK_IS_INFINITY => KeyError::BlsInfinity,
            _ => KeyError::BlsSubgroup,
        })?;
        Ok(key)
    }

    fn ed25519(&self) -> Result<ed25519_dalek::VerifyingKey, KeyError> {
        let key =
            ed25519_dalek::VerifyingKey::from_bytes(&self.ed25519).map_err(|_| KeyError::Ed25519Encoding)?;
        let point = key.to_edwards();
        if point.compress().to_bytes() != self.ed25519 {
            return Err(KeyError::Ed25519Encoding);
        }
        if key.is_weak() {
            return Err(KeyError::Ed25519LowOrder);
        }
        if !point.is_torsion_free() {
            return Err(KeyError::Ed25519Subgroup);
        }
        Ok(key)
    }
}

/// Short: the first bytes of the Ed25519 key tell identities apart in a log.
impl fmt::Debug for PublicKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKeys(ed25519 ")?;
        for byte in self.ed25519.iter().take(8) {
            write!(f, "{byte:02x}")?;
        }
        write!(f, "..)")
    }
}
