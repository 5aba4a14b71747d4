//! Signatures that must not verify, and that the batch says the same as one by one.
#![allow(clippy::unwrap_used)]

mod support;

use blst::MultiPoint;
use blst::min_sig::{AggregateSignature, Signature as Bls};
use dta_crypto::{OrderKey, SIGNATURE_BYTES, Secret, Signature, SignatureError, VerifyingKeys, bip340};
use support::{Repeatable, identity};

type Bytes = [u8; SIGNATURE_BYTES];

fn verifying(fill: u8) -> VerifyingKeys {
    identity(fill).public().validate().unwrap()
}

/// The first half of one signature with the second of another.
fn joined(bls: &[u8], ml_dsa: &[u8]) -> Bytes {
    [&bls[..48], &ml_dsa[48..]].concat().try_into().unwrap()
}

#[test]
fn both_halves_must_hold() {
    let (alice, bob) = (identity(1), identity(2));
    let keys = verifying(1);
    let Signature(good) = alice.sign(b"message");
    let Signature(bobs) = bob.sign(b"message");
    let Signature(others) = alice.sign(b"massage");
    assert_eq!(keys.verify(b"message", &good), Ok(()));
    assert_eq!(keys.verify(b"massage", &good), Err(SignatureError::MlDsa));
    assert_eq!(keys.verify(b"", &good), Err(SignatureError::MlDsa));
    assert_eq!(keys.verify(b"message\0", &good), Err(SignatureError::MlDsa));
    assert_eq!(verifying(2).verify(b"message", &good), Err(SignatureError::MlDsa));
    for bad in [joined(&bobs, &good), joined(&others, &good)] {
        assert_eq!(keys.verify(b"message", &bad), Err(SignatureError::Bls));
    }
    for bad in [joined(&good, &bobs), joined(&good, &others), [0; SIGNATURE_BYTES]] {
        assert_eq!(keys.verify(b"message", &bad), Err(SignatureError::MlDsa));
    }
    // The halves in the wrong order.
    let swapped: Bytes = [&good[48..], &good[..48]].concat().try_into().unwrap();
    assert_eq!(keys.verify(b"message", &swapped), Err(SignatureError::MlDsa));
}

#[test]
fn a_flipped_bit_anywhere() {
    let keys = verifying(1);
    let Signature(good) = identity(1).sign(b"message");
    for byte in (0..48).chain((48..SIGNATURE_BYTES).step_by(41)).chain(SIGNATURE_BYTES - 62..SIGNATURE_BYTES)
    {
        let mut bad = good;
        bad[byte] ^= 1 << (byte % 8);
        let half = if byte < 48 { SignatureError::Bls } else { SignatureError::MlDsa };
        assert_eq!(keys.verify(b"message", &bad), Err(half), "byte {byte}");
    }
}

#[test]
fn bls_halves_that_are_no_points_of_the_subgroup() {
    let keys = verifying(1);
    let Signature(good) = identity(1).sign(b"message");
    let infinity = {
        let mut half = [0; 48];
        half[0] = 0xc0;
        half
    };
    let mut beyond = [0xff; 48];
    beyond[0] = 0x9f;
    for half in [[0; 48], [0xff; 48], infinity, beyond] {
        assert_eq!(keys.verify(b"message", &joined(&half, &good)), Err(SignatureError::Bls));
    }
    // Points of the curve, which are outside the subgroup but for a chance of 2^-125.
    let mut points = 0;
    for x in 1..32 {
        let mut half = [0; 48];
        (half[0], half[47]) = (0x80, x);
        points += usize::from(Bls::uncompress(&half).is_ok());
        assert_eq!(keys.verify(b"message", &joined(&half, &good)), Err(SignatureError::Bls));
    }
    assert!(points > 5);
}

