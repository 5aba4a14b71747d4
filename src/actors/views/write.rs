//! How read models come forward: record by record, or all anew.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dta_events::record::hash_of;
use dta_projections::{Change, Projection, Rows, advance};
use rocksdb::WriteBatch;

use super::database::{Database, Family, Generation, STATE_KEY, Standing, State, encoded, family_name};
use super::error::ViewsError;
use super::feed::{Entry, Feed};
use super::queries::Queries;
use crate::actors::log::LogReader;
use crate::crash_points::{CrashPoint, reached};

/// The read models, to write to. One thread has it; queries go on beside it.
///
/// Writes are not synced: after a power cut a read model stands at an earlier record and goes on from there.
pub struct Views {
    database: Arc<Database>,
}

impl Views {
    /// Opens the read models, or makes them: what is missing or has another schema is empty now and takes the log from
    /// its first record.
    ///
    /// # Errors
    /// `Open` if the engine refuses what is there or cannot read it, or another process has it.
    pub fn open(path: &Path, projections: &[&'static dyn Projection]) -> Result<Self, ViewsError> {
        let database = Database::open(path, projections).map_err(|error| match error {
            // What cannot be read is of no use, whichever file it is in.
            ViewsError::Engine(reason) => ViewsError::Open { path: path.display().to_string(), reason },
            error => error,
        })?;
        Ok(Self { database: Arc::new(database) })
    }

    /// Opens the read models to read what they hold now, also while a daemon writes to them.
    ///
    /// # Errors
    /// `Absent` if there are none; `Open` if the engine refuses what is there.
    pub fn open_read_only(
        path: &Path,
        projections: &[&'static dyn Projection],
    ) -> Result<Queries, ViewsError> {
        Ok(Queries::over(Arc::new(Database::open_read_only(path, projections)?)))
    }

    /// What reads them; clones read the same.
    pub fn queries(&self) -> Queries {
        Queries::over(self.database.clone())
    }

    /// The projections, in the order of their opening.
    pub fn projections(&self) -> &[&'static dyn Projection] {
        &self.database.projections
    }

    /// Begins anew each read model that is not of this log: one that stands beyond its end, or took another record last
    /// than the log has there. Answers which.
    ///
    /// # Errors
    /// `Log` or `Engine` if something cannot be read or written.
    pub fn reconcile(&self, log: &dyn LogReader) -> Result<Vec<&'static str>, ViewsError> {
        let mut anew = Vec::new();
        for projection in self.projections() {
            let standing = self.standing(*projection)?;
            if let Some(last) = standing.position.checked_sub(1) {
                let found = log.read(last, 1)?.first().map(|(_, stored)| hash_of(stored));
                if found != Some(standing.last) {
                    self.database.begin_anew(*projection)?;
                    anew.push(projection.name());
                }
            }
        }
        Ok(anew)
    }

    /// Applies records, which must follow where the read model stands; those before it are skipped. Rows, position and
    /// digest change in one write, or none does.
    ///
    /// # Errors
    /// `Halted` at a record that the projection cannot take, and `Broken` at one that does not follow: what came before
    /// it is applied. `Row` if a stored row is damaged; `Engine` if the disk fails.
    pub fn apply(&self, projection: &dyn Projection, entries: &[Entry]) -> Result<Standing, ViewsError> {
        let name = projection.name();
        let generation = self.database.current().get(name).copied();
        let generation =
            generation.ok_or(ViewsError::Schema { name, found: 0, known: projection.schema() })?;
        self.apply_to(generation, projection, entries)
    }

    /// Fills a new generation from the log and puts it in the place of the current one. Until then, and if it fails, the
    /// former one stays. `progress` hears how many of how many records are applied.
    ///
    /// # Errors
    /// As [`Views::apply`]; `Unknown` for a name that no projection has; `Record` and `Log` if the log cannot be read.
    pub fn rebuild(
        &self,
        name: &str,
        log: &dyn LogReader,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Standing, ViewsError> {
        let projection = self.database.projection(name)?;
        let generation = self.database.create(projection)?;
        match self.fill(generation, projection, log, progress) {
            Ok(standing) => {
                self.database.make_current(projection.name(), generation)?;
                Ok(standing)
            }
            Err(error) => {
                self.database.drop_family(&family_name(name, generation.number))?;
                Err(error)
            }
        }
    }

    fn fill(
        &self,
        generation: Generation,
        projection: &dyn Projection,
        log: &dyn LogReader,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Standing, ViewsError> {
        let head = log.head()?.count;
        let mut standing = self.apply_to(generation, projection, &[])?;
        progress(0, head);
        while standing.position < head {
            let Feed { entries, cut } = Feed::read(log, standing.position)?;
            let before = standing.position;
            standing = self.apply_to(generation, projection, &entries)?;
            progress(standing.position, head);
            if let Some(error) = cut {
                return Err(error);
            }
            if standing.position == before {
                return Err(ViewsError::Broken { reader: projection.name(), sequence: before });
            }
        }
        Ok(standing)
    }

    #[cfg(test)]
    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    fn standing(&self, projection: &dyn Projection) -> Result<Standing, ViewsError> {
        self.apply(projection, &[])
    }

    fn apply_to(
        &self,
        generation: Generation,
        projection: &dyn Projection,
        entries: &[Entry],
    ) -> Result<Standing, ViewsError> {
        let family = self.database.family(&family_name(projection.name(), generation.number))?;
        let state = self.database.state(&family, projection.name())?;
        let mut pass = Pass { database: &self.database, family, state, changed: BTreeMap::new() };
        let outcome = entries
            .iter()
            .filter(|entry| entry.record.sequence >= state.position)
            .try_for_each(|entry| pass.take(projection, entry));
        if pass.state != state {
            pass.write()?;
        }
        outcome?;
        let State { position, digest, last } = pass.state;
        Ok(Standing { generation: generation.number, schema: generation.schema, position, digest, last })
    }
}

/// A batch on its way: the rows it has changed so far are seen by the records after them.
struct Pass<'a> {
    database: &'a Database,
    family: Family<'a>,
    state: State,
    changed: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Pass<'_> {
    fn take(&mut self, projection: &dyn Projection, entry: &Entry) -> Result<(), ViewsError> {
        let Entry { record, hash } = entry;
        let (name, sequence) = (projection.name(), record.sequence);
        if (sequence, record.previous) != (self.state.position, self.state.last) {
            return Err(ViewsError::Broken { reader: name, sequence });
        }
        let rows = self.rows(projection.reads(record))?;
        let changes =
            projection.apply(&rows, record).map_err(|cause| ViewsError::Halted { name, sequence, cause })?;
        self.state = State {
            position: sequence.saturating_add(1),
            digest: advance(self.state.digest, sequence, &changes),
            last: *hash,
        };
        self.changed.extend(changes.into_iter().map(|Change { key, value }| (key, value)));
        Ok(())
    }

    fn rows(&self, keys: Vec<Vec<u8>>) -> Result<Rows, ViewsError> {
        let mut rows = BTreeMap::new();
        for key in keys {
            let row = match self.changed.get(&key) {
                Some(row) => row.clone(),
                None => self.database.engine.get_cf(&self.family, &key)?,
            };
            if let Some(row) = row {
                rows.insert(key, row);
            }
        }
        Ok(Rows::new(rows))
    }

    fn write(&self) -> Result<(), ViewsError> {
        let mut batch = WriteBatch::default();
        for (key, row) in &self.changed {
            match row {
                Some(row) => batch.put_cf(&self.family, key, row),
                None => batch.delete_cf(&self.family, key),
            }
        }
        batch.put_cf(&self.family, STATE_KEY, encoded(&self.state)?);
        reached(CrashPoint::ProjectionBeforeBatch);
        self.database.engine.write(batch)?;
        reached(CrashPoint::ProjectionBatchWritten);
        Ok(())
    }
}
