//! The log in memory, for tests: its writes can be made to fail, before or after they took effect.

use std::collections::BTreeMap;
use std::ops::Bound::{Included, Unbounded};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dta_events::index::Indexing;

use super::open::{Entropy, Log, OpenError, Writing};
use super::port::ReadError;
use super::space::SpaceReserve;
use super::store::{Change, EngineError, Entry, Store, Table, Visit};

/// A log in memory.
pub type MemoryLog = Log<MemoryStore, Writing>;

/// How a write fails. The writer cannot tell one from the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing of it is stored.
    Lost,
    /// All of it is stored.
    Persisted,
}

/// Tables in memory, shared by its clones: what a crash leaves behind.
#[derive(Clone, Default)]
pub struct MemoryStore {
    inner: Arc<Mutex<Inner>>,
}

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Default)]
struct Inner {
    tables: BTreeMap<Table, Arc<Rows>>,
    /// How many more writes succeed before one fails.
    fault: Option<(u64, Fault)>,
}

impl MemoryLog {
    /// A new log. Clones of its store open it again.
    pub fn create(
        store: MemoryStore,
        indexing: Arc<dyn Indexing>,
        entropy: Entropy,
    ) -> Result<Self, OpenError> {
        match store.get(Table::Meta, super::keys::LAYOUT_KEY)? {
            Some(_) => Err(OpenError::Exists("memory".into())),
            None => Self::begin(store, indexing, entropy, SpaceReserve::none()),
        }
    }

    /// The log in this store, as it is found after a crash.
    pub fn open(
        store: MemoryStore,
        indexing: Arc<dyn Indexing>,
        entropy: Entropy,
    ) -> Result<Self, OpenError> {
        Self::resume(store, indexing, entropy, SpaceReserve::none(), None)
    }
}

impl MemoryStore {
    /// Lets `successes` more writes through, then fails one.
    pub fn fail_after(&self, successes: u64, fault: Fault) {
        self.lock().fault = Some((successes, fault));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rows(&self, table: Table) -> Arc<Rows> {
        self.lock().tables.get(&table).cloned().unwrap_or_default()
    }
}

impl Store for MemoryStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(self.rows(table).get(key).cloned())
    }

    fn scan(&self, table: Table, from: &[u8], visit: &mut Visit) -> Result<(), ReadError> {
        for (key, value) in self.rows(table).range::<[u8], _>((Included(from), Unbounded)) {
            if let ControlFlow::Break(()) = visit(key, value)? {
                break;
            }
        }
        Ok(())
    }

    fn last(&self, table: Table, at_most: &[u8]) -> Result<Option<Entry>, EngineError> {
        let rows = self.rows(table);
        let last = rows.range::<[u8], _>((Unbounded, Included(at_most))).next_back();
        Ok(last.map(|(key, value)| (key.clone(), value.clone())))
    }

    fn write(&self, changes: Vec<Change>) -> Result<(), EngineError> {
        let mut inner = self.lock();
        let fault = match &mut inner.fault {
            Some((0, fault)) => Some(*fault),
            Some((successes, _)) => {
                *successes -= 1;
                None
            }
            None => None,
        };
        if fault == Some(Fault::Lost) {
            inner.fault = None;
            return Err(EngineError("a fault was asked for".into()));
        }
        for change in changes {
            match change {
                Change::Put(table, key, value) => {
                    Arc::make_mut(inner.tables.entry(table).or_default()).insert(key, value);
                }
                Change::Delete(table, key) => {
                    Arc::make_mut(inner.tables.entry(table).or_default()).remove(&key);
                }
                Change::Clear(table) => {
                    inner.tables.remove(&table);
                }
            }
        }
        if fault == Some(Fault::Persisted) {
            inner.fault = None;
            return Err(EngineError("a fault was asked for".into()));
        }
        Ok(())
    }
}
