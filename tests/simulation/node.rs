//! A node of the simulation: orders over the real log in memory. Every append may fail, lost or persisted: then the node is
//! dead until it starts again and reads its orders from the log, which must say what was acknowledged and no more.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dta_events::codec;
use dta_events::ids::secret_claim;
use dta_events::order::{Answered, Command, Delivery, Event, Order, Party, Rejection, StepFacts};
use dta_events::record::{Aggregate, Effect};
use dta_events::{Rules, replay_order};
use dta_protocol::Cid;
use milagro_dta::actors::clock_watch::ClockWatch;
use milagro_dta::actors::log::memory::{Fault, MemoryLog, MemoryStore};
use milagro_dta::actors::log::{Append, Block, BlockClass, EventLog, LogReader, NotWritten, StoredBlock};
use milagro_dta::ports::Clock;

use crate::chance::Chance;
use crate::paper::{Cast, Envelope, Packet};
use crate::party::{Flaw, Here, Judged};

/// A delivery is given up after this time of trying.
pub const GIVE_UP_AFTER_MS: u64 = 60_000;
/// A clock is trusted after this long in step.
pub const STEADY_MS: u64 = 10_000;

/// The two clocks of a node, as the world sets them.
#[derive(Clone, Copy, Default)]
pub struct Hands {
    pub wall_ms: u64,
    pub monotonic_ms: u64,
}

impl Clock for Hands {
    fn wall_ms(&self) -> u64 {
        self.wall_ms
    }

    fn monotonic_ms(&self) -> u64 {
        self.monotonic_ms
    }
}

/// Why a command has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The write failed: the node is dead.
    Crashed,
    Outsider,
    Rejected(Rejection),
}

impl Stop {
    /// What the other node is answered: none, if the call is to be made again. As api/refusal.rs and
    /// actors/peers/client.rs say.
    pub fn final_code(&self) -> Option<String> {
        match self {
            Stop::Crashed | Stop::Outsider => None,
            Stop::Rejected(
                Rejection::UnknownOrder
                | Rejection::ClockUntrusted
                | Rejection::IssuedInFuture
                | Rejection::NotAsPrepared,
            ) => None,
            Stop::Rejected(rejection) => Some(rejection.code().to_owned()),
        }
    }
}

struct Loaded {
    order: Order,
    version: u64,
}

pub struct Node {
    pub index: usize,
    pub cast: Arc<Cast>,
    /// Documents and pins: on the disk, learned with the steps that need them.
    pub knows: BTreeSet<Cid>,
    pub trusts: BTreeSet<Cid>,
    /// Custody, a store of its own: one secret an order.
    pub seeds: RefCell<BTreeMap<Cid, [u8; 32]>>,
    pub hands: Hands,
    watch: ClockWatch,
    store: MemoryStore,
    log: MemoryLog,
    orders: BTreeMap<Aggregate, Loaded>,
    chance: RefCell<Chance>,
    /// What it is made to do wrong.
    pub flaw: Flaw,
    /// One append in so many fails; 0: none.
    pub crash_one_in: u64,
    /// This append fails, and how.
    pub fails: Option<(u64, Fault)>,
    pub up: bool,
    /// An append under way when the node died: what the order was, what it was to become, and whether it was stored.
    broken: Option<(Aggregate, Order, Order, Fault)>,
    /// What it died of: the command, and how its append failed.
    pub died_of: Option<(&'static str, Fault)>,
    /// What was appended since the world last looked.
    pub appended: Vec<(Aggregate, Event)>,
    /// Records ever appended.
    pub appends: u64,
}

impl Node {
    pub fn new(index: usize, cast: &Arc<Cast>, hands: Hands, chance: &mut Chance) -> Self {
        let store = MemoryStore::default();
        let mut own = chance.branch();
        let log = MemoryLog::create(store.clone(), Arc::new(Rules), entropy(&mut own)).expect("a new log");
        Self {
            index,
            cast: cast.clone(),
            knows: BTreeSet::new(),
            trusts: BTreeSet::new(),
            seeds: RefCell::default(),
            hands,
            watch: ClockWatch::new(&hands, STEADY_MS),
            store,
            log,
            orders: BTreeMap::new(),
            chance: RefCell::new(own),
            flaw: Flaw::None,
            crash_one_in: 0,
            fails: None,
            up: true,
            broken: None,
            died_of: None,
            appended: Vec::new(),
            appends: 0,
        }
    }

