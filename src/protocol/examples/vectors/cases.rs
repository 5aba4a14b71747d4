//! An invalid vector: a valid one with one thing wrong, and the name of the error it must give.

use std::collections::BTreeMap;

use dta_protocol::{Cid, Codec, Kind, canonical, strict};
use ipld_core::ipld::Ipld;
use serde_json::{Value, json};

use crate::story::Story;

/// A decoded map.
pub type Map = BTreeMap<String, Ipld>;

/// The valid bytes that edits start from, by the name that the reader gives them too.
fn bases(story: &Story, file: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut bases = BTreeMap::from([("car".to_owned(), file.to_vec())]);
    let alice = story.alice.identity.envelope();
    bases.insert("identity:alice".into(), alice.block().to_vec());
    bases.insert("statement:identity".into(), alice.statement_bytes().to_vec());
    let secret = (story.step(Kind::Released), &story.secret);
    let bodies = story.steps.iter().flat_map(|step| step.sealed.iter().map(move |sealed| (step, sealed)));
    for (step, sealed) in bodies.chain([secret]) {
        let name = format!("{}:{}", step.kind(), sealed.body.descriptor.role);
        bases.insert(format!("plaintext:{name}"), sealed.plaintext.clone());
        bases.insert(format!("block:{name}"), sealed.body.block.clone());
        bases.insert(format!("key:{name}"), sealed.body.content_key.expose().to_vec());
    }
    for step in &story.steps {
        bases.insert(format!("envelope:{}", step.kind()), step.envelope.block().to_vec());
        bases.insert(format!("statement:{}", step.kind()), step.envelope.statement_bytes().to_vec());
    }
    bases
}

/// The cases so far, and the valid bytes they start from.
pub struct Cases {
    bases: BTreeMap<String, Vec<u8>>,
    pub list: Vec<Value>,
}

impl Cases {
    /// None yet. `file` is the CAR of the order.
    pub fn new(story: &Story, file: &[u8]) -> Self {
        Self { bases: bases(story, file), list: vec![] }
    }

    pub fn add(&mut self, decoder: &str, what: &str, bytes: &[u8], reason: &str) {
        let name = format!("{decoder}/{:03}", self.list.len());
        self.list.push(json!({
            "name": name, "what": what, "decoder": decoder, "bytes": hex::encode(bytes), "reason": reason,
        }));
    }

    /// As a base with one stretch of bytes replaced.
    pub fn splice(&mut self, base: &str, what: &str, bytes: &[u8], reason: &str) {
        let valid = &self.bases[base];
        assert_ne!(valid, bytes, "{what}");
        let same = |pair: &(&u8, &u8)| pair.0 == pair.1;
        let at = valid.iter().zip(bytes).take_while(same).count();
        let end = valid[at..].iter().rev().zip(bytes[at..].iter().rev()).take_while(same).count();
        let name = format!("{base}/{:03}", self.list.len());
        self.list.push(json!({
            "name": name, "what": what, "decoder": decoder(base), "base": base, "at": at,
            "cut": valid.len() - at - end, "put": hex::encode(&bytes[at..bytes.len() - end]), "reason": reason,
        }));
    }

    /// As a base that is a map, changed; `field` must be named in the error's text.
    pub fn edit(&mut self, base: &str, what: &str, reason: &str, field: &str, change: impl FnOnce(&mut Map)) {
        let Ipld::Map(mut map) = strict::decode(&self.bases[base]).unwrap() else { panic!("a map") };
        change(&mut map);
        self.splice(base, what, &canonical::encode(&Ipld::Map(map)), reason);
        if !field.is_empty() {
            self.list.last_mut().unwrap()["field"] = field.into();
        }
    }

    pub fn bytes(&self, base: &str) -> Vec<u8> {
        self.bases[base].clone()
    }
}

/// What reads a base, unless the case says otherwise.
fn decoder(base: &str) -> String {
    match base.split(':').next().unwrap() {
        "plaintext" => base.to_owned(),
        "block" | "key" => format!("open:{}", base.split_once(':').unwrap().1),
        first => first.to_owned(),
    }
}

pub fn set(map: &mut Map, field: &str, value: Ipld) {
    assert!(map.insert(field.into(), value).is_some(), "{field} is there");
}

pub fn text(text: &str) -> Ipld {
    Ipld::String(text.into())
}

pub fn int(value: i128) -> Ipld {
    Ipld::Integer(value)
}

pub fn link(codec: Codec) -> Ipld {
    let cid = Cid::of(codec, b"somewhere");
    Ipld::Link(ipld_core::cid::Cid::try_from(&cid.to_bytes()[..]).unwrap())
}

pub fn inner<'a>(map: &'a mut Map, field: &str) -> &'a mut Map {
    match map.get_mut(field) {
        Some(Ipld::Map(inner)) => inner,
        _ => panic!("{field} is a map"),
    }
}

pub fn items<'a>(map: &'a mut Map, field: &str) -> &'a mut Vec<Ipld> {
    match map.get_mut(field) {
        Some(Ipld::List(items)) => items,
        _ => panic!("{field} is a list"),
    }
}

pub fn descriptor(map: &mut Map, at: usize) -> &mut Map {
    match &mut items(map, "sealed")[at] {
        Ipld::Map(descriptor) => descriptor,
        _ => panic!("a descriptor is a map"),
    }
}
