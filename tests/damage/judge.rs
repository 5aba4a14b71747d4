//! Opens a home as the daemon does, in this process, and holds what it serves against what must be true.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use milagro_dta::actors::log::{LogReader, RocksLog, StoredBlock, verify::verify};
use milagro_dta::actors::projector::Projector;
use milagro_dta::actors::seeds::{Stores, trouble_of};
use milagro_dta::actors::views::{Replay, Views};
use milagro_dta::cli::causes;
use milagro_dta::cli::unlock::protection;
use milagro_dta::home::{Home as Layout, LockError};
use milagro_dta::node::derived::{read_models, unknown_seeds};
use milagro_dta::node::{OpenNode, OpenNodeError};
use tokio::sync::watch;

use crate::kit::pause;
use crate::specimen::Truth;

/// How long read models may take to catch up, and a lock to come free.
const PATIENCE: Duration = Duration::from_secs(30);

/// Begins what says that a read model answers with other rows than the log's.
pub const DIFFERS: &str = "not what the log says:";

/// What became of a home.
#[derive(Debug)]
pub enum Verdict {
    /// It does not start: why.
    Refused(String),
    /// It starts; what it said of itself, part by part, if not that all is well.
    Stands(Troubles),
}

/// What a home that starts says is wrong with it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Troubles {
    pub log: Vec<String>,
    /// By the number of the order in [`Truth::seeds`].
    pub custody: BTreeMap<usize, String>,
    pub views: Vec<String>,
    /// Seeds of orders that the log does not have.
    pub unknown_seeds: usize,
}

impl Troubles {
    pub fn none(&self) -> bool {
        *self == Self::default()
    }
}

/// Opens a home by the daemon's own way. A process that another test has just forked holds our lock too, until it runs its
/// own program: then it is asked again.
pub fn open(home: &Layout) -> Result<OpenNode, OpenNodeError> {
    let began = Instant::now();
    loop {
        match OpenNode::open(home.clone(), |config, keystore| protection(config, home, keystore, None)) {
            Err(OpenNodeError::Lock(LockError::InUse { .. })) if began.elapsed() < PATIENCE => pause(),
            opened => return opened,
        }
    }
}

/// Starts what a daemon starts up to the point where it would listen, and asks it for everything. Panics if any of it is
/// wrong rather than refused.
pub fn judge(home: &Layout, truth: &Truth) -> Verdict {
    let refused = |error: anyhow::Error| Verdict::Refused(causes(&error));
    let OpenNode { log, mut seeds, lock, .. } = match open(home) {
        Ok(node) => node,
        Err(error) => return refused(error.into()),
    };
    let views = match read_models(home, &*log) {
        Ok(views) => views,
        Err(error) => return refused(error.into()),
    };
    assert_eq!(seeds.status().remove(0).of.copies.len(), truth.copies, "a copy was left out in silence");
    let mut troubles = Troubles { log: ask_log(&log, truth), ..Troubles::default() };
    match unknown_seeds(&mut seeds, &*log) {
        Ok(unknown) => troubles.unknown_seeds = unknown.len(),
        Err(error) => troubles.log.push(error.to_string()),
    }
    match verify(&*log, &mut |_, _| {}) {
        Ok(_) => assert!(troubles.log.is_empty(), "verify calls this whole: {:?}", troubles.log),
        Err(error) => troubles.log.push(format!("verify: {error}")),
    }
    troubles.custody = ask_custody(&mut seeds, truth);
    troubles.views = ask_views(&log, views);
    drop(lock);
    Verdict::Stands(troubles)
}

