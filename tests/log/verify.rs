//! What the log says by the protocol: signatures, links, facts, recipients and proofs.

use dta_events::ids::peer_aggregate;
use dta_events::order::DisputeCode;
use dta_events::peer;
use dta_events::record::Effect;
use dta_protocol::{Cid, Codec, Kind};

use crate::story::{REFERENCE, Story, Twist, WHOLE};
use crate::{deep, has};

#[test]
fn a_second_statement_is_checked_as_evidence() {
    for (twist, expected) in [
        (None, ""),
        (Some(Twist::Signature), "signature does not verify: signature: the ML-DSA-65 half"),
        (Some(Twist::Signer), "it does not stand in the first one's place"),
    ] {
        let story = Story::begin();
        let alice = story.stranger("alice");
        let [bob, carol] = ["bob", "carol"].map(|name| story.hosted(name));
        let tale = story.order(&alice, &bob, &carol).tell(&WHOLE[..2]).equivocating(twist);
        let (first, second) = tale.order.equivocations.first_key_value().unwrap();
        let told = story.home.must(&["log", "replay"]);
        let line = format!("order/equivocation-seen {first} and {second}, now Committed");
        assert!(told.contains(&line), "{told}");
        if twist.is_none() {
            has(&deep(&story.home), "envelopes   7 indexed, 7 signatures verified");
            continue;
        }
        let place = format!("sequence 7: order {REFERENCE}, the second statement {second}: ");
        let said = story.home.must_fail(&["log", "verify"]);
        assert!(said.contains(&place) && said.contains(expected), "{said}");
    }
}

#[test]
fn a_secret_whose_retention_ended_is_gone() {
    let story = Story::begin();
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| story.hosted(name));
    let tale = story.order(&alice, &bob, &carol).tell(&WHOLE).end_retention(true);
    let secret = tale.order.secret.unwrap().cid;
    has(&deep(&story.home), &format!("order {REFERENCE}: commitment proof ok, receipt proof ok"));
    let state = story.home.must(&["log", "replay", "--order", REFERENCE]);
    has(&state, &format!("  sealed secret {secret} dropped"));
    assert!(state.contains(&format!("order/retention-ended {secret}, now Received")), "{state}");

    let story = Story::begin();
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| story.hosted(name));
    let tale = story.order(&alice, &bob, &carol).tell(&WHOLE).end_retention(false);
    let released = tale.order.step(Kind::Released).unwrap().step.cid;
    let said = story.home.must_fail(&["log", "verify"]);
    let place = format!("sequence 8: order {REFERENCE}, order/released {released}: the sealed secret ");
    assert!(said.contains(&place) && said.contains("is still here after its retention ended"), "{said}");
}

#[test]
fn a_pin_is_of_a_known_identity_and_stands_in_its_own_history() {
    let nobody = Cid::of(Codec::DagCbor, b"nobody");
    for (of_nobody, elsewhere, expected) in [
        (false, false, ""),
        (true, false, "is not known by then"),
        (false, true, "stands in another's history"),
    ] {
        let story = Story::begin();
        let bob = story.stranger("bob").cid;
        let identity = if of_nobody { nobody } else { bob };
        let command = peer::Command::Pin { identity, url: None };
        let event = peer::Event::Pinned { identity, url: None };
        let aggregate = peer_aggregate(if elsewhere { &nobody } else { &identity });
        let effect = Effect::Events(vec![event.to_stored().unwrap()]);
        story.append(aggregate, command.to_stored().unwrap(), effect, vec![], vec![]);
        if expected.is_empty() {
            has(&deep(&story.home), "the log is whole");
            continue;
        }
        let said = story.home.must_fail(&["log", "verify"]);
        assert!(said.contains(&format!("sequence 3: the pin of {identity}: {expected}")), "{said}");
    }
}

/// Who is hosted, what happens, and what `verify --deep` says of it.
#[test]
fn what_is_openable_here_is_checked_and_the_rest_is_counted() {
    let ends: [&[Kind]; 3] =
        [&WHOLE, &WHOLE[..4], &[Kind::Placed, Kind::Committed, Kind::CancellationRequested, Kind::Closed]];
    let whole = "commitment proof ok, receipt proof ok";
    for (hosted, kinds, expected) in [
        ([true, true, true], ends[0], format!("{whole}, secret ok")),
        ([true, true, false], ends[0], format!("{whole}, bodies not openable here: 1")),
        ([true, false, true], ends[0], format!("{whole}, secret ok")),
        ([true, false, false], ends[0], format!("{whole}, bodies not openable here: 1")),
        ([false, true, false], ends[0], format!("{whole}, bodies not openable here: 1")),
        // What was sealed before it was named, it opens with the keys of the redemption.
        ([false, false, true], ends[0], format!("{whole}, secret ok")),
        ([false, false, true], ends[1], "commitment proof ok, no receipt, secret ok".into()),
        (
            [false, false, true],
            &WHOLE[..2],
            "commitment proof not openable here, no receipt, bodies not openable here: 2".into(),
        ),
        ([true, true, false], ends[2], "commitment proof ok, no receipt".into()),
        ([true, false, true], ends[2], "commitment proof ok, no receipt".into()),
    ] {
        let story = Story::begin();
        let names = ["alice", "bob", "carol"];
        let who = |i: usize| if hosted[i] { story.hosted(names[i]) } else { story.stranger(names[i]) };
        let [alice, bob, carol] = [who(0), who(1), who(2)];
        story.order(&alice, &bob, &carol).tell(kinds);
        let signatures = format!("{0} indexed, {0} signatures verified", 4 + kinds.len());
        let plain = story.home.must(&["log", "verify"]);
        assert!(plain.contains(&signatures) && !plain.contains(REFERENCE), "{plain}");
        has(&deep(&story.home), &format!("order {REFERENCE}: {expected}"));
    }
}

