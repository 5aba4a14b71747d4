//! What nodes say to each other: who is heard, what goes along, what answers, what an answer ends.

use dta_protocol::{Cid, Kind};

use super::kit::*;
use crate::order::{self, *};

fn root(step: &Step) -> Root {
    let Step { cid, statement, signer, previous, facts, .. } = step;
    Root { cid: *cid, statement: *statement, kind: facts.kind(), signer: Some(*signer), previous: *previous }
}

fn cids(steps: &[Accepted]) -> Vec<Cid> {
    steps.iter().map(|accepted| accepted.step.cid).collect()
}

#[test]
fn each_brings_its_own_and_the_fiduciary_all() {
    let [placed, committed, redemption, released, received] = whole_order();
    let nobody: [Cid; 0] = [];
    // A new order: its principal to bob, bob with the release to carol, and only if the caller is trusted.
    let new = Order::default();
    assert_eq!(new.speakers(Kind::Placed, &root(&placed), true), [alice()]);
    assert_eq!(new.speakers(Kind::Placed, &root(&released), true), [bob()]);
    // Or its principal, who takes it back before he has heard of it.
    assert_eq!(new.speakers(Kind::Placed, &root(&cancellation(&placed)), true), [alice()]);
    assert_eq!(new.speakers(Kind::Placed, &root(&placed), false), nobody);
    assert_eq!(new.speakers(Kind::Committed, &root(&released), true), nobody);
    assert_eq!(new.speakers(Kind::Placed, &root(&received), true), nobody);
    // What is known may be asked about by each party; what is new is its signer's at bob's, and bob's elsewhere.
    let bobs = given(BOB, &whole_order()[..4]).order;
    assert_eq!(bobs.speakers(Kind::Committed, &root(&committed), false), [alice(), bob(), carol()]);
    assert_eq!(bobs.speakers(Kind::Received, &root(&received), false), [carol()]);
    let forged = Root { signer: Some(mallory()), ..root(&received) };
    assert_eq!(bobs.speakers(Kind::Received, &forged, false), [alice(), bob(), carol()]);
    let alices = given(ALICE, &whole_order()[..2]).order;
    assert_eq!(alices.speakers(Kind::RedemptionRequested, &root(&redemption), true), [bob()]);
}

#[test]
fn an_answer_is_what_stands_after_the_step() {
    let order = given(BOB, &whole_order()).order;
    let all: Vec<Cid> = whole_order().iter().map(|step| step.cid).collect();
    for (at, step) in whole_order().iter().enumerate() {
        assert_eq!(cids(order.answer_to(&root(step))), all[(at + 1).min(4)..]);
        // The same statement in another envelope.
        let again = Root { cid: mallory(), ..root(step) };
        assert_eq!(cids(order.answer_to(&again)), all[(at + 1).min(4)..]);
    }
    let late = cancellation(&committed());
    assert_eq!(cids(order.answer_to(&root(&late))), all[2..], "what overtook it");
    assert!(order.overtook(late.previous.as_ref(), &Rejection::WrongPrevious));
    assert!(!order.overtook(late.previous.as_ref(), &Rejection::ProofInvalid));
    assert!(!order.overtook(Some(&received().cid), &Rejection::WrongPrevious), "nothing has");
    assert!(
        !order.overtook(Some(&mallory()), &Rejection::WrongPrevious)
            && !order.overtook(None, &Rejection::WrongPrevious)
    );
}

