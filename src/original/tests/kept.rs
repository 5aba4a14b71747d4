//! The fixture taken over, and again; files that are damaged, and another node's seed.

use std::collections::BTreeMap;

use dta_crypto::{Entropy, Secret, original_ec_key};
use serde_json::Value;

use super::{BOB, NODE, expected, folder};
use crate::kept::list;
use crate::{Answer, Check, Judged, Kept, KeptError, Taken, judge};

/// Counts, so that no nonce comes twice.
struct Counter(u64);

impl Entropy for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
        self.0 += 1;
        bytes[..8].copy_from_slice(&self.0.to_le_bytes());
    }
}

fn answers() -> BTreeMap<String, Answer> {
    crate::answers::parse(&std::fs::read(folder().join("answers.json")).unwrap()).unwrap()
}

fn judged(answers: BTreeMap<String, Answer>) -> Judged {
    let read = crate::read(&folder().join("home")).unwrap();
    judge(read.identities, read.orders, answers, &mut |_, _| ())
}

fn seed() -> Secret<32> {
    Secret::from_bytes([7; 32])
}

fn open(file: &[u8]) -> Kept {
    Kept::parse(file, &seed()).unwrap()
}

/// What a file becomes; none is there if it is empty.
fn take(file: &[u8], judged: &Judged) -> Result<(Taken, Vec<u8>), KeptError> {
    let mut kept = if file.is_empty() { Kept::new(&seed()) } else { open(file) };
    let taken = kept.take(judged, &mut Counter(file.len() as u64))?;
    Ok((taken, kept.to_json().unwrap()))
}

fn refused(file: &[u8], judged: &Judged) -> String {
    take(file, judged).err().unwrap().to_string()
}

#[test]
fn every_order_and_key_is_there_again() {
    let judged = judged(answers());
    assert_eq!((judged.orders(), &judged.elsewhere[..]), (301, &["elsewhere".to_owned()][..]));
    let (taken, file) = take(b"", &judged).unwrap();
    assert_eq!(taken, Taken { identities: 3, orders: 301, ..Taken::default() });

    let original = open(&file);
    let expected = expected();
    let node = original.ec_key().unwrap().unwrap();
    assert_eq!(hex::encode(node.secret().expose()), expected["nodeECSecret"].as_str().unwrap());
    let bob = original.ec_key_of(BOB).unwrap().unwrap();
    assert_eq!(hex::encode(bob.compressed()), expected["bobECPublicKey"].as_str().unwrap());
    assert!(original.ec_key_of("nobody").unwrap().is_none() && original.order("none").unwrap().is_none());
    for known in expected["orders"].as_array().unwrap() {
        let order = original.order(known["reference"].as_str().unwrap()).unwrap().unwrap();
        assert_eq!(hex::encode(order.key().secret().expose()), known["secret"].as_str().unwrap());
        assert_eq!(order.listed.commitment, known["commitment"].as_str().unwrap());
        if order.listed.checked == Check::Sum {
            assert_eq!(order.listed.addend.as_deref(), Some(BOB));
            assert_eq!(order.listed.promised, Some(hex::encode(order.redeemed().compressed())));
            assert_eq!(order.listed.coin.as_deref(), Some("0"));
        }
    }
    let checks: Vec<_> = list(&file).unwrap().iter().map(|order| order.checked).collect();
    assert_eq!(checks.iter().filter(|check| **check == Check::Unchecked).count(), 281);
    assert!(list(&file).unwrap().is_sorted_by(|a, b| a.reference < b.reference));
}

#[test]
fn no_secret_stands_in_the_file() {
    let file = String::from_utf8(take(b"", &judged(answers())).unwrap().1).unwrap();
    let read = crate::read(&folder().join("home")).unwrap();
    for identity in &read.identities {
        assert!(!file.contains(&hex::encode(identity.seed.expose())));
        assert!(
            !file.contains(&hex::encode(original_ec_key(identity.seed.expose()).unwrap().secret().expose()))
        );
    }
    for order in &read.orders {
        let Some(key) = order.key() else { continue };
        assert!(!file.contains(&hex::encode(order.seed.as_ref().unwrap().expose())));
        assert!(!file.contains(&hex::encode(key.secret().expose())));
    }
}

