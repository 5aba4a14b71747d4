//! What the model remembers: messages by their content, and what pure functions have answered. Neither is state: a fresh
//! table gives the same answers, only later.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dta_events::order::Order;
use dta_protocol::Cid;

use super::{Kept, Message, MessageId, short_hash};
use crate::paper::{Envelope, SealedSecret};

/// An order after an action on one node, and what the node sends.
#[derive(Clone, Debug)]
pub struct Step {
    pub order: Arc<Kept>,
    pub sends: Option<MessageId>,
}

#[derive(Default)]
struct Inner {
    messages: HashMap<MessageId, Arc<Message>>,
    envelopes: HashMap<Cid, Envelope>,
    secrets: HashMap<Cid, SealedSecret>,
    steps: HashMap<[u8; 16], Option<Step>>,
    goes_on: HashMap<[u8; 16], bool>,
}

#[derive(Default)]
pub struct Table(Mutex<Inner>);

impl Table {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn message(&self, id: &MessageId) -> Arc<Message> {
        self.lock().messages.get(id).cloned().expect("what is on its way was sent")
    }

    pub fn keep_message(&self, message: Message) -> MessageId {
        let id = short_hash(&dta_events::codec::encode(&message).expect("a message is small"));
        let mut inner = self.lock();
        if let super::Says::Call { packet, .. } | super::Says::Answer { packet, .. } = &message.says {
            for envelope in &packet.steps {
                inner.envelopes.insert(envelope.cid(), envelope.clone());
            }
            for secret in &packet.secrets {
                inner.secrets.insert(secret.cid(), secret.clone());
            }
        }
        inner.messages.insert(id, Arc::new(message));
        id
    }

    pub fn keep(&self, envelopes: &[Envelope], secrets: &[SealedSecret]) {
        let mut inner = self.lock();
        inner.envelopes.extend(envelopes.iter().map(|envelope| (envelope.cid(), envelope.clone())));
        inner.secrets.extend(secrets.iter().map(|secret| (secret.cid(), secret.clone())));
    }

    pub fn envelope(&self, cid: &Cid) -> Option<Envelope> {
        self.lock().envelopes.get(cid).cloned()
    }

    pub fn secret(&self, cid: &Cid) -> Option<SealedSecret> {
        self.lock().secrets.get(cid).cloned()
    }

    /// The answer of a pure function, computed once.
    pub fn step(&self, key: [u8; 16], compute: impl FnOnce() -> Option<Step>) -> Option<Step> {
        if let Some(known) = self.lock().steps.get(&key).cloned() {
            return known;
        }
        let step = compute();
        self.lock().steps.insert(key, step.clone());
        step
    }

    pub fn goes_on(&self, key: [u8; 16], compute: impl FnOnce() -> bool) -> bool {
        if let Some(known) = self.lock().goes_on.get(&key).copied() {
            return known;
        }
        let goes_on = compute();
        self.lock().goes_on.insert(key, goes_on);
        goes_on
    }
}

/// A key for what these say together.
pub fn key(parts: &[&[u8]]) -> [u8; 16] {
    let mut all = Vec::new();
    for part in parts {
        all.extend((part.len() as u64).to_be_bytes());
        all.extend(*part);
    }
    short_hash(&all)
}

impl Kept {
    pub fn hash(&self) -> &[u8; 16] {
        &self.hash
    }

    pub fn is_new(&self) -> bool {
        self.order == Order::default()
    }
}