/// Every record, history and block: what is answered is right, and nothing acknowledged is left out.
fn ask_log(log: &Arc<RocksLog>, truth: &Truth) -> Vec<String> {
    let mut troubles = Vec::new();
    let head = match log.head() {
        Ok(head) => head,
        Err(error) => return vec![error.to_string()],
    };
    let count = usize::try_from(head.count).unwrap();
    assert!(head.count >= truth.acknowledged, "{count} records of {} acknowledged", truth.acknowledged);
    assert!(count <= truth.records.len());
    match log.read(0, usize::MAX) {
        Ok(records) => {
            assert_eq!(records.len(), count, "a log that ends before its head");
            for (sequence, stored) in records {
                assert!(stored == truth.records[usize::try_from(sequence).unwrap()], "record {sequence}");
            }
        }
        Err(error) => troubles.push(error.to_string()),
    }
    let mut loaded = 0;
    for aggregate in &truth.aggregates {
        match log.load(aggregate) {
            Ok(records) => {
                loaded += records.len();
                for record in records {
                    let expected = &truth.records[usize::try_from(record.sequence).unwrap()];
                    assert!(record.encode().unwrap() == *expected, "record {}", record.sequence);
                }
            }
            Err(error) => troubles.push(error.to_string()),
        }
    }
    assert!(loaded == count || !troubles.is_empty(), "histories of {loaded} records in a log of {count}");
    let whole = count == truth.records.len();
    for (cid, (published, bytes)) in &truth.blocks {
        match log.block(cid) {
            Ok(Some(StoredBlock::Published(block))) => assert!(*published && block.bytes() == bytes),
            Ok(Some(StoredBlock::Held(block))) => assert!(!*published && block.bytes() == bytes),
            Ok(None) => assert!(!whole, "a block is gone in silence"),
            Err(error) => troubles.push(error.to_string()),
        }
    }
    troubles
}

/// Every seed: the right one, or an error that the status shows too.
fn ask_custody(seeds: &mut Stores, truth: &Truth) -> BTreeMap<usize, String> {
    let mut troubles = BTreeMap::new();
    let orders: Vec<_> = truth.seeds.iter().map(|(placed, _)| *placed).collect();
    for (n, key) in seeds.open(&orders).into_iter().enumerate() {
        match key {
            Ok(key) => assert!(key.commitment() == truth.seeds[n].1, "another key for order {n}"),
            Err(error) => _ = troubles.insert(n, error.to_string()),
        }
    }
    // A store that is whole and older than the log does not know what it lacks: each such order says so when it is asked.
    let shown = trouble_of(&seeds.status()).is_some();
    let lacks = |why: &String| why == "custody has no seed for this order";
    assert!(shown || troubles.values().all(lacks), "hidden: {troubles:?}");
    troubles
}

/// Brings the read models to the end of the log and compares every row with a replay.
fn ask_views(log: &Arc<RocksLog>, views: Views) -> Vec<String> {
    let mut troubles = Vec::new();
    let Ok(head) = log.head() else { return troubles };
    let queries = views.queries();
    let (_committed, next) = watch::channel(head.count);
    let projector = match Projector::start(log.clone(), views, next) {
        Ok(projector) => projector,
        Err(error) => return vec![error.to_string()],
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let caught_up = runtime.block_on(projector.handle().wait_for(head.count - 1, PATIENCE));
    assert_ne!(caught_up.map_err(|error| error.to_string()), Err("the read models are behind".to_owned()));
    for one in projector.handle().status() {
        if let Some(halted) = one.halted {
            troubles.push(format!("{}: {halted}", one.name));
            continue;
        }
        assert_eq!(one.position, head.count);
        let projection = dta_projections::all().into_iter().find(|known| known.name() == one.name).unwrap();
        let mut replay = Replay::start(projection);
        let compared = replay.run(&**log, one.position, &mut |_| {}).and_then(|()| {
            let standing = queries.standing(one.name)?.unwrap();
            replay.compare(&queries, &standing)
        });
        match compared {
            Ok(None) => {}
            // As `dta projection verify` would say.
            Ok(Some(difference)) => troubles.push(format!("{DIFFERS} {}: {difference}", one.name)),
            Err(error) => troubles.push(format!("{}: {error}", one.name)),
        }
    }
    projector.stop();
    troubles
}
