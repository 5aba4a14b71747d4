//! The invalid vectors: each a valid one with one thing wrong, and the name of the error it must give.

use std::collections::BTreeMap;

use dta_protocol::{Body, Cid, Codec, Envelope, IdentityBody, Kind, Statement, canonical, car, strict};
use ipld_core::ipld::Ipld;
use serde_json::{Value, json};

use crate::story::Story;

type Map = BTreeMap<String, Ipld>;

/// Every invalid vector. `file` is the CAR of the order.
pub fn all(story: &Story, file: &[u8]) -> Vec<Value> {
    let mut cases = Cases { bases: bases(story, file), list: vec![] };
    cbor(&mut cases);
    cids(&mut cases);
    statements(&mut cases);
    descriptors(&mut cases);
    envelopes(&mut cases);
    identities(&mut cases, story);
    orders(&mut cases);
    releases(&mut cases);
    sealed(&mut cases);
    cars(&mut cases);
    cases.list
}

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

struct Cases {
    bases: BTreeMap<String, Vec<u8>>,
    list: Vec<Value>,
}

impl Cases {
    fn add(&mut self, decoder: &str, what: &str, bytes: &[u8], reason: &str) {
        let name = format!("{decoder}/{:03}", self.list.len());
        self.list.push(json!({
            "name": name, "what": what, "decoder": decoder, "bytes": hex::encode(bytes), "reason": reason,
        }));
    }

    /// As a base with one stretch of bytes replaced.
    fn splice(&mut self, base: &str, what: &str, bytes: &[u8], reason: &str) {
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
    fn edit(&mut self, base: &str, what: &str, reason: &str, field: &str, change: impl FnOnce(&mut Map)) {
        let Ipld::Map(mut map) = strict::decode(&self.bases[base]).unwrap() else { panic!("a map") };
        change(&mut map);
        self.splice(base, what, &canonical::encode(&Ipld::Map(map)), reason);
        if !field.is_empty() {
            self.list.last_mut().unwrap()["field"] = field.into();
        }
    }

    fn bytes(&self, base: &str) -> Vec<u8> {
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

fn set(map: &mut Map, field: &str, value: Ipld) {
    assert!(map.insert(field.into(), value).is_some(), "{field} is there");
}

fn text(text: &str) -> Ipld {
    Ipld::String(text.into())
}

fn int(value: i128) -> Ipld {
    Ipld::Integer(value)
}

fn link(codec: Codec) -> Ipld {
    let cid = Cid::of(codec, b"somewhere");
    Ipld::Link(ipld_core::cid::Cid::try_from(&cid.to_bytes()[..]).unwrap())
}

fn inner<'a>(map: &'a mut Map, field: &str) -> &'a mut Map {
    match map.get_mut(field) {
        Some(Ipld::Map(inner)) => inner,
        _ => panic!("{field} is a map"),
    }
}

fn items<'a>(map: &'a mut Map, field: &str) -> &'a mut Vec<Ipld> {
    match map.get_mut(field) {
        Some(Ipld::List(items)) => items,
        _ => panic!("{field} is a list"),
    }
}

fn descriptor(map: &mut Map, at: usize) -> &mut Map {
    match &mut items(map, "sealed")[at] {
        Ipld::Map(descriptor) => descriptor,
        _ => panic!("a descriptor is a map"),
    }
}

