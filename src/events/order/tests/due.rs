//! What is due at each point of an order: the ordinary course, timers and the recovery after a crash are one function.

use super::kit::*;
use crate::order::{self, *};

fn with_terms(terms: Terms) -> [Step; 5] {
    let mut steps = whole_order();
    steps[0] = placed_for(None, terms);
    steps
}

#[test]
fn after_each_step_each_node_knows_what_is_its_own_to_do() {
    use Due::{Acknowledge, Commit, Release};
    let alice_and_bob = Hosts { beneficiary: false, ..ALL };
    let table = [
        // new, placed, committed, redeemed, released, received
        (ALL, [None, Some(Commit), None, Some(Release), Some(Acknowledge), None]),
        (alice_and_bob, [None, Some(Commit), None, Some(Release), None, None]),
        (BOB, [None, Some(Commit), None, Some(Release), None, None]),
        (ALICE, [None; 6]),
        (CAROL, [None, None, None, None, Some(Acknowledge), None]),
        (Hosts::default(), [None; 6]),
    ];
    for (node, expected) in table {
        for (count, due) in expected.into_iter().enumerate() {
            let order = given(node, &whole_order()[..count]).order;
            assert_eq!(order.due(NOW_MS), due, "{node:?} after {count} steps");
            let to_deliver = (!order.outbox().is_empty()).then_some(0);
            assert_eq!(order.next_due_ms(), due.map(|_| 0).or(to_deliver), "{node:?} after {count} steps");
        }
    }
    for end in [disputed(), closed(ClosedCode::Expired, &committed())] {
        let steps = match end.facts {
            StepFacts::Closed { .. } => [&whole_order()[..2], &[end]].concat(),
            _ => [&whole_order()[..4], &[end]].concat(),
        };
        assert_eq!(given(ALL, &steps).order.next_due_ms(), None);
    }
}

/// Does what is due until nothing is, as a node does after it starts. Every envelope gets a name of its own.
fn follow(mut order: Order, facts: &Facts) -> Order {
    for round in 0..9 {
        let Some(due) = order.due(facts.now_ms) else { return order };
        let command = due.command().unwrap_or(Command::Acknowledge(Verdict::Genuine));
        let made = Made { cid: envelope(&format!("round {round} of {}", order.steps.len())), ..made() };
        let events = order.decide(&command, facts, Some(&made)).unwrap();
        assert!(!events.is_empty(), "{due:?} was due and did nothing");
        order = events.iter().fold(order, Order::apply);
    }
    panic!("something stays due: {:?}", order.due(facts.now_ms));
}

#[test]
fn a_crash_between_any_two_appends_changes_nothing() {
    let history: Vec<Event> = whole_order().iter().map(|step| appended(ALL, step)).collect();
    let ends =
        [Stage::New, Stage::Committed, Stage::Committed, Stage::Received, Stage::Received, Stage::Received];
    for (count, end) in ends.into_iter().enumerate() {
        let reread = history[..count].iter().fold(Order::default(), Order::apply);
        let order = follow(reread, &facts(ALL));
        assert_eq!(order.stage, end, "crashed after {count} appends");
        let kinds = |steps: &[Accepted]| steps.iter().map(|a| a.step.facts.kind()).collect::<Vec<_>>();
        let whole = given(ALL, &whole_order()).order;
        assert_eq!(kinds(&order.steps), kinds(&whole.steps[..order.steps.len()]));
        assert!(order.steps.windows(2).all(|pair| pair[1].step.previous == Some(pair[0].step.cid)));
        assert_eq!(follow(order.clone(), &facts(ALL)), order, "and nothing is done twice");
    }
}

#[test]
fn a_wish_to_cancel_comes_before_all_else() {
    for (count, last) in [(1, placed()), (2, committed()), (3, redemption())] {
        let mut steps = with_terms(Terms { expires_at_ms: NOW_MS + 5, ..Terms::default() })[..count].to_vec();
        steps.push(cancellation(&last));
        for (node, due) in [(BOB, Some(Due::Close(ClosedCode::Cancelled))), (CAROL, None)] {
            let order = given(node, &steps).order;
            assert_eq!(order.due(NOW_MS), due);
            assert_eq!(order.due(NOW_MS + 5), due, "even when the order's time is over too");
            assert_eq!(order.next_due_ms(), due.map(|_| 0));
        }
        assert_eq!(follow(given(ALL, &steps).order, &facts(ALL)).stage, Stage::Closed);
    }
}

#[test]
fn an_order_is_due_to_close_when_its_time_is_over() {
    let steps = with_terms(Terms { expires_at_ms: NOW_MS + 10, ..Terms::default() });
    let over = Some(Due::Close(ClosedCode::Expired));
    for (count, before, first_ms) in
        [(1, Some(Due::Commit), 0), (2, None, NOW_MS + 10), (3, Some(Due::Release), 0)]
    {
        let order = given(BOB, &steps[..count]).order;
        assert_eq!(order.due(NOW_MS + 9), before);
        assert_eq!(order.due(NOW_MS + 10), over);
        assert_eq!(order.due(u64::MAX), over);
        assert_eq!(order.next_due_ms(), Some(first_ms));
        assert_eq!(given(ALICE, &steps[..count]).order.due(u64::MAX), None);
    }
    assert_eq!(given(BOB, &steps[..4]).order.due(u64::MAX), None);
}

#[test]
fn a_release_is_not_due_before_its_time() {
    let steps = with_terms(Terms { not_before_ms: NOW_MS + 10, ..Terms::default() });
    let order = given(BOB, &steps[..3]).order;
    assert_eq!((order.due(NOW_MS + 9), order.due(NOW_MS + 10)), (None, Some(Due::Release)));
    assert_eq!(order.next_due_ms(), Some(NOW_MS + 10));
}

#[test]
fn the_sealed_secret_is_due_to_go_when_its_retention_ends() {
    let steps = with_terms(Terms { retention_ms: 10, ..Terms::default() });
    for (node, before) in [(ALL, Some(Due::Acknowledge)), (BOB, None), (CAROL, Some(Due::Acknowledge))] {
        let delivered = Event::DeliveryEnded {
            to: Party::Beneficiary,
            step: released().cid,
            outcome: order::Outcome::Delivered,
        };
        let order = given(node, &steps[..4]).and(delivered).order;
        assert_eq!(order.due(NOW_MS + 9), before);
        // A receipt that a crash held up comes before the end of what it needs.
        assert_eq!(order.due(NOW_MS + 10), before.or(Some(Due::EndRetention)));
        assert_eq!(order.next_due_ms(), Some(before.map_or(NOW_MS + 10, |_| 0)));
    }
    let order = given(ALL, &steps).order;
    assert_eq!((order.due(NOW_MS + 9), order.due(NOW_MS + 10)), (None, Some(Due::EndRetention)));
    assert_eq!(order.next_due_ms(), Some(NOW_MS + 10));
    let gone = order.apply(&Event::RetentionEnded { secret: block("secret"), at_ms: NOW_MS + 10 });
    assert_eq!((gone.due(u64::MAX), gone.next_due_ms()), (None, None));
}

#[test]
fn a_retention_never_overflows() {
    let order = given(ALL, &whole_order()[..3]).order;
    let terms = Terms { retention_ms: u64::MAX, ..Terms::default() };
    let order = Order { terms, ..order }.apply(&appended(ALL, &released()));
    assert_eq!(order.secret.unwrap().until_ms, Some(u64::MAX));
}
