//! The seed of an order that has ended is destroyed: by whom, when, and what is left.

use dta_protocol::Kind;

use super::kit::*;
use crate::order::{self, *};

const DUE_MS: u64 = NOW_MS + 50;

fn received_at(node: Hosts) -> Given {
    given(node, &whole_order())
}

fn closed_at(node: Hosts) -> Given {
    given(node, &[placed(), committed(), closed(ClosedCode::Expired, &committed())])
}

fn ordered(due_ms: u64) -> Event {
    Event::ShredOrdered { due_ms, at_ms: NOW_MS }
}

fn shred_at(at_ms: u64) -> Command {
    Command::ShredAt { at_ms }
}

#[test]
fn its_fiduciary_orders_it_and_then_it_is_done() {
    for stood in [received_at(ALL), received_at(BOB), closed_at(ALL), closed_at(BOB)] {
        let first = stood.when(&shred_at(DUE_MS));
        assert_eq!(first.work(), Work::Record, "the intent is recorded, and no seed touched");
        first.then(&[ordered(DUE_MS)]);
        let wanted = Given { order: first.order(), ..stood.clone() };
        assert_eq!((wanted.order.shred_due_ms, wanted.order.shredded), (Some(DUE_MS), false));
        wanted.clone().at(DUE_MS - 1).when(&Command::Shred).then_rejected("not-due");
        let done = wanted.at(DUE_MS).when(&Command::Shred);
        assert_eq!(done.work(), Work::Shred);
        done.then(&[Event::Shredded { at_ms: DUE_MS }]);
        let gone = Given { order: done.order(), ..stood.clone() }.at(DUE_MS + 1);
        assert!(gone.order.shredded);
        gone.when(&Command::Shred).then_nothing();
        for at_ms in [0, DUE_MS, u64::MAX] {
            gone.when(&shred_at(at_ms)).then_nothing();
        }
        assert_eq!((gone.order.stage, &gone.order.steps), (stood.order.stage, &stood.order.steps));
    }
}

#[test]
fn an_order_that_has_not_ended_keeps_its_seed() {
    for command in [shred_at(0), Command::Shred] {
        given(BOB, &[]).when(&command).then_rejected("unknown-order");
        for count in 1..=4 {
            given(BOB, &whole_order()[..count]).when(&command).then_rejected("out-of-state");
        }
        let wish = cancellation(&committed());
        given(BOB, &[placed(), committed(), wish]).when(&command).then_rejected("out-of-state");
        // What was released may have to be judged by it.
        let in_dispute = [&whole_order()[..4], &[disputed()]].concat();
        given(BOB, &in_dispute).when(&command).then_rejected("out-of-state");
    }
}

#[test]
fn nobody_but_its_fiduciary_has_it_to_destroy() {
    let apart = Hosts { fiduciary: false, ..ALL };
    for node in [ALICE, CAROL, apart] {
        for stood in [received_at(node), closed_at(node)] {
            for command in [shred_at(0), Command::Shred] {
                stood.when(&command).then_rejected("not-hosted");
            }
        }
    }
}

#[test]
fn nothing_is_destroyed_that_was_not_ordered_to_be() {
    for stood in [received_at(BOB), closed_at(BOB)] {
        stood.clone().at(u64::MAX).when(&Command::Shred).then_rejected("not-due");
        assert_eq!(
            (stood.order.due(u64::MAX), stood.order.next_due_ms()),
            (None, stood.order.outbox_due_ms())
        );
    }
}

#[test]
fn it_may_come_earlier_and_never_later() {
    let wanted = closed_at(BOB).and(ordered(DUE_MS));
    for at_ms in [DUE_MS, DUE_MS + 1, u64::MAX] {
        wanted.when(&shred_at(at_ms)).then_nothing();
    }
    let earlier = wanted.when(&shred_at(DUE_MS - 1));
    earlier.then(&[ordered(DUE_MS - 1)]);
    assert_eq!(earlier.order().due(DUE_MS - 1), Some(Due::Shred));
    let at_once = wanted.when(&shred_at(0)).order();
    assert_eq!((at_once.due(0), at_once.next_due_ms()), (Some(Due::Shred), Some(0)));
}

#[test]
fn it_is_due_from_its_time_until_it_is_done() {
    let order = closed_at(ALL).and(ordered(DUE_MS)).order;
    assert_eq!((order.due(DUE_MS - 1), order.due(DUE_MS)), (None, Some(Due::Shred)));
    assert_eq!(order.next_due_ms(), Some(DUE_MS));
    assert_eq!(Due::Shred.command(), Some(Command::Shred));
    // A crash after the seed was touched: the log still says that it is due, and it is done once more.
    let reread = Given { order: order.clone(), facts: facts(ALL) }.at(DUE_MS + 9);
    reread.when(&Command::Shred).then(&[Event::Shredded { at_ms: DUE_MS + 9 }]);
    let gone = order.apply(&Event::Shredded { at_ms: DUE_MS });
    assert_eq!((gone.due(u64::MAX), gone.next_due_ms()), (None, None));
}

#[test]
fn all_else_that_is_due_comes_first() {
    let mut steps = whole_order();
    steps[0] = placed_for(None, Terms { retention_ms: 10, ..Terms::default() });
    let order = given(ALL, &steps).and(ordered(NOW_MS + 5)).order;
    assert_eq!((order.due(NOW_MS + 5), order.due(NOW_MS + 10)), (Some(Due::Shred), Some(Due::EndRetention)));
    assert_eq!(order.next_due_ms(), Some(NOW_MS + 5));
    let dropped = order.apply(&Event::RetentionEnded { secret: block("secret"), at_ms: NOW_MS + 10 });
    assert_eq!(dropped.due(NOW_MS + 10), Some(Due::Shred));
}

