//! The nodes of a case: one of type multi, or those of alice, bob and carol. Made once; each case begins with copies of
//! their homes.

use std::ffi::OsString;
use std::panic::resume_unwind;
use std::time::Duration;

use tempfile::TempDir;

use crate::client::{Cast, Client, Told};
use crate::kit::{Home, copy_tree, pause, token};
use crate::trap::Trap;
use crate::world::{Party, Settings, World};

/// How long after the last answer a node may still come by a point.
const LATE: Duration = Duration::from_secs(3);

/// Which nodes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scene {
    /// One node is all parties.
    One,
    /// One node, which publishes on IPFS.
    Published,
    /// One node, whose seeds are wrapped by a key in a PKCS#11 token, and shredded in the end.
    Token,
    /// Three nodes that call each other.
    Three,
    /// Three nodes; nobody can call the beneficiary's.
    Collected,
}

impl Scene {
    pub const ALL: [Self; 5] = [Self::One, Self::Published, Self::Token, Self::Three, Self::Collected];

    pub fn name(self) -> &'static str {
        match self {
            Self::One => "one node",
            Self::Published => "one node, published",
            Self::Token => "one node, with a token",
            Self::Three => "three nodes",
            Self::Collected => "three nodes, collected",
        }
    }

    /// The names of its nodes.
    pub fn roles(self) -> &'static [&'static str] {
        match self {
            Self::One | Self::Published | Self::Token => &["multi"],
            Self::Three | Self::Collected => &["alice", "bob", "carol"],
        }
    }
}

enum Nodes {
    One(Box<Party>),
    Three(Box<World>),
}

/// The nodes, and their homes as they were before the first order.
pub struct Stage {
    pub scene: Scene,
    nodes: Nodes,
    homes: TempDir,
}

impl Stage {
    pub fn build(scene: Scene) -> Self {
        let nodes = match scene {
            Scene::One | Scene::Published | Scene::Token => Nodes::One(Box::new(one(scene))),
            Scene::Three => Nodes::Three(Box::new(three(&[]))),
            Scene::Collected => Nodes::Three(Box::new(three(&[("bob", "carol")]))),
        };
        let mut stage = Self { scene, nodes, homes: tempfile::tempdir().unwrap() };
        stage.keep();
        stage
    }

    /// From now on cases begin with the homes as they are now.
    pub fn keep(&mut self) {
        self.parties_mut().into_iter().filter(|party| party.is_up()).for_each(Party::stop);
        self.homes = tempfile::tempdir().unwrap();
        for party in self.parties() {
            copy_tree(&party.home.path(), &self.homes.path().join(party.name));
        }
    }

    /// No node runs, and each has the home it had at first.
    pub fn lay(&mut self) {
        self.strike();
        let homes = self.homes.path().to_owned();
        for party in self.parties_mut() {
            party.home.replace_by(&homes.join(party.name));
        }
    }

    /// As [`Stage::lay`]; then all run, each with in its environment what is said for its name.
    pub fn set(&mut self, environment_of: &dyn Fn(&str) -> Vec<(&'static str, OsString)>) {
        self.lay();
        for party in self.parties_mut() {
            party.start_under(&environment_of(party.name));
        }
    }

    /// No node runs.
    pub fn strike(&mut self) {
        self.parties_mut().into_iter().for_each(Party::down);
    }

    pub fn parties(&self) -> Vec<&Party> {
        match &self.nodes {
            Nodes::One(party) => vec![party],
            Nodes::Three(world) => vec![&world.alice, &world.bob, &world.carol],
        }
    }

    pub fn cast(&self) -> Cast {
        let client = |party: &Party| Client::of(party.address.clone());
        let [principal, fiduciary, host] = match &self.nodes {
            Nodes::One(party) => [client(party), client(party), client(party)],
            Nodes::Three(world) => [client(&world.alice), client(&world.bob), client(&world.carol)],
        };
        let apart = matches!(self.nodes, Nodes::Three(_));
        let (collects, shreds) = (self.scene == Scene::Collected, self.scene == Scene::Token);
        Cast { principal, fiduciary, host, apart, collects, shreds }
    }

    /// Plays the whole job, and starts the node of `role` anew where the trap holds it. Says what the clients were told, and
    /// whether the trap held it.
    pub fn play(&mut self, crash: Option<(&str, &Trap)>) -> (Told, bool) {
        let cast = self.cast();
        let job = std::thread::spawn(move || cast.play());
        let mut sprung = false;
        while !job.is_finished() {
            if let Some((role, trap)) = crash
                && trap.is_sprung()
            {
                sprung = true;
                self.again(role);
            }
            pause();
        }
        let told = job.join().unwrap_or_else(|why| resume_unwind(why));
        // It may come by when the clients have heard all.
        if let Some((role, trap)) = crash
            && !sprung
            && trap.springs_within(LATE)
        {
            sprung = true;
            self.again(role);
        }
        (told, sprung)
    }

    /// SIGKILL, and a start as after a power failure.
    fn again(&mut self, role: &str) {
        let party = self.parties_mut().into_iter().find(|party| party.name == role).unwrap();
        party.down();
        party.start();
    }

    pub fn parties_mut(&mut self) -> Vec<&mut Party> {
        match &mut self.nodes {
            Nodes::One(party) => vec![party],
            Nodes::Three(world) => vec![&mut world.alice, &mut world.bob, &mut world.carol],
        }
    }

    /// What the nodes said last.
    pub fn tell(&self) {
        for party in self.parties() {
            let log = std::fs::read_to_string(party.home.log()).unwrap_or_default();
            let lines: Vec<_> = log.lines().rev().take(30).collect();
            eprintln!("== {} {}", party.name, party.cid);
            lines.iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}

/// Checkpoints at a stop alone: by the clock they would come anywhere, or not.
const CHECKPOINTS: &str = "[checkpoints]\nrecords = 4096\nafter_ms = 60000\n";

fn one(scene: Scene) -> Party {
    let ipfs = if scene == Scene::Published { "" } else { "[ipfs]\nconnector = \"none\"\n" };
    let settings = Settings::default().text("multi", "") + ipfs + CHECKPOINTS;
    let mut party = furnished("multi", &settings, Some(scene));
    party.start();
    party
}

fn three(unaddressed: &[(&str, &str)]) -> World {
    let more = format!("[ipfs]\nconnector = \"none\"\n{CHECKPOINTS}");
    let bob = furnished("bob", &(Settings::default().text("fiduciary", "") + &more), Some(Scene::Three));
    let others = Settings::default().text("principal", &bob.cid) + &more;
    let (alice, carol) = (furnished("alice", &others, None), furnished("carol", &others, None));
    let [mut alice, mut bob, mut carol] = [alice, bob, carol];
    for party in [&mut alice, &mut bob, &mut carol] {
        party.start();
    }
    World::of(alice, bob, carol, unaddressed)
}

/// A node with these settings; with a copy of its custody, if it keeps keys, as in this scene.
fn furnished(name: &'static str, settings: &str, custody: Option<Scene>) -> Party {
    let home = Home::empty();
    let copies = "copies = [\"copy\"]\n";
    let seeds = match custody {
        Some(Scene::Token) => token::seeds(copies),
        Some(_) => format!("[[seeds]]\n{copies}"),
        None => String::new(),
    };
    home.settings(&format!("{settings}{seeds}"));
    if custody.is_some() {
        std::fs::create_dir(home.path().join("copy")).unwrap();
    }
    Party::at(name, home)
}
