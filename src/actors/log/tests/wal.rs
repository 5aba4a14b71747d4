//! The write-ahead log: what was torn goes, what was acknowledged is missed.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::disk::{copy_of, fails, files, filled, flush, open};
use super::*;

/// A log of five commits in one write-ahead log, and how long that and the acknowledgement were after each.
struct Commits {
    folder: TempDir,
    records: Vec<(u64, Vec<u8>)>,
    wal: Vec<u8>,
    wal_name: PathBuf,
    ends: Vec<usize>,
    acknowledged: Vec<Vec<u8>>,
}

const ACKNOWLEDGED: &str = "ACKNOWLEDGED";

fn commits() -> Commits {
    let folder = tempfile::tempdir().unwrap();
    let log = rocks(folder.path());
    let path = files(folder.path(), ".log").pop().unwrap();
    let (mut ends, mut acknowledged) = (Vec::new(), Vec::new());
    for version in 0..6 {
        ends.push(fs::metadata(&path).unwrap().len() as usize);
        acknowledged.push(fs::read(folder.path().join(ACKNOWLEDGED)).unwrap());
        if version < 5 {
            taken(&log, append(1, version));
        }
    }
    let records = log.read(0, 10).unwrap();
    drop(log);
    let (wal, wal_name) = (fs::read(&path).unwrap(), path.file_name().unwrap().into());
    Commits { folder, records, wal, wal_name, ends, acknowledged }
}

impl Commits {
    /// The folder with another write-ahead log and acknowledgement.
    fn with(&self, wal: &[u8], acknowledged: &[u8]) -> TempDir {
        let copy = copy_of(self.folder.path());
        fs::write(copy.path().join(&self.wal_name), wal).unwrap();
        fs::write(copy.path().join(ACKNOWLEDGED), acknowledged).unwrap();
        copy
    }
}

#[test]
fn a_torn_tail_goes_and_nothing_else() {
    let it = commits();
    let mut torn = 0;
    for cut in (it.ends[0]..=it.ends[5]).step_by(29).chain(it.ends.clone()) {
        let whole = it.ends.iter().filter(|end| **end <= cut).count() - 1;
        let copy = it.with(&it.wal[..cut], &it.acknowledged[whole]);
        let log = open(copy.path()).unwrap();
        assert_eq!(log.read(0, 10).unwrap(), it.records[..whole], "cut at {cut}");
        assert_eq!(taken(&log, append(1, whole as u64)).sequence, whole as u64);
        verified(&log);
        drop(log);
        drop(open(copy.path()).unwrap());
        // Nobody was told of a record that is torn. Had they been, it would be damage.
        if let Some(told) = it.acknowledged.get(whole + 1) {
            let copy = it.with(&it.wal[..cut], told);
            let missing = format!(
                "log damaged at sequence {whole}: the records end here, {} were acknowledged",
                whole + 1
            );
            assert_eq!(fails(copy.path()), missing);
            torn += 1;
        }
    }
    assert!(torn > 10);
}

#[test]
fn a_changed_write_ahead_log_never_opens_without_what_was_acknowledged() {
    let it = commits();
    // RocksDB itself would open with a part, if the length of a record (two bytes of the seven before it) is changed.
    let headers = it.ends[..5].iter().flat_map(|end| *end..end + 12);
    let flips = headers.flat_map(|at| [(at, 0x08), (at, 0x80)]);
    let mut without = 0;
    for (at, bit) in flips.chain((0..it.wal.len()).step_by(37).map(|at| (at, 0x10))) {
        let mut wal = it.wal.clone();
        wal[at] ^= bit;
        let error = fails(it.with(&wal, &it.acknowledged[5]).path());
        without += usize::from(error.ends_with("5 were acknowledged"));
    }
    assert!(without > 0, "that RocksDB does not see all is why we look");
}

#[test]
fn a_write_ahead_log_that_is_gone_is_missed() {
    let it = commits();
    let gone = it.with(&it.wal, &it.acknowledged[5]);
    fs::remove_file(gone.path().join(&it.wal_name)).unwrap();
    assert!(fails(gone.path()).starts_with("log "), "{}", fails(gone.path()));
    let (folder, _) = filled();
    flush(folder.path());
    taken(&open(folder.path()).unwrap(), append(1, 3));
    for wal in files(folder.path(), ".log") {
        fs::remove_file(wal).unwrap();
    }
    assert_eq!(fails(folder.path()), "log damaged at sequence 6: the records end here, 7 were acknowledged");
}

#[test]
fn an_acknowledgement_may_be_behind_or_torn_but_not_of_another_log() {
    let it = commits();
    let opens = |acknowledged: &[u8]| {
        open(it.with(&it.wal, acknowledged).path()).map(|log| log.head().unwrap().count)
    };
    for behind in &it.acknowledged {
        assert_eq!(opens(behind), Ok(5));
    }
    let whole = &it.acknowledged[5];
    for torn in [&whole[..71], &whole[..40], &whole[..8], &[], &[whole.as_slice(), &[0]].concat()] {
        assert_eq!(opens(torn), Ok(5));
    }
    let (other, _) = filled();
    let of_another = fs::read(other.path().join(ACKNOWLEDGED)).unwrap();
    assert!(opens(&of_another).unwrap_err().to_string().contains("6 were acknowledged"));
    let two = MemoryStore::default();
    taken(&memory(&two), append(2, 0));
    let head = two.get(Table::Meta, keys::HEAD).unwrap().unwrap();
    let of_another = [head.as_slice(), &dta_events::record::hash_of(&head)].concat();
    let error = opens(&of_another).unwrap_err().to_string();
    assert_eq!(error, "log damaged at sequence 0: the record is not the one that was acknowledged");
}
