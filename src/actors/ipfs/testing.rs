//! What tests of the exchange and of the mirror share: a log to publish from, for only a log makes published blocks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dta_events::index::Indexing;
use dta_events::record::{Aggregate, AggregateKind, Effect, Record, Stored};
use dta_protocol::{Cid, Codec};

use crate::actors::log::memory::{MemoryLog, MemoryStore};
use crate::actors::log::{Append, Block, BlockClass, CidBytes, Entropy, EventLog, LogReader, PublishedBlock};

/// Indexes nothing but the blocks, which the log does itself.
struct Plain;

impl Indexing for Plain {
    fn understands(&self, _: &Record) -> Result<(), String> {
        Ok(())
    }
    fn claims(&self, _: &Record) -> Vec<[u8; 32]> {
        Vec::new()
    }
    fn envelopes(&self, _: &Record) -> Vec<CidBytes> {
        Vec::new()
    }
    fn due(&self, _: &Aggregate, _: &[Record]) -> Option<u64> {
        None
    }
}

/// A log in memory.
pub(crate) fn log() -> Arc<MemoryLog> {
    let seven: Entropy = Box::new(|bytes| {
        bytes.fill(7);
        Ok(())
    });
    Arc::new(MemoryLog::create(MemoryStore::default(), Arc::new(Plain), seven).unwrap())
}

pub(crate) fn raw(bytes: &[u8]) -> Cid {
    Cid::of(Codec::Raw, bytes)
}

/// Appends a record with these blocks; answers their CIDs.
pub(crate) fn append(log: &dyn EventLog, blocks: &[(Cid, BlockClass, &[u8])]) -> Vec<Cid> {
    let blocks: Vec<Block> = blocks
        .iter()
        .map(|(cid, class, bytes)| Block { cid: cid.to_bytes(), class: *class, bytes: bytes.to_vec() })
        .collect();
    let cids = blocks.iter().map(|block| Cid::from_bytes(&block.cid).unwrap()).collect();
    record(log, blocks, Vec::new());
    cids
}

/// Appends a record that publishes what was held.
pub(crate) fn publish_held(log: &dyn EventLog, cid: &Cid) {
    record(log, Vec::new(), vec![cid.to_bytes()]);
}

fn record(log: &dyn EventLog, blocks: Vec<Block>, publish: Vec<CidBytes>) {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&log.head().unwrap().count.to_be_bytes());
    let append = Append {
        aggregate: Aggregate { kind: AggregateKind::Order, id },
        expected_version: 0,
        time_ms: 1_700_000_000_000,
        by: "local".into(),
        request: None,
        trace_id: [0; 16],
        command: Stored { name: "do".into(), schema: 1, bytes: Vec::new() },
        effect: Effect::Events(Vec::new()),
        blocks,
        drop_held: Vec::new(),
        publish,
        due_ms: None,
    };
    log.commit(vec![append]).unwrap().pop().unwrap().unwrap();
}

/// Raw blocks with these contents, one record each; answers their CIDs.
pub(crate) fn publish(log: &dyn EventLog, contents: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Vec<Cid> {
    let published = |content: &[u8]| append(log, &[(raw(content), BlockClass::Published, content)]);
    contents.into_iter().flat_map(|content| published(content.as_ref())).collect()
}

/// A block as the log gives it, under a name that may be wrong.
pub(crate) fn published_as(cid: Cid, bytes: &[u8]) -> PublishedBlock {
    let log = log();
    append(&*log, &[(cid, BlockClass::Published, bytes)]);
    log.published_block(&cid.to_bytes()).unwrap().unwrap()
}

pub(crate) fn published(bytes: &[u8]) -> PublishedBlock {
    published_as(raw(bytes), bytes)
}

/// Waits for a condition that must come true of itself.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}: not within a minute");
        tokio::task::yield_now().await;
    }
}
