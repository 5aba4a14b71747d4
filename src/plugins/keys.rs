//! Public keys of secp256k1, and the sums of keys: who holds one addend does not hold the sum.

use dta_crypto::{OrderKey, Secret};
use k256::elliptic_curve::sec1::ToSec1Point;
use k256::{NonZeroScalar, ProjectivePoint, SecretKey};
use zeroize::Zeroizing;

use crate::field::FieldError;
use crate::impossible;

/// Bytes of a compressed SEC1 point.
pub const COMPRESSED_BYTES: usize = 33;
/// Bytes of an uncompressed SEC1 point.
pub const UNCOMPRESSED_BYTES: usize = 65;

/// Why bytes are no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointError {
    /// Neither compressed nor uncompressed by its form. The point at infinity has no form here.
    #[error("point: not 33 bytes that begin with 02 or 03, nor 65 that begin with 04")]
    Form,
    /// A coordinate is not below the field's prime, or the point is not on the curve.
    #[error("point: not on secp256k1")]
    NotOnCurve,
}

/// Why keys have no sum that is a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SumError {
    /// The scalars add up to 0, the points to the point at infinity: one is the other's opposite.
    #[error("sum of keys: zero")]
    Zero,
    /// An addend is 0, or not below the order of secp256k1.
    #[error("sum of keys: an addend is not a scalar from 1 to the order of secp256k1 - 1")]
    ScalarRange,
}

/// A public key: a point of secp256k1, on the curve and not infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicPoint(k256::PublicKey);

impl PublicPoint {
    /// A point from its SEC1 form, compressed (33 bytes) or not (65); the hybrid form is refused.
    ///
    /// # Errors
    /// [`PointError`] says what the bytes are not.
    pub fn parse(sec1: &[u8]) -> Result<Self, PointError> {
        match (sec1.len(), sec1.first()) {
            (COMPRESSED_BYTES, Some(2 | 3)) | (UNCOMPRESSED_BYTES, Some(4)) => {
                k256::PublicKey::from_sec1_bytes(sec1).map(Self).map_err(|_| PointError::NotOnCurve)
            }
            _ => Err(PointError::Form),
        }
    }

    /// A point from a field of an extension: either SEC1 form in hexadecimal.
    ///
    /// # Errors
    /// [`FieldError::Point`] with the field's name.
    pub fn from_field(field: &'static str, text: &str) -> Result<Self, FieldError> {
        // By the text's length: one of any other is not decoded.
        let sec1 = match text.len() {
            66 => crate::field::read::<COMPRESSED_BYTES>(field, text).map(Vec::from),
            _ => crate::field::read::<UNCOMPRESSED_BYTES>(field, text).map(Vec::from),
        };
        sec1.ok().and_then(|sec1| Self::parse(&sec1).ok()).ok_or(FieldError::Point { field })
    }

    /// The public half of `key`: its commitment.
    pub fn of(key: &OrderKey) -> Self {
        Self::parse(&key.commitment()).unwrap_or_else(|_| impossible())
    }

    /// Uncompressed SEC1: 04, x, y.
    pub fn uncompressed(&self) -> [u8; UNCOMPRESSED_BYTES] {
        self.0.to_sec1_point(false).as_bytes().try_into().unwrap_or_else(|_| impossible())
    }

    /// Compressed SEC1: 02 if y is even and 03 if it is odd, then x.
    pub fn compressed(&self) -> [u8; COMPRESSED_BYTES] {
        self.0.to_sec1_point(true).as_bytes().try_into().unwrap_or_else(|_| impossible())
    }

    /// The x coordinate, big-endian: the public key as BIP340 has it.
    pub fn x_only(&self) -> [u8; 32] {
        let [_, x @ ..] = self.compressed();
        x
    }

    pub(crate) fn of_scalar(scalar: &NonZeroScalar) -> Self {
        Self(k256::PublicKey::from_secret_scalar(scalar))
    }

    pub(crate) fn of_projective(point: ProjectivePoint) -> Option<Self> {
        k256::PublicKey::from_affine(point.to_affine()).ok().map(Self)
    }

    pub(crate) fn key(&self) -> &k256::PublicKey {
        &self.0
    }
}

/// The sum of two public keys: the public key of [`add_secrets`] of their secrets.
///
/// Whoever may choose one addend after having seen the other can choose the sum. Ask each party for a proof that it holds its own
/// (`proof` of a commitment, [`crate::share`], an identity document) before paying to the sum.
///
/// # Errors
/// [`SumError::Zero`].
pub fn add_points(a: &PublicPoint, b: &PublicPoint) -> Result<PublicPoint, SumError> {
    let sum = a.0.to_projective() + b.0.as_affine();
    PublicPoint::of_projective(sum).ok_or(SumError::Zero)
}

/// The sum of two secret keys modulo the order of secp256k1, big-endian; in constant time.
///
/// # Errors
/// [`SumError::ScalarRange`] if an addend is no key, [`SumError::Zero`] if the sum is none.
pub fn add_secrets(a: &Secret<32>, b: &Secret<32>) -> Result<Secret<32>, SumError> {
    let a = scalar(a).ok_or(SumError::ScalarRange)?;
    let b = scalar(b).ok_or(SumError::ScalarRange)?;
    let sum = Zeroizing::new(**a + **b);
    if bool::from(sum.is_zero()) {
        return Err(SumError::Zero);
    }
    Ok(Secret::build(|bytes| bytes.copy_from_slice(&Zeroizing::new(sum.to_bytes()))))
}

/// The scalar of a secret key, if it is one; wiped on drop.
pub(crate) fn scalar(secret: &Secret<32>) -> Option<Zeroizing<NonZeroScalar>> {
    let key = SecretKey::from_slice(secret.expose()).ok()?;
    Some(Zeroizing::new(key.to_nonzero_scalar()))
}
