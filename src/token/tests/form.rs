//! What tokens do with the IV, and which keys may serve; pure.

use cryptoki::object::{Attribute, KeyType};

use super::*;
use crate::algorithm::{pack_gcm, unpack_gcm};
use crate::key::unfit;

#[test]
fn an_iv_is_stored_as_the_token_took_it() {
    let given = [1; 12];
    let sealed = [5; 80];
    let packed = |after: &[u8], ciphertext: &[u8]| pack_gcm(&given, after, ciphertext.to_vec(), 64);
    let kept = packed(&given, &sealed).unwrap();
    assert_eq!(unpack_gcm(&kept).unwrap(), (given.to_vec(), &sealed[..]));
    let written_back = packed(&[2; 12], &sealed).unwrap();
    assert_eq!(unpack_gcm(&written_back).unwrap(), (vec![2; 12], &sealed[..]));
    let appended = packed(&given, &[&sealed[..], &[3; 16]].concat()).unwrap();
    assert_eq!(unpack_gcm(&appended).unwrap(), (vec![3; 16], &sealed[..]));
    assert!(appended.len() <= crate::WRAPPED_MAX_BYTES);
    for (after, ciphertext) in [
        (&given[..], vec![5; 79]),
        (&given, vec![5; 85]),
        (&given, vec![5; 80 + 33]),
        (&[2; 12], vec![5; 92]),
        // Zeros: nothing of its own, and the next one would be the same.
        (&[0; 12], vec![5; 80]),
    ] {
        assert_eq!(code(packed(after, &ciphertext)), "token-failed");
    }
    for wrapped in [&[][..], &[12], &[11; 60], &[40; 90], &[12; 20]] {
        assert_eq!(code(unpack_gcm(wrapped)), "token-refused");
    }
}

#[test]
fn a_key_that_could_give_itself_away_is_no_kek() {
    use Algorithm::{AesGcm, HmacKdf};
    let cases = [
        (AesGcm, Attribute::Sensitive(false), "CKA_SENSITIVE"),
        (HmacKdf, Attribute::Extractable(true), "CKA_EXTRACTABLE"),
        (AesGcm, Attribute::Wrap(true), "wrap"),
        (AesGcm, Attribute::Unwrap(true), "wrap"),
        (AesGcm, Attribute::KeyType(KeyType::GENERIC_SECRET), "CKA_KEY_TYPE"),
        (HmacKdf, Attribute::KeyType(KeyType::AES), "CKA_KEY_TYPE"),
        (AesGcm, Attribute::ValueLen(16.into()), "16 bytes"),
    ];
    for (algorithm, attribute, named) in cases {
        let why = unfit(&[Attribute::Sensitive(true), attribute], algorithm).unwrap();
        assert!(why.contains(named), "{why}");
    }
    let fit = [Attribute::Sensitive(true), Attribute::Extractable(false), Attribute::ValueLen(32.into())];
    assert_eq!(unfit(&fit, AesGcm), None);
    assert_eq!(unfit(&[Attribute::KeyType(KeyType::SHA256_HMAC)], HmacKdf), None);
}
