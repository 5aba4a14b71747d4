//! Checks all of a log: every record, index entry and block.

use std::ops::ControlFlow::Continue;

use dta_events::record::{Aggregate, Record};

use super::chain::{Chain, Counts, is_indexed};
use super::keys;
use super::open::Log;
use super::port::{BlockClass, Head, LogReader, PublishedAt, ReadError, StoredBlock};
use super::store::{Store, Table};
use super::tree::{Growth, leaf};

/// What was found whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// The end of the log.
    pub head: Head,
    /// Histories.
    pub aggregates: u64,
    /// Claims taken.
    pub claims: u64,
    /// Envelopes indexed.
    pub envelopes: u64,
    /// Timers set.
    pub timers: u64,
    /// Blocks, of both classes.
    pub blocks: u64,
    /// Blocks that are published.
    pub published: u64,
}

/// Verifies a log that nobody writes to meanwhile; a live one is opened read-only for it. Takes as long as reading
/// everything twice; memory is bounded by the longest history.
///
/// `progress` is told how many of how many records are done, each counted twice: in the chain and in its history.
///
/// # Errors
/// The first damage found, with its place; `Engine` if the disk fails.
pub fn verify<S: Store, W: Send + Sync>(
    log: &Log<S, W>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, ReadError> {
    let head = log.head()?;
    let total = head.count.saturating_mul(2);
    let counts = check_records(log, &head, &mut |done| progress(done, total))?;
    let (aggregates, timers) = check_aggregates(log, &mut |done| progress(head.count + done, total))?;
    let (blocks, published) = check_blocks(log, &head)?;
    let Counts { claims, envelopes, .. } = counts;
    Ok(Report { head, aggregates, claims, envelopes, timers, blocks, published })
}

/// Checks the chain, and that indexes and tree hold what the records say and no more.
fn check_records<S: Store, W>(
    log: &Log<S, W>,
    head: &Head,
    progress: &mut dyn FnMut(u64),
) -> Result<Counts, ReadError> {
    let mut chain = Chain::start();
    let mut counts = Counts::default();
    let mut growth = Growth::from(&log.store, 0)?;
    log.store.scan(Table::Records, &[], &mut |key, stored| {
        let record = chain.accept(key, stored)?;
        growth.follow(leaf(&record, chain.head.hash, &log.indexing.envelopes(&record)))?;
        let own = is_indexed(&log.store, &*log.indexing, &record)?;
        counts.records += own.records;
        counts.claims += own.claims;
        counts.envelopes += own.envelopes;
        progress(record.sequence + 1);
        Ok(Continue(()))
    })?;
    chain.finish(head)?;
    growth.finish()?;
    // Every entry a record calls for is there, and no two records call for the same one: equal numbers, equal sets.
    let expected = [
        (Table::Aggregates, counts.records),
        (Table::Claims, counts.claims),
        (Table::Envelopes, counts.envelopes),
        (Table::Hashes, dta_proof::tree::stored(head.count)),
    ];
    for (table, expected) in expected {
        let found = count(&log.store, table)?;
        if found != expected {
            let reason = format!("{found} entries, the records say {expected}");
            return Err(keys::differs(table, reason).into());
        }
    }
    Ok(counts)
}

/// Checks each history, and that its timer is what it says.
fn check_aggregates<S: Store, W: Send + Sync>(
    log: &Log<S, W>,
    progress: &mut dyn FnMut(u64),
) -> Result<(u64, u64), ReadError> {
    let (mut aggregates, mut timers, mut done) = (0, 0, 0);
    each_history(log, &mut |aggregate, records| {
        aggregates += 1;
        done += records.len() as u64;
        for (key, value) in
            log.indexing.due(aggregate, records).iter().flat_map(|due| keys::timer_entries(aggregate, *due))
        {
            timers += 1;
            if log.store.get(Table::Timers, &key)? != Some(value) {
                let reason = "a timer is not what its history says";
                return Err(keys::differs(Table::Timers, reason).into());
            }
        }
        progress(done);
        Ok(())
    })?;
    let found = count(&log.store, Table::Timers)?;
    if found != timers {
        let reason = format!("{found} entries, the histories say {timers}");
        return Err(keys::differs(Table::Timers, reason).into());
    }
    Ok((aggregates, timers / 2))
}

type VisitHistory<'a> = dyn FnMut(&Aggregate, &[Record]) -> Result<(), ReadError> + 'a;

/// Shows each aggregate with its history.
pub(super) fn each_history<S: Store, W: Send + Sync>(
    log: &Log<S, W>,
    visit: &mut VisitHistory,
) -> Result<(), ReadError> {
    let mut from = Vec::new();
    while let Some((key, _)) = log.store.first(Table::Aggregates, &from)? {
        let (aggregate, _) = keys::split_aggregate(Table::Aggregates, &key)?;
        visit(&aggregate, &log.load(&aggregate)?)?;
        from = keys::after_history(&aggregate);
    }
    Ok(())
}

/// Checks each block against its CID, and that exactly the published ones are listed as such, once.
fn check_blocks<S: Store, W: Send + Sync>(log: &Log<S, W>, head: &Head) -> Result<(u64, u64), ReadError> {
    let (mut blocks, mut published) = (0, 0);
    log.store.scan(Table::Blocks, &[], &mut |key, value| {
        let damage = |reason: &str| keys::damage(Table::Blocks, reason);
        let cid = key.try_into().map_err(|_| damage("a key that is not a CID"))?;
        let (class, bytes) = match &keys::block_from(cid, value)? {
            StoredBlock::Published(block) => (BlockClass::Published, block.bytes.clone()),
            StoredBlock::Held(block) => (BlockClass::Held, block.bytes.clone()),
        };
        if !keys::cid_matches(&cid, &bytes) {
            return Err(damage("a block does not match its CID").into());
        }
        blocks += 1;
        published += u64::from(class == BlockClass::Published);
        Ok(Continue(()))
    })?;
    let mut listed = 0;
    let mut last: Option<PublishedAt> = None;
    log.store.scan(Table::Published, &[], &mut |key, cid| {
        let (at, cid) = keys::split_published(key, cid)?;
        let follows = match last {
            Some(last) if last.sequence == at.sequence => Some(at.n) == last.n.checked_add(1),
            _ => at.n == 0,
        };
        if !follows || at.sequence >= head.count || log.published_block(&cid)?.is_none() {
            let reason = format!("entry {} of sequence {} is not a published block", at.n, at.sequence);
            return Err(keys::damage(Table::Published, reason).into());
        }
        listed += 1;
        last = Some(at);
        Ok(Continue(()))
    })?;
    if listed != published {
        let reason = format!("{listed} entries for {published} published blocks");
        return Err(keys::damage(Table::Published, reason).into());
    }
    Ok((blocks, published))
}

fn count<S: Store>(store: &S, table: Table) -> Result<u64, ReadError> {
    let mut entries = 0;
    store.scan(table, &[], &mut |_, _| {
        entries += 1;
        Ok(Continue(()))
    })?;
    Ok(entries)
}
