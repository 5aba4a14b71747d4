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
mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use dta_events::record::Aggregate;
use world::{Failure, World};

/// A seed of the short run takes these orders through everything.
const ORDERS: u64 = 300;
const SEEDS: u64 = 4;

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}: {text:?} is no number")))
}

fn simulate(seed: u64, orders: u64, told: Option<Aggregate>) -> (Result<(), Failure>, World) {
    let mut world = World::new(seed, orders, told);
    let ran = catch_unwind(AssertUnwindSafe(|| world.run()));
    let ran = ran.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Failure { order: None, what: format!("panicked: {}", text.unwrap_or_default()) })
    });
    (ran, world)
}

/// Runs a seed; if it fails, once more, to tell the story of the order that went wrong.
fn run(seed: u64, orders: u64) -> BTreeMap<String, u64> {
    let (ran, world) = simulate(seed, orders, None);
    let Err(Failure { order, what }) = ran else { return world.counts };
    let mut story = Vec::new();
    if let Some(order) = order {
        let (again, world) = simulate(seed, orders, Some(order));
        story = world.story;
        if again.is_ok() {
            story.push("and when told again it did not fail: the simulation is not deterministic".to_owned());
        }
    }
    panic!(
        "{}\n\nseed {seed} fails: {what}\nscripts/simulate --seed {seed} --orders {orders}\n",
        story.join("\n")
    );
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
        for (what, times) in run(seed, orders) {
            *counts.entry(what).or_default() += times;
        }
        println!("seed {seed}: {orders} orders, {:.1} s so far", began.elapsed().as_secs_f64());
    }
    for (what, times) in &counts {
        println!("{times:>9}  {what}");
    }
    if first.is_none() {
        // A simulation in which nothing of the kind happens proves nothing.
        for what in ["Received", "Disputed", "Closed", "Committed"] {
            assert!(counts.contains_key(&format!("end: {what}")), "no order ended {what}");
        }
        for what in ["crashes", "cheats", "messages lost"] {
            assert!(counts.contains_key(what), "{what}: none");
        }
    }
}

#[test]
fn a_seed_tells_the_same_story_again() {
    let told = |seed| {
        let id = simulate(seed, 30, None).1.nodes[1].orders().first().copied();
        let (ran, world) = simulate(seed, 30, id);
        assert!(ran.is_ok(), "{ran:?}");
        (world.story, world.counts)
    };
    let (story, counts) = told(11);
    assert!(story.len() > 10, "{story:?}");
    assert_eq!(told(11), (story.clone(), counts));
    assert_ne!(told(12).0, story);
}
