//! From checkpoints to a log: opens the records, fetches what they published, and holds the tree to each note on the way.

use std::collections::{BTreeMap, BTreeSet};

use dta_crypto::IdentityKeys;
use dta_events::Rules;
use dta_events::index::Indexing as _;
use dta_events::order::Event;
use dta_events::record::{AggregateKind, Effect, Record};
use dta_proof::checkpoints::Checkpoint;
use dta_proof::tree;
use dta_protocol::checkpoint::LogPart;
use dta_protocol::sealed::{self, SealRequest};
use dta_protocol::{Cid, Descriptor, Envelope, Identity, Plaintext as _, Role};

use super::RecoverError;
use super::fetch::Fetch;
use crate::actors::log::adopt::Adopted;
use crate::actors::log::{Block, BlockClass, LogReader as _, RocksLog, Tree};

/// Checkpoints whose records are opened together: a few MiB.
const CHECKPOINTS: usize = 8;
/// Records that are written together.
const RECORDS: usize = 256;

/// What the bodies of the checkpoints up to one gave.
pub(super) struct Sealed {
    /// How many records there were then.
    pub(super) records: u64,
    /// What the read models were at its note's size.
    pub(super) digests: BTreeMap<String, [u8; 32]>,
}

/// Fills the log with the records of these checkpoints, which go on where it ends.
///
/// # Errors
/// A body or block that nobody has, or that is not what it should be; records that are not those the notes commit to.
/// `progress`: how many of how many records. Answers what each checkpoint's body gave.
pub(super) fn fill(
    fetch: &Fetch<'_>,
    log: &RocksLog,
    (owner, keys): (&Identity, &IdentityKeys),
    checkpoints: &[Checkpoint],
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<Sealed>, RecoverError> {
    let mut sealed = log.head()?.count;
    let mut sealed_by = Vec::with_capacity(checkpoints.len());
    let total = checkpoints.last().map_or(0, |newest| newest.note().size());
    let mut notes = checkpoints.iter().peekable();
    for window in checkpoints.chunks(CHECKPOINTS) {
        let bodies = window.iter().map(|checkpoint| Ok(descriptor(checkpoint)?.cid));
        let bodies = fetch.all(bodies.collect::<Result<_, RecoverError>>()?)?;
        let mut records = Vec::new();
        for (checkpoint, body) in window.iter().zip(bodies) {
            let part = open(owner, keys, checkpoint, &body?)?;
            records.extend(part.records);
            let records = sealed.saturating_add(records.len() as u64);
            sealed_by.push(Sealed { records, digests: part.digests });
        }
        sealed = sealed.saturating_add(records.len() as u64);
        let mut records = records.into_iter();
        while records.len() > 0 {
            let count = log.head()?.count;
            // Up to the next note: there the tree is looked at.
            while notes.next_if(|checkpoint| checkpoint.note().size() <= count).is_some() {}
            let until = notes.peek().map_or(usize::MAX, |next| {
                usize::try_from(next.note().size().saturating_sub(count)).unwrap_or(usize::MAX)
            });
            let batch: Vec<_> = records.by_ref().take(RECORDS.min(until)).collect();
            log.adopt(with_blocks(fetch, log, batch)?)?;
            let count = log.head()?.count;
            while let Some(checkpoint) = notes.next_if(|checkpoint| checkpoint.note().size() == count) {
                holds(log, checkpoint)?;
            }
            progress(count, total);
        }
    }
    Ok(sealed_by)
}

/// The blocks of a checkpoint.
pub(super) fn blocks_of(
    fetch: &Fetch<'_>,
    checkpoint: Option<&Checkpoint>,
) -> Result<Vec<Block>, RecoverError> {
    let Some(checkpoint) = checkpoint else { return Ok(Vec::new()) };
    let published = |cid: Cid, bytes| Block { cid: cid.to_bytes(), class: BlockClass::Published, bytes };
    let body = descriptor(checkpoint)?.cid;
    let mut blocks = vec![published(checkpoint.cid(), checkpoint.envelope().block().to_vec())];
    for block in fetch.all(vec![body])? {
        blocks.push(published(body, block?));
    }
    Ok(blocks)
}

fn descriptor(checkpoint: &Checkpoint) -> Result<&Descriptor, RecoverError> {
    let sealed = checkpoint.envelope().statement().sealed_for(Role::Log);
    sealed.ok_or_else(|| RecoverError::Checkpoint {
        cid: checkpoint.cid(),
        why: "has no sealed records".into(),
    })
}

/// A checkpoint's body.
fn open(
    owner: &Identity,
    keys: &IdentityKeys,
    checkpoint: &Checkpoint,
    block: &[u8],
) -> Result<LogPart, RecoverError> {
    let wrong = |why: String| RecoverError::Checkpoint { cid: checkpoint.cid(), why };
    let cid = owner.cid();
    let descriptor = descriptor(checkpoint)?;
    let opened = SealRequest::of(checkpoint.envelope().statement(), Role::Log)
        .and_then(|request| sealed::open(keys, &cid, &request, descriptor, block))
        .and_then(|(key, plaintext)| {
            sealed::check_recipients(&key, &cid, &[(cid, owner.verifying())], descriptor)?;
            Ok(plaintext)
        });
    let plaintext = opened.map_err(|error| wrong(error.to_string()))?;
    LogPart::decode(plaintext.expose()).map_err(|error| wrong(error.to_string()))
}

/// The records, each with the blocks that it published.
fn with_blocks(
    fetch: &Fetch<'_>,
    log: &RocksLog,
    records: Vec<Vec<u8>>,
) -> Result<Vec<Adopted>, RecoverError> {
    let mut brought: Vec<Vec<Cid>> = Vec::with_capacity(records.len());
    // What was seen of an equivocation is kept with what came of its bodies, perhaps nothing.
    let mut evidence = BTreeSet::new();
    for bytes in &records {
        let record = Record::decode(bytes).map_err(|error| RecoverError::Record(error.to_string()))?;
        evidence.extend(evidence_of(&record));
        let envelopes = Rules.envelopes(&record);
        brought.push(envelopes.iter().filter_map(|cid| Cid::from_bytes(cid).ok()).collect());
    }
    let blocks = missing(fetch, log, brought.iter().flatten().copied())?;
    let blocks = blocks.into_iter().map(|(cid, block)| Ok((cid, block?)));
    let mut blocks = blocks.collect::<Result<BTreeMap<Cid, Vec<u8>>, RecoverError>>()?;
    let mut bodies: BTreeMap<Cid, Vec<Cid>> = BTreeMap::new();
    for (cid, block) in &blocks {
        let envelope = Envelope::decode(block);
        let envelope =
            envelope.map_err(|error| RecoverError::Checkpoint { cid: *cid, why: error.to_string() })?;
        bodies.insert(*cid, envelope.statement().sealed.iter().map(|descriptor| descriptor.cid).collect());
    }
    let optional: BTreeSet<Cid> =
        evidence.iter().filter_map(|cid| bodies.get(cid)).flatten().copied().collect();
    for (cid, block) in missing(fetch, log, bodies.values().flatten().copied())? {
        match block {
            Ok(block) => drop(blocks.insert(cid, block)),
            Err(_) if optional.contains(&cid) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut take = |cid: Cid| {
        let bytes = blocks.remove(&cid)?;
        Some(Block { cid: cid.to_bytes(), class: BlockClass::Published, bytes })
    };
    let adopted = records.into_iter().zip(brought).map(|(record, envelopes)| {
        let of = |envelope: Cid| {
            std::iter::once(envelope).chain(bodies.get(&envelope).into_iter().flatten().copied())
        };
        Adopted { record, blocks: envelopes.into_iter().flat_map(of).filter_map(&mut take).collect() }
    });
    Ok(adopted.collect())
}

fn evidence_of(record: &Record) -> Vec<Cid> {
    let (AggregateKind::Order, Effect::Events(events)) = (record.aggregate.kind, &record.effect) else {
        return Vec::new();
    };
    let second = |event| match event {
        Event::EquivocationSeen { second, .. } => Some(second),
        _ => None,
    };
    events.iter().filter_map(|stored| Event::from_stored(stored).ok()).filter_map(second).collect()
}

/// Those of these blocks that the log does not have yet, each once.
fn missing(
    fetch: &Fetch<'_>,
    log: &RocksLog,
    cids: impl Iterator<Item = Cid>,
) -> Result<BTreeMap<Cid, super::fetch::Fetched>, RecoverError> {
    let mut wanted = BTreeSet::new();
    for cid in cids {
        if !wanted.contains(&cid) && log.block(&cid.to_bytes())?.is_none() {
            wanted.insert(cid);
        }
    }
    let wanted: Vec<Cid> = wanted.into_iter().collect();
    let fetched = fetch.all(wanted.clone())?;
    Ok(wanted.into_iter().zip(fetched).collect())
}

/// The log, which has as many records as the note is about, is the one that it is about.
fn holds(log: &RocksLog, checkpoint: &Checkpoint) -> Result<(), RecoverError> {
    let wrong = |why: &str| RecoverError::Checkpoint { cid: checkpoint.cid(), why: why.into() };
    match tree::root(&Tree(log), checkpoint.note().size()) {
        Ok(root) if root == checkpoint.note().root() => Ok(()),
        Ok(_) => Err(wrong("commits to other records than those that were sealed")),
        Err(tree::TreeError::Read(error)) => Err(error.into()),
        Err(tree::TreeError::Range) => Err(wrong("commits to more records than there are")),
    }
}
