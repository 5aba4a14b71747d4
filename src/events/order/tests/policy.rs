//! When and for whom: the policy of an order, judged by the fiduciary's clock at the moment it appends.

use super::kit::*;
use crate::order::*;
use dta_protocol::Cid;

const LIMIT_MS: u64 = (1 << 53) - 1;

fn terms(not_before_ms: u64, expires_at_ms: u64, retention_ms: u64) -> Terms {
    Terms { not_before_ms, expires_at_ms, retention_ms }
}

/// An order with these terms, as far as `count` steps of the whole one.
fn under(node: Hosts, terms: &Terms, count: usize) -> Given {
    let mut steps = whole_order();
    steps[0] = placed_for(None, terms.clone());
    given(node, &steps[..count])
}

fn expired(step: &Step) -> Step {
    closed(ClosedCode::Expired, step)
}

#[test]
fn a_policy_that_cannot_be_kept_is_refused_at_once() {
    let ten_years_ms = 10 * 366 * 86_400_000;
    let cases = [
        (terms(LIMIT_MS, 0, 0), true),
        (terms(LIMIT_MS + 1, 0, 0), false),
        (terms(u64::MAX, 0, 0), false),
        (terms(0, LIMIT_MS, 0), true),
        (terms(0, LIMIT_MS + 1, 0), false),
        (terms(0, 0, ten_years_ms), true),
        (terms(0, 0, ten_years_ms + 1), false),
        (terms(NOW_MS + 5, NOW_MS + 6, 0), true),
        (terms(NOW_MS + 5, NOW_MS + 5, 0), false),
        (terms(NOW_MS + 5, NOW_MS + 4, 0), false),
        (terms(0, NOW_MS + 1, 0), true),
        (terms(0, NOW_MS, 0), false),
        (terms(0, 1, 0), false),
    ];
    for (terms, good) in cases {
        let outcomes = [
            given(ALL, &[]).when(&place_for(None, terms.clone())),
            given(ALICE, &[]).when(&place_for(None, terms.clone())),
            given(BOB, &[]).when(&receive(&placed_for(None, terms.clone()))),
        ];
        for outcome in outcomes {
            match good {
                true => drop(outcome.order()),
                false => outcome.then_rejected("policy-invalid"),
            }
        }
    }
}

#[test]
fn a_beneficiary_that_hears_of_the_order_late_does_not_ask_whether_it_is_over() {
    let order = placed_for(None, terms(0, NOW_MS + 1, 0));
    given(CAROL, &[]).at(NOW_MS + 1).when(&receive(&order)).order();
    given(BOB, &[]).at(NOW_MS + 1).when(&receive(&order)).then_rejected("policy-invalid");
    let impossible = placed_for(None, terms(2, 1, 0));
    given(CAROL, &[]).when(&receive(&impossible)).then_rejected("policy-invalid");
}

#[test]
fn reserved_policy_keys_are_refused_until_they_can_be_kept() {
    let reserved = ReceivedStep { reserved_policy_is_empty: false, ..sent(&placed()) };
    for node in [BOB, CAROL] {
        given(node, &[]).when(&Command::Accept(vec![reserved.clone()])).then_rejected("policy-unsupported");
    }
}

#[test]
fn the_parties_must_be_known() {
    for unknown in [alice(), bob(), carol()] {
        let knows = |given: Given, who: &[Cid]| given.with(|facts| facts.unknown = who.to_vec());
        let order = placed_for(Some(carol()), Terms::default());
        let command = place_for(Some(carol()), Terms::default());
        knows(given(ALL, &[]), &[unknown]).when(&command).then_rejected("unknown-identity");
        knows(given(BOB, &[]), &[unknown]).when(&receive(&order)).then_rejected("unknown-identity");
        knows(given(BOB, &[]), &[mallory()]).when(&receive(&order)).order();
    }
    let stranger = |node: Hosts| given(node, &whole_order()[..2]).with(|facts| facts.unknown = vec![carol()]);
    stranger(ALL).when(&redeem(carol())).then_rejected("unknown-identity");
    stranger(BOB).when(&receive(&redemption())).then_rejected("unknown-identity");
}

#[test]
fn plugin_and_coin_must_be_ours() {
    let other = |given: Given| given.with(|facts| facts.plugin = "bitcoinwallet".into());
    other(given(ALL, &[])).when(&place()).then_rejected("unknown-plugin");
    other(given(BOB, &[])).when(&receive(&placed())).then_rejected("unknown-plugin");
    for (coin, good) in [(0, true), (1, true), (2, false), (255, false)] {
        let StepFacts::Placed { parties, plugin, terms, .. } = placed().facts else { unreachable!() };
        let facts = StepFacts::Placed { parties, plugin, coin, terms };
        let outcome = given(BOB, &[]).when(&receive(&Step { facts, ..placed() }));
        match good {
            true => drop(outcome.order()),
            false => outcome.then_rejected("coin-unknown"),
        }
    }
}

