//! The record's bytes are frozen, and no others are a record.

use proptest::prelude::*;

use super::*;

fn stored(name: &str, schema: u16, bytes: &[u8]) -> Stored {
    Stored { name: name.into(), schema, bytes: bytes.into() }
}

fn accepted() -> Record {
    Record {
        sequence: 7,
        time_ms: 0x0001_0203_0405,
        aggregate: Aggregate { kind: AggregateKind::Order, id: [0xa1; 32] },
        version: 2,
        by: "local".into(),
        request: Some(Request { idempotency_key: [0xb1; 32], body: [0xb2; 32] }),
        trace_id: [0xc1; 16],
        command: stored("place", 1, &[1, 2, 3]),
        effect: Effect::Events(vec![stored("placed", 258, &[9])]),
        previous: [0xd1; 32],
        nonce: [0xe1; 32],
        blind: [0xf1; 32],
    }
}

fn refused() -> Record {
    let effect = Effect::Refused { code: "expired".into(), details: "".into() };
    Record { request: None, effect, ..accepted() }
}

fn text(value: &str) -> String {
    hex::encode((value.len() as u64).to_le_bytes()) + &hex::encode(value)
}

/// Written out by hand from the module's description, not by the codec.
fn golden(request: &str, effect: &str) -> String {
    let parts = [
        "0100",             // format
        "0700000000000000", // sequence
        "0504030201000000", // time_ms
        "03",               // aggregate.kind
        &"a1".repeat(32),   // aggregate.id
        "0200000000000000", // version
        &text("local"),     // by
        request,            // request
        &"c1".repeat(16),   // trace_id
        &text("place"),     // command.name
        "0100",             // command.schema
        "0300000000000000", // command.bytes
        "010203",
        effect,           // effect
        &"d1".repeat(32), // previous
        &"e1".repeat(32), // nonce
        &"f1".repeat(32), // blind
    ];
    parts.concat()
}

#[test]
fn the_bytes_are_frozen() {
    let request = "01".to_owned() + &"b1".repeat(32) + &"b2".repeat(32);
    let events =
        "00000000".to_owned() + "0100000000000000" + &text("placed") + "0201" + "0100000000000000" + "09";
    let refusal = "01000000".to_owned() + &text("expired") + &text("");
    for (record, expected) in [(accepted(), golden(&request, &events)), (refused(), golden("00", &refusal))] {
        let bytes = record.encode().unwrap();
        assert_eq!(hex::encode(&bytes), expected);
        assert_eq!(Record::decode(&bytes).unwrap(), record);
    }
}

#[test]
fn the_hash_is_the_sha256_of_the_stored_bytes() {
    // FIPS 180-2, appendix B.1
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(hex::encode(hash_of(b"abc")), abc);
}

#[test]
fn a_newer_format_is_named_as_such_whatever_follows() {
    let mut bytes = accepted().encode().unwrap();
    for found in [2u16, 256, u16::MAX] {
        bytes[..2].copy_from_slice(&found.to_le_bytes());
        assert_eq!(Record::decode(&bytes), Err(RecordError::Newer { found }));
        assert_eq!(Record::decode(&bytes[..2]), Err(RecordError::Newer { found }));
    }
    let message = RecordError::Newer { found: 2 }.to_string();
    assert_eq!(message, "record: format 2 is newer than this program knows (1); run a newer one");
}

#[test]
fn what_is_not_exactly_a_record_is_refused() {
    let bytes = accepted().encode().unwrap();
    for end in 0..bytes.len() {
        assert!(Record::decode(&bytes[..end]).is_err(), "cut at {end}");
    }
    assert_eq!(Record::decode(&[]), Err(RecordError::Short { bytes: 0 }));
    assert_eq!(Record::decode(&[1]), Err(RecordError::Short { bytes: 1 }));
    assert_eq!(Record::decode(&[0, 0]), Err(RecordError::NoSuchFormat { found: 0 }));
    assert!(Record::decode(&[bytes.as_slice(), &[0]].concat()).is_err(), "a trailing byte");
    for kind in [0, 7, 0xff] {
        let mut other = bytes.clone();
        other[18] = kind;
        let message = Record::decode(&other).unwrap_err().to_string();
        assert!(message.contains(&format!("aggregate kind {kind} is unknown")), "{message}");
    }
}

#[test]
fn a_record_beyond_the_limit_is_not_stored() {
    let command = stored("place", 1, &vec![0; codec::STORED_BYTES_MAX as usize]);
    let record = Record { command, ..accepted() };
    assert_eq!(record.encode(), Err(RecordError::Fields(CodecError::TooLarge)));
}

#[test]
fn kinds_are_the_bytes_they_were() {
    use AggregateKind::*;
    let bytes = [Node, Identity, Order, Peer, Seed, Log].map(u8::from);
    assert_eq!(bytes, [1, 2, 3, 4, 5, 6]);
    for byte in 0..=255 {
        assert_eq!(AggregateKind::try_from(byte).map(u8::from).ok(), (1..=6).contains(&byte).then_some(byte));
    }
}

proptest! {
    /// One byte changed anywhere is refused or is another record with exactly these bytes: never the same one.
    #[test]
    fn one_encoding_for_one_record(at in 0usize..400, byte: u8) {
        let record = accepted();
        let bytes = record.encode().unwrap();
        let mut other = bytes.clone();
        let at = at % other.len();
        other[at] = byte;
        if let Ok(read) = Record::decode(&other) {
            prop_assert_eq!(read.encode().unwrap(), &*other);
            prop_assert_eq!(read == record, other == bytes);
        }
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = Record::decode(&bytes);
        let _ = Record::decode(&[&[1, 0], bytes.as_slice()].concat());
    }
}
