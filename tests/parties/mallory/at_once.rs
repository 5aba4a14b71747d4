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
fn all_at_once(bob: &Party, mallory: &Mallory, statements: &[&Forged]) -> Vec<Heard> {
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
    let committed: BTreeSet<_> = all_at_once(&bob, &mallory, &[&one; MANY])
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
    let heard = all_at_once(&bob, &mallory, &all.iter().collect::<Vec<_>>());
    // The first, and the one that is evidence: both hear what stands.
    let heeded: Vec<_> = (0..MANY).filter(|n| heard[*n].status == 200).collect();
    assert_eq!(heeded.len(), 2, "{:?}", heard.iter().map(Heard::code).collect::<Vec<_>>());
    for answer in (0..MANY).filter(|n| !heeded.contains(n)).map(|n| &heard[n]) {
        answer.refuses(409, "equivocation");
    }
    let committed = heeded.iter().map(|n| heard[*n].steps().0);
    let first: BTreeSet<_> = committed.map(|step| step.statement().previous.unwrap()).collect();
    assert_eq!(first.len(), 1);
    let winner = heeded.into_iter().find(|n| first.contains(&all[*n].cid())).unwrap();
    assert_eq!(seeds(&bob), 1, "one commitment under one reference");
    // Asked again, each is answered as before.
    assert_eq!(mallory.post(&bob, ORDER, all[winner].cid(), &all[winner].blocks()).status, 200);
    let steps = bob.caught_up().steps(&all[winner].cid().to_string());
    assert_eq!(steps.iter().filter(|step| *step == "order/committed").count(), 1, "{steps:?}");
}
