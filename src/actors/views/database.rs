//! The database of the read models: which column families there are, which is current, and where each stands.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use dta_events::codec;
use dta_events::record::NO_PREVIOUS;
use dta_projections::{Digest, Projection, decode_row, genesis};
use rocksdb::{
    BoundColumnFamily, Direction, IteratorMode, Options, SnapshotWithThreadMode, WriteBatch, WriteOptions,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::engine::{self, Engine, META};
use super::error::ViewsError;
use crate::crash_points::{CrashPoint, reached};

/// The row of a family that says where it stands. No projection's keys begin with a zero byte.
pub(super) const STATE_KEY: &[u8] = &[0];

pub(super) type Family<'a> = Arc<BoundColumnFamily<'a>>;
/// A key and its value.
type Row = (Box<[u8]>, Box<[u8]>);

/// Where a read model stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How often it has been made anew, counted from 1.
    pub generation: u64,
    /// The schema its rows are written in.
    pub schema: u16,
    /// The sequence of the record it takes next.
    pub position: u64,
    /// What it has changed so far.
    pub digest: Digest,
    /// SHA-256 of the record it took last, zeros before the first. Records name the one before them, so this stands for
    /// the whole log up to here: a read model of another home, or of a fork, is told by it.
    pub last: [u8; 32],
}

/// A generation, as `meta` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Generation {
    pub(super) number: u64,
    pub(super) schema: u16,
}

/// What [`STATE_KEY`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) position: u64,
    pub(super) digest: Digest,
    pub(super) last: [u8; 32],
}

impl State {
    pub(super) fn start(projection: &dyn Projection) -> Self {
        Self { position: 0, digest: genesis(projection), last: NO_PREVIOUS }
    }
}

pub(super) struct Database {
    pub(super) engine: Engine,
    pub(super) projections: Vec<&'static dyn Projection>,
    options: Options,
    /// A query holds it while it reads, so that the family it reads is not dropped under it.
    current: RwLock<BTreeMap<&'static str, Generation>>,
}