fn cbor(cases: &mut Cases) {
    let nil = "00".repeat(32);
    for (what, bytes, reason) in [
        ("nothing at all", "", "cbor-truncated"),
        ("text ends early", "6261", "cbor-truncated"),
        ("a list of 2^64 - 1 items", "9bffffffffffffffff", "cbor-truncated"),
        ("a second item", "a000", "cbor-trailing-bytes"),
        ("23 in two bytes", "1817", "cbor-not-minimal"),
        ("a length in nine bytes", "5b0000000000000000", "cbor-not-minimal"),
        ("the link tag in three bytes", "d9002a40", "cbor-not-minimal"),
        ("bytes of indefinite length", "5f4100ff", "cbor-indefinite-length"),
        ("a list of indefinite length", "9fff", "cbor-indefinite-length"),
        ("a map of indefinite length", "bfff", "cbor-indefinite-length"),
        ("additional information 28", "1c", "cbor-reserved-head"),
        ("keys that fall by bytes", "a2616200616100", "cbor-unsorted-keys"),
        ("keys that fall by length", "a262616100616200", "cbor-unsorted-keys"),
        ("a key twice", "a2616100616101", "cbor-duplicate-key"),
        ("an integer as key", "a10000", "cbor-key-not-text"),
        ("bytes as key", "a1416100", "cbor-key-not-text"),
        ("a half float", "f93c00", "cbor-float"),
        ("a double", "fb3ff0000000000000", "cbor-float"),
        ("not a number", "f97e00", "cbor-float"),
        ("undefined", "f7", "cbor-simple-value"),
        ("simple value 32", "f820", "cbor-simple-value"),
        ("-1", "20", "cbor-negative-integer"),
        ("2^53", "1b0020000000000000", "cbor-integer-too-large"),
        ("a big number", "c24101", "cbor-unknown-tag"),
        ("a date", "c06161", "cbor-unknown-tag"),
        ("a link that is text", "d82a6161", "cbor-invalid-link"),
        ("a link to nothing", "d82a4100", "cbor-invalid-link"),
        ("an identity hash", "d82a450001550000", "cbor-invalid-link"),
        ("text that is not UTF-8", "62c080", "cbor-invalid-utf8"),
        ("nine lists inside each other", "818181818181818180", "cbor-too-deep"),
    ] {
        cases.add("cbor", what, &hex::decode(bytes).unwrap(), reason);
    }
    for (what, head) in [
        ("a link without its zero byte", "d82a58250101711220"),
        ("a link to a dag-pb block", "d82a58250001701220"),
        ("a link by SHA2-512", "d82a58250001711320"),
        ("a link by CIDv0", "d82a5823001220"),
    ] {
        cases.add("cbor", what, &hex::decode(format!("{head}{nil}")).unwrap(), "cbor-invalid-link");
    }
}

fn cids(cases: &mut Cases) {
    let good = Cid::of(Codec::Raw, b"a block");
    let bytes = good.to_bytes();
    let edited = |at: usize, to: u8| {
        let mut bytes = bytes;
        bytes[at] = to;
        bytes
    };
    cases.add("cid", "35 bytes", &bytes[..35], "cid-length");
    cases.add("cid", "with the zero byte of a link", &[&[0], &bytes[..]].concat(), "cid-length");
    cases.add("cid", "version 2", &edited(0, 2), "cid-version");
    cases.add("cid", "codec dag-json", &edited(1, 0x29), "cid-codec");
    cases.add("cid", "hash blake2b", &edited(2, 0x20), "cid-hash");
    cases.add("cid", "31 bytes of digest", &edited(3, 31), "cid-hash");
    let name = good.to_string();
    cases.add("cid-text", "upper case", name.to_uppercase().as_bytes(), "cid-text");
    cases.add("cid-text", "a path", format!("/ipfs/{name}").as_bytes(), "cid-text");
    cases.add("cid-text", "without the prefix b", &name.as_bytes()[1..], "cid-text");
    let v0 = b"QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG";
    cases.add("cid-text", "CIDv0", v0, "cid-length");
}