#[test]
fn a_seed_that_was_destroyed_is_not_one_that_was_lost() {
    let gone = |stood: Given| stood.and(ordered(NOW_MS)).and(Event::Shredded { at_ms: NOW_MS });
    let closed = gone(closed_at(BOB));
    assert_eq!((closed.order.custody(), closed.order.custody_lost), (None, false));
    assert_eq!((closed.order.recovered(false), closed.order.recovered(true)), (vec![], vec![]));
    closed.when(&Command::LoseCustody).then_rejected("out-of-state");
    // A recovery looks for the sealed secret alone.
    let received = gone(received_at(BOB));
    assert_eq!(received.order.custody(), Some(Custody::Secret(block("secret"))));
    assert_eq!(received.order.recovered(true), []);
    let dropped = received.and(Event::RetentionEnded { secret: block("secret"), at_ms: NOW_MS });
    assert_eq!((dropped.order.custody(), dropped.order.recovered(false)), (None, vec![]));
    dropped.when(&Command::LoseCustody).then_rejected("out-of-state");
}

#[test]
fn the_sealed_secret_and_all_deliveries_outlast_the_seed() {
    for (node, stood) in [(ALL, received_at(ALL)), (BOB, received_at(BOB)), (BOB, closed_at(BOB))] {
        let (before, gone) =
            (stood.order.clone(), stood.and(ordered(NOW_MS)).and(Event::Shredded { at_ms: NOW_MS }).order);
        assert_eq!((gone.outbox(), gone.secret), (before.outbox(), before.secret), "{node:?}");
        for accepted in &before.steps {
            let step = &accepted.step;
            assert_eq!(gone.sealed_with(step), before.sealed_with(step), "{node:?}");
            assert_eq!(gone.gone_with(step), None, "{node:?}");
        }
    }
    // Asked again, it is answered as before.
    let gone = received_at(ALL).and(ordered(NOW_MS)).and(Event::Shredded { at_ms: NOW_MS });
    gone.when(&redeem(carol())).then_nothing();
}

#[test]
fn a_policy_asks_for_it_once_counting_from_the_end() {
    for stood in [received_at(ALL), received_at(BOB), closed_at(BOB)] {
        assert_eq!(stood.order.shred_by_policy(0), Some(shred_at(NOW_MS)));
        assert_eq!(stood.order.shred_by_policy(50), Some(shred_at(DUE_MS)));
        assert_eq!(stood.order.shred_by_policy(u64::MAX), Some(shred_at(u64::MAX)), "and never overflows");
        let wanted = Given { order: stood.when(&shred_at(DUE_MS)).order(), ..stood.clone() };
        assert_eq!(wanted.order.shred_by_policy(0), None, "what was ordered stands");
        let gone = wanted.and(Event::Shredded { at_ms: DUE_MS });
        assert_eq!(gone.order.shred_by_policy(0), None);
    }
    for node in [ALICE, CAROL] {
        assert_eq!(received_at(node).order.shred_by_policy(0), None, "it has no seed");
    }
    for count in 0..=4 {
        assert_eq!(given(BOB, &whole_order()[..count]).order.shred_by_policy(0), None, "{count} steps");
    }
    let in_dispute = [&whole_order()[..4], &[disputed()]].concat();
    assert_eq!(given(BOB, &in_dispute).order.shred_by_policy(0), None);
}

/// When the end came counts by this node's clock, whatever its signer's said.
#[test]
fn a_policy_goes_by_the_clock_of_its_own_node() {
    let mut late = received();
    late.issued_at_ms = NOW_MS + 200_000;
    let order = given(BOB, &whole_order()[..4]).at(NOW_MS + 7).when(&receive(&late)).order();
    assert_eq!(order.step(Kind::Received).map(|end| end.at_ms), Some(NOW_MS + 7));
    assert_eq!(order.shred_by_policy(1), Some(shred_at(NOW_MS + 8)));
}

/// An order that was closed before it was committed to has no seed, or one that a crash left: either way there is nothing to
/// keep.
#[test]
fn an_order_without_a_commitment_may_be_shredded_too() {
    let wish = cancellation(&placed());
    let stood = given(BOB, &[placed(), wish.clone(), closed(ClosedCode::Cancelled, &wish)]);
    assert_eq!(stood.order.commitment(), None);
    stood.when(&shred_at(NOW_MS)).then(&[ordered(NOW_MS)]);
    // So may one whose seed a recovery did not find.
    let lost = received_at(BOB).and(Event::CustodyLost { at_ms: NOW_MS });
    lost.when(&shred_at(NOW_MS)).then(&[ordered(NOW_MS)]);
}

/// A delivery that ended is no end of the order.
#[test]
fn what_is_delivered_meanwhile_changes_nothing() {
    let delivered = Event::DeliveryEnded {
        to: Party::Principal,
        step: received().cid,
        outcome: order::Outcome::Delivered,
    };
    let order = received_at(BOB).and(ordered(DUE_MS)).and(delivered).order;
    assert_eq!((order.due(DUE_MS), order.next_due_ms()), (Some(Due::Shred), Some(DUE_MS)));
}
