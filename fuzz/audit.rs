//! The files that an auditor is handed.

use std::collections::BTreeSet;

use dta_protocol::{Cid, Codec, Manifest, car};
use dta_verify::{Disclosure, MAX_DISCLOSURE_BYTES, Outcome, verify};

use crate::samples;

pub fn manifest(bytes: &[u8]) {
    if let Ok(manifest) = Manifest::decode(bytes) {
        assert!(manifest.encode().unwrap() == bytes, "one list, one spelling");
    }
}

pub fn disclosure(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Disclosure::decode(text) {
        Ok(disclosure) => {
            let written = disclosure.encode();
            let again = Disclosure::decode(&written).unwrap();
            assert!(text.len() <= MAX_DISCLOSURE_BYTES && *again.encode() == *written);
        }
        Err(error) => assert!(!error.code().is_empty()),
    }
}

/// Nothing that comes this way is a chain of people whom the auditor trusts, who are none.
pub fn chain(bytes: &[u8]) {
    let report = verify(bytes, None, &BTreeSet::new(), 1 << 52);
    assert!(!report.holds() && !report.checks.is_empty());
    assert!(report.failures().next().is_some_and(|(_, failure)| !failure.code.is_empty()));
    assert!(report.about.is_some() || report.checks.len() == 1);
    let opened = |name: &str| {
        let mut checks = report.checks.iter().filter(|check| check.name.as_str() == name);
        checks.any(|check| check.outcome == Outcome::Holds)
    };
    assert!(!opened("body") && !opened("rules"), "without a key nothing opens");
}

/// A manifest of the first steps of the order in protocol.json, and its chain.
fn exported() -> (Vec<u8>, Vec<u8>) {
    let blocks: Vec<(Cid, Vec<u8>)> =
        samples::envelopes().into_iter().map(|block| (Cid::of(Codec::DagCbor, &block), block)).collect();
    let is_identity = |block: &[u8]| dta_protocol::Identity::decode(block).is_ok();
    let (documents, steps): (Vec<_>, Vec<_>) = blocks.into_iter().partition(|(_, block)| is_identity(block));
    let steps: Vec<_> = steps.into_iter().take(5).collect();
    let mut identities: Vec<Cid> = documents.iter().map(|(cid, _)| *cid).collect();
    identities.sort();
    let manifest =
        Manifest { steps: steps.iter().map(|(cid, _)| *cid).collect(), identities, proofs: vec![] };
    let root = manifest.encode().unwrap();
    let all = [(Cid::of(Codec::DagCbor, &root), root.clone())].into_iter().chain(steps).chain(documents);
    let all: Vec<_> = all.collect();
    let car = car::encode(all[0].0, all.iter().map(|(cid, block)| (*cid, block.as_slice()))).unwrap();
    (root, car)
}

pub fn manifests() -> Vec<Vec<u8>> {
    let least =
        Manifest { steps: vec![Cid::of(Codec::DagCbor, b"placed")], identities: vec![], proofs: vec![] };
    vec![exported().0, least.encode().unwrap()]
}

pub fn chains() -> Vec<Vec<u8>> {
    let mut chains = samples::cars();
    chains.push(exported().1);
    chains
}

pub fn disclosures() -> Vec<Vec<u8>> {
    let order = Cid::of(Codec::DagCbor, b"placed");
    let mut full = Disclosure::new(order);
    full.add_key(Cid::of(Codec::Raw, b"body"), dta_crypto::ContentKey::from_bytes([7; 32]));
    full.add_block(Cid::of(Codec::Raw, b"block"), b"block".to_vec());
    [full, Disclosure::new(order)].map(|one| one.encode().as_bytes().to_vec()).into()
}
