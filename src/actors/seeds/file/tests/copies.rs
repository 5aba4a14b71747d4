//! Copies that are behind, missing, back again, replaced, or of another mind.

use super::*;
use std::os::unix::fs::{PermissionsExt, symlink};

fn take_away(home: &Home, n: usize) -> PathBuf {
    let away = home.root.path().join("away");
    fs::rename(home.folder(n), &away).unwrap();
    away
}

#[test]
fn a_crash_between_the_copies_leaves_one_key() {
    for written in 0..3 {
        let home = Home::new(2);
        let before = home.bytes(0);
        let commitment = home.order("alice 1");
        for n in (0..3).filter(|n| *n != written) {
            home.put(n, &before);
        }
        let mut store = home.store();
        assert_eq!(order(&mut store, "alice 1").unwrap(), commitment);
        home.assert_copies_equal();
    }
}

#[test]
fn exchanged_files_are_the_same_store() {
    let home = Home::new(1);
    let commitment = home.order("alice 1");
    let (first, second) = (home.bytes(0), home.bytes(1));
    home.put(0, &second);
    home.put(1, &first);
    assert_eq!(open(&mut home.store(), "alice 1").unwrap(), commitment);
}

#[test]
fn a_missing_copy_stops_new_orders_only_and_is_repaired_when_back() {
    for missing in 0..3 {
        let home = Home::new(2);
        let commitment = home.order("alice 1");
        let away = take_away(&home, missing);
        let mut store = home.store();
        assert!(matches!(order(&mut store, "alice 2"), Err(SeedError::CopyMissing { folder, .. })
            if folder == home.folder(missing)));
        assert_eq!(open(&mut store, "alice 1").unwrap(), commitment);
        // The missing copy might have it.
        assert_eq!(code(open(&mut store, "alice 2")), "custody-copy-missing");
        assert_eq!(store.status().copies.iter().filter(|copy| copy.trouble.is_some()).count(), 1);

        fs::rename(away, home.folder(missing)).unwrap();
        let second = order(&mut store, "alice 2").unwrap();
        assert_eq!(open(&mut store, "alice 2").unwrap(), second);
        assert!(store.status().copies.iter().all(|copy| copy.trouble.is_none()));
        home.assert_copies_equal();
    }
}

#[test]
fn a_copy_that_goes_while_the_store_is_open_is_noticed() {
    let home = Home::new(1);
    let commitment = home.order("alice 1");
    let mut store = home.store();
    let away = take_away(&home, 1);
    assert_eq!(code(order(&mut store, "alice 2")), "custody-copy-missing");
    assert_eq!(open(&mut store, "alice 1").unwrap(), commitment);
    // It comes back older than it went.
    fs::rename(&away, home.folder(1)).unwrap();
    home.change(1, |bytes| bytes.truncate(at(0)));
    order(&mut store, "alice 2").unwrap();
    home.assert_copies_equal();
}

#[test]
fn shredding_reaches_a_copy_that_was_away() {
    let home = Home::new(1);
    home.order("alice 1");
    let mut store = home.store();
    let away = take_away(&home, 1);
    assert_eq!(code(store.shred(&cid("alice 1"))), "custody-copy-missing");
    assert_eq!(code(open(&mut store, "alice 1")), "custody-shredded");
    fs::rename(away, home.folder(1)).unwrap();
    store.shred(&cid("alice 1")).unwrap();
    drop(store);
    home.assert_copies_equal();
    assert_eq!(code(open(&mut home.store(), "alice 1")), "custody-shredded");
}

#[test]
fn an_empty_folder_is_not_started_by_itself_but_on_request() {
    let home = Home::new(1);
    let commitment = home.order("alice 1");
    fs::remove_file(home.file(1)).unwrap();
    let mut store = home.store();
    assert_eq!(code(order(&mut store, "alice 2")), "custody-copy-missing");
    assert!(!home.file(1).exists());

    // A further copy is put in place by hand. It is the home's that is put in place here, from one that is taken over.
    fs::copy(home.file(0), home.file(1)).unwrap();
    order(&mut store, "alice 2").unwrap();
    home.assert_copies_equal();
    let taken = home.root.path().join("taken");
    FileStore::export(&home.folder(1), &taken).unwrap();
    let with_taken = || [home.folders(), vec![taken.clone()]].concat();
    let open_with_taken =
        || FileStore::open(&home.own(), &with_taken(), Keks::soft(&node_seed("node")), &cid("node"));
    fs::remove_dir_all(home.folder(0)).unwrap();
    order(&mut home.store(), "alice 3").unwrap_err();
    let store = open_with_taken().unwrap();
    assert!(!home.file(0).exists(), "nothing is there until it is whole");
    let mut store = store.take_over(&taken).unwrap();
    assert_eq!(open(&mut store, "alice 1").unwrap(), commitment);
    order(&mut store, "alice 3").unwrap();
    home.assert_copies_equal();
    assert!(home.bytes(0) != fs::read(taken.join("seeds.dta")).unwrap(), "it is left");
}

