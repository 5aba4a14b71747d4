//! The rules of an identity and the bytes that its history is stored in.

use dta_crypto::{IdentityKeys, Secret};
use dta_protocol::Identity as Document;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::codec;
use crate::record::Stored;
use crate::stored::StoredError;
use crate::stored::golden::{check, cid, link, number, text, variant};

fn known(byte: u8, name: &str) -> Known {
    Known {
        cid: cid(byte),
        name: name.into(),
        issued_at_ms: 5,
        bls: [0xb1; 96],
        kem: vec![0xce; 1216],
        secp256k1: [2; 33],
        ed25519: [0xed; 32],
        key_claims: vec![[1; 32], [2; 32]],
        supersedes: None,
    }
}

fn create(name: &str) -> Command {
    Command::Create { name: name.into(), uuid: Some([7; 16]) }
}

fn learn(byte: u8) -> Command {
    Command::Learn { cid: cid(byte) }
}

fn given(events: &[Event]) -> Identity {
    events.iter().fold(Identity::default(), Identity::apply)
}

/// In one word: the name of what happened, `done`, or the code of the rejection.
fn word(identity: &Identity, command: &Command) -> &'static str {
    match identity.decide(command, Some(known(1, "alice"))).as_deref() {
        Ok([]) => "done",
        Ok([Event::Created { .. }]) => "created",
        Ok([Event::Learned { .. }]) => "learned",
        Ok(_) => "more",
        Err(rejection) => rejection.code(),
    }
}

#[test]
fn every_standing_and_every_command() {
    let learned = Event::Learned { known: known(1, "alice") };
    let created = Event::Created { known: known(1, "alice"), uuid: None };
    let table = [
        (vec![], "created", "learned"),
        (vec![learned.clone()], "identity-exists", "done"),
        (vec![created.clone()], "identity-exists", "done"),
        (vec![created, learned], "identity-exists", "done"),
    ];
    for (events, on_create, on_learn) in table {
        let identity = given(&events);
        assert_eq!(word(&identity, &create("alice")), on_create, "{events:?}");
        assert_eq!(word(&identity, &learn(1)), on_learn, "{events:?}");
    }
}

#[test]
fn a_hosted_identity_stays_hosted() {
    let created = Event::Created { known: known(1, "alice"), uuid: Some([7; 16]) };
    let hosted = given(&[created]);
    assert_eq!((hosted.standing, hosted.uuid), (Standing::Hosted, Some([7; 16])));
    assert_eq!(hosted.clone().apply(&Event::Learned { known: known(2, "mallory") }), hosted);
    let learned = given(&[Event::Learned { known: known(1, "alice") }]);
    assert_eq!((learned.standing, learned.uuid), (Standing::Learned, None));
    assert_eq!(learned.clone().apply(&Event::Learned { known: known(2, "mallory") }), learned);
}

#[test]
fn the_document_must_be_the_one_that_was_prepared() {
    let nobody = Identity::default();
    assert_eq!(nobody.prepare(&create("alice")), Ok(Work::Create));
    assert_eq!(nobody.prepare(&learn(1)), Ok(Work::Verify));
    for document in [None, Some(known(1, "mallory"))] {
        assert_eq!(nobody.decide(&create("alice"), document), Err(Rejection::NotAsPrepared));
    }
    for document in [None, Some(known(2, "alice"))] {
        assert_eq!(nobody.decide(&learn(1), document), Err(Rejection::NotAsPrepared));
    }
    let document = known(1, "alice");
    let created = Event::Created { known: document.clone(), uuid: Some([7; 16]) };
    assert_eq!(nobody.decide(&create("alice"), Some(document)), Ok(vec![created]));
}

#[test]
fn a_name_is_1_to_128_bytes_that_deceive_nobody() {
    let longest = "x".repeat(128);
    for name in ["a", "alice", "Ælfgifu", "愛麗絲", "alice & bob", longest.as_str()] {
        assert_eq!(check_name(name), Ok(()), "{name:?}");
    }
    let (longer, wide) = ("x".repeat(129), "愛".repeat(43));
    for name in ["", longer.as_str(), wide.as_str()] {
        assert_eq!(check_name(name).map_err(|rejection| rejection.code()), Err("name-length"), "{name:?}");
        assert_eq!(word(&Identity::default(), &create(name)), "name-length");
    }
    for character in ['\0', '\n', '\t', '\u{7f}', '\u{85}', '\u{202e}', '\u{2066}', '\u{2069}', '\u{200f}'] {
        let name = format!("ali{character}ce");
        assert_eq!(check_name(&name), Err(Rejection::NameCharacter), "{name:?}");
        assert_eq!(word(&Identity::default(), &create(&name)), "name-character");
    }
}