fn statements(cases: &mut Cases) {
    let (committed, placed, identity) =
        ("statement:order/committed", "statement:order/placed", "statement:identity");
    let mut edit =
        |base, what, reason, field, change: &dyn Fn(&mut Map)| cases.edit(base, what, reason, field, change);
    edit(committed, "version 2", "version-unsupported", "v", &|map| set(map, "v", int(2)));
    edit(committed, "version as text", "field-type", "v", &|map| set(map, "v", text("1")));
    edit(committed, "no version", "field-missing", "v", &|map| drop(map.remove("v")));
    edit(committed, "a key more", "field-unknown", "extra", &|map| {
        drop(map.insert("extra".into(), Ipld::Null))
    });
    edit(committed, "an unknown kind", "kind-unknown", "kind", &|map| {
        set(map, "kind", text("order/promised"))
    });
    edit(committed, "a kind in capitals", "kind-unknown", "kind", &|map| {
        set(map, "kind", text("Order/Committed"))
    });
    edit(committed, "no kind", "field-missing", "kind", &|map| drop(map.remove("kind")));
    edit(committed, "no signer", "signer-missing", "signer", &|map| set(map, "signer", Ipld::Null));
    edit(committed, "a signer that is a raw block", "field-type", "signer", &|map| {
        set(map, "signer", link(Codec::Raw))
    });
    edit(committed, "a signer as text", "field-type", "signer", &|map| set(map, "signer", text("bob")));
    edit(committed, "answers nothing", "previous-missing", "previous", &|map| {
        set(map, "previous", Ipld::Null)
    });
    edit(placed, "answers something", "previous-not-allowed", "previous", &|map| {
        set(map, "previous", link(Codec::DagCbor))
    });
    edit(committed, "no reference", "subject-invalid", "subject", &|map| set(map, "subject", text("")));
    for (what, subject) in [
        ("a UUIDv4", "0192f5a0-5b1e-4c3a-8f00-0123456789ab"),
        ("a UUIDv7 in capitals", "0192F5A0-5B1E-7C3A-8F00-0123456789AB"),
        ("a UUIDv7 of another variant", "0192f5a0-5b1e-7c3a-cf00-0123456789ab"),
        ("a UUIDv7 without hyphens", "0192f5a05b1e7c3a8f000123456789ab"),
    ] {
        edit(committed, what, "subject-invalid", "subject", &|map| set(map, "subject", text(subject)));
    }
    edit(committed, "a reference with braces", "field-limit", "subject", &|map| {
        set(map, "subject", text("{0192f5a0-5b1e-7c3a-8f00-0123456789ab}"));
    });
    edit(committed, "time as text", "field-type", "issued_at_ms", &|map| {
        set(map, "issued_at_ms", text("now"))
    });
    edit(committed, "time before 1970", "cbor-negative-integer", "", &|map| {
        set(map, "issued_at_ms", int(-1))
    });
    edit(committed, "time 2^53", "cbor-integer-too-large", "", &|map| set(map, "issued_at_ms", int(1 << 53)));
    edit(committed, "time as a float", "cbor-float", "", &|map| set(map, "issued_at_ms", Ipld::Float(1.0)));
    edit(committed, "no note", "field-missing", "note", &|map| drop(inner(map, "body").remove("note")));
    edit(committed, "a body with more", "field-unknown", "detail", &|map| {
        drop(inner(map, "body").insert("detail".into(), text("x")))
    });
    edit(committed, "a note of 4,097 bytes", "field-limit", "note", &|map| {
        set(inner(map, "body"), "note", text(&"n".repeat(4097)))
    });
    edit(committed, "a note as bytes", "field-type", "note", &|map| {
        set(inner(map, "body"), "note", Ipld::Bytes(vec![1]))
    });
    edit(committed, "a body that is null", "field-type", "body", &|map| set(map, "body", Ipld::Null));
    edit(identity, "an identity with a signer", "signer-not-allowed", "signer", &|map| {
        set(map, "signer", link(Codec::DagCbor))
    });
    edit(identity, "an identity that answers", "previous-not-allowed", "previous", &|map| {
        set(map, "previous", link(Codec::DagCbor))
    });
    edit(identity, "an identity with a subject", "subject-not-allowed", "subject", &|map| {
        set(map, "subject", text("x"))
    });
    let name = |to: &'static str| move |map: &mut Map| set(inner(map, "body"), "name", text(to));
    edit(identity, "no name", "field-value", "name", &name(""));
    edit(identity, "a name with a line break", "field-value", "name", &name("al\nice"));
    edit(identity, "a name with a right-to-left override", "field-value", "name", &name("al\u{202e}ice"));
    edit(identity, "a name with an isolate", "field-value", "name", &name("al\u{2068}ice"));
    edit(identity, "a name of 129 bytes", "field-limit", "name", &|map| {
        set(inner(map, "body"), "name", text(&"x".repeat(129)))
    });
    edit(identity, "a BLS key of 95 bytes", "field-length", "bls", &|map| {
        set(inner(map, "body"), "bls", Ipld::Bytes(vec![0; 95]))
    });
    edit(identity, "no Ed25519 proof", "field-missing", "ed25519_proof", &|map| {
        drop(inner(map, "body").remove("ed25519_proof"))
    });
    edit(identity, "supersedes a raw block", "field-type", "supersedes", &|map| {
        set(inner(map, "body"), "supersedes", link(Codec::Raw))
    });
    let not_a_map = canonical::encode(&Ipld::List(vec![]));
    cases.add("statement", "a list", &not_a_map, "field-type");
}

