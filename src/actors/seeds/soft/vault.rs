//! The key encryption key (KEK), and what it wraps: every use of cryptography in this store.
//!
//! The KEK is 32 random bytes, sealed by AES-256-GCM under HKDF(node seed, `milagro-dta/v1/seed-store`). Each seed
//! is sealed by AES-256-GCM under the KEK with a random nonce of its own; the associated data ties it to domain,
//! node, order, purpose, KEK and commitment, so that no slot serves for another order or node. With a seed goes the key it
//! makes, so that a release waits for no derivation.

use super::header::Header;
use super::slot::Wrapped;
use crate::actors::seeds::{CidBytes, Commitment, SeedError};
use dta_crypto::{Entropy, OrderKey, Secret, SecretBytes, at_rest, derive};

const DOMAIN: &[u8] = b"milagro-dta/v1/seed-store\0";
const PURPOSE_KEK: &[u8] = b"kek\0";
const PURPOSE_ORDER: &[u8] = b"order\0";

/// An unlocked store: its names and its KEK.
pub struct Vault {
    /// As it stands in every copy.
    pub header: Header,
    kek: Secret<32>,
    node: CidBytes,
}

impl Vault {
    /// A new store with a new KEK.
    pub fn create(
        node_seed: &Secret<32>,
        node: &CidBytes,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, SeedError> {
        let (store_id, kek_id, kek_nonce) = (random(entropy), random(entropy), random(entropy));
        let kek = Secret::random(entropy);
        let aad = kek_aad(node, &store_id, &kek_id);
        let sealed =
            at_rest::seal_at_rest(&derive::purpose(node_seed, "seed-store"), &kek_nonce, &aad, kek.expose());
        let header = Header { store_id, kek_id, kek_nonce, sealed_kek: sealed_array(sealed)? };
        Ok(Self { header, kek, node: *node })
    }

    /// Unlocks a store; `Locked` if node seed or identity are not those it was made with.
    pub fn unlock(header: Header, node_seed: &Secret<32>, node: &CidBytes) -> Result<Self, SeedError> {
        let key = derive::purpose(node_seed, "seed-store");
        let aad = kek_aad(node, &header.store_id, &header.kek_id);
        let kek = at_rest::open_at_rest(&key, &header.kek_nonce, &aad, &header.sealed_kek)
            .ok()
            .and_then(|bytes| secret(&bytes))
            .ok_or(SeedError::Locked)?;
        Ok(Self { header, kek, node: *node })
    }

    /// A new seed for an order, wrapped, and the key it makes.
    pub fn make(
        &self,
        placed: &CidBytes,
        entropy: &mut dyn Entropy,
    ) -> Result<(Wrapped, OrderKey), SeedError> {
        let seed = Secret::<32>::random(entropy);
        let nonce = random(entropy);
        let key = OrderKey::from_seed(&seed);
        let commitment = key.commitment();
        let aad = self.order_aad(placed, &commitment);
        let sealed =
            sealed_array(at_rest::seal_at_rest(&self.kek, &nonce, &aad, pair(&seed, &key).expose()))?;
        Ok((Wrapped { placed: *placed, commitment, nonce, sealed }, key))
    }

    /// Unwraps the key that a seed made: `Conflict` unless it is the one whose commitment stands in the slot. It is not derived
    /// again, which takes more than a millisecond; it was sealed together with the seed.
    pub fn open(&self, wrapped: &Wrapped) -> Result<OrderKey, SeedError> {
        let aad = self.order_aad(&wrapped.placed, &wrapped.commitment);
        let bytes =
            at_rest::open_at_rest(&self.kek, &wrapped.nonce, &aad, &wrapped.sealed).map_err(|_| {
                SeedError::conflict("a sealed seed is not of its order, node, commitment and KEK")
            })?;
        // Behind the seed.
        let key =
            bytes.expose().last_chunk().map(|key: &[u8; 32]| Secret::build(|to| to.copy_from_slice(key)));
        key.and_then(|key| OrderKey::from_secret(key).ok())
            .filter(|key| key.commitment() == wrapped.commitment)
            .ok_or_else(|| SeedError::conflict("a seed makes another key than its commitment"))
    }

    fn order_aad(&self, placed: &CidBytes, commitment: &Commitment) -> Vec<u8> {
        [DOMAIN, PURPOSE_ORDER, &self.node, placed, &self.header.kek_id, commitment].concat()
    }
}

fn kek_aad(node: &CidBytes, store_id: &[u8; 16], kek_id: &[u8; 16]) -> Vec<u8> {
    [DOMAIN, PURPOSE_KEK, node.as_slice(), store_id, kek_id].concat()
}

fn random<const N: usize>(entropy: &mut dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}

fn secret(bytes: &SecretBytes) -> Option<Secret<32>> {
    let bytes = bytes.expose();
    (bytes.len() == 32).then(|| Secret::build(|secret: &mut [u8; 32]| secret.copy_from_slice(bytes)))
}

/// What is sealed of an order.
fn pair(seed: &Secret<32>, key: &OrderKey) -> Secret<64> {
    Secret::build(|to| {
        let (first, second) = to.split_at_mut(32);
        first.copy_from_slice(seed.expose());
        second.copy_from_slice(key.secret().expose());
    })
}

/// Sealed bytes are always 16 more; a length is checked rather than trusted.
fn sealed_array<const N: usize>(sealed: Vec<u8>) -> Result<[u8; N], SeedError> {
    sealed.try_into().map_err(|_| SeedError::conflict(format!("what is sealed has not {N} bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::seeds::testing::{TestEntropy, cid, node_seed};

    #[test]
    fn with_a_seed_goes_the_key_that_it_makes() {
        let mut entropy = TestEntropy::new("vault");
        let vault = Vault::create(&node_seed("node"), &cid("node"), &mut entropy).unwrap();
        let (wrapped, key) = vault.make(&cid("alice 1"), &mut entropy).unwrap();
        let aad = vault.order_aad(&wrapped.placed, &wrapped.commitment);
        let both = at_rest::open_at_rest(&vault.kek, &wrapped.nonce, &aad, &wrapped.sealed).unwrap();
        let (seed, secret) = both.expose().split_at(32);
        assert_eq!(OrderKey::from_entropy(seed).unwrap().secret().expose(), secret);
        assert_eq!(vault.open(&wrapped).unwrap().secret().expose(), key.secret().expose());
    }

    #[test]
    fn a_seed_that_makes_another_key_than_its_commitment_is_a_conflict() {
        // Only a faulty or stolen KEK could have sealed this: the tag is right, the commitment is not the seed's.
        let mut entropy = TestEntropy::new("vault");
        let vault = Vault::create(&node_seed("node"), &cid("node"), &mut entropy).unwrap();
        let (right, _) = vault.make(&cid("alice 1"), &mut entropy).unwrap();
        let (other, _) = vault.make(&cid("alice 2"), &mut entropy).unwrap();
        assert!(vault.open(&right).is_ok());
        let aad = vault.order_aad(&right.placed, &other.commitment);
        // Another key, and a number that is none.
        for fill in [9, 0xff] {
            let seed = [fill; 64];
            let sealed = sealed_array(at_rest::seal_at_rest(&vault.kek, &right.nonce, &aad, &seed)).unwrap();
            let forged = Wrapped { commitment: other.commitment, sealed, ..right.clone() };
            let error = vault.open(&forged).err().unwrap();
            assert_eq!(error.to_string(), "custody-conflict: a seed makes another key than its commitment");
        }
    }
}
