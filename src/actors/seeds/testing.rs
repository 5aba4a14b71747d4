//! What the tests of custody share.

use super::CidBytes;
use dta_crypto::{Entropy, Secret};
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex};

/// SHA-256 of a label and a counter: the same bytes in every run. Remembers every fill of 32 bytes: secrets.
#[derive(Clone)]
pub struct TestEntropy {
    label: &'static str,
    drawn: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl TestEntropy {
    pub fn new(label: &'static str) -> Self {
        Self { label, drawn: Arc::default() }
    }

    /// Every fill of 32 bytes so far.
    pub fn secrets(&self) -> Vec<Vec<u8>> {
        self.drawn.lock().unwrap().iter().filter(|fill| fill.len() == 32).cloned().collect()
    }
}

impl Entropy for TestEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        let mut drawn = self.drawn.lock().unwrap();
        let block = Sha256::digest(format!("{} {}", self.label, drawn.len()));
        bytes.copy_from_slice(&block[..bytes.len()]);
        drawn.push(bytes.to_vec());
    }
}

/// A placed CID.
pub fn cid(name: &str) -> CidBytes {
    let mut cid = [0; 36];
    cid[..4].copy_from_slice(&[1, 0x71, 0x12, 0x20]);
    cid[4..].copy_from_slice(&Sha256::digest(name));
    cid
}

/// A node's seed.
pub fn node_seed(name: &str) -> Secret<32> {
    Secret::from_bytes(Sha256::digest(name).into())
}
