//! A principal's share: what its proof proves, and everything it does not.

use dta_crypto::{OrderKey, Secret, bip340};
use k256::ProjectivePoint;

use super::{NO_POINTS, hex, key};
use crate::keys::PublicPoint;
use crate::share::{ShareError, TAG, prove, verify};

const REFERENCE: &str = "018f3c1e-7b7a-7cc0-98c4-dc0c0c07398f";

/// A CID in binary, told apart by `fill`.
const fn cid(fill: u8) -> [u8; 36] {
    let mut cid = [fill; 36];
    [cid[0], cid[1], cid[2], cid[3]] = [1, 0x71, 0x12, 0x20];
    cid
}

const ALICE: [u8; 36] = cid(0xa1);
const BOB: [u8; 36] = cid(0xb0);
const MALLORY: [u8; 36] = cid(0x3a);

#[test]
fn a_proof_is_of_its_key_order_and_parties() {
    for fill in 1..=20 {
        let key = key(fill);
        let (point, proof) = (PublicPoint::of(&key), prove(&key, REFERENCE, &ALICE, &BOB).unwrap());
        assert_eq!(verify(&point, &proof, REFERENCE, &ALICE, &BOB), Ok(()));

        let none = Err(ShareError::Proof);
        assert_eq!(verify(&point, &proof, REFERENCE, &MALLORY, &BOB), none);
        assert_eq!(verify(&point, &proof, REFERENCE, &ALICE, &MALLORY), none);
        assert_eq!(verify(&point, &proof, REFERENCE, &BOB, &ALICE), none);
        for other in ["", "0", &REFERENCE[1..], &REFERENCE.to_uppercase(), &format!("{REFERENCE}0")] {
            assert_eq!(verify(&point, &proof, other, &ALICE, &BOB), none, "{other}");
        }
        let other = PublicPoint::of(&super::key(fill + 1));
        assert_eq!(verify(&other, &proof, REFERENCE, &ALICE, &BOB), none);
        // BIP340 takes the opposite key for the same; the message does not.
        let opposite =
            PublicPoint::of_projective(ProjectivePoint::IDENTITY - point.key().as_affine()).unwrap();
        assert_eq!(opposite.x_only(), point.x_only());
        assert_eq!(verify(&opposite, &proof, REFERENCE, &ALICE, &BOB), none);
        for at in 0..64 {
            for mask in [1, 0x80, 0xff] {
                let mut changed = proof;
                changed[at] ^= mask;
                assert_eq!(verify(&point, &changed, REFERENCE, &ALICE, &BOB), none, "{at}");
            }
        }
    }
}

#[test]
fn what_is_no_signature_is_no_proof() {
    let point = PublicPoint::of(&key(1));
    let order: [u8; 32] = hex(super::ORDER);
    let proof = prove(&key(1), REFERENCE, &ALICE, &BOB).unwrap();
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = proof;
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        changed
    };
    // R and s: 0, the greatest, s not below the order, R no x of a point.
    for bad in [
        [0; 64],
        [0xff; 64],
        with(0, &[0; 32]),
        with(0, &[0xff; 32]),
        with(0, &hex::<32>(&NO_POINTS[8].1[2..])),
        with(32, &[0; 32]),
        with(32, &[0xff; 32]),
        with(32, &order),
    ] {
        assert_eq!(verify(&point, &bad, REFERENCE, &ALICE, &BOB), Err(ShareError::Proof));
    }
}

#[test]
fn the_message_is_as_documented() {
    let key = key(5);
    let message =
        [&[0, 36][..], b"018f3c1e-7b7a-7cc0-98c4-dc0c0c07398f", &ALICE, &BOB, &key.compressed()].concat();
    let proof = prove(&key, REFERENCE, &ALICE, &BOB).unwrap();
    assert_eq!(proof, key.sign("milagro-dta/v1/principal-share", &message));
    assert_eq!(bip340::verify(&key.commitment(), TAG, &message, &proof), Ok(()));
}

#[test]
fn the_key_of_a_seed_proves_the_same_each_time() {
    let proof = || {
        let key = OrderKey::from_seed(&Secret::from_bytes([7; 32]));
        hex::encode(prove(&key, REFERENCE, &ALICE, &BOB).unwrap())
    };
    // Ours: frozen, since what was proven must stay so.
    assert_eq!(
        proof(),
        "b1618487d90f5a138e66be359b848fc165ad29a7261a0211b75354397a43b40c\
         94dcb5f778a98a9ddc761b8a6148087989b8d1acecdba56078cc030de5128eac"
    );
}

#[test]
fn a_proof_with_another_tag_is_none() {
    let key = key(5);
    let message = [&[0, 36][..], REFERENCE.as_bytes(), &ALICE, &BOB, &key.compressed()].concat();
    for tag in ["", "milagro-dta/v1/commitment", "milagro-dta/v1/received", "milagro-dta/v2/principal-share"]
    {
        let proof = key.sign(tag, &message);
        let verified = verify(&PublicPoint::of(&key), &proof, REFERENCE, &ALICE, &BOB);
        assert_eq!(verified, Err(ShareError::Proof), "{tag}");
    }
}

#[test]
fn a_reference_may_be_as_long_as_its_length_can_say() {
    let (key, longest) = (key(5), "r".repeat(usize::from(u16::MAX)));
    let proof = prove(&key, &longest, &ALICE, &BOB).unwrap();
    assert_eq!(verify(&PublicPoint::of(&key), &proof, &longest, &ALICE, &BOB), Ok(()));
    let longer = longest + "r";
    assert_eq!(prove(&key, &longer, &ALICE, &BOB), Err(ShareError::ReferenceLength));
    let verified = verify(&PublicPoint::of(&key), &proof, &longer, &ALICE, &BOB);
    assert_eq!(verified, Err(ShareError::ReferenceLength));
}

/// Bytes moved from the reference into what follows it make another message: the length says where it ends.
#[test]
fn no_other_division_of_the_same_bytes_is_proven() {
    let key = key(5);
    let proof = prove(&key, "ab", &[b'c'; 36], &BOB).unwrap();
    let verified = verify(&PublicPoint::of(&key), &proof, "abc", &[b'c'; 36], &BOB);
    assert_eq!(verified, Err(ShareError::Proof));
}