    /// The ordinary start: memory is gone, the log is opened again and holds what was acknowledged.
    ///
    /// # Errors
    /// It holds something else.
    pub fn start(&mut self) -> Result<(), String> {
        let before = std::mem::take(&mut self.orders);
        let entropy = entropy(&mut self.chance.borrow_mut());
        self.log = MemoryLog::open(self.store.clone(), Arc::new(Rules), entropy)
            .map_err(|error| format!("the log does not open after a crash: {error}"))?;
        self.watch = ClockWatch::new(&self.hands, STEADY_MS);
        self.up = true;
        let broken = self.broken.take();
        let under_way = broken.as_ref().map(|(id, ..)| *id);
        if let Some((id, was, becomes, fault)) = broken {
            let expected = if fault == Fault::Lost { was } else { becomes };
            if self.order(id) != &expected {
                return Err(format!("an append that was {fault:?} left something else after a start"));
            }
        }
        for (id, loaded) in before.into_iter().filter(|(id, _)| Some(*id) != under_way) {
            if self.order(id) != &loaded.order {
                return Err("an order read from the log is not what was acknowledged".to_owned());
            }
        }
        Ok(())
    }

    pub fn look_at_clock(&self) -> bool {
        self.watch.look(&self.hands)
    }

    /// Orders whose time has come, by the log's own index.
    pub fn due(&self, limit: usize) -> Vec<Aggregate> {
        let due = self.log.due(self.hands.wall_ms, limit).expect("memory reads");
        due.into_iter().map(|(_, order)| order).collect()
    }

    /// The order, read from the log if it is not in memory.
    pub fn order(&mut self, id: Aggregate) -> &Order {
        &self.loaded(id).order
    }

    fn loaded(&mut self, id: Aggregate) -> &mut Loaded {
        let log = &self.log;
        self.orders.entry(id).or_insert_with(|| {
            let records = log.load(&id).expect("memory reads");
            let order = replay_order(&records).expect("this program wrote it");
            Loaded { order, version: records.len() as u64 }
        })
    }

    /// The order that steps tell of, as the desk finds it.
    pub fn order_of(&self, packet: &Packet) -> Option<Aggregate> {
        let first = &packet.steps.first()?.statement;
        match first.previous {
            None => Some(dta_events::ids::order_aggregate(&first.signer, &first.reference)),
            Some(previous) => self.log.envelope(&previous.to_bytes()).expect("memory reads"),
        }
    }

    pub fn has_envelope(&self, cid: &Cid) -> bool {
        self.log.published_block(&cid.to_bytes()).expect("memory reads").is_some()
    }

    pub fn has_secret(&self, cid: &Cid) -> bool {
        self.log.block(&cid.to_bytes()).expect("memory reads").is_some()
    }

    /// Asks something of the node with its clock, its log and its custody.
    pub fn ask<T>(&mut self, id: Aggregate, what: impl FnOnce(&Here, &Order) -> T) -> T {
        self.loaded(id);
        let order = &self.orders[&id].order;
        let block = |cid: &Cid| match self.log.block(&cid.to_bytes()).expect("memory reads")? {
            StoredBlock::Published(block) => Some(block.bytes().to_vec()),
            StoredBlock::Held(block) => Some(block.bytes().to_vec()),
        };
        let here = Here {
            cast: &self.cast,
            node: self.index,
            now_ms: self.hands.wall_ms,
            clock_trusted: self.watch.look(&self.hands),
            give_up_after_ms: GIVE_UP_AFTER_MS,
            knows: &self.knows,
            trusts: &self.trusts,
            envelope: &|cid| block(cid).map(|bytes| codec::decode(&bytes).expect("an envelope was stored")),
            secret: &|cid| block(cid).map(|bytes| codec::decode(&bytes).expect("a secret was stored")),
            custody: &|placed| {
                let mut made = [0; 32];
                self.chance.borrow_mut().bytes(&mut made);
                // No scalar of a key is above the curve's order, which begins with more ones than this has.
                made[0] &= 0x7f;
                *self.seeds.borrow_mut().entry(*placed).or_insert(made)
            },
            salt: self.chance.borrow_mut().number(),
            flaw: self.flaw,
        };
        what(&here, order)
    }

