//! What is to be brought to whom, after each step, on each node; and how it ends.

use super::kit::*;
use crate::order::{self, *};

use order::Outcome as Ending;

/// What is to be delivered, as words: to whom, and which step.
fn words(order: &Order) -> Vec<String> {
    let word = |delivery: Delivery| format!("{}: {}", delivery.to.as_str(), delivery.kind);
    order.outbox().into_iter().map(word).collect()
}

fn end(to: Party, step: &Step, outcome: Ending) -> Command {
    Command::EndDelivery { to, step: step.cid, outcome }
}

fn ended(to: Party, step: &Step, outcome: Ending) -> Event {
    Event::DeliveryEnded { to, step: step.cid, outcome }
}

const ALICE_AND_BOB: Hosts = Hosts { beneficiary: false, ..ALL };
const ALICE_AND_CAROL: Hosts = Hosts { fiduciary: false, ..ALL };
const BOB_AND_CAROL: Hosts = Hosts { principal: false, ..ALL };

#[test]
fn after_each_step_each_node_knows_what_to_bring_to_whom() {
    let table: [(Hosts, [&[&str]; 6]); 7] = [
        // new, placed, committed, redeemed, released, received
        (ALL, [&[]; 6]),
        (
            ALICE,
            [&[], &["fiduciary: order/placed"], &[], &["fiduciary: order/redemption-requested"], &[], &[]],
        ),
        (BOB, [&[], &[], &[], &[], &["beneficiary: order/released"], &["principal: order/received"]]),
        (CAROL, [&[], &[], &[], &[], &[], &["fiduciary: order/received"]]),
        (ALICE_AND_BOB, [&[], &[], &[], &[], &["beneficiary: order/released"], &[]]),
        (
            ALICE_AND_CAROL,
            [
                &[],
                &["fiduciary: order/placed"],
                &[],
                &["fiduciary: order/redemption-requested"],
                &[],
                &["fiduciary: order/received"],
            ],
        ),
        (BOB_AND_CAROL, [&[], &[], &[], &[], &[], &["principal: order/received"]]),
    ];
    for (node, expected) in table {
        for (count, expected) in expected.into_iter().enumerate() {
            let order = given(node, &whole_order()[..count]).order;
            assert_eq!(words(&order), expected, "{node:?} after {count} steps");
        }
    }
}

#[test]
fn the_principal_is_told_of_an_end_it_did_not_ask_for() {
    let expired = [placed(), committed(), closed(ClosedCode::Expired, &committed())];
    assert_eq!(words(&given(BOB, &expired).order), ["principal: order/closed"]);
    assert!(words(&given(ALICE, &expired).order).is_empty());
    let cancellation = cancellation(&committed());
    let cancelled =
        [placed(), committed(), cancellation.clone(), closed(ClosedCode::Cancelled, &cancellation)];
    assert!(words(&given(BOB, &cancelled).order).is_empty(), "it is the answer to what the principal asked");
    assert_eq!(words(&given(ALICE, &cancelled[..3]).order), ["fiduciary: order/cancellation-requested"]);
    let disputed = [&whole_order()[..4], &[disputed()]].concat();
    assert_eq!(words(&given(BOB, &disputed).order), ["principal: order/disputed"]);
    assert_eq!(words(&given(CAROL, &disputed).order), ["fiduciary: order/disputed"]);
}

#[test]
fn what_ended_is_not_brought_again_and_the_next_step_is() {
    let outcomes = [Ending::Delivered, Ending::Refused("no".into()), Ending::Stalled, Ending::Unaddressed];
    for outcome in outcomes {
        let given = given(BOB, &whole_order()[..4]).at(NOW_MS + GIVE_UP_AFTER_MS);
        let command = end(Party::Beneficiary, &released(), outcome.clone());
        given.when(&command).then(&[ended(Party::Beneficiary, &released(), outcome.clone())]);
        let given = given.and(ended(Party::Beneficiary, &released(), outcome.clone()));
        assert!(words(&given.order).is_empty());
        assert_eq!(given.order.stalled().count(), usize::from(outcome != Ending::Delivered), "{outcome:?}");
        given.when(&command).then_nothing();
        let next = given.and(appended(BOB, &received()));
        assert_eq!(words(&next.order), ["principal: order/received"]);
        assert_eq!(next.order.stalled().count(), 0);
    }
}

#[test]
fn it_is_given_up_only_when_its_time_is_over() {
    let given = given(BOB, &whole_order()[..4]);
    let stall = end(Party::Beneficiary, &released(), Ending::Stalled);
    given.clone().at(NOW_MS + GIVE_UP_AFTER_MS - 1).when(&stall).then_rejected("not-due");
    given.clone().at(NOW_MS + GIVE_UP_AFTER_MS).when(&stall).order();
    // Told to try again, it has as long again.
    let resumed = given.and(Event::DeliveriesResumed { at_ms: NOW_MS + 7 });
    resumed.clone().at(NOW_MS + GIVE_UP_AFTER_MS).when(&stall).then_rejected("not-due");
    resumed.at(NOW_MS + GIVE_UP_AFTER_MS + 7).when(&stall).order();
}

