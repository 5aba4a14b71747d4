//! ECIES: the original's answers, the scheme written a second time, and everything that must not open.

use aes::Aes128;
use cbc::cipher::block_padding::{NoPadding, Pkcs7};
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use dta_crypto::{Entropy, OrderKey, Secret};
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::{NO_POINTS, ORDER, Repeatable, hex, key, original, secret, text};
use crate::ecies::{EciesError, PLAINTEXT_MAX_BYTES, Sealed, decrypt, encrypt};

#[test]
fn what_the_original_sealed_opens() {
    let mut opened = 0;
    for vector in original("safeguardsecret") {
        let sealed =
            Sealed::from_fields(text(&vector["cypherText"]), text(&vector["v"]), text(&vector["t"])).unwrap();
        let fields = sealed.to_fields();
        assert_eq!((&*fields.cypher_text, &*fields.v), (text(&vector["cypherText"]), text(&vector["v"])));
        assert_eq!(fields.t, text(&vector["t"]));
        if vector["secret"].is_null() {
            // The empty text: no block at all. The original never released the key that would open it.
            assert!(sealed.c.is_empty());
            continue;
        }
        let secret = secret(text(&vector["secret"]));
        assert_eq!(open(&secret, &sealed).as_deref(), Ok(text(&vector["plainText"]).as_bytes()));
        opened += 1;
    }
    assert_eq!(opened, 3);
}

#[test]
fn the_originals_texts_do_not_open_when_anything_is_changed() {
    for vector in original("safeguardsecret").iter().filter(|vector| !vector["secret"].is_null()) {
        let sealed =
            Sealed::from_fields(text(&vector["cypherText"]), text(&vector["v"]), text(&vector["t"])).unwrap();
        no_change_opens(&secret(text(&vector["secret"])), &sealed);
    }
}

#[test]
fn texts_of_all_lengths_around_blocks_and_limits_come_back() {
    let (key, mut entropy) = (key(9), Repeatable::default());
    for length in (0..=65).chain([4_095, 4_096, PLAINTEXT_MAX_BYTES - 1, PLAINTEXT_MAX_BYTES]) {
        let plain: Vec<u8> = (0..length).map(|i| i as u8).collect();
        let sealed = encrypt(&key.commitment(), &plain, &mut entropy).unwrap();
        assert_eq!(sealed.c.len(), length / 16 * 16 + 16);
        assert_eq!(open(key.secret(), &sealed), Ok(plain));
        let fields = sealed.to_fields();
        assert_eq!(Sealed::from_fields(&fields.cypher_text, &fields.v, &fields.t), Ok(sealed));
    }
}

#[test]
fn no_change_of_what_we_seal_opens() {
    let (key, mut entropy) = (key(9), Repeatable::default());
    for plain in [&b""[..], b"a", b"exactly sixteen!", &[0x10; 32]] {
        no_change_opens(key.secret(), &encrypt(&key.commitment(), plain, &mut entropy).unwrap());
    }
}

#[test]
fn each_sealing_draws_one_scalar_and_is_another() {
    let mut entropy = Repeatable::default();
    let first = encrypt(&key(9).commitment(), b"text", &mut entropy).unwrap();
    assert_eq!(entropy.drawn, 32);
    let second = encrypt(&key(9).commitment(), b"text", &mut entropy).unwrap();
    assert_eq!(entropy.drawn, 64);
    assert!(first.v != second.v && first.c != second.c && first.t != second.t);
}

#[test]
fn it_opens_with_no_other_key() {
    let sealed = encrypt(&key(9).commitment(), b"text", &mut Repeatable::default()).unwrap();
    let mut one_more = [9; 32];
    one_more[31] += 1;
    for other in [[8; 32], one_more, [0; 32], [0xff; 32], hex(ORDER)] {
        assert_eq!(open(&Secret::from_bytes(other), &sealed), Err(EciesError::Open));
    }
}

#[test]
fn nothing_is_sealed_to_what_is_no_point() {
    for (name, sec1, _) in NO_POINTS {
        let Ok(sec1) = hex::decode(sec1).unwrap().try_into() else { continue };
        let mut entropy = Repeatable::default();
        assert_eq!(encrypt(&sec1, b"text", &mut entropy), Err(EciesError::Recipient), "{name}");
        assert_eq!(entropy.drawn, 0);
    }
}

#[test]
fn a_text_beyond_the_limit_is_not_sealed() {
    let long = vec![0; PLAINTEXT_MAX_BYTES + 1];
    let sealed = encrypt(&key(9).commitment(), &long, &mut Repeatable::default());
    assert_eq!(sealed, Err(EciesError::PlaintextLength));
}

#[test]
fn randomness_that_is_no_scalar_is_not_used() {
    struct Broken([u8; 32]);
    impl Entropy for Broken {
        fn fill(&mut self, bytes: &mut [u8]) {
            bytes.copy_from_slice(&self.0);
        }
    }
    for bytes in [[0; 32], [0xff; 32], hex(ORDER)] {
        assert_eq!(encrypt(&key(9).commitment(), b"text", &mut Broken(bytes)), Err(EciesError::Entropy));
    }
}

#[test]
fn the_scheme_written_again_seals_the_same() {
    for plain in [&b""[..], b"a", b"exactly sixteen!", b"exactly sixteen! and more"] {
        let ours = encrypt(&key(9).commitment(), plain, &mut Repeatable::default()).unwrap();
        let mut once = [0; 32];
        Repeatable::default().fill(&mut once);
        assert_eq!(ours, by_hand(once, &key(9), |cipher| cipher.encrypt_padded_vec::<Pkcs7>(plain)));
    }
}

