//! What the tests of the read models share: a log in which anything may have happened, and a look at the bytes.

mod batches;
mod opening;
mod queries;
pub(crate) mod rebuild;

use std::sync::Arc;

use dta_events::identity::{self, Known};
use dta_events::ids::{identity_aggregate, node_aggregate, order_aggregate, peer_aggregate};
use dta_events::node::{self, INITIALISED, Initialised};
use dta_events::order::{
    self, ClosedCode, DisputeCode, Hosts, Order, Origin, Parties, Step, StepAppended, StepFacts, Terms,
};
use dta_events::record::{Aggregate, AggregateKind, Effect, Record, Stored};
use dta_events::{Rules, peer, replay_order};
use dta_projections::{Change, Projection, ProjectionError, Rows};
use dta_protocol::{Cid, Codec};
use rocksdb::IteratorMode;
use sha2::{Digest as _, Sha256};

use super::database::family_name;
use super::*;
use crate::actors::log::memory::{MemoryLog, MemoryStore};
use crate::actors::log::{Append, Entropy, EventLog, LogReader};

pub(crate) fn cid(label: &str) -> Cid {
    Cid::of(Codec::DagCbor, label.as_bytes())
}

pub(crate) fn reference(n: u8) -> String {
    format!("018f0000-0000-7000-8000-{n:012}")
}

/// The nth order. Every second one has its principal elsewhere.
pub(crate) fn order(n: u8) -> Aggregate {
    order_aggregate(&cid("alice"), &reference(n))
}

/// Something that can come to stand in a log. Orders hold together or not: whatever is in the log can be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Initialised,
    Identity(u8),
    Placed(u8),
    Pending(u8),
    Committed(u8),
    Requested(u8),
    Released(u8),
    Received(u8),
    Disputed(u8),
    Closed(u8),
    /// Placed to received in one record.
    Whole(u8),
    Refused(u8),
    TurnedDown(u8),
    Equivocated(u8),
    RetentionEnded(u8),
    /// A record without events.
    Nothing(u8),
    /// The nth identity, with its number as its port; without a URL if it is 0.
    Pinned(u8, u16),
    Unpinned(u8),
}

/// The entropy of a log; logs of different seeds share no record.
pub(crate) fn entropy(seed: u8) -> Entropy {
    let mut calls = u64::from(seed) << 32;
    Box::new(move |bytes| {
        calls += 1;
        bytes.copy_from_slice(&Sha256::digest(calls.to_be_bytes()));
        Ok(())
    })
}

pub(crate) fn memory(seed: u8) -> MemoryLog {
    MemoryLog::create(MemoryStore::default(), Arc::new(Rules), entropy(seed)).unwrap()
}

/// A log in memory in which this happened.
pub(crate) fn log_of(acts: &[Act]) -> MemoryLog {
    let log = memory(0);
    tell(&log, acts);
    log
}

/// Three orders, two identities, refusals: one of everything.
pub(crate) fn story() -> Vec<Act> {
    use Act::*;
    vec![
        Initialised,
        Identity(0),
        Placed(0),
        Committed(0),
        Refused(1),
        Placed(1),
        Identity(1),
        Requested(0),
        Released(0),
        Pending(2),
        Received(0),
        Equivocated(0),
        RetentionEnded(0),
        TurnedDown(2),
        Nothing(1),
        Whole(3),
        Disputed(1),
        Refused(3),
        Pending(5),
        Closed(5),
    ]
}

pub(crate) fn tell(log: &dyn EventLog, acts: &[Act]) {
    for act in acts {
        let append = append(log, *act);
        log.commit(vec![append]).unwrap().pop().unwrap().unwrap();
    }
}

fn append(log: &dyn EventLog, act: Act) -> Append {
    let time_ms = 1_700_000_000_000 + log.head().unwrap().count;
    let (aggregate, effect) = effect(act, time_ms);
    let records = log.load(&aggregate).unwrap();
    Append {
        aggregate,
        expected_version: records.len() as u64,
        time_ms,
        by: "local".into(),
        request: None,
        trace_id: [7; 16],
        command: Stored { name: "order/do".into(), schema: 1, bytes: vec![] },
        due_ms: due_ms(&records, &effect),
        effect,
        blocks: Vec::new(),
        drop_held: Vec::new(),
        publish: Vec::new(),
    }
}