fn descriptors(cases: &mut Cases) {
    let (committed, requested) = ("statement:order/committed", "statement:order/redemption-requested");
    let mut edit =
        |base, what, reason, field, change: &dyn Fn(&mut Map)| cases.edit(base, what, reason, field, change);
    edit(committed, "nothing sealed", "sealed-roles", "sealed", &|map| items(map, "sealed").clear());
    edit(committed, "parties twice", "sealed-roles", "sealed", &|map| {
        let first = items(map, "sealed")[0].clone();
        items(map, "sealed").push(first);
    });
    edit(committed, "a role of another kind", "sealed-roles", "sealed", &|map| {
        items(descriptor(map, 0), "to").truncate(1);
        set(descriptor(map, 0), "role", text("beneficiary"));
    });
    edit(requested, "roles in another order", "sealed-roles", "sealed", &|map| {
        items(map, "sealed").reverse()
    });
    edit(requested, "for the beneficiary alone", "sealed-roles", "sealed", &|map| {
        drop(items(map, "sealed").remove(0))
    });
    edit(requested, "three sealed bodies", "field-limit", "sealed", &|map| {
        let last = items(map, "sealed")[1].clone();
        items(map, "sealed").push(last);
    });
    edit(requested, "two recipients of what is for one", "field-value", "to", &|map| {
        let others = items(descriptor(map, 0), "to")[..2].to_vec();
        *items(descriptor(map, 1), "to") = others;
    });
    edit(committed, "an unknown role", "field-value", "role", &|map| {
        set(descriptor(map, 0), "role", text("guardian"))
    });
    edit(committed, "suite 2", "field-value", "suite", &|map| set(descriptor(map, 0), "suite", int(2)));
    edit(committed, "a commitment of 31 bytes", "field-length", "commit", &|map| {
        set(descriptor(map, 0), "commit", Ipld::Bytes(vec![0; 31]))
    });
    edit(committed, "a body that is an envelope", "field-type", "cid", &|map| {
        set(descriptor(map, 0), "cid", link(Codec::DagCbor))
    });
    edit(committed, "no recipient", "field-value", "to", &|map| items(descriptor(map, 0), "to").clear());
    edit(committed, "recipients that fall", "field-value", "to", &|map| {
        items(descriptor(map, 0), "to").reverse()
    });
    edit(committed, "a recipient twice", "field-value", "to", &|map| {
        let to = items(descriptor(map, 0), "to");
        to[1] = to[0].clone();
    });
    edit(committed, "an entry of 1,167 bytes", "field-length", "to", &|map| {
        items(descriptor(map, 0), "to")[0] = Ipld::Bytes(vec![0; 1167]);
    });
    edit(committed, "five recipients", "field-limit", "to", &|map| {
        items(descriptor(map, 0), "to").extend(vec![Ipld::Bytes(vec![]); 3]);
    });
    edit(committed, "a descriptor with more", "field-unknown", "from", &|map| {
        drop(descriptor(map, 0).insert("from".into(), Ipld::Null));
    });
}

