//! The secret keys of an identity, all from one seed of 32 bytes, and what they sign.

use blst::min_sig::SecretKey;
use ed25519_dalek::Signer;

use crate::{OrderKey, PublicKeys, Secret, bls, derive, kem, ml_dsa};

/// Bytes of an envelope's signature: BLS (48), then ML-DSA-65 (3,309).
pub const SIGNATURE_BYTES: usize = bls::SIGNATURE_BYTES + ml_dsa::SIGNATURE_BYTES;

/// An envelope's signature: BLS12-381 (48 bytes, compressed) ‖ ML-DSA-65 (3,309), both over the same message.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature(pub [u8; SIGNATURE_BYTES]);

/// The secret keys of an identity, with their public halves. Wiped on drop.
pub struct IdentityKeys {
    bls: SecretKey,
    ml_dsa: ml_dsa::SigningKey,
    pub(crate) kem: kem::PrivateKey,
    ed25519: ed25519_dalek::SigningKey,
    secp256k1: OrderKey,
    public: PublicKeys,
}

impl IdentityKeys {
    /// Derives every key from `seed` (docs/protocol.md, section 3). Takes about 3 ms.
    pub fn from_seed(seed: &Secret<32>) -> Self {
        let bls = bls::key_gen(&derive::purpose(seed, "bls"));
        let ml_dsa = ml_dsa::SigningKey::from_seed(&derive::purpose(seed, "ml-dsa"));
        let kem = kem::private_key(&derive::purpose(seed, "kem"));
        let ed25519 = ed25519_dalek::SigningKey::from_bytes(derive::purpose(seed, "ed25519").expose());
        let secp256k1 = OrderKey::from_seed(&derive::purpose(seed, "secp256k1"));
        let public = PublicKeys {
            bls: bls.sk_to_pk().compress(),
            ml_dsa: Box::new(ml_dsa.public()),
            kem: Box::new(kem::public_key(&kem)),
            secp256k1: secp256k1.compressed(),
            ed25519: ed25519.verifying_key().to_bytes(),
        };
        Self { bls, ml_dsa, kem, ed25519, secp256k1, public }
    }

    /// The public halves.
    pub fn public(&self) -> &PublicKeys {
        &self.public
    }

    /// Signs an envelope's message with both algorithms. With aws-lc the ML-DSA half is randomised, so a message
    /// signed again has another signature: sign once and store.
    pub fn sign(&self, message: &[u8]) -> Signature {
        let mut signature = [0; SIGNATURE_BYTES];
        let (first, second) = signature.split_at_mut(bls::SIGNATURE_BYTES);
        first.copy_from_slice(&self.bls.sign(message, bls::SIGN, &[]).compress());
        second.copy_from_slice(&self.ml_dsa.sign(message));
        Signature(signature)
    }

    /// The BLS key's proof of possession: its signature over its own 96 bytes, in a domain of its own.
    pub fn bls_proof(&self) -> [u8; bls::SIGNATURE_BYTES] {
        self.bls.sign(&self.public.bls, bls::PROVE, &[]).compress()
    }

    /// The long-term key on secp256k1: what a plugin adds to a released one.
    pub fn secp256k1(&self) -> &OrderKey {
        &self.secp256k1
    }

    /// BIP340 over the tagged hash of `data`; deterministic (auxiliary randomness of 32 zero bytes).
    pub fn secp256k1_sign(&self, tag: &str, data: &[u8]) -> [u8; 64] {
        self.secp256k1.sign(tag, data)
    }

    /// Ed25519 (RFC 8032) over `data`; deterministic.
    pub fn ed25519_sign(&self, data: &[u8]) -> [u8; 64] {
        self.ed25519.sign(data).to_bytes()
    }
}
