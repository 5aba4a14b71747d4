//! Valid inputs: the order of tests/vectors, in all its parts.

use std::sync::LazyLock;

use dta_protocol::{BlockPage, Body, Cid, Codec, DeliveryPage, Envelope, Identity, Place};
use serde_json::Value;

static PROTOCOL: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../tests/vectors/protocol.json")).unwrap());

static LOG: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../tests/vectors/log.json")).unwrap());

/// Whose log the notes are of.
pub fn log_owner() -> Vec<u8> {
    bytes(&LOG["identity"]["block"])
}

pub fn leaves() -> Vec<Vec<u8>> {
    list(&LOG, "leaves").map(|leaf| bytes(&leaf["leaf"])).collect()
}

pub fn notes() -> Vec<Vec<u8>> {
    let checkpoints =
        checkpoints().into_iter().map(|block| match &Envelope::decode(&block).unwrap().statement().body {
            Body::Checkpoint(body) => body.note.clone().into_bytes(),
            _ => panic!("a checkpoint"),
        });
    checkpoints.chain([LOG["note"].as_str().unwrap().as_bytes().to_vec()]).collect()
}

pub fn tile_paths() -> Vec<Vec<u8>> {
    ["0/000", "1/x001/234.p/7", "entries/x001/x000/999.p/255"].map(|path| path.as_bytes().to_vec()).into()
}

pub fn log_proofs() -> Vec<Vec<u8>> {
    let number = |value: &Value| value.as_u64().unwrap().to_be_bytes().to_vec();
    let proof = |size: &Value, n: &Value, leaf: &Value, proof: &Value| {
        let path = list(proof, "path").flat_map(bytes);
        let root = bytes(&LOG["roots"][size.as_u64().unwrap() as usize]);
        [number(size), number(n), root, bytes(leaf), path.collect()].concat()
    };
    let at = |list: &str, n: &Value| &LOG[list][n.as_u64().unwrap() as usize];
    let inclusion = list(&LOG, "inclusion")
        .map(|one| proof(&one["size"], &one["sequence"], &at("leaves", &one["sequence"])["hash"], one));
    let consistency =
        list(&LOG, "consistency").map(|one| proof(&one["to"], &one["from"], at("roots", &one["from"]), one));
    inclusion.chain(consistency).collect()
}

fn checkpoints() -> Vec<Vec<u8>> {
    list(&LOG, "checkpoints").map(|one| bytes(&one["block"])).collect()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value[field].as_array().unwrap().iter()
}

fn steps() -> impl Iterator<Item = &'static Value> {
    list(&PROTOCOL, "steps")
}

fn bodies() -> impl Iterator<Item = &'static Value> {
    steps().flat_map(|step| list(step, "sealed")).chain([&PROTOCOL["secret"]])
}

pub fn identities() -> Vec<Vec<u8>> {
    list(&PROTOCOL, "identities").map(|one| bytes(&one["block"])).collect()
}

pub fn seeds() -> Vec<[u8; 32]> {
    list(&PROTOCOL, "identities").map(|one| bytes(&one["seed"]).try_into().unwrap()).collect()
}

pub fn envelopes() -> Vec<Vec<u8>> {
    steps().map(|step| bytes(&step["block"])).chain(identities()).chain(checkpoints()).collect()
}

pub fn statements() -> Vec<Vec<u8>> {
    let statement = |block: Vec<u8>| Envelope::decode(&block).unwrap().statement_bytes().to_vec();
    envelopes().into_iter().map(statement).collect()
}

pub fn plaintexts() -> Vec<Vec<u8>> {
    let parts = list(&LOG, "checkpoints").map(|one| bytes(&one["plaintext"]));
    bodies().map(|body| bytes(&body["plaintext"])).chain(parts).collect()
}

pub fn cbor() -> Vec<Vec<u8>> {
    let aads = bodies().map(|body| bytes(&body["associated_data"]));
    plaintexts().into_iter().chain(statements()).chain(aads).collect()
}

pub fn cids() -> Vec<Vec<u8>> {
    [Codec::Raw, Codec::DagCbor].map(|codec| Cid::of(codec, b"a block").to_bytes().to_vec()).into()
}

pub fn cid_texts() -> Vec<Vec<u8>> {
    let named = |text: &str| text.as_bytes().to_vec();
    let ours = [Codec::Raw, Codec::DagCbor].map(|codec| Cid::of(codec, b"a block").to_string());
    let theirs = [
        "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG",
        "/ipfs/bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e",
    ];
    ours.iter().map(|text| named(text)).chain(theirs.map(named)).collect()
}

pub fn keys() -> Vec<Vec<u8>> {
    let side_by_side = |block: &Vec<u8>| {
        let identity = Identity::decode(block).unwrap();
        let keys = identity.public();
        let parts: [&[u8]; 5] =
            [&keys.bls, keys.ml_dsa.as_slice(), keys.kem.as_slice(), &keys.secp256k1, &keys.ed25519];
        [&parts.concat()[..], &block[14..3_371]].concat()
    };
    identities().iter().map(side_by_side).collect()
}

/// Statement and block of each step's first body.
pub fn sealed() -> Vec<Vec<u8>> {
    let joined = steps().map(|step| {
        let statement = Envelope::decode(&bytes(&step["block"])).unwrap().statement_bytes().to_vec();
        let length = u16::try_from(statement.len()).unwrap().to_be_bytes();
        [&length[..], &statement, &bytes(&list(step, "sealed").next().unwrap()["block"])].concat()
    });
    joined.collect()
}

pub fn cars() -> Vec<Vec<u8>> {
    let small = [&b"root"[..], b"", &[7; 200]].map(|block| (Cid::of(Codec::DagCbor, block), block));
    let small = dta_protocol::car::encode(small[0].0, small).unwrap();
    vec![include_bytes!("../tests/vectors/order.car").to_vec(), small]
}

pub fn pages() -> Vec<Vec<u8>> {
    let (party, head) = (Cid::of(Codec::DagCbor, b"carol"), Cid::of(Codec::DagCbor, b"released"));
    let page = |step, next| DeliveryPage { step, next }.encode();
    vec![page(None, 0), page(Some((party, head)), 7), page(Some((party, head)), (1 << 53) - 1)]
}

pub fn block_pages() -> Vec<Vec<u8>> {
    let block = |n: u64| {
        let place = Place { sequence: n / 3, n: (n % 3) as u32 };
        (place, Cid::of(if n.is_multiple_of(2) { Codec::Raw } else { Codec::DagCbor }, &n.to_be_bytes()))
    };
    let page = |blocks: u64, more| BlockPage { blocks: (0..blocks).map(block).collect(), more }.encode();
    vec![page(0, false), page(1, true), page(5, false), page(63, true)]
}
