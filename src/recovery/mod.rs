//! Recovery: an empty machine with a node's seed builds its log again from what mirrors hold of it on IPFS.
//!
//! Checkpoints seal the records to the node itself, and name each other; records name the envelopes they brought. So from any
//! checkpoint all before it is found. What was written after the newest one is lost if anything was, and nobody can tell from
//! outside: therefore every recovery begins a new epoch (ADR 0026). Custody is not in the log: orders whose seed is nowhere
//! are `custody-lost` from then on.

mod chain;
mod counterparties;
mod custody;
mod error;
mod fetch;
mod fill;
mod heads;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dta_crypto::{Entropy as _, IdentityKeys, Secret};
use dta_events::Rules;
use dta_events::ids::{log_aggregate, node_aggregate};
use dta_events::log::{CHECKPOINT, Checkpointed, Event};
use dta_events::node::{self, Recovered};
use dta_events::record::{Aggregate, Effect, Record, Stored};
use dta_proof::checkpoints::Checkpoint;
use dta_protocol::{Cid, Identity};

use crate::actors::checkpoints::published::PublishedError;
use crate::actors::checkpoints::{Published, published};
use crate::actors::ipfs::BlockExchange;
use crate::actors::log::{Append, EventLog as _, LogReader as _, RocksLog};
use crate::actors::network::Network;
use crate::config::{Config, TEMPLATE, write_new};
use crate::home::{Home, HomeLock};
use crate::node::copies;
use crate::node::open::{entropy, epoch};
use crate::ports::{Clock, OsEntropy};
use error::io_at;
use fetch::Fetch;
use fill::Sealed;

pub use custody::Found;
pub use error::RecoverError;
pub use heads::heads_of;

/// The caller in the records that a recovery makes.
const BY: &str = "local";

/// Where a node is recovered from.
pub struct Sources {
    /// Fetches blocks from those who hold them.
    pub exchange: Arc<dyn BlockExchange>,
    /// Checkpoints to begin from: the newest that is the node's, and can be had, counts.
    pub heads: Vec<Cid>,
    /// How long is waited for a block.
    pub timeout: Duration,
    /// Copies of the seeds in custody, by the store that they are to be: a folder with `seeds.dta` each, or none if there is none.
    pub seeds: BTreeMap<String, Option<PathBuf>>,
    /// Go on although somebody has seen more records than are found, or seeds cannot be read.
    pub accept_loss: bool,
}

/// What was recovered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The node.
    pub identity: Cid,
    /// How many records.
    pub records: u64,
    /// When the last of them was written, milliseconds since 1970, UTC.
    pub up_to_ms: u64,
    /// The checkpoint that the recovered log goes on from, and its number.
    pub checkpoint: (Cid, u64),
    /// How many records that is about.
    pub size: u64,
    /// What it says the read models were then.
    pub digests: BTreeMap<String, [u8; 32]>,
    /// The epoch that begins.
    pub epoch: u64,
    /// The largest log of this node that anybody has seen, in records, if it is larger: so many are lost at least.
    pub seen: Option<u64>,
    /// Counterparties that were asked what they have seen, and those of them that answered.
    pub asked: (usize, usize),
    /// What became of custody.
    pub custody: Found,
}

