//! Answers of the original D-TA and of other people's libraries, reproduced bit for bit.
#![allow(clippy::unwrap_used)]

mod support;

use dta_crypto::{
    ContentKey, OrderKey, Recipient, Secret, Signature, hkdf, hosted_seed, open, recipients_match, seal,
};
use serde_json::Value;
use support::{cid, hex, identity};

fn vectors(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn crypto() -> Value {
    vectors(include_str!("../../../tests/vectors/crypto.json"))
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn key_of(secret: &Value) -> OrderKey {
    OrderKey::from_secret(Secret::from_bytes(hex(secret.as_str().unwrap()))).unwrap()
}

#[test]
fn hkdf_of_rfc_5869_with_empty_salt() {
    let okm: Secret<42> = hkdf(&[0x0b; 22], &[]);
    let expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8";
    assert_eq!(hex::encode(okm.expose()), expected);
    // Parts are joined, so where they are cut makes no difference.
    let one: Secret<32> = hkdf(b"key", &[b"ab", b"", b"c"]);
    assert_eq!(one.expose(), hkdf::<32>(b"key", &[b"abc"]).expose());
    assert_ne!(one.expose(), hkdf::<32>(b"key", &[b"abd"]).expose());
}

#[test]
fn the_originals_derivation() {
    let key = OrderKey::from_entropy(&hex::<16>("000102030405060708090a0b0c0d0e0f")).unwrap();
    let secret = "aef9737d5472303c32318fd6e33aade1fc3ac66159febaa02bd0f1a06834ba61";
    let public = "04ce9b978595558053580d557ff40f9f99a4f1a7609c25268863ee64de7e4abbda\
                  d899f36b68872d13348a8098ba6132fb0a0ec4150058a237c7bcaf66e4e16ca7";
    assert_eq!(hex::encode(key.secret().expose()), secret);
    assert_eq!(hex::encode(key.commitment()), public);
}

#[test]
fn the_originals_commitments() {
    let original = vectors(include_str!("../../../tests/vectors/original-vectors.json"));
    let mut checked = 0;
    for entry in ["milagro", "safeguardsecret"].iter().flat_map(|name| original[name].as_array().unwrap()) {
        if entry["secret"].is_null() {
            continue; // the original failed to release this one
        }
        assert_eq!(key_of(&entry["secret"]).commitment(), *bytes(&entry["commitment"]));
        checked += 1;
    }
    for entry in original["bitcoinwallet"].as_array().unwrap() {
        assert_eq!(key_of(&entry["secret"]).compressed(), *bytes(&entry["commitment"]));
        let fiduciary = key_of(&entry["fiduciarySecret"]);
        assert_eq!(fiduciary.commitment(), *bytes(&entry["fiduciaryCommitment"]));
        checked += 2;
    }
    assert_eq!(checked, 8);
}

#[test]
fn keys_and_signatures_of_other_libraries() {
    let crypto = crypto();
    for (fill, expected) in (1..).zip(crypto["identities"].as_array().unwrap()) {
        let keys = identity(fill);
        let public = keys.public();
        let message = bytes(&expected["message"]);
        assert_eq!(public.bls, *bytes(&expected["bls"]));
        assert_eq!(*public.ml_dsa, *bytes(&expected["ml_dsa"]));
        assert_eq!(*public.kem, *bytes(&expected["kem"]));
        assert_eq!(public.secp256k1, *bytes(&expected["secp256k1"]));
        assert_eq!(public.ed25519, *bytes(&expected["ed25519"]));
        assert_eq!(keys.bls_proof(), *bytes(&expected["bls_proof"]));
        let tag = "milagro-dta/v1/identity";
        assert_eq!(keys.secp256k1_sign(tag, &message), *bytes(&expected["secp256k1_signature"]));
        assert_eq!(keys.ed25519_sign(&message), *bytes(&expected["ed25519_signature"]));

        // ML-DSA signatures are hedged: ours differ from theirs, and theirs must verify here.
        let Signature(ours) = keys.sign(&message);
        assert_eq!(ours[..48], bytes(&expected["bls_signature"]));
        let theirs = [bytes(&expected["bls_signature"]), bytes(&expected["ml_dsa_signature"])].concat();
        let verifying = public.validate().unwrap();
        assert_eq!(verifying.verify(&message, &theirs.try_into().unwrap()), Ok(()));
        assert_eq!(verifying.verify(&message, &ours), Ok(()));
    }
}

#[test]
fn seeds_of_other_libraries() {
    let crypto = crypto();
    let hosted = hosted_seed(&Secret::from_bytes([1; 32]), &[9; 16]);
    assert_eq!(hosted.expose(), &*bytes(&crypto["hosted_seed"]));
    let order = OrderKey::from_seed(&Secret::from_bytes([8; 32]));
    assert_eq!(order.secret().expose(), &*bytes(&crypto["order"]["secret"]));
}

#[test]
fn a_body_sealed_by_another_library() {
    let sealed = &crypto()["sealed"];
    let (plaintext, aad, ciphertext) =
        (bytes(&sealed["plaintext"]), bytes(&sealed["aad"]), bytes(&sealed["ciphertext"]));
    let commit = hex(sealed["commit"].as_str().unwrap());
    let to: Vec<_> = sealed["to"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| Box::new(<[u8; 1168]>::try_from(bytes(entry)).unwrap()))
        .collect();
    let key = ContentKey::from_bytes(hex(sealed["content_key"].as_str().unwrap()));
    let identities = [identity(1), identity(2), identity(3)];
    let cids = [cid(1), cid(2), cid(3)];
    let validated = identities.each_ref().map(|keys| keys.public().validate().unwrap());
    let recipients: Vec<_> = validated.iter().zip(&cids).map(|(keys, cid)| Recipient { cid, keys }).collect();

    let ours = seal(&key, &plaintext, &aad, &cids[0], &recipients).unwrap();
    assert_eq!((ours.ciphertext, ours.commit), (ciphertext.clone(), commit));
    assert_eq!(ours.to, to);
    assert_eq!(recipients_match(&key, &cids[0], &recipients, &to), Ok(true));
    for (keys, cid) in identities.iter().zip(&cids) {
        let (opened, text) = open(keys, cid, &cids[0], &aad, &ciphertext, &commit, &to).ok().unwrap();
        assert_eq!(opened.expose(), key.expose());
        assert_eq!(text.expose(), plaintext);
    }
}
