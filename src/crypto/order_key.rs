//! The key pair that an order is about: its public half is the commitment, its secret half is what is released.

use bip32::XPrv;
use bip39::Mnemonic;
use k256::elliptic_curve::sec1::ToSec1Point;
use k256::schnorr::SigningKey;

use crate::{Secret, bip340, impossible};

/// Bytes of a commitment: an uncompressed SEC1 point of secp256k1.
pub const COMMITMENT_BYTES: usize = 65;

/// Where the key lies below the seed (BIP32, BIP44).
const PATH: &str = "m/44'/0'/0'/0/0";

/// Why bytes are no order key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OrderKeyError {
    /// BIP39 takes 16 to 32 bytes, in steps of 4.
    #[error("entropy: {0} bytes, not 16, 20, 24, 28 or 32")]
    EntropyLength(usize),
    /// BIP32 takes 16 to 64 bytes.
    #[error("seed: {0} bytes, not 16 to 64")]
    SeedLength(usize),
    /// The scalar is 0, or not below the order of secp256k1.
    #[error("secret: not a scalar from 1 to the order of secp256k1 - 1")]
    ScalarRange,
}

/// Why bytes are no commitment.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CommitmentError {
    /// Not an uncompressed SEC1 point by its form.
    #[error("commitment: not 65 bytes that begin with 04")]
    Form,
    /// A coordinate is not below the field's prime, or the point is not on the curve.
    #[error("commitment: not a point of secp256k1")]
    NotOnCurve,
}

/// The key pair of an order. Signs by BIP340.
pub struct OrderKey {
    secret: Secret<32>,
    signing: SigningKey,
    commitment: [u8; COMMITMENT_BYTES],
}

impl OrderKey {
    /// The key of an order's seed: the seed is BIP39 entropy (24 words, empty passphrase), the key lies at
    /// m/44'/0'/0'/0/0. Takes about 1 ms, most of it PBKDF2.
    pub fn from_seed(seed: &Secret<32>) -> Self {
        // The length fits; a child key outside the range has a chance of 2^-127.
        Self::from_entropy(seed.expose()).unwrap_or_else(|_| impossible())
    }

    /// As [`OrderKey::from_seed`], of BIP39 entropy of any length that it allows.
    ///
    /// # Errors
    /// [`OrderKeyError::EntropyLength`]; [`OrderKeyError::ScalarRange`] with a chance of 2^-127.
    pub fn from_entropy(entropy: &[u8]) -> Result<Self, OrderKeyError> {
        let mnemonic =
            Mnemonic::from_entropy(entropy).map_err(|_| OrderKeyError::EntropyLength(entropy.len()))?;
        let seed = seed_of(&mnemonic);
        let path = PATH.parse().unwrap_or_else(|_| impossible());
        let key = XPrv::derive_from_path(seed.expose(), &path).map_err(|_| OrderKeyError::ScalarRange)?;
        Self::from_secret(Secret::from_bytes(key.to_bytes()))
    }

    /// The key of a released secret: 32 bytes, big-endian.
    ///
    /// # Errors
    /// [`OrderKeyError::ScalarRange`].
    pub fn from_secret(secret: Secret<32>) -> Result<Self, OrderKeyError> {
        let key = k256::SecretKey::from_slice(secret.expose()).map_err(|_| OrderKeyError::ScalarRange)?;
        let point = key.public_key().to_sec1_point(false);
        let commitment = point.as_bytes().try_into().unwrap_or_else(|_| impossible());
        Ok(Self { secret, signing: SigningKey::from(&key), commitment })
    }

    /// The public half, uncompressed SEC1.
    pub fn commitment(&self) -> [u8; COMMITMENT_BYTES] {
        self.commitment
    }

    /// The public half, compressed SEC1: a prefix that tells whether y is odd, then x.
    pub fn compressed(&self) -> [u8; 33] {
        let [_, x @ .., odd] = &self.commitment;
        let mut point = [2 | (odd & 1); 33];
        point.iter_mut().skip(1).zip(x).for_each(|(to, from)| *to = *from);
        point
    }

    /// The secret half, big-endian.
    pub fn secret(&self) -> &Secret<32> {
        &self.secret
    }

    /// BIP340 over the tagged hash of `data`; deterministic.
    pub fn sign(&self, tag: &str, data: &[u8]) -> [u8; bip340::SIGNATURE_BYTES] {
        bip340::sign(&self.signing, tag, data)
    }
}

/// The BIP39 seed of a mnemonic without a passphrase. This is most of what an order key costs, so aws-lc's SHA-512 does it
/// where it is there.
#[cfg(feature = "aws-lc")]
pub(crate) fn seed_of(mnemonic: &Mnemonic) -> Secret<64> {
    use aws_lc_rs::pbkdf2::{PBKDF2_HMAC_SHA512, derive};

    const ROUNDS: std::num::NonZeroU32 = std::num::NonZeroU32::new(2_048).unwrap();
    // At most 24 words of at most 8 letters: the text never grows, so no copy of it is left behind.
    let mut words = zeroize::Zeroizing::new(String::with_capacity(24 * 9));
    for word in mnemonic.words() {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    Secret::build(|seed| derive(PBKDF2_HMAC_SHA512, ROUNDS, b"mnemonic", words.as_bytes(), seed))
}

#[cfg(not(feature = "aws-lc"))]
pub(crate) fn seed_of(mnemonic: &Mnemonic) -> Secret<64> {
    Secret::from_bytes(mnemonic.to_seed_normalized(""))
}

/// Whether `commitment` is an uncompressed SEC1 point of secp256k1.
///
/// # Errors
/// [`CommitmentError`] says what it is not.
pub fn commitment_is_valid(commitment: &[u8]) -> Result<(), CommitmentError> {
    if commitment.len() != COMMITMENT_BYTES || commitment.first() != Some(&4) {
        return Err(CommitmentError::Form);
    }
    bip340::sec1(commitment).map(|_| ()).ok_or(CommitmentError::NotOnCurve)
}

#[cfg(test)]
mod tests {
    use bip39::Mnemonic;

    use super::seed_of;

    #[test]
    fn the_seed_of_a_mnemonic_is_the_one_that_the_bip39_crate_makes() {
        for bytes in [16, 20, 24, 28, 32] {
            for fill in [0, 0x7f, 0xff] {
                let mnemonic = Mnemonic::from_entropy(&vec![fill; bytes]).unwrap();
                assert_eq!(*seed_of(&mnemonic).expose(), mnemonic.to_seed_normalized(""));
            }
        }
    }
}
