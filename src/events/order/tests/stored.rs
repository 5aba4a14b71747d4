//! The stored bytes of every event and command, written out by hand: a change to any of them loses old logs.

use super::kit::REFERENCE;
use crate::codec;
use crate::order::*;
use crate::record::Stored;
use crate::stored::golden::{check, cid, link, number, text, variant};
use crate::stored::{StoredError, golden};

const YES: &str = "01";
const NO: &str = "00";

fn parties(beneficiary: Option<u8>) -> (Parties, String) {
    let parties = Parties { principal: cid(0xa1), fiduciary: cid(0xb0), beneficiary: beneficiary.map(cid) };
    let option = beneficiary.map_or(NO.to_owned(), |byte| YES.to_owned() + &link(byte));
    (parties, link(0xa1) + &link(0xb0) + &option)
}

fn terms() -> (Terms, String) {
    let terms = Terms { not_before_ms: 1, expires_at_ms: 2, retention_ms: 0x0102_0304_0506_0708 };
    (terms, number(1) + &number(2) + "0807060504030201")
}

/// The facts of every kind of step, in the order of their variants.
fn all_facts() -> Vec<(StepFacts, String)> {
    let placed = |beneficiary, coin: u8| {
        let ((parties, party_bytes), (terms, term_bytes)) = (parties(beneficiary), terms());
        let facts = StepFacts::Placed { parties, plugin: "milagro".into(), coin, terms };
        (facts, variant(0) + &party_bytes + &text("milagro") + &hex::encode([coin]) + &term_bytes)
    };
    let mut commitment = [0xcc; 65];
    commitment[0] = 4;
    vec![
        placed(None, 0),
        placed(Some(0xca), 1),
        (StepFacts::Committed { commitment }, variant(1) + &hex::encode(commitment)),
        (StepFacts::RedemptionRequested { beneficiary: cid(0xca) }, variant(2) + &link(0xca)),
        (
            StepFacts::Released { beneficiary: cid(0xca), secret: cid(0x5e) },
            variant(3) + &link(0xca) + &link(0x5e),
        ),
        (StepFacts::Received, variant(4)),
        (StepFacts::Disputed { code: DisputeCode::CannotOpen }, variant(5) + &variant(0)),
        (StepFacts::Disputed { code: DisputeCode::WrongSecret }, variant(5) + &variant(1)),
        (StepFacts::CancellationRequested, variant(6)),
        (StepFacts::Closed { code: ClosedCode::Cancelled }, variant(7) + &variant(0)),
        (StepFacts::Closed { code: ClosedCode::Expired }, variant(7) + &variant(1)),
    ]
}

fn step(facts: StepFacts, bytes: &str, previous: Option<u8>) -> (Step, String) {
    let step = Step {
        cid: cid(0xc1),
        statement: [0x57; 32],
        signer: cid(0x51),
        previous: previous.map(cid),
        issued_at_ms: 3,
        sealed: vec![cid(0xd1), cid(0xd2)],
        facts,
    };
    let parts = [
        link(0xc1),
        hex::encode([0x57; 32]),
        link(0x51),
        previous.map_or(NO.to_owned(), |byte| YES.to_owned() + &link(byte)),
        number(3),
        number(2),
        link(0xd1),
        link(0xd2),
        bytes.to_owned(),
    ];
    (step, parts.concat())
}

