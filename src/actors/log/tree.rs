//! The Merkle tree over the records: its leaves follow from them, its hashes are stored as it grows (`dta_proof`).

use dta_events::record::Record;
use dta_proof::tree::{Frontier, Hashes, TreeError};
use dta_proof::{Hash, Leaf};

use super::keys;
use super::port::{CidBytes, LogReader, ReadError};
use super::store::{Store, Table};

/// The leaf of a record, which has this hash and brought these envelopes.
pub fn leaf(record: &Record, hash: [u8; 32], envelopes: &[CidBytes]) -> Leaf {
    Leaf::of(record.sequence, hash, &record.blind, envelopes)
}

/// The hashes at these places.
pub(super) fn read<S: Store>(store: &S, places: &[u64]) -> Result<Vec<Hash>, ReadError> {
    let one = |place: &u64| -> Result<Hash, ReadError> {
        let hash = store.get(Table::Hashes, &place.to_be_bytes())?;
        let hash = hash.as_deref().and_then(|hash| hash.try_into().ok());
        hash.ok_or_else(|| keys::differs(Table::Hashes, format!("no hash at {place}")).into())
    };
    places.iter().map(one).collect()
}

/// The right edge of the stored tree as it was with this many leaves.
fn frontier<S: Store>(store: &S, size: u64) -> Result<Frontier, ReadError> {
    Frontier::read(&Stored(store), size).map_err(whole)
}

/// Follows the stored tree as it grew. Each leaf is checked only once the next record is seen to follow its own: then it is
/// not the record that is wrong.
pub(super) struct Growth<'a, S> {
    store: &'a S,
    frontier: Frontier,
    waiting: Option<Leaf>,
}

impl<'a, S: Store> Growth<'a, S> {
    /// From a tree of this many leaves, which is believed.
    pub(super) fn from(store: &'a S, size: u64) -> Result<Self, ReadError> {
        Ok(Self { store, frontier: frontier(store, size)?, waiting: None })
    }

    /// The next record follows the one before it, and has this leaf.
    pub(super) fn follow(&mut self, leaf: Leaf) -> Result<(), ReadError> {
        let waited = self.waiting.replace(leaf);
        self.check(waited)
    }

    /// The last record is the one that the log ends with. The right edge of the whole tree.
    pub(super) fn finish(mut self) -> Result<Frontier, ReadError> {
        let waited = self.waiting.take();
        self.check(waited)?;
        Ok(self.frontier)
    }

    fn check(&mut self, leaf: Option<Leaf>) -> Result<(), ReadError> {
        let Some(leaf) = leaf else { return Ok(()) };
        for (place, expected) in self.frontier.push(leaf.hash()) {
            if read(self.store, &[place])? != [expected] {
                let reason = format!("the hash at {place} is not that of record {}", leaf.sequence);
                return Err(keys::differs(Table::Hashes, reason).into());
            }
        }
        Ok(())
    }
}

struct Stored<'a, S>(&'a S);

impl<S: Store> Hashes for Stored<'_, S> {
    type Error = ReadError;

    fn hashes(&self, places: &[u64]) -> Result<Vec<Hash>, ReadError> {
        read(self.0, places)
    }
}

/// The tree of a log, for proofs.
pub struct Tree<'a>(pub &'a dyn LogReader);

impl Hashes for Tree<'_> {
    type Error = ReadError;

    fn hashes(&self, places: &[u64]) -> Result<Vec<Hash>, ReadError> {
        self.0.hashes(places)
    }
}

/// The error where only the reader can fail.
fn whole(error: TreeError<ReadError>) -> ReadError {
    match error {
        TreeError::Read(error) => error,
        TreeError::Range => keys::differs(Table::Hashes, "it does not give what it was asked for").into(),
    }
}
