//! The log on disk: RocksDB, one column family for each table.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use dta_events::index::Indexing;
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode,
    Direction, IteratorMode, LogLevel, Options, WriteBatch, WriteOptions,
};

use super::acknowledged::Acknowledged;
use super::keys;
use super::open::{Entropy, Log, OpenError, ReadOnly, Writing};
use super::port::ReadError;
use super::space::{RESERVE_BYTES, SpaceReserve};
use super::store::{Change, EngineError, Entry, Store, Table, Visit};
use crate::crash_points::{CrashPoint, reached};

/// The log of a node.
pub type RocksLog = Log<RocksStore, Writing>;
/// The log of a node that may be running, as it was when this was opened.
pub type RocksReader = Log<RocksStore, ReadOnly>;

/// What all column families share, in bytes: an idle node keeps little in memory.
const CACHE_BYTES: usize = 8 << 20;
const MEMTABLES_BYTES: usize = 16 << 20;
/// One column family's memtable, in bytes.
const MEMTABLE_BYTES: usize = 4 << 20;
/// The write-ahead log, in bytes, that a start may have to read.
const WAL_BYTES: u64 = 32 << 20;
const OPEN_FILES: i32 = 256;

/// A RocksDB database in a folder of its own.
pub struct RocksStore {
    pub(super) db: DB,
    /// None if it is only read.
    acknowledged: Option<Acknowledged>,
    #[cfg(test)]
    pub(super) options: Options,
}

impl RocksLog {
    /// Makes a log in a folder that is empty or does not exist. A crash before this returns leaves a folder that opens
    /// with an error: make it beside its final place and rename it.
    ///
    /// # Errors
    /// `Exists` if the folder has anything in it; `Read` if the disk fails.
    pub fn create(path: &Path, indexing: Arc<dyn Indexing>, entropy: Entropy) -> Result<Self, OpenError> {
        if !is_empty(path) {
            return Err(OpenError::Exists(path.display().to_string()));
        }
        let mut options = options(OPEN_FILES);
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        let db = DB::open_cf_descriptors(&options, path, tables());
        let store = RocksStore::over(db, options, Some(path))?;
        Self::begin(store, indexing, entropy, reserve(path, RESERVE_BYTES))
    }

    /// Opens the log to append to it; RocksDB lets one process do so. Checks the last 1,000 records and their index
    /// entries.
    ///
    /// # Errors
    /// `Absent` if there is none; `Newer` if a newer program laid it out; `Interrupted` if its indexes are half
    /// rebuilt; `Read` if the disk fails, another process has it, a file is missing or cut, or the tail is damaged.
    pub fn open(path: &Path, indexing: Arc<dyn Indexing>, entropy: Entropy) -> Result<Self, OpenError> {
        let acknowledged = Acknowledged::read(path).map_err(disk)?;
        if acknowledged.is_none() {
            tracing::warn!(
                "the log's ACKNOWLEDGED is missing or damaged: it cannot tell whether the log lost its end"
            );
        }
        let store = RocksStore::open(path)?;
        Self::resume(store, indexing, entropy, reserve(path, RESERVE_BYTES), acknowledged)
    }

    /// Opens the log to read what it holds now, also while a daemon appends to it; later records are not seen.
    ///
    /// # Errors
    /// As [`RocksLog::open`], except that another process may have it.
    pub fn open_read_only(path: &Path, indexing: Arc<dyn Indexing>) -> Result<RocksReader, OpenError> {
        let acknowledged = Acknowledged::read(path).map_err(disk)?;
        RocksReader::inspect(RocksStore::open_read_only(path)?, indexing, acknowledged)
    }

    /// The same log with another reserve than 64 MiB of the disk.
    pub fn with_reserve(self, path: &Path, reserve_bytes: u64) -> Self {
        self.with_space(reserve(path, reserve_bytes))
    }
}

