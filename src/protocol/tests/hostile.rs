//! Bytes from outside: every prefix and every byte changed. Nothing panics, and nothing changed is believed.

#![allow(clippy::unwrap_used)]

mod story;

use dta_protocol::body::*;
use dta_protocol::{CarError, Cid, Codec, Envelope, Identity, Kind, Plaintext, car};
use proptest::prelude::*;
use story::Story;

/// Each copy of `bytes` in which one byte differs by one bit, another bit at each place.
fn flips(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..bytes.len()).map(|at| {
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 1 << (at % 8);
        flipped
    })
}

/// Each prefix of `bytes`, from none to all but one.
fn prefixes(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    (0..bytes.len()).map(|end| &bytes[..end])
}

#[test]
fn an_envelope_that_was_touched_does_not_verify() {
    let story = Story::tell();
    let step = story.step(Kind::RedemptionRequested);
    let block = step.envelope.block();
    let signer = &story.party(step.signer).identity;
    assert!(Envelope::decode(block).unwrap().verify(signer).is_ok());
    for prefix in prefixes(block) {
        assert!(Envelope::decode(prefix).is_err());
    }
    for flipped in flips(block) {
        let believed = Envelope::decode(&flipped).and_then(|envelope| envelope.verify(signer));
        assert!(believed.is_err());
    }
}

#[test]
fn an_identity_that_was_touched_is_none() {
    let story = Story::tell();
    let block = story.carol.identity.envelope().block();
    assert!(Identity::decode(block).is_ok());
    for prefix in prefixes(block) {
        assert!(Identity::decode(prefix).is_err());
    }
    for flipped in flips(block) {
        assert!(Identity::decode(&flipped).is_err());
    }
}

#[test]
fn a_car_that_was_touched_is_refused_or_names_another_root() {
    let blocks: Vec<_> =
        [&b"root"[..], b"", &[7; 200]].map(|block| (Cid::of(Codec::DagCbor, block), block)).into();
    let file = car::encode(blocks[0].0, blocks.clone()).unwrap();
    assert!(car::decode(&file).is_ok());
    for prefix in prefixes(&file) {
        // Cut between sections it is a shorter CAR, which is for the reader of its blocks to judge.
        if let Ok((root, fewer)) = car::decode(prefix) {
            assert_eq!(root, blocks[0].0);
            assert!(fewer.len() < blocks.len());
        }
    }
    for flipped in flips(&file) {
        assert!(car::decode(&flipped).is_err());
    }
}

#[test]
fn a_plaintext_that_was_touched_never_panics() {
    let story = Story::tell();
    let sealed = story.steps.iter().flat_map(|step| &step.sealed).chain([&story.secret]);
    for plaintext in sealed.map(|sealed| &sealed.plaintext) {
        for bytes in flips(plaintext).chain(prefixes(plaintext).map(<[u8]>::to_vec)) {
            // What still decodes has one spelling: it is written as it was read.
            fn one_spelling<P: Plaintext>(bytes: &[u8]) {
                if let Ok(body) = P::decode(bytes) {
                    assert_eq!(body.encode().unwrap().expose(), bytes);
                }
            }
            one_spelling::<Placed>(&bytes);
            one_spelling::<Committed>(&bytes);
            one_spelling::<RedemptionRequested>(&bytes);
            one_spelling::<BeneficiaryData>(&bytes);
            one_spelling::<Released>(&bytes);
            one_spelling::<SecretBody>(&bytes);
            one_spelling::<Received>(&bytes);
            one_spelling::<Disputed>(&bytes);
            one_spelling::<CancellationRequested>(&bytes);
            one_spelling::<Closed>(&bytes);
        }
    }
}

/// A CAR of these sections under a header with this root.
fn file(root: &Cid, sections: &[(Cid, &[u8])]) -> Vec<u8> {
    let mut file = car::encode(*root, [(*root, &b""[..])]).unwrap_or_default();
    file.truncate(file.len() - 37);
    for (cid, block) in sections {
        assert!(block.len() < 90, "one byte of length");
        file.push(36 + block.len() as u8);
        file.extend_from_slice(&cid.to_bytes());
        file.extend_from_slice(block);
    }
    file
}

#[test]
fn a_car_has_bounds_and_one_meaning() {
    let named = |block: &'static [u8]| (Cid::of(Codec::DagCbor, block), block);
    let (root, other) = (named(b"root"), named(b"other"));
    let code =
        |bytes: &[u8]| car::decode(bytes).map_err(|error| error.code()).map(|(_, blocks)| blocks.len());
    assert_eq!(code(&file(&root.0, &[root, other])), Ok(2));
    assert_eq!(code(&file(&root.0, &[root, root])), Err("car-duplicate-block"));
    assert_eq!(code(&file(&root.0, &[other])), Err("car-root-missing"));
    assert_eq!(code(&file(&root.0, &[(root.0, b"other")])), Err("car-other-block"));
    assert_eq!(code(&file(&root.0, &[root])[..30]), Err("car-truncated"));
    assert_eq!(code(&[]), Err("car-truncated"));
    assert_eq!(code(&[&file(&root.0, &[root])[..], &[0]].concat()), Err("cid-length"));
    assert_eq!(code(&[&file(&root.0, &[root])[..], &[0x80]].concat()), Err("car-truncated"));
    assert_eq!(code(&[&file(&root.0, &[root])[..], &[0xa8, 0x00]].concat()), Err("car-varint"));
    assert_eq!(code(&[&file(&root.0, &[root])[..], &[0xff; 4]].concat()), Err("car-varint"));
    assert_eq!(code(&vec![0; car::MAX_CAR_BYTES + 1]), Err("car-too-large"));

    let small: Vec<_> = (0..65u8).map(|n| vec![n]).collect();
    let small: Vec<_> = small.iter().map(|block| (Cid::of(Codec::Raw, block), &block[..])).collect();
    assert_eq!(
        car::encode(small[0].0, small.clone()).unwrap_err().code(),
        "field-type",
        "a root is an envelope"
    );
    let small: Vec<_> = small.iter().map(|(_, block)| (Cid::of(Codec::DagCbor, block), *block)).collect();
    let root = small[0].0;
    assert!(car::decode(&car::encode(root, small[..64].to_vec()).unwrap()).is_ok());
    assert_eq!(car::encode(root, small.clone()), Err(CarError::TooManyBlocks));
    assert_eq!(code(&file(&root, &small)), Err("car-too-many-blocks"));
    let large = vec![0; car::MAX_CAR_BYTES];
    let cid = Cid::of(Codec::DagCbor, &large);
    assert_eq!(car::encode(cid, [(cid, &large[..])]).unwrap_err().code(), "car-too-large");
    assert_eq!(car::encode(cid, []), Err(CarError::RootMissing(cid)));
}

proptest! {
    #[test]
    fn a_car_is_read_as_it_was_written(
        blocks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..20),
    ) {
        let named: Vec<_> = blocks.iter().map(|block| (Cid::of(Codec::DagCbor, block), &block[..])).collect();
        let mut expected: Vec<(Cid, Vec<u8>)> = vec![];
        for (cid, block) in &named {
            if expected.iter().all(|(known, _)| known != cid) {
                expected.push((*cid, block.to_vec()));
            }
        }
        let root = named[0].0;
        let file = car::encode(root, named).unwrap();
        prop_assert_eq!(car::decode(&file), Ok((root, expected)));
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = car::decode(&bytes);
        let _ = Envelope::decode(&bytes);
        let _ = dta_protocol::Statement::decode(&bytes);
    }
}
