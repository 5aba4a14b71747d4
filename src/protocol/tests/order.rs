//! The order of alice, bob and carol: it verifies, opens to whom it should, and to nobody else.

#![allow(clippy::unwrap_used)]

mod story;

use dta_crypto::{Entropy, OrderKey, Secret};
use dta_protocol::body::*;
use dta_protocol::sealed::{SealRequest, check_recipients, open, open_with_key, seal};
use dta_protocol::{
    Body, Envelope, EnvelopeError, Identity, IdentityError, Kind, Plaintext, Role, SealedError, Statement,
    StatementError, car,
};
use story::{Party, START_MS, Step, Story, content_key};

struct Counting(u8);

impl Entropy for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
    }
}

fn request(step: &Step, role: Role) -> SealRequest<'_> {
    SealRequest::of(step.envelope.statement(), role).unwrap()
}

#[test]
fn every_step_verifies_by_its_signer_and_no_other() {
    let story = Story::tell();
    for step in &story.steps {
        let read = Envelope::decode(step.envelope.block()).unwrap();
        assert_eq!(read, *step.envelope);
        assert_eq!(read.statement().encode().unwrap(), read.statement_bytes());
        for party in [&story.alice, &story.bob, &story.carol] {
            let result = read.clone().verify(&party.identity);
            if party.name == step.signer {
                assert_eq!(result.unwrap().cid(), step.cid());
            } else {
                assert_eq!(result, Err(EnvelopeError::OtherSigner));
            }
        }
    }
}

#[test]
fn a_statement_signed_by_other_keys_is_not_the_named_signers() {
    let story = Story::tell();
    let statement = story.step(Kind::Placed).envelope.statement();
    let forged = Envelope::sign(statement, &story.bob.keys).unwrap().into_inner();
    let error = forged.verify(&story.alice.identity).unwrap_err();
    assert_eq!(error.code(), "signature-invalid");
}

#[test]
fn a_batch_answers_as_one_by_one_does() {
    let story = Story::tell();
    let by_bob = |kinds: &[Kind]| -> Vec<Envelope> {
        kinds.iter().map(|kind| (*story.step(*kind).envelope).clone()).collect()
    };
    let good = by_bob(&[Kind::Committed, Kind::Released, Kind::Closed]);
    let verified = Envelope::verify_batch(good, &story.bob.identity, &mut Counting(0));
    assert!(verified.len() == 3 && verified.iter().all(Result::is_ok));

    let mut mixed = by_bob(&[Kind::Committed, Kind::Placed, Kind::Released]);
    let mut block = mixed[2].block().to_vec();
    block[20] ^= 1;
    mixed[2] = Envelope::decode(&block).unwrap();
    let verified = Envelope::verify_batch(mixed, &story.bob.identity, &mut Counting(0));
    assert!(verified[0].is_ok());
    assert_eq!(verified[1], Err(EnvelopeError::OtherSigner));
    assert_eq!(verified[2].as_ref().unwrap_err().code(), "signature-invalid");
    assert!(Envelope::verify_batch(vec![], &story.bob.identity, &mut Counting(0)).is_empty());

    // Each half of the signature in turn, in few and in more than are looked for.
    let whole = story.step(Kind::Committed).envelope.block();
    let many = 24;
    for bad in [
        vec![0],
        vec![many - 1],
        vec![3, 4, 11],
        (0..many).step_by(2).collect(),
        (0..many).collect::<Vec<_>>(),
    ] {
        let envelopes = (0..many).map(|n| {
            let mut block = whole.to_vec();
            block[if n % 3 == 0 { 20 } else { 100 }] ^= u8::from(bad.contains(&n));
            Envelope::decode(&block).unwrap()
        });
        let verified = Envelope::verify_batch(envelopes.collect(), &story.bob.identity, &mut Counting(0));
        let found: Vec<_> = (0..many).filter(|n| verified[*n].is_err()).collect();
        assert_eq!(found, bad);
    }
}

#[test]
fn bodies_open_to_their_recipients_alone_and_say_who_those_are() {
    let story = Story::tell();
    let everyone = [&story.alice, &story.bob, &story.carol];
    let secret = std::iter::once((story.step(Kind::Released), &story.secret));
    let bodies = story.steps.iter().flat_map(|step| step.sealed.iter().map(move |sealed| (step, sealed)));
    for (step, sealed) in bodies.chain(secret) {
        let (descriptor, block) = (&sealed.body.descriptor, &sealed.body.block);
        let request = request(step, descriptor.role);
        let prescribed: Vec<&Party> = sealed.recipients.iter().map(|name| story.party(name)).collect();
        for party in everyone {
            let opened = open(&party.keys, &party.cid(), &request, descriptor, block);
            if !sealed.recipients.contains(&party.name) {
                assert_eq!(opened.err(), Some(SealedError::CannotOpen), "{}", party.name);
                continue;
            }
            let (key, plaintext) = opened.unwrap();
            assert_eq!(plaintext.expose(), sealed.plaintext);
            let signer = &request.signer;
            let recipients: Vec<_> = prescribed.iter().map(|party| party.recipient()).collect();
            assert_eq!(check_recipients(&key, signer, &recipients, descriptor), Ok(()));
            let mut others = recipients.clone();
            others.reverse();
            others.push(recipients[0]);
            assert_eq!(check_recipients(&key, signer, &others, descriptor), Ok(()), "order and repeats");
            for wrong in [&recipients[1..], &[&recipients[..], &[outsider().recipient()]].concat()] {
                assert!(check_recipients(&key, signer, wrong, descriptor).is_err());
            }
            assert!(check_recipients(&key, &outsider().cid(), &recipients, descriptor).is_err());
        }
        let disclosed = open_with_key(&sealed.body.content_key, &request, descriptor, block).unwrap();
        assert_eq!(disclosed.expose(), sealed.plaintext);
    }
}

