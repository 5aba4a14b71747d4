//! A commit: appends are checked, numbered and chained in order, then written at once.

use dta_events::index::Indexing;
use dta_events::record::{Aggregate, Record, hash_of};
use dta_proof::tree::Frontier;

use super::keys;
use super::open::{Entropy, Log, Pen, Writing};
use super::port::{
    Append, Appended, Block, BlockClass, CidBytes, Damage, EventLog, Head, NotWritten, PublishedAt,
    ReadError, StoredBlock, Uncertain,
};
use super::store::{Change, EngineError, Overlay, Store, Table};
use super::tree::leaf;
use crate::crash_points::{CrashPoint, reached};

impl<S: Store> EventLog for Log<S, Writing> {
    fn commit(&self, batch: Vec<Append>) -> Result<Vec<Result<Appended, NotWritten>>, Uncertain> {
        let Ok(mut pen) = self.writing.pen.lock() else {
            return Err(Uncertain("a commit before this one broke off".into()));
        };
        if pen.failed {
            return Err(Uncertain("a commit before this one failed".into()));
        }
        if !pen.space.has_room() {
            return Ok(batch.iter().map(|_| Err(NotWritten::SpaceReserve)).collect());
        }
        self.write(&mut pen, batch).map_err(|error| {
            pen.failed = true;
            Uncertain(error.to_string())
        })
    }

    fn writable(&self) -> Result<(), NotWritten> {
        let Ok(mut pen) = self.writing.pen.lock() else { return Err(NotWritten::Stopped) };
        if pen.failed {
            return Err(NotWritten::Stopped);
        }
        if pen.space.has_room() { Ok(()) } else { Err(NotWritten::SpaceReserve) }
    }
}

impl<S: Store> Log<S, Writing> {
    fn write(
        &self,
        pen: &mut Pen,
        batch: Vec<Append>,
    ) -> Result<Vec<Result<Appended, NotWritten>>, ReadError> {
        let mut draft = Draft::after(pen.head, pen.frontier.clone(), &self.store, &*self.indexing);
        let results = batch.into_iter().map(|append| draft.add(append, &mut pen.entropy));
        let results = results.collect::<Result<_, _>>()?;
        let (head, frontier, changes) = draft.finish();
        if head != pen.head {
            reached(CrashPoint::LogBeforeWrite);
            self.store.write(changes)?;
            (pen.head, pen.frontier) = (head, frontier);
        }
        Ok(results)
    }
}

/// A commit under way: the log as it will be.
pub(super) struct Draft<'a, S> {
    overlay: Overlay<'a, S>,
    indexing: &'a dyn Indexing,
    pub(super) head: Head,
    frontier: Frontier,
}

/// Why an append is not added: it is refused, or the whole commit has failed.
pub(super) enum Stop {
    Refused(NotWritten),
    Failed(ReadError),
}

impl From<NotWritten> for Stop {
    fn from(refused: NotWritten) -> Self {
        Self::Refused(refused)
    }
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Damage> for Stop {
    fn from(damage: Damage) -> Self {
        Self::Failed(damage.into())
    }
}

impl<'a, S: Store> Draft<'a, S> {
    pub(super) fn after(head: Head, frontier: Frontier, store: &'a S, indexing: &'a dyn Indexing) -> Self {
        Self { overlay: Overlay::over(store), indexing, head, frontier }
    }

