//! Who may sign a step, what it must answer, when, and who can read it.

use super::kit::*;
use crate::order::*;
use dta_protocol::{Cid, Kind};

/// Every step where it is legal to receive it: the node, what stood before, the step.
fn receptions() -> Vec<(Given, Step)> {
    let [placed, committed, redemption, released, received] = whole_order();
    let before = |node, count: usize| given(node, &whole_order()[..count]);
    let wish = cancellation(&committed);
    vec![
        (before(BOB, 0), placed.clone()),
        (before(CAROL, 0), placed.clone()),
        (before(ALICE, 1), committed.clone()),
        (before(CAROL, 1), committed.clone()),
        (before(BOB, 2), redemption.clone()),
        (before(CAROL, 2), redemption.clone()),
        (before(ALICE, 3), released.clone()),
        (before(CAROL, 3), released.clone()),
        (before(ALICE, 4), received.clone()),
        (before(BOB, 4), received),
        (before(ALICE, 4), disputed()),
        (before(BOB, 4), disputed()),
        (before(BOB, 2), wish.clone()),
        (before(BOB, 3), cancellation(&redemption)),
        (before(ALICE, 1), closed(ClosedCode::Expired, &placed)),
        (before(ALICE, 2), closed(ClosedCode::Expired, &committed)),
        (given(ALICE, &[placed, committed.clone(), wish.clone()]), closed(ClosedCode::Cancelled, &wish)),
        (before(CAROL, 3), closed(ClosedCode::Expired, &redemption)),
    ]
}

#[test]
fn a_step_in_its_place_is_appended_as_it_came() {
    for (given, step) in receptions() {
        given.when(&receive(&step)).then(&[Event::StepAppended(StepAppended {
            reference: REFERENCE.into(),
            step: step.clone(),
            origin: Origin::Received,
            pending: false,
            hosts: given.facts.hosts,
            at_ms: NOW_MS,
        })]);
    }
}

#[test]
fn only_the_party_whose_step_it_is_may_sign_it() {
    for (given, step) in receptions() {
        for other in [alice(), bob(), carol(), dave(), mallory()] {
            if other != step.signer {
                let forged = Step { signer: other, ..step.clone() };
                given.when(&receive(&forged)).then_rejected("wrong-signer");
            }
        }
    }
}

#[test]
fn a_step_answers_the_last_accepted_one() {
    for (given, step) in receptions() {
        let older = given.order.steps.iter().rev().skip(1).map(|accepted| Some(accepted.step.cid));
        let others = older.chain([Some(mallory()), Some(step.cid)]);
        for previous in others.chain(step.previous.map(|_| None)) {
            let astray = Step { previous, ..step.clone() };
            given.when(&receive(&astray)).then_rejected("wrong-previous");
        }
    }
}

#[test]
fn a_step_is_of_the_order_whose_reference_it_has() {
    for (given, step) in receptions() {
        if step.facts.kind() != Kind::Placed {
            let other = ReceivedStep { reference: REFERENCE.replace('0', "1"), ..sent(&step) };
            given.when(&Command::Accept(vec![other])).then_rejected("wrong-reference");
        }
    }
}

#[test]
fn a_time_stamp_is_at_most_300_s_ahead() {
    for (given, step) in receptions() {
        let ahead = |by_ms| receive(&Step { issued_at_ms: NOW_MS + by_ms, ..step.clone() });
        given.when(&ahead(300_000)).order();
        given.when(&ahead(300_001)).then_rejected("issued-in-future");
        given.when(&ahead(u64::MAX - NOW_MS)).then_rejected("issued-in-future");
        given.clone().at(u64::MAX).when(&ahead(u64::MAX - NOW_MS)).order();
    }
}

#[test]
fn a_time_stamp_is_not_before_the_one_it_answers() {
    for (given, step) in receptions() {
        let early = Step { issued_at_ms: NOW_MS - 1, ..step.clone() };
        let outcome = given.when(&receive(&early));
        match step.previous {
            Some(_) => outcome.then_rejected("issued-before-previous"),
            None => drop(outcome.order()),
        }
    }
}

