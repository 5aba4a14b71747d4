//! A read model in memory, from the log and the pure projection alone: what the stored one is compared with.

use std::collections::BTreeMap;

use dta_events::record::NO_PREVIOUS;
use dta_projections::{Digest, Projection, Rows, advance, genesis};

use super::database::Standing;
use super::error::ViewsError;
use super::feed::{Entry, Feed};
use super::queries::Queries;
use crate::actors::log::LogReader;

/// A projection's rows and digest after the records it was given. It holds all rows in memory.
pub struct Replay {
    projection: &'static dyn Projection,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    position: u64,
    digest: Digest,
    last: [u8; 32],
}

/// The first thing in which a stored read model is not what the log says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// It took other records than this log has, or more.
    #[error("it was not made from this log: the record before sequence {position} is another")]
    Log {
        /// Where it stands.
        position: u64,
    },
    /// A row that should be there is not.
    #[error("the row {key} is missing")]
    Missing {
        /// The row's key, in hex.
        key: String,
    },
    /// A row is there that should not be.
    #[error("the row {key} should not be there")]
    Extra {
        /// The row's key, in hex.
        key: String,
    },
    /// A row is not what it should be.
    #[error("the row {key} is {stored}, not {expected}")]
    Row {
        /// The row's key, in hex.
        key: String,
        /// What is stored, in hex.
        stored: String,
        /// What the log says, in hex.
        expected: String,
    },
    /// All rows are right, the digest is not.
    #[error("all rows are right, but the digest is {stored}, not {expected}")]
    Digest {
        /// What is stored, in hex.
        stored: String,
        /// What the log says, in hex.
        expected: String,
    },
}

impl Replay {
    /// An empty read model.
    pub fn start(projection: &'static dyn Projection) -> Self {
        let digest = genesis(projection);
        Self { projection, rows: BTreeMap::new(), position: 0, digest, last: NO_PREVIOUS }
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// `Broken` if it does not follow the one before; `Halted` if the projection cannot take it.
    pub fn take(&mut self, entry: &Entry) -> Result<(), ViewsError> {
        let Entry { record, hash } = entry;
        let (name, sequence) = (self.projection.name(), record.sequence);
        if (sequence, record.previous) != (self.position, self.last) {
            return Err(ViewsError::Broken { reader: name, sequence });
        }
        let seen = self.projection.reads(record).into_iter();
        let seen = seen.filter_map(|key| self.rows.get(&key).cloned().map(|row| (key, row)));
        let changes = self.projection.apply(&Rows::new(seen.collect()), record);
        let changes = changes.map_err(|cause| ViewsError::Halted { name, sequence, cause })?;
        self.digest = advance(self.digest, sequence, &changes);
        for change in changes {
            match change.value {
                Some(row) => self.rows.insert(change.key, row),
                None => self.rows.remove(&change.key),
            };
        }
        (self.position, self.last) = (sequence.saturating_add(1), *hash);
        Ok(())
    }

    /// Takes the log's records before a position, as far as there are any. `progress` hears how many.
    ///
    /// # Errors
    /// As [`Replay::take`]; `Record` and `Log` if the log cannot be read.
    pub fn run(
        &mut self,
        log: &dyn LogReader,
        until: u64,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), ViewsError> {
        while self.position < until {
            let Feed { entries, cut } = Feed::read(log, self.position)?;
            let before = self.position;
            for entry in entries.iter().take_while(|entry| entry.record.sequence < until) {
                self.take(entry)?;
            }
            progress(self.position);
            match cut {
                Some(error) if self.position < until => return Err(error),
                _ if self.position == before => break,
                _ => {}
            }
        }
        Ok(())
    }

    /// What the read model has changed so far.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Its rows.
    pub fn rows(&self) -> &BTreeMap<Vec<u8>, Vec<u8>> {
        &self.rows
    }

    /// The first difference from the stored read model, which stood at `standing` when it was opened and is not written
    /// to meanwhile.
    ///
    /// # Errors
    /// If the stored one cannot be read.
    pub fn compare(&self, stored: &Queries, standing: &Standing) -> Result<Option<Difference>, ViewsError> {
        if (self.position, self.last) != (standing.position, standing.last) {
            return Ok(Some(Difference::Log { position: standing.position }));
        }
        let mut first = None;
        let mut expected = self.rows.iter().peekable();
        stored.each_row(self.projection, &mut |key, row| {
            if first.is_some() {
                return;
            }
            first = match expected.next_if(|(next, _)| next.as_slice() <= key) {
                Some((next, _)) if next.as_slice() < key => {
                    Some(Difference::Missing { key: hex::encode(next) })
                }
                Some((_, right)) if right == row => None,
                Some((_, right)) => Some(Difference::Row {
                    key: hex::encode(key),
                    stored: hex::encode(row),
                    expected: hex::encode(right),
                }),
                None => Some(Difference::Extra { key: hex::encode(key) }),
            };
        })?;
        if let (None, Some((key, _))) = (&first, expected.next()) {
            first = Some(Difference::Missing { key: hex::encode(key) });
        }
        if first.is_none() && self.digest != standing.digest {
            first = Some(Difference::Digest {
                stored: hex::encode(standing.digest),
                expected: hex::encode(self.digest),
            });
        }
        Ok(first)
    }
}
