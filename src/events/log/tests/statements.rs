//! Given what is known of a log, when its owner answers for statements, then they are proved, missing, or asked for again.

use super::*;
use crate::log::statements::MISSING_MAX;
use crate::order::{Event as OrderEvent, Hosts, Origin, Step, StepAppended, StepFacts};
use crate::record::{Aggregate, AggregateKind, Effect, Record};

const LIMIT_MS: u64 = 600_000;

/// Accepted at 1,000 ms times its sequence.
fn taken(sequence: u64, byte: u8) -> Taken {
    Taken { sequence, cid: cid(byte), at_ms: sequence * 1_000 }
}

fn at(now_ms: u64) -> Patience {
    Patience { now_ms, missing_after_ms: LIMIT_MS, is_clock_trusted: true }
}

/// Long after every statement of these tests.
const LATE: Patience = Patience { now_ms: 10_000_000, missing_after_ms: LIMIT_MS, is_clock_trusted: true };

fn heard(under: Tip, answers: &[(Taken, bool)]) -> Heard {
    Heard { under, answers: answers.to_vec() }
}

fn settle(watched: &Watched, heard: &Heard, patience: &Patience) -> Option<Change> {
    watched.settle(heard, patience, |settled| settled + 1)
}

/// A log of which one note was seen.
fn watched() -> (Watched, Tip) {
    let under = tip(0, 10, 1);
    (seen(&Watched::default(), under.clone()), under)
}

fn proved(change: Option<Change>) -> Watched {
    match change {
        Some(Change::StatementsProved(after)) => after,
        other => panic!("{other:?}"),
    }
}

