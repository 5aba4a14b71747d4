//! A rebuild gives the same bytes; one that fails changes nothing.

use std::ops::Deref;

use dta_projections::{History, Identities, Orders, all};

use super::*;
use crate::actors::log::{CidBytes, Damage, Head, PublishedAt, PublishedBlock, ReadError, StoredBlock};

#[test]
fn a_rebuild_gives_the_same_bytes_and_the_same_answers() {
    let log = log_of(&story());
    let folder = tempfile::tempdir().unwrap();
    let views = Views::open(folder.path(), &all()).unwrap();
    catch_up(&views, &log);
    let queries = views.queries();
    let answers = || {
        let histories: Vec<_> = (0..6).map(|n| queries.history(&order(n).id, None, 100).unwrap()).collect();
        (queries.orders(0, 100, false).unwrap(), queries.identities(0, 100, true).unwrap(), histories)
    };
    let (before, answered) = (all_bytes(&views), answers());
    for projection in all() {
        let mut heard = Vec::new();
        let standing =
            views.rebuild(projection.name(), &log, &mut |done, of| heard.push((done, of))).unwrap();
        assert_eq!((standing.generation, standing.position), (2, 20));
        assert_eq!(heard, [(0, 20), (20, 20)]);
    }
    assert_eq!(all_bytes(&views), before);
    assert_eq!(answers(), answered);
    drop((queries, views));
    let views = Views::open(folder.path(), &all()).unwrap();
    assert_eq!(all_bytes(&views), before);
    assert_eq!(views.queries().standing("orders").unwrap().unwrap().generation, 2);
    // And it goes on from there.
    tell(&log, &[Act::Placed(9)]);
    catch_up(&views, &log);
    assert_eq!(views.queries().counts().unwrap().orders, 6);
}

#[test]
fn a_rebuild_repairs_what_was_tampered_with() {
    let log = log_of(&story());
    let folder = tempfile::tempdir().unwrap();
    let views = Views::open(folder.path(), &all()).unwrap();
    catch_up(&views, &log);
    let before = all_bytes(&views);
    for (key, row) in bytes(&views, "orders") {
        tamper(&views, "orders", &key, Some(&[row.as_slice(), b"!"].concat()));
    }
    tamper(&views, "orders", b"zzz", Some(b"!"));
    views.rebuild("orders", &log, &mut |_, _| ()).unwrap();
    assert_eq!(all_bytes(&views), before);
}

#[test]
fn more_than_one_batch() {
    let log = memory(0);
    tell(&log, &[Act::Nothing(0)]);
    tell(&log, &[Act::Refused(1); 2 * BATCH_RECORDS]);
    let folder = tempfile::tempdir().unwrap();
    let views = Views::open(folder.path(), &all()).unwrap();
    let mut heard = Vec::new();
    views.rebuild("history", &log, &mut |done, _| heard.push(done)).unwrap();
    assert_eq!(heard, [0, 256, 512, 513]);
    assert_eq!(views.queries().history(&order(1).id, None, 1_000).unwrap().len(), 512);
}

#[test]
fn a_rebuild_that_fails_leaves_what_was_there() {
    let log = log_of(&story());
    let folder = tempfile::tempdir().unwrap();
    catch_up(&Views::open(folder.path(), &all()).unwrap(), &log);
    let halting = Stand { for_: &Orders, schema: Orders.schema(), halts_at: Some(7) }.leak();
    let views = Views::open(folder.path(), &[halting, &Identities, &History]).unwrap();
    let before = all_bytes(&views);
    let error = views.rebuild("orders", &log, &mut |_, _| ()).unwrap_err();
    assert!(matches!(error, ViewsError::Halted { name: "orders", sequence: 7, .. }), "{error}");
    let garbled = Garbled { log: &log, at: 5 };
    let error = views.rebuild("history", &garbled, &mut |_, _| ()).unwrap_err();
    assert!(matches!(error, ViewsError::Record { sequence: 5, .. }), "{error}");
    let short = Garbled { log: &log, at: u64::MAX };
    let error = views.rebuild("history", &short, &mut |_, _| ()).unwrap_err();
    assert_eq!(error, ViewsError::Broken { reader: "history", sequence: 20 });
    assert!(matches!(views.rebuild("Orders", &log, &mut |_, _| ()), Err(ViewsError::Unknown { .. })));
    assert_eq!(all_bytes(&views), before);
    drop(views);
    let families = rocksdb::DB::list_cf(&rocksdb::Options::default(), folder.path()).unwrap();
    assert_eq!(families, ["default", "meta", "orders.1", "identities.1", "history.1"]);
}