#[test]
fn what_is_stalled_is_resumed_and_what_is_not_is_left() {
    given(BOB, &[]).when(&Command::Resume).then_rejected("unknown-order");
    given(BOB, &whole_order()[..4]).when(&Command::Resume).then_nothing();
    for outcome in [Ending::Stalled, Ending::Unaddressed, Ending::Refused("no".into())] {
        let given = given(BOB, &whole_order()[..4]).and(ended(Party::Beneficiary, &released(), outcome));
        let resumed = given.at(NOW_MS + 9).when(&Command::Resume);
        resumed.then(&[Event::DeliveriesResumed { at_ms: NOW_MS + 9 }]);
        let order = resumed.order();
        assert_eq!(order.next_due_ms(), Some(0));
        assert_eq!(words(&order), ["beneficiary: order/released"]);
    }
    let done = given(BOB, &whole_order()).and(ended(Party::Principal, &received(), Ending::Delivered));
    done.when(&Command::Resume).then_nothing();
}

#[test]
fn what_is_not_outstanding_does_not_end() {
    let other = [
        (Party::Principal, released()),
        (Party::Fiduciary, released()),
        (Party::Beneficiary, received()),
        (Party::Beneficiary, committed()),
    ];
    let given_bob = given(BOB, &whole_order()[..4]);
    for (to, step) in other {
        given_bob.when(&end(to, &step, Ending::Delivered)).then_rejected("not-outstanding");
    }
    let refused = ended(Party::Beneficiary, &released(), Ending::Refused("no".into()));
    let delivered = end(Party::Beneficiary, &released(), Ending::Delivered);
    given_bob.clone().and(refused).when(&delivered).then_rejected("not-outstanding");
    // What was given up may still be fetched.
    let stalled = ended(Party::Beneficiary, &released(), Ending::Stalled);
    given_bob.clone().and(stalled).when(&delivered).order();
    // A secret whose retention has ended is nothing to bring.
    let gone = given_bob.and(Event::RetentionEnded { secret: block("secret"), at_ms: NOW_MS });
    assert!(words(&gone.order).is_empty());
}

#[test]
fn a_refusals_code_is_one() {
    for code in ["", "UPPER", "with space", "line\nbreak", "ü", &"x".repeat(65)] {
        let refused = Ending::Refused(code.to_owned());
        given(BOB, &whole_order()[..4])
            .when(&end(Party::Beneficiary, &released(), refused))
            .then_rejected("code-malformed");
        let refuse = Command::Refuse { cid: placed().cid, code: code.to_owned() };
        given(ALICE, &[placed()]).when(&refuse).then_rejected("code-malformed");
    }
    let refuse = Command::Refuse { cid: placed().cid, code: "x".repeat(64) };
    given(ALICE, &[placed()]).when(&refuse).order();
}

#[test]
fn a_chain_is_accepted_whole_or_not_at_all() {
    let chain: Vec<ReceivedStep> = whole_order()[..4].iter().map(sent).collect();
    let carol = given(CAROL, &[]);
    let order = carol.accept(&chain).unwrap();
    assert_eq!((order.stage, order.steps.len()), (Stage::Released, 4));
    assert_eq!(order.due(NOW_MS), Some(Due::Acknowledge));
    // Again, it is known; a gap, another order of steps, or a false proof in the middle, and none of it is taken.
    given(CAROL, &whole_order()[..4]).when(&Command::Accept(chain.clone())).then_nothing();
    let without = |at: usize| [&chain[..at], &chain[at + 1..]].concat();
    assert!((0..3).all(|at| carol.accept(&without(at)).is_err()));
    let mut swapped = chain.clone();
    swapped.swap(1, 2);
    assert!(carol.accept(&swapped).is_err());
    let mut forged = chain.clone();
    forged[1].proof = Some(vec![7; 64]);
    assert_eq!(carol.accept(&forged).unwrap_err(), Rejection::ProofInvalid);
}

#[test]
fn another_statement_in_a_chain_is_recorded_and_what_follows_it_is_not_looked_at() {
    let other = reworded(&committed(), "other");
    let chain = vec![sent(&placed()), sent(&other), sent(&redemption()), sent(&released())];
    let seen = Event::EquivocationSeen { first: committed().cid, second: other.cid };
    given(CAROL, &whole_order()[..4]).when(&Command::Accept(chain)).then(&[seen]);
}

#[test]
fn whoever_lives_where_a_step_comes_from_has_it() {
    let carols_node = |facts: &mut Facts| facts.told = Hosts { principal: true, ..CAROL };
    let bob = given(BOB, &whole_order()[..4]).with(carols_node);
    let order = bob.accept(&[sent(&received())]).unwrap();
    assert!(order.outbox().is_empty() && order.stalled().next().is_none());
    let bob = given(BOB, &whole_order()[..4]).with(|facts| facts.told = CAROL);
    let order = bob.accept(&[sent(&received())]).unwrap();
    assert_eq!(words(&order), ["principal: order/received"]);
}

impl Given {
    fn accept(&self, steps: &[ReceivedStep]) -> Result<Order, Rejection> {
        let events = self.order.decide(&Command::Accept(steps.to_vec()), &self.facts, None)?;
        Ok(events.iter().fold(self.order.clone(), Order::apply))
    }
}
