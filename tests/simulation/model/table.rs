//! What the model remembers: orders and messages by their content, and what pure functions have answered. None of it is
//! state: a fresh table gives the same answers, only later.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use dta_events::order::Order;
use dta_protocol::Cid;
use sha2::{Digest, Sha256};

use super::{Message, MessageId};
use crate::paper::{Envelope, SealedSecret};

/// An order as a node has it, under the hash of its one encoding: equal orders are one state, whatever way led there. (Of a
/// million orders two share a number with a chance of one in forty million.)
#[derive(Debug)]
pub struct Kept {
    pub order: Order,
    pub number: u64,
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Kept {}

/// A set of messages, one bit each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Messages(Vec<u64>);

impl Messages {
    /// Adds one; whether it is new.
    pub fn insert(&mut self, id: MessageId) -> bool {
        if self.0.len() <= id / 64 {
            self.0.resize(id / 64 + 1, 0);
        }
        let (word, bit) = (&mut self.0[id / 64], 1 << (id % 64));
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    pub fn extend(&mut self, ids: impl IntoIterator<Item = MessageId>) {
        for id in ids {
            self.insert(id);
        }
    }

    pub fn contains(&self, id: MessageId) -> bool {
        self.0.get(id / 64).is_some_and(|word| word & (1 << (id % 64)) != 0)
    }

    pub fn iter(&self) -> impl Iterator<Item = MessageId> + '_ {
        (0..self.0.len() * 64).filter(|id| self.contains(*id))
    }

    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.iter().enumerate().all(|(at, word)| word & !other.0.get(at).copied().unwrap_or_default() == 0)
    }
}

/// An order after an action on one node, and what the node sends.
#[derive(Clone, Debug)]
pub struct Step {
    pub order: Arc<Kept>,
    pub sends: Option<MessageId>,
}

/// Of what pure function an answer is remembered, and of which arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Asked {
    pub what: What,
    pub order: u64,
    pub node: usize,
    pub minute: u8,
    pub salt: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum What {
    Due,
    Send { order: usize },
    Arrive(MessageId),
}

/// One order on every node, and the crashes of each.
pub type Alone = (Vec<u64>, Vec<u8>);

#[derive(Default)]
pub struct Table {
    orders: RefCell<HashMap<u64, Arc<Kept>>>,
    messages: RefCell<Vec<Arc<Message>>>,
    numbers: RefCell<HashMap<Vec<u8>, MessageId>>,
    envelopes: RefCell<HashMap<Cid, Envelope>>,
    secrets: RefCell<HashMap<Cid, SealedSecret>>,
    steps: RefCell<HashMap<Asked, Option<Step>>>,
    forged: RefCell<HashMap<MessageId, Arc<Vec<MessageId>>>>,
    goes_on: RefCell<HashMap<Alone, bool>>,
}

impl Table {
    pub fn order(&self, order: Order) -> Arc<Kept> {
        let bytes = dta_events::codec::encode(&order).expect("an order is small");
        let mut short = [0; 8];
        short.copy_from_slice(&Sha256::digest(bytes)[..8]);
        let number = u64::from_be_bytes(short);
        let mut orders = self.orders.borrow_mut();
        orders.entry(number).or_insert_with(|| Arc::new(Kept { order, number })).clone()
    }

    /// How many different messages there were.
    pub fn messages(&self) -> usize {
        self.messages.borrow().len()
    }

    pub fn message(&self, id: MessageId) -> Arc<Message> {
        self.messages.borrow()[id].clone()
    }

    pub fn keep_message(&self, message: Message) -> MessageId {
        if let Some(packet) = message.packet() {
            self.keep(&packet.steps, &packet.secrets);
        }
        let bytes = dta_events::codec::encode(&message).expect("a message is small");
        let mut messages = self.messages.borrow_mut();
        *self.numbers.borrow_mut().entry(bytes).or_insert_with(|| {
            messages.push(Arc::new(message));
            messages.len() - 1
        })
    }

    pub fn keep(&self, envelopes: &[Envelope], secrets: &[SealedSecret]) {
        let envelopes = envelopes.iter().map(|envelope| (envelope.cid(), envelope.clone()));
        self.envelopes.borrow_mut().extend(envelopes);
        self.secrets.borrow_mut().extend(secrets.iter().map(|secret| (secret.cid(), secret.clone())));
    }

    pub fn envelope(&self, cid: &Cid) -> Option<Envelope> {
        self.envelopes.borrow().get(cid).cloned()
    }

    pub fn secret(&self, cid: &Cid) -> Option<SealedSecret> {
        self.secrets.borrow().get(cid).cloned()
    }

    /// The answer of a pure function, computed once.
    pub fn step(&self, asked: Asked, compute: impl FnOnce() -> Option<Step>) -> Option<Step> {
        if let Some(known) = self.steps.borrow().get(&asked) {
            return known.clone();
        }
        let step = compute();
        self.steps.borrow_mut().insert(asked, step.clone());
        step
    }

    pub fn forged(&self, id: MessageId, compute: impl FnOnce() -> Vec<MessageId>) -> Arc<Vec<MessageId>> {
        if let Some(known) = self.forged.borrow().get(&id) {
            return known.clone();
        }
        let forged = Arc::new(compute());
        self.forged.borrow_mut().insert(id, forged.clone());
        forged
    }

    pub fn goes_on(&self, from: Alone, compute: impl FnOnce() -> bool) -> bool {
        if let Some(known) = self.goes_on.borrow().get(&from) {
            return *known;
        }
        let goes_on = compute();
        self.goes_on.borrow_mut().insert(from, goes_on);
        goes_on
    }
}