fn outsider() -> &'static Party {
    static MALLORY: std::sync::LazyLock<Party> = std::sync::LazyLock::new(|| Party::new("mallory"));
    &MALLORY
}

#[test]
fn a_body_is_bound_to_its_statement() {
    let story = Story::tell();
    let step = story.step(Kind::Committed);
    let sealed = &step.sealed[0].body;
    let good = request(step, Role::Parties);
    let other = outsider().cid();
    let moved = [
        SealRequest { kind: Kind::Closed, ..good.clone() },
        SealRequest { signer: other, ..good.clone() },
        SealRequest { subject: "0192f5a0-5b1e-7c3a-8f00-0123456789ac", ..good.clone() },
        SealRequest { previous: None, ..good.clone() },
        SealRequest { previous: Some(other), ..good.clone() },
        SealRequest { issued_at_ms: good.issued_at_ms + 1, ..good.clone() },
    ];
    for request in moved {
        let error = open_with_key(&sealed.content_key, &request, &sealed.descriptor, &sealed.block).err();
        assert_eq!(error, Some(SealedError::CannotOpen), "{request:?}");
    }
    let mut descriptor = sealed.descriptor.clone();
    descriptor.role = Role::Log;
    let error = open_with_key(&sealed.content_key, &good, &descriptor, &sealed.block).err();
    assert_eq!(error, Some(SealedError::CannotOpen), "the role counts that the statement signs");
    descriptor.role = Role::Parties;
    descriptor.commit[0] ^= 1;
    let error = open_with_key(&sealed.content_key, &good, &descriptor, &sealed.block).err();
    assert_eq!(error, Some(SealedError::CannotOpen));
    let mut block = sealed.block.clone();
    block[0] ^= 1;
    let error = open_with_key(&sealed.content_key, &good, &sealed.descriptor, &block).err();
    assert_eq!(error, Some(SealedError::OtherBlock));
    let error = open_with_key(&content_key("another"), &good, &sealed.descriptor, &sealed.block).err();
    assert_eq!(error, Some(SealedError::CannotOpen));
}

#[test]
fn sealing_has_bounds() {
    let story = Story::tell();
    let request = request(story.step(Kind::Placed), Role::Parties);
    let alice = story.alice.recipient();
    let largest = dta_protocol::sealed::MAX_CIPHERTEXT_BYTES - 16;
    let sealed = seal(&request, &vec![0; largest], content_key("large"), &[alice]).unwrap();
    assert_eq!(sealed.block.len(), 256 * 1024);
    assert!(open_with_key(&sealed.content_key, &request, &sealed.descriptor, &sealed.block).is_ok());
    let code = |result: Result<_, SealedError>| result.err().map(|error| error.code());
    assert_eq!(
        code(seal(&request, &vec![0; largest + 1], content_key("too large"), &[alice])),
        Some("sealed-too-large")
    );
    assert_eq!(code(seal(&request, b"", content_key("nobody"), &[])), Some("sealed-recipients-invalid"));
    let many: Vec<_> = (0..5u8)
        .map(|n| {
            (dta_protocol::Cid::of(dta_protocol::Codec::DagCbor, &[n]), story.alice.identity.verifying())
        })
        .collect();
    assert_eq!(code(seal(&request, b"", content_key("many"), &many)), Some("sealed-recipients-invalid"));
    let identity = story.alice.identity.envelope().statement();
    assert_eq!(SealRequest::of(identity, Role::Parties), Err(SealedError::NoSigner));
}