#[test]
fn nothing_is_redeemed_or_released_before_its_time() {
    let terms = terms(NOW_MS + 10, 0, 0);
    for (now_ms, early) in [(NOW_MS, true), (NOW_MS + 9, true), (NOW_MS + 10, false), (NOW_MS + 11, false)] {
        let outcomes = [
            under(ALL, &terms, 2).at(now_ms).when(&redeem(carol())),
            under(BOB, &terms, 2).at(now_ms).when(&receive(&redemption())),
            // A clock that is set back between the redemption and the release releases nothing early either.
            under(BOB, &terms, 3).at(now_ms).when(&Command::Release),
        ];
        for outcome in outcomes {
            match early {
                true => outcome.then_rejected("not-before"),
                false => drop(outcome.order()),
            }
        }
        // It is bob's clock that counts: alice may ask, and carol does not doubt what bob accepted.
        under(ALICE, &terms, 2).at(now_ms).when(&redeem(carol())).order();
        under(CAROL, &terms, 2).at(now_ms).when(&receive(&redemption())).order();
    }
}

#[test]
fn nothing_but_the_end_follows_once_the_time_is_over() {
    let terms = terms(0, NOW_MS + 10, 0);
    for (now_ms, over) in [(NOW_MS, false), (NOW_MS + 9, false), (NOW_MS + 10, true), (u64::MAX, true)] {
        let outcomes = [
            under(BOB, &terms, 1).at(now_ms).when(&Command::Commit),
            under(ALL, &terms, 2).at(now_ms).when(&redeem(carol())),
            under(BOB, &terms, 2).at(now_ms).when(&receive(&redemption())),
            under(BOB, &terms, 3).at(now_ms).when(&Command::Release),
        ];
        for outcome in outcomes {
            match over {
                true => outcome.then_rejected("expired"),
                false => drop(outcome.order()),
            }
        }
        for count in 1..=3 {
            let end = under(BOB, &terms, count).at(now_ms).when(&Command::Close(ClosedCode::Expired));
            match over {
                true => assert_eq!(end.order().stage, Stage::Closed),
                false => end.then_rejected("not-due"),
            }
        }
        // Once released, the time does not matter any more.
        under(BOB, &terms, 4).at(now_ms).when(&receive(&received())).order();
        under(BOB, &terms, 4)
            .at(now_ms)
            .when(&Command::Close(ClosedCode::Expired))
            .then_rejected("out-of-state");
    }
    let over = expired(&committed());
    let stood = given(BOB, &[placed_for(None, terms), committed(), over]).at(NOW_MS + 11);
    stood.when(&receive(&redemption())).then_rejected("closed");
}

#[test]
fn an_order_is_closed_for_good_only_by_a_clock_that_can_be_trusted() {
    let stood = under(BOB, &terms(0, NOW_MS + 10, 0), 2).at(NOW_MS + 10);
    let doubted = stood.clone().with(|facts| facts.clock_trusted = false);
    doubted.when(&Command::Close(ClosedCode::Expired)).then_rejected("clock-untrusted");
    stood.when(&Command::Close(ClosedCode::Expired)).order();
    // A wish to cancel needs no clock.
    let wish = cancellation(&committed());
    let cancelled = given(BOB, &[placed(), committed(), wish]).with(|facts| facts.clock_trusted = false);
    cancelled.when(&Command::Close(ClosedCode::Cancelled)).order();
}

#[test]
fn the_beneficiary_is_the_one_that_was_named_first() {
    let order_for = |named| [placed_for(named, Terms::default()), committed()];
    for (named, asked, good) in [
        (None, carol(), true),
        (None, alice(), true),
        (Some(carol()), carol(), true),
        (Some(carol()), dave(), false),
        (Some(carol()), mallory(), false),
        (Some(alice()), carol(), false),
    ] {
        let outcomes = [
            given(ALL, &order_for(named)).when(&redeem(asked)),
            given(ALICE, &order_for(named)).when(&redeem(asked)),
            given(BOB, &order_for(named)).when(&receive(&redemption_for(asked))),
            given(CAROL, &order_for(named)).when(&receive(&redemption_for(asked))),
        ];
        for outcome in outcomes {
            match good {
                true => assert_eq!(outcome.redeemed_for(), Some(asked)),
                false => outcome.then_rejected("beneficiary-mismatch"),
            }
        }
    }
}

#[test]
fn a_release_is_to_the_one_the_redemption_named_and_nobody_else() {
    let draft = given(ALL, &whole_order()[..3]).when(&Command::Release).draft();
    assert!(matches!(draft.content, Content::Released { beneficiary, .. } if beneficiary == carol()));
    for other in [alice(), bob(), dave(), mallory()] {
        let facts = StepFacts::Released { beneficiary: other, secret: block("secret") };
        let astray = Step { facts, ..released() };
        for node in [ALICE, CAROL] {
            given(node, &whole_order()[..3]).when(&receive(&astray)).then_rejected("beneficiary-mismatch");
        }
    }
}

