//! The world of a seed: five nodes, their clients, a network that loses, doubles, delays and reorders, clocks that jump,
//! nodes that die at any append. One queue of what happens when; chance alone decides.

mod clients;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dta_events::order::{
    Command, Delivery, DisputeCode, Event, Order, Outcome, Parties, Party, Stage, StepFacts, Terms, Verdict,
};
use dta_events::record::Aggregate;
use dta_protocol::Cid;
use milagro_dta::actors::log::memory::Fault;

use crate::audit::Audit;
use crate::chance::Chance;
use crate::mallory::cheat;
use crate::node::{GIVE_UP_AFTER_MS, Hands, Node, Stop};
use crate::paper::{Cast, Packet, person};
use crate::party::Flaw;

pub const EPOCH_MS: u64 = 1_790_000_000_000;
/// The node whose owner cheats.
pub const MALLORY: usize = 4;
const TICK_MS: u64 = 1_000;
const CALL_TIMEOUT_MS: u64 = 25_000;
/// Orders attended in one look, as of the timers.
const AT_ONCE: usize = 64;
/// How long clients act and faults happen; then all is well for so long, and everything must end.
const ROUGH_MS: u64 = 240_000;
const CALM_MS: u64 = 1_200_000;

/// What broke, and in which order.
#[derive(Debug)]
pub struct Failure {
    pub order: Option<Aggregate>,
    pub what: String,
}

/// All that a run follows from.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub seed: u64,
    pub orders: u64,
    /// The order whose story is told.
    pub told: Option<Aggregate>,
    /// What honest nodes are made to do wrong.
    pub flaw: Flaw,
    /// The one append that fails: on which node, which of its appends, and how.
    pub fails: Option<(usize, u64, Fault)>,
}

impl Setup {
    pub fn new(seed: u64, orders: u64) -> Self {
        Self { seed, orders, told: None, flaw: Flaw::None, fails: None }
    }
}

/// What may happen in a world.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    pub lose_one_in: u64,
    pub double_one_in: u64,
    pub late_one_in: u64,
    pub crash_one_in: u64,
    pub jump_every_ms: u64,
    pub cheat_every_ms: u64,
}

#[derive(Clone, Debug)]
enum Act {
    Place { reference: String, parties: Parties, terms: Terms },
    Redeem(Cid),
    Cancel,
    Dispute,
    Retry,
}

enum What {
    Call {
        id: u64,
        from: usize,
        to: usize,
        packet: Packet,
    },
    Answer {
        id: u64,
        to: usize,
        result: Result<Packet, Option<String>>,
    },
    /// What a node that cannot be called is given when it asks.
    Page {
        to: usize,
        from: usize,
        order: Aggregate,
        delivery: Delivery,
        packet: Packet,
    },
    Timeout {
        id: u64,
    },
    Tick(usize),
    Start(usize),
    Jump(usize),
    Client {
        node: usize,
        order: Aggregate,
        act: Act,
    },
    Collect(usize),
    Cheat,
    Calm,
}

struct Call {
    node: usize,
    order: Aggregate,
    delivery: Delivery,
}

#[derive(Clone, Copy, Default)]
struct Pause {
    until_ms: u64,
    length_ms: u64,
}

pub struct World {
    pub nodes: Vec<Node>,
    pub cast: Arc<Cast>,
    pub audit: Audit,
    pub counts: BTreeMap<String, u64>,
    chance: Chance,
    weather: Weather,
    queue: BTreeMap<(u64, u64), What>,
    now_ms: u64,
    made: u64,
    skew_ms: Vec<i64>,
    /// Whom a node can call; the others fetch.
    urls: BTreeSet<(usize, usize)>,
    calls: BTreeMap<u64, Call>,
    busy: BTreeSet<(usize, Aggregate)>,
    pauses: BTreeMap<(usize, Aggregate), Pause>,
    /// What each node fetched, to be acknowledged when it fetches on.
    fetched: BTreeMap<usize, Vec<(usize, Aggregate, Delivery)>>,
    seen: Vec<Packet>,
    calm: bool,
    /// The order whose story is told.
    told: Option<Aggregate>,
    pub story: Vec<String>,
}