#[test]
fn proofs_hold_for_their_order_and_parties_only() {
    let story = Story::tell();
    let (placed, released) = (story.step(Kind::Placed).cid(), story.step(Kind::Released).cid());
    let (bob, carol) = (story.bob.cid(), story.carol.cid());
    let commitment = story.key.commitment();
    let other_key = OrderKey::from_seed(&Secret::from_bytes([8; 32]));

    let committed = Committed::decode(&story.step(Kind::Committed).sealed[0].plaintext).unwrap();
    let proof = &committed.proof;
    assert_eq!(committed.commitment, commitment);
    assert!(verify_commitment_proof(&placed, &bob, &commitment, proof).is_ok());
    assert!(verify_commitment_proof(&placed, &carol, &commitment, proof).is_err());
    assert!(verify_commitment_proof(&released, &bob, &commitment, proof).is_err());
    assert!(verify_commitment_proof(&placed, &bob, &other_key.commitment(), proof).is_err());
    assert!(verify_commitment_proof(&placed, &bob, &[0; 65], proof).is_err());

    let received = Received::decode(&story.step(Kind::Received).sealed[0].plaintext).unwrap();
    assert!(verify_received_proof(&released, &carol, &commitment, &received.proof).is_ok());
    assert!(verify_received_proof(&released, &bob, &commitment, &received.proof).is_err());
    assert!(verify_received_proof(&placed, &carol, &commitment, &received.proof).is_err());
    assert!(verify_received_proof(&placed, &bob, &commitment, proof).is_err(), "the tags differ");

    let secret = SecretBody::decode(&story.secret.plaintext).unwrap();
    assert_eq!(OrderKey::from_secret(secret.secret).unwrap().commitment(), commitment);
}

#[test]
fn the_published_chain_travels_as_one_car() {
    let story = Story::tell();
    let root = story.step(Kind::Received).cid();
    let file = car::encode(root, story.published()).unwrap();
    let (read, blocks) = car::decode(&file).unwrap();
    assert_eq!(read, root);
    let expected: Vec<_> = story.published().into_iter().map(|(cid, block)| (cid, block.to_vec())).collect();
    assert_eq!(blocks, expected);
    let secret = story.secret.body.descriptor.cid;
    assert!(blocks.iter().all(|(cid, _)| *cid != secret), "a released secret is never published");
}

#[test]
fn an_identity_says_what_it_was_made_with() {
    let old = Party::new("old");
    let keys = &outsider().keys;
    let made = Identity::create(keys, "Zoë & søn", Some(old.cid()), Some(old.cid()), START_MS).unwrap();
    let read = Identity::decode(made.envelope().block()).unwrap();
    assert_eq!((read.cid(), read.name(), read.issued_at_ms()), (made.cid(), "Zoë & søn", START_MS));
    assert_eq!((read.supersedes(), read.log()), (Some(old.cid()), Some(old.cid())));
    assert_eq!(read.public(), keys.public());
    let longest = "x".repeat(128);
    assert!(Identity::create(keys, &longest, None, None, 0).is_ok());
    for name in ["", &(longest + "x"), "a\nb", "a\u{202e}b", "\u{2066}", "\u{200f}a", "\u{7f}", "\u{85}"] {
        let error = Identity::create(keys, name, None, None, 0).unwrap_err();
        assert!(matches!(error.code(), "field-value" | "field-limit"), "{name:?}: {error}");
    }
}

#[test]
fn a_step_is_no_identity() {
    let story = Story::tell();
    let error = Identity::decode(story.step(Kind::Placed).envelope.block()).unwrap_err();
    assert_eq!(error, IdentityError::OtherKind(Kind::Placed));
}

#[test]
fn nothing_is_signed_that_others_would_refuse() {
    let story = Story::tell();
    let good = story.step(Kind::Committed).envelope.statement().clone();
    let identity = story.alice.identity.envelope().statement().clone();
    let (parties, signer) = (good.sealed[0].clone(), good.signer);
    let long = Body::Order { note: Some("n".repeat(4097)) };
    let cases: Vec<(Statement, &str)> = vec![
        (Statement { signer: None, ..good.clone() }, "signer-missing"),
        (Statement { signer, ..identity.clone() }, "signer-not-allowed"),
        (Statement { previous: None, ..good.clone() }, "previous-missing"),
        (Statement { kind: Kind::Placed, ..good.clone() }, "previous-not-allowed"),
        (Statement { subject: String::new(), ..good.clone() }, "subject-invalid"),
        (Statement { subject: good.subject.to_uppercase(), ..good.clone() }, "subject-invalid"),
        (Statement { subject: good.subject.clone(), ..identity.clone() }, "subject-not-allowed"),
        (Statement { sealed: vec![], ..good.clone() }, "sealed-roles"),
        (Statement { sealed: vec![parties.clone(); 2], ..good.clone() }, "sealed-roles"),
        (Statement { sealed: vec![parties.clone(); 3], ..good.clone() }, "field-limit"),
        (Statement { sealed: vec![parties], ..identity.clone() }, "sealed-roles"),
        (Statement { issued_at_ms: 1 << 53, ..good.clone() }, "cbor-integer-too-large"),
        (Statement { body: long, ..good.clone() }, "field-limit"),
        (Statement { body: identity.body, ..good.clone() }, "field-missing"),
        (
            Statement { body: good.body.clone(), ..story.bob.identity.envelope().statement().clone() },
            "field-missing",
        ),
    ];
    for (statement, code) in cases {
        assert_eq!(statement.encode().unwrap_err().code(), code);
        let error = Envelope::sign(&statement, &story.bob.keys).unwrap_err();
        assert!(matches!(
            error,
            EnvelopeError::Statement(StatementError::Field(_)) | EnvelopeError::Statement(_)
        ));
    }
}
