//! Crashes of what is not an order: `dta init`, `dta projection rebuild`, `dta log reindex`, the start of a node and its stop.

use std::process::{Child, Stdio};
use std::time::Duration;

use milagro_dta::crash_points::CrashPoint;
use rocksdb::{DB, Options};

use crate::cases::{self, Passed};
use crate::check;
use crate::client::Told;
use crate::kit::Home;
use crate::stage::{Scene, Stage};
use crate::trap::{Trace, Trap};
use crate::world::Party;

/// How long a process may take to come by its point.
const WAIT: Duration = Duration::from_secs(60);

/// What is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Init,
    Rebuild,
    Reindex,
    /// Of a node without read models.
    Start,
    Stop,
}

type Surroundings = Vec<(&'static str, std::ffi::OsString)>;

impl Act {
    pub const ALL: [Self; 5] = [Self::Init, Self::Rebuild, Self::Reindex, Self::Start, Self::Stop];

    fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Rebuild => "rebuild",
            Self::Reindex => "reindex",
            Self::Start => "start",
            Self::Stop => "stop",
        }
    }

    /// What an uninterrupted one passes.
    pub fn record(self) -> Passed {
        let (mut props, trace) = (Props::of(self), Trace::begin());
        props.act(self, trace.environment(), None);
        props.check(self);
        trace.passed()
    }

    /// Interrupts it at each point that it passes, each time it passes it.
    pub fn crashes(self, passed: Passed) {
        let all = cases::of(&[(self.name(), passed)].into(), |point, _, _| self.is_its(point));
        cases::run(
            self.name(),
            all,
            || Props::of(self),
            |props, case| {
                let trap = Trap::set(case.point, case.nth);
                let sprung = props.act(self, trap.environment(), Some(&trap));
                props.check(self);
                sprung
            },
        );
    }

    /// A process that stops has started before.
    fn is_its(self, point: CrashPoint) -> bool {
        self != Self::Stop || !matches!(point, CrashPoint::StartOpened | CrashPoint::StartServing)
    }
}

/// A node on which one order has ended, and what was told of it.
struct Props {
    stage: Stage,
    told: Told,
    /// The seed file that an interrupted `dta init` left.
    seed: Option<Vec<u8>>,
}

impl Props {
    fn of(act: Act) -> Self {
        let mut stage = Stage::build(Scene::One);
        stage.set(&|_| Vec::new());
        let (told, _) = stage.play(None);
        if act == Act::Stop {
            // What a stop commits to is still to be said.
            stage.strike();
        }
        stage.keep();
        if act == Act::Init {
            stage.parties_mut().into_iter().for_each(uninitialised);
            stage.keep();
        }
        Self { stage, told, seed: None }
    }

    fn party(&mut self) -> &mut Party {
        self.stage.parties_mut().remove(0)
    }

    /// Does it, until it is done or the trap holds it; then the process is killed. Says whether the trap did.
    fn act(&mut self, act: Act, environment: Surroundings, trap: Option<&Trap>) -> bool {
        self.stage.lay();
        let party = self.party();
        let held = match act {
            Act::Init => command(&party.home, &["init", "--name", "multi"], environment, trap),
            Act::Rebuild => command(&party.home, &["projection", "rebuild"], environment, trap),
            Act::Reindex => command(&party.home, &["log", "reindex"], environment, trap),
            Act::Start => {
                std::fs::remove_dir_all(party.home.path().join("views")).unwrap();
                let starting = party.home.start_under(&environment);
                match trap {
                    Some(trap) => trap.springs_within(WAIT),
                    None => {
                        drop(starting.listens());
                        false
                    }
                }
            }
            Act::Stop => {
                let node = party.home.start_under(&environment).listens();
                node.terminate();
                match trap {
                    Some(trap) => trap.springs_within(WAIT),
                    None => {
                        node.ends_well();
                        false
                    }
                }
            }
        };
        self.seed = std::fs::read(self.party().home.path().join("seed.json")).ok();
        held
    }

    /// What must be so after it, interrupted or not.
    fn check(&mut self, act: Act) {
        let seed = self.seed.take();
        let party = self.party();
        match act {
            Act::Init => {
                let again = party.home.run(&["init", "--name", "multi"]);
                let said = String::from_utf8_lossy(&again.stderr).into_owned();
                assert!(again.status.success() || said.contains("holds a node already"), "{said}");
                if let Some(seed) = seed {
                    assert_eq!(std::fs::read(party.home.path().join("seed.json")).unwrap(), seed);
                }
                party.start();
                let (told, _) = self.stage.play(None);
                check::ended(&self.stage, &self.stage.cast(), &told);
                return;
            }
            Act::Rebuild => {
                // The former one or the new one, whole.
                party.home.must(&["projection", "verify"]);
                party.home.must(&["projection", "rebuild"]);
            }
            Act::Reindex => {
                // It may not have begun, or be done.
                if !party.home.run(&["log", "verify"]).status.success() {
                    let refused = party.home.must_fail(&["daemon", "--listen", "127.0.0.1:0"]);
                    assert!(refused.contains("dta log reindex"), "{refused}");
                    party.home.must(&["log", "reindex"]);
                }
            }
            Act::Start | Act::Stop => {}
        }
        party.start();
        check::ended(&self.stage, &self.stage.cast(), &self.told);
        let party = self.party();
        let views = party.home.path().join("views");
        let families = DB::list_cf(&Options::default(), views).unwrap();
        // Two of the database's own, and one for each: no generation is left behind.
        assert_eq!(families.len(), 2 + dta_projections::all().len(), "{families:?}");
        self.stage.strike();
    }
}

/// Runs `dta` until it ends or the trap holds it, then kills it.
fn command(home: &Home, arguments: &[&str], environment: Surroundings, trap: Option<&Trap>) -> bool {
    let mut command = home.command(arguments);
    command.envs(environment).stdout(Stdio::null()).stderr(Stdio::null());
    let mut process = command.spawn().unwrap();
    match trap {
        Some(trap) => {
            let held = trap.springs_within(WAIT);
            kill(process);
            held
        }
        None => {
            assert!(process.wait().unwrap().success(), "{arguments:?}");
            false
        }
    }
}

fn kill(mut process: Child) {
    process.kill().unwrap();
    process.wait().unwrap();
}

/// Takes from a home all but its settings.
fn uninitialised(party: &mut Party) {
    let home = party.home.path();
    for entry in std::fs::read_dir(&home).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        } else if path.file_name().unwrap() != "config.toml" {
            std::fs::remove_file(path).unwrap();
        }
    }
    std::fs::create_dir(home.join("copy")).unwrap();
}
