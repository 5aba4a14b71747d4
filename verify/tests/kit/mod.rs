//! The vectors, as an auditor would hold them.

#![allow(dead_code)]

use std::collections::{BTreeMap, BTreeSet};

use dta_protocol::car::Block;
use dta_protocol::{Cid, Codec, Manifest, car};
use dta_verify::{Disclosure, Report, verify};
use serde_json::Value;

pub struct Vectors {
    json: Value,
    blocks: BTreeMap<String, Vec<u8>>,
}

pub struct Case<'a> {
    vectors: &'a Vectors,
    pub json: &'a Value,
}

impl Vectors {
    pub fn read() -> Self {
        let path = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
        let path = std::path::Path::new(&path).join("../tests/vectors/audit.json");
        let json: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let blocks = json["blocks"].as_object().unwrap().iter();
        let blocks =
            blocks.map(|(cid, digits)| (cid.clone(), hex::decode(digits.as_str().unwrap()).unwrap()));
        Self { blocks: blocks.collect(), json }
    }

    pub fn cases(&self) -> impl Iterator<Item = Case<'_>> {
        self.json["cases"].as_array().unwrap().iter().map(|json| Case { vectors: self, json })
    }

    pub fn named(&self, what: &str) -> Case<'_> {
        self.cases().find(|case| case.str("what") == what).unwrap()
    }

    pub fn identity(&self, name: &str) -> &str {
        self.json["identities"][name].as_str().unwrap()
    }
}

impl Case<'_> {
    pub fn str(&self, key: &str) -> &str {
        self.json[key].as_str().unwrap()
    }

    /// The manifest, then the other blocks.
    pub fn blocks(&self) -> Vec<Block> {
        let root = hex::decode(self.str("root")).unwrap();
        let others = self.json["blocks"].as_array().unwrap().iter().map(|cid| {
            let cid = cid.as_str().unwrap();
            (cid.parse().unwrap(), self.vectors.blocks[cid].clone())
        });
        [(Cid::of(Codec::DagCbor, &root), root)].into_iter().chain(others).collect()
    }

    pub fn car(&self) -> Vec<u8> {
        let blocks = self.blocks();
        let mut car =
            car::encode(blocks[0].0, blocks.iter().map(|(cid, block)| (*cid, block.as_slice()))).unwrap();
        if let Some(change) = self.json.get("change") {
            let number = |key: &str| change[key].as_u64().unwrap() as usize;
            let put = hex::decode(change["put"].as_str().unwrap()).unwrap();
            car.splice(number("at")..number("at") + number("cut"), put);
        }
        car
    }

    pub fn disclosure(&self) -> Option<Disclosure> {
        let mut disclosure = self.json["disclosure"].clone();
        for (cid, block) in disclosure.as_object_mut()?["blocks"].as_object_mut().unwrap() {
            *block = hex::encode(&self.vectors.blocks[cid]).into();
        }
        Some(Disclosure::decode(&disclosure.to_string()).unwrap())
    }

    pub fn trusted(&self) -> BTreeSet<Cid> {
        let trusted = self.json["trusted"].as_array().unwrap().iter();
        trusted.map(|cid| cid.as_str().unwrap().parse().unwrap()).collect()
    }

    pub fn at_ms(&self) -> u64 {
        self.json["at_ms"].as_u64().unwrap()
    }

    pub fn verify(&self) -> Report {
        verify(&self.car(), self.disclosure().as_ref(), &self.trusted(), self.at_ms())
    }

    /// With another file.
    pub fn verify_car(&self, car: &[u8]) -> Report {
        verify(car, self.disclosure().as_ref(), &self.trusted(), self.at_ms())
    }
}

/// The file of this manifest and these other blocks; none if it is too large.
pub fn pack(manifest: &Manifest, blocks: &[Block]) -> Option<Vec<u8>> {
    let root = manifest.encode().ok()?;
    let cid = Cid::of(Codec::DagCbor, &root);
    let all = [(cid, root.as_slice())].into_iter();
    car::encode(cid, all.chain(blocks.iter().map(|(cid, block)| (*cid, block.as_slice())))).ok()
}

/// The manifest and the other blocks.
pub fn parts(case: &Case<'_>) -> (Manifest, Vec<Block>) {
    let mut blocks = case.blocks();
    let root = blocks.remove(0).1;
    (Manifest::decode(&root).unwrap(), blocks)
}