#[test]
fn what_is_not_of_this_store_is_never_put_in_its_place() {
    let (home, other) = (Home::empty(0), Home::new(0));
    other.order("alice 1");
    let taken = home.root.path().join("taken");
    FileStore::export(&other.folder(0), &taken).unwrap();
    let keks = Keks::soft(&node_seed("another"));
    let opened = FileStore::open(&home.own(), std::slice::from_ref(&taken), keks, &cid("node"));
    assert_eq!(code(opened), "custody-locked");
    assert!(!home.file(0).exists());
}

#[test]
fn what_a_copy_is_can_be_told_without_its_keys() {
    let (home, other) = (Home::new(1), Home::empty(0));
    other.create("another store").unwrap();
    let ids = FileStore::ids_in(&[home.folder(0), other.folder(0), home.path(), home.folder(1)]);
    assert!(ids.len() == 3 && ids[0] == ids[2] && ids[0] != ids[1]);
    assert!(FileStore::is_unused(&home.folder(1)).unwrap());
    home.order("alice 1");
    home.store().shred(&cid("alice 1")).unwrap();
    assert!(!FileStore::is_unused(&home.folder(1)).unwrap());
    other.change(0, |bytes| bytes[at(3) + 7] ^= 1);
    assert!(!FileStore::is_unused(&other.folder(0)).unwrap(), "nobody knows what it held");
    assert_eq!(code(FileStore::is_unused(&home.path())), "custody-copy-missing");
}

#[test]
fn a_store_without_any_copy_does_not_open() {
    let home = Home::empty(1);
    assert_eq!(code(home.try_open()), "custody-copy-missing");
}

#[test]
fn copies_with_different_seeds_for_one_order_are_a_conflict() {
    let home = Home::new(1);
    let before = home.bytes(0);
    order(&mut home.store(), "alice 1").unwrap();
    let one = home.bytes(0);
    home.put(0, &before);
    home.put(1, &before);
    home.store().create(&[cid("alice 1")], &mut TestEntropy::new("another")).remove(0).unwrap();
    home.put(0, &one);

    let other = home.bytes(1);
    let mut store = home.store();
    assert_eq!(code(open(&mut store, "alice 1")), "custody-conflict");
    assert_eq!(code(order(&mut store, "alice 1")), "custody-conflict");
    assert_eq!(code(store.shred(&cid("alice 1"))), "custody-conflict");
    assert_eq!(store.status().conflicts, [cid("alice 1")]);
    order(&mut store, "alice 2").unwrap();
    // Neither version was touched: a person decides.
    assert!(home.bytes(0)[at(0)..at(1)] == one[at(0)..at(1)]);
    assert!(home.bytes(1)[at(0)..at(1)] == other[at(0)..at(1)]);
}

#[test]
fn copies_that_disagree_while_the_store_is_open_are_a_conflict() {
    let home = Home::new(1);
    let before = home.bytes(0);
    home.order("alice 1");
    let one = home.bytes(0);
    home.put(0, &before);
    home.put(1, &before);
    home.store().create(&[cid("alice 1")], &mut TestEntropy::new("another")).remove(0).unwrap();
    let mut store = home.store();
    home.put(0, &one);
    assert_eq!(code(open(&mut store, "alice 1")), "custody-conflict");
    assert_eq!(code(open(&mut store, "alice 1")), "custody-conflict");
}

#[test]
fn copies_with_different_orders_in_one_slot_are_a_conflict_of_both() {
    let home = Home::new(1);
    let before = home.bytes(0);
    home.order("alice 1");
    let one = home.bytes(0);
    home.put(0, &before);
    home.put(1, &before);
    home.order("alice 2");
    home.put(0, &one);
    let mut store = home.store();
    assert_eq!(code(open(&mut store, "alice 1")), "custody-conflict");
    assert_eq!(code(open(&mut store, "alice 2")), "custody-conflict");
    assert_eq!(store.status().conflicts.len(), 2);
}

#[test]
fn of_two_nodes_stores_the_foreign_one_is_named() {
    for foreign in [0, 1] {
        let (home, root) = (Home::new(1), TempDir::new().unwrap());
        let others = root.path().join("home");
        let (seed, node) = (node_seed("another node"), cid("another node"));
        let entropy = &mut TestEntropy::new("another");
        FileStore::create(&others, &[], Keks::soft(&seed), &node, &[], entropy).unwrap();
        home.put(foreign, &fs::read(others.join("seeds.dta")).unwrap());
        let error = home.try_open().map(|_| ()).unwrap_err();
        assert_eq!(error.code(), "custody-conflict");
        let file = home.file(foreign).display().to_string();
        assert!(error.to_string().contains(&format!("{file} is of another store")), "{error}");
    }
}

