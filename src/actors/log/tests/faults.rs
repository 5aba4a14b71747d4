//! Each write fails, lost and persisted; what follows is the ordinary start.

use super::memory::Fault;
use super::reindex::reindex;
use super::store::Change;
use super::*;

fn batches() -> Vec<Vec<Append>> {
    use BlockClass::{Held, Published};
    vec![
        vec![append(1, 0).keyed(1).with(Published, b"a").due(5), append(2, 0).with(Held, b"b")],
        vec![append(1, 1).claiming([9; 32]).bringing(cid(b"e")), append(1, 1)],
        vec![append(2, 1).publishing(b"b").due(7), append(1, 2).refused()],
        vec![append(3, 0).with(Held, b"c")],
        vec![append(3, 1).dropping(b"c")],
    ]
}

#[test]
fn an_uncertain_commit_is_whole_or_absent_after_a_start() {
    for fault in [Fault::Lost, Fault::Persisted] {
        for failing in 0..batches().len() {
            let store = MemoryStore::default();
            let log = memory(&store);
            store.fail_after(failing as u64, fault);
            let mut acknowledged = Vec::new();
            let before = loop {
                let before = dump(&store);
                match log.commit(batches().remove(acknowledged.len())) {
                    Ok(results) => acknowledged.push(results),
                    Err(_) => break before,
                }
            };
            assert_eq!(acknowledged.len(), failing);
            let after = dump(&store);
            assert!(log.commit(vec![append(8, 0)]).is_err(), "nothing is written after an uncertain commit");
            assert_eq!(dump(&store), after);
            assert_eq!(after == before, fault == Fault::Lost);

            let log = MemoryLog::open(store, rules(), entropy()).unwrap();
            verified(&log);
            for (at, batch) in batches().into_iter().enumerate().skip(failing) {
                let again = fault == Fault::Persisted && at == failing;
                let results = log.commit(batch).unwrap();
                let refused = results.iter().all(|result| {
                    matches!(result, Err(NotWritten::Version { .. } | NotWritten::ClaimTaken { .. }))
                });
                assert_eq!(refused, again, "batch {at}: what was stored is not stored twice");
            }
            verified(&log);
            assert_eq!(log.head().unwrap().count, 7);
        }
    }
}

#[test]
fn no_random_bytes_no_records() {
    let store = MemoryStore::default();
    let none: Entropy = Box::new(|_| Err(std::io::Error::other("dry")));
    let log = MemoryLog::create(store.clone(), rules(), none).unwrap();
    let error = log.commit(vec![append(1, 0)]).unwrap_err();
    assert!(error.to_string().contains("dry"), "{error}");
    let log = MemoryLog::open(store, rules(), entropy()).unwrap();
    assert_eq!(log.head().unwrap().count, 0);
}

#[test]
fn an_interrupted_reindex_is_named_and_run_again() {
    let store = MemoryStore::default();
    fill(&memory(&store));
    let whole = dump(&store);
    // One write drops the indexes and sets the mark, one builds records' entries, one timers, one removes the mark.
    for fault in [Fault::Lost, Fault::Persisted] {
        for failing in 0..4 {
            store.fail_after(failing, fault);
            assert!(reindex(store.clone(), rules(), &mut |_, _| {}).is_err());
            let opened = MemoryLog::open(store.clone(), rules(), entropy());
            match (failing, fault) {
                (0, Fault::Lost) | (3, Fault::Persisted) => drop(opened.unwrap()),
                _ => assert_eq!(opened.err(), Some(OpenError::Interrupted)),
            }
            let mut last = (0, 0);
            reindex(store.clone(), rules(), &mut |done, total| last = (done, total)).unwrap();
            assert_eq!(last, (18, 18));
            assert_eq!(dump(&store), whole);
        }
    }
}

#[test]
fn reindex_gives_an_older_log_its_tree() {
    let store = MemoryStore::default();
    fill(&memory(&store));
    let whole = dump(&store);
    let older = [
        Change::Clear(Table::Hashes),
        Change::Put(Table::Meta, keys::LAYOUT_KEY.into(), keys::LAYOUT_WITHOUT_TREE.to_be_bytes().into()),
    ];
    store.write(older.into()).unwrap();
    assert_eq!(MemoryLog::open(store.clone(), rules(), entropy()).err(), Some(OpenError::Older));
    reindex(store.clone(), rules(), &mut |_, _| {}).unwrap();
    assert_eq!(dump(&store), whole);
    verified(&MemoryLog::open(store, rules(), entropy()).unwrap());
}

#[test]
fn reindex_mends_what_verify_finds() {
    let store = MemoryStore::default();
    let log = memory(&store);
    fill(&log);
    let whole = dump(&store);
    for (table, rows) in &whole {
        if !Table::INDEXES.contains(table) {
            continue;
        }
        assert!(!rows.is_empty());
        for (key, value) in rows {
            let mut other = value.clone();
            if let Some(last) = other.last_mut() {
                *last ^= 1;
            } else {
                other.push(0);
            }
            let mut extra = key.clone();
            if let Some(last) = extra.last_mut() {
                *last ^= 1;
            }
            let harms = [
                Change::Delete(*table, key.clone()),
                Change::Put(*table, key.clone(), other),
                Change::Put(*table, key.clone(), vec![]),
                Change::Put(*table, extra, value.clone()),
                Change::Put(*table, vec![0xff], value.clone()),
                Change::Clear(*table),
            ];
            for harm in harms {
                store.write(vec![harm.clone()]).unwrap();
                // A due entry has no value to empty.
                if dump(&store) != whole {
                    assert!(verify::verify(&log, &mut |_, _| {}).is_err(), "{harm:?}");
                }
                reindex(store.clone(), rules(), &mut |_, _| {}).unwrap();
                assert_eq!(dump(&store), whole, "{harm:?}");
            }
        }
    }
    verified(&log);
}

#[test]
fn reindex_drops_nothing_of_a_log_with_damaged_records() {
    let store = MemoryStore::default();
    fill(&memory(&store));
    store.write(vec![Change::Delete(Table::Records, 2u64.to_be_bytes().into())]).unwrap();
    let damaged = dump(&store);
    let error = reindex(store.clone(), rules(), &mut |_, _| {}).unwrap_err();
    assert_eq!(error.to_string(), "log damaged at sequence 2: the record is missing; the next is 3");
    assert_eq!(dump(&store), damaged);
}