fn envelopes(cases: &mut Cases) {
    let base = "envelope:order/committed";
    let mut change = |what: &str, reason: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut block = cases.bytes(base);
        change(&mut block);
        cases.splice(base, what, &block, reason);
    };
    change("a map of three", "envelope-layout", &|block| block[0] = 0xa3);
    change("another first key", "envelope-layout", &|block| block[2] = b'S');
    change("a signature of 3,356 bytes", "envelope-layout", &|block| block[13] = 0x1c);
    change("another second key", "envelope-layout", &|block| block[3380] = b's');
    change("ends inside the signature", "envelope-layout", &|block| block.truncate(3000));
    change("ends after the second key", "cbor-truncated", &|block| block.truncate(3381));
    change("ends inside the statement", "cbor-truncated", &|block| block.truncate(block.len() - 1));
    change("a byte more", "cbor-trailing-bytes", &|block| block.push(0));
    change("a BLS signature with a bit changed", "signature-invalid", &|block| block[40] ^= 1);
    change("a BLS signature at infinity", "signature-invalid", &|block| {
        block[14..62].fill(0);
        block[14] = 0xc0;
    });
    change("an ML-DSA signature with a bit changed", "signature-invalid", &|block| block[1000] ^= 1);
    change("an ML-DSA signature of zeros", "signature-invalid", &|block| block[62..3371].fill(0));
    change("a time stamp changed after signing", "signature-invalid", &|block| {
        *block.last_mut().unwrap() ^= 1
    });
    let mut swapped = cases.bytes(base);
    let other = cases.bytes("envelope:order/released");
    swapped[14..62].copy_from_slice(&other[14..62]);
    cases.splice(base, "the BLS signature of the signer's next step", &swapped, "signature-invalid");
}

fn identities(cases: &mut Cases, story: &Story) {
    let base = "identity:alice";
    let statement = story.alice.identity.envelope().statement().clone();
    let Body::Identity(body) = &statement.body else { panic!("an identity") };
    let (mut cases_of, carol) = (vec![], &story.carol.identity.envelope().statement().body);
    let Body::Identity(carol) = carol else { panic!("an identity") };
    let mut signed = |what, reason, change: &dyn Fn(&mut IdentityBody)| {
        let mut body = body.clone();
        change(&mut body);
        let statement = Statement { body: Body::Identity(body), ..statement.clone() };
        let envelope = Envelope::sign(&statement, &story.alice.keys).unwrap();
        cases_of.push((what, envelope.block().to_vec(), reason));
    };
    signed("another's BLS proof", "identity-bls-proof", &|body| body.bls_proof = carol.bls_proof);
    signed("another's secp256k1 proof", "identity-secp256k1-proof", &|body| {
        body.secp256k1_proof = carol.secp256k1_proof
    });
    signed("another's Ed25519 proof", "identity-ed25519-proof", &|body| {
        body.ed25519_proof = carol.ed25519_proof
    });
    signed("a name that the proofs do not cover", "identity-secp256k1-proof", &|body| {
        body.name = "malice".into()
    });
    signed("another's KEM key", "identity-secp256k1-proof", &|body| body.keys.kem = carol.keys.kem.clone());
    for (what, block, reason) in cases_of {
        cases.splice(base, what, &block, reason);
    }
    // Keys are judged before signatures, so these need not be signed again.
    let mut key = |what: &str, field: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let Ipld::Map(mut map) = strict::decode(&cases.bytes("statement:identity")).unwrap() else {
            panic!("a map")
        };
        let Some(Ipld::Bytes(bytes)) = inner(&mut map, "body").get_mut(field) else { panic!("bytes") };
        change(bytes);
        let head = cases.bytes(base)[..3381].to_vec();
        let block = [head, canonical::encode(&Ipld::Map(map))].concat();
        cases.splice(base, what, &block, "identity-key-invalid");
    };
    key("a BLS key at infinity", "bls", &|bytes| {
        bytes.fill(0);
        bytes[0] = 0xc0;
    });
    key("a BLS key that is no point", "bls", &|bytes| bytes.fill(0xff));
    key("a KEM key with a zero X25519 half", "kem", &|bytes| bytes[1184..].fill(0));
    key("a KEM key with a coefficient of 4,095", "kem", &|bytes| bytes[..2].fill(0xff));
    key("a secp256k1 key off the curve", "secp256k1", &|bytes| bytes[1..].fill(0xff));
    key("an uncompressed prefix on a secp256k1 key", "secp256k1", &|bytes| bytes[0] = 4);
    key("an Ed25519 key of low order", "ed25519", &|bytes| {
        bytes.fill(0);
        bytes[0] = 1;
    });
    let mut signature = cases.bytes(base);
    signature[2000] ^= 1;
    cases.splice(base, "a signature with a bit changed", &signature, "signature-invalid");
    cases.add("identity", "a step", &cases.bytes("envelope:order/placed"), "identity-other-kind");
}

