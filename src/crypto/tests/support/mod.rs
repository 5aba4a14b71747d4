//! What several tests share: entropy that repeats, identities, and CIDs.
#![allow(dead_code, clippy::unwrap_used)]

use dta_crypto::{CID_BYTES, Entropy, IdentityKeys, Secret};
use sha2::{Digest, Sha256};

/// SHA-256 of a counter: as good as random, and the same in every run. Counts what was drawn.
#[derive(Default)]
pub struct Repeatable {
    pub drawn: usize,
    block: u64,
}

impl Entropy for Repeatable {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.drawn += bytes.len();
        for chunk in bytes.chunks_mut(32) {
            self.block += 1;
            chunk.copy_from_slice(&Sha256::digest(self.block.to_be_bytes())[..chunk.len()]);
        }
    }
}

/// The identity whose seed is 32 times `fill`.
pub fn identity(fill: u8) -> IdentityKeys {
    IdentityKeys::from_seed(&Secret::from_bytes([fill; 32]))
}

/// A CID in binary, told apart by `fill`.
pub fn cid(fill: u8) -> [u8; CID_BYTES] {
    let mut cid = [fill; CID_BYTES];
    cid[..4].copy_from_slice(&[1, 0x71, 0x12, 0x20]);
    cid
}

/// Bytes of known length from hexadecimal.
pub fn hex<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}