#[test]
fn a_bls_half_plus_a_point_of_low_order() {
    // Times the group's order, a point outside the subgroup loses its part inside: pairings do not see what is left,
    // so that only the subgroup check tells the sum from the signature.
    let order = "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001";
    let order: Vec<u8> = hex::decode(order).unwrap().into_iter().rev().collect();
    let point = (1..=255).find_map(|x| {
        let mut half = [0; 48];
        (half[0], half[47]) = (0x80, x);
        Bls::uncompress(&half).ok()
    });
    let low_order = [point.unwrap()].mult(&order, 255).to_signature();
    assert!(!low_order.subgroup_check());

    let keys = verifying(1);
    let Signature(good) = identity(1).sign(b"message");
    let mut sum = AggregateSignature::from_signature(&Bls::uncompress(&good[..48]).unwrap());
    sum.add_signature(&low_order, false).unwrap();
    let sum = sum.to_signature();
    let key = blst::min_sig::PublicKey::uncompress(&keys.public().bls).unwrap();
    let domain = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";
    let unchecked = sum.verify(false, b"message", domain, &[], &key, false);
    assert_eq!(unchecked, blst::BLST_ERROR::BLST_SUCCESS);
    let bad = joined(&sum.compress(), &good);
    assert_eq!(keys.verify(b"message", &bad), Err(SignatureError::Bls));
    let items = [(b"message".as_slice(), &good), (b"message".as_slice(), &bad)];
    assert_eq!(keys.verify_batch(&items, &mut Repeatable::default()), Err(1));
}

#[test]
fn proofs_of_possession_are_no_signatures_and_the_other_way_round() {
    let alice = identity(1);
    let keys = verifying(1);
    let proof = alice.bls_proof();
    assert_eq!(keys.verify_bls_proof(&proof), Ok(()));
    assert_eq!(verifying(2).verify_bls_proof(&proof), Err(SignatureError::BlsProof));
    let own_key = alice.public().bls;
    let Signature(over_own_key) = alice.sign(&own_key);
    assert_eq!(keys.verify_bls_proof(&over_own_key[..48].try_into().unwrap()), Err(SignatureError::BlsProof));
    assert_eq!(keys.verify(&own_key, &joined(&proof, &over_own_key)), Err(SignatureError::Bls));
    for byte in 0..48 {
        let mut bad = proof;
        bad[byte] ^= 1;
        assert_eq!(keys.verify_bls_proof(&bad), Err(SignatureError::BlsProof), "byte {byte}");
    }
}

#[test]
fn secp256k1_signatures_bind_tag_data_and_key() {
    let keys = verifying(1);
    let good = identity(1).secp256k1_sign("tag", b"data");
    assert_eq!(keys.verify_secp256k1("tag", b"data", &good), Ok(()));
    let refused = Err(SignatureError::Secp256k1);
    assert_eq!(keys.verify_secp256k1("tog", b"data", &good), refused);
    assert_eq!(keys.verify_secp256k1("tag", b"date", &good), refused);
    assert_eq!(keys.verify_secp256k1("tagd", b"ata", &good), refused);
    assert_eq!(verifying(2).verify_secp256k1("tag", b"data", &good), refused);
    for bad in [[0; 64], [0xff; 64]] {
        assert_eq!(keys.verify_secp256k1("tag", b"data", &bad), refused);
    }
    for byte in 0..64 {
        let mut bad = good;
        bad[byte] ^= 0x10;
        assert_eq!(keys.verify_secp256k1("tag", b"data", &bad), refused, "byte {byte}");
    }
}

#[test]
fn bip340_takes_both_forms_of_a_point_and_no_other() {
    // Several keys, so that both parities of y occur.
    for fill in 1..=6 {
        let key = OrderKey::from_seed(&Secret::from_bytes([fill; 32]));
        let signature = key.sign("tag", b"data");
        assert_eq!(bip340::verify(&key.commitment(), "tag", b"data", &signature), Ok(()));
        assert_eq!(bip340::verify(&key.compressed(), "tag", b"data", &signature), Ok(()));
        let released = OrderKey::from_secret(Secret::from_bytes(*key.secret().expose())).unwrap();
        assert_eq!(released.sign("tag", b"data"), signature);

        let point = key.commitment();
        let hybrid = [&[6 | (point[64] & 1)], &point[1..]].concat();
        for point in [&[][..], &[0], &point[1..33], &point[..64], &point[..33], &hybrid] {
            assert!(bip340::verify(point, "tag", b"data", &signature).is_err());
        }
    }
}

