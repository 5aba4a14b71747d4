//! Steps of a principal whose fiduciary is elsewhere: they wait, and what the fiduciary says settles them.

use super::kit::*;
use crate::order::*;

fn refused(step: &Step) -> Command {
    Command::Refuse { cid: step.cid, code: "trust".into() }
}

fn cids(order: &Order) -> Vec<dta_protocol::Cid> {
    order.steps.iter().map(|accepted| accepted.step.cid).collect()
}

#[test]
fn alices_steps_wait_unless_bob_is_here() {
    let alice_and_bob = Hosts { beneficiary: false, ..ALL };
    for (node, waits) in [(ALICE, true), (ALL, false), (alice_and_bob, false)] {
        let commands = [place(), redeem(carol()), cancel()];
        for (command, count) in commands.iter().zip([0, 2, 2]) {
            let after = given(node, &whole_order()[..count]).when(command).order();
            assert_eq!(after.pending.is_some(), waits, "{command:?}");
            assert_eq!(after.steps.len(), count + usize::from(!waits));
        }
    }
}

#[test]
fn a_waiting_placed_is_the_order_already_but_not_accepted() {
    let order = given(ALICE, &[placed()]).order;
    assert_eq!((order.placed(), order.head(), order.stage), (Some(placed().cid), None, Stage::New));
    assert_eq!((order.party(Party::Fiduciary), order.commitment()), (Some(bob()), None));
}

#[test]
fn an_answer_to_the_waiting_step_settles_it() {
    let after = given(ALICE, &[placed()]).when(&receive(&committed())).order();
    assert_eq!(cids(&after), [placed().cid, committed().cid]);
    assert_eq!((after.stage, after.pending.as_ref()), (Stage::Committed, None));
    assert_eq!(after.commitment(), Some(key().commitment()));

    let after = given(ALICE, &whole_order()[..3]).when(&receive(&released())).order();
    assert_eq!(cids(&after), whole_order()[..4].iter().map(|step| step.cid).collect::<Vec<_>>());
    assert_eq!((after.stage, after.pending.as_ref()), (Stage::Released, None));
    assert_eq!(after.party(Party::Beneficiary), Some(carol()));

    let wish = cancellation(&committed());
    let end = closed(ClosedCode::Cancelled, &wish);
    let after = given(ALICE, &[placed(), committed(), wish.clone()]).when(&receive(&end)).order();
    assert_eq!(cids(&after), [placed().cid, committed().cid, wish.cid, end.cid]);
    assert!(after.cancellation_requested && after.stage == Stage::Closed && after.pending.is_none());
}

#[test]
fn an_answer_to_what_stood_before_discards_the_waiting_step() {
    // Bob closes the order in the moment in which alice asks for something else.
    for waiting in [redemption(), cancellation(&committed())] {
        let end = closed(ClosedCode::Expired, &committed());
        let after = given(ALICE, &[placed(), committed(), waiting.clone()]).when(&receive(&end)).order();
        assert_eq!(cids(&after), [placed().cid, committed().cid, end.cid]);
        assert_eq!((after.stage, after.pending.as_ref()), (Stage::Closed, None));
        assert!(!after.cancellation_requested);
        assert_eq!(after.party(Party::Beneficiary), None);
        // His refusal of the discarded step comes too late to mean anything.
        let after = Given { order: after, facts: facts(ALICE) };
        after.when(&refused(&waiting)).then_rejected("not-pending");
    }
}

#[test]
fn a_placed_that_is_turned_down_ends_the_order_at_its_principal() {
    let outcome = given(ALICE, &[placed()]).when(&refused(&placed()));
    outcome.then(&[Event::StepRefused { cid: placed().cid, code: "trust".into() }]);
    let after = outcome.order();
    assert_eq!((after.stage, after.pending.as_ref()), (Stage::Refused, None));
    assert_eq!(after.refused.as_deref(), Some("trust"));
    assert_eq!((after.placed(), cids(&after)), (Some(placed().cid), vec![placed().cid]));
    assert_eq!(after.next_due_ms(), None);
    // Not even a late change of mind revives it.
    let after = Given { order: after, facts: facts(ALICE) };
    after.when(&receive(&committed())).then_rejected("refused");
    after.when(&refused(&placed())).then_rejected("not-pending");
}

#[test]
fn a_redemption_or_wish_that_is_turned_down_leaves_the_order_as_it_was() {
    for waiting in [redemption(), cancellation(&committed())] {
        let stood = given(ALICE, &whole_order()[..2]);
        let after = given(ALICE, &[placed(), committed(), waiting.clone()]).when(&refused(&waiting)).order();
        assert_eq!(after.turned_down[&waiting.cid].code, "trust");
        assert_eq!(Order { turned_down: Default::default(), ..after }, stood.order);
    }
}