#[test]
fn events_are_frozen() {
    let event = |event: Event, name, golden: &[String]| {
        check(&event, event.to_stored().unwrap(), name, golden, Event::from_stored);
    };
    for (at, (facts, bytes)) in all_facts().into_iter().enumerate() {
        let (step, bytes) = step(facts, &bytes, (at > 1).then_some(0x9e));
        let bits = |bit: usize| at & bit != 0;
        let hosts = Hosts { principal: bits(1), fiduciary: bits(2), beneficiary: bits(4) };
        let origin = if bits(1) { Origin::Received } else { Origin::Issued };
        let appended =
            StepAppended { reference: REFERENCE.into(), step, origin, pending: bits(2), hosts, at_ms: 9 };
        let bit = |on: bool| if on { YES } else { NO }.to_owned();
        let golden = [
            text(REFERENCE),
            bytes,
            variant(u32::from(bits(1))),
            bit(bits(2)),
            bit(hosts.principal) + &bit(hosts.fiduciary) + &bit(hosts.beneficiary),
            number(9),
        ];
        event(Event::StepAppended(appended), "order/step-appended", &golden);
    }
    let refused = Event::StepRefused { cid: cid(1), code: "trust".into() };
    event(refused, "order/step-refused", &[link(1), text("trust")]);
    let equivocation = Event::EquivocationSeen { first: cid(1), second: cid(2) };
    event(equivocation, "order/equivocation-seen", &[link(1), link(2)]);
    let ended = Event::RetentionEnded { secret: cid(3), at_ms: 4 };
    event(ended, "order/retention-ended", &[link(3), number(4)]);
    for (at, party) in [Party::Principal, Party::Fiduciary, Party::Beneficiary].into_iter().enumerate() {
        for (outcome, bytes) in outcomes() {
            let ended = Event::DeliveryEnded { to: party, step: cid(5), outcome };
            event(ended, "order/delivery-ended", &[variant(at as u32), link(5), bytes]);
        }
    }
    event(Event::DeliveriesResumed { at_ms: 6 }, "order/deliveries-resumed", &[number(6)]);
    event(Event::CustodyLost { at_ms: 7 }, "order/custody-lost", &[number(7)]);
    event(Event::CustodyFound { at_ms: 8 }, "order/custody-found", &[number(8)]);
    event(Event::Held { at_ms: 9 }, "order/held", &[number(9)]);
    let ordered = Event::ShredOrdered { due_ms: 10, at_ms: 11 };
    event(ordered, "order/shred-ordered", &[number(10), number(11)]);
    event(Event::Shredded { at_ms: 12 }, "order/shredded", &[number(12)]);
}

fn outcomes() -> [(Outcome, String); 4] {
    [
        (Outcome::Delivered, variant(0)),
        (Outcome::Refused("not-hosted".into()), variant(1) + &text("not-hosted")),
        (Outcome::Stalled, variant(2)),
        (Outcome::Unaddressed, variant(3)),
    ]
}

#[test]
fn commands_are_frozen() {
    let command = |command: Command, name: &'static str, golden: &[String]| {
        let read = |stored: &Stored| match (stored.name.as_str(), stored.schema) {
            (known, 1) if known == name => Ok(codec::decode::<Command>(&stored.bytes)?),
            _ => Err(StoredError::unknown(stored)),
        };
        check(&command, command.to_stored().unwrap(), name, golden, read);
    };
    let ((parties, party_bytes), (terms, term_bytes)) = (parties(Some(0xca)), terms());
    let place =
        Command::Place { reference: REFERENCE.into(), parties, plugin: "milagro".into(), coin: 1, terms };
    let golden = [variant(0), text(REFERENCE), party_bytes, text("milagro"), "01".into(), term_bytes];
    command(place, "order/place", &golden);
    command(Command::Commit, "order/commit", &[variant(1)]);
    let redeem = Command::RequestRedemption { beneficiary: cid(0xca) };
    command(redeem, "order/request-redemption", &[variant(2), link(0xca)]);
    command(Command::Release, "order/release", &[variant(3)]);
    let verdicts = [
        (Verdict::Genuine, variant(0)),
        (Verdict::Disputed(DisputeCode::CannotOpen), variant(1) + &variant(0)),
        (Verdict::Disputed(DisputeCode::WrongSecret), variant(1) + &variant(1)),
    ];
    for (verdict, bytes) in verdicts {
        command(Command::Acknowledge(verdict), "order/acknowledge", &[variant(4), bytes]);
    }
    let cancel = Command::RequestCancellation { detail: "why".into() };
    command(cancel, "order/request-cancellation", &[variant(5), text("why")]);
    command(Command::Close(ClosedCode::Cancelled), "order/close", &[variant(6), variant(0)]);
    command(Command::Close(ClosedCode::Expired), "order/close", &[variant(6), variant(1)]);
    command(Command::EndRetention, "order/end-retention", &[variant(7)]);
    for (facts, bytes) in all_facts() {
        for (empty, proof) in [(true, None), (false, Some(vec![1, 2]))] {
            let (step, bytes) = step(facts.clone(), &bytes, Some(0x9e));
            let golden = [
                variant(8),
                "0100000000000000".to_owned(),
                text(REFERENCE),
                bytes,
                if empty { YES } else { NO }.to_owned(),
                proof.as_ref().map_or(NO.to_owned(), |proof| YES.to_owned() + &text(proof)),
            ];
            let received =
                ReceivedStep { reference: REFERENCE.into(), step, reserved_policy_is_empty: empty, proof };
            command(Command::Accept(vec![received]), "order/accept", &golden);
        }
    }
    let refuse = Command::Refuse { cid: cid(1), code: "trust".into() };
    command(refuse, "order/refuse", &[variant(9), link(1), text("trust")]);
    for (outcome, bytes) in outcomes() {
        let end = Command::EndDelivery { to: Party::Beneficiary, step: cid(1), outcome };
        command(end, "order/end-delivery", &[variant(10), variant(2), link(1), bytes]);
    }
    command(Command::Resume, "order/resume", &[variant(11)]);
    command(Command::LoseCustody, "order/lose-custody", &[variant(12)]);
    command(Command::FindCustody, "order/find-custody", &[variant(13)]);
    command(Command::Hold, "order/hold", &[variant(14)]);
    command(Command::ShredAt { at_ms: 10 }, "order/shred-at", &[variant(15), number(10)]);
    command(Command::Shred, "order/shred", &[variant(16)]);
}