#[test]
fn a_delivery_carries_what_its_party_lacks() {
    let bobs = given(BOB, &whole_order()).order;
    assert_eq!(cids(&bobs.carried(Party::Principal)), [released().cid, received().cid]);
    assert_eq!(bobs.carried(Party::Beneficiary).len(), 5);
    assert_eq!(cids(&bobs.carried(Party::Fiduciary)), [received().cid]);
    let alices = given(ALICE, &whole_order()[..3]).order;
    assert_eq!(cids(&alices.carried(Party::Fiduciary)), [redemption().cid], "her own that waits");
    assert_eq!(alices.introduced(Party::Fiduciary), [alice(), carol()], "with whom it names");
    let wish = cancellation(&placed());
    let alices = given(ALICE, &[placed(), wish.clone()]).order;
    assert_eq!(cids(&alices.carried(Party::Fiduciary)), [placed().cid, wish.cid], "both at once");
    assert!(alices.has(&placed().cid) && alices.has(&wish.cid));
    assert_eq!(bobs.introduced(Party::Beneficiary), [alice(), bob()]);
    assert!(bobs.introduced(Party::Principal).is_empty());
}

#[test]
fn the_sealed_secret_goes_out_from_its_fiduciary_alone_and_while_it_is_kept() {
    let kept = given(BOB, &whole_order()[..4]);
    assert_eq!(kept.order.sealed_with(&released()), Some((carol(), block("secret"))));
    assert_eq!(kept.order.sealed_with(&committed()), None);
    let gone = kept.clone().and(Event::RetentionEnded { secret: block("secret"), at_ms: NOW_MS });
    assert_eq!(gone.order.sealed_with(&released()), None);
    // Then who comes for it too late is told so, and asks no more: without it she could not take the release.
    assert_eq!(kept.order.gone_with(&released()), None);
    let (beneficiary, why) = gone.order.gone_with(&released()).unwrap();
    assert_eq!((beneficiary, why.code()), (carol(), "retention-ended"));
    assert_eq!(gone.order.gone_with(&redemption()), None);
    let asking = given(ALICE, &whole_order()[..3]);
    let told = asking.order.next_delivery(None).unwrap().refused(why.code().to_owned());
    let order = asking.when(&told).order();
    assert_eq!((order.stage, order.next_due_ms()), (Stage::Committed, None));
    // Alice's node has the release without the secret, whoever asks her for it.
    for node in [ALICE, CAROL] {
        assert_eq!(given(node, &whole_order()[..4]).order.sealed_with(&released()), None);
    }
}

#[test]
fn it_depends_on_the_delivery_what_its_answer_ends() {
    let waiting = given(ALICE, &[placed()]);
    let delivery = waiting.order.next_delivery(None).unwrap();
    assert_eq!(waiting.order.answered(&delivery), Answered::NotYet);
    assert_eq!(waiting.when(&receive(&committed())).order().answered(&delivery), Answered::Over);
    let release = given(BOB, &whole_order()[..4]).order;
    assert_eq!(release.answered(&release.next_delivery(None).unwrap()), Answered::NotYet);
    let receipt = given(BOB, &whole_order()).order;
    let delivery = receipt.next_delivery(None).unwrap();
    assert_eq!(receipt.answered(&delivery), Answered::Delivered);
    // A principal's step is undone by a refusal; any other stands.
    assert_eq!(waiting.order.next_delivery(None).unwrap().refused("no".into()).name(), "order/refuse");
    assert_eq!(delivery.refused("no".into()), delivery.ended(order::Outcome::Refused("no".into())));
    assert!(!delivery.is_given_up(NOW_MS + 4, 5) && delivery.is_given_up(NOW_MS + 5, 5));
    assert_eq!((delivery.age_ms(NOW_MS + 3), delivery.age_ms(NOW_MS - 1)), (3, u64::MAX));
}

#[test]
fn refusals_of_nobody_and_of_the_moment_are_no_history() {
    let new = Order::default();
    assert!(new.keeps_refusal(&place(), &Rejection::ReferenceTaken));
    assert!(new.keeps_refusal(&receive(&placed()), &Rejection::ProofInvalid));
    assert!(!new.keeps_refusal(&redeem(carol()), &Rejection::UnknownOrder));
    let known = given(BOB, &whole_order()[..2]).order;
    assert!(known.keeps_refusal(&redeem(carol()), &Rejection::StepPending));
    assert!(!known.keeps_refusal(&receive(&redemption()), &Rejection::IssuedInFuture));
}
