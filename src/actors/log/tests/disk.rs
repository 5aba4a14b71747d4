//! The log on disk: it comes back as it was, or says why it cannot.

use std::fs;
use std::path::PathBuf;

use rocksdb::{DB, Options};
use tempfile::TempDir;

use super::rocks::RocksStore;
use super::*;

/// A folder with a log in it, and everything it held.
pub(super) fn filled() -> (TempDir, Vec<(Table, Vec<Entry>)>) {
    let folder = tempfile::tempdir().unwrap();
    let log = rocks(folder.path());
    fill(&log);
    let held = dump(&log.store);
    (folder, held)
}

pub(super) fn open(path: &Path) -> Result<RocksLog, OpenError> {
    RocksLog::open(path, rules(), entropy())
}

pub(super) fn fails(path: &Path) -> String {
    open(path).err().expect("it must not open").to_string()
}

pub(super) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.to_string_lossy().ends_with(ending)).collect()
}

pub(super) fn copy_of(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in files(folder, "") {
        fs::copy(&file, copy.path().join(file.file_name().unwrap())).unwrap();
    }
    copy
}

/// Moves everything from the write-ahead log into sorted files.
pub(super) fn flush(folder: &Path) {
    let log = open(folder).unwrap();
    let families = Table::ALL.map(|table| log.store.family(table).unwrap());
    log.store.db.flush_cfs_opt(&families, &Default::default()).unwrap();
}

#[test]
fn it_comes_back_as_it_was() {
    let (folder, held) = filled();
    for _ in 0..2 {
        let log = open(folder.path()).unwrap();
        assert_eq!(dump(&log.store), held);
        verified(&log);
        drop(log);
        flush(folder.path());
    }
    let log = open(folder.path()).unwrap();
    assert_eq!(taken(&log, append(1, 3)).sequence, 6);
    verified(&log);
}

#[test]
fn memory_and_disk_hold_the_same_bytes_and_they_are_frozen() {
    let (_folder, held) = filled();
    let store = MemoryStore::default();
    fill(&memory(&store));
    assert_eq!(dump(&store), held);

    let rows = |table| held.iter().find(|(of, _)| *of == table).map(|(_, rows)| rows.as_slice()).unwrap();
    let hex = |(key, value): &Entry| (hex::encode(key), hex::encode(value));
    let first = |table| hex(&rows(table)[0]);
    let (one, three) = ("03".to_owned() + &"01".repeat(32), "03".to_owned() + &"03".repeat(32));
    let placed = hex::encode(cid(b"placed"));
    assert_eq!(first(Table::Aggregates), (one.clone() + "0000000000000001", "0000000000000000".into()));
    assert_eq!(first(Table::Claims), ("01".repeat(32), "0000000000000000".into()));
    let owner = (placed.clone(), three.clone() + "0000000000000005");
    assert!(rows(Table::Envelopes).iter().map(hex).any(|entry| entry == owner));
    assert_eq!(first(Table::Timers), ("61".to_owned() + &one, "0000000000000384".into()));
    assert_eq!(hex(&rows(Table::Timers)[2]), ("64".to_owned() + "00000000000002bc" + &three, "".into()));
    assert_eq!(first(Table::Published), ("000000000000000000000000".into(), placed.clone()));
    let block = (placed, "01".to_owned() + &hex::encode("placed"));
    assert!(rows(Table::Blocks).iter().map(hex).any(|entry| entry == block));
    let secret = (hex::encode(cid(b"secret")), "00".to_owned() + &hex::encode("secret"));
    assert!(rows(Table::Blocks).iter().map(hex).any(|entry| entry == secret));
    let head = hex(&rows(Table::Meta)[0]);
    assert_eq!((head.0, &head.1[..16]), (hex::encode("head"), "0000000000000006"));
    // The chain makes this one hash stand for all six records.
    assert_eq!(head.1[16..], *"253fdb8b8c829c293bdc9d44ee1c79a641cabbb5a28a79c36a8662c8b104354a");
    assert_eq!(hex(&rows(Table::Meta)[1]), (hex::encode("layout"), "0002".into()));
}