#[test]
fn the_empty_text_opens_as_the_original_seals_it() {
    let sealed = by_hand([5; 32], &key(9), |_| Vec::new());
    assert_eq!(open(key(9).secret(), &sealed), Ok(Vec::new()));
    no_change_opens(key(9).secret(), &sealed);
}

#[test]
fn padding_that_its_sender_made_wrong_does_not_open_and_says_no_more_than_a_wrong_tag() {
    let last = |last: &[u8]| {
        let mut block = [7; 16];
        block[16 - last.len()..].copy_from_slice(last);
        by_hand([5; 32], &key(9), |cipher| cipher.encrypt_padded_vec::<NoPadding>(&block))
    };
    assert_eq!(open(key(9).secret(), &last(&[1])), Ok(vec![7; 15]));
    assert_eq!(open(key(9).secret(), &last(&[3, 3, 3])), Ok(vec![7; 13]));
    assert_eq!(open(key(9).secret(), &last(&[16; 16])), Ok(vec![]));
    for wrong in
        [&[0][..], &[17], &[255], &[2], &[1, 2], &[3, 2, 3], &[2, 3, 3], &[0; 16], &[17; 16], &[15; 14]]
    {
        assert_eq!(open(key(9).secret(), &last(wrong)), Err(EciesError::Open), "{wrong:?}");
    }
}

#[test]
fn parts_of_blocks_do_not_open_though_their_sender_made_them() {
    for length in [1, 15, 17, 31, 33] {
        let sealed = by_hand([5; 32], &key(9), |_| vec![0; length]);
        assert_eq!(open(key(9).secret(), &sealed), Err(EciesError::Open), "{length}");
    }
}

proptest! {
    #[test]
    fn what_is_sealed_to_a_key_opens_with_it(secret in prop::array::uniform32(1..0xfe_u8), once: [u8; 32], plain: Vec<u8>) {
        struct Once([u8; 32]);
        impl Entropy for Once {
            fn fill(&mut self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.0);
            }
        }
        let key = OrderKey::from_secret(Secret::from_bytes(secret)).unwrap();
        let sealed = encrypt(&key.commitment(), &plain, &mut Once(once)).unwrap();
        prop_assert_eq!(open(key.secret(), &sealed), Ok(plain));
    }
}

fn open(key: &Secret<32>, sealed: &Sealed) -> Result<Vec<u8>, EciesError> {
    decrypt(key, sealed).map(|plain| plain.expose().to_vec())
}

/// Every bit and all bits of every byte; everything cut, and lengthened; another key in `v`.
fn no_change_opens(key: &Secret<32>, sealed: &Sealed) {
    assert!(open(key, sealed).is_ok());
    let refused = |change: &dyn Fn(&mut Sealed), what: &str| {
        let mut changed = sealed.clone();
        change(&mut changed);
        assert!(changed != *sealed, "{what}");
        assert_eq!(open(key, &changed), Err(EciesError::Open), "{what}");
    };
    for mask in (0..8).map(|bit| 1 << bit).chain([0xff]) {
        (0..65).for_each(|at| refused(&|sealed| sealed.v[at] ^= mask, &format!("v[{at}] ^ {mask}")));
        (0..sealed.c.len())
            .for_each(|at| refused(&|sealed| sealed.c[at] ^= mask, &format!("c[{at}] ^ {mask}")));
        (0..12).for_each(|at| refused(&|sealed| sealed.t[at] ^= mask, &format!("t[{at}] ^ {mask}")));
    }
    for length in 0..sealed.c.len() {
        refused(&|sealed| sealed.c.truncate(length), &format!("c cut to {length}"));
    }
    for more in [1, 15, 16, 32] {
        refused(&|sealed| sealed.c.extend(vec![0; more]), &format!("{more} bytes after c"));
    }
    // What the tag of an empty c covers, and by the standard that of any.
    refused(&|sealed| sealed.c.extend([0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 4]), "P2 and L2 after c");
    refused(&|sealed| sealed.c.splice(0..0, [0; 16]).for_each(drop), "a block before c");

    // The opposite point has the same x, and with it the same Z.
    let opposite = k256::PublicKey::from_sec1_bytes(&sealed.v).unwrap().to_projective();
    let opposite = crate::keys::PublicPoint::of_projective(-opposite).unwrap().uncompressed();
    refused(&|sealed| sealed.v = opposite, "v negated");
    refused(&|sealed| sealed.v = super::key(77).commitment(), "another v");
    for (name, sec1, _) in NO_POINTS {
        if let Ok(v) = hex::decode(sec1).unwrap().try_into() {
            refused(&|sealed| sealed.v = v, name);
        }
    }
}

/// Sealed to `to` with the scalar `once`, as the module's comment has it; `encrypt` is given the cipher, and may make of it what
/// no sender of good will makes.
fn by_hand(once: [u8; 32], to: &OrderKey, encrypt: impl FnOnce(cbc::Encryptor<Aes128>) -> Vec<u8>) -> Sealed {
    use ::bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey, ecdh};

    let once = SecretKey::from_slice(&once).unwrap();
    let v = PublicKey::from_secret_key(&Secp256k1::new(), &once).serialize_uncompressed();
    let shared = ecdh::shared_secret_point(&PublicKey::from_slice(&to.commitment()).unwrap(), &once);
    let k = Sha256::digest([&v[..], &shared[..32], &[0, 0, 0, 1], &[0, 1, 2]].concat());
    let c = encrypt(cbc::Encryptor::new_from_slices(&k[..16], &[0; 16]).unwrap());
    let mac = Hmac::<Sha256>::new_from_slice(&k[16..]).unwrap();
    let tagged = if c.is_empty() { &[0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 4] } else { &c[..] };
    let t = mac.chain_update(tagged).finalize().into_bytes();
    Sealed { v, c, t: t[..12].try_into().unwrap() }
}
