//! Writes tests/vectors/log.json: `cargo run -p dta-proof --example log`. One log of bob's: its records' leaves, the tree, notes,
//! proofs, and checkpoints; then what is none.
//!
//! Signatures are randomised, so each run gives other blocks; run it only when the format changes.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::Path;

use dta_crypto::{ContentKey, IdentityKeys, Secret};
use dta_proof::tree::{self, Frontier, Hashes};
use dta_proof::{Hash, Leaf, Note, Origin, verifier_key};
use dta_protocol::checkpoint::{LogPart, skip_after};
use dta_protocol::sealed::{self, SealRequest};
use dta_protocol::{
    Body, CheckpointBody, Cid, Codec, Envelope, Identity, Kind, Plaintext as _, Role, Statement, canonical,
    strict,
};
use ipld_core::ipld::Ipld;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const START_MS: u64 = 1_790_000_000_000;
/// Two levels of skip links.
const CHECKPOINTS: u64 = 18;

struct Bob {
    keys: IdentityKeys,
    identity: Identity,
}

/// A record as far as others see it.
struct Record {
    bytes: Vec<u8>,
    blind: [u8; 32],
    envelopes: Vec<Cid>,
}

#[derive(Default)]
struct Stored(Vec<Hash>);

impl Hashes for Stored {
    type Error = std::convert::Infallible;

    fn hashes(&self, places: &[u64]) -> Result<Vec<Hash>, Self::Error> {
        Ok(places.iter().map(|place| self.0[*place as usize]).collect())
    }
}

fn digest(label: &str) -> [u8; 32] {
    Sha256::digest(label).into()
}

fn record(n: u64) -> Record {
    let envelopes = (0..n % 3).map(|m| Cid::of(Codec::DagCbor, format!("envelope {m} of {n}").as_bytes()));
    Record {
        bytes: format!("record {n}, which only its node reads").into_bytes(),
        blind: digest(&format!("blind {n}")),
        envelopes: envelopes.collect(),
    }
}

fn leaf(n: u64) -> Leaf {
    let Record { bytes, blind, envelopes } = record(n);
    let binary: Vec<_> = envelopes.iter().map(Cid::to_bytes).collect();
    Leaf::of(n, Sha256::digest(bytes).into(), &blind, &binary)
}

fn in_hex(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(hex::encode).collect()
}

impl Bob {
    fn note(&self, stored: &Stored, size: u64) -> Note {
        let origin = Origin { identity: self.identity.cid(), epoch: 0 };
        Note::sign(origin, size, tree::root(stored, size).unwrap(), &self.keys).unwrap()
    }

    fn checkpoint(&self, statement: &Statement) -> Envelope {
        Envelope::sign(statement, &self.keys).unwrap().into_inner()
    }
}

fn main() {
    let seed: [u8; 32] = digest("bob");
    let keys = IdentityKeys::from_seed(&Secret::from_bytes(seed));
    let identity = Identity::create(&keys, "bob", None, None, START_MS).unwrap();
    let bob = Bob { keys, identity };
    let size = 2 * CHECKPOINTS + 3;
    let (mut stored, mut frontier) = (Stored::default(), Frontier::empty());
    for n in 0..size {
        stored.0.extend(frontier.push(leaf(n).hash()).into_iter().map(|(_, hash)| hash));
    }
    let leaves = (0..size).map(|n| {
        let Record { bytes, blind, envelopes } = record(n);
        json!({
            "sequence": n,
            "record": hex::encode(bytes),
            "blind": hex::encode(blind),
            "envelopes": envelopes.iter().map(Cid::to_string).collect::<Vec<_>>(),
            "leaf": hex::encode(leaf(n).encode()),
            "hash": hex::encode(leaf(n).hash()),
        })
    });
    let roots = (0..=size).map(|size| hex::encode(tree::root(&stored, size).unwrap()));
    let inclusion = [(0, 1), (0, 2), (4, 7), (11, 39), (38, 39), (15, 32)].map(|(n, size)| {
        let path = tree::prove_inclusion(&stored, size, n).unwrap();
        json!({ "sequence": n, "size": size, "path": in_hex(&path) })
    });
    let consistency = [(1, 1), (1, 2), (6, 8), (7, 39), (32, 39), (38, 39)].map(|(from, to)| {
        let path = tree::prove_consistency(&stored, to, from).unwrap();
        json!({ "from": from, "to": to, "path": in_hex(&path) })
    });
    let (checkpoints, last) = checkpoints(&bob, &stored);
    let origin = Origin { identity: bob.identity.cid(), epoch: 0 };
    let file = json!({
        "about": "A log of bob's. Bytes are lower-case hex. Records stand for what only their node reads.",
        "identity": {
            "seed": hex::encode(seed),
            "cid": bob.identity.cid().to_string(),
            "block": hex::encode(bob.identity.envelope().block()),
        },
        "leaves": leaves.collect::<Vec<_>>(),
        "roots": roots.collect::<Vec<_>>(),
        "inclusion": inclusion,
        "consistency": consistency,
        "verifier_key": verifier_key(&origin, &bob.identity),
        "note": bob.note(&stored, 7).text(),
        "checkpoints": checkpoints,
        "invalid": invalid(&bob, &stored, &last),
    });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/log.json");
    std::fs::write(path, format!("{file:#}\n")).unwrap();
}