    /// Adds an append, or nothing of it if it is refused.
    fn add(
        &mut self,
        append: Append,
        entropy: &mut Entropy,
    ) -> Result<Result<Appended, NotWritten>, ReadError> {
        match self.try_add(append, entropy) {
            Ok(appended) => {
                self.overlay.keep();
                self.head = Head { count: appended.sequence.saturating_add(1), hash: appended.hash };
                Ok(Ok(appended))
            }
            Err(Stop::Refused(refused)) => {
                self.overlay.discard();
                Ok(Err(refused))
            }
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    pub(super) fn finish(mut self) -> (Head, Frontier, Vec<Change>) {
        self.overlay.put(Table::Meta, keys::HEAD, keys::head_value(&self.head));
        self.overlay.keep();
        (self.head, self.frontier, self.overlay.into_changes())
    }

    /// What was put, without a record.
    pub(super) fn kept(mut self) -> Vec<Change> {
        self.overlay.keep();
        self.overlay.into_changes()
    }

    fn try_add(&mut self, append: Append, entropy: &mut Entropy) -> Result<Appended, Stop> {
        let actual = match self.is_at(&append.aggregate, append.expected_version)? {
            true => append.expected_version,
            false => self.version(&append.aggregate)?,
        };
        let mut record = Record {
            sequence: self.head.count,
            time_ms: append.time_ms,
            aggregate: append.aggregate,
            version: actual.saturating_add(1),
            by: append.by,
            request: append.request,
            trace_id: append.trace_id,
            command: append.command,
            effect: append.effect,
            previous: self.head.hash,
            nonce: [0; 32],
            blind: [0; 32],
        };
        for field in [&mut record.nonce, &mut record.blind] {
            entropy(field).map_err(|error| EngineError(format!("no random bytes: {error}")))?;
        }
        let claims = self.indexing.claims(&record);
        // Before the version: who repeats a request is to hear that it was answered.
        self.check_claims(&claims)?;
        if actual != append.expected_version {
            return Err(NotWritten::Version { expected: append.expected_version, actual }.into());
        }
        self.change_blocks(record.sequence, append.blocks, &append.publish, &append.drop_held)?;
        self.set_timer(&record.aggregate, append.due_ms)?;
        let stored = record.encode().map_err(|_| NotWritten::TooLarge)?;
        // From here on nothing is refused: the frontier, unlike the overlay, is not taken back.
        let hash = self.enter(&record, &claims, stored);
        Ok(Appended { sequence: record.sequence, version: record.version, hash })
    }

    /// A record as others made it, after the last one, with what it published. Its timer is set once all are there.
    pub(super) fn adopt(&mut self, stored: Vec<u8>, blocks: Vec<Block>) -> Result<(), Stop> {
        let sequence = self.head.count;
        let damage = |reason: String| Stop::from(Damage::Record { sequence, reason });
        let record = Record::decode(&stored).map_err(|error| damage(error.to_string()))?;
        self.indexing.understands(&record).map_err(damage)?;
        if (record.sequence, record.previous) != (sequence, self.head.hash) {
            return Err(damage("it does not follow the record before it".into()));
        }
        if !self.is_at(&record.aggregate, record.version.saturating_sub(1))? {
            return Err(damage("its version does not follow that of its history's last record".into()));
        }
        let claims = self.indexing.claims(&record);
        self.check_claims(&claims)?;
        self.change_blocks(sequence, blocks, &[], &[])?;
        let hash = self.enter(&record, &claims, stored);
        self.overlay.keep();
        self.head = Head { count: sequence.saturating_add(1), hash };
        Ok(())
    }

    /// Into the indexes, the tree and the records; its hash.
    fn enter(&mut self, record: &Record, claims: &[[u8; 32]], stored: Vec<u8>) -> [u8; 32] {
        let envelopes = self.indexing.envelopes(record);
        for (table, key, value) in keys::index_entries(record, claims, &envelopes) {
            self.overlay.put(table, key, value);
        }
        let hash = hash_of(&stored);
        for (place, node) in self.frontier.push(leaf(record, hash, &envelopes).hash()) {
            self.overlay.put(Table::Hashes, place.to_be_bytes(), node);
        }
        self.overlay.put(Table::Records, record.sequence.to_be_bytes(), stored);
        hash
    }

    /// Whether an aggregate is at this version, which it nearly always is: two lookups, where finding out which it is at takes
    /// an iterator over everything.
    fn is_at(&self, aggregate: &Aggregate, version: u64) -> Result<bool, Stop> {
        let has = |version| self.overlay.get(Table::Aggregates, &keys::aggregate_and(aggregate, version));
        Ok((version == 0 || has(version)?.is_some()) && has(version.saturating_add(1))?.is_none())
    }

    fn version(&self, aggregate: &Aggregate) -> Result<u64, Stop> {
        let Some((key, _)) =
            self.overlay.last(Table::Aggregates, &keys::aggregate_and(aggregate, u64::MAX))?
        else {
            return Ok(0);
        };
        let (found, version) = keys::split_aggregate(Table::Aggregates, &key)?;
        Ok(if found == *aggregate { version } else { 0 })
    }

    fn check_claims(&self, claims: &[[u8; 32]]) -> Result<(), Stop> {
        for claim in claims {
            if let Some(sequence) = self.overlay.get(Table::Claims, claim)? {
                let sequence = keys::integer(Table::Claims, &sequence)?;
                return Err(NotWritten::ClaimTaken { claim: *claim, sequence }.into());
            }
        }
        Ok(())
    }

    pub(super) fn change_blocks(
        &mut self,
        sequence: u64,
        blocks: Vec<Block>,
        publish: &[CidBytes],
        drop_held: &[CidBytes],
    ) -> Result<(), Stop> {
        let mut n = 0;
        for Block { cid, class, bytes } in blocks {
            match (self.block(&cid)?, class) {
                (Some(StoredBlock::Published(_)), _) | (Some(StoredBlock::Held(_)), BlockClass::Held) => {}
                (_, BlockClass::Held) => {
                    self.overlay.put(Table::Blocks, cid, keys::block_value(BlockClass::Held, &bytes));
                }
                (_, BlockClass::Published) => self.publish(sequence, &mut n, cid, &bytes),
            }
        }
        for cid in publish {
            match self.block(cid)? {
                Some(StoredBlock::Published(_)) => {}
                Some(StoredBlock::Held(block)) => self.publish(sequence, &mut n, *cid, &block.bytes),
                None => return Err(NotWritten::NotHeld { cid: *cid }.into()),
            }
        }
        for cid in drop_held {
            match self.block(cid)? {
                Some(StoredBlock::Published(_)) => return Err(NotWritten::NotHeld { cid: *cid }.into()),
                Some(StoredBlock::Held(_)) => self.overlay.delete(Table::Blocks, *cid),
                None => {}
            }
        }
        Ok(())
    }

    fn block(&self, cid: &CidBytes) -> Result<Option<StoredBlock>, Stop> {
        let value = self.overlay.get(Table::Blocks, cid)?;
        Ok(value.map(|value| keys::block_from(*cid, &value)).transpose()?)
    }

    fn publish(&mut self, sequence: u64, n: &mut u32, cid: CidBytes, bytes: &[u8]) {
        self.overlay.put(Table::Blocks, cid, keys::block_value(BlockClass::Published, bytes));
        self.overlay.put(Table::Published, keys::published_key(PublishedAt { sequence, n: *n }), cid);
        *n += 1;
    }

    fn set_timer(&mut self, aggregate: &Aggregate, due_ms: Option<u64>) -> Result<(), Stop> {
        let own = keys::timer_key(aggregate);
        if let Some(former) = self.overlay.get(Table::Timers, &own)? {
            let former = keys::integer(Table::Timers, &former)?;
            self.overlay.delete(Table::Timers, keys::due_key(former, aggregate));
            self.overlay.delete(Table::Timers, own);
        }
        for (key, value) in due_ms.into_iter().flat_map(|due_ms| keys::timer_entries(aggregate, due_ms)) {
            self.overlay.put(Table::Timers, key, value);
        }
        Ok(())
    }
}