impl Database {
    /// Opens or makes the database to write to. What is not there, or has another schema, begins anew; generations
    /// that are not current are what a crash left of a rebuild, and go.
    pub(super) fn open(path: &Path, projections: &[&'static dyn Projection]) -> Result<Self, ViewsError> {
        let options = engine::family_options();
        let (engine, found) = engine::open(path, &options)?;
        let database = Self::over(engine, options, projections, true)?;
        for projection in projections {
            let schema = database.current().get(projection.name()).map(|generation| generation.schema);
            if schema != Some(projection.schema()) {
                database.begin_anew(*projection)?;
            }
        }
        let mut kept = vec![META.to_owned(), rocksdb::DEFAULT_COLUMN_FAMILY_NAME.to_owned()];
        kept.extend(database.current().iter().map(|(name, generation)| family_name(name, generation.number)));
        for name in found {
            if !kept.contains(&name) && database.engine.cf_handle(&name).is_some() {
                database.drop_family(&name)?;
            }
        }
        Ok(database)
    }

    /// Opens it to read what it holds now, also while a daemon writes to it; later changes are not seen.
    pub(super) fn open_read_only(
        path: &Path,
        projections: &[&'static dyn Projection],
    ) -> Result<Self, ViewsError> {
        let options = engine::family_options();
        let engine = engine::open_read_only(path, &options)?;
        Self::over(engine, options, projections, false)
    }

    fn over(
        engine: Engine,
        options: Options,
        projections: &[&'static dyn Projection],
        writable: bool,
    ) -> Result<Self, ViewsError> {
        let database = Self { engine, projections: projections.into(), options, current: RwLock::default() };
        let mut current = BTreeMap::new();
        for projection in projections {
            let stored = database.engine.get_cf(&database.family(META)?, current_key(projection.name()))?;
            // One that cannot be read is none: it begins anew.
            let generation = stored.and_then(|stored| codec::decode::<Generation>(&stored).ok());
            if let Some(generation) = generation
                && let Ok(family) = database.family(&family_name(projection.name(), generation.number))
                && (!writable || database.state(&family, projection.name()).is_ok())
            {
                current.insert(projection.name(), generation);
            }
        }
        *database.current.write().unwrap_or_else(PoisonError::into_inner) = current;
        Ok(database)
    }

    pub(super) fn current(&self) -> RwLockReadGuard<'_, BTreeMap<&'static str, Generation>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn projection(&self, name: &str) -> Result<&'static dyn Projection, ViewsError> {
        let known =
            || self.projections.iter().map(|projection| projection.name()).collect::<Vec<_>>().join(", ");
        self.projections
            .iter()
            .find(|projection| projection.name() == name)
            .copied()
            .ok_or_else(|| ViewsError::Unknown { name: name.into(), known: known() })
    }

    pub(super) fn family(&self, name: &str) -> Result<Family<'_>, ViewsError> {
        self.engine.cf_handle(name).ok_or_else(|| ViewsError::Engine(format!("no column family {name}")))
    }

    /// Where a family stands.
    pub(super) fn state(&self, family: &Family, name: &'static str) -> Result<State, ViewsError> {
        let stored = self.engine.get_cf(family, STATE_KEY)?;
        decode_row(&stored.unwrap_or_default()).map_err(|cause| ViewsError::Row { name, cause })
    }

    /// A new generation, empty, that is not current yet.
    pub(super) fn create(&self, projection: &dyn Projection) -> Result<Generation, ViewsError> {
        let name = projection.name();
        let stored = self.engine.get_cf(&self.family(META)?, current_key(name))?;
        let former = stored.and_then(|stored| codec::decode::<Generation>(&stored).ok());
        // Above the current one and above what a crash left behind.
        let mut number = former.map_or(0, |former| former.number).saturating_add(1);
        while self.engine.cf_handle(&family_name(name, number)).is_some() {
            number += 1;
        }
        self.engine.create_cf(family_name(name, number), &self.options)?;
        let mut batch = WriteBatch::default();
        batch.put_cf(
            &self.family(&family_name(name, number))?,
            STATE_KEY,
            encoded(&State::start(projection))?,
        );
        self.engine.write(batch)?;
        reached(CrashPoint::GenerationMade);
        Ok(Generation { number, schema: projection.schema() })
    }

    /// Makes a generation the one that queries read, by one put, and drops the former.
    pub(super) fn make_current(&self, name: &'static str, generation: Generation) -> Result<(), ViewsError> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // Synced, with all rows written before it: the former generation is dropped for good below.
        let mut synced = WriteOptions::default();
        synced.set_sync(true);
        reached(CrashPoint::GenerationFilled);
        self.engine.put_cf_opt(&self.family(META)?, current_key(name), encoded(&generation)?, &synced)?;
        reached(CrashPoint::GenerationSwapped);
        if let Some(former) = current.insert(name, generation) {
            self.drop_family(&family_name(name, former.number))?;
            reached(CrashPoint::GenerationDropped);
        }
        Ok(())
    }

    /// An empty generation takes the place of one that is no use.
    pub(super) fn begin_anew(&self, projection: &dyn Projection) -> Result<(), ViewsError> {
        self.make_current(projection.name(), self.create(projection)?)
    }

    pub(super) fn drop_family(&self, name: &str) -> Result<(), ViewsError> {
        Ok(self.engine.drop_cf(name)?)
    }

    /// Lets `read` see the current generation of a projection as it is at this moment.
    pub(super) fn read<T>(
        &self,
        projection: &'static dyn Projection,
        read: impl FnOnce(&Reader) -> Result<T, ViewsError>,
    ) -> Result<T, ViewsError> {
        let (name, known) = (projection.name(), projection.schema());
        let current = self.current();
        let generation = current.get(name).ok_or(ViewsError::Schema { name, found: 0, known })?;
        if generation.schema != known {
            return Err(ViewsError::Schema { name, found: generation.schema, known });
        }
        let family = self.family(&family_name(name, generation.number))?;
        read(&Reader { name, family, snapshot: self.engine.snapshot() })
    }

    /// Where the current generation stands; none if there is none.
    pub(super) fn standing(&self, name: &'static str) -> Result<Option<Standing>, ViewsError> {
        let current = self.current();
        let Some(&Generation { number, schema }) = current.get(name) else { return Ok(None) };
        let State { position, digest, last } = self.state(&self.family(&family_name(name, number))?, name)?;
        Ok(Some(Standing { generation: number, schema, position, digest, last }))
    }
}

/// One generation at one moment: whole record batches, whatever is written meanwhile.
pub(super) struct Reader<'a> {
    name: &'static str,
    family: Family<'a>,
    snapshot: SnapshotWithThreadMode<'a, Engine>,
}

impl Reader<'_> {
    /// A row.
    pub(super) fn row<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, ViewsError> {
        self.bytes(key)?.map(|row| self.decode(&row)).transpose()
    }

    /// A row as it is stored.
    pub(super) fn bytes(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewsError> {
        Ok(self.snapshot.get_cf(&self.family, key)?)
    }

    /// Rows in ascending order from a key on.
    pub(super) fn scan(&self, from: &[u8]) -> impl Iterator<Item = Result<Row, ViewsError>> + '_ {
        let from = IteratorMode::From(from, Direction::Forward);
        self.snapshot.iterator_cf(&self.family, from).map(|row| Ok(row?))
    }

    pub(super) fn decode<T: DeserializeOwned>(&self, row: &[u8]) -> Result<T, ViewsError> {
        decode_row(row).map_err(|cause| ViewsError::Row { name: self.name, cause })
    }
}

pub(super) fn encoded<T: Serialize>(value: &T) -> Result<Vec<u8>, ViewsError> {
    codec::encode(value).map_err(|error| ViewsError::Engine(error.to_string()))
}

pub(super) fn family_name(name: &str, generation: u64) -> String {
    format!("{name}.{generation}")
}

fn current_key(name: &str) -> String {
    format!("current/{name}")
}