/// A chain of checkpoints, two records each, and the last one's statement.
fn checkpoints(bob: &Bob, stored: &Stored) -> (Vec<Value>, Statement) {
    let (mut all, mut skip, mut previous, mut first, mut last) = (Vec::new(), Vec::new(), None, None, None);
    for number in 0..CHECKPOINTS {
        let size = 2 * number + 2;
        let label = format!("content key of checkpoint {number}");
        let part = LogPart {
            records: (size - 2..size).map(|n| record(n).bytes).collect(),
            digests: BTreeMap::from([
                ("orders/1".to_owned(), digest(&format!("orders at {size}"))),
                (format!("peers/1@{number}"), digest(&format!("peers at {number}"))),
            ]),
        };
        let plaintext = part.encode().unwrap();
        let (signer, issued_at_ms) = (bob.identity.cid(), START_MS + 5_000 * number);
        let request = SealRequest {
            kind: Kind::Checkpoint,
            role: Role::Log,
            signer,
            subject: "",
            previous,
            issued_at_ms,
        };
        let key = ContentKey::from_bytes(digest(&label));
        let body =
            sealed::seal(&request, plaintext.expose(), key, &[(signer, bob.identity.verifying())]).unwrap();
        let statement = Statement {
            kind: Kind::Checkpoint,
            body: Body::Checkpoint(CheckpointBody {
                number,
                note: bob.note(stored, size).text().to_owned(),
                skip: skip.clone(),
            }),
            sealed: vec![body.descriptor.clone()],
            signer: Some(signer),
            subject: String::new(),
            previous,
            issued_at_ms,
        };
        let envelope = bob.checkpoint(&statement);
        all.push(json!({
            "number": number,
            "cid": envelope.cid().to_string(),
            "block": hex::encode(envelope.block()),
            "skip": skip.iter().map(Cid::to_string).collect::<Vec<_>>(),
            "content_key": hex::encode(body.content_key.expose()),
            "associated_data": hex::encode(request.aad()),
            "plaintext": hex::encode(plaintext.expose()),
            "body": hex::encode(&body.block),
            "body_cid": body.descriptor.cid.to_string(),
        }));
        let first = *first.get_or_insert(envelope.cid());
        skip = skip_after(number, envelope.cid(), &skip, first);
        previous = Some(envelope.cid());
        last = Some(statement);
    }
    (all, last.unwrap())
}

fn invalid(bob: &Bob, stored: &Stored, last: &Statement) -> Vec<Value> {
    let mut cases = notes(bob, stored);
    cases.extend(statements(last));
    cases.extend(proofs(stored));
    cases
}

fn notes(bob: &Bob, stored: &Stored) -> Vec<Value> {
    let text = bob.note(stored, 7).text().to_owned();
    let (body, signature) = text.split_once("\n\n").unwrap();
    let lines: Vec<_> = body.lines().collect();
    let eve = IdentityKeys::from_seed(&Secret::from_bytes(digest("eve")));
    let eves = Identity::create(&eve, "eve", None, None, START_MS).unwrap().cid();
    let root = tree::root(stored, 7).unwrap();
    let hers = Note::sign(Origin { identity: eves, epoch: 0 }, 7, root, &eve).unwrap();
    let forged = Note::sign(Origin { identity: bob.identity.cid(), epoch: 0 }, 7, root, &eve).unwrap();
    [
        ("a note of 4,097 bytes", "note-too-large", "n".repeat(4_097)),
        ("no signature", "note-malformed", format!("{body}\n\n")),
        ("no empty line", "note-malformed", format!("{body}\n{signature}")),
        ("lines that end as on Windows", "note-malformed", text.replace('\n', "\r\n")),
        ("no line feed at the end", "note-malformed", text.trim_end().to_owned()),
        ("a size with a zero before it", "note-lines", text.replace("\n7\n", "\n07\n")),
        ("a size that is negative", "note-lines", text.replace("\n7\n", "\n-7\n")),
        ("a size of 2^53", "note-lines", text.replace("\n7\n", "\n9007199254740992\n")),
        ("a root of 31 bytes", "note-lines", text.replace(lines[2], &("A".repeat(42) + "=="))),
        ("a root without padding", "note-lines", text.replace(lines[2], lines[2].trim_end_matches('='))),
        ("a line more", "note-lines", text.replace("\n\n", "\nmore\n\n")),
        ("an origin of another network", "note-origin", text.replace("milagro-dta/", "example.com/")),
        ("an origin without an epoch", "note-origin", text.replace("/0\n7", "\n7")),
        ("an epoch with a zero before it", "note-origin", text.replace("/0\n7", "/00\n7")),
        ("eve's log", "note-other-identity", hers.text().to_owned()),
        ("signed by eve", "note-signature", forged.text().to_owned()),
        ("another size", "note-signature", text.replace("\n7\n", "\n8\n")),
        ("another epoch", "note-signature", text.replace("/0\n7", "/1\n7")),
    ]
    .into_iter()
    .map(|(what, reason, note)| json!({ "what": what, "decoder": "note", "reason": reason, "note": note }))
    .collect()
}