    /// One command: facts, prepare, work, decide, append, apply.
    pub fn run(
        &mut self,
        id: Aggregate,
        by: &str,
        command: &Command,
        named: Option<Cid>,
        came: Option<&Packet>,
    ) -> Result<(), Stop> {
        let from = came.map(|packet| packet.from);
        let steps = came.map(|packet| packet.steps.as_slice()).unwrap_or_default();
        let decided = self.ask(id, |here, order| {
            let facts = here.gather(order, command, named, from);
            here.decide(order, command, &facts, steps)
        });
        let mut decided = match decided {
            Ok(decided) => decided,
            Err(rejection) => return self.refuse(id, by, command, rejection),
        };
        if decided.events.is_empty() {
            return Ok(());
        }
        // As the actor: what a beneficiary here is released is held.
        for event in &decided.events {
            if let (Some((beneficiary, secret)), Some(packet)) = (released(event), came)
                && self.cast.home(&beneficiary) == Some(self.index)
            {
                decided.secrets.extend(packet.secrets.iter().find(|came| came.cid() == secret).cloned());
            }
        }
        let secrets: Vec<_> = decided.events.iter().filter_map(released).map(|(_, secret)| secret).collect();
        let mut blocks: Vec<Block> = Vec::new();
        for envelope in &decided.envelopes {
            let (cid, bytes) = (envelope.cid().to_bytes(), envelope.bytes());
            blocks.push(Block { cid, class: BlockClass::Published, bytes });
        }
        for secret in &decided.secrets {
            let (cid, bytes) = (secret.cid().to_bytes(), secret.bytes());
            blocks.push(Block { cid, class: BlockClass::Held, bytes });
        }
        let claims: Vec<_> = secrets.iter().map(secret_claim).collect();
        match self.append(id, by, command, Ok(decided.events), blocks) {
            Err(Written::Claim(claim)) if claims.contains(&claim) => {
                self.refuse(id, by, command, Rejection::SecretTaken)
            }
            Err(Written::Claim(_)) => unreachable!("orders claim nothing but secrets"),
            Err(Written::Crashed) => Err(Stop::Crashed),
            Ok(()) => Ok(()),
        }
    }

    /// Records a refusal of what somebody asked for, and answers it.
    fn refuse(
        &mut self,
        id: Aggregate,
        by: &str,
        command: &Command,
        rejection: Rejection,
    ) -> Result<(), Stop> {
        if by != "timer" && self.order(id).keeps_refusal(command, &rejection) {
            match self.append(id, by, command, Err(rejection.clone()), Vec::new()) {
                Ok(()) => {}
                Err(_) => return Err(Stop::Crashed),
            }
        }
        Err(Stop::Rejected(rejection))
    }

    fn append(
        &mut self,
        id: Aggregate,
        by: &str,
        command: &Command,
        outcome: Result<Vec<Event>, Rejection>,
        blocks: Vec<Block>,
    ) -> Result<(), Written> {
        let now_ms = self.hands.wall_ms;
        let Loaded { order, version } = self.loaded(id);
        let (was, expected_version) = (order.clone(), *version);
        let events = outcome.as_deref().unwrap_or_default();
        let becomes = events.iter().fold(was.clone(), Order::apply);
        let drop_held = events.iter().filter_map(|event| match event {
            Event::RetentionEnded { secret, .. } => Some(secret.to_bytes()),
            _ => None,
        });
        let append = Append {
            aggregate: id,
            expected_version,
            time_ms: now_ms,
            by: by.to_owned(),
            request: None,
            trace_id: [0; 16],
            command: command.to_stored().expect("a command is small"),
            drop_held: drop_held.collect(),
            effect: match &outcome {
                Ok(events) => Effect::Events(
                    events.iter().map(|event| event.to_stored().expect("an event is small")).collect(),
                ),
                Err(rejection) => {
                    Effect::Refused { code: rejection.code().to_owned(), details: rejection.to_string() }
                }
            },
            blocks,
            publish: Vec::new(),
            due_ms: becomes.next_due_ms(),
        };
        let mut fault = self.fails.take_if(|(nth, _)| *nth == self.appends).map(|(_, how)| how);
        if self.crash_one_in > 0 && self.chance.borrow_mut().one_in(self.crash_one_in) {
            fault = Some(self.chance.borrow_mut().pick(&[Fault::Lost, Fault::Persisted]));
        }
        if let Some(how) = fault {
            self.store.fail_after(0, how);
        }
        match self.log.commit(vec![append]) {
            Err(_) => {
                let fault = fault.expect("memory fails only when told to");
                if fault == Fault::Persisted {
                    self.appended.extend(events.iter().map(|event| (id, event.clone())));
                }
                self.broken = Some((id, was, becomes, fault));
                self.died_of = Some((command.name(), fault));
                self.up = false;
                Err(Written::Crashed)
            }
            Ok(mut results) => match results.pop().expect("one append, one result") {
                Ok(appended) => {
                    self.appends += 1;
                    self.appended.extend(events.iter().map(|event| (id, event.clone())));
                    self.orders.insert(id, Loaded { order: becomes, version: appended.version });
                    Ok(())
                }
                Err(NotWritten::ClaimTaken { claim, .. }) => {
                    // The fault was not used up by this write.
                    self.store.fail_after(u64::MAX, Fault::Lost);
                    Err(Written::Claim(claim))
                }
                Err(other) => panic!("the only writer of this log is refused: {other}"),
            },
        }
    }