#[test]
fn disputes_are_judged_by_the_secret_and_the_disclosed_key() {
    use DisputeCode::{CannotOpen, WrongSecret};
    let kinds = [Kind::Placed, Kind::Committed, Kind::RedemptionRequested, Kind::Released, Kind::Disputed];
    for (hosted, false_secret, code, disclosed, expected) in [
        ([false, true], true, WrongSecret, true, "dispute upheld, secret is not the one committed to"),
        ([false, true], true, CannotOpen, false, "dispute upheld, secret is not the one committed to"),
        ([false, true], false, WrongSecret, true, "dispute unfounded: the secret is genuine, secret ok"),
        ([false, true], false, CannotOpen, false, "dispute unfounded: the secret is genuine, secret ok"),
        (
            [true, false],
            false,
            WrongSecret,
            true,
            "dispute unfounded: the secret is genuine, bodies not openable here: 1",
        ),
        ([true, false], true, WrongSecret, true, "dispute upheld, bodies not openable here: 1"),
        ([true, false], false, CannotOpen, false, "dispute not judged here, bodies not openable here: 1"),
    ] {
        let story = Story::begin();
        let who = |hosted, name| if hosted { story.hosted(name) } else { story.stranger(name) };
        let alice = story.stranger("alice");
        let (bob, carol) = (who(hosted[0], "bob"), who(hosted[1], "carol"));
        let mut tale = story.order(&alice, &bob, &carol).disputing(code, disclosed);
        if false_secret {
            tale = tale.twisted(Kind::Released, Twist::OtherSecret);
        }
        tale.tell(&kinds);
        has(&deep(&story.home), &format!("order {REFERENCE}: commitment proof ok, {expected}"));
    }
}

#[test]
fn each_falsehood_is_named_with_its_place() {
    use Kind::{Closed, Committed, Placed, Received, RedemptionRequested, Released};
    let cancelled = [Placed, Committed, Kind::CancellationRequested, Closed];
    for (kind, twist, found_without_opening, expected) in [
        (Placed, Twist::Signature, true, "signature does not verify: signature: the ML-DSA-65 half"),
        (Received, Twist::Signature, true, "signature does not verify: signature: the ML-DSA-65 half"),
        (Placed, Twist::Signer, true, "its signer is not the order's principal"),
        (Received, Twist::Signer, true, "its signer is not the order's beneficiary"),
        (Committed, Twist::Time, true, "its issued_at_ms is not the one in the record"),
        (Released, Twist::Previous, true, "its previous is not the one in the record"),
        (Released, Twist::Statement, true, "its statement hash is not the one in the record"),
        (Committed, Twist::Missing, true, "block bafkrei"),
        (Released, Twist::PublishedSecret, true, "is published"),
        (Released, Twist::NoSecret, true, "is missing"),
        (
            Committed,
            Twist::Proof,
            false,
            "the commitment proof does not hold: secp256k1: the BIP340 signature",
        ),
        (Received, Twist::Proof, false, "the receipt proof does not hold: secp256k1: the BIP340 signature"),
        (Placed, Twist::Plaintext, false, "the sealed coin is not the one in the record"),
        (Committed, Twist::Plaintext, false, "the sealed commitment is not the one in the record"),
        (RedemptionRequested, Twist::Plaintext, false, "the sealed beneficiary is not the one in the record"),
        (Released, Twist::Plaintext, false, "the sealed beneficiary is not the one in the record"),
        (Closed, Twist::Plaintext, false, "the sealed code is not the one in the record"),
        (Committed, Twist::TooMany, false, "not sealed to exactly the prescribed recipients"),
        (Received, Twist::TooMany, false, "not sealed to exactly the prescribed recipients"),
        (Committed, Twist::TooFew, false, "the sealed body cannot be opened"),
        (RedemptionRequested, Twist::Keys, false, "with the key disclosed for it"),
        (Released, Twist::OtherSecret, false, "is not the one committed to"),
    ] {
        let story = Story::begin();
        let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| story.hosted(name));
        let kinds = if kind == Closed { &cancelled[..] } else { &WHOLE };
        let until = kinds.iter().position(|other| *other == kind).unwrap();
        let tale = story.order(&alice, &bob, &carol).twisted(kind, twist).tell(&kinds[..=until]);
        let step = &tale.order.steps.last().unwrap().step;
        let place = format!("sequence {}: order {REFERENCE}, {kind} {}: ", 5 + until, step.cid);
        let said = story.home.must_fail(&["log", "verify", "--deep"]);
        assert!(said.contains(&place) && said.contains(expected), "{kind} {twist:?}: {said}");
        match found_without_opening {
            true => assert_eq!(story.home.must_fail(&["log", "verify"]), said),
            false => has(&story.home.must(&["log", "verify"]), "the log is whole"),
        }
    }
}

#[test]
fn keys_that_strangers_give_each_other_are_theirs_to_judge() {
    let story = Story::begin();
    let [alice, carol] = ["alice", "carol"].map(|name| story.stranger(name));
    let bob = story.hosted("bob");
    story.order(&alice, &bob, &carol).twisted(Kind::RedemptionRequested, Twist::Keys).tell(&WHOLE[..4]);
    deep(&story.home);
}