fn orders(cases: &mut Cases) {
    let (placed, committed) = ("plaintext:order/placed:parties", "plaintext:order/committed:parties");
    let mut edit =
        |base, what, reason, field, change: &dyn Fn(&mut Map)| cases.edit(base, what, reason, field, change);
    edit(placed, "another type", "field-value", "type", &|map| set(map, "type", text("safeguard_secret")));
    edit(placed, "no type", "field-missing", "type", &|map| drop(map.remove("type")));
    edit(placed, "coin 2", "field-limit", "coin", &|map| set(map, "coin", int(2)));
    edit(placed, "coin as text", "field-type", "coin", &|map| set(map, "coin", text("0")));
    edit(placed, "no plugin", "field-value", "plugin", &|map| set(map, "plugin", text("")));
    edit(placed, "a plugin's name of 129 bytes", "field-limit", "plugin", &|map| {
        set(map, "plugin", text(&"p".repeat(129)))
    });
    edit(placed, "a reference that is no UUIDv7", "field-value", "reference", &|map| {
        set(map, "reference", text("order 1"))
    });
    edit(placed, "no fiduciary", "field-type", "fiduciary", &|map| set(map, "fiduciary", Ipld::Null));
    edit(placed, "a fiduciary that is a raw block", "field-type", "fiduciary", &|map| {
        set(map, "fiduciary", link(Codec::Raw))
    });
    edit(placed, "a beneficiary as text", "field-type", "beneficiary", &|map| {
        set(map, "beneficiary", text("carol"))
    });
    edit(placed, "a policy without expiry", "field-missing", "expires_at_ms", &|map| {
        drop(inner(map, "policy").remove("expires_at_ms"))
    });
    edit(placed, "a policy with more", "field-unknown", "quorum", &|map| {
        drop(inner(map, "policy").insert("quorum".into(), int(2)))
    });
    edit(placed, "a guardian as text", "field-type", "guardian", &|map| {
        set(inner(map, "policy"), "guardian", text("dave"))
    });
    edit(placed, "seventeen approvers", "field-limit", "approvers", &|map| {
        set(inner(map, "policy"), "approvers", Ipld::List(vec![Ipld::Null; 17]));
    });
    edit(placed, "an extension of integers", "field-type", "extension", &|map| {
        set(inner(map, "extension"), "coin", int(0))
    });
    edit(placed, "an extension of 65 entries", "field-limit", "extension", &|map| {
        let entries = (0..65).map(|n| (n.to_string(), text(""))).collect();
        set(map, "extension", Ipld::Map(entries));
    });
    edit(placed, "an extension of 16,385 bytes", "field-limit", "extension", &|map| {
        let entries = BTreeMap::from([("k".into(), text(&"v".repeat(16_384)))]);
        set(map, "extension", Ipld::Map(entries));
    });
    edit(placed, "four notes seen", "field-limit", "seen", &|map| {
        set(map, "seen", Ipld::List(vec![text("note"); 4]))
    });
    edit(placed, "a seen note of 4,097 bytes", "field-limit", "seen", &|map| {
        set(map, "seen", Ipld::List(vec![text(&"n".repeat(4097))]));
    });
    edit(placed, "nothing about notes", "field-missing", "seen", &|map| drop(map.remove("seen")));
    edit(committed, "a compressed commitment", "field-length", "commitment", &|map| {
        set(map, "commitment", Ipld::Bytes(vec![2; 33]))
    });
    edit(committed, "a commitment in hybrid form", "field-value", "commitment", &|map| {
        let Some(Ipld::Bytes(point)) = map.get_mut("commitment") else { panic!("bytes") };
        point[0] = 6 | (point[64] & 1);
    });
    edit(committed, "a commitment off the curve", "field-value", "commitment", &|map| {
        let Some(Ipld::Bytes(point)) = map.get_mut("commitment") else { panic!("bytes") };
        point[64] ^= 1;
    });
    edit(committed, "a proof of 63 bytes", "field-length", "proof", &|map| {
        set(map, "proof", Ipld::Bytes(vec![1; 63]))
    });
    edit(committed, "no proof", "field-type", "proof", &|map| set(map, "proof", Ipld::Null));
}