#[test]
fn a_copy_of_another_store_is_a_conflict() {
    let (home, other) = (Home::new(1), Home::empty(1));
    other.create("other store").unwrap();
    let foreign = other.bytes(1);
    home.put(1, &foreign);
    let error = home.try_open().map(|_| ()).unwrap_err();
    assert_eq!(error.code(), "custody-conflict");
    assert!(error.to_string().contains("copy-1/seeds.dta is of another store"), "{error}");
    assert!(home.bytes(1) == foreign);
}

#[test]
fn a_copy_replaced_by_another_store_while_open_stops_new_orders() {
    let (home, other) = (Home::new(1), Home::empty(1));
    other.create("other store").unwrap();
    let commitment = home.order("alice 1");
    let mut store = home.store();
    fs::remove_file(home.file(1)).unwrap();
    home.put(1, &other.bytes(1));
    assert!(order(&mut store, "alice 2").is_err());
    assert_eq!(open(&mut store, "alice 1").unwrap(), commitment);
    assert!(home.bytes(1) == other.bytes(1));
}

#[test]
fn slots_of_another_store_behind_a_torn_header_do_not_enter() {
    let (home, other) = (Home::new(1), Home::empty(0));
    other.create("other store").unwrap();
    other.order("mallory 1");
    let commitment = home.order("alice 1");
    let mut foreign = other.bytes(0);
    foreign[..PAGE_BYTES].fill(0);
    home.put(1, &foreign);
    let mut store = home.store();
    assert_eq!(open(&mut store, "alice 1").unwrap(), commitment);
    assert_eq!(store.status().used, 1);
    assert_eq!(store.list()[0].placed, cid("alice 1"));
}

#[test]
fn one_file_twice_is_no_second_copy() {
    let home = Home::new(1);
    fs::remove_file(home.file(1)).unwrap();
    symlink(home.file(0), home.file(1)).unwrap();
    assert_eq!(code(home.try_open()), "custody-conflict");
}

/// `/dev/full` takes the place of a full disk.
#[test]
#[cfg(target_os = "linux")]
fn a_copy_that_cannot_be_written_stops_new_orders_only() {
    let home = Home::new(1);
    let commitment = home.order("alice 1");
    let mut store = home.store();
    let before = home.bytes(1);
    fs::remove_file(home.file(1)).unwrap();
    symlink("/dev/full", home.file(1)).unwrap();
    assert_eq!(code(order(&mut store, "alice 2")), "custody-full");
    assert_eq!(open(&mut store, "alice 1").unwrap(), commitment);
    assert_eq!(code(store.shred(&cid("alice 1"))), "custody-full");
    drop(store);
    let mut store = home.store();
    assert!(store.status().copies[1].trouble.as_deref().unwrap().starts_with("the seed store is full"));
    fs::remove_file(home.file(1)).unwrap();
    home.put(1, &before);
    order(&mut store, "alice 2").unwrap();
    assert_eq!(code(open(&mut store, "alice 1")), "custody-shredded");
    home.assert_copies_equal();
}

#[test]
fn creation_overwrites_nothing() {
    let home = Home::new(1);
    home.order("alice 1");
    let before = home.bytes(0);
    assert_eq!(code(home.create("again")), "custody-exists");
    // Not even where only a further copy is left.
    fs::remove_file(home.file(0)).unwrap();
    assert_eq!(code(home.create("again")), "custody-exists");
    assert!(home.bytes(1) == before);
    assert!(!home.file(0).exists());
}

#[test]
fn creation_interrupted_between_the_copies_is_finished() {
    // Made from the last to the first, home being the first.
    for made in 1..=3 {
        let home = Home::new(2);
        let whole = home.bytes(2);
        (0..3 - made).for_each(|n| fs::remove_file(home.file(n)).unwrap());
        let finish = |node: &str| {
            FileStore::finish(&home.own(), &home.folders(), Keks::soft(&node_seed(node)), &cid("node"))
        };
        assert_eq!(code(finish("another")), "custody-locked");
        finish("node").unwrap();
        home.assert_copies_equal();
        assert!(home.bytes(0) == whole, "{made}");
    }
    let none = Home::empty(1);
    let finished =
        FileStore::finish(&none.own(), &none.folders(), Keks::soft(&node_seed("node")), &cid("node"));
    assert_eq!(code(finished), "custody-conflict");
    assert!(!none.file(1).exists() && !none.path().join("seeds").exists());
}

#[test]
fn creation_needs_the_folders_of_its_copies() {
    let home = Home::empty(1);
    fs::remove_dir(home.folder(1)).unwrap();
    assert_eq!(code(home.create("store")), "custody-copy-missing");
    assert!(!home.file(0).exists());
}

#[test]
fn files_are_private() {
    let home = Home::new(1);
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(home.file(0)), mode(home.file(1))), (0o600, 0o600));
    assert_eq!(mode(home.folder(0)), 0o700);
    assert_eq!(fs::read_dir(home.folder(0)).unwrap().count(), 1); // no temporary file stays
}
