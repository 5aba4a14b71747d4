//! ML-DSA-65 (FIPS 204, pure, empty context) behind one small interface: aws-lc natively, the `ml-dsa` crate where
//! aws-lc does not build. Every string of 1,952 bytes is a public key; there is nothing to validate.

#[cfg(feature = "aws-lc")]
pub(crate) use aws_lc::{SigningKey, verify};
#[cfg(all(feature = "pure", not(feature = "aws-lc")))]
pub(crate) use pure::{SigningKey, verify};

#[cfg(not(any(feature = "aws-lc", feature = "pure")))]
compile_error!("dta-crypto needs one backend for ML-DSA: feature `aws-lc` or `pure`");

/// Bytes of a public key.
pub const PUBLIC_BYTES: usize = 1952;
/// Bytes of a signature.
pub(crate) const SIGNATURE_BYTES: usize = 3309;

#[cfg(feature = "aws-lc")]
mod aws_lc {
    use aws_lc_rs::signature::{KeyPair, ML_DSA_65, ML_DSA_65_SIGNING, PqdsaKeyPair, UnparsedPublicKey};

    use super::{PUBLIC_BYTES, SIGNATURE_BYTES};
    use crate::{Secret, impossible};

    /// A signing key; aws-lc wipes it.
    pub(crate) struct SigningKey(PqdsaKeyPair);

    impl SigningKey {
        /// The key of `seed`, which is ξ of FIPS 204.
        pub(crate) fn from_seed(seed: &Secret<32>) -> Self {
            // Fails for a wrong length or when memory runs out, and Rust ends the process for the latter too.
            PqdsaKeyPair::from_seed(&ML_DSA_65_SIGNING, seed.expose()).map_or_else(|_| impossible(), Self)
        }

        pub(crate) fn public(&self) -> [u8; PUBLIC_BYTES] {
            self.0.public_key().as_ref().try_into().unwrap_or_else(|_| impossible())
        }

        /// Hedged: signing twice gives two signatures.
        pub(crate) fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
            let mut signature = [0; SIGNATURE_BYTES];
            match self.0.sign(message, &mut signature) {
                Ok(SIGNATURE_BYTES) => signature,
                _ => impossible(),
            }
        }
    }

    pub(crate) fn verify(
        public: &[u8; PUBLIC_BYTES],
        message: &[u8],
        signature: &[u8; SIGNATURE_BYTES],
    ) -> bool {
        UnparsedPublicKey::new(&ML_DSA_65, public).verify(message, signature).is_ok()
    }
}

#[cfg(all(feature = "pure", not(feature = "aws-lc")))]
mod pure {
    use ml_dsa::{Keypair, MlDsa65};

    use super::{PUBLIC_BYTES, SIGNATURE_BYTES};
    use crate::{Secret, impossible};

    /// A signing key; the crate wipes it.
    pub(crate) struct SigningKey(ml_dsa::SigningKey<MlDsa65>);

    impl SigningKey {
        /// The key of `seed`, which is ξ of FIPS 204.
        pub(crate) fn from_seed(seed: &Secret<32>) -> Self {
            Self(ml_dsa::SigningKey::from_seed(seed.expose().into()))
        }

        pub(crate) fn public(&self) -> [u8; PUBLIC_BYTES] {
            self.0.verifying_key().encode().into()
        }

        /// Deterministic: there is no other randomness to hedge with here.
        pub(crate) fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
            match self.0.expanded_key().sign_deterministic(message, &[]) {
                Ok(signature) => signature.encode().into(),
                Err(_) => impossible(),
            }
        }
    }

    pub(crate) fn verify(
        public: &[u8; PUBLIC_BYTES],
        message: &[u8],
        signature: &[u8; SIGNATURE_BYTES],
    ) -> bool {
        let key = ml_dsa::VerifyingKey::<MlDsa65>::decode(public.into());
        ml_dsa::Signature::decode(signature.into())
            .is_some_and(|signature| key.verify_with_context(message, &[], &signature))
    }
}