#[test]
fn again_changes_nothing_and_answers_that_come_later_are_learnt() {
    let (_, before) = take(b"", &judged(BTreeMap::new())).unwrap();
    let (again, after) = take(&before, &judged(BTreeMap::new())).unwrap();
    assert_eq!(again, Taken { known: 304, ..Taken::default() });
    assert!(before == after);
    let (learnt, file) = take(&before, &judged(answers())).unwrap();
    assert_eq!((learnt.orders, learnt.learnt), (0, 20));
    // What is known is not forgotten by a run without answers.
    let (again, after) = take(&file, &judged(BTreeMap::new())).unwrap();
    assert!(again.learnt == 0 && after == file);
    assert_eq!(list(&file).unwrap().iter().filter(|order| order.checked == Check::Matches).count(), 17);
}

#[test]
fn another_entry_of_the_same_name_is_never_written_over() {
    let (_, file) = take(b"", &judged(answers())).unwrap();
    let read = || crate::read(&folder().join("home")).unwrap();
    let mut other = read();
    let reference = other.orders[5].reference.clone();
    other.orders[5].seed = Some(Secret::from_bytes([9; 32]));
    let told = refused(&file, &judge(other.identities, other.orders, BTreeMap::new(), &mut |_, _| ()));
    assert!(told.contains(&format!("order {reference} was taken over before with another seed")), "{told}");

    let mut other = read();
    other.identities[0].seed = dta_crypto::SecretBytes::new(vec![9; 48]);
    let told = refused(&file, &judge(other.identities, other.orders, BTreeMap::new(), &mut |_, _| ()));
    assert!(told.contains(&format!("identity {NODE} was taken over before with another key")), "{told}");

    let mut answers = answers();
    for answer in answers.values_mut() {
        answer.commitment.reverse();
    }
    let told = refused(&file, &judged(answers));
    assert!(told.contains("with another commitment from its client"), "{told}");
}

#[test]
fn what_is_said_of_an_entry_is_bound_to_its_seed() {
    let whole: Value = serde_json::from_slice(&take(b"", &judged(answers())).unwrap().1).unwrap();
    let orders = whole["orders"].as_array().unwrap();
    let at = orders.iter().position(|order| order["checked"] == "sum").unwrap();
    let reference = orders[at]["reference"].as_str().unwrap();
    let other = orders[at - 1]["seed"].clone();
    for (field, value) in [
        ("commitment", "04".repeat(65).into()),
        ("checked", "matches".into()),
        ("promised", "02".repeat(33).into()),
        ("addend", NODE.into()),
        ("document", "Qm".into()),
        ("beneficiary", "Qm".into()),
        ("coin", "1".into()),
        ("changed", Value::Null),
        ("seed", other),
    ] {
        let mut changed = whole.clone();
        changed["orders"][at][field] = value;
        let told = open(changed.to_string().as_bytes()).order(reference).err().unwrap().to_string();
        assert!(told.contains(&format!("order {reference} does not open")), "{field}: {told}");
    }
    let mut changed = whole.clone();
    for identity in changed["identities"].as_array_mut().unwrap() {
        identity["ofNode"] = (identity["cid"] == BOB).into();
    }
    assert!(open(changed.to_string().as_bytes()).ec_key().is_err());
    let another = Kept::parse(whole.to_string().as_bytes(), &Secret::from_bytes([8; 32])).unwrap();
    assert!(another.order(reference).is_err(), "another node's seed");
}

#[test]
fn files_that_are_none() {
    for text in
        ["", "{}", "{\"format\":1}", "{\"format\":1,\"identities\":[],\"orders\":[],\"more\":1}", "[1"]
    {
        assert_eq!(Kept::parse(text.as_bytes(), &seed()).err(), Some(KeptError::Damaged), "{text}");
    }
    assert_eq!(list(b"{\"format\":2}"), Err(KeptError::Newer(2)));
}
