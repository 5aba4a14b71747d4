//! Builds the indexes and the Merkle tree again from the records, as if each had just been appended.

use std::ops::ControlFlow::Continue;
use std::sync::Arc;

use dta_events::index::Indexing;
use dta_proof::tree::Frontier;

use super::chain::Chain;
use super::keys;
use super::open::{Log, OpenError, ReadOnly, layout};
use super::port::{Damage, ReadError};
use super::store::{Change, Store, Table};
use super::tree::leaf;
use super::verify::each_history;
use crate::crash_points::{CrashPoint, reached};

/// How many changes are written at once.
const CHANGES_MAX: usize = 4_096;

/// Drops and rebuilds the indexes of a log that nobody has open; blocks stay. If it is interrupted the log does not
/// open until it has run again, to the end.
///
/// `progress` is told how many of how many records are done, each counted three times: checked, indexed, and in its
/// history.
///
/// # Errors
/// `Newer` for a newer layout. `Read` for damage in the records, found before anything is dropped; or if the disk fails.
pub fn reindex<S: Store>(
    store: S,
    indexing: Arc<dyn Indexing>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), OpenError> {
    layout(&store)?;
    let head = keys::head_from(store.get(Table::Meta, keys::HEAD)?)?;
    let total = head.count.saturating_mul(3);
    let mut chain = Chain::start();
    store.scan(Table::Records, &[], &mut |key, stored| {
        let record = chain.accept(key, stored)?;
        indexing
            .understands(&record)
            .map_err(|reason| Damage::Record { sequence: record.sequence, reason })?;
        progress(record.sequence + 1, total);
        Ok(Continue(()))
    })?;
    chain.finish(&head)?;

    let log = Log { store, indexing, writing: ReadOnly };
    let mut drop: Vec<_> = Table::INDEXES.map(Change::Clear).into();
    drop.push(Change::Put(Table::Meta, keys::REINDEXING.into(), Vec::new()));
    log.store.write(drop)?;
    reached(CrashPoint::ReindexCleared);
    index_records(&log, &mut |done| progress(head.count + done, total))?;
    index_timers(&log, &mut |done| progress(2 * head.count + done, total))?;
    reached(CrashPoint::ReindexFilled);
    log.store.write(vec![
        Change::Put(Table::Meta, keys::LAYOUT_KEY.into(), keys::LAYOUT.to_be_bytes().into()),
        Change::Delete(Table::Meta, keys::REINDEXING.into()),
    ])?;
    Ok(())
}

fn index_records<S: Store>(log: &Log<S, ReadOnly>, progress: &mut dyn FnMut(u64)) -> Result<(), ReadError> {
    let mut changes = Changes { store: &log.store, pending: Vec::new() };
    let mut chain = Chain::start();
    let mut frontier = Frontier::empty();
    log.store.scan(Table::Records, &[], &mut |key, stored| {
        let record = chain.accept(key, stored)?;
        let (claims, envelopes) = (log.indexing.claims(&record), log.indexing.envelopes(&record));
        for (table, key, value) in keys::index_entries(&record, &claims, &envelopes) {
            changes.put(table, key, value)?;
        }
        for (place, node) in frontier.push(leaf(&record, chain.head.hash, &envelopes).hash()) {
            changes.put(Table::Hashes, place.to_be_bytes().into(), node.into())?;
        }
        progress(record.sequence + 1);
        Ok(Continue(()))
    })?;
    changes.flush()
}

/// Sets the timer of each history.
pub(super) fn index_timers<S: Store, W: Send + Sync>(
    log: &Log<S, W>,
    progress: &mut dyn FnMut(u64),
) -> Result<(), ReadError> {
    let mut changes = Changes { store: &log.store, pending: Vec::new() };
    let mut done = 0;
    each_history(log, &mut |aggregate, records| {
        let due_ms = log.indexing.due(aggregate, records);
        for (key, value) in due_ms.iter().flat_map(|due_ms| keys::timer_entries(aggregate, *due_ms)) {
            changes.put(Table::Timers, key, value)?;
        }
        done += records.len() as u64;
        progress(done);
        Ok(())
    })?;
    changes.flush()
}

/// Puts that are written some thousands at a time.
struct Changes<'a, S> {
    store: &'a S,
    pending: Vec<Change>,
}

impl<S: Store> Changes<'_, S> {
    fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) -> Result<(), ReadError> {
        self.pending.push(Change::Put(table, key, value));
        if self.pending.len() >= CHANGES_MAX { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), ReadError> {
        Ok(self.store.write(std::mem::take(&mut self.pending))?)
    }
}
