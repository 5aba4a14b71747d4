//! Strict DAG-CBOR: each violation by its name, and for everything canonical the library as the oracle.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use dta_protocol::{CborError, Cid, Codec, canonical, strict};
use ipld_core::ipld::Ipld;
use proptest::prelude::*;

fn refused(hex_bytes: &str) -> Result<(), CborError> {
    strict::decode(&hex::decode(hex_bytes.replace(' ', "")).unwrap()).map(|_| ())
}

#[test]
fn each_violation_has_its_name() {
    use CborError::*;
    let link = |prefix: &str| format!("{prefix}{}", "00".repeat(32));
    let raw = link("d82a5825 00 01551220");
    assert_eq!(refused(&raw), Ok(()));
    let cases = [
        ("", Truncated),
        ("18", Truncated),
        ("19 01", Truncated),
        ("42 00", Truncated),
        ("62 61", Truncated),
        ("81", Truncated),
        ("a1 61 61", Truncated),
        ("9a ffffffff", Truncated),
        ("bb ffffffffffffffff", Truncated),
        ("5b ffffffffffffffff", Truncated),
        ("d82a", Truncated),
        ("00 00", TrailingBytes),
        ("a0 f6", TrailingBytes),
        ("18 17", NotMinimal),
        ("19 00ff", NotMinimal),
        ("1a 0000ffff", NotMinimal),
        ("1b 00000000ffffffff", NotMinimal),
        ("58 01 00", NotMinimal),
        ("78 01 61", NotMinimal),
        ("98 00", NotMinimal),
        ("b8 00", NotMinimal),
        ("d9 002a 40", NotMinimal),
        ("5f 41 00 ff", IndefiniteLength),
        ("7f 61 61 ff", IndefiniteLength),
        ("9f ff", IndefiniteLength),
        ("bf ff", IndefiniteLength),
        ("ff", IndefiniteLength),
        ("a1 7f 61 61 ff 00", IndefiniteLength),
        ("1c", ReservedHead),
        ("1f", ReservedHead),
        ("3f", ReservedHead),
        ("df", ReservedHead),
        ("fc", ReservedHead),
        ("a2 61 62 00 61 61 00", UnsortedKeys),
        ("a2 62 61 61 00 61 62 00", UnsortedKeys),
        ("a2 61 61 00 60 00", UnsortedKeys),
        ("a2 61 61 00 61 61 01", DuplicateKey),
        ("a2 60 00 60 00", DuplicateKey),
        ("a1 00 00", KeyNotText),
        ("a1 41 61 00", KeyNotText),
        ("a1 80 00", KeyNotText),
        ("f9 0000", Float),
        ("f9 7e00", Float),
        ("fa 3f800000", Float),
        ("fb 3ff0000000000000", Float),
        ("fb 7ff8000000000000", Float),
        ("f7", SimpleValue),
        ("e0", SimpleValue),
        ("f8 20", SimpleValue),
        ("f8 15", SimpleValue),
        ("20", NegativeInteger),
        ("3b ffffffffffffffff", NegativeInteger),
        ("1b 0020000000000000", IntegerTooLarge),
        ("1b ffffffffffffffff", IntegerTooLarge),
        ("c0 60", UnknownTag),
        ("c2 41 01", UnknownTag),
        ("d82b 40", UnknownTag),
        ("d82a 60", InvalidLink),
        ("d82a 40", InvalidLink),
        ("d82a d82a 40", InvalidLink),
        ("61 ff", InvalidUtf8),
        ("62 c0 80", InvalidUtf8),
        ("63 ed a0 80", InvalidUtf8),
        ("a1 61 ff 00", InvalidUtf8),
        ("81 81 81 81 81 81 81 81 80", TooDeep),
        ("81 81 81 81 81 81 81 a1 61 61 80", TooDeep),
    ];
    for (bytes, error) in cases {
        assert_eq!(refused(bytes), Err(error), "{bytes}");
    }
    let links = [
        link("d82a5825 01 01551220"),
        link("d82a5825 00 02551220"),
        link("d82a5825 00 01701220"),
        link("d82a5825 00 01551420"),
        link("d82a5825 00 0155121f"),
        link("d82a5826 00 01551220") + "00",
        format!("d82a5824 00 01551220{}", "00".repeat(31)),
        // An identity hash, and a CIDv0.
        "d82a 45 00 01550000".into(),
        format!("d82a5823 00 1220{}", "00".repeat(32)),
    ];
    for bytes in links {
        assert_eq!(refused(&bytes), Err(InvalidLink), "{bytes}");
    }
    assert_eq!(refused(&link("d82a5925 00 01551220")), Err(Truncated));
    assert_eq!(refused(&link("d82a590025 00 01551220")), Err(NotMinimal));
}

#[test]
fn the_bounds_themselves_are_allowed() {
    for bytes in [
        "81 81 81 81 81 81 81 80",
        "1b 001fffffffffffff",
        "a3 60 00 61 61 00 62 61 61 00",
        "83 f4 f5 f6",
        "a1 60 60",
        "18 18",
    ] {
        assert_eq!(refused(bytes), Ok(()), "{bytes}");
    }
}

fn link() -> impl Strategy<Value = Ipld> {
    (any::<bool>(), any::<[u8; 8]>()).prop_map(|(raw, bytes)| {
        let cid = Cid::of(if raw { Codec::Raw } else { Codec::DagCbor }, &bytes);
        Ipld::Link(ipld_core::cid::Cid::try_from(&cid.to_bytes()[..]).unwrap())
    })
}

fn value() -> impl Strategy<Value = Ipld> {
    let integer = prop_oneof![0..300u64, any::<u64>().prop_map(|n| n >> 11), Just(strict::MAX_INTEGER)];
    let leaf = prop_oneof![
        Just(Ipld::Null),
        any::<bool>().prop_map(Ipld::Bool),
        integer.prop_map(|n| Ipld::Integer(n.into())),
        ".{0,30}".prop_map(Ipld::String),
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(Ipld::Bytes),
        link(),
    ];
    leaf.prop_recursive(7, 60, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..30).prop_map(Ipld::List),
            proptest::collection::btree_map(".{0,4}", inner, 0..6).prop_map(Ipld::Map),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_what_the_library_writes_and_is_read_back(value in value()) {
        let bytes = canonical::encode(&value);
        prop_assert_eq!(&bytes, &serde_ipld_dagcbor::to_vec(&value).unwrap());
        prop_assert_eq!(strict::decode(&bytes), Ok(value));
    }

    /// Whatever is accepted has one spelling: the library's.
    #[test]
    fn what_is_accepted_has_one_spelling(
        value in value(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = canonical::encode(&value);
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(value) = strict::decode(&bytes) {
            prop_assert_eq!(serde_ipld_dagcbor::to_vec(&value).unwrap(), bytes);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = strict::decode(&bytes);
    }
}

/// The pass before the library finds everything: the net beneath it never catches anything.
#[test]
fn every_short_item_is_judged_by_name() {
    for first in 0..=255u8 {
        for second in 0..=255u8 {
            for bytes in [vec![first], vec![first, second], vec![first, second, 0], vec![0x82, first, second]]
            {
                assert_ne!(strict::decode(&bytes), Err(CborError::NotCanonical), "{bytes:02x?}");
            }
        }
    }
    assert_eq!(strict::decode(&[0xa0]), Ok(Ipld::Map(BTreeMap::new())));
}
