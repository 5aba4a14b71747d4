//! Proofs from the log, for whoever asks: that a record is in a tree, that a tree begins with another, and its tiles.

use dta_events::Rules;
use dta_events::index::Indexing as _;
use dta_events::record::{AggregateKind, Record, hash_of};
use dta_proof::tile::{Tile, bundled};
use dta_proof::tree::{self, TreeError};
use dta_proof::{Hash, Leaf};
use dta_protocol::Cid;

use super::log::{self, CidBytes, Damage, LogReader, ReadError, Tree};

/// Records read at once: each may have 192 KiB, and anybody may ask.
const CHUNK: usize = 16;

/// That a record is in the tree of `size` leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// How many leaves the tree has.
    pub size: u64,
    /// The record's leaf.
    pub leaf: Leaf,
    /// What opens its commitment to envelopes; only for who names one of them.
    pub brought: Option<Brought>,
    /// The audit path, from the leaf up.
    pub path: Vec<Hash>,
}

/// The envelopes of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brought {
    /// The record's blind.
    pub blind: [u8; 32],
    /// They, in its order.
    pub envelopes: Vec<Cid>,
}

/// That the record at `sequence` is in the tree of `size` leaves; none if it is not.
///
/// # Errors
/// The log cannot be read.
pub fn of_record(log: &dyn LogReader, sequence: u64, size: u64) -> Result<Option<Inclusion>, ReadError> {
    Ok(inclusion(log, sequence, size)?.map(|inclusion| Inclusion { brought: None, ..inclusion }))
}

/// That the newest record that brought this envelope is in the tree of `size` leaves. `Err(true)` inside: it is in the log and
/// not in that tree yet; `Err(false)`: it is not in the log, or is somebody's identity: whom a node knows is its own affair.
///
/// # Errors
/// The log cannot be read.
pub fn of_envelope(
    log: &dyn LogReader,
    envelope: &Cid,
    size: u64,
) -> Result<Result<Inclusion, bool>, ReadError> {
    let envelope = envelope.to_bytes();
    let Some(sequence) = log.brought_by(&envelope)? else { return Ok(Err(false)) };
    if log.envelope(&envelope)?.is_none_or(|aggregate| aggregate.kind == AggregateKind::Identity) {
        return Ok(Err(false));
    }
    Ok(inclusion(log, sequence, size)?.ok_or(true))
}

fn inclusion(log: &dyn LogReader, sequence: u64, size: u64) -> Result<Option<Inclusion>, ReadError> {
    if sequence >= size {
        return Ok(None);
    }
    let Some((_, stored)) = log.read(sequence, 1)?.pop() else { return Ok(None) };
    let (leaf, blind, envelopes) = leaf(sequence, &stored)?;
    let envelopes = envelopes.iter().filter_map(|cid| Cid::from_bytes(cid).ok()).collect();
    let Some(path) = within(tree::prove_inclusion(&Tree(log), size, sequence))? else { return Ok(None) };
    Ok(Some(Inclusion { size, leaf, brought: Some(Brought { blind, envelopes }), path }))
}

/// That the tree of `size` leaves begins with that of `old`; none unless 1 ≤ `old` ≤ `size` and the log is that long.
///
/// # Errors
/// The log cannot be read.
pub fn consistency(log: &dyn LogReader, size: u64, old: u64) -> Result<Option<Vec<Hash>>, ReadError> {
    within(tree::prove_consistency(&Tree(log), size, old))
}

/// The root of the tree of `size` leaves; none if the log is shorter.
///
/// # Errors
/// The log cannot be read.
pub fn root(log: &dyn LogReader, size: u64) -> Result<Option<Hash>, ReadError> {
    if size > log.head()?.count { Ok(None) } else { within(tree::root(&Tree(log), size)) }
}

/// The bytes of a tile in the tree of `size` leaves; none if the tree has not grown over it.
///
/// # Errors
/// The log cannot be read.
pub fn tile(log: &dyn LogReader, tile: &Tile, size: u64) -> Result<Option<Vec<u8>>, ReadError> {
    if tile.level.is_some() {
        return within(tile.hashes(&Tree(log), size));
    }
    let Some((first, end)) = tile.leaves().filter(|(_, end)| *end <= size) else { return Ok(None) };
    let (mut bundle, mut next) = (Vec::new(), first);
    while next < end {
        let chunk = log.read(next, CHUNK)?;
        if chunk.is_empty() {
            return Ok(None);
        }
        for (sequence, stored) in chunk.into_iter().take_while(|(sequence, _)| *sequence < end) {
            bundle.extend(bundled(&leaf(sequence, &stored)?.0.encode()));
            next = sequence.saturating_add(1);
        }
    }
    Ok(Some(bundle))
}

/// A record's leaf, and what it is made of.
fn leaf(sequence: u64, stored: &[u8]) -> Result<(Leaf, [u8; 32], Vec<CidBytes>), ReadError> {
    let record =
        Record::decode(stored).map_err(|error| Damage::Record { sequence, reason: error.to_string() })?;
    let envelopes = Rules.envelopes(&record);
    Ok((log::leaf(&record, hash_of(stored), &envelopes), record.blind, envelopes))
}

fn within<T>(answer: Result<T, TreeError<ReadError>>) -> Result<Option<T>, ReadError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(TreeError::Range) => Ok(None),
        Err(TreeError::Read(error)) => Err(error),
    }
}
