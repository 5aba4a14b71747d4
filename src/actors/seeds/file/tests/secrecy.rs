//! Nothing readable on disk, nothing left of what was shredded, and a format that stays what it is.

use super::*;
use sha2::{Digest, Sha256};

/// RFC 4648 without padding, to search for it.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bit = |n: usize| usize::from(bytes[n / 8] >> (7 - n % 8) & 1);
    let digit = |n: usize| DIGITS[(n * 6..n * 6 + 6).fold(0, |value, at| value << 1 | bit(at))] as char;
    (0..bytes.len() * 8 / 6).map(digit).collect()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn no_seed_key_or_kek_is_readable_in_a_file() {
    assert_eq!(base64(b"Man is"), "TWFuIGlz");
    let home = Home::empty(1);
    let mut entropy = TestEntropy::new("recorded");
    let node = node_seed("node");
    let mut store = home.create_with(&mut entropy).unwrap();
    let orders = [cid("alice 1"), cid("alice 2")];
    let keys = store.create(&orders, &mut entropy);
    let mut secrets = entropy.secrets();
    assert_eq!(secrets.len(), 3, "the KEK and two seeds");
    secrets.push(node.expose().to_vec());
    secrets.extend(keys.into_iter().map(|key| key.unwrap().secret().expose().to_vec()));
    for n in 0..2 {
        let file = home.bytes(n);
        // The search finds what is there: the name of an order.
        assert!(contains(&file, &orders[1]));
        for secret in &secrets {
            for part in secret.chunks(9).filter(|part| part.len() == 9) {
                assert!(!contains(&file, part), "raw");
                assert!(!contains(&file, hex::encode(part).as_bytes()), "hex");
                assert!(!contains(&file, hex::encode_upper(part).as_bytes()), "upper-case hex");
            }
            for shift in 0..3 {
                assert!(!contains(&file, &base64(&secret[shift..shift + 9]).as_bytes()[..12]), "base64");
            }
        }
    }
}

#[test]
fn nothing_is_left_of_a_shredded_seed_in_the_file() {
    let home = Home::new(1);
    let commitment = home.order("alice 1");
    let sealed = home.bytes(0)[at(0) + 124..at(0) + 216].to_vec();
    assert!(contains(&home.bytes(1), &sealed));
    home.store().shred(&cid("alice 1")).unwrap();
    for n in 0..2 {
        assert!(!contains(&home.bytes(n), &sealed[..12]));
        assert!(!contains(&home.bytes(n), &sealed[12..28]));
        assert!(!contains(&home.bytes(n), &commitment[1..]));
    }
}

#[test]
fn nonces_and_ciphertexts_do_not_repeat() {
    let home = Home::new(0);
    let orders: Vec<_> = (0..20).map(|n| cid(&n.to_string())).collect();
    home.store().create(&orders, &mut TestEntropy::new("order"));
    let file = home.bytes(0);
    let sealed: std::collections::HashSet<_> =
        (0..20).map(|slot| file[at(slot) + 124..at(slot) + 136].to_vec()).collect();
    assert_eq!(sealed.len(), 20);
}

#[test]
fn errors_and_status_tell_no_secret() {
    let home = Home::new(0);
    let key = home.store().create(&[cid("alice 1")], &mut TestEntropy::new("order")).remove(0).unwrap();
    home.change(0, |bytes| bytes[at(0) + 120] ^= 1);
    let mut store = home.store();
    let error = open(&mut store, "alice 1").unwrap_err();
    let told = format!("{error} {error:?} {:?} {:?}", store.status(), store.list());
    assert!(!told.contains(&hex::encode(&key.secret().expose()[..4])));
}

/// The layout is frozen. Files of it, with one KEK and after a rotation, were read and their seeds opened by an implementation in another
/// language (Python `cryptography`, and BIP32 by hand), written from the comments of `header`, `slot`, `vault` and `kek/soft`.
#[test]
fn the_format_stays() {
    let home = Home::empty(0);
    let mut entropy = TestEntropy::new("golden");
    let mut store = home.create_with(&mut entropy).unwrap();
    store.create(&[cid("alice 1"), cid("alice 2")], &mut entropy);
    store.shred(&cid("alice 2")).unwrap();
    assert_eq!(
        hex::encode(Sha256::digest(home.bytes(0))),
        "1d258b54e6ca5d6a0f5f57d5652d6f9e57cce376e0774db4b4778080b5e96d6f"
    );
}
