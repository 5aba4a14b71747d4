//! The cases: what an uninterrupted run passes, and then one run for each passing, in which the node is killed there.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use milagro_dta::crash_points::CrashPoint;

use crate::check;
use crate::stage::{Scene, Stage};
use crate::trap::{Trace, Trap};

/// How often each point was passed.
pub type Passed = BTreeMap<CrashPoint, usize>;

/// Stages that are played on at once: a node mostly waits for disks and other nodes.
const STAGES: usize = 3;
/// How often a case is tried whose node did not come by as often as in the run that was recorded: batches vary.
const TRIES: usize = 4;

/// A node killed at one passing of one point.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub role: &'static str,
    pub point: CrashPoint,
    pub nth: usize,
}

/// An uninterrupted run: what each node passed until the order had ended.
pub fn record(scene: Scene) -> BTreeMap<&'static str, Passed> {
    let mut stage = Stage::build(scene);
    let traces: BTreeMap<_, _> = scene.roles().iter().map(|role| (*role, Trace::begin())).collect();
    stage.set(&|role| traces[role].environment());
    let (told, _) = stage.play(None);
    for party in stage.parties() {
        party.caught_up();
    }
    let passed = traces.iter().map(|(role, trace)| (*role, trace.passed())).collect();
    check::ended(&stage, &stage.cast(), &told);
    passed
}

/// A case for each passing that `wanted` chooses of those recorded.
pub fn of(
    recorded: &BTreeMap<&'static str, Passed>,
    wanted: impl Fn(CrashPoint, usize, usize) -> bool,
) -> Vec<Case> {
    let passings = |(role, passed): (&&'static str, &Passed)| {
        let role = *role;
        let of_point = |(point, count): (&CrashPoint, &usize)| {
            let (point, count) = (*point, *count);
            (1..=count).map(move |nth| (Case { role, point, nth }, count))
        };
        passed.iter().flat_map(of_point).collect::<Vec<_>>()
    };
    let all = recorded.iter().flat_map(passings);
    all.filter(|(case, count)| wanted(case.point, case.nth, *count)).map(|(case, _)| case).collect()
}

/// Plays the whole job once for each case, on several stages at once.
pub fn play(scene: Scene, cases: Vec<Case>) {
    let make = || Stage::build(scene);
    run(scene.name(), cases, make, |stage: &mut Stage, case| {
        (1..=TRIES).any(|_| {
            let trap = Trap::set(case.point, case.nth);
            stage.set(&|role| if role == case.role { trap.environment() } else { Vec::new() });
            let played = catch_unwind(AssertUnwindSafe(|| {
                let (told, sprung) = stage.play(Some((case.role, &trap)));
                // What is asked to check it may spring a trap that was not sprung before.
                if sprung {
                    check::ended(stage, &stage.cast(), &told);
                }
                sprung
            }));
            played.unwrap_or_else(|why| {
                stage.tell();
                std::panic::resume_unwind(why)
            })
        })
    });
}

/// Runs cases on several workers, each with something of its own to run them on. A line for each; fails at the end, if any
/// failed or its point was not reached.
pub fn run<S>(
    name: &str,
    cases: Vec<Case>,
    make: impl Fn() -> S + Sync,
    play: impl Fn(&mut S, Case) -> bool + Sync,
) {
    let only = std::env::var("CRASH_CASES").unwrap_or_default();
    let cases: VecDeque<_> = cases.into_iter().filter(|case| case.to_string().contains(&only)).collect();
    let (total, done, failed) = (cases.len(), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let (queue, began) = (Mutex::new(cases), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..STAGES.min(total) {
            scope.spawn(|| {
                let mut on = make();
                loop {
                    let Some(case) = queue.lock().unwrap().pop_front() else { break };
                    let began = Instant::now();
                    let outcome = catch_unwind(AssertUnwindSafe(|| play(&mut on, case)));
                    let said = match &outcome {
                        Ok(true) => "ok",
                        Ok(false) => "NOT REACHED",
                        Err(_) => "FAILED",
                    };
                    let n = done.fetch_add(1, Ordering::Relaxed) + 1;
                    let seconds = began.elapsed().as_secs_f64();
                    let case = case.to_string();
                    eprintln!("{name:<24} {n:>3}/{total:<3} {case:<40} {seconds:>5.1} s  {said}");
                    if !matches!(outcome, Ok(true)) {
                        failed.lock().unwrap().push(format!("{case}: {said}"));
                    }
                }
            });
        }
    });
    eprintln!("{name}: {total} crashes in {:.0} s", began.elapsed().as_secs_f64());
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{name}: {failed:#?}");
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}:{}", self.role, self.point.name(), self.nth)
    }
}
