//! What is a point, and the sums of keys.

use ::bitcoin::secp256k1::{PublicKey, Scalar, Secp256k1, SecretKey};
use dta_crypto::{OrderKey, Secret};
use proptest::prelude::*;

use super::{G, NO_POINTS, ORDER, hex, key, original, point, secret, text};
use crate::keys::{PointError, PublicPoint, SumError, add_points, add_secrets};

#[test]
fn a_point_in_either_form_is_the_same_point() {
    for fill in 1..=20 {
        let key = key(fill);
        let point = PublicPoint::of(&key);
        assert_eq!(point.uncompressed(), key.commitment());
        assert_eq!(point.compressed(), key.compressed());
        assert_eq!(point.x_only(), key.compressed()[1..]);
        assert_eq!(PublicPoint::parse(&point.compressed()), Ok(point));
        assert_eq!(PublicPoint::parse(&point.uncompressed()), Ok(point));
    }
}

#[test]
fn what_is_no_point_is_refused_and_by_its_form_first() {
    for (name, sec1, form) in NO_POINTS {
        let error = if form { PointError::Form } else { PointError::NotOnCurve };
        assert_eq!(PublicPoint::parse(&hex::decode(sec1).unwrap()), Err(error), "{name}");
    }
}

#[test]
fn every_prefix_but_three_is_refused() {
    for prefix in 0..=u8::MAX {
        for (sec1, prefixes) in [(&key(7).compressed()[..], &[2, 3][..]), (&key(7).commitment(), &[4])] {
            let mut sec1 = sec1.to_vec();
            sec1[0] = prefix;
            assert_eq!(PublicPoint::parse(&sec1).is_ok(), prefixes.contains(&prefix), "{prefix}");
        }
    }
}

#[test]
fn the_originals_sums() {
    for vector in original("bitcoinwallet") {
        let (fiduciary, sum) = (secret(text(&vector["fiduciarySecret"])), text(&vector["secret"]));
        // The original says one addend and the sum; the other is their difference.
        let share = add_secrets(&secret(sum), &opposite(&fiduciary)).unwrap();
        assert_eq!(*add_secrets(&fiduciary, &share).unwrap().expose(), hex(sum));

        let share = PublicPoint::of(&OrderKey::from_secret(share).unwrap());
        let public = add_points(&point(text(&vector["fiduciaryCommitment"])), &share).unwrap();
        assert_eq!(public.compressed(), hex(text(&vector["commitment"])));
    }
}

#[test]
fn the_sum_may_pass_the_order() {
    let last = opposite(&number(1));
    assert_eq!(add_secrets(&last, &number(5)).unwrap().expose(), number(4).expose());
    assert_eq!(add_secrets(&last, &last).unwrap().expose(), opposite(&number(2)).expose());
    assert_eq!(add_secrets(&number(1), &number(1)).unwrap().expose(), number(2).expose());
    assert_eq!(add_points(&point(G), &point(G)).unwrap(), PublicPoint::of(&order_key(number(2))));
}

#[test]
fn a_sum_of_zero_is_none() {
    for fill in [1, 2, 0x7f, 0xfe] {
        let secret = Secret::from_bytes([fill; 32]);
        let other = opposite(&secret);
        assert_eq!(add_secrets(&secret, &other).err(), Some(SumError::Zero));
        let (a, b) = (PublicPoint::of(&order_key(secret)), PublicPoint::of(&order_key(other)));
        assert_eq!(add_points(&a, &b), Err(SumError::Zero));
    }
}

#[test]
fn an_addend_that_is_no_key_is_refused() {
    let above = |n: u8| {
        let mut bytes: [u8; 32] = hex(ORDER);
        bytes[31] += n;
        Secret::from_bytes(bytes)
    };
    for bad in [|| Secret::from_bytes([0; 32]), || Secret::from_bytes([0xff; 32])] {
        assert_eq!(add_secrets(&bad(), &number(1)).err(), Some(SumError::ScalarRange));
        assert_eq!(add_secrets(&number(1), &bad()).err(), Some(SumError::ScalarRange));
        assert_eq!(add_secrets(&bad(), &bad()).err(), Some(SumError::ScalarRange));
    }
    for n in 0..10 {
        assert_eq!(add_secrets(&above(n), &number(1)).err(), Some(SumError::ScalarRange));
        assert_eq!(add_secrets(&number(1), &above(n)).err(), Some(SumError::ScalarRange));
    }
}

proptest! {
    #[test]
    fn sums_are_those_of_libsecp256k1(a: [u8; 32], b: [u8; 32]) {
        let (Ok(theirs_a), Ok(theirs_b)) = (SecretKey::from_slice(&a), SecretKey::from_slice(&b)) else {
            return Ok(());
        };
        let secp = Secp256k1::new();
        let theirs = theirs_a.add_tweak(&Scalar::from(theirs_b)).unwrap();
        let ours = add_secrets(&Secret::from_bytes(a), &Secret::from_bytes(b)).unwrap();
        prop_assert_eq!(*ours.expose(), theirs.secret_bytes());

        let public = |key: &SecretKey| PublicKey::from_secret_key(&secp, key);
        let [a, b] = [&theirs_a, &theirs_b].map(|key| PublicPoint::parse(&public(key).serialize()).unwrap());
        let sum = add_points(&a, &b).unwrap();
        let theirs = public(&theirs_a).combine(&public(&theirs_b)).unwrap();
        prop_assert_eq!(sum.uncompressed(), theirs.serialize_uncompressed());
        prop_assert_eq!(sum, PublicPoint::of(&order_key(ours)));
        prop_assert_eq!(sum, add_points(&b, &a).unwrap());
    }
}

fn order_key(secret: Secret<32>) -> OrderKey {
    OrderKey::from_secret(secret).unwrap()
}

fn number(n: u8) -> Secret<32> {
    Secret::build(|bytes| bytes[31] = n)
}

/// The order less `secret`.
pub(super) fn opposite(secret: &Secret<32>) -> Secret<32> {
    let key = SecretKey::from_slice(secret.expose()).unwrap();
    Secret::from_bytes(key.negate().secret_bytes())
}