/// Builds a node's log again in a home that has its seed and no log; what it is put together from is checked first, and the log
/// comes into its place last. `progress`: what is done, how much of how much.
///
/// # Errors
/// The home has no log then; see [`RecoverError`].
pub fn recover(
    home: &Home,
    config: &Config,
    seed: &Secret<32>,
    sources: Sources,
    (network, clock): (&Network, Arc<dyn Clock>),
    progress: &mut dyn FnMut(&'static str, u64, u64),
) -> Result<Report, RecoverError> {
    let _lock = HomeLock::acquire(home)?;
    if home.is_initialised() {
        return Err(RecoverError::Exists(home.root.clone()));
    }
    // Before hours of fetching: a copy that is not there is no copy.
    let from_copies = custody::copies(home, config, &sources.seeds)?;
    let keys = IdentityKeys::from_seed(seed);
    let fetch = Fetch { exchange: sources.exchange, network, timeout: sources.timeout };
    let (owner, heads) = heads::of_seed(&fetch, &keys, &sources.heads)?;
    let noted = noted(home, &owner)?;

    let building = Building::new(home.log_in_recovery())?;
    let log = RocksLog::create(&building.0, Arc::new(Rules), entropy())?
        .with_reserve(&building.0, config.storage.reserve_bytes);
    let checkpoints = newest_whole(&fetch, &owner, &heads, progress)?;
    let sealed_by = fill::fill(&fetch, &log, (&owner, &keys), &checkpoints, &mut |done, of| {
        progress("records", done, of);
    })?;
    log.set_timers(&mut |done| progress("timers", done, done))?;
    let head = log.head()?;

    let log = Arc::new(log);
    let (asked, mut seen) = counterparties::ask(&log, seed, &owner, network, clock.clone())?;
    seen.extend(noted.into_iter().map(|noted| noted.note));
    seen.extend(heads.into_iter().map(|head| head.note));
    let (last, digests) = last_that_holds(&checkpoints, &sealed_by, head.count)?;
    let epoch = counterparties::judge(&*log, epoch(&*log)?, &seen)?;
    let beyond =
        |note: &&dta_proof::Note| note.origin().epoch.saturating_add(1) == epoch && note.size() > head.count;
    let lost = seen.iter().filter(beyond).max_by_key(|note| note.size());
    if let Some(lost) = lost.filter(|_| !sources.accept_loss) {
        return Err(RecoverError::Loss { records: head.count, seen: lost.size() });
    }

    let mut home_id = [0; 16];
    OsEntropy.fill(&mut home_id);
    let recovered = node::Event::Recovered(Recovered {
        home: home_id,
        epoch,
        records: head.count,
        last: head.hash,
        checkpoint: last.cid,
        seen: lost.map(|note| note.text().to_owned()),
    });
    let now_ms = clock.wall_ms();
    let said = recovered.to_stored().map_err(|error| RecoverError::Records(error.to_string()))?;
    let told = Event::Checkpointed(last.clone()).to_stored();
    let told = told.map_err(|error| RecoverError::Records(error.to_string()))?;
    let command = Stored { name: CHECKPOINT.into(), schema: 1, bytes: Vec::new() };
    let recovered = append(&log, node_aggregate(), now_ms, said.clone(), said)?;
    let mut retold = append(&log, log_aggregate(&owner.cid()), now_ms, command, told)?;
    // No record before brought it.
    retold.blocks =
        fill::blocks_of(&fetch, checkpoints.iter().find(|checkpoint| checkpoint.cid() == last.cid))?;
    for written in log.commit(vec![recovered, retold])? {
        written?;
    }
    let report = Report {
        identity: owner.cid(),
        records: head.count,
        up_to_ms: newest_time(&log, head.count)?,
        checkpoint: (last.cid, last.number),
        size: last.size,
        digests,
        epoch,
        seen: lost.map(dta_proof::Note::size),
        asked,
        custody: custody::restore(
            home,
            config,
            (seed, &owner),
            &from_copies,
            &log,
            now_ms,
            sources.accept_loss,
        )?,
    };
    drop(Arc::into_inner(log));
    copies::note(home, config)?;
    settle(home, &building.0, &owner, &last)?;
    Ok(report)
}

/// The folder in which the log is built. What is still there when this is dropped, after the log itself, is of a try that failed.
struct Building(PathBuf);

impl Building {
    fn new(path: PathBuf) -> Result<Self, RecoverError> {
        if path.exists() {
            std::fs::remove_dir_all(&path).map_err(io_at(&path))?;
        }
        Ok(Self(path))
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        // If it stays, the next try removes it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What the home itself remembers of a log that is gone.
fn noted(home: &Home, owner: &Identity) -> Result<Vec<Published>, RecoverError> {
    let files = [home.checkpoint(), home.checkpoint_before_recovery()];
    let noted = files.iter().filter_map(|file| published::noted(file, owner).transpose());
    Ok(noted.collect::<Result<_, _>>()?)
}

/// The whole chain of the newest head that can be had; the others must be of it.
fn newest_whole(
    fetch: &Fetch<'_>,
    owner: &Identity,
    heads: &[heads::Head],
    progress: &mut dyn FnMut(&'static str, u64, u64),
) -> Result<Vec<Checkpoint>, RecoverError> {
    let mut wrong = Vec::new();
    for head in heads {
        let walked = chain::walk(fetch, owner, head.cid, &mut |done, of| progress("checkpoints", done, of));
        let chain = match walked {
            Ok(chain) => chain,
            Err(error @ RecoverError::Stopping) => return Err(error),
            // Another may lead to a whole chain.
            Err(error) => {
                tracing::warn!(head = %head.cid, number = head.number, %error, "a checkpoint that is passed over");
                wrong.push(format!("{}: {error}", head.cid));
                continue;
            }
        };
        for other in heads {
            let at = usize::try_from(other.number).ok().and_then(|number| chain.get(number));
            // Of an epoch that was left some checkpoints were abandoned.
            if let Some(at) = at
                && at.cid() != other.cid
                && at.note().origin().epoch == other.note.origin().epoch
            {
                let what = format!(
                    "checkpoints {} and {} have the same number, and are of two logs of this node: recover from one of \
                     them alone once you know which is the true one",
                    at.cid(),
                    other.cid
                );
                return Err(RecoverError::Conflict(what));
            }
        }
        return Ok(chain);
    }
    Err(RecoverError::NoHead(wrong.join("; ")))
}

/// The newest checkpoint whose note the recovered log bears out, as its record told of it: the one after it goes on from there.
fn last_that_holds(
    checkpoints: &[Checkpoint],
    sealed_by: &[Sealed],
    count: u64,
) -> Result<(Checkpointed, BTreeMap<String, [u8; 32]>), RecoverError> {
    let first = checkpoints.first().map(Checkpoint::cid);
    let last = checkpoints.iter().zip(sealed_by).rfind(|(checkpoint, _)| checkpoint.note().size() <= count);
    let (Some((last, sealed)), Some(first)) = (last, first) else {
        return Err(RecoverError::NoHead("none of its notes is of records that were sealed".into()));
    };
    let told = Checkpointed {
        cid: last.cid(),
        number: last.number(),
        first,
        skip: last.skip().to_vec(),
        issued_at_ms: last.envelope().statement().issued_at_ms,
        note: last.note().text().to_owned(),
        epoch: last.note().origin().epoch,
        size: last.note().size(),
        root: last.note().root(),
        sealed: sealed.records,
    };
    Ok((told, sealed.digests.clone()))
}

fn newest_time(log: &RocksLog, count: u64) -> Result<u64, RecoverError> {
    let Some((_, stored)) = log.read(count.saturating_sub(1), 1)?.pop() else { return Ok(0) };
    let record = Record::decode(&stored).map_err(|error| RecoverError::Record(error.to_string()))?;
    Ok(record.time_ms)
}

/// A record of the recovery's own.
fn append(
    log: &RocksLog,
    aggregate: Aggregate,
    now_ms: u64,
    command: Stored,
    event: Stored,
) -> Result<Append, RecoverError> {
    let mut trace_id = [0; 16];
    OsEntropy.fill(&mut trace_id);
    let version = log.newest(&aggregate)?.map_or(0, |record| record.version);
    Ok(Append::of(aggregate, version, now_ms, BY, trace_id, command, Effect::Events(vec![event])))
}

/// The log into its place, which makes the home a node's.
fn settle(home: &Home, building: &Path, owner: &Identity, last: &Checkpointed) -> Result<(), RecoverError> {
    write_new(home, TEMPLATE).map_err(io_at(&home.config()))?;
    // What follows from the log that is gone does not follow from this one.
    for folder in [home.views(), home.ipfs()] {
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(io_at(&folder))?;
        }
    }
    let note = dta_proof::Note::verify(&last.note, owner).map_err(PublishedError::from)?;
    // What was known before stays known, should this be interrupted.
    if home.checkpoint().exists() && !home.checkpoint_before_recovery().exists() {
        let (from, to) = (home.checkpoint(), home.checkpoint_before_recovery());
        std::fs::copy(&from, &to).map_err(io_at(&to))?;
    }
    published::write(&home.checkpoint(), &Published { cid: last.cid, number: last.number, note })
        .map_err(io_at(&home.checkpoint()))?;
    std::fs::rename(building, home.log()).map_err(io_at(building))?;
    std::fs::File::open(&home.root).and_then(|folder| folder.sync_all()).map_err(io_at(&home.root))
}

#[cfg(test)]
mod tests;
