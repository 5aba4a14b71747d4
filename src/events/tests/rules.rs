//! What the log's indexes hold, derived from records alone.

#![allow(clippy::unwrap_used)]

use dta_events::identity::{self, Known};
use dta_events::ids::{
    claim, identity_aggregate, node_aggregate, order_aggregate, peer_aggregate, request_claim,
};
use dta_events::index::Indexing;
use dta_events::order::{self, ClosedCode, Hosts, Origin, Parties, Step, StepAppended, StepFacts, Terms};
use dta_events::record::{Aggregate, AggregateKind, Effect, NO_PREVIOUS, Record, Request, Stored};
use dta_events::{Rules, peer, replay_identity, replay_order, replay_peer};
use dta_protocol::{Cid, Codec};
use sha2::{Digest, Sha256};

const REFERENCE: &str = "0192f5a0-5b1e-7c3a-8f00-0123456789ab";

fn envelope(name: &str) -> Cid {
    Cid::of(Codec::DagCbor, name.as_bytes())
}

fn the_order() -> Aggregate {
    order_aggregate(&envelope("alice"), REFERENCE)
}

fn record(aggregate: Aggregate, effect: Effect) -> Record {
    Record {
        sequence: 4,
        time_ms: 5,
        aggregate,
        version: 1,
        by: "local".into(),
        request: None,
        trace_id: [0; 16],
        command: Stored { name: "any".into(), schema: 1, bytes: vec![] },
        effect,
        previous: NO_PREVIOUS,
        nonce: [1; 32],
        blind: [2; 32],
    }
}

fn told(events: &[order::Event]) -> Record {
    record(the_order(), Effect::Events(events.iter().map(|event| event.to_stored().unwrap()).collect()))
}

fn refused(aggregate: Aggregate) -> Record {
    record(aggregate, Effect::Refused { code: "expired".into(), details: String::new() })
}

fn asked(by: &str, key: u8, record: Record) -> Record {
    let request = Some(Request { idempotency_key: [key; 32], body: [9; 32] });
    Record { by: by.into(), request, ..record }
}

fn appended(name: &str, facts: StepFacts) -> order::Event {
    order::Event::StepAppended(StepAppended {
        reference: REFERENCE.into(),
        step: Step {
            cid: envelope(name),
            statement: [0; 32],
            signer: envelope("alice"),
            previous: None,
            issued_at_ms: 1,
            sealed: vec![Cid::of(Codec::Raw, b"body")],
            facts,
        },
        origin: Origin::Issued,
        pending: false,
        hosts: Hosts { principal: true, fiduciary: true, beneficiary: true },
        at_ms: 1,
    })
}

fn placed(expires_at_ms: u64) -> order::Event {
    let parties = Parties { principal: envelope("alice"), fiduciary: envelope("bob"), beneficiary: None };
    let terms = Terms { expires_at_ms, ..Terms::default() };
    appended("placed", StepFacts::Placed { parties, plugin: "milagro".into(), coin: 0, terms })
}

fn committed() -> order::Event {
    appended("committed", StepFacts::Committed { commitment: [4; 65] })
}

fn known(name: &str, keys: &[[u8; 32]]) -> Known {
    Known {
        cid: envelope(name),
        name: name.into(),
        issued_at_ms: 1,
        bls: [1; 96],
        kem: vec![2],
        secp256k1: [3; 33],
        ed25519: [4; 32],
        key_claims: keys.to_vec(),
        supersedes: None,
    }
}

fn made_known(event: &identity::Event) -> Record {
    let aggregate = identity_aggregate(&event.known().cid);
    record(aggregate, Effect::Events(vec![event.to_stored().unwrap()]))
}

#[test]
fn a_request_is_claimed_by_its_caller() {
    let claims = |by, key| Rules.claims(&asked(by, key, told(&[placed(0)])));
    assert_eq!(claims("local", 1), [request_claim("local", &[1; 32])]);
    assert_eq!(claims("local", 1), claims("local", 1));
    let others = [claims("local", 2), claims("timer", 1), claims("oidc:alice", 1), claims("oidc:alic", 1)];
    assert!(others.iter().all(|other| *other != claims("local", 1)));
    assert!(Rules.claims(&told(&[placed(0)])).is_empty(), "no key, no claim");
}