impl RocksStore {
    /// Opens the store without looking into it: for `reindex`.
    ///
    /// # Errors
    /// `Absent` if there is none; `Read` as in [`RocksLog::open`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        if is_empty(path) {
            return Err(OpenError::Absent(path.display().to_string()));
        }
        let mut options = options(OPEN_FILES);
        // A log of the layout without a tree lacks its family, which `reindex` fills.
        options.create_missing_column_families(true);
        let db = DB::open_cf_descriptors(&options, path, tables());
        Ok(Self::over(db, options, Some(path))?)
    }

    fn open_read_only(path: &Path) -> Result<Self, OpenError> {
        if is_empty(path) {
            return Err(OpenError::Absent(path.display().to_string()));
        }
        // All files are opened at once, so that those the daemon's compaction deletes can still be read.
        let options = options(-1);
        let db = DB::open_cf_descriptors_read_only(&options, path, tables(), false);
        Ok(Self::over(db, options, None)?)
    }

    /// `folder` if it is to be written to.
    fn over(
        db: Result<DB, rocksdb::Error>,
        options: Options,
        folder: Option<&Path>,
    ) -> Result<Self, EngineError> {
        let db = db.map_err(engine)?;
        let acknowledged = folder.map(Acknowledged::open).transpose().map_err(disk)?;
        #[cfg(not(test))]
        drop(options);
        Ok(Self {
            db,
            acknowledged,
            #[cfg(test)]
            options,
        })
    }

    pub(super) fn family(&self, table: Table) -> Result<&ColumnFamily, EngineError> {
        self.db
            .cf_handle(table.name())
            .ok_or_else(|| EngineError(format!("no column family {}", table.name())))
    }
}

impl Store for RocksStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.db.get_cf(self.family(table)?, key).map_err(engine)
    }

    fn scan(&self, table: Table, from: &[u8], visit: &mut Visit) -> Result<(), ReadError> {
        let from = IteratorMode::From(from, Direction::Forward);
        for entry in self.db.iterator_cf(self.family(table)?, from) {
            let (key, value) = entry.map_err(engine)?;
            if let ControlFlow::Break(()) = visit(&key, &value)? {
                break;
            }
        }
        Ok(())
    }

    fn last(&self, table: Table, at_most: &[u8]) -> Result<Option<Entry>, EngineError> {
        let from = IteratorMode::From(at_most, Direction::Reverse);
        let last = self.db.iterator_cf(self.family(table)?, from).next();
        let last = last.transpose().map_err(engine)?;
        Ok(last.map(|(key, value)| (key.into(), value.into())))
    }

    fn write(&self, changes: Vec<Change>) -> Result<(), EngineError> {
        let mut batch = WriteBatch::default();
        for change in &changes {
            match change {
                Change::Put(table, key, value) => batch.put_cf(self.family(*table)?, key, value),
                Change::Delete(table, key) => batch.delete_cf(self.family(*table)?, key),
                // Above every key there is: none has 64 bytes.
                Change::Clear(table) => {
                    batch.delete_range_cf(self.family(*table)?, [].as_slice(), [0xff; 64].as_slice());
                }
            }
        }
        let mut synced = WriteOptions::default();
        synced.set_sync(true);
        self.db.write_opt(batch, &synced).map_err(engine)?;
        reached(CrashPoint::LogSynced);
        for change in &changes {
            if let (Change::Put(Table::Meta, key, head), Some(file)) = (change, &self.acknowledged)
                && key == keys::HEAD
            {
                file.note(head).map_err(disk)?;
                reached(CrashPoint::LogNoted);
            }
        }
        Ok(())
    }
}

fn engine(error: rocksdb::Error) -> EngineError {
    EngineError(error.into_string())
}

fn disk(error: std::io::Error) -> EngineError {
    EngineError(error.to_string())
}

fn reserve(path: &Path, reserve_bytes: u64) -> SpaceReserve {
    SpaceReserve::of(path.to_path_buf(), reserve_bytes)
}

fn is_empty(path: &Path) -> bool {
    std::fs::read_dir(path).map_or(true, |mut entries| entries.next().is_none())
}

fn tables() -> Vec<ColumnFamilyDescriptor> {
    let cache = Cache::new_lru_cache(CACHE_BYTES);
    let table = |table: Table| {
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(&cache);
        blocks.set_cache_index_and_filter_blocks(true);
        // Most lookups of a commit are for what is not there yet.
        blocks.set_bloom_filter(10.0, false);
        let mut options = Options::default();
        options.set_block_based_table_factory(&blocks);
        options.set_write_buffer_size(MEMTABLE_BYTES);
        options.set_compression_type(DBCompressionType::None);
        ColumnFamilyDescriptor::new(table.name(), options)
    };
    Table::ALL.map(table).into()
}

fn options(open_files: i32) -> Options {
    let mut options = Options::default();
    options.set_paranoid_checks(true);
    // A write torn by a crash can only be the last and was never acknowledged, so it goes. Anything else wrong with the
    // write-ahead log is an error: the default mode drops in silence all that follows the damage.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_db_write_buffer_size(MEMTABLES_BYTES);
    options.set_max_total_wal_size(WAL_BYTES);
    options.set_max_open_files(open_files);
    options.set_log_level(LogLevel::Warn);
    options.set_max_log_file_size(1 << 20);
    options.set_keep_log_file_num(2);
    options.set_stats_dump_period_sec(0);
    #[cfg(test)]
    options.enable_statistics();
    options
}