#[test]
fn ed25519_signatures_bind_data_and_key() {
    let keys = verifying(1);
    let good = identity(1).ed25519_sign(b"data");
    assert_eq!(keys.verify_ed25519(b"data", &good), Ok(()));
    assert_eq!(keys.verify_ed25519(b"date", &good), Err(SignatureError::Ed25519));
    assert_eq!(verifying(2).verify_ed25519(b"data", &good), Err(SignatureError::Ed25519));
    for byte in 0..64 {
        let mut bad = good;
        bad[byte] ^= 1;
        assert_eq!(keys.verify_ed25519(b"data", &bad), Err(SignatureError::Ed25519), "byte {byte}");
    }
}

/// Messages of the first identity, and their signatures.
fn signed(count: u8) -> Vec<([u8; 1], Bytes)> {
    let keys = identity(1);
    (0..count).map(|index| ([index], keys.sign(&[index]).0)).collect()
}

fn batch(items: &[([u8; 1], Bytes)]) -> Result<(), usize> {
    let items: Vec<_> = items.iter().map(|(message, signature)| (message.as_slice(), signature)).collect();
    verifying(1).verify_batch(&items, &mut Repeatable::default())
}

#[test]
fn a_batch_of_good_ones_costs_sixteen_random_bytes_each() {
    for count in [0, 1, 2, 3, 17, 40] {
        assert_eq!(batch(&signed(count)), Ok(()));
    }
    let items = signed(5);
    let items: Vec<_> = items.iter().map(|(message, signature)| (message.as_slice(), signature)).collect();
    let mut entropy = Repeatable::default();
    assert_eq!(verifying(1).verify_batch(&items, &mut entropy), Ok(()));
    assert_eq!(entropy.drawn, 5 * 16);
    // The same one many times is as good as once.
    assert_eq!(batch(&vec![signed(1)[0]; 9]), Ok(()));
}

#[test]
fn a_batch_names_its_first_bad_one() {
    let good = signed(9);
    let Signature(other) = identity(1).sign(b"other");
    for first in 0..9 {
        for half in [0..48, 48..SIGNATURE_BYTES] {
            let mut items = good.clone();
            items[first].1[half.clone()].copy_from_slice(&other[half.clone()]);
            assert_eq!(batch(&items), Err(first), "{half:?}");
            // A later one, bad in either way, does not hide it.
            for later in first + 1..9 {
                let mut items = items.clone();
                items[later].1[..48].copy_from_slice(&other[..48]);
                assert_eq!(batch(&items), Err(first));
                items[later].1[3000] ^= 1;
                assert_eq!(batch(&items), Err(first));
            }
        }
    }
    let mut items = good;
    items[4].1[..48].fill(0);
    assert_eq!(batch(&items), Err(4));
}

#[test]
fn a_batch_is_not_fooled_by_errors_that_cancel() {
    let mut items = signed(6);
    let error = Bls::uncompress(&items[5].1[..48]).unwrap();
    let mut negated = error.compress();
    negated[0] ^= 0x20;
    for (index, error) in [(2, error), (3, Bls::uncompress(&negated).unwrap())] {
        let mut sum = AggregateSignature::from_signature(&Bls::uncompress(&items[index].1[..48]).unwrap());
        sum.add_signature(&error, true).unwrap();
        items[index].1[..48].copy_from_slice(&sum.to_signature().compress());
    }
    // Their plain sum is that of the good ones.
    let sum = |items: &[([u8; 1], Bytes)]| {
        let decoded: Vec<_> = items.iter().map(|(_, bytes)| Bls::uncompress(&bytes[..48]).unwrap()).collect();
        AggregateSignature::aggregate(&decoded.iter().collect::<Vec<_>>(), true).unwrap().to_signature()
    };
    assert!(sum(&items) == sum(&signed(6)));
    assert_eq!(batch(&items), Err(2));
    // Nor by two that are exchanged.
    let mut items = signed(6);
    let (first, second) = items.split_at_mut(4);
    first[1].1[..48].swap_with_slice(&mut second[0].1[..48]);
    assert_eq!(batch(&items), Err(1));
}

#[test]
fn a_batch_of_another_signer() {
    let items = signed(3);
    let items: Vec<_> = items.iter().map(|(message, signature)| (message.as_slice(), signature)).collect();
    assert_eq!(verifying(2).verify_batch(&items, &mut Repeatable::default()), Err(0));
}