#[test]
fn our_time_stamp_is_our_clock_or_that_of_the_step_before() {
    let commands =
        [Command::Commit, redeem(carol()), Command::Release, Command::Acknowledge(Verdict::Genuine)];
    for (at, command) in commands.iter().enumerate() {
        let stood = given(ALL, &whole_order()[..=at]);
        for (clock, issued) in [(NOW_MS - 9, NOW_MS), (NOW_MS, NOW_MS), (NOW_MS + 9, NOW_MS + 9)] {
            assert_eq!(stood.clone().at(clock).when(command).draft().issued_at_ms, issued);
        }
    }
    assert_eq!(given(ALL, &[]).at(5).when(&place()).draft().issued_at_ms, 5);
}

#[test]
fn our_step_answers_the_last_accepted_one_and_says_what_it_must() {
    let steps = whole_order();
    let draft = |count: usize, command| given(ALL, &steps[..count]).when(&command).draft();
    let expect = |draft: Draft, signer: Cid, previous: Option<&Step>, content: Content| {
        assert_eq!(draft.reference, REFERENCE);
        assert_eq!((draft.signer, draft.previous), (signer, previous.map(|step| step.cid)));
        assert_eq!(draft.content, content);
    };
    let [placed, committed, redemption, released, _] = &steps;
    let parties = Parties { principal: alice(), fiduciary: bob(), beneficiary: None };
    let terms = Terms::default();
    let content = Content::Placed { parties, plugin: "milagro".into(), coin: 0, terms };
    expect(draft(0, place()), alice(), None, content);
    let content = Content::Committed { placed: placed.cid };
    expect(draft(1, Command::Commit), bob(), Some(placed), content);
    let content =
        Content::RedemptionRequested { beneficiary: carol(), placed: placed.cid, committed: committed.cid };
    expect(draft(2, redeem(carol())), alice(), Some(committed), content);
    let commitment = Box::new(key().commitment());
    let content = Content::Released { placed: placed.cid, beneficiary: carol(), commitment };
    expect(draft(3, Command::Release), bob(), Some(redemption), content);
    let content = Content::Received { released: released.cid };
    expect(draft(4, Command::Acknowledge(Verdict::Genuine)), carol(), Some(released), content);
    let code = DisputeCode::WrongSecret;
    let content = Content::Disputed { released: released.cid, code };
    expect(draft(4, Command::Acknowledge(Verdict::Disputed(code))), carol(), Some(released), content);
    let content = Content::CancellationRequested { detail: "changed my mind".into() };
    expect(draft(3, cancel()), alice(), Some(redemption), content);
    let wish = cancellation(redemption);
    let stood = given(ALL, &[placed.clone(), committed.clone(), redemption.clone(), wish.clone()]);
    let draft = stood.when(&Command::Close(ClosedCode::Cancelled)).draft();
    expect(draft, bob(), Some(&wish), Content::Closed { code: ClosedCode::Cancelled });
}

#[test]
fn the_same_statement_again_changes_nothing() {
    for (given, step) in receptions() {
        let after = Given { order: given.when(&receive(&step)).order(), ..given };
        after.when(&receive(&step)).then_nothing();
        // Signing is randomised: another envelope may hold the same statement.
        after.when(&receive(&Step { cid: mallory(), ..step })).then_nothing();
    }
    for (at, step) in whole_order().iter().enumerate() {
        for node in [ALICE, BOB, CAROL, ALL] {
            for count in at + 1..=5 {
                given(node, &whole_order()[..count]).when(&receive(step)).then_nothing();
            }
        }
    }
}

#[test]
fn an_order_that_is_nobodys_here_is_not_taken() {
    let stranger = Hosts::default();
    given(stranger, &[]).when(&receive(&placed())).then_rejected("not-hosted");
    given(stranger, &[]).when(&place()).then_rejected("not-hosted");
}

#[test]
fn a_placed_that_answers_something_is_refused() {
    let step = Step { previous: Some(mallory()), ..placed() };
    given(BOB, &[]).when(&receive(&step)).then_rejected("wrong-previous");
}

#[test]
fn a_detail_is_at_most_1024_bytes() {
    let wish = |bytes| Command::RequestCancellation { detail: "x".repeat(bytes) };
    given(ALL, &[placed()]).when(&wish(1024)).order();
    given(ALL, &[placed()]).when(&wish(1025)).then_rejected("too-long");
}

