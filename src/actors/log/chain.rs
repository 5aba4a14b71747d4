//! The chain of records: each is whole, follows the one before it, and is found through the indexes.

use std::ops::ControlFlow;

use dta_events::index::Indexing;
use dta_events::record::{NO_PREVIOUS, Record, hash_of};
use dta_proof::tree::Frontier;

use super::keys;
use super::port::{Damage, Head, ReadError};
use super::store::{Store, Table};
use super::tree::{Growth, leaf};

/// Checks records in order, one at a time.
pub(super) struct Chain {
    /// How far it got.
    pub(super) head: Head,
}

impl Chain {
    /// From the first record.
    pub(super) fn start() -> Self {
        Self { head: Head { count: 0, hash: NO_PREVIOUS } }
    }

    /// From the record after this one, whose own chain is not looked at.
    pub(super) fn after(sequence: u64, stored: &[u8]) -> Self {
        Self { head: Head { count: sequence.saturating_add(1), hash: hash_of(stored) } }
    }

    /// Takes the next record of the table.
    pub(super) fn accept(&mut self, key: &[u8], stored: &[u8]) -> Result<Record, Damage> {
        let sequence = self.head.count;
        let damage = |reason: String| Damage::Record { sequence, reason };
        let found = keys::integer(Table::Records, key)?;
        if found != sequence {
            return Err(damage(format!("the record is missing; the next is {found}")));
        }
        let record = Record::decode(stored).map_err(|error| damage(error.to_string()))?;
        if record.sequence != sequence {
            return Err(damage(format!("the record says that it is {}", record.sequence)));
        }
        if record.previous != self.head.hash {
            return Err(damage("the record does not follow the one before it".into()));
        }
        if record.nonce == [0; 32] || record.blind == [0; 32] {
            return Err(damage("the record's nonce or blind is all zeros".into()));
        }
        self.head = Head { count: sequence.saturating_add(1), hash: hash_of(stored) };
        Ok(record)
    }

    /// The records must end where the log says.
    pub(super) fn finish(&self, head: &Head) -> Result<(), Damage> {
        if self.head.count != head.count {
            let reason = format!("the records end here, the log has {}", head.count);
            return Err(Damage::Record { sequence: self.head.count, reason });
        }
        if self.head.hash != head.hash {
            let reason = "the last record is not the one the log ended with".into();
            return Err(Damage::Record { sequence: head.count.saturating_sub(1), reason });
        }
        Ok(())
    }
}

/// Checks the last `records_max` records, that they are indexed, and that the tree has their leaves; the ones before them are
/// left to `verify`.
pub(super) fn check_tail<S: Store>(
    store: &S,
    indexing: &dyn Indexing,
    records_max: u64,
) -> Result<(Head, Frontier), ReadError> {
    let head = keys::head_from(store.get(Table::Meta, keys::HEAD)?)?;
    let first = head.count.saturating_sub(records_max);
    let mut chain = match first.checked_sub(1) {
        None => Chain::start(),
        Some(before) => match store.get(Table::Records, &before.to_be_bytes())? {
            Some(stored) => Chain::after(before, &stored),
            None => {
                let reason = "the record is missing".into();
                return Err(Damage::Record { sequence: before, reason }.into());
            }
        },
    };
    let mut growth = Growth::from(store, first)?;
    store.scan(Table::Records, &first.to_be_bytes(), &mut |key, stored| {
        let record = chain.accept(key, stored)?;
        is_indexed(store, indexing, &record)?;
        growth.follow(leaf(&record, chain.head.hash, &indexing.envelopes(&record)))?;
        Ok(ControlFlow::Continue(()))
    })?;
    chain.finish(&head)?;
    Ok((head, growth.finish()?))
}

/// Checks that a record's index entries are there, and returns how many of them are the record's alone to count: an
/// envelope that a later record brought again is counted there.
pub(super) fn is_indexed<S: Store>(
    store: &S,
    indexing: &dyn Indexing,
    record: &Record,
) -> Result<Counts, ReadError> {
    let sequence = record.sequence;
    let mut entries = keys::index_entries(record, &indexing.claims(record), &indexing.envelopes(record));
    entries.sort();
    entries.dedup();
    let mut counts = Counts::default();
    for (table, key, expected) in entries {
        let found = store.get(table, &key)?;
        let own = found.as_ref() == Some(&expected);
        let later = match (&found, table) {
            (Some(found), Table::Envelopes) => keys::split_aggregate(table, found)?.1 > sequence,
            _ => false,
        };
        if !own && !later {
            return Err(keys::differs(table, format!("record {sequence} is not in it")).into());
        }
        match table {
            Table::Aggregates => counts.records += 1,
            Table::Claims => counts.claims += 1,
            Table::Envelopes if own => counts.envelopes += 1,
            _ => {}
        }
    }
    Ok(counts)
}

/// How many index entries a record has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) records: u64,
    pub(super) claims: u64,
    pub(super) envelopes: u64,
}
