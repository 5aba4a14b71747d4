//! A case: an exported chain, what is disclosed of it, and what must come of its audit. The file that they stand in.

use std::collections::{BTreeMap, BTreeSet};

use dta_crypto::ContentKey;
use dta_protocol::car::{self, Block};
use dta_protocol::sealed::SealedBody;
use dta_protocol::{Cid, Codec, Kind, Manifest};
use dta_verify::{Disclosure, Name};
use serde_json::{Value, json};

use crate::story::Party;
use crate::world::{Step, World, copy};

/// A case; what is not said is as it would be.
pub struct Case {
    what: String,
    pub manifest: Manifest,
    pub blocks: Vec<Block>,
    disclosure: Option<Disclosure>,
    trusted: BTreeSet<Cid>,
    at_ms: u64,
    /// Cut so many bytes at this offset of the file, and put these there.
    change: Option<(usize, usize, Vec<u8>)>,
}

impl Case {
    /// These steps as they would be exported, nothing disclosed, the three parties trusted, audited a second after the last.
    pub fn of(world: &World, what: &str, steps: &[&Step]) -> Self {
        let signers: BTreeSet<Cid> =
            steps.iter().filter_map(|step| step.envelope.statement().signer).collect();
        let parties = world.parties();
        let documents = parties.values().filter(|party| signers.contains(&party.cid()));
        let mut blocks: Vec<Block> = steps.iter().flat_map(|step| step.blocks()).collect();
        blocks.extend(documents.map(|party| world.block_of(party)));
        let steps: Vec<&Step> = steps.to_vec();
        Self {
            what: what.into(),
            manifest: Manifest {
                steps: steps.iter().map(|step| step.cid()).collect(),
                identities: signers.into_iter().collect(),
                proofs: vec![],
            },
            blocks,
            disclosure: None,
            trusted: [&world.alice, &world.bob, &world.carol].map(Party::cid).into(),
            at_ms: steps.iter().map(|step| step.issued_at_ms()).max().unwrap() + 1_000,
            change: None,
        }
    }

    /// The same with the keys of all its bodies, and the documents of parties who have signed nothing.
    pub fn disclosed(world: &World, what: &str, steps: &[&Step]) -> Self {
        let mut case = Self::of(world, what, steps);
        for step in steps {
            for body in &step.bodies {
                case = case.key(body.descriptor.cid, copy(&body.content_key));
            }
        }
        for party in world.all() {
            if !case.manifest.identities.contains(&party.cid()) {
                case = case.reveals(world.block_of(party));
            }
        }
        case
    }

    fn disclosure(&mut self) -> &mut Disclosure {
        let order = self.manifest.steps[0];
        self.disclosure.get_or_insert_with(|| Disclosure::new(order))
    }

    /// With this key.
    pub fn key(mut self, body: Cid, key: ContentKey) -> Self {
        self.disclosure().add_key(body, key);
        self
    }

    /// With the key of this body.
    pub fn key_of(self, body: &SealedBody) -> Self {
        self.key(body.descriptor.cid, copy(&body.content_key))
    }

    /// With this block in the disclosure.
    pub fn reveals(mut self, (cid, block): Block) -> Self {
        self.disclosure().add_block(cid, block);
        self
    }

    /// With a disclosure of another order.
    pub fn disclosing(mut self, order: Cid) -> Self {
        self.disclosure = Some(Disclosure::new(order));
        self
    }

    /// Without this block.
    pub fn without(mut self, cid: Cid) -> Self {
        self.blocks.retain(|(known, _)| *known != cid);
        self
    }

    /// With this block more.
    pub fn and(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }

    /// With another manifest.
    pub fn listing(mut self, change: impl Fn(&mut Manifest)) -> Self {
        change(&mut self.manifest);
        self
    }

    pub fn trusting(mut self, trusted: &[&Party]) -> Self {
        self.trusted = trusted.iter().map(|party| party.cid()).collect();
        self
    }

    /// Audited then.
    pub fn at(mut self, at_ms: u64) -> Self {
        self.at_ms = at_ms;
        self
    }

