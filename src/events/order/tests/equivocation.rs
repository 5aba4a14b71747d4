//! Two statements for one slot: recorded once with both envelopes, then only refused; the order goes on as it was.

use super::kit::*;
use crate::order::*;

#[track_caller]
fn equivocates(stood: &Given, first: &Step, second: &Step) {
    let recorded = stood.when(&receive(second));
    recorded.then(&[Event::EquivocationSeen { first: first.cid, second: second.cid }]);
    let after = Given { order: recorded.order(), ..stood.clone() };
    let unmarked = Order { equivocations: stood.order.equivocations.clone(), ..after.order.clone() };
    assert_eq!(unmarked, stood.order, "nothing else changes");
    assert_eq!(after.order.equivocations.get(&first.cid), Some(&second.cid));
    after.when(&receive(second)).then_rejected("equivocation");
    after.when(&receive(&reworded(second, "a third"))).then_rejected("equivocation");
    after.when(&receive(first)).then_nothing();
    // The mark is of the first other statement, whatever else is in the log.
    let again = after.order.apply(&Event::EquivocationSeen { first: first.cid, second: mallory() });
    assert_eq!(again.equivocations.get(&first.cid), Some(&second.cid));
}

#[test]
fn a_second_statement_in_a_slot_is_recorded_once() {
    for (at, first) in whole_order().iter().enumerate() {
        for node in [ALICE, BOB, CAROL] {
            for count in at + 1..=5 {
                let stood = given(node, &whole_order()[..count]);
                if stood.order.steps.iter().any(|accepted| accepted.step == *first) {
                    equivocates(&stood, first, &reworded(first, "other words"));
                }
            }
        }
    }
}

#[test]
fn alice_places_another_order_under_the_same_reference() {
    let second =
        Step { facts: placed_for(Some(mallory()), Terms::default()).facts, ..reworded(&placed(), "b") };
    equivocates(&given(BOB, &whole_order()[..2]), &placed(), &second);
}

#[test]
fn alice_names_another_beneficiary_after_the_redemption() {
    let second = reworded(&redemption_for(mallory()), "to mallory");
    equivocates(&given(BOB, &whole_order()[..3]), &redemption(), &second);
    equivocates(&given(BOB, &whole_order()[..4]), &redemption(), &second);
}

#[test]
fn bob_commits_twice_whatever_the_second_answers() {
    let after_wish = cancellation(&committed());
    let histories = [
        whole_order()[..2].to_vec(),
        whole_order()[..4].to_vec(),
        vec![placed(), committed(), after_wish.clone()],
        vec![placed(), committed(), after_wish.clone(), closed(ClosedCode::Cancelled, &after_wish)],
    ];
    for history in histories {
        let stood = given(CAROL, &history);
        for previous in [Some(placed().cid), Some(after_wish.cid), stood.order.head().map(|step| step.cid)] {
            let second = Step { previous, ..reworded(&committed(), "another key") };
            equivocates(&stood, &committed(), &second);
        }
    }
}

#[test]
fn slots_are_each_their_own() {
    // Another kind in answer to the same step is no equivocation: the fiduciary's log decides which came first.
    let stood = given(BOB, &whole_order()[..3]);
    stood.when(&receive(&cancellation(&committed()))).then_rejected("wrong-previous");
    let stood = given(BOB, &whole_order());
    stood.when(&receive(&disputed())).then_rejected("wrong-previous");
    // A second wish answers the first: a slot of its own.
    let wish = cancellation(&placed());
    let second = Step { previous: Some(wish.cid), ..reworded(&wish, "again") };
    given(BOB, &[placed(), wish]).when(&receive(&second)).order();
}

#[test]
fn each_slot_is_marked_for_itself() {
    let stood = given(BOB, &whole_order());
    let marks = [placed(), redemption(), received()];
    let after = marks.iter().fold(stood, |stood, first| {
        let order = stood.when(&receive(&reworded(first, &format!("not {}", first.cid)))).order();
        Given { order, ..stood }
    });
    assert_eq!(after.order.equivocations.len(), 3);
}

#[test]
fn a_statement_that_was_refused_takes_no_slot() {
    let terms = Terms { not_before_ms: NOW_MS + 10, ..Terms::default() };
    let stood = given(BOB, &[placed_for(None, terms), committed()]);
    stood.when(&receive(&redemption())).then_rejected("not-before");
    // The same bytes later, and other bytes later: both may come.
    stood.clone().at(NOW_MS + 10).when(&receive(&redemption())).order();
    stood.at(NOW_MS + 10).when(&receive(&reworded(&redemption(), "anew"))).order();
}
