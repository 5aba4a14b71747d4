//! The primitives under envelopes, called as their libraries offer them: the same keys, messages and bodies, and nothing of our
//! framing. No CBOR, no CIDs, no derivation, no key schedule of HPKE, no check of what the bytes say.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey as Agreed, X25519, agree};
use aws_lc_rs::digest::{SHA3_256, digest};
use aws_lc_rs::kem::{Ciphertext, DecapsulationKey, EncapsulationKey, ML_KEM_768};
use aws_lc_rs::signature::{KeyPair, ML_DSA_65, ML_DSA_65_SIGNING, PqdsaKeyPair, UnparsedPublicKey};
use blst::min_sig::{PublicKey, SecretKey, Signature};
use blst::{BLST_ERROR, blst_scalar};
use dta_crypto::{Secret, purpose};

/// Domain of signatures over statements.
const DOMAIN: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";
/// Bits of the random factors of a batch.
const FACTOR_BITS: usize = 128;

/// The keys of an identity; those that sign are of the same seed.
pub struct Keys {
    bls: SecretKey,
    bls_public: PublicKey,
    ml_dsa: PqdsaKeyPair,
    ml_dsa_public: Vec<u8>,
    ml_kem: DecapsulationKey,
    ml_kem_public: EncapsulationKey,
    x25519: PrivateKey,
    x25519_public: Vec<u8>,
}

/// Both halves, as bytes.
pub struct Signed {
    bls: [u8; 48],
    ml_dsa: Vec<u8>,
}

/// A body for some recipients.
pub struct Sealed {
    ciphertext: Vec<u8>,
    to: Vec<Entry>,
}

/// What one recipient opens.
pub struct Entry {
    ml_kem: Vec<u8>,
    x25519: Vec<u8>,
    wrapped: Vec<u8>,
}

impl Keys {
    pub fn from_seed(seed: &Secret<32>) -> Self {
        let bls = SecretKey::key_gen(purpose(seed, "bls").expose(), &[]).unwrap();
        let ml_dsa = PqdsaKeyPair::from_seed(&ML_DSA_65_SIGNING, purpose(seed, "ml-dsa").expose()).unwrap();
        let ml_kem = DecapsulationKey::generate(&ML_KEM_768).unwrap();
        let x25519 = PrivateKey::generate(&X25519).unwrap();
        Self {
            bls_public: bls.sk_to_pk(),
            bls,
            ml_dsa_public: ml_dsa.public_key().as_ref().to_vec(),
            ml_dsa,
            ml_kem_public: ml_kem.encapsulation_key().unwrap(),
            ml_kem,
            x25519_public: x25519.compute_public_key().unwrap().as_ref().to_vec(),
            x25519,
        }
    }

    pub fn sign(&self, message: &[u8]) -> Signed {
        let mut ml_dsa = vec![0; 3_309];
        self.ml_dsa.sign(message, &mut ml_dsa).unwrap();
        Signed { bls: self.bls.sign(message, DOMAIN, &[]).compress(), ml_dsa }
    }

    pub fn verify(&self, message: &[u8], signed: &Signed) {
        self.verify_ml_dsa(message, signed);
        let signature = decoded(signed);
        let verified = signature.verify(false, message, DOMAIN, &[], &self.bls_public, false);
        assert_eq!(verified, BLST_ERROR::BLST_SUCCESS);
    }

    /// The BLS halves by blst's own check of many.
    pub fn verify_many(&self, items: &[(Vec<u8>, Signed)]) {
        for (message, signed) in items {
            self.verify_ml_dsa(message, signed);
        }
        let messages: Vec<&[u8]> = items.iter().map(|(message, _)| message.as_slice()).collect();
        let signatures: Vec<Signature> = items.iter().map(|(_, signed)| decoded(signed)).collect();
        let factors: Vec<blst_scalar> = (1..=items.len())
            .map(|n| {
                let mut factor = blst_scalar::default();
                factor.b[..16].fill(n as u8 | 1);
                factor
            })
            .collect();
        let verified = Signature::verify_multiple_aggregate_signatures(
            &messages,
            DOMAIN,
            &vec![&self.bls_public; items.len()],
            false,
            &signatures.iter().collect::<Vec<_>>(),
            false,
            &factors,
            FACTOR_BITS,
        );
        assert_eq!(verified, BLST_ERROR::BLST_SUCCESS);
    }

    fn verify_ml_dsa(&self, message: &[u8], signed: &Signed) {
        UnparsedPublicKey::new(&ML_DSA_65, &self.ml_dsa_public).verify(message, &signed.ml_dsa).unwrap();
    }

    /// What the holder of these keys makes of a body: tries the entries in their order.
    pub fn open(&self, sealed: &Sealed) -> Vec<u8> {
        let key = sealed.to.iter().find_map(|entry| self.unwrap(entry)).unwrap();
        decrypted(&key, &sealed.ciphertext).unwrap()
    }

    /// One decapsulation: the body's key, if the entry is for these keys.
    pub fn unwrap(&self, entry: &Entry) -> Option<Vec<u8>> {
        let ml_kem = self.ml_kem.decapsulate(Ciphertext::from(entry.ml_kem.as_slice())).unwrap();
        let shared = x25519(&self.x25519, &entry.x25519);
        decrypted(&joined(ml_kem.as_ref(), &shared, &entry.x25519, &self.x25519_public), &entry.wrapped)
    }
}

/// Seals a body under `key`, and `key` for each recipient.
pub fn seal(key: &[u8; 32], plaintext: &[u8], recipients: &[&Keys]) -> Sealed {
    let to = recipients.iter().map(|recipient| wrap(recipient, key)).collect();
    Sealed { ciphertext: encrypted(key, plaintext), to }
}

/// One encapsulation: the two halves of X-Wing, each by its own library call, and the body's key under what they give.
pub fn wrap(recipient: &Keys, key: &[u8; 32]) -> Entry {
    let (ml_kem, first) = recipient.ml_kem_public.encapsulate().unwrap();
    let own = PrivateKey::generate(&X25519).unwrap();
    let own_public = own.compute_public_key().unwrap();
    let second = x25519(&own, &recipient.x25519_public);
    let shared = joined(first.as_ref(), &second, own_public.as_ref(), &recipient.x25519_public);
    Entry {
        ml_kem: ml_kem.as_ref().to_vec(),
        x25519: own_public.as_ref().to_vec(),
        wrapped: encrypted(&shared, key),
    }
}

fn x25519(own: &PrivateKey, other: &[u8]) -> [u8; 32] {
    agree(own, Agreed::new(&X25519, other), (), |shared| shared.try_into().map_err(|_| ())).unwrap()
}

/// The secret of X-Wing: one hash over both, with the X25519 keys and a label of six bytes.
fn joined(ml_kem: &[u8], x25519: &[u8], own: &[u8], recipient: &[u8]) -> Vec<u8> {
    digest(&SHA3_256, &[ml_kem, x25519, own, recipient, b"\\.//^\\"].concat()).as_ref().to_vec()
}

fn decoded(signed: &Signed) -> Signature {
    let signature = Signature::uncompress(&signed.bls).unwrap();
    signature.validate(true).unwrap();
    signature
}

fn cipher(key: &[u8]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap())
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn encrypted(key: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let mut bytes = plaintext.to_vec();
    cipher(key).seal_in_place_append_tag(nonce(), Aad::empty(), &mut bytes).unwrap();
    bytes
}

fn decrypted(key: &[u8], ciphertext: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = ciphertext.to_vec();
    let opened = cipher(key).open_in_place(nonce(), Aad::empty(), &mut bytes).ok()?;
    Some(opened.to_vec())
}
