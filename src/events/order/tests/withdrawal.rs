//! A principal takes back an order that its fiduciary, elsewhere, has not answered: what the fiduciary says stands, and what
//! it had accepted is closed.

use super::kit::*;
use crate::order::*;

fn withdrawn() -> Given {
    given(ALICE, &[placed(), withdrawal()])
}

/// Her wish, in answer to her own `order/placed`.
fn withdrawal() -> Step {
    Step { cid: envelope("withdrawal"), ..reworded(&cancellation(&placed()), "withdrawal") }
}

fn after(order: Order) -> Given {
    Given { order, facts: facts(ALICE) }
}

fn kinds(order: &Order) -> Vec<&'static str> {
    order.steps.iter().map(|accepted| accepted.step.facts.kind().as_str()).collect()
}

#[test]
fn it_answers_her_own_step_and_goes_with_it() {
    let draft = given(ALICE, &[placed()]).when(&cancel()).draft();
    assert_eq!((draft.previous, draft.signer), (Some(placed().cid), alice()));
    assert_eq!(draft.readers, [alice(), bob()]);
    let Given { order, .. } = withdrawn();
    assert_eq!((order.stage, order.stage.is_final(), order.head()), (Stage::Withdrawn, false, None));
    assert_eq!(order.placed(), Some(placed().cid));
    let outbox = order.outbox();
    assert_eq!(outbox.len(), 1, "{outbox:?}");
    assert_eq!((outbox[0].to, outbox[0].step), (Party::Fiduciary, withdrawal().cid));
    assert_eq!(order.due(NOW_MS), None);
    // Nothing else is asked of it, and the same once more is known.
    withdrawn().when(&cancel()).then_nothing();
    withdrawn().when(&redeem(carol())).then_rejected("withdrawn");
    withdrawn().when(&place()).then_rejected("reference-taken");
    withdrawn().when(&receive(&withdrawal())).then_nothing();
    withdrawn().when(&receive(&placed())).then_nothing();
}

#[test]
fn a_fiduciary_that_hears_both_at_once_makes_no_key() {
    let both = Command::Accept(vec![sent(&placed()), sent(&withdrawal())]);
    let bob = Given { order: Order::default(), facts: facts(BOB) };
    let events = bob.order.decide(&both, &bob.facts, None).unwrap();
    let order = events.iter().fold(bob.order, Order::apply);
    assert_eq!(kinds(&order), ["order/placed", "order/cancellation-requested"]);
    assert_eq!(order.due(NOW_MS), Some(Due::Close(ClosedCode::Cancelled)));
    Given { order, facts: facts(BOB) }.when(&Command::Commit).then_rejected("closed");
    let end = withdrawn().when(&receive(&closed(ClosedCode::Cancelled, &withdrawal()))).order();
    assert_eq!(kinds(&end), ["order/placed", "order/cancellation-requested", "order/closed"]);
    assert_eq!((end.stage, end.unsettled().count(), end.withdrawn), (Stage::Closed, 0, false));
    assert_eq!((end.next_due_ms(), end.stalled().count()), (None, 0));
}

#[test]
fn what_he_had_committed_to_already_stands_and_she_asks_again() {
    // Her wish is too late for him: it answers what he has answered otherwise.
    given(BOB, &[placed(), committed()]).when(&receive(&withdrawal())).then_rejected("wrong-previous");
    let order = withdrawn().when(&receive(&committed())).order();
    assert_eq!(kinds(&order), ["order/placed", "order/committed"]);
    assert_eq!((order.stage, order.withdrawn), (Stage::Committed, true));
    assert_eq!((order.due(NOW_MS), order.next_due_ms()), (Some(Due::RequestCancellation), Some(0)));
    after(order.clone()).when(&redeem(carol())).then_rejected("withdrawn");
    let command = Due::RequestCancellation.command().unwrap();
    assert_eq!(after(order.clone()).when(&command).draft().previous, Some(committed().cid));
    let wish = cancellation(&committed());
    let asked = after(order).and(appended(ALICE, &wish));
    assert_eq!((asked.order.stage, asked.order.due(NOW_MS)), (Stage::Committed, None));
    asked.when(&redeem(carol())).then_rejected("step-pending");
    let end = asked.when(&receive(&closed(ClosedCode::Cancelled, &wish))).order();
    assert_eq!((end.stage, end.due(NOW_MS)), (Stage::Closed, None));
    after(end).when(&redeem(carol())).then_rejected("closed");
    // Turned down as a wish for an order that stands, it is asked no more, and she may ask herself.
    let refused = Event::StepRefused { cid: wish.cid, code: "no".into() };
    let stands = asked.and(refused);
    assert_eq!((stands.order.stage, stands.order.due(NOW_MS)), (Stage::Committed, None));
    assert_eq!(stands.when(&cancel()).draft().previous, Some(committed().cid));
}

