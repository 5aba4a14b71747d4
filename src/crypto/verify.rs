//! An identity's public keys once they are validated: what verifies with them and seals to them.

use std::sync::Arc;

use blst::min_sig::PublicKey;

use crate::{Entropy, PublicKeys, SIGNATURE_BYTES, bip340, bls, impossible, kem, ml_dsa};

/// Which signature does not hold.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum SignatureError {
    /// Bytes 0 to 47 of an envelope's signature.
    #[error("signature: the BLS half is malformed or not of this message and key")]
    Bls,
    /// Bytes 48 to 3,356 of an envelope's signature.
    #[error("signature: the ML-DSA-65 half is not of this message and key")]
    MlDsa,
    /// The BLS key's proof of possession.
    #[error("bls_proof: not by the BLS key over itself")]
    BlsProof,
    /// A BIP340 signature.
    #[error("secp256k1: the BIP340 signature is malformed or not of this data and key")]
    Secp256k1,
    /// An Ed25519 signature.
    #[error("ed25519: the signature is malformed or not of this data and key")]
    Ed25519,
}

/// The validated public keys of an identity. Only [`PublicKeys::validate`] makes one; cloning is cheap.
#[derive(Clone)]
pub struct VerifyingKeys {
    pub(crate) public: Arc<PublicKeys>,
    pub(crate) bls: PublicKey,
    /// Checked and expanded, which costs nearly as much as sealing to it.
    pub(crate) kem: Arc<kem::PublicKey>,
    pub(crate) ed25519: ed25519_dalek::VerifyingKey,
}

impl VerifyingKeys {
    /// The keys as they stand in the identity document.
    pub fn public(&self) -> &PublicKeys {
        &self.public
    }

    /// Verifies both halves of an envelope's signature over the same message.
    ///
    /// # Errors
    /// [`SignatureError::MlDsa`] or [`SignatureError::Bls`]: the half that fails; ML-DSA, the cheaper one, is tried first.
    pub fn verify(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> Result<(), SignatureError> {
        let half = self.ml_dsa_holds(message, signature).ok_or(SignatureError::MlDsa)?;
        let decoded = bls::decode(half).ok_or(SignatureError::Bls)?;
        bls::verify(&self.bls, message, &decoded, bls::SIGN).then_some(()).ok_or(SignatureError::Bls)
    }

    /// Verifies many envelopes of this signer; the BLS halves together, which is several times faster.
    ///
    /// # Errors
    /// The index of the first item that [`VerifyingKeys::verify`] would refuse.
    pub fn verify_batch(
        &self,
        items: &[(&[u8], &[u8; SIGNATURE_BYTES])],
        entropy: &mut dyn Entropy,
    ) -> Result<(), usize> {
        // Up to the first item that fails alone; one before it may still fail in the batch.
        let decoded: Vec<_> = items
            .iter()
            .map_while(|(message, signature)| {
                let half = self.ml_dsa_holds(message, signature)?;
                Some((*message, bls::decode(half)?))
            })
            .collect();
        match bls::first_bad(&self.bls, &decoded, entropy) {
            Some(index) => Err(index),
            None if decoded.len() < items.len() => Err(decoded.len()),
            None => Ok(()),
        }
    }

    /// Verifies the BLS key's proof of possession: its signature over its own 96 bytes, in a domain of its own.
    ///
    /// # Errors
    /// [`SignatureError::BlsProof`].
    pub fn verify_bls_proof(&self, proof: &[u8; 48]) -> Result<(), SignatureError> {
        bls::decode(proof)
            .is_some_and(|proof| bls::verify(&self.bls, &self.public.bls, &proof, bls::PROVE))
            .then_some(())
            .ok_or(SignatureError::BlsProof)
    }

    /// Verifies a BIP340 signature over the tagged hash of `data`.
    ///
    /// # Errors
    /// [`SignatureError::Secp256k1`].
    pub fn verify_secp256k1(
        &self,
        tag: &str,
        data: &[u8],
        signature: &[u8; 64],
    ) -> Result<(), SignatureError> {
        bip340::verify(&self.public.secp256k1, tag, data, signature)
    }

    /// Verifies an Ed25519 signature strictly: canonical scalar, no component of low order, no cofactor.
    ///
    /// # Errors
    /// [`SignatureError::Ed25519`].
    pub fn verify_ed25519(&self, data: &[u8], signature: &[u8; 64]) -> Result<(), SignatureError> {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.ed25519.verify_strict(data, &signature).map_err(|_| SignatureError::Ed25519)
    }

    /// The BLS half of `signature` if its other half holds.
    fn ml_dsa_holds<'a>(
        &self,
        message: &[u8],
        signature: &'a [u8; SIGNATURE_BYTES],
    ) -> Option<&'a [u8; bls::SIGNATURE_BYTES]> {
        let (Some(half), Some(other)) =
            (signature.first_chunk(), signature.last_chunk::<{ ml_dsa::SIGNATURE_BYTES }>())
        else {
            impossible()
        };
        ml_dsa::verify(&self.public.ml_dsa, message, other).then_some(half)
    }
}
