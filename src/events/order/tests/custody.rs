//! What becomes of an order when a recovery does not find its seed or its sealed secret.

use super::kit::*;
use crate::order::*;

fn lost(node: Hosts, steps: usize) -> Given {
    given(node, &whole_order()[..steps]).and(Event::CustodyLost { at_ms: NOW_MS })
}

#[test]
fn what_a_node_must_have_follows_from_its_part_and_the_stage() {
    let secret = Some(Custody::Secret(block("secret")));
    for (node, expected) in [
        // new, placed, committed, redeemed, released, received
        (ALL, [None, Some(Custody::Seed), Some(Custody::Seed), Some(Custody::Seed), secret, secret]),
        (BOB, [None, Some(Custody::Seed), Some(Custody::Seed), Some(Custody::Seed), secret, secret]),
        (CAROL, [None, None, None, None, secret, secret]),
        (ALICE, [None; 6]),
    ] {
        for (steps, expected) in expected.into_iter().enumerate() {
            assert_eq!(
                given(node, &whole_order()[..steps]).order.custody(),
                expected,
                "{node:?}, {steps} steps"
            );
        }
    }
    let ended =
        given(BOB, &whole_order()[..4]).and(Event::RetentionEnded { secret: block("secret"), at_ms: 1 });
    assert_eq!(ended.order.custody(), None, "nobody looks for what was dropped");
}

#[test]
fn it_is_recorded_once_and_only_where_there_is_something_to_lose() {
    let given_with = |steps| given(BOB, &whole_order()[..steps]).at(NOW_MS + 5);
    given_with(0).when(&Command::LoseCustody).then_rejected("unknown-order");
    for steps in 1..=5 {
        let first = given_with(steps).when(&Command::LoseCustody);
        first.then(&[Event::CustodyLost { at_ms: NOW_MS + 5 }]);
        Given { order: first.order(), facts: facts(BOB) }.when(&Command::LoseCustody).then_nothing();
    }
    given(ALICE, &whole_order()[..2]).when(&Command::LoseCustody).then_rejected("out-of-state");
    let closed = given(BOB, &[placed(), committed(), closed(ClosedCode::Expired, &committed())]);
    closed.when(&Command::LoseCustody).then_rejected("out-of-state");
}

#[test]
fn nothing_is_committed_to_redeemed_or_released_and_nothing_is_tried() {
    lost(BOB, 1).when(&Command::Commit).then_rejected("custody-lost");
    lost(BOB, 2).when(&receive(&redemption())).then_rejected("custody-lost");
    lost(ALL, 2).when(&redeem(carol())).then_rejected("custody-lost");
    lost(BOB, 3).when(&Command::Release).then_rejected("custody-lost");
    lost(ALL, 4).when(&redeem(carol())).then_rejected("custody-lost");
    lost(CAROL, 4).when(&Command::Acknowledge(Verdict::Genuine)).then_rejected("custody-lost");
    for node in [ALL, BOB, CAROL, ALICE] {
        for steps in 1..=4 {
            let order = lost(node, steps).order;
            assert_eq!(order.due(NOW_MS), None, "{node:?}, {steps} steps");
            assert!(order.outbox().iter().all(|delivery| delivery.kind != dta_protocol::Kind::Released));
        }
    }
}

#[test]
fn it_can_still_be_closed_and_a_secret_that_was_fetched_in_time_received() {
    let wish = cancellation(&committed());
    let asked = lost(BOB, 2).when(&receive(&wish)).order();
    assert_eq!(asked.due(NOW_MS), Some(Due::Close(ClosedCode::Cancelled)));
    let received = lost(BOB, 4).when(&receive(&received())).order();
    assert_eq!((received.stage, received.custody_lost), (Stage::Received, true));
    assert!(matches!(received.gone_with(&released()), Some((_, Rejection::CustodyLost))));
    assert_eq!(received.sealed_with(&released()), None);
}

#[test]
fn what_is_found_again_goes_on() {
    let stood = lost(BOB, 3).at(NOW_MS + 7);
    let found = stood.when(&Command::FindCustody);
    found.then(&[Event::CustodyFound { at_ms: NOW_MS + 7 }]);
    assert_eq!(found.order().due(NOW_MS), Some(Due::Release));
    given(BOB, &whole_order()[..3]).when(&Command::FindCustody).then_nothing();
    given(BOB, &[]).when(&Command::FindCustody).then_rejected("unknown-order");
}

#[test]
fn a_step_that_may_have_been_made_before_waits_for_the_operator() {
    for (node, expected) in [
        // new, placed, committed, redeemed, released, received
        (BOB, [false, true, false, true, false, false]),
        (ALL, [false; 6]),
        (Hosts { beneficiary: false, ..ALL }, [false, false, false, true, false, false]),
        (CAROL, [false; 6]),
        (ALICE, [false; 6]),
    ] {
        for (steps, expected) in expected.into_iter().enumerate() {
            assert_eq!(
                given(node, &whole_order()[..steps]).order.may_be_said(),
                expected,
                "{node:?}, {steps} steps"
            );
        }
    }
    for (steps, due) in [(1, Due::Commit), (3, Due::Release)] {
        let stood = given(BOB, &whole_order()[..steps]);
        let held = stood.when(&Command::Hold);
        held.then(&[Event::Held { at_ms: NOW_MS }]);
        let held = Given { order: held.order(), facts: facts(BOB) };
        assert_eq!(held.order.due(NOW_MS), None);
        held.when(&Command::Hold).then_nothing();
        let resumed = held.when(&Command::Resume).order();
        assert_eq!(resumed.due(NOW_MS), Some(due));
    }
    // It can still be closed.
    let wish = cancellation(&committed());
    let asked = given(BOB, &[placed(), committed(), wish]).and(Event::Held { at_ms: NOW_MS });
    assert_eq!(asked.order.due(NOW_MS), Some(Due::Close(ClosedCode::Cancelled)));
}

#[test]
fn a_recovery_tells_each_order_what_it_found() {
    use Command::{FindCustody, Hold, LoseCustody};
    let steps = |node, steps| given(node, &whole_order()[..steps]).order;
    assert_eq!((steps(BOB, 0).recovered(true), steps(ALICE, 2).recovered(false)), (vec![], vec![]));
    for count in 1..=5 {
        assert_eq!(steps(BOB, count).recovered(false), [LoseCustody], "{count} steps");
    }
    assert_eq!((steps(BOB, 1).recovered(true), steps(BOB, 2).recovered(true)), (vec![Hold], vec![]));
    assert_eq!(
        (lost(BOB, 2).order.recovered(true), lost(BOB, 3).order.recovered(true)),
        (vec![FindCustody], vec![FindCustody, Hold])
    );
    assert_eq!(
        (lost(CAROL, 4).order.recovered(true), lost(CAROL, 4).order.recovered(false)),
        (vec![FindCustody], vec![LoseCustody])
    );
}
