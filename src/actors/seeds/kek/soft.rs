//! A KEK in memory: 32 random bytes, sealed in the header by AES-256-GCM under a key of the node's seed. It wraps by
//! AES-256-GCM with a random nonce. Wrapped: nonce (12) ‖ ciphertext ‖ tag; its material is of the same form.

use dta_crypto::at_rest::{NONCE_BYTES, open_at_rest, seal_at_rest};
use dta_crypto::{Entropy, Secret, SecretBytes};
use dta_token::TokenError;

use super::{Kek, KekEntry, KekId};
use crate::actors::seeds::SeedError;

struct Soft(Secret<32>);

/// Makes a KEK; its material.
pub fn make(key: &Secret<32>, bound_to: &[u8], id: &KekId, entropy: &mut dyn Entropy) -> Vec<u8> {
    let kek = Secret::<32>::random(entropy);
    seal(key, &aad(bound_to, id), kek.expose(), entropy)
}

/// Opens it from its material.
pub fn open(key: &Secret<32>, bound_to: &[u8], entry: &KekEntry) -> Result<Box<dyn Kek>, SeedError> {
    let opened = unseal(key, &aad(bound_to, &entry.id), &entry.material).map_err(|_| SeedError::Locked)?;
    let kek: &[u8; 32] = opened.expose().try_into().map_err(|_| SeedError::Locked)?;
    Ok(Box::new(Soft(Secret::build(|to| to.copy_from_slice(kek)))))
}

fn aad(bound_to: &[u8], id: &KekId) -> Vec<u8> {
    [b"milagro-dta/v1/seed-store\0kek\0", bound_to, id].concat()
}

fn seal(key: &Secret<32>, aad: &[u8], plain: &[u8], entropy: &mut dyn Entropy) -> Vec<u8> {
    let mut nonce = [0; NONCE_BYTES];
    entropy.fill(&mut nonce);
    [nonce.as_slice(), &seal_at_rest(key, &nonce, aad, plain)].concat()
}

fn unseal(key: &Secret<32>, aad: &[u8], sealed: &[u8]) -> Result<SecretBytes, TokenError> {
    let (nonce, sealed) = sealed.split_first_chunk().ok_or(TokenError::Refused)?;
    open_at_rest(key, nonce, aad, sealed).map_err(|_| TokenError::Refused)
}

impl Kek for Soft {
    fn wrap(
        &self,
        jobs: Vec<(Vec<u8>, SecretBytes)>,
        entropy: &mut dyn Entropy,
    ) -> Vec<Result<Vec<u8>, TokenError>> {
        jobs.into_iter().map(|(aad, plain)| Ok(seal(&self.0, &aad, plain.expose(), entropy))).collect()
    }

    fn unwrap(&self, jobs: Vec<(Vec<u8>, Vec<u8>)>) -> Vec<Result<SecretBytes, TokenError>> {
        jobs.into_iter().map(|(aad, sealed)| unseal(&self.0, &aad, &sealed)).collect()
    }

    fn check(&self) -> Result<(), TokenError> {
        Ok(())
    }
}