/// A claim as ids.rs describes it, computed without it.
fn expected_claim(label: &str, key: &[u8]) -> [u8; 32] {
    let parts =
        [&(label.len() as u64).to_be_bytes()[..], label.as_bytes(), &(key.len() as u64).to_be_bytes(), key];
    Sha256::digest(parts.concat()).into()
}

#[test]
fn a_document_claims_each_of_its_keys() {
    let keys = IdentityKeys::from_seed(&Secret::from_bytes([3; 32]));
    let document = Document::create(&keys, "alice", Some(cid(9)), None, 77).unwrap();
    let known = Known::of(&document);
    let public = document.public();
    assert_eq!((known.cid, known.name.as_str(), known.issued_at_ms), (document.cid(), "alice", 77));
    assert_eq!(known.supersedes, Some(cid(9)));
    assert_eq!((known.bls, known.secp256k1, known.ed25519), (public.bls, public.secp256k1, public.ed25519));
    assert_eq!(known.kem, public.kem.to_vec());
    let expected = [
        expected_claim("bls", &public.bls),
        expected_claim("ml-dsa", public.ml_dsa.as_slice()),
        expected_claim("secp256k1", &public.secp256k1),
        expected_claim("ed25519", &public.ed25519),
    ];
    assert_eq!(known.key_claims, expected);
    // The same keys under another name are another document that claims the same.
    let again = Known::of(&Document::create(&keys, "mallory", None, None, 78).unwrap());
    assert_ne!(again.cid, known.cid);
    assert_eq!(again.key_claims, known.key_claims);
    let others = IdentityKeys::from_seed(&Secret::from_bytes([4; 32]));
    let others = Known::of(&Document::create(&others, "alice", None, None, 77).unwrap());
    assert!(others.key_claims.iter().all(|claim| !known.key_claims.contains(claim)));
}

#[test]
fn events_are_frozen() {
    for supersedes in [None, Some(cid(9))] {
        let known = Known { supersedes, ..known(1, "alice") };
        let document = [
            link(1),
            text("alice"),
            number(5),
            hex::encode([0xb1; 96]),
            text([0xce; 1216]),
            hex::encode([2; 33]),
            hex::encode([0xed; 32]),
            number(2) + &hex::encode([1; 32]) + &hex::encode([2; 32]),
            supersedes.map_or("00".to_owned(), |_| "01".to_owned() + &link(9)),
        ]
        .concat();
        for (uuid, bytes) in [(None, "00".to_owned()), (Some([7; 16]), "01".to_owned() + &"07".repeat(16))] {
            let event = Event::Created { known: known.clone(), uuid };
            let golden = [document.clone(), bytes];
            check(&event, event.to_stored().unwrap(), "identity/created", &golden, Event::from_stored);
        }
        let event = Event::Learned { known };
        check(&event, event.to_stored().unwrap(), "identity/learned", &[document], Event::from_stored);
    }
}

#[test]
fn commands_are_frozen() {
    let cases = [
        (create("alice"), "identity/create", variant(0) + &text("alice") + "01" + &"07".repeat(16)),
        (
            Command::Create { name: "bob".into(), uuid: None },
            "identity/create",
            variant(0) + &text("bob") + "00",
        ),
        (learn(1), "identity/learn", variant(1) + &link(1)),
    ];
    for (command, name, golden) in cases {
        let read = |stored: &Stored| match (stored.name.as_str(), stored.schema) {
            (known, 1) if known == name => Ok(codec::decode::<Command>(&stored.bytes)?),
            _ => Err(StoredError::unknown(stored)),
        };
        check(&command, command.to_stored().unwrap(), name, &[golden], read);
    }
}

proptest! {
    #[test]
    fn anything_can_be_asked_and_applied(
        name in ".{0,140}",
        events in prop::collection::vec((any::<bool>(), 0u8..3), 0..6),
        offered in prop::option::of(0u8..3),
    ) {
        let events: Vec<Event> = events
            .into_iter()
            .map(|(learned, byte)| match known(byte, &name) {
                known if learned => Event::Learned { known },
                known => Event::Created { known, uuid: None },
            })
            .collect();
        let identity = given(&events);
        for command in [create(&name), learn(1)] {
            let prepared = identity.prepare(&command);
            let decided = identity.decide(&command, offered.map(|byte| known(byte, &name)));
            match prepared {
                Err(rejection) => prop_assert_eq!(decided, Err(rejection)),
                Ok(Work::Done) => prop_assert_eq!(decided, Ok(vec![])),
                Ok(_) => prop_assert!(decided.is_err() || decided.is_ok_and(|events| events.len() == 1)),
            }
        }
    }
}