#[test]
fn what_was_turned_down_and_taken_after_all_stands() {
    // A call that was held up on the way is served after the one that was refused.
    let order = given(ALICE, &whole_order()[..3]).when(&refused(&redemption())).order();
    let alice = Given { order, facts: facts(ALICE) };
    for chain in [vec![released()], vec![redemption(), released()], whole_order()[2..].to_vec()] {
        let after = alice.when_many(&chain);
        let stands = if chain.len() > 2 { &whole_order()[..] } else { &whole_order()[..4] };
        assert_eq!(cids(&after), stands.iter().map(|step| step.cid).collect::<Vec<_>>());
        assert_eq!(
            after.turned_down[&redemption().cid].code,
            "trust",
            "whoever asked is told the same again"
        );
        assert!(after.secret.is_some());
    }
    // Also if she has meanwhile asked for something else: that is overtaken.
    let wish = reworded(&cancellation(&committed()), "wish");
    let after = alice.clone().and(appended(ALICE, &wish)).when_many(&[redemption(), released()]);
    assert_eq!((after.unsettled().count(), after.stage), (0, Stage::Released));
    // What bob did instead of it stands, and nothing that answers it fits any more.
    let order = alice.when(&receive(&closed(ClosedCode::Expired, &committed()))).order();
    assert_eq!(order.stage, Stage::Closed);
    Given { order, facts: facts(ALICE) }.when(&receive(&released())).then_rejected("closed");
}

#[test]
fn only_the_waiting_step_can_be_turned_down() {
    given(ALICE, &[placed()]).when(&refused(&committed())).then_rejected("not-pending");
    given(ALICE, &whole_order()[..3]).when(&refused(&placed())).then_rejected("not-pending");
    given(ALL, &whole_order()[..3]).when(&refused(&redemption())).then_rejected("not-pending");
    // In a log, too, such an event changes nothing.
    let order = given(ALICE, &whole_order()[..3]).order;
    let event = Event::StepRefused { cid: placed().cid, code: "trust".into() };
    assert_eq!(order.clone().apply(&event), order);
}

#[test]
fn an_echo_of_the_waiting_step_does_not_settle_it() {
    for count in [1, 3] {
        let stood = given(ALICE, &whole_order()[..count]);
        let waiting = stood.order.pending.as_ref().map(|pending| pending.step.clone()).unwrap();
        stood.when(&receive(&waiting)).then_nothing();
        stood.when(&receive(&reworded(&waiting, "by a stolen key"))).then_rejected("not-made-here");
    }
    // Nor does the echo of one that was refused bring it back: it is hers, and bob's chain does not have it.
    let stood = given(ALICE, &whole_order()[..3])
        .and(Event::StepRefused { cid: redemption().cid, code: "not-before".into() });
    stood.when(&receive(&redemption())).then_nothing();
    stood.when(&receive(&reworded(&redemption(), "by a stolen key"))).then_rejected("not-made-here");
}

#[test]
fn while_a_step_waits_alice_makes_no_other() {
    let redeeming = given(ALICE, &whole_order()[..3]);
    redeeming.when(&cancel()).then_rejected("step-pending");
    redeeming.when(&redeem(carol())).then_nothing();
    redeeming.when(&redeem(dave())).then_rejected("beneficiary-mismatch");
    let cancelling = given(ALICE, &[placed(), committed(), cancellation(&committed())]);
    cancelling.when(&cancel()).then_nothing();
    cancelling.when(&redeem(carol())).then_rejected("step-pending");
    let placing = given(ALICE, &[placed()]);
    placing.when(&redeem(carol())).then_rejected("step-pending");
    assert_eq!(placing.when(&cancel()).draft().previous, Some(placed().cid), "she takes it back");
}

#[test]
fn nobody_but_bob_settles_a_waiting_step() {
    let redeeming = given(ALICE, &whole_order()[..3]);
    for kind in [StepFacts::Received, disputed().facts] {
        let early = step("early", kind, Some(&redemption()));
        redeeming.when(&receive(&early)).then_rejected("wrong-signer");
    }
    let named = given(ALICE, &[placed_for(Some(carol()), Terms::default()), committed(), redemption()]);
    let early = step("early", StepFacts::Received, Some(&redemption()));
    named.when(&receive(&early)).then_rejected("out-of-state");
}

#[test]
fn an_illegal_answer_settles_nothing() {
    let redeeming = given(ALICE, &whole_order()[..3]);
    let to_mallory = StepFacts::Released { beneficiary: mallory(), secret: block("secret") };
    let release = step("to mallory", to_mallory, Some(&redemption()));
    redeeming.when(&receive(&release)).then_rejected("beneficiary-mismatch");
    let early = Step { previous: Some(committed().cid), ..released() };
    redeeming.when(&receive(&early)).then_rejected("out-of-state");
    let placing = given(ALICE, &[placed()]);
    placing
        .when(&receive(&Step { previous: Some(placed().cid), ..released() }))
        .then_rejected("out-of-state");
}