    /// Does what is due until nothing is, or a rule holds it back.
    pub fn follow(&mut self, id: Aggregate) -> Result<(), Stop> {
        loop {
            let Some(command) = self.ask(id, |here, order| here.due(order)) else { return Ok(()) };
            match self.run(id, "timer", &command, None, None) {
                Ok(()) => {}
                Err(Stop::Rejected(_)) => return Ok(()),
                Err(stop) => return Err(stop),
            }
        }
    }

    fn accept(&mut self, id: Aggregate, packet: &Packet) -> Result<(), Stop> {
        let by = format!("peer:{}", packet.from);
        match self.ask(id, |here, order| here.judge(order, packet)) {
            Judged::Outsider => Err(Stop::Outsider),
            Judged::Known => Ok(()),
            Judged::Refused(command, rejection) => self.refuse(id, &by, &command, rejection),
            Judged::Take { command, named, strangers } => {
                self.knows.extend(strangers);
                self.run(id, &by, &command, named, Some(packet))
            }
        }
    }

    /// Steps that another node sent: the answer is what stands.
    pub fn arrive(&mut self, packet: &Packet) -> Result<Packet, Stop> {
        let id = self.order_of(packet).ok_or(Stop::Outsider)?;
        let root = packet.steps.last().ok_or(Stop::Outsider)?.root();
        match self.accept(id, packet) {
            Ok(()) => self.follow(id)?,
            Err(Stop::Rejected(rejection)) => {
                if !self.order(id).overtook(root.previous.as_ref(), &rejection) {
                    return Err(Stop::Rejected(rejection));
                }
            }
            Err(stop) => return Err(stop),
        }
        self.ask(id, |here, order| here.answer(order, &root, packet.from)).map_err(Stop::Rejected)
    }

    /// Steps that answered a call about an order, or were fetched.
    pub fn take(&mut self, about: Aggregate, packet: &Packet) -> Result<(), Stop> {
        if self.order_of(packet) != Some(about) {
            return Err(Stop::Outsider);
        }
        self.accept(about, packet)?;
        self.follow(about)
    }

    /// The next delivery, or the one to a party that asks for it; and to which node it goes.
    pub fn pack(&mut self, id: Aggregate, wanted: Option<Party>) -> Option<(Delivery, usize, Packet)> {
        self.ask(id, |here, order| {
            let delivery = order.next_delivery(wanted)?;
            let to = order.party(delivery.to)?;
            let home = here.cast.home(&to)?;
            let mut introduces = vec![here.cast.node(here.node)];
            introduces.extend(order.introduced(delivery.to));
            let steps = order.carried(delivery.to);
            Some((delivery, home, here.packet(order, &steps, to, &here.cast.node(home), introduces)))
        })
    }

    /// What came of a delivery.
    pub fn settle(&mut self, id: Aggregate, command: &Command) -> Result<(), Stop> {
        match self.run(id, "timer", command, None, None) {
            Ok(()) | Err(Stop::Rejected(_)) => self.follow(id),
            Err(stop) => Err(stop),
        }
    }

    /// What the answer to a delivery comes to, once it is taken: true if there may be another delivery at once.
    pub fn answered(&mut self, id: Aggregate, delivery: &Delivery) -> Result<bool, Stop> {
        match self.order(id).answered(delivery) {
            Answered::Over => Ok(true),
            Answered::Delivered => {
                self.settle(id, &delivery.ended(dta_events::order::Outcome::Delivered)).map(|()| true)
            }
            Answered::NotYet => Ok(false),
        }
    }

    pub fn orders(&self) -> Vec<Aggregate> {
        self.log.aggregates(dta_events::record::AggregateKind::Order).expect("memory reads")
    }

    pub fn envelope(&self, cid: &Cid) -> Option<Envelope> {
        let block = self.log.published_block(&cid.to_bytes()).expect("memory reads")?;
        Some(codec::decode(block.bytes()).expect("an envelope was stored"))
    }

    /// The whole log, checked as `dta log verify` does.
    pub fn verify(&self) -> Result<(), String> {
        let verified = milagro_dta::actors::log::verify::verify(&self.log, &mut |_, _| {});
        verified.map(|_| ()).map_err(|error| error.to_string())
    }
}

enum Written {
    Crashed,
    Claim([u8; 32]),
}

fn released(event: &Event) -> Option<(Cid, Cid)> {
    match event {
        Event::StepAppended(appended) => match appended.step.facts {
            StepFacts::Released { beneficiary, secret } => Some((beneficiary, secret)),
            _ => None,
        },
        _ => None,
    }
}

fn entropy(chance: &mut Chance) -> milagro_dta::actors::log::Entropy {
    let mut own = chance.branch();
    Box::new(move |bytes| {
        own.bytes(bytes);
        Ok(())
    })
}
