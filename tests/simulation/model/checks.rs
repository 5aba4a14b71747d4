//! The configurations that are explored to the last state.

use std::collections::HashSet;
use std::time::Instant;

use dta_events::order::Terms;

use super::properties::{self, ALWAYS, CLOSED, DISPUTED, RECEIVED, REFUSED, WITHDRAWN};
use super::search::{Report, search};
use super::{Action, Config, EPOCH_MS, MINUTE_MS, Nodes, Says};

/// Explores all of it: every property holds in every state, these things happen in some, and it says how many there were.
#[track_caller]
fn explore(name: &str, config: Config, happens: &[&'static str]) -> Report {
    let began = Instant::now();
    let nodes = Nodes::new(config);
    let report = search(&nodes, &properties::all(), None);
    println!(
        "{name}: {} states, {} actions, {} deep, {} messages, {:.1} s",
        report.states,
        report.steps,
        report.depth,
        nodes.table.messages(),
        began.elapsed().as_secs_f64()
    );
    for property in ALWAYS {
        if let Some(way) = report.found.get(property) {
            panic!("{name}: {property:?} fails:\n{}", story(&nodes, way));
        }
    }
    for property in happens {
        assert!(report.found.contains_key(property), "{name}: {property:?} is never so");
    }
    report
}

/// What led to a state, for people.
pub fn story(nodes: &Nodes, way: &[Action]) -> String {
    let line = |action: &Action| match action {
        Action::Arrive(id) => {
            let message = nodes.table.message(*id);
            let what = match (&message.says, message.packet()) {
                (Says::Refusal(code), _) => format!("no: {code}"),
                (_, packet) => {
                    let steps = packet.into_iter().flat_map(|packet| &packet.steps);
                    let kinds = steps.map(|step| step.statement.facts.kind().as_str());
                    kinds.collect::<Vec<_>>().join(", ")
                }
            };
            let forged = if message.about.is_none() { ", forged" } else { "" };
            format!(
                "  order {}: node {} hears from {}: {what}{forged}",
                message.order, message.to, message.from
            )
        }
        other => format!("  {other:?}"),
    };
    way.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Released from the first minute on, and over with the second.
fn timed() -> Terms {
    Terms { not_before_ms: EPOCH_MS + MINUTE_MS, expires_at_ms: EPOCH_MS + 2 * MINUTE_MS, retention_ms: 0 }
}

#[test]
fn one_order_with_a_crash_anywhere() {
    explore("one order, a crash", Config { crashes: 1, ..Config::default() }, &[RECEIVED]);
}

#[test]
fn a_cancellation_at_any_time() {
    let config = Config { cancels: 1, ..Config::default() };
    explore("a cancellation at any time", config, &[RECEIVED, CLOSED, WITHDRAWN]);
}

#[test]
fn time_runs_while_it_is_redeemed() {
    let config = Config { terms: timed(), minutes: 2, redeems: 2, ..Config::default() };
    explore("not before, and expiry", config, &[RECEIVED, CLOSED, REFUSED]);
}

#[test]
fn two_orders_at_once() {
    explore("two orders", Config { orders: 2, redeems: 2, early: true, ..Config::default() }, &[RECEIVED]);
}

#[test]
fn a_stranger_cheats() {
    explore("a stranger cheats", Config { cheat: Some(3), cancels: 1, ..Config::default() }, &[RECEIVED]);
}

#[test]
fn the_principal_cheats() {
    explore("the principal cheats", Config { cheat: Some(0), ..Config::default() }, &[RECEIVED]);
}

#[test]
fn the_fiduciary_cheats() {
    explore(
        "the fiduciary cheats",
        Config { cheat: Some(1), early: true, ..Config::default() },
        &[RECEIVED, DISPUTED],
    );
}

#[test]
fn the_beneficiary_cheats() {
    explore(
        "the beneficiary cheats",
        Config { cheat: Some(2), early: true, ..Config::default() },
        &[DISPUTED],
    );
}

#[test]
#[ignore = "large: scripts/simulate runs it"]
fn everything_at_once() {
    let all = Config { redeems: 2, cancels: 1, crashes: 1, ..Config::default() };
    explore("two redemptions, a cancellation, a crash", all.clone(), &[RECEIVED, CLOSED, WITHDRAWN]);
    let timed = Config { terms: timed(), minutes: 2, ..all };
    explore("and time", timed, &[RECEIVED, CLOSED, WITHDRAWN, REFUSED]);
}

#[test]
#[ignore = "large: scripts/simulate runs it"]
fn two_orders_a_cancellation_a_crash() {
    let config = Config { orders: 2, redeems: 2, cancels: 1, crashes: 1, early: true, ..Config::default() };
    explore("two orders, a cancellation, a crash", config, &[RECEIVED, CLOSED, WITHDRAWN]);
}

#[test]
#[ignore = "large: scripts/simulate runs it"]
fn anybody_cheats_while_it_is_cancelled_and_time_runs() {
    for cheat in [2, 3, 0] {
        let config =
            Config { cheat: Some(cheat), cancels: 1, terms: timed(), minutes: 2, ..Config::default() };
        explore(&format!("a cheat by {cheat}, a cancellation, time"), config, &[CLOSED]);
    }
}

#[test]
#[ignore = "large: scripts/simulate runs it"]
fn anybody_cheats_and_somebody_dies() {
    for cheat in 0..4 {
        let config = Config { cheat: Some(cheat), crashes: 1, ..Config::default() };
        explore(&format!("a cheat by {cheat}, a crash"), config, &[RECEIVED]);
    }
}

/// To leave out the states between which only messages are sent leaves out nothing that can happen to the orders.
#[test]
fn what_is_left_out_shows_nothing_new() {
    let config = Config { early: true, cancels: 1, redeems: 0, ..Config::default() };
    let few = explore("few", config.clone(), &[CLOSED, WITHDRAWN]);
    let each =
        explore("each message by itself", Config { each_message: true, ..config }, &[CLOSED, WITHDRAWN]);
    let orders = |report: &Report| report.seen.keys().cloned().collect::<HashSet<_>>();
    assert!(orders(&few) == orders(&each), "the same orders, with the same left to ask");
    assert!(few.states < each.states);
}