#[test]
fn nothing_that_was_refused_takes_anything() {
    for aggregate in [the_order(), identity_aggregate(&envelope("alice")), node_aggregate()] {
        let record = asked("local", 1, refused(aggregate));
        assert!(Rules.claims(&record).is_empty());
        assert!(Rules.envelopes(&record).is_empty());
        assert_eq!(Rules.due(&aggregate, &[record]), None);
    }
}

#[test]
fn a_request_that_found_it_done_takes_its_key() {
    assert_eq!(Rules.claims(&asked("local", 1, told(&[]))), [request_claim("local", &[1; 32])]);
}

#[test]
fn claims_of_different_parts_never_meet() {
    let parts: [&[&[u8]]; 7] =
        [&[], &[b""], &[b"", b""], &[b"ab"], &[b"a", b"b"], &[b"ab", b""], &[b"", b"ab"]];
    let mut claims: Vec<_> =
        ["", "a", "ab"].iter().flat_map(|label| parts.iter().map(move |parts| claim(label, parts))).collect();
    claims.sort();
    claims.dedup();
    assert_eq!(claims.len(), 21);
    // Callers whose names run into the key.
    assert_ne!(request_claim("local", &[b'x'; 32]), request_claim("localx", &[b'x'; 32]));
}

#[test]
fn claims_are_frozen() {
    let lengths = |length: u64| length.to_be_bytes();
    let input = [&lengths(7)[..], b"request", &lengths(5), b"local", &lengths(32), &[1; 32]].concat();
    assert_eq!(request_claim("local", &[1; 32]), *Sha256::digest(input));
}

#[test]
fn identities_claim_their_keys() {
    let (alice, twin) = (known("alice", &[[1; 32], [2; 32]]), known("twin", &[[2; 32]]));
    for event in [
        identity::Event::Created { known: alice.clone(), uuid: None },
        identity::Event::Learned { known: alice.clone() },
    ] {
        assert_eq!(Rules.claims(&made_known(&event)), [[1; 32], [2; 32]]);
        assert_eq!(Rules.envelopes(&made_known(&event)), [envelope("alice").to_bytes()]);
        let with_request = asked("local", 3, made_known(&event));
        assert_eq!(Rules.claims(&with_request), [request_claim("local", &[3; 32]), [1; 32], [2; 32]]);
    }
    let taken = Rules.claims(&made_known(&identity::Event::Learned { known: twin }));
    assert_eq!(taken, [[2; 32]], "so the log refuses a second identity with one of its keys");
}

#[test]
fn an_order_brings_its_envelopes_and_the_evidence() {
    let end = appended("closed", StepFacts::Closed { code: ClosedCode::Expired });
    let evidence = order::Event::EquivocationSeen { first: envelope("placed"), second: envelope("other") };
    let silent = [
        order::Event::StepRefused { cid: envelope("refused"), code: "trust".into() },
        order::Event::RetentionEnded { secret: Cid::of(Codec::Raw, b"secret"), at_ms: 1 },
    ];
    let events = [&[placed(0), committed(), end, evidence], silent.as_slice()].concat();
    let expected = ["placed", "committed", "closed", "other"].map(|name| envelope(name).to_bytes());
    assert_eq!(Rules.envelopes(&told(&events)), expected);
}

#[test]
fn an_event_counts_only_in_a_history_of_its_kind() {
    let events = |event: &order::Event| Effect::Events(vec![event.to_stored().unwrap()]);
    for kind in [
        AggregateKind::Node,
        AggregateKind::Identity,
        AggregateKind::Peer,
        AggregateKind::Seed,
        AggregateKind::Log,
    ] {
        let aggregate = Aggregate { kind, ..the_order() };
        let astray = record(aggregate, events(&placed(0)));
        assert!(Rules.envelopes(&astray).is_empty());
        assert_eq!(Rules.due(&aggregate, &[astray]), None);
    }
    let learned = identity::Event::Learned { known: known("alice", &[[1; 32]]) };
    let astray = Record { aggregate: the_order(), ..made_known(&learned) };
    assert!(Rules.claims(&astray).is_empty());
    assert!(Rules.envelopes(&astray).is_empty());
}