impl World {
    pub fn new(setup: &Setup) -> Self {
        let Setup { seed, orders, told, flaw, fails } = *setup;
        let mut chance = Chance::new(seed);
        let cast = Arc::new(Cast::new(&[
            &["alice", "ann"],
            &["bob", "ben"],
            &["carol"],
            &["sol", "sue"],
            &["mallory", "moll"],
        ]));
        let mut weather = Weather {
            lose_one_in: chance.pick(&[5, 10, 30, 1_000]),
            double_one_in: chance.pick(&[4, 20, 1_000]),
            late_one_in: chance.pick(&[8, 40, 1_000]),
            crash_one_in: chance.pick(&[30, 100, 400, 0]),
            jump_every_ms: chance.pick(&[15_000, 60_000, u64::MAX]),
            cheat_every_ms: chance.pick(&[60, 200, 1_000]),
        };
        if fails.is_some() {
            // One append fails, and no other.
            (weather.crash_one_in, weather.jump_every_ms, weather.cheat_every_ms) = (0, u64::MAX, 10_000);
        }
        let hands = Hands { wall_ms: EPOCH_MS, monotonic_ms: 0 };
        let mut nodes: Vec<Node> =
            (0..cast.len()).map(|index| Node::new(index, &cast, hands, &mut chance)).collect();
        let mut urls = BTreeSet::new();
        for node in &mut nodes {
            for other in 0..cast.len() {
                // Pinned: the other's document is here, and steps that begin orders are taken from it.
                node.knows.insert(cast.node(other));
                if other == node.index || !chance.one_in(12) {
                    node.trusts.insert(cast.node(other));
                }
                if !chance.one_in(8) {
                    urls.insert((node.index, other));
                }
            }
            node.crash_one_in = weather.crash_one_in;
            node.flaw = flaw;
        }
        nodes[MALLORY].flaw = chance.pick(&[Flaw::None, Flaw::Disputes]);
        if let Some((node, nth, how)) = fails {
            nodes[node].fails = Some((nth, how));
        }
        for (name, home) in [("ann", 0), ("ben", 1), ("sue", 3), ("moll", 4)] {
            nodes[home].knows.insert(person(name));
        }
        let mut world = Self {
            audit: Audit::new(cast.clone()),
            nodes,
            cast,
            counts: BTreeMap::new(),
            chance,
            weather,
            queue: BTreeMap::new(),
            now_ms: 0,
            made: 0,
            skew_ms: vec![0; 5],
            urls,
            calls: BTreeMap::new(),
            busy: BTreeSet::new(),
            pauses: BTreeMap::new(),
            fetched: BTreeMap::new(),
            seen: Vec::new(),
            calm: false,
            told,
            story: Vec::new(),
        };
        world.tell(None, || format!("{weather:?}"));
        world.plan(orders);
        world
    }

    fn at(&mut self, at_ms: u64, what: What) {
        self.made += 1;
        self.queue.insert((at_ms, self.made), what);
    }

    fn after(&mut self, in_ms: u64, what: What) {
        self.at(self.now_ms.saturating_add(in_ms), what);
    }