fn releases(cases: &mut Cases) {
    let requested = "plaintext:order/redemption-requested:parties";
    let (released, secret) = ("plaintext:order/released:parties", "plaintext:order/released:secret");
    let (received, disputed) = ("plaintext:order/received:parties", "plaintext:order/disputed:parties");
    let (closed, cancelling) =
        ("plaintext:order/closed:parties", "plaintext:order/cancellation-requested:parties");
    let data = "plaintext:order/redemption-requested:beneficiary";
    let mut edit =
        |base, what, reason, field, change: &dyn Fn(&mut Map)| cases.edit(base, what, reason, field, change);
    let other = |codec| Cid::of(codec, b"another body").to_string();
    let more = |map: &mut Map, cid: String| drop(inner(map, "keys").insert(cid, Ipld::Bytes(vec![0; 32])));
    edit(requested, "no beneficiary", "field-type", "beneficiary", &|map| {
        set(map, "beneficiary", Ipld::Null)
    });
    edit(requested, "one key", "field-value", "keys", &|map| drop(inner(map, "keys").pop_first()));
    edit(requested, "three keys", "field-limit", "keys", &|map| more(map, other(Codec::Raw)));
    edit(requested, "a key of an envelope", "field-value", "keys", &|map| {
        inner(map, "keys").pop_first();
        more(map, other(Codec::DagCbor));
    });
    edit(requested, "a key by a CID in capitals", "field-value", "keys", &|map| {
        inner(map, "keys").pop_first();
        more(map, other(Codec::Raw).to_uppercase());
    });
    edit(requested, "a key of 31 bytes", "field-length", "keys", &|map| {
        *inner(map, "keys").values_mut().next().unwrap() = Ipld::Bytes(vec![0; 31]);
    });
    edit(data, "notes where there are none", "field-unknown", "seen", &|map| {
        drop(map.insert("seen".into(), Ipld::List(vec![])))
    });
    edit(released, "the secret itself", "field-type", "secret", &|map| {
        set(map, "secret", Ipld::Bytes(vec![0; 32]))
    });
    edit(released, "a secret for the parties", "field-value", "secret", &|map| {
        set(inner(map, "secret"), "role", text("parties"))
    });
    edit(released, "a secret for two", "field-value", "to", &|map| {
        items(inner(map, "secret"), "to").insert(0, Ipld::Bytes(vec![0; 1168]));
    });
    edit(secret, "a secret of 31 bytes", "field-length", "secret", &|map| {
        set(map, "secret", Ipld::Bytes(vec![1; 31]))
    });
    edit(secret, "a secret as text", "field-type", "secret", &|map| set(map, "secret", text("secret")));
    edit(secret, "of no order", "field-missing", "placed", &|map| drop(map.remove("placed")));
    edit(received, "no proof", "field-missing", "proof", &|map| drop(map.remove("proof")));
    edit(disputed, "an unknown code", "field-value", "code", &|map| set(map, "code", text("late")));
    edit(disputed, "a wrong secret without its key", "field-value", "content_key", &|map| {
        set(map, "content_key", Ipld::Null)
    });
    edit(disputed, "a key of 16 bytes", "field-length", "content_key", &|map| {
        set(map, "content_key", Ipld::Bytes(vec![0; 16]))
    });
    edit(closed, "an unknown code", "field-value", "code", &|map| set(map, "code", text("refused")));
    edit(closed, "no detail", "field-type", "detail", &|map| set(map, "detail", Ipld::Null));
    edit(cancelling, "a detail of 1,025 bytes", "field-limit", "detail", &|map| {
        set(map, "detail", text(&"d".repeat(1025)))
    });
}