/// A log in which one record is nonsense; beyond its end, one that says it is longer than it is.
pub(crate) struct Garbled<L> {
    pub(crate) log: L,
    pub(crate) at: u64,
}

impl<L: Deref<Target: LogReader> + Send + Sync> LogReader for Garbled<L> {
    fn head(&self) -> Result<Head, ReadError> {
        let mut head = self.log.head()?;
        if self.at == u64::MAX {
            head.count += 1;
        }
        Ok(head)
    }

    fn read(&self, from_sequence: u64, limit: usize) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        let mut records = self.log.read(from_sequence, limit)?;
        for (sequence, stored) in &mut records {
            if *sequence == self.at {
                stored.truncate(40);
            }
        }
        Ok(records)
    }

    fn load(&self, _: &Aggregate) -> Result<Vec<Record>, ReadError> {
        Err(unasked())
    }

    fn newest(&self, _: &Aggregate) -> Result<Option<Record>, ReadError> {
        Err(unasked())
    }

    fn hashes(&self, _: &[u64]) -> Result<Vec<dta_proof::Hash>, ReadError> {
        Err(unasked())
    }

    fn aggregates(&self, _: AggregateKind) -> Result<Vec<Aggregate>, ReadError> {
        Err(unasked())
    }

    fn claim(&self, _: &[u8; 32]) -> Result<Option<u64>, ReadError> {
        Err(unasked())
    }

    fn envelope(&self, _: &CidBytes) -> Result<Option<Aggregate>, ReadError> {
        Err(unasked())
    }

    fn brought_by(&self, _: &CidBytes) -> Result<Option<u64>, ReadError> {
        Err(unasked())
    }

    fn due(&self, _: u64, _: usize) -> Result<Vec<(u64, Aggregate)>, ReadError> {
        Err(unasked())
    }

    fn block(&self, _: &CidBytes) -> Result<Option<StoredBlock>, ReadError> {
        Err(unasked())
    }

    fn published_block(&self, _: &CidBytes) -> Result<Option<PublishedBlock>, ReadError> {
        Err(unasked())
    }

    fn published(
        &self,
        _: Option<PublishedAt>,
        _: usize,
    ) -> Result<Vec<(PublishedAt, PublishedBlock)>, ReadError> {
        Err(unasked())
    }
}

/// Read models ask for records and nothing else.
fn unasked() -> ReadError {
    Damage::Table { table: "none", reason: "a read model asked for it".into() }.into()
}

#[test]
fn a_comparison_names_the_first_difference() {
    let log = log_of(&story());
    let folder = tempfile::tempdir().unwrap();
    let views = Views::open(folder.path(), &all()).unwrap();
    let compared = |log: &MemoryLog| {
        let standing = views.apply(&Orders, &[]).unwrap();
        let mut replay = Replay::start(&Orders);
        replay.run(log, standing.position, &mut |_| ()).unwrap();
        replay.compare(&views.queries(), &standing).unwrap()
    };
    assert_eq!(compared(&log), None, "empty");
    catch_up(&views, &log);
    assert_eq!(compared(&log), None);
    let rows = bytes(&views, "orders");
    for (key, row) in &rows[1..] {
        let name = hex::encode(key);
        tamper(&views, "orders", key, None);
        assert_eq!(compared(&log), Some(Difference::Missing { key: name.clone() }));
        tamper(&views, "orders", key, Some(b"!"));
        let expected = hex::encode(row);
        assert_eq!(compared(&log), Some(Difference::Row { key: name, stored: "21".into(), expected }));
        tamper(&views, "orders", key, Some(row));
    }
    for extra in [b"a", b"n", b"z"] {
        tamper(&views, "orders", extra, Some(b"!"));
        assert_eq!(compared(&log), Some(Difference::Extra { key: hex::encode(extra) }));
        tamper(&views, "orders", extra, None);
    }
    let (key, state) = &rows[0];
    let mut other = state.clone();
    other[10] ^= 1;
    tamper(&views, "orders", key, Some(&other));
    assert!(matches!(compared(&log), Some(Difference::Digest { .. })));
    tamper(&views, "orders", key, Some(state));
    assert_eq!(compared(&log), None);
    assert_eq!(compared(&log_of(&story()[..19])), Some(Difference::Log { position: 20 }));
    let other = memory(1);
    tell(&other, &story());
    assert_eq!(compared(&other), Some(Difference::Log { position: 20 }));
}