#[test]
fn an_order_is_due_by_its_whole_history() {
    let due = |records: &[Record]| Rules.due(&the_order(), records);
    assert_eq!(due(&[]), None);
    assert_eq!(due(&[told(&[placed(0)])]), Some(0));
    assert_eq!(due(&[told(&[placed(70)]), told(&[committed()])]), Some(70));
    assert_eq!(due(&[told(&[placed(70)]), refused(the_order()), told(&[committed()])]), Some(70));
    assert_eq!(due(&[told(&[placed(70), committed()])]), Some(70), "one record or two");
    assert_eq!(due(&[told(&[placed(0)]), told(&[committed()])]), None);
}

#[test]
fn a_pin_brings_no_envelope_takes_only_its_request_and_is_never_due() {
    let alice = envelope("alice");
    let pinned = peer::Event::Pinned { identity: alice, url: Some("http://127.0.0.1:1".into()) };
    let happened = |events: &[peer::Event]| {
        let stored = events.iter().map(|event| event.to_stored().unwrap()).collect();
        record(peer_aggregate(&alice), Effect::Events(stored))
    };
    let records = [refused(peer_aggregate(&alice)), asked("local", 1, happened(&[pinned]))];
    assert_eq!(Rules.claims(&records[1]), [request_claim("local", &[1; 32])]);
    assert!(Rules.envelopes(&records[1]).is_empty());
    assert_eq!(Rules.due(&peer_aggregate(&alice), &records), None);
    assert_eq!(Rules.understands(&records[1]), Ok(()));
    let url = replay_peer(&records).unwrap().pin.unwrap().url;
    assert_eq!(url.as_deref(), Some("http://127.0.0.1:1"));
    let unpinned = happened(&[peer::Event::Unpinned { identity: alice }]);
    assert_eq!(replay_peer(&[&records[..], &[unpinned]].concat()).unwrap().pin, None);
    let astray = Record { aggregate: identity_aggregate(&alice), ..records[1].clone() };
    assert!(Rules.understands(&astray).unwrap_err().contains("peer/pinned"));
}

#[test]
fn a_replay_refuses_what_newer_code_wrote() {
    let newer = Stored { name: "order/step-appended".into(), schema: 2, bytes: vec![] };
    let unknown = Stored { name: "order/forgotten".into(), schema: 1, bytes: vec![] };
    for stored in [newer, unknown] {
        let records = [told(&[placed(0)]), record(the_order(), Effect::Events(vec![stored.clone()]))];
        assert!(replay_order(&records).is_err());
        assert!(replay_identity(&records[1..]).is_err());
        assert!(replay_peer(&records[1..]).is_err());
        assert_eq!(Rules.due(&the_order(), &records), None);
        assert!(Rules.envelopes(&records[1]).is_empty());
    }
}

#[test]
fn a_replay_folds_all_events_and_no_refusal() {
    let records = [told(&[placed(0)]), refused(the_order()), told(&[]), told(&[committed()])];
    let order = replay_order(&records).unwrap();
    assert_eq!((order.steps.len(), order.commitment()), (2, Some([4; 65])));
    let learned = identity::Event::Learned { known: known("alice", &[]) };
    let identity = replay_identity(&[made_known(&learned)]).unwrap();
    assert_eq!(identity.known.map(|known| known.cid), Some(envelope("alice")));
}

#[test]
fn aggregates_are_found_from_what_the_outside_names() {
    let alice = envelope("alice");
    let expected: [u8; 32] = Sha256::digest([&alice.to_bytes()[..], REFERENCE.as_bytes()].concat()).into();
    assert_eq!(the_order(), Aggregate { kind: AggregateKind::Order, id: expected });
    assert_ne!(the_order(), order_aggregate(&envelope("mallory"), REFERENCE));
    assert_ne!(the_order(), order_aggregate(&alice, &REFERENCE[1..]));
    assert_eq!(identity_aggregate(&alice).id, *alice.digest());
    assert_eq!(peer_aggregate(&alice), Aggregate { kind: AggregateKind::Peer, id: *alice.digest() });
    assert_eq!(node_aggregate(), Aggregate { kind: AggregateKind::Node, id: [0; 32] });
}