    fn count(&mut self, what: &str) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
    }

    fn tell(&mut self, order: Option<Aggregate>, line: impl FnOnce() -> String) {
        if self.told.is_some() && (order.is_none() || order == self.told) {
            self.story.push(format!("{:>9} ms  {}", self.now_ms, line()));
        }
    }

    /// Everything that happens, to the end.
    pub fn run(&mut self) -> Result<(), Failure> {
        while let Some(((at_ms, _), what)) = self.queue.pop_first() {
            if at_ms > ROUGH_MS + CALM_MS {
                break;
            }
            self.now_ms = at_ms;
            for (node, skew) in self.nodes.iter_mut().zip(&self.skew_ms) {
                node.hands =
                    Hands { wall_ms: (EPOCH_MS + at_ms).saturating_add_signed(*skew), monotonic_ms: at_ms };
            }
            self.happen(what)?;
        }
        self.end()
    }

    fn happen(&mut self, what: What) -> Result<(), Failure> {
        match what {
            What::Tick(node) => {
                self.after(if self.calm { 5 * TICK_MS } else { TICK_MS }, What::Tick(node));
                if self.nodes[node].up {
                    self.tick(node)?;
                }
            }
            What::Client { node, order, act } => {
                if self.nodes[node].up {
                    self.client(node, order, &act)?;
                } else if matches!(act, Act::Place { .. }) {
                    self.after(3_000, What::Client { node, order, act });
                }
            }
            What::Call { id, from, to, packet } => {
                if self.nodes[to].up {
                    self.serve(id, from, to, packet)?;
                }
            }
            What::Answer { id, to, result } => {
                if let Some(call) = self.calls.remove(&id) {
                    debug_assert_eq!(call.node, to);
                    self.busy.remove(&(call.node, call.order));
                    self.answered(call, result)?;
                }
            }
            What::Timeout { id } => {
                if let Some(call) = self.calls.remove(&id) {
                    self.busy.remove(&(call.node, call.order));
                    self.not_now(call.node, call.order, &call.delivery)?;
                }
            }
            What::Start(node) => {
                self.count("starts");
                self.nodes[node].start().map_err(|what| Failure { order: None, what })?;
                self.tell(None, || format!("node {node} starts"));
            }
            What::Jump(node) => {
                if !self.calm {
                    let jumps = [0, 0, 1_500, -1_500, 30_000, -30_000, 290_000, -290_000, 400_000, -400_000];
                    self.skew_ms[node] = self.chance.pick(&jumps);
                    let skew = self.skew_ms[node];
                    self.count("clocks jump");
                    self.tell(None, || format!("node {node}: its clock is {skew} ms off"));
                    let next = self.chance.below(2 * self.weather.jump_every_ms);
                    self.after(next, What::Jump(node));
                }
            }
            What::Collect(node) => {
                self.after(if self.calm { 120_000 } else { 20_000 }, What::Collect(node));
                if self.nodes[node].up {
                    self.collect(node)?;
                }
            }
            What::Page { to, from, order, delivery, packet } => {
                if self.nodes[to].up {
                    let about = self.nodes[to].order_of(&packet);
                    let taken = about.map(|about| self.nodes[to].take(about, &packet));
                    self.tell(Some(order), || format!("node {to} fetched from {from}: {taken:?}"));
                    match taken {
                        Some(Err(Stop::Crashed)) => self.crashed(to)?,
                        Some(Ok(())) => {
                            self.fetched.entry(to).or_default().push((from, order, delivery));
                        }
                        _ => {}
                    }
                    self.look(to)?;
                    if let Some(about) = about {
                        self.bring(to, about, true)?;
                    }
                }
            }
            What::Cheat => {
                if !self.calm {
                    self.cheat();
                    let next = 1 + self.chance.below(2 * self.weather.cheat_every_ms);
                    self.after(next, What::Cheat);
                }
            }
            What::Calm => {
                self.tell(None, || "faults stop".to_owned());
                self.calm = true;
                // And people have pinned where the others serve.
                let all = 0..self.nodes.len();
                self.urls.extend(all.clone().flat_map(|node| all.clone().map(move |other| (node, other))));
                self.skew_ms.fill(0);
                for node in &mut self.nodes {
                    node.crash_one_in = 0;
                }
                self.weather = Weather {
                    lose_one_in: u64::MAX,
                    double_one_in: u64::MAX,
                    late_one_in: u64::MAX,
                    crash_one_in: 0,
                    ..self.weather
                };
            }
        }
        Ok(())
    }

    /// What the timers do.
    fn tick(&mut self, node: usize) -> Result<(), Failure> {
        self.nodes[node].look_at_clock();
        let paused = self.pauses.range((node, FIRST)..).take_while(|((at, _), _)| *at == node).count();
        let orders = self.nodes[node].due(AT_ONCE + paused);
        for order in orders {
            let pause = self.pauses.get(&(node, order)).copied().unwrap_or_default();
            if pause.until_ms > self.now_ms || !self.nodes[node].up {
                continue;
            }
            self.then(node, order, |node| node.follow(order))?.ok();
            self.pause(node, order);
            self.bring(node, order, false)?;
        }
        // In calm weather people have tried again what was given up.
        if self.calm && self.chance.one_in(8) {
            for order in self.nodes[node].orders() {
                if self.nodes[node].up && self.nodes[node].order(order).stalled().next().is_some() {
                    self.client(node, order, &Act::Retry)?;
                }
            }
        }
        Ok(())
    }

    fn pause(&mut self, node: usize, order: Aggregate) {
        let pause = self.pauses.entry((node, order)).or_default();
        pause.length_ms = (pause.length_ms * 2).clamp(1_000, 30_000);
        pause.until_ms = self.now_ms + pause.length_ms;
    }

    /// Does something on a node; if it dies of it, it starts again later.
    fn then<T>(
        &mut self,
        node: usize,
        order: Aggregate,
        what: impl FnOnce(&mut Node) -> Result<T, Stop>,
    ) -> Result<Result<T, Stop>, Failure> {
        let done = what(&mut self.nodes[node]);
        let stop = done.as_ref().err().cloned();
        if stop == Some(Stop::Crashed) {
            self.tell(Some(order), || format!("node {node} dies"));
            self.crashed(node)?;
        }
        self.look(node)?;
        Ok(done)
    }

    fn crashed(&mut self, node: usize) -> Result<(), Failure> {
        self.count("crashes");
        if let Some((command, how)) = self.nodes[node].died_of.take() {
            self.count(&format!("append {how:?}: {command}"));
        }
        let lost: Vec<u64> =
            self.calls.iter().filter(|(_, call)| call.node == node).map(|(id, _)| *id).collect();
        for id in lost {
            self.calls.remove(&id);
        }
        self.busy.retain(|(at, _)| *at != node);
        self.pauses.retain(|(at, _), _| *at != node);
        self.fetched.remove(&node);
        let in_ms = self.chance.pick(&[1, 500, 5_000, 30_000]);
        self.after(in_ms, What::Start(node));
        Ok(())
    }

    /// Holds what was appended to the rules of the whole.
    fn look(&mut self, node: usize) -> Result<(), Failure> {
        for (order, event) in std::mem::take(&mut self.nodes[node].appended) {
            self.tell(Some(order), || format!("node {node} appends {event:?}"));
            match &event {
                Event::StepAppended(appended) => {
                    let what = match appended.step.facts {
                        StepFacts::Closed { code } => format!("closed: {}", code.as_str()),
                        ref facts => facts.kind().as_str().to_owned(),
                    };
                    self.count(&format!("step: {what}"));
                    if self.nodes[node].up && self.nodes[node].order(order).stage == Stage::Withdrawn {
                        self.count("step: withdrawal");
                    }
                }
                other => {
                    let name = other.to_stored().expect("an event is small").name;
                    self.count(&format!("event: {name}"));
                }
            }
            if node != MALLORY {
                let looked = self.audit.look(&mut self.nodes[node], order, &event);
                looked.map_err(|what| Failure { order: Some(order), what })?;
            }
        }
        Ok(())
    }

    /// Once faults have stopped and time has passed, what can end has ended and honest parties agree.
    fn end(&mut self) -> Result<(), Failure> {
        let mut orders = BTreeSet::new();
        for node in &mut self.nodes {
            orders.extend(node.orders());
            let name = node.index;
            node.verify().map_err(|what| Failure { order: None, what: format!("node {name}: {what}") })?;
        }
        self.count("seeds");
        for order in orders {
            let states: Vec<Order> = self.nodes.iter_mut().map(|node| node.order(order).clone()).collect();
            let wall_ms = EPOCH_MS + self.now_ms;
            let trusts: Vec<&BTreeSet<Cid>> = self.nodes.iter().map(|node| &node.trusts).collect();
            let ended = self.audit.ended(&states, &trusts, wall_ms);
            let end = ended.map_err(|what| Failure { order: Some(order), what })?;
            self.count("orders");
            self.count(&format!("end: {end}"));
        }
        Ok(())
    }
}

const FIRST: Aggregate = Aggregate { kind: dta_events::record::AggregateKind::Node, id: [0; 32] };
