//! The simulation can fail: nodes that are made to do something wrong are found out by some seed, which fails again.

use crate::party::Flaw;
use crate::world::Setup;
use crate::{simulate, told};

const ORDERS: u64 = 100;

#[track_caller]
fn found_out(flaw: Flaw, by: &[&str]) {
    for seed in 1..100 {
        let setup = Setup { flaw, ..Setup::new(seed, ORDERS) };
        let Err(failure) = simulate(&setup).0 else { continue };
        let (what, text) = (failure.what.clone(), told(&setup, failure));
        println!("{flaw:?} is found out by seed {seed}: {what}");
        assert!(by.iter().any(|by| what.contains(by)), "{flaw:?} is found out by something else: {what}");
        assert!(text.contains(&format!("scripts/simulate --seed {seed} --orders {ORDERS}")), "{text}");
        assert!(!text.contains("not deterministic"), "{text}");
        return;
    }
    panic!("{flaw:?} is not found out");
}

#[test]
fn whoever_overlooks_a_rule_is_found_out() {
    found_out(Flaw::Overlooks("equivocation"), &["twice in one chain"]);
    found_out(
        Flaw::Overlooks("signature-invalid"),
        &["a step from a wrong signer", "an honest signer is held to have said two things"],
    );
    found_out(Flaw::Overlooks("wrong-previous"), &["a broken link"]);
    found_out(
        Flaw::Overlooks("beneficiary-mismatch"),
        &[
            "redeemed for another than the order names",
            "the log of a beneficiary holds what was released to it",
        ],
    );
}

#[test]
fn whoever_never_does_what_is_due_is_found_out() {
    for never in ["order/commit", "order/release", "order/close"] {
        found_out(Flaw::Neglects(never), &["is still due"]);
    }
}

#[test]
fn whoever_gives_the_secret_away_is_found_out() {
    found_out(Flaw::Indiscreet, &["a secret on its way to another than its beneficiary"]);
}