type Map = BTreeMap<String, Ipld>;
/// What is other in a statement.
type Change = Box<dyn Fn(&mut Map)>;

/// A field of a map, where it must be.
fn field<'a>(map: &'a mut Map, name: &str) -> &'a mut Ipld {
    map.get_mut(name).unwrap()
}

fn inner<'a>(map: &'a mut Map, name: &str) -> &'a mut Map {
    let Ipld::Map(inner) = field(map, name) else { panic!("{name} is a map") };
    inner
}

fn links(map: &mut Map) -> &mut Vec<Ipld> {
    let Ipld::List(links) = field(inner(map, "body"), "skip") else { panic!("skip is a list") };
    links
}

/// Statements as nobody signs them, made from the last checkpoint's.
fn statements(last: &Statement) -> Vec<Value> {
    // Some other envelope.
    let other = |map: &mut Map| field(map, "signer").clone();
    let number =
        |number: i128| move |map: &mut Map| *field(inner(map, "body"), "number") = Ipld::Integer(number);
    let set = |name: &'static str, value: Ipld| move |map: &mut Map| *field(map, name) = value.clone();
    let subject = Ipld::String("0192f5a0-5b1e-7c3a-8f00-0123456789ab".into());
    let changes: [(&str, &str, Change); 12] = [
        ("a link too few", "checkpoint-links", Box::new(|map| drop(links(map).pop()))),
        (
            "a link too many",
            "checkpoint-links",
            Box::new(move |map| {
                let other = other(map);
                links(map).push(other);
            }),
        ),
        (
            "a first link that is not the previous one",
            "checkpoint-links",
            Box::new(move |map| links(map)[0] = other(map)),
        ),
        ("a number that calls for fewer links", "checkpoint-links", Box::new(number(15))),
        ("a number that calls for more", "checkpoint-links", Box::new(number(256))),
        ("checkpoint 0 with a previous one", "previous-not-allowed", Box::new(number(0))),
        ("checkpoint 17 without a previous one", "previous-missing", Box::new(set("previous", Ipld::Null))),
        ("no signer", "signer-missing", Box::new(set("signer", Ipld::Null))),
        ("a subject", "subject-not-allowed", Box::new(set("subject", subject))),
        ("nothing sealed", "sealed-roles", Box::new(set("sealed", Ipld::List(Vec::new())))),
        ("no note", "field-type", Box::new(|map| *field(inner(map, "body"), "note") = Ipld::Null)),
        (
            "a body with more",
            "field-unknown",
            Box::new(|map| drop(inner(map, "body").insert("x".into(), Ipld::Null))),
        ),
    ];
    let bytes = last.encode().unwrap();
    let cases = changes.into_iter().map(|(what, reason, change)| {
        let Ok(Ipld::Map(mut map)) = strict::decode(&bytes) else { panic!("a statement is a map") };
        change(&mut map);
        let bytes = canonical::encode(&Ipld::Map(map));
        json!({ "what": what, "decoder": "statement", "reason": reason, "bytes": hex::encode(bytes) })
    });
    cases.collect()
}

fn proofs(stored: &Stored) -> Vec<Value> {
    let path = in_hex(&tree::prove_inclusion(stored, 39, 11).unwrap());
    let consistent = in_hex(&tree::prove_consistency(stored, 39, 7).unwrap());
    let mut cases = Vec::new();
    for (decoder, path, about) in [
        ("inclusion", path, json!({ "sequence": 11, "size": 39 })),
        ("consistency", consistent, json!({ "from": 7, "to": 39 })),
    ] {
        let mut add = |what: &str, path: Vec<String>, more: Value| {
            let mut case = json!({ "what": what, "decoder": decoder, "reason": "not-proved", "path": path });
            for (key, value) in about.as_object().unwrap().iter().chain(more.as_object().unwrap()) {
                case[key] = value.clone();
            }
            cases.push(case);
        };
        let swapped = [&path[1..2], &path[..1], &path[2..]].concat();
        add("without its first hash", path[1..].to_vec(), json!({}));
        add("without its last hash", path[..path.len() - 1].to_vec(), json!({}));
        add("with its first hash twice", [&path[..1], &path].concat(), json!({}));
        add("with a hash more", [&path, [hex::encode([0; 32])].as_slice()].concat(), json!({}));
        add("with two hashes swapped", swapped, json!({}));
        add("without any hash", Vec::new(), json!({}));
        let (name, less) = if decoder == "inclusion" { ("sequence", 10) } else { ("from", 6) };
        add("of what stands before", path.clone(), json!({ name: less }));
        let (name, less) = if decoder == "inclusion" { ("size", 38) } else { ("to", 38) };
        add("of a smaller tree", path, json!({ name: less }));
    }
    cases
}
