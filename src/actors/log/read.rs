//! The lookups: each is one read of an index, or a few in order.

use std::ops::ControlFlow::{Break, Continue};

use dta_events::record::{Aggregate, AggregateKind, Record};
use dta_proof::Hash;

use super::keys;
use super::open::Log;
use super::port::{CidBytes, Damage, Head, LogReader, PublishedAt, PublishedBlock, ReadError, StoredBlock};
use super::store::{Store, Table};
use super::tree;

impl<S: Store, W> Log<S, W> {
    /// Whose history an envelope came into last, and with which record.
    fn place(&self, cid: &CidBytes) -> Result<Option<(Aggregate, u64)>, ReadError> {
        let place = self.store.get(Table::Envelopes, cid)?;
        Ok(place.map(|place| keys::split_aggregate(Table::Envelopes, &place)).transpose()?)
    }

    /// The record that an entry of the index of aggregates leads to.
    fn indexed(&self, aggregate: &Aggregate, version: u64, sequence: u64) -> Result<Record, ReadError> {
        let damage = |reason: String| Damage::Record { sequence, reason };
        let stored = self.store.get(Table::Records, &sequence.to_be_bytes())?;
        let stored = stored.ok_or_else(|| damage("the record is missing, its index entry is not".into()))?;
        let record = Record::decode(&stored).map_err(|error| damage(error.to_string()))?;
        if (record.sequence, record.aggregate, record.version) != (sequence, *aggregate, version) {
            return Err(other_record(sequence).into());
        }
        Ok(record)
    }
}

fn other_record(sequence: u64) -> Damage {
    Damage::Record { sequence, reason: "the record is not what its index entry says".into() }
}

impl<S: Store, W: Send + Sync> LogReader for Log<S, W> {
    fn head(&self) -> Result<Head, ReadError> {
        Ok(keys::head_from(self.store.get(Table::Meta, keys::HEAD)?)?)
    }

    fn read(&self, from_sequence: u64, limit: usize) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        let mut records = Vec::new();
        self.store.scan(Table::Records, &from_sequence.to_be_bytes(), &mut |key, stored| {
            if records.len() == limit {
                return Ok(Break(()));
            }
            let sequence = from_sequence.saturating_add(records.len() as u64);
            if keys::integer(Table::Records, key)? != sequence {
                return Err(Damage::Record { sequence, reason: "the record is missing".into() }.into());
            }
            records.push((sequence, stored.to_vec()));
            Ok(Continue(()))
        })?;
        Ok(records)
    }

    fn load(&self, aggregate: &Aggregate) -> Result<Vec<Record>, ReadError> {
        let mut records = Vec::new();
        self.store.scan(Table::Aggregates, &keys::aggregate_and(aggregate, 0), &mut |key, sequence| {
            let (found, version) = keys::split_aggregate(Table::Aggregates, key)?;
            if found != *aggregate {
                return Ok(Break(()));
            }
            let sequence = keys::integer(Table::Aggregates, sequence)?;
            if version != records.len() as u64 + 1 {
                return Err(other_record(sequence).into());
            }
            records.push(self.indexed(aggregate, version, sequence)?);
            Ok(Continue(()))
        })?;
        Ok(records)
    }

    fn newest(&self, aggregate: &Aggregate) -> Result<Option<Record>, ReadError> {
        let last = self.store.last(Table::Aggregates, &keys::aggregate_and(aggregate, u64::MAX))?;
        let Some((key, sequence)) = last else { return Ok(None) };
        let (found, version) = keys::split_aggregate(Table::Aggregates, &key)?;
        if found != *aggregate {
            return Ok(None);
        }
        let sequence = keys::integer(Table::Aggregates, &sequence)?;
        Ok(Some(self.indexed(aggregate, version, sequence)?))
    }

    fn hashes(&self, places: &[u64]) -> Result<Vec<Hash>, ReadError> {
        tree::read(&self.store, places)
    }

    fn aggregates(&self, kind: AggregateKind) -> Result<Vec<Aggregate>, ReadError> {
        let mut aggregates: Vec<Aggregate> = Vec::new();
        let mut from = keys::aggregate_key(&Aggregate { kind, id: [0; 32] }).to_vec();
        while let Some((key, _)) = self.store.first(Table::Aggregates, &from)? {
            let (found, _) = keys::split_aggregate(Table::Aggregates, &key)?;
            if found.kind != kind {
                break;
            }
            aggregates.push(found);
            from = keys::after_history(&found);
        }
        Ok(aggregates)
    }

    fn claim(&self, claim: &[u8; 32]) -> Result<Option<u64>, ReadError> {
        let sequence = self.store.get(Table::Claims, claim)?;
        Ok(sequence.map(|sequence| keys::integer(Table::Claims, &sequence)).transpose()?)
    }

    fn envelope(&self, cid: &CidBytes) -> Result<Option<Aggregate>, ReadError> {
        Ok(self.place(cid)?.map(|(aggregate, _)| aggregate))
    }

    fn brought_by(&self, cid: &CidBytes) -> Result<Option<u64>, ReadError> {
        Ok(self.place(cid)?.map(|(_, sequence)| sequence))
    }

    fn due(&self, until_ms: u64, limit: usize) -> Result<Vec<(u64, Aggregate)>, ReadError> {
        let mut due = Vec::new();
        self.store.scan(Table::Timers, &[keys::BY_DUE], &mut |key, _| {
            let (due_ms, aggregate) = keys::split_due(key)?;
            if due_ms > until_ms || due.len() == limit {
                return Ok(Break(()));
            }
            due.push((due_ms, aggregate));
            Ok(Continue(()))
        })?;
        Ok(due)
    }

    fn block(&self, cid: &CidBytes) -> Result<Option<StoredBlock>, ReadError> {
        let value = self.store.get(Table::Blocks, cid)?;
        Ok(value.map(|value| keys::block_from(*cid, &value)).transpose()?)
    }

    fn published_block(&self, cid: &CidBytes) -> Result<Option<PublishedBlock>, ReadError> {
        Ok(match self.block(cid)? {
            Some(StoredBlock::Published(block)) => Some(block),
            _ => None,
        })
    }

    fn published(
        &self,
        after: Option<PublishedAt>,
        limit: usize,
    ) -> Result<Vec<(PublishedAt, PublishedBlock)>, ReadError> {
        let mut from = after.map(|after| keys::published_key(after).to_vec()).unwrap_or_default();
        if after.is_some() {
            // The least key above it.
            from.push(0);
        }
        let mut blocks = Vec::new();
        self.store.scan(Table::Published, &from, &mut |key, cid| {
            if blocks.len() == limit {
                return Ok(Break(()));
            }
            let (at, cid) = keys::split_published(key, cid)?;
            let Some(block) = self.published_block(&cid)? else {
                return Err(keys::damage(Table::Published, "a block in it is not there, or held").into());
            };
            blocks.push((at, block));
            Ok(Continue(()))
        })?;
        Ok(blocks)
    }
}