fn sealed(cases: &mut Cases) {
    let mut block = cases.bytes("block:order/committed:parties");
    block[0] ^= 1;
    cases.splice(
        "block:order/committed:parties",
        "a ciphertext with a bit changed",
        &block,
        "sealed-other-block",
    );
    let mut key = cases.bytes("key:order/committed:parties");
    key[31] ^= 1;
    cases.splice("key:order/committed:parties", "another content key", &key, "sealed-cannot-open");
    for (what, body, prescribed) in [
        ("one recipient more than prescribed", "order/committed:parties", &["alice"][..]),
        ("one recipient fewer than prescribed", "order/committed:parties", &["alice", "bob", "carol"]),
        ("another recipient than prescribed", "order/released:secret", &["alice"]),
    ] {
        let name = format!("recipients:{body}/{:03}", cases.list.len());
        cases.list.push(json!({
            "name": name, "what": what, "decoder": format!("recipients:{body}"), "prescribed": prescribed,
            "bytes": "", "reason": "sealed-other-recipients",
        }));
    }
}

fn cars(cases: &mut Cases) {
    let (root, other) = (Cid::of(Codec::DagCbor, b"root"), Cid::of(Codec::Raw, b"other"));
    let good = car::encode(root, [(root, &b"root"[..]), (other, b"other")]).unwrap();
    let (header, sections) = good.split_at(59);
    let (first, second) = sections.split_at(41);
    let link = |cid: &Cid| Ipld::Link(ipld_core::cid::Cid::try_from(&cid.to_bytes()[..]).unwrap());
    let headed = |roots: Vec<Ipld>, version: i128| {
        let map = Map::from([("roots".into(), Ipld::List(roots)), ("version".into(), int(version))]);
        let header = canonical::encode(&Ipld::Map(map));
        [&[header.len() as u8][..], &header, sections].concat()
    };
    let mut add = |what: &str, bytes: &[u8], reason: &str| cases.add("car", what, bytes, reason);
    add("nothing at all", b"", "car-truncated");
    add("version 2", &headed(vec![link(&root)], 2), "car-version");
    add("no root", &headed(vec![], 1), "car-roots");
    add("two roots", &headed(vec![link(&root), link(&root)], 1), "car-roots");
    add("a root that is a sealed body", &headed(vec![link(&other)], 1), "field-type");
    add("a root that is text", &headed(vec![text("root")], 1), "field-type");
    add("a header that is not a map", b"\x01\x80", "field-type");
    add("a header without a length", &good[1..], "car-truncated");
    add("a header of length 0", &[&[0], &good[..]].concat(), "cbor-truncated");
    add("ends inside the header", &good[..30], "car-truncated");
    add("ends inside a block", &good[..good.len() - 1], "car-truncated");
    add("ends inside a length", &[&good[..], &[0x80]].concat(), "car-truncated");
    add("a length in two bytes that fits one", &[header, &[0xa8, 0], &first[1..]].concat(), "car-varint");
    add("a length of 2^28", &[header, &[0x80, 0x80, 0x80, 0x80, 1]].concat(), "car-varint");
    add("a section shorter than a CID", &[&good[..], &[1, 1]].concat(), "cid-length");
    add("a block by CIDv0", &[&good[..], &[36, 0x12, 0x20], &[0; 34]].concat(), "cid-version");
    add("a block twice", &[&good[..], first].concat(), "car-duplicate-block");
    add("the root is not there", &[header, second].concat(), "car-root-missing");
    add("no blocks", header, "car-root-missing");
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    add("a block with a bit changed", &changed, "car-other-block");
    let cut = cases.bytes("car")[..10_000].to_vec();
    cases.splice("car", "the order's file, cut", &cut, "car-truncated");
}