    /// Changed in the bytes of this block, whose name stays.
    pub fn flipping(mut self, cid: Cid, at: usize) -> Self {
        let car = self.car();
        let start = car.windows(36).rposition(|window| window == cid.to_bytes()).unwrap() + 36 + at;
        self.change = Some((start, 1, vec![car[start] ^ 1]));
        self
    }

    pub fn changing(mut self, at: usize, cut: usize, put: &[u8]) -> Self {
        self.change = Some((at, cut, put.to_vec()));
        self
    }

    pub fn car(&self) -> Vec<u8> {
        let root = self.manifest.encode().unwrap();
        let root = (Cid::of(Codec::DagCbor, &root), root);
        let blocks = [&root].into_iter().chain(&self.blocks);
        car::encode(root.0, blocks.map(|(cid, block)| (*cid, block.as_slice()))).unwrap()
    }
}

#[derive(Default)]
pub struct Cases {
    list: Vec<Value>,
    blocks: BTreeMap<Cid, Vec<u8>>,
}

impl Cases {
    /// Every check that can be made holds.
    pub fn holds(&mut self, case: Case) {
        self.add(case, json!({}));
    }

    /// This check of the file, of an identity or of the disclosure is the first that does not hold.
    pub fn fails(&mut self, check: Name, reason: &str, case: Case) {
        self.add(case, json!({ "check": check.as_str(), "reason": reason }));
    }

    /// This check of the step of this kind, or of a body of it, is.
    pub fn fails_at(&mut self, check: Name, kind: Kind, reason: &str, case: Case) {
        self.add(case, json!({ "check": check.as_str(), "step": kind.as_str(), "reason": reason }));
    }

    fn add(&mut self, case: Case, outcome: Value) {
        let root = case.manifest.encode().unwrap();
        let root = (Cid::of(Codec::DagCbor, &root), root);
        let cids: Vec<_> = case.blocks.iter().map(|(cid, _)| cid.to_string()).collect();
        self.blocks.extend(case.blocks.iter().cloned());
        let mut disclosure =
            case.disclosure.map(|disclosure| serde_json::from_str::<Value>(&disclosure.encode()).unwrap());
        // Each block stands once in the file, under its name.
        for (cid, digits) in disclosure.iter_mut().flat_map(|file| file["blocks"].as_object_mut().unwrap()) {
            self.blocks.insert(cid.parse().unwrap(), hex::decode(digits.take().as_str().unwrap()).unwrap());
        }
        let mut value = json!({
            "name": format!("{:03}", self.list.len()),
            "what": case.what,
            "root": hex::encode(root.1),
            "blocks": cids,
            "disclosure": disclosure,
            "trusted": case.trusted.iter().map(Cid::to_string).collect::<Vec<_>>(),
            "at_ms": case.at_ms,
        });
        if let Some((at, cut, put)) = case.change {
            value["change"] = json!({ "at": at, "cut": cut, "put": hex::encode(put) });
        }
        value.as_object_mut().unwrap().extend(outcome.as_object().unwrap().clone());
        self.list.push(value);
    }

    pub fn count(&self) -> (usize, usize) {
        let invalid = self.list.iter().filter(|case| case.get("reason").is_some()).count();
        (self.list.len() - invalid, invalid)
    }

    /// The file.
    pub fn file(&self, world: &World) -> String {
        let blocks = self.blocks.iter().map(|(cid, block)| format!("\"{cid}\":\"{}\"", hex::encode(block)));
        let parties = world.parties();
        let names = parties.values().map(|party| format!("\"{}\":\"{}\"", party.name, party.cid()));
        format!(
            "{{\"about\":{},\n\"identities\":{{\n{}\n}},\n\"blocks\":{{\n{}\n}},\n\"cases\":[\n{}\n]}}\n",
            json!(
                "Exported chains, what is disclosed of them, and what must come of their audit: README.md."
            ),
            names.collect::<Vec<_>>().join(",\n"),
            blocks.collect::<Vec<_>>().join(",\n"),
            self.list.iter().map(Value::to_string).collect::<Vec<_>>().join(",\n"),
        )
    }
}