#[test]
fn one_log_one_place_one_writer() {
    let (folder, _) = filled();
    let here = folder.path();
    let exists = RocksLog::create(here, rules(), entropy()).err();
    assert_eq!(exists, Some(OpenError::Exists(here.display().to_string())));
    let log = open(here).unwrap();
    assert!(fails(here).contains("lock"), "{}", fails(here));
    drop(log);
    for absent in [here.join("nowhere"), here.join("empty")] {
        if absent.ends_with("empty") {
            fs::create_dir(&absent).unwrap();
        }
        assert_eq!(open(&absent).err(), Some(OpenError::Absent(absent.display().to_string())));
        assert!(RocksLog::open_read_only(&absent, rules()).is_err());
        assert!(fs::read_dir(&absent).map_or(0, Iterator::count) == 0, "looking makes nothing");
    }
}

#[test]
fn a_reader_beside_the_writer_sees_what_was_there() {
    let (folder, held) = filled();
    let log = open(folder.path()).unwrap();
    let reader = RocksLog::open_read_only(folder.path(), rules()).unwrap();
    taken(&log, append(9, 0));
    assert_eq!(dump(&reader.store), held);
    assert_eq!(verified(&reader).head.count, 6);
    let later = RocksLog::open_read_only(folder.path(), rules()).unwrap();
    assert_eq!(verified(&later).head.count, 7);
    taken(&log, append(9, 1));
    verified(&log);
}

#[test]
fn reindex_on_disk_gives_the_same_bytes() {
    let (folder, held) = filled();
    reindex::reindex(RocksStore::open(folder.path()).unwrap(), rules(), &mut |_, _| {}).unwrap();
    let log = open(folder.path()).unwrap();
    assert_eq!(dump(&log.store), held);
    verified(&log);
}

#[test]
fn a_full_disk_is_refused_before_it_is_full() {
    let (folder, held) = filled();
    let log = open(folder.path()).unwrap().with_reserve(folder.path(), u64::MAX);
    let results = log.commit(vec![append(9, 0), append(9, 1)]).unwrap();
    assert_eq!(results, [Err(NotWritten::SpaceReserve), Err(NotWritten::SpaceReserve)]);
    assert_eq!(dump(&log.store), held, "and it can still be read");
    let log = log.with_reserve(folder.path(), 0);
    taken(&log, append(9, 0));
}

#[test]
fn a_file_that_is_gone_or_cut_is_an_error() {
    let (folder, _) = filled();
    flush(folder.path());
    let tables = files(folder.path(), ".sst");
    assert_eq!(tables.len(), Table::ALL.len());
    for table in &tables {
        let name = table.file_name().unwrap();
        let gone = copy_of(folder.path());
        fs::remove_file(gone.path().join(name)).unwrap();
        assert!(fails(gone.path()).starts_with("log engine: "));
        assert!(RocksLog::open_read_only(gone.path(), rules()).is_err());
        let cut = copy_of(folder.path());
        let file = fs::File::options().write(true).open(cut.path().join(name)).unwrap();
        file.set_len(file.metadata().unwrap().len() - 1).unwrap();
        assert!(fails(cut.path()).starts_with("log engine: "));
    }
    for name in ["CURRENT", "MANIFEST-"] {
        let gone = copy_of(folder.path());
        let found = files(gone.path(), "").into_iter().find(|path| path.to_string_lossy().contains(name));
        fs::remove_file(found.unwrap()).unwrap();
        let error = fails(gone.path());
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn a_changed_byte_of_a_file_is_never_served() {
    let (folder, held) = filled();
    flush(folder.path());
    for table in files(folder.path(), ".sst") {
        let bytes = fs::read(&table).unwrap();
        // Data blocks come first in a file, and their checksums with them.
        for at in (0..bytes.len().min(400)).step_by(37) {
            let copy = copy_of(folder.path());
            let mut other = bytes.clone();
            other[at] ^= 0x10;
            fs::write(copy.path().join(table.file_name().unwrap()), other).unwrap();
            if let Ok(log) = open(copy.path())
                && verify::verify(&log, &mut |_, _| {}).is_ok()
            {
                assert_eq!(dump(&log.store), held, "byte {at} of {table:?}");
            }
        }
    }
}

#[test]
fn a_table_that_is_gone_or_unknown_is_an_error() {
    let (folder, _) = filled();
    let raw = |path: &Path| DB::open_cf(&Options::default(), path, Table::ALL.map(Table::name)).unwrap();
    let fewer = copy_of(folder.path());
    raw(fewer.path()).drop_cf("claims").unwrap();
    assert!(fails(fewer.path()).contains("claims"), "{}", fails(fewer.path()));
    let more = copy_of(folder.path());
    raw(more.path()).create_cf("later", &Options::default()).unwrap();
    assert!(fails(more.path()).contains("later"), "{}", fails(more.path()));
}
