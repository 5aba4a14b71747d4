//! A leaf is frozen: what is in a tree stays as it was hashed.

use dta_protocol::{Cid, Codec};
use sha2::{Digest, Sha256};

use crate::{Leaf, LeafError};

fn cids() -> [Cid; 2] {
    [b"one", b"two"].map(|bytes| Cid::of(Codec::DagCbor, bytes))
}

fn example() -> Leaf {
    Leaf::of(258, [0xaa; 32], &[0xbb; 32], &cids().map(|cid| cid.to_bytes()))
}

#[test]
fn its_bytes_are_frozen() {
    let envelopes = [[0xbb; 32].as_slice(), &cids()[0].to_bytes(), &cids()[1].to_bytes()].concat();
    let golden =
        ["84", "01", "190102", "5820", &"aa".repeat(32), "5820", &hex::encode(Sha256::digest(envelopes))];
    assert_eq!(hex::encode(example().encode()), golden.concat());
    assert_eq!(Leaf::decode(&example().encode()), Ok(example()));
    let hash = Sha256::digest([&[0], example().encode().as_slice()].concat());
    assert_eq!(example().hash(), <[u8; 32]>::from(hash));
    let longest = Leaf { sequence: (1 << 53) - 1, ..example() };
    assert_eq!(longest.encode().len(), 79);
    assert_eq!(Leaf::decode(&longest.encode()), Ok(longest));
}

#[test]
fn what_a_record_brought_is_shown_by_its_blind_and_by_nothing_else() {
    let [one, two] = cids();
    assert!(example().brought(&[0xbb; 32], &[one, two]));
    assert!(!example().brought(&[0xbc; 32], &[one, two]));
    assert!(!example().brought(&[0xbb; 32], &[two, one]));
    assert!(!example().brought(&[0xbb; 32], &[one]));
    assert!(!example().brought(&[0xbb; 32], &[]));
}

#[test]
fn every_other_spelling_is_refused() {
    let bytes = example().encode();
    for end in 0..bytes.len() {
        assert_eq!(Leaf::decode(&bytes[..end]), Err(LeafError), "cut at {end}");
    }
    assert_eq!(Leaf::decode(&[bytes.as_slice(), &[0]].concat()), Err(LeafError), "a trailing byte");
    for (at, byte) in [(0, 0x83), (0, 0xa4), (1, 0x02), (1, 0x20), (2, 0x1a), (5, 0x78), (6, 0x1f)] {
        let mut other = bytes.clone();
        other[at] = byte;
        assert_eq!(Leaf::decode(&other), Err(LeafError), "byte {at} is {byte:#x}");
    }
}
