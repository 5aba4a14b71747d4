//! A model of few nodes and orders over the same rules: every interleaving of what clients ask, what is due, what is sent,
//! what arrives again or never, a crash, a cheat. One action is one append at most, so a crash may come between any two.

mod checks;
mod moves;
mod properties;
mod search;
mod table;

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use dta_events::order::{Delivery, Order, Terms};
use dta_protocol::Cid;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::paper::{Cast, Packet, person};
use table::Table;

/// What is broken on purpose, so that a property is seen to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    None,
    /// Signatures are not looked at.
    Credulous,
    /// A step is sent before it is in the log; a crash loses it.
    SendsUnsynced,
    /// A crash forgets the last acknowledged append of a node.
    Forgets,
    /// Nobody looks at what is due once faults have stopped.
    NoTimers,
}

/// A configuration.
#[derive(Clone, Debug)]
pub struct Config {
    pub orders: usize,
    pub terms: Terms,
    /// Whether orders name their beneficiary when they are placed.
    pub early: bool,
    /// How often the principal's client may ask to redeem and to cancel, over all orders.
    pub redeems: u8,
    pub cancels: u8,
    pub crashes: u8,
    /// Whose node cheats, and how often.
    pub cheat: Option<usize>,
    pub cheats: u8,
    /// The clock's last minute.
    pub minutes: u8,
    pub flaw: Flaw,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            orders: 1,
            terms: Terms::default(),
            early: false,
            redeems: 1,
            cancels: 0,
            crashes: 0,
            cheat: None,
            cheats: 0,
            minutes: 0,
            flaw: Flaw::None,
        }
    }
}

pub const EPOCH_MS: u64 = 1_790_000_000_000;
pub const MINUTE_MS: u64 = 60_000;

/// An order as a node has it, under the hash of its one encoding: equal orders are one state, whatever way led there.
#[derive(Clone, Debug)]
pub struct Kept {
    pub order: Order,
    hash: [u8; 16],
}

impl Kept {
    pub fn new(order: Order) -> Arc<Self> {
        let bytes = dta_events::codec::encode(&order).expect("an order is small");
        Arc::new(Self { order, hash: short_hash(&bytes) })
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl Eq for Kept {}

impl Hash for Kept {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

fn short_hash(bytes: &[u8]) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&Sha256::digest(bytes)[..16]);
    short
}

/// A message under the hash of what it says.
pub type MessageId = [u8; 16];

/// What was sent. It stays on the way: it may arrive at any time, any number of times, or never.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub order: usize,
    pub from: usize,
    pub to: usize,
    pub says: Says,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Says {
    Call { about: About, packet: Packet },
    Answer { about: About, packet: Packet },
    Refusal { about: About, code: String },
}

/// The delivery that a call makes and an answer answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    pub to: dta_events::order::Party,
    pub step: Cid,
    pub kind: String,
    pub since_ms: u64,
}

impl About {
    pub fn of(delivery: &Delivery) -> Self {
        let Delivery { to, step, kind, since_ms } = delivery;
        Self { to: *to, step: *step, kind: kind.as_str().to_owned(), since_ms: *since_ms }
    }

    pub fn delivery(&self) -> Option<Delivery> {
        let kind = dta_protocol::Kind::ALL.into_iter().find(|kind| kind.as_str() == self.kind)?;
        Some(Delivery { to: self.to, step: self.step, kind, since_ms: self.since_ms })
    }
}

/// All there is. The messages are a set and the orders are content: nothing tells one history of a state from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// By node, then by order.
    pub orders: Vec<Vec<Arc<Kept>>>,
    pub messages: BTreeSet<MessageId>,
    pub minute: u8,
    pub redeems: u8,
    pub cancels: u8,
    pub cheats: u8,
    pub crashes: u8,
    /// Crashes of each node: what it signs anew is another envelope.
    pub salts: Vec<u8>,
    /// What each order was before its last append, if a flaw may need it.
    pub before: Vec<Vec<Option<Arc<Kept>>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Place {
        order: usize,
    },
    Redeem {
        order: usize,
        for_whom: Cid,
    },
    Cancel {
        order: usize,
    },
    /// What is due is done: one append.
    Due {
        node: usize,
        order: usize,
    },
    /// The next delivery goes on its way.
    Send {
        node: usize,
        order: usize,
    },
    /// The flaw: a step goes on its way that is not in the log.
    SendUnsynced {
        node: usize,
        order: usize,
    },
    Arrive(MessageId),
    Crash {
        node: usize,
    },
    Cheat {
        message: MessageId,
        how: usize,
        to: usize,
    },
    Minute,
}

pub struct Nodes {
    pub config: Config,
    pub cast: Cast,
    pub knows: BTreeSet<Cid>,
    /// Results of the rules, which are functions, and all messages, which are content.
    pub table: Table,
}

impl Nodes {
    pub fn new(config: Config) -> Self {
        let cast = Cast::new(&[&["alice"], &["bob"], &["carol"], &["mallory"]]);
        let knows = (0..cast.len()).map(|node| cast.node(node)).collect();
        Self { config, cast, knows, table: Table::default() }
    }

    pub fn reference(order: usize) -> String {
        format!("order-{order}")
    }

    pub fn honest(&self, node: usize) -> bool {
        self.config.cheat != Some(node)
    }

    pub fn carol() -> Cid {
        person("carol")
    }
}

impl Nodes {
    pub fn start(&self) -> State {
        let nodes = self.cast.len();
        let none = Kept::new(Order::default());
        State {
            orders: vec![vec![none; self.config.orders]; nodes],
            messages: BTreeSet::new(),
            minute: 0,
            redeems: self.config.redeems,
            cancels: self.config.cancels,
            cheats: self.config.cheats,
            crashes: self.config.crashes,
            salts: vec![0; nodes],
            before: vec![vec![None; self.config.orders]; nodes],
        }
    }
}