fn due_ms(records: &[Record], effect: &Effect) -> Option<u64> {
    let mut state = replay_order(records).unwrap_or_default();
    if let Effect::Events(events) = effect {
        for stored in events {
            state = order::Event::from_stored(stored).map_or(Order::default(), |event| state.apply(&event));
        }
    }
    state.next_due_ms()
}

fn effect(act: Act, time_ms: u64) -> (Aggregate, Effect) {
    use StepFacts as F;
    let bob = cid("bob");
    let of = |n, events: Vec<order::Event>| {
        let events = events.iter().map(|event| event.to_stored().unwrap()).collect();
        (order(n), Effect::Events(events))
    };
    let one = |n, facts| of(n, vec![appended(n, facts, false, time_ms)]);
    let requested = || F::RedemptionRequested { beneficiary: bob };
    let released = || F::Released { beneficiary: bob, secret: cid(&format!("secret {time_ms}")) };
    match act {
        Act::Initialised => {
            let first = Initialised { home: [1; 16], epoch: 0, identity: cid("fiona") };
            let first = node::Event::Initialised(first);
            assert_eq!(INITIALISED, first.to_stored().unwrap().name);
            (node_aggregate(), Effect::Events(vec![first.to_stored().unwrap()]))
        }
        Act::Identity(n) => {
            let event = identity_event(n);
            (identity_aggregate(&event.known().cid), Effect::Events(vec![event.to_stored().unwrap()]))
        }
        Act::Placed(n) => one(n, placed(n)),
        Act::Pending(n) => of(n, vec![appended(n, placed(n), true, time_ms)]),
        Act::Committed(n) => one(n, F::Committed { commitment: [n; 65] }),
        Act::Requested(n) => one(n, requested()),
        Act::Released(n) => one(n, released()),
        Act::Received(n) => one(n, F::Received),
        Act::Disputed(n) => one(n, F::Disputed { code: DisputeCode::WrongSecret }),
        Act::Closed(n) => one(n, F::Closed { code: ClosedCode::Cancelled }),
        Act::Whole(n) => {
            let facts =
                [placed(n), F::Committed { commitment: [n; 65] }, requested(), released(), F::Received];
            of(n, facts.map(|facts| appended(n, facts, false, time_ms)).into())
        }
        Act::Refused(n) => {
            (order(n), Effect::Refused { code: "policy-expired".into(), details: format!("order {n}") })
        }
        Act::TurnedDown(n) => {
            of(n, vec![order::Event::StepRefused { cid: placed_cid(n), code: "trust-unknown".into() }])
        }
        Act::Equivocated(n) => {
            let second = cid(&format!("second {n} {time_ms}"));
            of(n, vec![order::Event::EquivocationSeen { first: placed_cid(n), second }])
        }
        Act::RetentionEnded(n) => {
            of(n, vec![order::Event::RetentionEnded { secret: cid("secret"), at_ms: time_ms }])
        }
        Act::Nothing(n) => of(n, vec![]),
        Act::Pinned(n, port) => {
            let url = (port > 0).then(|| format!("http://127.0.0.1:{port}"));
            pin(peer::Event::Pinned { identity: identity_event(n).known().cid, url })
        }
        Act::Unpinned(n) => pin(peer::Event::Unpinned { identity: identity_event(n).known().cid }),
    }
}

fn pin(event: peer::Event) -> (Aggregate, Effect) {
    (peer_aggregate(event.identity()), Effect::Events(vec![event.to_stored().unwrap()]))
}

fn placed(n: u8) -> StepFacts {
    let parties = Parties { principal: cid("alice"), fiduciary: cid("fiona"), beneficiary: None };
    let terms = Terms { not_before_ms: 0, expires_at_ms: 0, retention_ms: 1_000 };
    StepFacts::Placed { parties, plugin: "milagro".into(), coin: n % 2, terms }
}

pub(crate) fn placed_cid(n: u8) -> Cid {
    cid(&format!("{n} order/placed"))
}