#[test]
fn he_has_closed_it_already() {
    let expired = closed(ClosedCode::Expired, &placed());
    let end = withdrawn().when(&receive(&expired)).order();
    assert_eq!(kinds(&end), ["order/placed", "order/closed"]);
    assert_eq!((end.stage, end.due(NOW_MS), end.outbox().len()), (Stage::Closed, None, 0));
    after(end).when(&redeem(carol())).then_rejected("closed");
}

#[test]
fn a_refusal_of_either_ends_what_it_refuses() {
    // Of the order, by a call that was under way: it is refused, and the wish is moot.
    let refuse = |cid| Command::Refuse { cid, code: "policy-invalid".into() };
    let order = withdrawn().when(&refuse(placed().cid)).order();
    assert_eq!((order.stage, order.unsettled().count(), order.withdrawn), (Stage::Refused, 0, false));
    assert_eq!((kinds(&order), order.next_due_ms()), (vec!["order/placed"], None));
    // Of the wish: the order waits as before, for an answer of its own.
    let order = withdrawn().when(&refuse(withdrawal().cid)).order();
    assert_eq!(Order { turned_down: Default::default(), ..order.clone() }, given(ALICE, &[placed()]).order);
    assert_eq!(order.outbox()[0].step, placed().cid);
    after(order.clone()).when(&refuse(withdrawal().cid)).then_rejected("not-pending");
    assert_eq!(after(order).when(&refuse(placed().cid)).order().stage, Stage::Refused);
}

#[test]
fn a_wish_that_was_turned_down_and_taken_after_all_stands() {
    let refused = Event::StepRefused { cid: withdrawal().cid, code: "trust".into() };
    let end =
        withdrawn().and(refused).when_many(&[withdrawal(), closed(ClosedCode::Cancelled, &withdrawal())]);
    assert_eq!(kinds(&end), ["order/placed", "order/cancellation-requested", "order/closed"]);
    assert_eq!((end.stage, end.unsettled().count(), end.next_due_ms()), (Stage::Closed, 0, None));
}

#[test]
fn it_is_given_up_shown_and_tried_again_like_any_delivery() {
    let stalled = Event::DeliveryEnded {
        to: Party::Fiduciary,
        step: withdrawal().cid,
        outcome: crate::order::Outcome::Stalled,
    };
    // What was given up before, as `order/placed`, is tried again by the wish.
    let before = Event::DeliveryEnded {
        to: Party::Fiduciary,
        step: placed().cid,
        outcome: crate::order::Outcome::Stalled,
    };
    let order = given(ALICE, &[placed()]).and(before).and(appended(ALICE, &withdrawal()));
    assert_eq!(order.order.outbox().len(), 1);
    let given_up = order.and(stalled);
    assert_eq!((given_up.order.outbox().len(), given_up.order.stalled().count()), (0, 1));
    assert_eq!((given_up.order.stage, given_up.order.next_due_ms()), (Stage::Withdrawn, None));
    let again = given_up.when(&Command::Resume).order();
    assert_eq!((again.outbox().len(), again.stage), (1, Stage::Withdrawn));
}

#[test]
fn only_an_order_that_waits_is_taken_back() {
    given(ALICE, &[]).when(&cancel()).then_rejected("unknown-order");
    given(BOB, &[placed()]).when(&cancel()).then_rejected("not-hosted");
    let redeeming = given(ALICE, &whole_order()[..3]);
    redeeming.when(&cancel()).then_rejected("step-pending");
    // Where the fiduciary lives too, nothing waits.
    let here = given(ALL, &[placed()]).when(&cancel()).order();
    assert_eq!((here.stage, here.withdrawal.is_some(), here.withdrawn), (Stage::Placed, false, false));
}
