//! What the log needs from an engine: a few ordered tables of bytes, and one atomic, synced write.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::port::ReadError;

/// The parts of the store. Keys and values: keys.rs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Table {
    /// sequence → record.
    Records,
    /// aggregate ‖ version → sequence.
    Aggregates,
    /// envelope CID → aggregate ‖ sequence.
    Envelopes,
    /// claim → sequence.
    Claims,
    /// aggregate → due, and due ‖ aggregate.
    Timers,
    /// CID → class ‖ content.
    Blocks,
    /// sequence ‖ n → CID of a published block.
    Published,
    /// place in the Merkle tree → hash.
    Hashes,
    /// What the log notes of itself.
    Meta,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Records,
        Self::Aggregates,
        Self::Envelopes,
        Self::Claims,
        Self::Timers,
        Self::Blocks,
        Self::Published,
        Self::Hashes,
        Self::Meta,
    ];

    /// Those that follow from the records.
    pub const INDEXES: [Self; 5] =
        [Self::Aggregates, Self::Envelopes, Self::Claims, Self::Timers, Self::Hashes];

    /// Its name in the store; frozen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Aggregates => "aggregates",
            Self::Envelopes => "envelopes",
            Self::Claims => "claims",
            Self::Timers => "timers",
            Self::Blocks => "blocks",
            Self::Published => "published",
            Self::Hashes => "hashes",
            Self::Meta => "meta",
        }
    }
}

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// What a scan shows, key and value at a time, until it breaks off.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, ReadError> + 'a;

/// One change of a write.
#[derive(Debug, Clone)]
pub enum Change {
    /// Sets a key.
    Put(Table, Vec<u8>, Vec<u8>),
    /// Removes a key, if it is there.
    Delete(Table, Vec<u8>),
    /// Removes all keys of a table.
    Clear(Table),
}

/// The disk or the engine failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("log engine: {0}")]
pub struct EngineError(pub String);

/// An ordered store. Keys are compared as bytes. All calls block; any number of threads may read while one writes.
/// Every error means the engine failed.
pub trait Store: Send + Sync {
    /// The value of a key.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError>;

    /// Shows a table in ascending order from a key on, as it was when the scan began. `visit` may read the store.
    fn scan(&self, table: Table, from: &[u8], visit: &mut Visit) -> Result<(), ReadError>;

    /// The greatest key that is not above this one.
    fn last(&self, table: Table, at_most: &[u8]) -> Result<Option<Entry>, EngineError>;

    /// Makes the changes in order, all or none, and returns once they would survive a crash. After an error it is
    /// unknown which of the two it was.
    fn write(&self, changes: Vec<Change>) -> Result<(), EngineError>;

    /// The first key at or after this one.
    fn first(&self, table: Table, from: &[u8]) -> Result<Option<Entry>, ReadError> {
        let mut first = None;
        self.scan(table, from, &mut |key, value| {
            first = Some((key.to_vec(), value.to_vec()));
            Ok(ControlFlow::Break(()))
        })?;
        Ok(first)
    }
}

/// Changes not yet written, over the store they will be written to: reads see them already. Those since the last
/// [`Overlay::keep`] can still be discarded.
pub(super) struct Overlay<'a, S> {
    store: &'a S,
    kept: Pending,
    latest: Pending,
}

type Pending = BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>;

impl<'a, S: Store> Overlay<'a, S> {
    pub(super) fn over(store: &'a S) -> Self {
        Self { store, kept: Pending::new(), latest: Pending::new() }
    }

    pub(super) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        let place = (table, key.to_vec());
        match self.latest.get(&place).or_else(|| self.kept.get(&place)) {
            Some(pending) => Ok(pending.clone()),
            None => self.store.get(table, key),
        }
    }

    /// As [`Store::last`], for a table from which nothing is deleted.
    pub(super) fn last(&self, table: Table, at_most: &[u8]) -> Result<Option<Entry>, EngineError> {
        let last_of = |pending: &Pending| {
            let last = pending.range((table, Vec::new())..=(table, at_most.to_vec())).next_back();
            last.and_then(|((_, key), value)| Some((key.clone(), value.clone()?)))
        };
        let stored = self.store.last(table, at_most)?;
        Ok(last_of(&self.latest).max(last_of(&self.kept)).max(stored))
    }

    pub(super) fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.latest.insert((table, key.into()), Some(value.into()));
    }

    pub(super) fn delete(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.latest.insert((table, key.into()), None);
    }

    pub(super) fn keep(&mut self) {
        // Not `append`, which makes the whole of what is kept anew, each time.
        self.kept.extend(std::mem::take(&mut self.latest));
    }

    pub(super) fn discard(&mut self) {
        self.latest.clear();
    }

    /// What was kept.
    pub(super) fn into_changes(self) -> Vec<Change> {
        let change = |((table, key), value)| match value {
            Some(value) => Change::Put(table, key, value),
            None => Change::Delete(table, key),
        };
        self.kept.into_iter().map(change).collect()
    }
}