fn missing(change: Option<Change>) -> (Vec<Cid>, Watched) {
    match change {
        Some(Change::StatementsMissing(statements, after)) => (statements, after),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_proved_is_settled_and_nothing_else_changes() {
    let (known, under) = watched();
    let answers = [(taken(3, 1), true), (taken(5, 2), true)];
    let after = proved(settle(&known, &heard(under.clone(), &answers), &at(6_000)));
    assert_eq!((after.statements.settled, after.statements.all_settled), (6, 7));
    assert_eq!(after.alarms(), 0);
    assert_eq!(Watched { statements: Statements::default(), ..after.clone() }, known);
    assert_eq!(settle(&after, &heard(under.clone(), &answers), &LATE), None, "told twice");
    let unproved = answers.map(|(taken, _)| (taken, false));
    assert_eq!(settle(&after, &heard(under, &unproved), &LATE), None, "it was proved");
}

#[test]
fn one_that_is_not_proved_waits_for_the_limit_and_is_missing_then() {
    let (known, under) = watched();
    let answers = heard(under.clone(), &[(taken(3, 1), true), (taken(5, 2), false), (taken(6, 3), true)]);
    let accepted_ms = 5_000;
    let after = proved(settle(&known, &answers, &at(accepted_ms + LIMIT_MS - 1)));
    assert_eq!(after.statements.settled, 4, "up to the one that is not proved");
    assert_eq!(settle(&after, &answers, &at(accepted_ms + LIMIT_MS - 1)), None);
    let (statements, after) = missing(settle(&after, &answers, &at(accepted_ms + LIMIT_MS)));
    assert_eq!((statements, after.statements.settled, after.alarms()), (vec![cid(2)], 7, 1));
    let at_ms = accepted_ms + LIMIT_MS;
    let expected = Missing { statement: cid(2), sequence: 5, accepted_ms, at_ms, under };
    assert_eq!(after.statements.missing, [expected]);
    assert_eq!(settle(&after, &answers, &LATE), None, "said once");
}

#[test]
fn a_clock_that_may_not_decide_proves_and_misses_nothing() {
    let (known, under) = watched();
    let patience = Patience { is_clock_trusted: false, ..LATE };
    let answers = heard(under, &[(taken(3, 1), true), (taken(5, 2), false)]);
    let after = proved(settle(&known, &answers, &patience));
    assert_eq!(after.statements.settled, 4);
    assert_eq!(settle(&after, &answers, &patience), None);
}

#[test]
fn a_clock_that_went_back_asks_and_misses_nothing() {
    let (known, under) = watched();
    let answers = heard(under, &[(taken(5_000, 2), false)]);
    assert!(at(0).is_due(&taken(5_000, 2)));
    assert_eq!(settle(&known, &answers, &at(0)), None);
}

#[test]
fn statements_of_one_record_are_settled_together() {
    let (known, under) = watched();
    let asked = [taken(2, 9), taken(3, 1), taken(3, 2)];
    let cut = |said: &[bool]| Heard::of(under.clone(), &asked, said).answers.len();
    assert_eq!([cut(&[]), cut(&[true]), cut(&[true; 2]), cut(&[true; 3])], [0, 1, 1, 3], "it went away");
    let waits = heard(under.clone(), &[(taken(3, 1), true), (taken(3, 2), false)]);
    assert_eq!(settle(&known, &waits, &at(4_000)), None);
    let both = heard(under, &[(taken(3, 1), false), (taken(3, 2), false), (taken(4, 3), true)]);
    let (statements, after) = missing(settle(&known, &both, &LATE));
    assert_eq!((statements, after.statements.settled), (vec![cid(1), cid(2)], 5));
}

#[test]
fn a_proof_counts_once_its_note_goes_with_those_before_it() {
    let (known, first) = watched();
    let (good, later) = ([(taken(3, 1), true)], tip(0, 20, 2));
    let known = seen(&known, later.clone());
    assert_eq!(known.standing(&first), Standing::Holds);
    assert_eq!(known.standing(&later), Standing::Waits);
    assert_eq!(settle(&known, &heard(later.clone(), &good), &LATE), None, "still to be proved");
    let asked = known.question().unwrap();
    let Some(Change::Proved(holds)) = known.answer(&asked, Answer::Consistent, 8) else { panic!() };
    assert_eq!(proved(settle(&holds, &heard(later.clone(), &good), &LATE)).statements.settled, 4);
    assert_eq!(proved(settle(&holds, &heard(first, &good), &LATE)).statements.settled, 4, "of those before");
    // What its owner says no to is not better for a note that is not proved.
    let bad = [(taken(3, 1), false)];
    assert_eq!(missing(settle(&known, &heard(later.clone(), &bad), &LATE)).0, [cid(1)]);
    let (_, forked) = alarmed(known.answer(&asked, Answer::Inconsistent, 8));
    assert_eq!(forked.standing(&later), Standing::Void);
    for answers in [good, bad] {
        assert_eq!(settle(&forked, &heard(later.clone(), &answers), &LATE), None, "worth nothing");
    }
}

#[test]
fn notes_of_an_epoch_that_was_left_or_that_nobody_gave_say_nothing() {
    let (known, under) = watched();
    let good = [(taken(3, 1), true)];
    let (_, left) = alarmed(known.see(tip(1, 6, 3)));
    assert_eq!(settle(&left, &heard(under, &good), &LATE), None);
    assert_eq!(settle(&left, &heard(tip(1, 7, 3), &good), &LATE), None);
    assert_eq!(proved(settle(&left, &heard(tip(1, 6, 3), &good), &LATE)).statements.settled, 4);
}

#[test]
fn the_first_missing_ones_are_kept_and_all_are_counted() {
    let (known, under) = watched();
    let many = 2 * MISSING_MAX as u64;
    let answers: Vec<_> = (0..many).map(|sequence| (taken(sequence, sequence as u8), false)).collect();
    let (statements, after) = missing(settle(&known, &heard(under, &answers), &LATE));
    assert_eq!((statements.len() as u64, after.statements.missed, after.alarms()), (many, many, many));
    let kept: Vec<_> = after.statements.missing.iter().map(|missing| missing.sequence).collect();
    assert_eq!(kept, (0..MISSING_MAX as u64).collect::<Vec<_>>());
}

#[test]
fn a_statement_is_asked_for_after_a_tenth_of_the_limit() {
    let one = taken(5, 1);
    assert!(!at(5_000 + LIMIT_MS / 10 - 1).is_due(&one));
    assert!(at(5_000 + LIMIT_MS / 10).is_due(&one));
}

#[test]
fn what_others_signed_is_taken_from_records_of_orders() {
    let step = |byte: u8, origin| {
        let step = Step {
            cid: cid(byte),
            statement: [byte; 32],
            signer: cid(byte + 100),
            previous: None,
            issued_at_ms: 1,
            sealed: vec![],
            facts: StepFacts::Received,
        };
        let reference = String::new();
        let hosts = Hosts::default();
        OrderEvent::StepAppended(StepAppended { reference, step, origin, pending: false, hosts, at_ms: 77 })
    };
    let events = [
        step(1, Origin::Received),
        step(2, Origin::Issued),
        OrderEvent::EquivocationSeen { first: cid(1), second: cid(4) },
        step(3, Origin::Received),
    ];
    let stored = events.iter().map(|event| event.to_stored().unwrap()).collect();
    let record = |kind, effect| Record {
        sequence: 9,
        time_ms: 5,
        aggregate: Aggregate { kind, id: [1; 32] },
        version: 1,
        by: "local".into(),
        request: None,
        trace_id: [0; 16],
        command: crate::record::Stored { name: "order/accept".into(), schema: 1, bytes: vec![] },
        effect,
        previous: [0; 32],
        nonce: [0; 32],
        blind: [0; 32],
    };
    let brought = record(AggregateKind::Order, Effect::Events(stored));
    let expected = [1, 3].map(|byte| (cid(byte + 100), Taken { sequence: 9, cid: cid(byte), at_ms: 77 }));
    assert_eq!(Taken::of(&brought), expected);
    assert_eq!(
        Taken::of(&Record { aggregate: Aggregate { kind: AggregateKind::Log, id: [1; 32] }, ..brought }),
        []
    );
    let refused = Effect::Refused { code: "closed".into(), details: String::new() };
    assert_eq!(Taken::of(&record(AggregateKind::Order, refused)), []);
}
