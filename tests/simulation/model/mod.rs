//! A model of few nodes and orders over the same rules: every interleaving of what clients ask, what is due, what is sent,
//! what arrives again or never, a crash, a cheat. One action is one append, so a crash may come between any two.

mod checks;
mod forge;
mod moves;
mod proofs;
mod properties;
mod search;
mod table;

use std::collections::BTreeSet;
use std::sync::Arc;

use dta_events::order::{Delivery, Terms};
use dta_protocol::Cid;
use serde::{Deserialize, Serialize};

use crate::paper::{Cast, Packet, person};
use crate::party::Flaw;
use table::{Kept, Messages, Table};

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
    /// Whose node cheats, as often as she likes.
    pub cheat: Option<usize>,
    /// The clock's last minute.
    pub minutes: u8,
    /// What the honest nodes have wrong.
    pub flaw: Flaw,
    /// Each message is sent, or not, by a step of its own. That makes many more states and shows nothing more (see
    /// `Nodes::say`), which a test holds for a small one.
    pub each_message: bool,
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
            minutes: 0,
            flaw: Flaw::None,
            each_message: false,
        }
    }
}

pub const EPOCH_MS: u64 = 1_790_000_000_000;
pub const MINUTE_MS: u64 = 60_000;

/// A message by its number in the table.
pub type MessageId = usize;

/// What was sent. It stays on the way: it may arrive at any time, any number of times, or never.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub order: usize,
    pub from: usize,
    pub to: usize,
    /// The delivery that a call makes and an answer answers; none of what a cheat says, whom no answer helps.
    pub about: Option<About>,
    pub says: Says,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Says {
    Call(Packet),
    Answer(Packet),
    Refusal(String),
}

impl Message {
    /// The steps it brings, and the secrets.
    pub fn packet(&self) -> Option<&Packet> {
        match &self.says {
            Says::Call(packet) | Says::Answer(packet) => Some(packet),
            Says::Refusal(_) => None,
        }
    }
}

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// By node, then by order.
    pub orders: Vec<Vec<Arc<Kept>>>,
    pub messages: Messages,
    pub minute: u8,
    pub redeems: u8,
    pub cancels: u8,
    pub crashes: u8,
    /// Crashes of each node: what it signs anew is another envelope.
    pub salts: Vec<u8>,
    /// What each order was before its last append, if a flaw may need it.
    pub before: Vec<Vec<Option<Arc<Kept>>>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Place {
        order: usize,
    },
    Redeem {
        order: usize,
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
    Arrive(MessageId),
    /// A node dies while it appends: what it has signed is lost, and signed anew. (An append that lasts and is never
    /// answered is one whose answer never arrives.)
    Crash {
        node: usize,
    },
    /// The flaw: what was signed and is lost by a crash had been sent.
    CrashUnsynced {
        node: usize,
        order: usize,
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

    pub fn now_ms(&self, state: &State) -> u64 {
        EPOCH_MS + u64::from(state.minute) * MINUTE_MS
    }

    pub fn start(&self) -> State {
        let nodes = self.cast.len();
        let none = self.table.order(dta_events::order::Order::default());
        State {
            orders: vec![vec![none; self.config.orders]; nodes],
            messages: Messages::default(),
            minute: 0,
            redeems: self.config.redeems,
            cancels: self.config.cancels,
            crashes: self.config.crashes,
            salts: vec![0; nodes],
            before: vec![vec![None; self.config.orders]; nodes],
        }
    }
}