#[test]
fn no_name_is_another_shapes() {
    let events = [
        Event::StepRefused { cid: cid(1), code: "trust".into() },
        Event::EquivocationSeen { first: cid(1), second: cid(2) },
        Event::RetentionEnded { secret: cid(3), at_ms: 4 },
        Event::DeliveryEnded { to: Party::Principal, step: cid(5), outcome: Outcome::Stalled },
        Event::DeliveriesResumed { at_ms: 6 },
        Event::CustodyLost { at_ms: 7 },
        Event::CustodyFound { at_ms: 8 },
        Event::Held { at_ms: 9 },
        Event::ShredOrdered { due_ms: 10, at_ms: 11 },
        Event::Shredded { at_ms: 12 },
    ];
    for event in &events {
        for other in &events {
            let stored = Stored { name: other.to_stored().unwrap().name, ..event.to_stored().unwrap() };
            assert_eq!(Event::from_stored(&stored).as_ref() == Ok(event), event == other);
        }
    }
}

#[test]
fn variants_beyond_the_known_are_refused() {
    let (step, _) = step(StepFacts::Received, "", Some(0x9e));
    let appended = StepAppended {
        reference: String::new(),
        step,
        origin: Origin::Issued,
        pending: false,
        hosts: Hosts::default(),
        at_ms: 0,
    };
    let stored = Event::StepAppended(appended).to_stored().unwrap();
    let tail = 4 + 1 + 3 + 8;
    let facts_at = stored.bytes.len() - tail - 4;
    for (at, unknown) in [(facts_at, 8), (facts_at + 4, 2), (facts_at, 0xff)] {
        let mut bytes = stored.bytes.clone();
        bytes[at] = unknown;
        let changed = Stored { bytes, ..stored.clone() };
        assert!(matches!(Event::from_stored(&changed), Err(StoredError::Codec(_))), "{at}: {unknown}");
    }
    assert!(codec::decode::<Command>(&17u32.to_le_bytes()).is_err());
    assert_eq!(golden::variant(12), "0c000000");
}

#[test]
fn what_newer_code_wrote_is_named() {
    let stored = Stored { name: "order/step-appended".into(), schema: 2, bytes: vec![] };
    let text = Event::from_stored(&stored).unwrap_err().to_string();
    assert!(
        text.contains("order/step-appended") && text.contains("schema 2") && text.contains("newer"),
        "{text}"
    );
}
