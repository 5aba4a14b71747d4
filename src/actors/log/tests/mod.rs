//! What the tests of the log share: rules that read their answers from the record, and appends that say them.

mod adopt;
mod contract;
mod damage;
mod disk;
mod faults;
mod wal;
mod writing;

use std::ops::ControlFlow::Continue;
use std::path::Path;
use std::sync::Arc;

use dta_events::index::Indexing;
use dta_events::record::{Aggregate, AggregateKind, Effect, Record, Request, Stored};
use sha2::{Digest, Sha256};

use super::memory::{MemoryLog, MemoryStore};
use super::store::{Entry, Store, Table};
use super::*;

/// Claims, envelopes and the timer are what the record's events spell out.
pub(super) struct Spelt;

fn spelt<const N: usize>(record: &Record, name: &str) -> Vec<[u8; N]> {
    let Effect::Events(events) = &record.effect else { return Vec::new() };
    let named = events.iter().filter(|event| event.name == name);
    named.map(|event| event.bytes.as_slice().try_into().unwrap()).collect()
}

impl Indexing for Spelt {
    fn understands(&self, _: &Record) -> Result<(), String> {
        Ok(())
    }

    fn claims(&self, record: &Record) -> Vec<[u8; 32]> {
        let key = record.request.iter().map(|request| request.idempotency_key);
        key.chain(spelt(record, "claim")).collect()
    }

    fn envelopes(&self, record: &Record) -> Vec<CidBytes> {
        spelt(record, "envelope")
    }

    fn due(&self, _: &Aggregate, records: &[Record]) -> Option<u64> {
        records.last().and_then(|last| spelt(last, "due").pop()).map(u64::from_be_bytes)
    }
}

pub(super) fn rules() -> Arc<dyn Indexing> {
    Arc::new(Spelt)
}

/// Different bytes at each call, the same in each run.
pub(super) fn entropy() -> Entropy {
    let mut calls = 0u64;
    Box::new(move |bytes| {
        calls += 1;
        bytes.copy_from_slice(&Sha256::digest(calls.to_be_bytes()));
        Ok(())
    })
}

pub(super) fn memory(store: &MemoryStore) -> MemoryLog {
    MemoryLog::create(store.clone(), rules(), entropy()).unwrap()
}

pub(super) fn rocks(path: &Path) -> RocksLog {
    RocksLog::create(path, rules(), entropy()).unwrap()
}

pub(super) fn order(id: u8) -> Aggregate {
    Aggregate { kind: AggregateKind::Order, id: [id; 32] }
}

/// The next record of an order that has `expected_version` of them.
pub(super) fn append(id: u8, expected_version: u64) -> Append {
    Append {
        aggregate: order(id),
        expected_version,
        time_ms: 1_700_000_000_000,
        by: "local".into(),
        request: None,
        trace_id: [id; 16],
        command: Stored { name: "do".into(), schema: 1, bytes: vec![id] },
        effect: Effect::Events(Vec::new()),
        blocks: Vec::new(),
        drop_held: Vec::new(),
        publish: Vec::new(),
        due_ms: None,
    }
}

impl Append {
    fn event(mut self, name: &str, bytes: &[u8]) -> Self {
        if let Effect::Events(events) = &mut self.effect {
            events.push(Stored { name: name.into(), schema: 1, bytes: bytes.into() });
        }
        self
    }

    pub(super) fn claiming(self, claim: [u8; 32]) -> Self {
        self.event("claim", &claim)
    }

    pub(super) fn bringing(self, envelope: CidBytes) -> Self {
        self.event("envelope", &envelope)
    }

    pub(super) fn due(mut self, due_ms: u64) -> Self {
        self.due_ms = Some(due_ms);
        self.event("due", &due_ms.to_be_bytes())
    }

    pub(super) fn keyed(mut self, key: u8) -> Self {
        self.request = Some(Request { idempotency_key: [key; 32], body: [0xbb; 32] });
        self
    }

    pub(super) fn refused(mut self) -> Self {
        self.effect = Effect::Refused { code: "policy-expired".into(), details: "too late".into() };
        self
    }

    pub(super) fn with(mut self, class: BlockClass, bytes: &[u8]) -> Self {
        self.blocks.push(Block { cid: cid(bytes), class, bytes: bytes.into() });
        self
    }

    pub(super) fn publishing(mut self, bytes: &[u8]) -> Self {
        self.publish.push(cid(bytes));
        self
    }

    pub(super) fn dropping(mut self, bytes: &[u8]) -> Self {
        self.drop_held.push(cid(bytes));
        self
    }
}

/// The CID of a raw block.
pub(super) fn cid(bytes: &[u8]) -> CidBytes {
    let mut cid = [0; 36];
    cid[..4].copy_from_slice(&[0x01, 0x55, 0x12, 0x20]);
    cid[4..].copy_from_slice(&Sha256::digest(bytes));
    cid
}

/// One append that must be taken.
pub(super) fn taken(log: &dyn EventLog, append: Append) -> Appended {
    one(log, append).unwrap()
}

pub(super) fn one(log: &dyn EventLog, append: Append) -> Result<Appended, NotWritten> {
    log.commit(vec![append]).unwrap().pop().unwrap()
}

pub(super) fn verified<S: Store, W: Send + Sync>(log: &Log<S, W>) -> verify::Report {
    let mut last = (0, 0);
    let report = verify::verify(log, &mut |done, total| {
        assert!(done > last.0 && done <= total);
        last = (done, total);
    });
    let report = report.unwrap();
    assert_eq!(last, (2 * report.head.count, 2 * report.head.count));
    report
}

/// Everything in a store.
pub(super) fn dump<S: Store>(store: &S) -> Vec<(Table, Vec<Entry>)> {
    let rows = |table| {
        let mut rows = Vec::new();
        let mut show = |key: &[u8], value: &[u8]| {
            rows.push((key.to_vec(), value.to_vec()));
            Ok(Continue(()))
        };
        store.scan(table, &[], &mut show).unwrap();
        (table, rows)
    };
    Table::ALL.map(rows).into()
}

/// A log with something in every table: three orders, refusals, claims, timers, blocks of both classes.
pub(super) fn fill(log: &dyn EventLog) {
    use BlockClass::{Held, Published};
    let placed = append(1, 0).keyed(1).claiming([0x11; 32]).bringing(cid(b"placed")).due(500);
    let batch = vec![
        placed.with(Published, b"placed").with(Held, b"input"),
        append(2, 0).keyed(2).bringing(cid(b"other")).with(Published, b"other"),
        append(1, 1).refused(),
    ];
    assert!(log.commit(batch).unwrap().iter().all(Result::is_ok));
    taken(log, append(1, 2).bringing(cid(b"committed")).publishing(b"input").due(900));
    taken(log, append(3, 0).claiming([0x33; 32]).due(700).with(Held, b"secret").with(Held, b"shred"));
    taken(log, append(3, 1).bringing(cid(b"placed")).dropping(b"shred").due(700));
}