#[test]
fn a_party_once_hosted_stays_so_and_the_beneficiary_is_who_is_named_now() {
    let hosts_after = |given: Given, command: &Command| given.when(command).order().hosts;
    let nobody = |given: Given| given.with(|facts| facts.hosts = Hosts::default());
    let without_beneficiary = Hosts { beneficiary: false, ..ALL };
    assert_eq!(hosts_after(nobody(given(ALL, &whole_order()[..1])), &Command::Commit), without_beneficiary);
    assert_eq!(hosts_after(nobody(given(BOB, &whole_order()[..2])), &receive(&redemption())), BOB);
    let both = Hosts { beneficiary: true, ..ALICE };
    let asked = given(ALICE, &whole_order()[..2]).with(|facts| facts.hosts = both);
    assert_eq!(hosts_after(asked, &redeem(carol())), both);
}

#[test]
fn what_was_made_must_be_what_was_prepared() {
    let without = |change: fn(&mut Made)| {
        let mut made = made();
        change(&mut made);
        made
    };
    let no_commitment = without(|made| made.commitment = None);
    let no_secret = without(|made| made.secret = None);
    let stood = given(ALL, &whole_order()[..1]);
    let answer = stood.order.decide(&Command::Commit, &stood.facts, Some(&no_commitment));
    assert_eq!(answer, Err(Rejection::NotAsPrepared));
    let stood = given(ALL, &whole_order()[..3]);
    let answer = stood.order.decide(&Command::Release, &stood.facts, Some(&no_secret));
    assert_eq!(answer, Err(Rejection::NotAsPrepared));
}

#[test]
fn each_kind_has_its_readers() {
    let (two, three) = (vec![alice(), bob()], vec![alice(), bob(), carol()]);
    let drafted = |count: usize, command| given(ALL, &whole_order()[..count]).when(&command).draft().readers;
    assert_eq!(drafted(0, place_for(Some(carol()), Terms::default())), two);
    assert_eq!(drafted(1, Command::Commit), two);
    assert_eq!(drafted(2, redeem(carol())), three);
    assert_eq!(drafted(2, redeem(dave())), [alice(), bob(), dave()]);
    assert_eq!(drafted(3, Command::Release), three);
    assert_eq!(drafted(4, Command::Acknowledge(Verdict::Genuine)), three);
    assert_eq!(drafted(4, Command::Acknowledge(Verdict::Disputed(DisputeCode::CannotOpen))), three);
    for count in 1..=3 {
        assert_eq!(drafted(count, cancel()), two);
    }
}

#[test]
fn a_beneficiary_reads_the_end_only_once_a_redemption_named_it() {
    let terms = Terms { expires_at_ms: NOW_MS + 1, ..Terms::default() };
    let placed = placed_for(Some(carol()), terms);
    let steps = [placed, committed(), redemption()];
    for (count, readers) in [(1, 2), (2, 2), (3, 3)] {
        let stood = given(ALL, &steps[..count]).at(NOW_MS + 1);
        let draft = stood.when(&Command::Close(ClosedCode::Expired)).draft();
        assert_eq!(draft.readers, [alice(), bob(), carol()][..readers], "after {count} steps");
    }
    // At alice's node the redemption still waits: which end it is depends on what it answers.
    let waiting = given(ALICE, &steps).order;
    let readers = |previous: &Step| waiting.seen_from(Some(&previous.cid)).readers(Kind::Closed, None);
    assert_eq!(readers(&committed()), [alice(), bob()]);
    assert_eq!(readers(&redemption()), [alice(), bob(), carol()]);
}

#[test]
fn roles_held_by_one_identity_give_one_entry() {
    let order_of = |principal, fiduciary, beneficiary| {
        let parties = Parties { principal, fiduciary, beneficiary: Some(beneficiary) };
        let facts = StepFacts::Placed { parties, plugin: "milagro".into(), coin: 0, terms: Terms::default() };
        given(ALL, &[Step { facts, signer: principal, ..placed() }]).order
    };
    assert_eq!(order_of(alice(), alice(), alice()).readers(Kind::Released, None), [alice()]);
    assert_eq!(order_of(alice(), bob(), alice()).readers(Kind::Released, None), [alice(), bob()]);
    assert_eq!(order_of(alice(), bob(), bob()).readers(Kind::Released, None), [alice(), bob()]);
    assert_eq!(order_of(alice(), alice(), carol()).readers(Kind::Placed, None), [alice()]);
    let parties = Parties { principal: alice(), fiduciary: alice(), beneficiary: None };
    let command = Command::Place {
        reference: REFERENCE.into(),
        parties,
        plugin: "milagro".into(),
        coin: 1,
        terms: Terms::default(),
    };
    assert_eq!(given(ALL, &[]).when(&command).draft().readers, [alice()]);
    assert!(Order::default().readers(Kind::Identity, None).is_empty());
}
