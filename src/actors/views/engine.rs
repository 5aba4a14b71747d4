//! RocksDB as the read models use it: small, and not synced.

use std::path::Path;

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, DBWithThreadMode, LogLevel,
    MultiThreaded, Options,
};

use super::error::ViewsError;

pub(super) type Engine = DBWithThreadMode<MultiThreaded>;

/// The family that says which generations are current.
pub(super) const META: &str = "meta";

/// What all column families share, in bytes: an idle node keeps little in memory.
const CACHE_BYTES: usize = 4 << 20;
const MEMTABLES_BYTES: usize = 8 << 20;
/// One column family's memtable, in bytes.
const MEMTABLE_BYTES: usize = 2 << 20;
/// The write-ahead log, in bytes, that a start may have to read.
const WAL_BYTES: u64 = 16 << 20;
const OPEN_FILES: i32 = 128;

/// Opens or makes the database; also answers which families it had.
pub(super) fn open(path: &Path, family: &Options) -> Result<(Engine, Vec<String>), ViewsError> {
    let mut options = options(OPEN_FILES);
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    let found = if is_absent(path) { Vec::new() } else { families(&options, path)? };
    let engine = Engine::open_cf_descriptors(&options, path, described(&found, family));
    Ok((engine.map_err(|error| refused(path, error))?, found))
}

/// Opens the database as it is now, also while another process writes to it.
pub(super) fn open_read_only(path: &Path, family: &Options) -> Result<Engine, ViewsError> {
    if is_absent(path) {
        return Err(ViewsError::Absent(path.display().to_string()));
    }
    // All files are opened at once, so that those the daemon's compaction deletes can still be read.
    let options = options(-1);
    let families = described(&families(&options, path)?, family);
    Engine::open_cf_descriptors_read_only(&options, path, families, false)
        .map_err(|error| refused(path, error))
}

/// RocksDB has nothing where there is no CURRENT, even if a crash interrupted its making.
fn is_absent(path: &Path) -> bool {
    !path.join("CURRENT").exists()
}

fn refused(path: &Path, error: rocksdb::Error) -> ViewsError {
    ViewsError::Open { path: path.display().to_string(), reason: error.into_string() }
}

fn families(options: &Options, path: &Path) -> Result<Vec<String>, ViewsError> {
    Engine::list_cf(options, path).map_err(|error| refused(path, error))
}

fn described(found: &[String], family: &Options) -> Vec<ColumnFamilyDescriptor> {
    let mut names: Vec<&str> = found.iter().map(String::as_str).collect();
    if !names.contains(&META) {
        names.push(META);
    }
    names.into_iter().map(|name| ColumnFamilyDescriptor::new(name, family.clone())).collect()
}

/// What each column family is set to; all that get these share one cache.
pub(super) fn family_options() -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(&Cache::new_lru_cache(CACHE_BYTES));
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_bloom_filter(10.0, false);
    let mut options = Options::default();
    options.set_block_based_table_factory(&blocks);
    options.set_write_buffer_size(MEMTABLE_BYTES);
    options.set_compression_type(DBCompressionType::None);
    options
}

/// The write-ahead log is recovered in RocksDB's default mode, up to a point in time: what a power cut takes from its
/// end is taken from rows, position and digest alike, and the projector goes on from there.
fn options(open_files: i32) -> Options {
    let mut options = Options::default();
    options.set_db_write_buffer_size(MEMTABLES_BYTES);
    options.set_max_total_wal_size(WAL_BYTES);
    options.set_max_open_files(open_files);
    options.set_log_level(LogLevel::Warn);
    options.set_max_log_file_size(1 << 20);
    options.set_keep_log_file_num(2);
    options.set_stats_dump_period_sec(0);
    options
}
