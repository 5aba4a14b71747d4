//! The world of a seed: five nodes, their clients, a network that loses, doubles, delays and reorders, clocks that jump,
//! nodes that die at any append. One queue of what happens when; chance alone decides.

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

    fn plan(&mut self, orders: u64) {
        for _ in 0..orders {
            self.plan_order();
        }
        for node in 0..self.nodes.len() {
            let at_ms = self.chance.below(TICK_MS);
            self.at(at_ms, What::Tick(node));
            self.at(20_000, What::Collect(node));
            if self.weather.jump_every_ms < ROUGH_MS {
                let at_ms = self.chance.below(self.weather.jump_every_ms);
                self.at(at_ms, What::Jump(node));
            }
        }
        self.at(1, What::Cheat);
        self.at(ROUGH_MS, What::Calm);
    }

    /// One order, and all that its clients will ask of it.
    fn plan_order(&mut self) {
        let chance = &mut self.chance;
        // Most of them of honest parties on three nodes; some all on one node, some with a cheat in some role.
        let principal = chance.pick(&["alice", "alice", "alice", "alice", "sol", "bob", "mallory"]);
        let fiduciary = match principal {
            "sol" => chance.pick(&["sol", "sol", "bob"]),
            "bob" => chance.pick(&["bob", "bob", "sol"]),
            _ => chance.pick(&["bob", "bob", "bob", "bob", "bob", "sol", "mallory"]),
        };
        let whom = ["carol", "carol", "carol", "carol", "ann", "ben", "sue", "moll", "alice", "bob"];
        let beneficiary = person(chance.pick(&whom));
        let early = chance.one_in(2).then_some(beneficiary);
        let begins_ms = chance.below(ROUGH_MS * 3 / 4);
        let wall_ms = EPOCH_MS + begins_ms;
        let not_before_ms = if chance.one_in(4) { wall_ms + chance.below(60_000) } else { 0 };
        let expires_at_ms = if chance.one_in(3) { wall_ms + 1 + chance.below(120_000) } else { 0 };
        let retention_ms = if chance.one_in(3) { 1 + chance.below(60_000) } else { 0 };
        let terms = Terms { not_before_ms, expires_at_ms, retention_ms };
        let reference = format!("order-{:016x}", chance.number());
        let parties =
            Parties { principal: person(principal), fiduciary: person(fiduciary), beneficiary: early };
        let node = self.cast.home(&parties.principal).expect("everybody lives somewhere");
        let order = dta_events::ids::order_aggregate(&parties.principal, &reference);
        let act = |at_ms: u64, node: usize, act: Act, world: &mut Self| {
            world.at(at_ms, What::Client { node, order, act });
        };
        act(begins_ms, node, Act::Place { reference, parties, terms }, self);
        let redeems = self.chance.below(4);
        for _ in 0..redeems {
            let at_ms = begins_ms + self.chance.below(90_000);
            let whom = if self.chance.one_in(12) { person(self.chance.pick(&whom)) } else { beneficiary };
            act(at_ms, node, Act::Redeem(whom), self);
        }
        if self.chance.one_in(4) {
            // Some before the fiduciary can have answered.
            let soon_ms = self.chance.pick(&[500, 60_000]);
            act(begins_ms + self.chance.below(soon_ms), node, Act::Cancel, self);
        }
        if self.chance.one_in(8) {
            let home = self.cast.home(&beneficiary).expect("everybody lives somewhere");
            act(begins_ms + self.chance.below(90_000), home, Act::Dispute, self);
        }
        if self.chance.one_in(4) {
            act(begins_ms + self.chance.below(ROUGH_MS), node, Act::Retry, self);
        }
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

    fn client(&mut self, node: usize, order: Aggregate, act: &Act) -> Result<(), Failure> {
        let before = self.nodes[node].order(order).clone();
        if before.placed().is_none() && !matches!(act, Act::Place { .. }) {
            return Ok(());
        }
        let command = match act {
            Act::Place { reference, parties, terms } => Command::Place {
                reference: reference.clone(),
                parties: parties.clone(),
                plugin: "milagro".to_owned(),
                coin: 0,
                terms: terms.clone(),
            },
            // Its beneficiary's node fetches; asking is the principal's.
            Act::Redeem(_) if !before.hosts(Party::Principal) => return Ok(()),
            Act::Redeem(beneficiary) => Command::RequestRedemption { beneficiary: *beneficiary },
            Act::Cancel => Command::RequestCancellation { detail: "changed my mind".to_owned() },
            Act::Dispute => {
                let held = before.secret.is_some_and(|secret| !secret.ended);
                let waits = held && before.stage == Stage::Released && before.hosts(Party::Beneficiary);
                let look = |node: &mut Node| node.ask(order, |here, order| here.verdict(order));
                match waits.then(|| look(&mut self.nodes[node])) {
                    // There is nothing to dispute.
                    Some(Verdict::Genuine) => return Ok(()),
                    Some(verdict) => Command::Acknowledge(verdict),
                    None => Command::Acknowledge(Verdict::Disputed(DisputeCode::CannotOpen)),
                }
            }
            Act::Retry => Command::Resume,
        };
        let done = self.then(node, order, |node| {
            node.run(order, "local", &command, None, None).and_then(|()| node.follow(order))
        })?;
        self.tell(Some(order), || format!("a client of node {node} asks {}: {done:?}", command.name()));
        if let Err(Stop::Rejected(rejection)) = &done {
            self.count(&format!("client refused: {}", rejection.code()));
        }
        if let (Err(Stop::Crashed), Act::Place { .. }) = (&done, act) {
            // It asks again; the same key of the request would give the same order.
            self.after(31_000, What::Client { node, order, act: act.clone() });
        }
        self.bring(node, order, true)
    }

    /// Brings what an order has to the next party: one call at a time.
    fn bring(&mut self, node: usize, order: Aggregate, pressing: bool) -> Result<(), Failure> {
        loop {
            if self.busy.contains(&(node, order)) || !self.nodes[node].up {
                return Ok(());
            }
            let Some((delivery, to, mut packet)) = self.nodes[node].pack(order, None) else {
                return Ok(());
            };
            if !self.urls.contains(&(node, to)) {
                let command = delivery.ended(Outcome::Unaddressed);
                if self.then(node, order, |node| node.settle(order, &command))?.is_err() {
                    return Ok(());
                }
                continue;
            }
            if !pressing {
                self.pause(node, order);
            }
            self.made += 1;
            let id = self.made;
            if node == MALLORY && !self.calm && self.chance.one_in(2) {
                cheat(&mut self.chance, &self.cast, node, &mut packet);
            }
            self.tell(Some(order), || {
                format!("call {id}: node {node} brings {:?} to node {to}", delivery.kind)
            });
            self.leaves(node, to, &packet)?;
            self.calls.insert(id, Call { node, order, delivery });
            self.busy.insert((node, order));
            self.after(CALL_TIMEOUT_MS, What::Timeout { id });
            for in_ms in self.ways() {
                self.after(in_ms, What::Call { id, from: node, to, packet: packet.clone() });
            }
            return Ok(());
        }
    }

    /// How long each copy of a message takes; none: it is lost.
    fn ways(&mut self) -> Vec<u64> {
        let mut ways = Vec::new();
        let copies = 1 + u64::from(self.chance.one_in(self.weather.double_one_in));
        if copies > 1 {
            self.count("messages doubled");
        }
        for _ in 0..copies {
            if self.chance.one_in(self.weather.lose_one_in) {
                self.count("messages lost");
                continue;
            }
            let late = self.chance.one_in(self.weather.late_one_in);
            if late {
                self.count("messages late");
            }
            ways.push(1 + self.chance.below(if late { 60_000 } else { 1_000 }));
        }
        ways
    }

    /// Nothing leaves an honest node before it is in its log, and no secret but to its beneficiary.
    fn leaves(&mut self, node: usize, to: usize, packet: &Packet) -> Result<(), Failure> {
        self.count("messages");
        if self.seen.len() < 256 {
            self.seen.push(packet.clone());
        } else {
            let at = self.chance.below(256) as usize;
            self.seen[at] = packet.clone();
        }
        if node == MALLORY {
            return Ok(());
        }
        let looked = self.audit.leaves(&self.nodes[node], to, packet);
        looked.map_err(|what| Failure { order: self.nodes[node].order_of(packet), what })
    }

    fn serve(&mut self, id: u64, from: usize, to: usize, packet: Packet) -> Result<(), Failure> {
        let Some(order) = self.nodes[to].order_of(&packet) else {
            return self.answer(id, from, Err(None));
        };
        let done = self.then(to, order, |node| node.arrive(&packet))?;
        self.tell(Some(order), || {
            let kinds = |packet: &Packet| {
                packet.steps.iter().map(|step| step.statement.facts.kind()).collect::<Vec<_>>()
            };
            let done = done.as_ref().map(kinds);
            format!("call {id}: node {to} is brought {:?} by node {from}: {done:?}", kinds(&packet))
        });
        let result = match done {
            Err(Stop::Crashed) => return Ok(()),
            Ok(answer) if answer.steps.is_empty() => Err(None),
            Ok(mut answer) => {
                if to == MALLORY && !self.calm && self.chance.one_in(2) {
                    cheat(&mut self.chance, &self.cast, to, &mut answer);
                }
                self.leaves(to, from, &answer)?;
                Ok(answer)
            }
            Err(stop) => {
                if let Stop::Rejected(rejection) = &stop {
                    self.count(&format!("refused: {}", rejection.code()));
                }
                Err(stop.final_code())
            }
        };
        self.answer(id, from, result)?;
        self.bring(to, order, true)
    }

    fn answer(
        &mut self,
        id: u64,
        caller: usize,
        result: Result<Packet, Option<String>>,
    ) -> Result<(), Failure> {
        for in_ms in self.ways() {
            self.after(in_ms, What::Answer { id, to: caller, result: result.clone() });
        }
        Ok(())
    }

    fn answered(&mut self, call: Call, result: Result<Packet, Option<String>>) -> Result<(), Failure> {
        let Call { node, order, delivery } = call;
        match result {
            Ok(packet) => {
                let taken = self.then(node, order, |node| {
                    node.take(order, &packet)?;
                    node.answered(order, &delivery)
                })?;
                self.tell(Some(order), || format!("node {node} takes the answer: {taken:?}"));
                match taken {
                    Ok(true) => self.bring(node, order, true),
                    Err(Stop::Crashed) => Ok(()),
                    Ok(false) | Err(_) => self.not_now(node, order, &delivery),
                }
            }
            Err(None) => self.not_now(node, order, &delivery),
            Err(Some(code)) => {
                self.tell(Some(order), || format!("node {node} is refused: {code}"));
                self.count(&format!("delivery refused: {code}"));
                let command = delivery.refused(code);
                self.then(node, order, |node| node.settle(order, &command))?.ok();
                self.bring(node, order, true)
            }
        }
    }

    /// It is tried again, unless that has been done for long enough.
    fn not_now(&mut self, node: usize, order: Aggregate, delivery: &Delivery) -> Result<(), Failure> {
        if delivery.is_given_up(self.nodes[node].hands.wall_ms, GIVE_UP_AFTER_MS) {
            let command = delivery.ended(Outcome::Stalled);
            self.then(node, order, |node| node.settle(order, &command))?.ok();
        }
        self.pause(node, order);
        Ok(())
    }

    /// A node fetches what the others have for it.
    fn collect(&mut self, node: usize) -> Result<(), Failure> {
        let acknowledged = self.fetched.remove(&node).unwrap_or_default();
        for (from, order, delivery) in acknowledged {
            // A principal that fetches on has what it fetched. A release is answered by its beneficiary.
            if delivery.to == Party::Principal && self.nodes[from].up {
                let command = delivery.ended(Outcome::Delivered);
                self.then(from, order, |node| node.settle(order, &command))?.ok();
            }
        }
        for from in (0..self.nodes.len()).filter(|from| *from != node) {
            // Mostly from those that cannot call.
            if !self.nodes[from].up || self.urls.contains(&(from, node)) && !self.chance.one_in(8) {
                continue;
            }
            for order in self.nodes[from].orders() {
                let state = self.nodes[from].order(order);
                let outstanding = state.outbox().into_iter().chain(state.stalled().map(|(it, _)| it));
                let parties: Vec<Party> = outstanding.map(|delivery| delivery.to).collect();
                for party in parties {
                    let Some((delivery, home, packet)) = self.nodes[from].pack(order, Some(party)) else {
                        continue;
                    };
                    if home != node {
                        continue;
                    }
                    self.leaves(from, node, &packet)?;
                    for in_ms in self.ways() {
                        let (delivery, packet) = (delivery.clone(), packet.clone());
                        self.after(in_ms, What::Page { to: node, from, order, delivery, packet });
                    }
                }
            }
        }
        Ok(())
    }

    /// Mallory sends somebody something that she has seen, as it was or not.
    fn cheat(&mut self) {
        if self.seen.is_empty() {
            return;
        }
        let mut packet = self.chance.pick(&self.seen);
        cheat(&mut self.chance, &self.cast, MALLORY, &mut packet);
        let to = self.chance.below(MALLORY as u64) as usize;
        if self.chance.one_in(3) {
            packet.to = self.cast.node(to);
        }
        if self.chance.one_in(3) {
            packet.introduces = vec![person("mallory"), person("moll"), person("carol"), person("nobody")];
        }
        self.count("cheats");
        for in_ms in self.ways() {
            self.after(in_ms, What::Call { id: 0, from: MALLORY, to, packet: packet.clone() });
        }
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
