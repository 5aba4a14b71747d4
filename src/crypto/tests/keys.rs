//! Public keys that must be refused, each by name, and order keys and commitments outside their range.
#![allow(clippy::unwrap_used)]

mod support;

use dta_crypto::{
    CommitmentError, IdentityKeys, KeyError, OrderKey, OrderKeyError, PublicKeys, Secret, VerifyingKeys,
    commitment_is_valid,
};
use support::{hex, identity};

/// The error for an identity's keys after `change`.
fn refused(change: impl FnOnce(&mut PublicKeys)) -> KeyError {
    let mut public = identity(1).public().clone();
    assert!(public.validate().is_ok());
    change(&mut public);
    public.validate().err().unwrap()
}

#[test]
fn bls_keys_that_are_no_compressed_points() {
    let cases: [fn(&mut [u8; 96]); 8] = [
        |key| key.fill(0),
        |key| key.fill(0xff),
        |key| key[0] &= 0x7f,                             // says it is not compressed
        |key| key[0] |= 0x40,                             // says it is infinity, with coordinates
        |key| *key = infinity_with(|key| key[0] |= 0x20), // infinity with a sign
        |key| *key = infinity_with(|key| key[95] = 1),
        |key| {
            key.fill(0xff); // x.c1 is not below the field's prime
            key[0] = 0x9f;
        },
        |key| key[48..].fill(0xff), // x.c0 is not
    ];
    for (index, case) in cases.iter().enumerate() {
        assert_eq!(refused(|public| case(&mut public.bls)), KeyError::BlsEncoding, "case {index}");
    }
}

fn infinity_with(change: fn(&mut [u8; 96])) -> [u8; 96] {
    let mut key = [0; 96];
    key[0] = 0xc0;
    change(&mut key);
    key
}

#[test]
fn bls_infinity() {
    assert_eq!(refused(|public| public.bls = infinity_with(|_| ())), KeyError::BlsInfinity);
}

#[test]
fn bls_keys_outside_the_subgroup() {
    // A random point of the curve is in the subgroup with a chance of 2^-250.
    let mut outside = 0;
    for x in 0..32 {
        let error = refused(|public| {
            public.bls = [0; 96];
            public.bls[0] = 0x80;
            public.bls[95] = x;
        });
        match error {
            KeyError::BlsSubgroup => outside += 1,
            other => assert_eq!(other, KeyError::BlsEncoding, "no point has this x"),
        }
    }
    assert!(outside > 5, "{outside}");
}

#[test]
fn kem_keys_with_a_coefficient_beyond_the_modulus() {
    // Two coefficients of 12 bits lie in three bytes; 3,329 is the first that is too large.
    for offset in [0, 3, 600, 1149] {
        for (low, high) in [(0x01, 0x0d), (0xff, 0x0f)] {
            let error = refused(|public| {
                public.kem[offset] = low;
                public.kem[offset + 1] = (public.kem[offset + 1] & 0xf0) | high;
            });
            assert_eq!(error, KeyError::KemModulus, "offset {offset}");
        }
    }
    // 3,328 is allowed.
    let mut public = identity(1).public().clone();
    public.kem[0] = 0x00;
    public.kem[1] = (public.kem[1] & 0xf0) | 0x0d;
    assert!(public.validate().is_ok());
}

#[test]
fn kem_keys_with_an_x25519_half_of_low_order() {
    let low_order = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for point in low_order {
        let error = refused(|public| public.kem[1184..].copy_from_slice(&hex::<32>(point)));
        assert_eq!(error, KeyError::KemX25519LowOrder, "{point}");
    }
}

#[test]
fn kem_keys_with_an_x25519_half_beyond_the_field() {
    let beyond = [
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p, that is 0
        "f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p + 9, the base point
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0900000000000000000000000000000000000000000000000000000000000080", // a bit that X25519 ignores
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ];
    for point in beyond {
        let error = refused(|public| public.kem[1184..].copy_from_slice(&hex::<32>(point)));
        assert_eq!(error, KeyError::KemX25519NotCanonical, "{point}");
    }
}

#[test]
fn secp256k1_keys_that_are_no_compressed_points() {
    let cases: [fn(&mut [u8; 33]); 8] = [
        |key| key.fill(0), // infinity, padded
        |key| key[0] = 0,
        |key| key[0] = 1,
        |key| key[0] = 4,
        |key| key[0] = 5, // x alone, which a lenient parser takes
        |key| key[0] = 0xff,
        |key| key[1..].fill(0xff), // x is not below the field's prime
        |key| {
            key[1..].fill(0);
            key[32] = 5; // no point has x = 5
        },
    ];
    for (index, case) in cases.iter().enumerate() {
        assert_eq!(
            refused(|public| case(&mut public.secp256k1)),
            KeyError::Secp256k1Encoding,
            "case {index}"
        );
    }
}

