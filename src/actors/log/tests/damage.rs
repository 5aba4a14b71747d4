//! Damage in the store is named and never served, at the start if it is in the tail and by `verify` wherever it is.

use super::store::Change;
use super::*;
use dta_events::record::hash_of;

fn filled() -> (MemoryStore, MemoryLog) {
    let store = MemoryStore::default();
    let log = memory(&store);
    fill(&log);
    (store, log)
}

fn key(sequence: u64) -> Vec<u8> {
    sequence.to_be_bytes().into()
}

fn stored(store: &MemoryStore, sequence: u64) -> Vec<u8> {
    store.get(Table::Records, &key(sequence)).unwrap().unwrap()
}

fn put(store: &MemoryStore, sequence: u64, bytes: Vec<u8>) {
    store.write(vec![Change::Put(Table::Records, key(sequence), bytes)]).unwrap();
}

fn opening(store: &MemoryStore) -> String {
    MemoryLog::open(store.clone(), rules(), entropy()).err().unwrap().to_string()
}

fn verifying(log: &MemoryLog) -> String {
    verify::verify(log, &mut |_, _| {}).unwrap_err().to_string()
}

#[test]
fn a_changed_byte_of_any_record_is_found() {
    let (store, log) = filled();
    for sequence in 0..6 {
        let whole = stored(&store, sequence);
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x01;
            put(&store, sequence, bytes);
            let (opened, verified) = (opening(&store), verifying(&log));
            assert!(opened.starts_with("log damaged"), "byte {at} of record {sequence}: {opened}");
            assert_eq!(opened, verified);
        }
        put(&store, sequence, whole);
    }
    verified(&log);
}

#[test]
fn records_that_are_gone_swapped_or_added_are_found() {
    let (store, log) = filled();
    let (third, fourth, last) = (stored(&store, 3), stored(&store, 4), stored(&store, 5));
    let finds = |expected: &str| {
        assert_eq!(opening(&store), expected);
        assert_eq!(verifying(&log), expected);
    };
    put(&store, 3, fourth.clone());
    put(&store, 4, third.clone());
    finds("log damaged at sequence 3: the record says that it is 4");
    put(&store, 3, third.clone());
    put(&store, 4, fourth.clone());

    store.write(vec![Change::Delete(Table::Records, key(3))]).unwrap();
    finds("log damaged at sequence 3: the record is missing; the next is 4");
    assert!(log.read(2, 10).is_err());
    assert!(log.load(&order(1)).is_err());
    put(&store, 3, third);

    store.write(vec![Change::Delete(Table::Records, key(5))]).unwrap();
    finds("log damaged at sequence 5: the records end here, the log has 6");
    put(&store, 5, last.clone());

    let mut beyond = Record::decode(&last).unwrap();
    (beyond.sequence, beyond.version, beyond.previous) = (6, 3, hash_of(&last));
    put(&store, 6, beyond.encode().unwrap());
    finds("log damaged in aggregates: record 6 is not in it; run `dta log reindex`");
    let index = keys::index_entries(&beyond, &[], &[cid(b"placed")]);
    let index = index.into_iter().map(|(table, key, value)| Change::Put(table, key, value));
    store.write(index.collect()).unwrap();
    finds("log damaged at sequence 7: the records end here, the log has 6");
}

#[test]
fn another_history_with_a_good_chain_is_not_this_one() {
    let (store, _) = filled();
    let mut other = Record::decode(&stored(&store, 5)).unwrap();
    other.time_ms += 1;
    put(&store, 5, other.encode().unwrap());
    assert_eq!(
        opening(&store),
        "log damaged at sequence 5: the last record is not the one the log ended with"
    );
}

#[test]
fn a_record_of_a_newer_program_is_named_as_such() {
    let (store, _) = filled();
    let mut bytes = stored(&store, 5);
    bytes[0] = 2;
    put(&store, 5, bytes);
    let newer =
        "log damaged at sequence 5: record: format 2 is newer than this program knows (1); run a newer one";
    assert_eq!(opening(&store), newer);
}

#[test]
fn zeros_are_no_nonce() {
    let (store, log) = filled();
    for blind in [false, true] {
        let whole = stored(&store, 5);
        let mut record = Record::decode(&whole).unwrap();
        *(if blind { &mut record.blind } else { &mut record.nonce }) = [0; 32];
        put(&store, 5, record.encode().unwrap());
        assert_eq!(verifying(&log), "log damaged at sequence 5: the record's nonce or blind is all zeros");
        put(&store, 5, whole);
    }
}

