//! Invalid DAG-CBOR, CIDs and CAR files.

use dta_protocol::{Cid, Codec, canonical, car};
use ipld_core::ipld::Ipld;

use crate::cases::{Cases, Map, int, text};

pub fn cbor(cases: &mut Cases) {
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

pub fn cids(cases: &mut Cases) {
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

pub fn cars(cases: &mut Cases) {
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
