//! A node is killed at each crash point, each time it comes by it, and started again: the order ends as without the crash.
#![allow(missing_docs, dead_code, clippy::unwrap_used, clippy::panic)]

mod cases;
mod check;
mod client;
mod commands;
#[path = "../kit/mod.rs"]
mod kit;
mod stage;
mod trap;
#[path = "../parties/wire.rs"]
mod wire;
#[path = "../parties/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use cases::Passed;
use commands::Act;
use milagro_dta::crash_points::CrashPoint;
use stage::Scene;

/// What an uninterrupted run of a scene passes; each is recorded once.
fn recorded(scene: Scene) -> &'static BTreeMap<&'static str, Passed> {
    static RECORDED: [OnceLock<BTreeMap<&'static str, Passed>>; 5] = [const { OnceLock::new() }; 5];
    RECORDED[scene as usize].get_or_init(|| cases::record(scene))
}

/// The same of an act.
fn recorded_of(act: Act) -> &'static Passed {
    static RECORDED: [OnceLock<Passed>; 5] = [const { OnceLock::new() }; 5];
    RECORDED[act as usize].get_or_init(|| act.record())
}

/// Points of a process, not of an order: see `commands`.
fn is_of_an_order(point: CrashPoint) -> bool {
    !matches!(point, CrashPoint::StartOpened | CrashPoint::StartServing)
}

#[test]
fn an_uninterrupted_run_passes_every_point() {
    let mut passed = BTreeSet::new();
    for scene in Scene::ALL {
        for (role, points) in recorded(scene) {
            eprintln!("{:<24} {role:<8} {points:?}", scene.name());
            passed.extend(points.keys().copied());
        }
    }
    for act in Act::ALL {
        eprintln!("{act:?} {:?}", recorded_of(act));
        passed.extend(recorded_of(act).keys().copied());
    }
    let dead: Vec<_> = CrashPoint::ALL.iter().filter(|point| !passed.contains(point)).collect();
    assert!(dead.is_empty(), "nothing passes {dead:?}");
}

#[test]
fn one_node() {
    let all = cases::of(recorded(Scene::One), |point, _, _| is_of_an_order(point));
    cases::play(Scene::One, all);
}

/// Read models come forward as on one node, one after the other for each record: some of these many passings stand for all.
#[test]
fn three_nodes() {
    use CrashPoint::{ProjectionBatchWritten, ProjectionBeforeBatch};
    let some = |point, nth: usize, count| match point {
        ProjectionBeforeBatch | ProjectionBatchWritten => nth == count || nth % 9 == 1,
        _ => is_of_an_order(point),
    };
    cases::play(Scene::Three, cases::of(recorded(Scene::Three), some));
}

/// The rest of an order is as without a mirror.
#[test]
fn one_node_that_publishes() {
    let mirrors = |point: CrashPoint| {
        use CrashPoint::{FileRenamed, FileWritten, MirrorBeforePut, MirrorNoted, MirrorPut};
        matches!(point, FileWritten | FileRenamed | MirrorBeforePut | MirrorPut | MirrorNoted)
    };
    // Blocks are many and alike. How many notes of the position are made depends on how they come together: the last of one run
    // may not be in the next.
    let some = |point, nth, count: usize| {
        let fixed = matches!(point, CrashPoint::MirrorBeforePut | CrashPoint::MirrorPut);
        mirrors(point) && (nth == 1 || nth == count.div_ceil(2) || (fixed && nth == count))
    };
    cases::play(Scene::Published, cases::of(recorded(Scene::Published), some));
}

/// Custody at each passing, shredding too; what it does not know of, the first and the last time.
#[test]
fn one_node_with_a_token() {
    use CrashPoint::{SeedCopyWritten, SeedFileMade, SeedMade, SeedSynced};
    let some = |point: CrashPoint, nth, count| {
        let custody = matches!(point, SeedFileMade | SeedMade | SeedCopyWritten | SeedSynced);
        custody || ((nth == 1 || nth == count) && is_of_an_order(point))
    };
    cases::play(Scene::Token, cases::of(recorded(Scene::Token), some));
}

/// The rest of an order is as among nodes that can be called.
#[test]
fn three_nodes_of_which_one_collects() {
    use CrashPoint::{CollectFetched, CollectTaken, DeliveriesAnswering};
    let collects = |point, _, _| matches!(point, CollectFetched | CollectTaken | DeliveriesAnswering);
    cases::play(Scene::Collected, cases::of(recorded(Scene::Collected), collects));
}

#[test]
fn init_rebuild_reindex_start_and_stop() {
    for act in Act::ALL {
        act.crashes(recorded_of(act).clone());
    }
}
