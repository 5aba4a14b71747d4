use dta_crypto::ContentKey;
use dta_protocol::{Cid, Codec};

use super::*;

fn body(n: u8) -> Cid {
    Cid::of(Codec::Raw, &[n])
}

fn order() -> Cid {
    Cid::of(Codec::DagCbor, b"placed")
}

fn disclosure() -> Disclosure {
    let mut disclosure = Disclosure::new(order());
    disclosure.add_key(body(1), ContentKey::from_bytes([0xa1; 32]));
    disclosure.add_key(body(2), ContentKey::from_bytes([0xb2; 32]));
    disclosure.add_block(body(3), vec![3]);
    disclosure.add_block(Cid::of(Codec::DagCbor, b"document"), b"document".to_vec());
    disclosure
}

#[test]
fn a_disclosure_is_what_it_was() {
    for one in [disclosure(), Disclosure::new(order())] {
        let read = Disclosure::decode(&one.encode()).unwrap();
        assert_eq!(*read.encode(), *one.encode());
        assert_eq!(read.order(), order());
        assert_eq!(read.bodies().collect::<Vec<_>>(), one.bodies().collect::<Vec<_>>());
        for cid in one.bodies() {
            assert!(read.key(&cid).unwrap().expose() == one.key(&cid).unwrap().expose());
        }
        assert_eq!(read.blocks, one.blocks);
    }
}

#[test]
fn it_is_written_into_room_that_it_does_not_outgrow() {
    let mut most = Disclosure::new(order());
    for n in 0..64 {
        most.add_key(body(n), ContentKey::from_bytes([n; 32]));
    }
    most.add_block(body(3), vec![3; MAX_BLOCK_BYTES]);
    let blocks: usize = most.blocks.values().map(|block| 2 * block.len() + 80).sum();
    assert!(most.encode().len() <= 256 + 160 * most.keys.len() + blocks);
}

#[test]
fn what_is_none_is_refused_by_name() {
    let good = disclosure().encode().to_string();
    let changed = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        Disclosure::decode(&good.replacen(from, to, 1)).err().map(|error| error.code())
    };
    let a1 = "a1".repeat(32);
    let first = format!("\"{}\": \"{a1}\"", body(1));
    for (from, to, code) in [
        ("\"v\": 1", "\"v\": 2", "version-unsupported"),
        ("\"v\": 1", "\"v\": \"1\"", "disclosure-json"),
        ("\"v\": 1,", "", "disclosure-json"),
        ("\"v\": 1,", "\"v\": 1, \"v\": 1,", "disclosure-json"),
        ("\"v\": 1,", "\"v\": 1, \"more\": 1,", "disclosure-json"),
        ("\"keys\"", "\"Keys\"", "disclosure-json"),
        (&order().to_string(), &body(1).to_string(), "disclosure-cid"),
        (&order().to_string(), "", "disclosure-cid"),
        (&body(1).to_string(), &order().to_string(), "disclosure-cid"),
        (&body(1).to_string(), &body(1).to_string().to_uppercase(), "disclosure-cid"),
        (&first, &format!("{first}, {first}"), "disclosure-json"),
        (&a1, &a1.to_uppercase(), "disclosure-key"),
        (&a1, &a1[1..], "disclosure-key"),
        (&a1, &format!("{a1}00"), "disclosure-key"),
        (&a1, "", "disclosure-key"),
        (&a1, &format!("\\u0061{}", &a1[1..]), "disclosure-json"),
        ("\"03\"", "\"04\"", "disclosure-block"),
        ("\"03\"", "\"\"", "disclosure-block"),
        ("\"03\"", "\"0\"", "disclosure-block"),
        ("\"03\"", "\"0g\"", "disclosure-block"),
        ("\"03\"", "3", "disclosure-json"),
    ] {
        assert_eq!(changed(from, to), Some(code), "{from} -> {to}");
    }
    for text in ["", "null", "[]", "{}", &format!("{good}x"), &good[..good.len() - 3]] {
        assert_eq!(Disclosure::decode(text).err().unwrap().code(), "disclosure-json", "{text:?}");
    }
    let long = " ".repeat(MAX_DISCLOSURE_BYTES + 1);
    assert_eq!(Disclosure::decode(&long).err().unwrap().code(), "disclosure-too-large");
    let mut many = disclosure();
    for n in 0..=64 {
        many.add_key(body(n), ContentKey::from_bytes([n; 32]));
    }
    assert_eq!(Disclosure::decode(&many.encode()).err().unwrap().code(), "disclosure-limit");
    let mut many = disclosure();
    for n in 0..=8 {
        many.add_block(body(n), vec![n]);
    }
    assert_eq!(Disclosure::decode(&many.encode()).err().unwrap().code(), "disclosure-limit");
    let mut large = Disclosure::new(order());
    large.add_block(Cid::of(Codec::Raw, &[0; 256 * 1024 + 1]), vec![0; 256 * 1024 + 1]);
    assert_eq!(Disclosure::decode(&large.encode()).err().unwrap().code(), "disclosure-block");
}

#[test]
fn an_error_says_nothing_of_a_key() {
    let secret = "5e".repeat(31);
    let text = disclosure().encode().replacen(&"a1".repeat(32), &secret, 1);
    let error = Disclosure::decode(&text).err().unwrap();
    assert!(!error.to_string().contains("5e5e"), "{error}");
    let error = Disclosure::decode(&text.replacen(&format!("\"{secret}\""), &secret, 1)).err().unwrap();
    assert!(!error.to_string().contains("5e5e"), "{error}");
}