fn appended(n: u8, facts: StepFacts, pending: bool, at_ms: u64) -> order::Event {
    let kind = facts.kind().as_str();
    let label = if kind == "order/placed" { format!("{n} {kind}") } else { format!("{n} {kind} {at_ms}") };
    order::Event::StepAppended(StepAppended {
        reference: reference(n),
        step: Step {
            cid: cid(&label),
            statement: [n; 32],
            signer: cid("alice"),
            previous: (kind != "order/placed").then(|| placed_cid(n)),
            issued_at_ms: at_ms,
            sealed: vec![Cid::of(Codec::Raw, label.as_bytes())],
            facts,
        },
        origin: Origin::Issued,
        pending,
        hosts: Hosts { principal: n.is_multiple_of(2), fiduciary: true, beneficiary: false },
        at_ms,
    })
}

pub(crate) fn identity_event(n: u8) -> identity::Event {
    let known = Known {
        cid: cid(&format!("identity {n}")),
        name: format!("node {n}"),
        issued_at_ms: 5,
        bls: [n; 96],
        kem: vec![n; 1_216],
        secp256k1: [n; 33],
        ed25519: [n; 32],
        key_claims: vec![[n; 32]],
        supersedes: None,
    };
    if n.is_multiple_of(2) {
        identity::Event::Created { known, uuid: Some([n; 16]) }
    } else {
        identity::Event::Learned { known }
    }
}

/// All records of a log.
pub(crate) fn entries(log: &dyn LogReader) -> Vec<Entry> {
    let stored = log.read(0, usize::MAX).unwrap();
    stored.iter().map(|(sequence, stored)| Entry::decode(*sequence, stored).unwrap()).collect()
}

/// Brings all read models to the log's head.
pub(crate) fn catch_up(views: &Views, log: &dyn LogReader) {
    let entries = entries(log);
    for projection in views.projections() {
        views.apply(*projection, &entries).unwrap();
    }
}

pub(crate) type Bytes = Vec<(Vec<u8>, Vec<u8>)>;

/// Every key and value of a read model's family, its state included.
pub(crate) fn bytes(views: &Views, name: &str) -> Bytes {
    let database = views.database();
    let generation = database.current()[name].number;
    let family = database.family(&family_name(name, generation)).unwrap();
    let rows = database.engine.iterator_cf(&family, IteratorMode::Start);
    rows.map(|row| row.map(|(key, value)| (key.into(), value.into())).unwrap()).collect()
}

/// The bytes of all of them.
pub(crate) fn all_bytes(views: &Views) -> Vec<Bytes> {
    views.projections().iter().map(|projection| bytes(views, projection.name())).collect()
}

/// Sets or removes a row behind the read model's back.
pub(crate) fn tamper(views: &Views, name: &str, key: &[u8], row: Option<&[u8]>) {
    let database = views.database();
    let family = database.family(&family_name(name, database.current()[name].number)).unwrap();
    match row {
        Some(row) => database.engine.put_cf(&family, key, row).unwrap(),
        None => database.engine.delete_cf(&family, key).unwrap(),
    }
}

/// A projection that stands in for another: with another schema, or one that stops at a record.
pub(crate) struct Stand {
    pub(crate) for_: &'static dyn Projection,
    pub(crate) schema: u16,
    pub(crate) halts_at: Option<u64>,
}

impl Stand {
    /// For as long as the test runs.
    pub(crate) fn leak(self) -> &'static dyn Projection {
        Box::leak(Box::new(self))
    }
}

impl Projection for Stand {
    fn name(&self) -> &'static str {
        self.for_.name()
    }

    fn schema(&self) -> u16 {
        self.schema
    }

    fn reads(&self, record: &Record) -> Vec<Vec<u8>> {
        self.for_.reads(record)
    }

    fn apply(&self, rows: &Rows, record: &Record) -> Result<Vec<Change>, ProjectionError> {
        if self.halts_at == Some(record.sequence) {
            return Err(dta_projections::decode_row::<u64>(&[]).unwrap_err());
        }
        self.for_.apply(rows, record)
    }
}
