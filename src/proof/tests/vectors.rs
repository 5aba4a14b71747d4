//! tests/vectors/log.json: read, opened and made again; each invalid case gives exactly its reason.

use std::path::PathBuf;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use dta_crypto::{ContentKey, IdentityKeys, Secret};
use dta_protocol::checkpoint::{LogPart, skip_number};
use dta_protocol::sealed::{self, SealRequest};
use dta_protocol::{Body, Cid, Envelope, Identity, Plaintext as _, Role, Statement};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::tree::{Hash, check_consistency, check_inclusion};
use crate::{Leaf, Note, verifier_key};

struct Log {
    json: Value,
    keys: IdentityKeys,
    bob: Identity,
}

fn load() -> Log {
    let folder = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../tests/vectors");
    let json: Value = serde_json::from_slice(&std::fs::read(folder.join("log.json")).unwrap()).unwrap();
    let seed: [u8; 32] = bytes(&json["identity"]["seed"]).try_into().unwrap();
    let bob = Identity::decode(&bytes(&json["identity"]["block"])).unwrap();
    Log { keys: IdentityKeys::from_seed(&Secret::from_bytes(seed)), bob, json }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(text(value)).unwrap()
}

fn hash(value: &Value) -> Hash {
    bytes(value).try_into().unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn cids(value: &Value) -> Vec<Cid> {
    list(value).iter().map(|cid| text(cid).parse().unwrap()).collect()
}

impl Log {
    fn root(&self, size: &Value) -> Hash {
        hash(&self.json["roots"][size.as_u64().unwrap() as usize])
    }

    fn leaf(&self, n: &Value) -> Hash {
        hash(&self.json["leaves"][n.as_u64().unwrap() as usize]["hash"])
    }

    /// Whether a proof holds.
    fn proves(&self, decoder: &str, proof: &Value) -> bool {
        let path: Vec<Hash> = list(&proof["path"]).iter().map(hash).collect();
        let number = |name: &str| proof[name].as_u64().unwrap();
        match decoder {
            "inclusion" => {
                let (n, size) = (number("sequence"), number("size"));
                check_inclusion(&path, size, self.root(&proof["size"]), n, self.leaf(&proof["sequence"]))
                    .is_ok()
            }
            _ => {
                let (from, to) = (&proof["from"], &proof["to"]);
                check_consistency(&path, number("to"), self.root(to), number("from"), self.root(from)).is_ok()
            }
        }
    }
}

#[test]
fn the_log_is_read_and_made_again() {
    let log = load();
    let mut tree: MemoryBackedTree<Sha256, Vec<u8>> = MemoryBackedTree::new();
    for (leaf, root) in list(&log.json["leaves"]).iter().zip(&list(&log.json["roots"])[1..]) {
        let read = Leaf::decode(&bytes(&leaf["leaf"])).unwrap();
        assert_eq!(Some(read.sequence), leaf["sequence"].as_u64());
        assert_eq!(read.record, <[u8; 32]>::from(Sha256::digest(bytes(&leaf["record"]))));
        assert!(read.brought(&hash(&leaf["blind"]), &cids(&leaf["envelopes"])));
        assert_eq!((read.encode(), read.hash()), (bytes(&leaf["leaf"]), hash(&leaf["hash"])));
        tree.push(bytes(&leaf["leaf"]));
        assert_eq!(tree.root().as_bytes().as_slice(), bytes(root));
    }
    for (decoder, least) in [("inclusion", 6), ("consistency", 6)] {
        let proofs = list(&log.json[decoder]);
        assert!(proofs.len() >= least && proofs.iter().all(|proof| log.proves(decoder, proof)));
    }
    let note = Note::verify(text(&log.json["note"]), &log.bob).unwrap();
    assert_eq!((note.size(), note.root()), (7, log.root(&7.into())));
    assert_eq!(verifier_key(&note.origin(), &log.bob), text(&log.json["verifier_key"]));
}

#[test]
fn checkpoints_are_a_chain_that_only_their_node_opens() {
    let log = load();
    let me = (log.bob.cid(), log.bob.verifying());
    let mut all: Vec<Cid> = Vec::new();
    for json in list(&log.json["checkpoints"]) {
        let envelope = Envelope::decode(&bytes(&json["block"])).unwrap().verify(&log.bob).unwrap();
        let statement = envelope.statement();
        let Body::Checkpoint(body) = &statement.body else { panic!("a checkpoint") };
        assert_eq!((body.number, statement.previous), (all.len() as u64, all.last().copied()));
        assert_eq!(body.skip, cids(&json["skip"]));
        for (k, link) in body.skip.iter().enumerate() {
            assert_eq!(*link, all[skip_number(body.number, k).unwrap() as usize]);
        }
        let note = Note::verify(&body.note, &log.bob).unwrap();
        assert_eq!(note.root(), log.root(&note.size().into()));
        let request = SealRequest::of(statement, Role::Log).unwrap();
        assert_eq!(request.aad(), bytes(&json["associated_data"]));
        let (descriptor, block) = (statement.sealed_for(Role::Log).unwrap(), bytes(&json["body"]));
        let (key, plaintext) = sealed::open(&log.keys, &me.0, &request, descriptor, &block).unwrap();
        assert_eq!(
            (key.expose().as_slice(), plaintext.expose()),
            (&*bytes(&json["content_key"]), &*bytes(&json["plaintext"]))
        );
        sealed::check_recipients(&key, &me.0, &[me], descriptor).unwrap();
        let again =
            sealed::seal(&request, plaintext.expose(), ContentKey::from_bytes(*key.expose()), &[me]).unwrap();
        assert_eq!((again.descriptor, again.block), (descriptor.clone(), block));
        let part = LogPart::decode(plaintext.expose()).ok().unwrap();
        assert_eq!(part.records.len(), 2);
        all.push(envelope.cid());
    }
    assert_eq!(all.len(), 18);
}

#[test]
fn each_invalid_case_gives_exactly_its_reason() {
    let log = load();
    let cases = list(&log.json["invalid"]);
    for case in cases {
        let reason = match text(&case["decoder"]) {
            "note" => Note::verify(text(&case["note"]), &log.bob).err().map(|error| error.code()),
            "statement" => Statement::decode(&bytes(&case["bytes"])).err().map(|error| error.code()),
            proof => (!log.proves(proof, case)).then_some("not-proved"),
        };
        assert_eq!(reason, case["reason"].as_str(), "{}", case["what"]);
    }
    assert!(cases.len() > 40);
}