#[test]
fn ed25519_keys_that_are_not_canonical() {
    let cases = [
        "0200000000000000000000000000000000000000000000000000000000000000", // no point has y = 2
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // y = p + 1
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // y = p
        "0100000000000000000000000000000000000000000000000000000000000080", // y = 1 with x = -0
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ];
    for case in cases {
        assert_eq!(refused(|public| public.ed25519 = hex(case)), KeyError::Ed25519Encoding, "{case}");
    }
}

#[test]
fn ed25519_keys_of_low_order_or_with_a_part_of_low_order() {
    let low_order = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ];
    let edwards = |key: &[u8; 32]| ed25519_dalek::VerifyingKey::from_bytes(key).unwrap().to_edwards();
    let honest = edwards(&identity(1).public().ed25519);
    for (index, point) in low_order.into_iter().enumerate() {
        let error = refused(|public| public.ed25519 = hex(point));
        assert_eq!(error, KeyError::Ed25519LowOrder, "{point}");
        if index > 0 {
            let mixed = (honest + edwards(&hex(point))).compress().to_bytes();
            assert_eq!(refused(|public| public.ed25519 = mixed), KeyError::Ed25519Subgroup, "{point}");
        }
    }
}

#[test]
fn every_purpose_has_a_key_of_its_own() {
    let (one, two) = (identity(1), identity(2));
    let (one, two) = (one.public(), two.public());
    assert!(one.bls != two.bls && one.ml_dsa != two.ml_dsa && one.kem != two.kem);
    assert!(one.secp256k1 != two.secp256k1 && one.ed25519 != two.ed25519);
    assert_eq!(one, identity(1).public());
}

#[test]
fn debug_is_short_and_threads_share_keys() {
    fn shared<T: Send + Sync>(_: &T) {}
    let keys = identity(1);
    shared::<IdentityKeys>(&keys);
    shared::<VerifyingKeys>(&keys.public().validate().unwrap());
    assert!(format!("{:?}", keys.public()).len() < 50);
}

#[test]
fn order_secrets_outside_the_range() {
    let outside = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", // the order
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364142",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ];
    for secret in outside {
        let key = OrderKey::from_secret(Secret::from_bytes(hex(secret)));
        assert_eq!(key.err(), Some(OrderKeyError::ScalarRange), "{secret}");
    }
    let last = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140";
    let key = OrderKey::from_secret(Secret::from_bytes(hex(last))).unwrap();
    // The order minus 1 is the negated generator.
    let x = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    assert_eq!(hex::encode(key.compressed()), format!("03{x}"));
    assert_eq!(commitment_is_valid(&key.commitment()), Ok(()));
}

#[test]
fn entropy_of_other_lengths() {
    for length in [0, 1, 15, 17, 31, 33, 36, 64] {
        let key = OrderKey::from_entropy(&vec![1; length]);
        assert_eq!(key.err(), Some(OrderKeyError::EntropyLength(length)));
    }
}

#[test]
fn commitments_that_are_no_points() {
    let key = OrderKey::from_seed(&Secret::from_bytes([1; 32]));
    let good = key.commitment();
    assert_eq!(commitment_is_valid(&good), Ok(()));
    for prefix in [0, 1, 2, 3, 5, 6, 7, 0x84, 0xff] {
        let mut bad = good;
        bad[0] = prefix;
        assert_eq!(commitment_is_valid(&bad), Err(CommitmentError::Form), "prefix {prefix}");
    }
    for length in [0, 1, 33, 64] {
        assert_eq!(commitment_is_valid(&good[..length]), Err(CommitmentError::Form));
    }
    assert_eq!(commitment_is_valid(&[&good[..], &[0]].concat()), Err(CommitmentError::Form));
    assert_eq!(commitment_is_valid(&key.compressed()), Err(CommitmentError::Form));
    for index in [1, 32, 33, 64] {
        let mut bad = good;
        bad[index] ^= 1;
        assert_eq!(commitment_is_valid(&bad), Err(CommitmentError::NotOnCurve), "byte {index}");
    }
    let mut beyond = good;
    beyond[1..33].fill(0xff);
    assert_eq!(commitment_is_valid(&beyond), Err(CommitmentError::NotOnCurve));
}
