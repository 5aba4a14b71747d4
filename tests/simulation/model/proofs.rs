//! Configurations that are broken on purpose: each property is seen to fail, and by which way.

use super::checks::story;
use super::properties::{self, GOES_ON, NAMED_BENEFICIARY, ONE_COMMITMENT, ONE_END, RIGHT_SIGNER};
use super::search::search;
use super::{Config, Nodes};
use crate::party::Flaw;

/// A flaw is found out by this property, and the way to it is told.
#[track_caller]
fn found_out(property: &'static str, flaw: Flaw, config: Config) -> String {
    let nodes = Nodes::new(Config { flaw, ..config });
    let report = search(&nodes, &properties::all(), Some(property));
    let way = report.found.get(property);
    let way = way.unwrap_or_else(|| panic!("{flaw:?} is not found out by {property:?}"));
    let story = story(&nodes, way);
    println!("{flaw:?} is found out after {} states: not {property:?}:\n{story}", report.states);
    assert!(!story.is_empty());
    story
}

fn cheated_by(cheat: usize) -> Config {
    Config { cheat: Some(cheat), early: true, ..Config::default() }
}

#[test]
fn a_second_commitment_is_found_out() {
    found_out(ONE_COMMITMENT, Flaw::Overlooks("equivocation"), cheated_by(1));
}

#[test]
fn a_release_to_another_beneficiary_is_found_out() {
    found_out(NAMED_BENEFICIARY, Flaw::Overlooks("beneficiary-mismatch"), cheated_by(0));
    found_out(NAMED_BENEFICIARY, Flaw::Indiscreet, Config { early: true, ..Config::default() });
}

#[test]
fn a_wrong_signer_is_found_out() {
    found_out(RIGHT_SIGNER, Flaw::Overlooks("wrong-signer"), cheated_by(2));
    found_out(RIGHT_SIGNER, Flaw::Overlooks("signature-invalid"), cheated_by(1));
}

#[test]
fn two_final_states_are_found_out() {
    found_out(ONE_END, Flaw::Overlooks("out-of-state"), cheated_by(1));
}

#[test]
fn what_is_not_done_though_due_is_found_out() {
    let cancels = Config { cancels: 1, ..Config::default() };
    for never in ["order/commit", "order/release", "order/acknowledge"] {
        found_out(GOES_ON, Flaw::Neglects(never), Config::default());
    }
    for never in ["order/close", "order/request-cancellation"] {
        found_out(GOES_ON, Flaw::Neglects(never), cancels.clone());
    }
}

#[test]
fn a_step_that_is_sent_before_it_is_synced_is_found_out() {
    let config = Config { crashes: 1, ..Config::default() };
    found_out(ONE_COMMITMENT, Flaw::SendsUnsynced, config);
}

#[test]
fn an_acknowledged_append_that_is_lost_is_found_out() {
    let config = Config { crashes: 1, cancels: 1, ..Config::default() };
    found_out(ONE_END, Flaw::LosesAcknowledged, config);
}