#[test]
fn the_logs_own_notes_are_checked() {
    let (store, _) = filled();
    let whole = store.get(Table::Meta, keys::HEAD).unwrap().unwrap();
    let opens = |key: &[u8], value: Option<Vec<u8>>| {
        let change = match value {
            Some(value) => Change::Put(Table::Meta, key.into(), value),
            None => Change::Delete(Table::Meta, key.into()),
        };
        store.write(vec![change]).unwrap();
        opening(&store)
    };
    assert_eq!(opens(keys::HEAD, None), "log damaged in meta: the head is missing or cut short");
    assert_eq!(opens(keys::HEAD, Some(vec![])), "log damaged in meta: the head is missing or cut short");
    assert_eq!(
        opens(keys::HEAD, Some(whole[..39].into())),
        "log damaged in meta: the head is missing or cut short"
    );
    let mut hash = whole.clone();
    hash[39] ^= 1;
    let other = "log damaged at sequence 5: the last record is not the one the log ended with";
    assert_eq!(opens(keys::HEAD, Some(hash)), other);
    for (count, expected) in [
        (0u64, "log damaged at sequence 6: the records end here, the log has 0"),
        (5, "log damaged at sequence 6: the records end here, the log has 5"),
        (7, "log damaged at sequence 6: the records end here, the log has 7"),
        (u64::MAX, "log damaged at sequence 18446744073709550614: the record is missing"),
    ] {
        let value = [count.to_be_bytes().as_slice(), &whole[8..]].concat();
        assert_eq!(opens(keys::HEAD, Some(value)), expected);
    }
    store.write(vec![Change::Put(Table::Meta, keys::HEAD.into(), whole)]).unwrap();
    let newer = "the log's layout 3 is newer than this program knows (2); run a newer one";
    assert_eq!(opens(keys::LAYOUT_KEY, Some(vec![0, 3])), newer);
    let never = "the log's layout 0 is newer than this program knows (2); run a newer one";
    assert_eq!(opens(keys::LAYOUT_KEY, Some(vec![0, 0])), never);
    assert_eq!(opens(keys::LAYOUT_KEY, None), "log damaged in meta: the layout is missing or cut short");
}

#[test]
fn a_start_checks_the_tail_and_verify_the_rest() {
    let store = MemoryStore::default();
    let log = memory(&store);
    let count = 1_010;
    log.commit((0..count).map(|version| append(1, version)).collect()).unwrap();
    let old = stored(&store, 3);
    let mut bytes = old.clone();
    bytes[60] ^= 1;
    put(&store, 3, bytes);
    drop(MemoryLog::open(store.clone(), rules(), entropy()).unwrap());
    assert!(verify::verify(&log, &mut |_, _| {}).is_err());
    put(&store, 3, old);
    // The tail is records 10 to 1,009; record 9 is what the first of them names.
    let mut bytes = stored(&store, 9);
    bytes[60] ^= 1;
    put(&store, 9, bytes);
    assert_eq!(opening(&store), "log damaged at sequence 10: the record does not follow the one before it");
}

#[test]
fn blocks_are_checked_against_their_cids_and_classes() {
    let (store, log) = filled();
    let whole = dump(&store);
    let rows = |table| whole.iter().find(|(of, _)| *of == table).map(|(_, rows)| rows.clone()).unwrap();
    let finds = |harm: Change, restore: Change| {
        store.write(vec![harm.clone()]).unwrap();
        let found = verifying(&log);
        assert!(
            found.starts_with("log damaged in blocks") || found.starts_with("log damaged in published"),
            "{found}"
        );
        store.write(vec![restore]).unwrap();
        assert_eq!(dump(&store), whole);
    };
    assert_eq!(rows(Table::Blocks).len(), 4);
    for (cid, value) in rows(Table::Blocks) {
        let restore = || Change::Put(Table::Blocks, cid.clone(), value.clone());
        for at in 0..value.len() {
            let mut other = value.clone();
            other[at] ^= 1;
            finds(Change::Put(Table::Blocks, cid.clone(), other), restore());
        }
        finds(Change::Put(Table::Blocks, cid.clone(), vec![]), restore());
        finds(Change::Put(Table::Blocks, cid.clone(), [&[7], &value[1..]].concat()), restore());
        for (at, byte) in [(0, 0), (1, 0x70), (2, 0), (3, 0x21), (35, cid[35] ^ 1)] {
            let mut other = cid.clone();
            other[at] = byte;
            finds(
                Change::Put(Table::Blocks, other.clone(), value.clone()),
                Change::Delete(Table::Blocks, other),
            );
        }
        if value[0] == 1 {
            finds(Change::Delete(Table::Blocks, cid.clone()), restore());
        }
    }
    for (key, value) in rows(Table::Published) {
        let restore = || Change::Put(Table::Published, key.clone(), value.clone());
        finds(Change::Delete(Table::Published, key.clone()), restore());
        finds(Change::Put(Table::Published, key.clone(), cid(b"secret").into()), restore());
        finds(Change::Put(Table::Published, key.clone(), vec![]), restore());
        let mut later = key.clone();
        later[11] += 1;
        finds(
            Change::Put(Table::Published, later.clone(), value.clone()),
            Change::Delete(Table::Published, later),
        );
        let mut beyond = key.clone();
        beyond[7] = 6;
        finds(
            Change::Put(Table::Published, beyond.clone(), value.clone()),
            Change::Delete(Table::Published, beyond),
        );
    }
    verified(&log);
}
