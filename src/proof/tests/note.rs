//! Notes: the library, with its own keys, believes ours; ours believes nothing but what the owner signed.

use dta_crypto::{IdentityKeys, Secret};
use dta_protocol::Identity;
use signed_note::{StandardVerifier, VerifierList};

use crate::note::{Note, NoteError, Origin, verifier_key};

const ROOT: [u8; 32] = [0x5a; 32];

fn party(seed: u8) -> (IdentityKeys, Identity) {
    let keys = IdentityKeys::from_seed(&Secret::build(|bytes| bytes.fill(seed)));
    let identity = Identity::create(&keys, "alice", None, None, 1).unwrap();
    (keys, identity)
}

fn origin(identity: &Identity) -> Origin {
    Origin { identity: identity.cid(), epoch: 3 }
}

#[test]
fn others_verify_it_with_the_verifier_key() {
    let (keys, alice) = party(1);
    let note = Note::sign(origin(&alice), 1_234, ROOT, &keys).unwrap();
    let key = verifier_key(&origin(&alice), &alice);
    let known = VerifierList::new(vec![Box::new(StandardVerifier::new(&key).unwrap())]);
    let theirs = signed_note::Note::from_bytes(note.text().as_bytes()).unwrap();
    let (verified, unverified) = theirs.verify(&known).unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 0));
    let lines: Vec<_> = note.text().lines().collect();
    assert_eq!(
        lines[..4],
        [
            format!("milagro-dta/{}/3", alice.cid()).as_str(),
            "1234",
            "WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo=",
            "",
        ]
    );
    assert!(lines[4].starts_with(&format!("\u{2014} {} ", lines[0])) && lines.len() == 5);
    let read = Note::verify(note.text(), &alice).unwrap();
    assert_eq!((read.origin(), read.size(), read.root()), (origin(&alice), 1_234, ROOT));
    assert_eq!(read, note);
    assert_eq!(Origin::claimed(note.text()), Ok(origin(&alice)));
}

#[test]
fn the_signature_of_a_witness_may_stand_beside_the_owners() {
    let (keys, alice) = party(1);
    let note = Note::sign(origin(&alice), 5, ROOT, &keys).unwrap();
    let witness = signed_note::Signature::new("witness.example".into(), 7, vec![1; 72]).unwrap();
    let witnessed = note.text().to_owned() + &String::from_utf8(witness.to_bytes()).unwrap();
    let read = Note::verify(&witnessed, &alice).unwrap();
    assert_eq!((read.size(), read.text(), read.own_text()), (5, witnessed.as_str(), note.text()));
    assert_eq!((note.own_text(), note.text().len() < 400), (note.text(), true));
    let unsigned = note.text().split_once("\n\n").unwrap().0.to_owned() + "\n\n";
    let only_witnessed = unsigned.clone() + &String::from_utf8(witness.to_bytes()).unwrap();
    assert_eq!(Note::verify(&only_witnessed, &alice), Err(NoteError::Signature));
    assert_eq!(Note::verify(&unsigned, &alice), Err(NoteError::Malformed));
}

#[test]
fn what_the_owner_did_not_sign_is_refused() {
    let (keys, alice) = party(1);
    let (mallory, other) = party(2);
    let note = Note::sign(origin(&alice), 1_234, ROOT, &keys).unwrap();
    assert_eq!(Note::verify(note.text(), &other), Err(NoteError::OtherIdentity));
    let forged = Note::sign(origin(&alice), 1_234, ROOT, &mallory).unwrap();
    assert_eq!(Note::verify(forged.text(), &alice), Err(NoteError::Signature));
    let text = note.text();
    for at in 0..text.len() {
        for flip in [1, 0x20] {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= flip;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            assert!(Note::verify(&changed, &alice).is_err(), "byte {at}: {changed}");
        }
        if text.is_char_boundary(at) {
            assert!(Note::verify(&text[..at], &alice).is_err(), "cut at {at}");
        }
    }
    for (what, error) in [
        (text.replace("/3\n", "/4\n"), NoteError::Signature),
        (text.replace("/3\n", "/03\n"), NoteError::Origin),
        (text.replace("milagro-dta/", "example.com/"), NoteError::Origin),
        (text.replace("\n1234\n", "\n01234\n"), NoteError::Lines),
        (text.replace("\n1234\n", "\n-1\n"), NoteError::Lines),
        (text.replace("\n1234\n", "\n9007199254740992\n"), NoteError::Lines),
        (text.replace("\n1234\n", "\n1234\n\n"), NoteError::Lines),
        (text.replace("Wlo=\n", "Wlo=\nmore\n"), NoteError::Lines),
        (text.replace("Wlo=\n", "Wlo\n"), NoteError::Lines),
        (text.replace('\n', "\r\n"), NoteError::Malformed),
        (text.to_owned() + "\n", NoteError::Malformed),
        (text.to_owned() + &"\u{2014} a AAAAAAAA\n".repeat(300), NoteError::TooLarge(text.len() + 300 * 15)),
        (String::new(), NoteError::Malformed),
    ] {
        assert_eq!(Note::verify(&what, &alice), Err(error), "{what}");
    }
    assert_eq!(Note::sign(origin(&alice), 1 << 53, ROOT, &keys), Err(NoteError::Lines));
}

#[test]
fn an_origin_has_one_spelling() {
    let (_, alice) = party(1);
    let cid = alice.cid();
    assert_eq!(origin(&alice).to_string().parse(), Ok(origin(&alice)));
    for text in [
        String::new(),
        cid.to_string(),
        format!("milagro-dta/{cid}"),
        format!("milagro-dta/{cid}/"),
        format!("milagro-dta/{cid}/+1"),
        format!("milagro-dta/{cid}/1/2"),
        format!("milagro-dta/{cid}/1 "),
        format!("Milagro-dta/{cid}/1"),
        format!("milagro-dta/{}/1", cid.to_string().to_uppercase()),
        format!("milagro-dta/{cid}/9007199254740992"),
        format!("milagro-dta/{cid}/18446744073709551616"),
    ] {
        assert_eq!(text.parse::<Origin>(), Err(NoteError::Origin), "{text}");
    }
}