#[test]
fn alice_may_ask_for_another_beneficiary_after_the_first_was_turned_down() {
    let down = Event::StepRefused { cid: redemption().cid, code: "unknown-identity".into() };
    let stood = given(ALICE, &whole_order()[..3]).and(down);
    assert_eq!(stood.when(&redeem(dave())).redeemed_for(), Some(dave()));
}

#[test]
fn after_an_accepted_wish_to_cancel_the_order_only_closes() {
    for (count, stood) in [(1, placed()), (2, committed()), (3, redemption())] {
        let mut steps = whole_order()[..count].to_vec();
        steps.push(cancellation(&stood));
        for node in [BOB, ALL] {
            let wished = given(node, &steps);
            let command = [Command::Commit, redeem(carol()), Command::Release][count - 1].clone();
            match (count, node) {
                (2, BOB) => {
                    let late = Step { previous: Some(steps[2].cid), ..redemption() };
                    wished.when(&receive(&late)).then_rejected("closed");
                }
                _ => wished.when(&command).then_rejected("closed"),
            }
            let end = wished.when(&Command::Close(ClosedCode::Cancelled));
            assert_eq!(end.order().stage, Stage::Closed);
            assert_eq!(end.draft().previous, steps.last().map(|step| step.cid));
            wished.when(&Command::Close(ClosedCode::Expired)).then_rejected("not-due");
        }
        given(ALL, &steps).when(&cancel()).then_nothing();
    }
}

#[test]
fn bobs_chain_decides_between_a_wish_to_cancel_and_a_release() {
    // Both answer the redemption; what bob appends first stands, the other answers no longer the last step.
    let redeemed = given(BOB, &whole_order()[..3]);
    let wish = cancellation(&redemption());
    let released_first = given(BOB, &whole_order()[..4]);
    released_first.when(&receive(&wish)).then_rejected("wrong-previous");
    let wish_first = Given { order: redeemed.when(&receive(&wish)).order(), ..redeemed.clone() };
    wish_first.when(&Command::Release).then_rejected("closed");
    // The same for a redemption that crosses a wish.
    let committed_only = given(BOB, &whole_order()[..2]);
    let wish = cancellation(&committed());
    let wish_first = Given { order: committed_only.when(&receive(&wish)).order(), ..committed_only.clone() };
    wish_first.when(&receive(&redemption())).then_rejected("wrong-previous");
    redeemed.when(&receive(&wish)).then_rejected("wrong-previous");
}

#[test]
fn a_released_secret_is_kept_for_its_retention_and_no_longer() {
    for node in [ALL, BOB, CAROL, ALICE] {
        let stood = under(node, &terms(0, 0, 10), 4);
        let end = Command::EndRetention;
        stood.clone().at(NOW_MS + 9).when(&end).then_rejected("not-due");
        let doubted = stood.clone().at(NOW_MS + 10).with(|facts| facts.clock_trusted = false);
        doubted.when(&end).then_rejected("clock-untrusted");
        let ended = stood.clone().at(NOW_MS + 10).when(&end);
        ended.then(&[Event::RetentionEnded { secret: block("secret"), at_ms: NOW_MS + 10 }]);
        let after = Given { order: ended.order(), ..stood }.at(NOW_MS + 10);
        assert_eq!(after.order.stage, Stage::Released, "an end of retention is no step");
        after.when(&end).then_nothing();
        if node.principal {
            after.when(&redeem(carol())).then_rejected("retention-ended");
        }
        if node.beneficiary {
            after.when(&Command::Acknowledge(Verdict::Genuine)).then_rejected("retention-ended");
        } else {
            // Carol had fetched it in time: her receipt counts whenever it comes.
            assert_eq!(after.when(&receive(&received())).order().stage, Stage::Received);
        }
    }
}

#[test]
fn a_retention_of_0_is_for_good() {
    for now_ms in [NOW_MS, NOW_MS + 1, u64::MAX] {
        let stood = under(ALL, &terms(0, 0, 0), 4).at(now_ms);
        stood.when(&Command::EndRetention).then_rejected("not-due");
        stood.when(&redeem(carol())).then_nothing();
        assert_eq!(stood.order.due(now_ms), Some(Due::Acknowledge));
    }
    let secret = under(ALL, &terms(0, 0, 0), 4).order.secret.unwrap();
    assert_eq!((secret.until_ms, secret.ended), (None, false));
}

#[test]
fn a_dispute_ends_the_order_as_a_receipt_does() {
    for code in [DisputeCode::CannotOpen, DisputeCode::WrongSecret] {
        let after = given(CAROL, &whole_order()[..4]).when(&Command::Acknowledge(Verdict::Disputed(code)));
        let order = after.order();
        assert_eq!(order.stage, Stage::Disputed);
        assert_eq!(order.head().map(|step| step.facts.clone()), Some(StepFacts::Disputed { code }));
        let after = Given { order, facts: facts(CAROL) };
        after.when(&Command::Acknowledge(Verdict::Genuine)).then_rejected("out-of-state");
    }
}
