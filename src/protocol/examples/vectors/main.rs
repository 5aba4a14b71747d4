//! Writes tests/vectors/{protocol.json, order.car, invalid.json}: `cargo run -p dta-protocol --example vectors`.
//!
//! Signatures are randomised, so each run gives other blocks; run it only when the format changes.

#![allow(clippy::unwrap_used, clippy::panic)]

mod cases;
mod envelopes;
mod plaintexts;
mod statements;
#[path = "../../tests/story/mod.rs"]
mod story;
mod wire;

use std::fs;
use std::path::Path;

use cases::Cases;
use dta_protocol::sealed::SealRequest;
use dta_protocol::{Kind, car};
use serde_json::{Value, json};
use story::{Party, REFERENCE, Sealed, Step, Story};

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors");
    let story = Story::tell();
    let root = story.step(Kind::Received).cid();
    let file = car::encode(root, story.published()).unwrap();
    let identities = [&story.alice, &story.bob, &story.carol].map(identity);
    let valid = json!({
        "about": "One order with every kind of step. Bytes are lower-case hex. The blocks are what a verifier gets; seeds, content keys and plaintexts let an implementation make and open them itself.",
        "reference": REFERENCE,
        "order_key_seed": hex::encode([7; 32]),
        "commitment": hex::encode(story.key.commitment()),
        "identities": identities,
        "steps": story.steps.iter().map(step).collect::<Vec<_>>(),
        "secret": sealed(story.step(Kind::Released), &story.secret),
        "car": {"file": "order.car", "root": root.to_string(), "blocks": story.published().len()},
    });
    fs::write(folder.join("protocol.json"), format!("{valid:#}\n")).unwrap();
    fs::write(folder.join("order.car"), &file).unwrap();
    let invalid = all_invalid(&story, &file);
    let lines: Vec<String> = invalid.iter().map(Value::to_string).collect();
    fs::write(folder.join("invalid.json"), format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
    println!("{} valid steps, {} invalid cases", story.steps.len(), invalid.len());
}

/// Every invalid vector. `file` is the CAR of the order.
fn all_invalid(story: &Story, file: &[u8]) -> Vec<Value> {
    let mut cases = Cases::new(story, file);
    wire::cbor(&mut cases);
    wire::cids(&mut cases);
    wire::cars(&mut cases);
    statements::statements(&mut cases);
    statements::descriptors(&mut cases);
    envelopes::envelopes(&mut cases);
    envelopes::identities(&mut cases, story);
    plaintexts::orders(&mut cases);
    plaintexts::releases(&mut cases);
    plaintexts::sealed(&mut cases);
    cases.list
}

fn identity(party: &Party) -> Value {
    json!({
        "name": party.name,
        "seed": hex::encode(party.seed),
        "cid": party.cid().to_string(),
        "block": hex::encode(party.identity.envelope().block()),
    })
}

fn step(step: &Step) -> Value {
    json!({
        "kind": step.kind().as_str(),
        "signer": step.signer,
        "cid": step.cid().to_string(),
        "statement_hash": hex::encode(step.envelope.statement_hash()),
        "block": hex::encode(step.envelope.block()),
        "sealed": step.sealed.iter().map(|body| sealed(step, body)).collect::<Vec<_>>(),
    })
}

fn sealed(step: &Step, sealed: &Sealed) -> Value {
    let descriptor = &sealed.body.descriptor;
    json!({
        "role": descriptor.role.as_str(),
        "recipients": sealed.recipients,
        "content_key": hex::encode(sealed.body.content_key.expose()),
        "associated_data": hex::encode(SealRequest::of(step.envelope.statement(), descriptor.role).unwrap().aad()),
        "plaintext": hex::encode(&sealed.plaintext),
        "cid": descriptor.cid.to_string(),
        "block": hex::encode(&sealed.body.block),
        "commit": hex::encode(descriptor.commit),
        "to": descriptor.to.iter().map(|entry| hex::encode(entry.as_slice())).collect::<Vec<_>>(),
    })
}
