//! Mallory sends 64 statements under one reference at the same moment.

use std::collections::BTreeSet;
use std::sync::Barrier;

use dta_protocol::Kind;

use super::forge::{About, Forged, new_reference, placed};
use super::{Heard, Mallory, ORDER, identity_of};
use crate::world::{Party, Settings, seeds};

const MANY: usize = 64;

/// Bob's node, and a principal whom it serves.
fn scene() -> (Party, Mallory) {
    let mut bob = Party::new("bob");
    bob.home.settings(&Settings::default().text("fiduciary", ""));
    bob.start();
    let mallory = Mallory::new("mallory");
    bob.pin(&mallory.document(), None);
    (bob, mallory)
}

/// Each has a call of its own: a nonce serves once.
fn all_at_once(bob: &Party, mallory: &Mallory, statements: &[Forged]) -> Vec<Heard> {
    let barrier = Barrier::new(statements.len());
    std::thread::scope(|scope| {
        let threads: Vec<_> = statements
            .iter()
            .map(|statement| {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    mallory.post(bob, ORDER, statement.cid(), &statement.blocks())
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn one_statement_sent_by_everybody_is_one_order() {
    let (bob, mallory) = scene();
    let bobs = identity_of(&bob);
    let reference = new_reference();
    let to = [&mallory.identity, &bobs];
    let one = mallory.step(&About::new_order(&reference), &placed(&reference, &bobs, None), &to);
    let all: Vec<_> =
        (0..MANY).map(|_| Forged { envelope: one.envelope.clone(), bodies: one.bodies.clone() }).collect();
    let committed: BTreeSet<_> = all_at_once(&bob, &mallory, &all)
        .iter()
        .map(|heard| {
            let (newest, _) = heard.steps();
            assert_eq!(newest.statement().kind, Kind::Committed);
            newest.cid()
        })
        .collect();
    assert_eq!((committed.len(), seeds(&bob)), (1, 1));
    assert_eq!(bob.caught_up().steps(&one.cid().to_string()), ["order/placed", "order/committed"]);
}

#[test]
fn different_statements_under_one_reference_are_one_order_and_evidence() {
    let (bob, mallory) = scene();
    let bobs = identity_of(&bob);
    let reference = new_reference();
    let to = [&mallory.identity, &bobs];
    let all: Vec<_> = (0..MANY)
        .map(|_| mallory.step(&About::new_order(&reference), &placed(&reference, &bobs, None), &to))
        .collect();
    let heard = all_at_once(&bob, &mallory, &all);
    let winners: Vec<_> = (0..MANY).filter(|n| heard[*n].status == 200).collect();
    assert_eq!(winners.len(), 1, "{:?}", heard.iter().map(Heard::code).collect::<Vec<_>>());
    for (n, answer) in heard.iter().enumerate().filter(|(n, _)| *n != winners[0]) {
        assert!(answer.status == 409, "{n}: {}", answer.timeless());
        answer.refuses(409, &answer.code());
    }
    let (committed, _) = heard[winners[0]].steps();
    assert_eq!(committed.statement().previous, Some(all[winners[0]].cid()));
    assert_eq!(seeds(&bob), 1, "one commitment under one reference");
    let codes: BTreeSet<_> = heard.iter().map(Heard::code).filter(|code| !code.is_empty()).collect();
    println!("{codes:?}");
    // Asked again, each is answered as before.
    assert_eq!(mallory.post(&bob, ORDER, all[winners[0]].cid(), &all[winners[0]].blocks()).status, 200);
    let steps = bob.caught_up().steps(&all[winners[0]].cid().to_string());
    assert_eq!(steps.iter().filter(|step| *step == "order/committed").count(), 1, "{steps:?}");
}
