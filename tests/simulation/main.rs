//! A seeded simulation of nodes without actors, and a model checker over the same rules (docs/adr/0019).
//!
//! `scripts/simulate` runs both for longer: DTA_SIM_SEED (one seed), DTA_SIM_SEEDS (how many), DTA_SIM_ORDERS (a seed),
//! DTA_SIM_MINUTES.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod audit;
mod chance;
mod mallory;
mod model;
mod node;
mod paper;
mod party;
mod proofs;
mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use milagro_dta::actors::log::memory::Fault;
use world::{Failure, Setup, World};

/// A seed of the short run takes these orders through everything.
const ORDERS: u64 = 2_000;
const SEEDS: u64 = 2;

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}: {text:?} is no number")))
}

fn simulate(setup: &Setup) -> (Result<(), Failure>, World) {
    let mut world = World::new(setup);
    let ran = catch_unwind(AssertUnwindSafe(|| world.run()));
    let ran = ran.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Failure { order: None, what: format!("panicked: {}", text.unwrap_or_default()) })
    });
    (ran, world)
}

/// What a seed that fails says of itself: once more it is run, to tell the story of the order that went wrong.
fn told(setup: &Setup, Failure { order, what }: Failure) -> String {
    let mut story = Vec::new();
    if order.is_some() {
        let (again, world) = simulate(&Setup { told: order, ..*setup });
        story = world.story;
        if !again.is_err_and(|again| again.what == what) {
            story.push(
                "and when told again it did not fail so: the simulation is not deterministic".to_owned(),
            );
        }
    }
    let Setup { seed, orders, fails, .. } = setup;
    let failing = fails.map(|fails| format!(" with the append {fails:?} failing")).unwrap_or_default();
    format!(
        "{}\n\nseed {seed} fails{failing}: {what}\nscripts/simulate --seed {seed} --orders {orders}\n",
        story.join("\n")
    )
}

fn run(setup: &Setup) -> World {
    match simulate(setup) {
        (Ok(()), world) => world,
        (Err(failure), _) => panic!("{}", told(setup, failure)),
    }
}

#[test]
fn whatever_fails_and_whoever_cheats_orders_end_and_honest_parties_agree() {
    let orders = setting("DTA_SIM_ORDERS").unwrap_or(ORDERS);
    let first = setting("DTA_SIM_SEED");
    let seeds = setting("DTA_SIM_SEEDS").unwrap_or(if first.is_some() { 1 } else { SEEDS });
    let minutes = setting("DTA_SIM_MINUTES");
    let (began, mut counts) = (Instant::now(), BTreeMap::<String, u64>::new());
    for seed in first.unwrap_or(1).. {
        let over = match minutes {
            Some(minutes) => began.elapsed() >= Duration::from_secs(60 * minutes),
            None => seed >= first.unwrap_or(1) + seeds,
        };
        if over {
            break;
        }
        for (what, times) in run(&Setup::new(seed, orders)).counts {
            *counts.entry(what).or_default() += times;
        }
        println!("seed {seed}: {orders} orders, {:.1} s so far", began.elapsed().as_secs_f64());
    }
    for (what, times) in &counts {
        println!("{times:>9}  {what}");
    }
    if first.is_none() {
        everything_has_happened(&counts);
    }
}

/// A simulation in which nothing of the kind happens proves nothing.
fn everything_has_happened(counts: &BTreeMap<String, u64>) {
    let ends = ["Received", "Disputed", "Closed", "Committed", "turned down", "released, gone"];
    let steps = ["order/cancellation-requested", "withdrawal", "closed: cancelled", "closed: expired"];
    let others = ["messages lost", "messages doubled", "messages late", "clocks jump", "crashes", "cheats"];
    let events =
        ["step-refused", "equivocation-seen", "retention-ended", "delivery-ended", "deliveries-resumed"];
    let ends = ends.map(|end| format!("end: {end}"));
    let steps = steps.map(|step| format!("step: {step}"));
    let events = events.map(|event| format!("event: order/{event}"));
    let others = others.map(str::to_owned);
    for what in ends.iter().chain(&steps).chain(&events).chain(&others) {
        assert!(counts.contains_key(what), "{what}: none");
    }
}

/// Each append of a small world in turn, and in both ways: the write is lost, or lasts and is not acknowledged.
#[test]
fn each_append_may_fail_lost_or_persisted() {
    let setup = Setup::new(7, 8);
    let whole = run(&Setup { fails: Some((0, u64::MAX, Fault::Lost)), ..setup });
    let (mut times, mut counts) = (0, BTreeMap::<String, u64>::new());
    for (node, appends) in whole.nodes.iter().map(|node| node.appends).enumerate() {
        for nth in 0..appends {
            for how in [Fault::Lost, Fault::Persisted] {
                let world = run(&Setup { fails: Some((node, nth, how)), ..setup });
                assert_eq!(world.counts.get("crashes"), Some(&1), "append {nth} of node {node}");
                times += 1;
                for (what, times) in world.counts.into_iter().filter(|(what, _)| what.starts_with("append "))
                {
                    *counts.entry(what).or_default() += times;
                }
            }
        }
    }
    println!("{times} worlds, each with another append that failed: {counts:#?}");
    for command in ["place", "commit", "request-redemption", "release", "acknowledge", "accept", "close"] {
        for how in [Fault::Lost, Fault::Persisted] {
            assert!(counts.contains_key(&format!("append {how:?}: order/{command}")), "{command}, {how:?}");
        }
    }
}

#[test]
fn a_seed_tells_the_same_story_again() {
    let told = |seed| {
        let mut first = simulate(&Setup::new(seed, 30)).1;
        let ids = first.nodes[1].orders();
        let longest = ids.into_iter().max_by_key(|id| first.nodes[1].order(*id).steps.len());
        let (ran, world) = simulate(&Setup { told: longest, ..Setup::new(seed, 30) });
        assert!(ran.is_ok(), "{ran:?}");
        (world.story, world.counts)
    };
    let (story, counts) = told(11);
    assert!(story.len() > 10, "{story:?}");
    assert_eq!(told(11), (story.clone(), counts));
    assert_ne!(told(12).0, story);
}
