//! What every seed store must do: one suite, run over each backend.

use super::testing::{TestEntropy, cid};
use super::{SeedError, SeedStore};
use std::collections::HashSet;

/// A store that can be closed and opened again.
pub trait Backend {
    /// Opens the same store; the one opened before is dropped by then.
    fn open(&self) -> Box<dyn SeedStore>;
}

/// Makes one test of each clause, over a backend made by an expression.
macro_rules! contract_tests {
    ($module:ident, $backend:expr) => {
        contract_tests!($module, $backend; same_order_same_key survives_reopening unknown_is_not_found
            batch_answers_in_order same_order_twice_in_a_batch empty_batch shredded_is_for_good
            shredding_spares_others lists_without_secrets names_the_newest_first counts_slots grows
            keys_come_from_entropy);
    };
    ($module:ident, $backend:expr; $($clause:ident)*) => {
        mod $module {
            $(#[test] fn $clause() { crate::actors::seeds::contract::$clause(&$backend); })*
        }
    };
}
pub(super) use contract_tests;

fn create(store: &mut dyn SeedStore, name: &str) -> [u8; 32] {
    let mut keys = store.create(&[cid(name)], &mut TestEntropy::new("contract"));
    assert_eq!(keys.len(), 1);
    *keys.remove(0).unwrap().secret().expose()
}

fn code<T>(result: Result<T, SeedError>) -> &'static str {
    result.err().map_or("ok", |error| error.code())
}

pub fn same_order_same_key(backend: &dyn Backend) {
    let mut store = backend.open();
    let key = create(&mut *store, "alice 1");
    // The second create must not draw: other entropy, same key.
    let again = store.create(&[cid("alice 1")], &mut TestEntropy::new("other")).remove(0).unwrap();
    assert_eq!(*again.secret().expose(), key);
    let opened = store.open(&cid("alice 1")).unwrap();
    assert_eq!(*opened.secret().expose(), key);
    assert_eq!(opened.commitment(), again.commitment());
}

pub fn survives_reopening(backend: &dyn Backend) {
    let mut store = backend.open();
    let key = create(&mut *store, "alice 1");
    drop(store);
    let mut store = backend.open();
    assert_eq!(*store.open(&cid("alice 1")).unwrap().secret().expose(), key);
    assert_eq!(create(&mut *store, "alice 1"), key);
}

pub fn unknown_is_not_found(backend: &dyn Backend) {
    let mut store = backend.open();
    create(&mut *store, "alice 1");
    assert_eq!(code(store.open(&cid("alice 2"))), "custody-not-found");
    assert_eq!(code(store.shred(&cid("alice 2"))), "custody-not-found");
    // Asking does not make it.
    assert_eq!(code(store.open(&cid("alice 2"))), "custody-not-found");
}

pub fn batch_answers_in_order(backend: &dyn Backend) {
    let mut store = backend.open();
    create(&mut *store, "alice 2");
    let orders = [cid("alice 1"), cid("alice 2"), cid("alice 3")];
    let keys = store.create(&orders, &mut TestEntropy::new("batch"));
    let commitments: Vec<_> = keys.into_iter().map(|key| key.unwrap().commitment()).collect();
    assert_eq!(commitments.iter().collect::<HashSet<_>>().len(), 3);
    for (placed, commitment) in orders.iter().zip(commitments) {
        assert_eq!(store.open(placed).unwrap().commitment(), commitment);
    }
}

pub fn same_order_twice_in_a_batch(backend: &dyn Backend) {
    let mut store = backend.open();
    let keys = store.create(&[cid("alice 1"), cid("alice 1")], &mut TestEntropy::new("batch"));
    let commitments: Vec<_> = keys.into_iter().map(|key| key.unwrap().commitment()).collect();
    assert_eq!(commitments[0], commitments[1]);
    assert_eq!(store.status().used, 1);
}

pub fn empty_batch(backend: &dyn Backend) {
    let mut store = backend.open();
    assert!(store.create(&[], &mut TestEntropy::new("none")).is_empty());
    assert_eq!(store.status().used, 0);
}

pub fn shredded_is_for_good(backend: &dyn Backend) {
    let mut store = backend.open();
    create(&mut *store, "alice 1");
    store.shred(&cid("alice 1")).unwrap();
    for _ in 0..2 {
        assert_eq!(code(store.open(&cid("alice 1"))), "custody-shredded");
        let again = store.create(&[cid("alice 1")], &mut TestEntropy::new("again")).remove(0);
        assert_eq!(code(again), "custody-shredded");
        store.shred(&cid("alice 1")).unwrap(); // harmless
        drop(store);
        store = backend.open();
    }
    assert!(store.list().is_empty());
}

pub fn shredding_spares_others(backend: &dyn Backend) {
    let mut store = backend.open();
    create(&mut *store, "alice 1");
    let key = create(&mut *store, "alice 2");
    store.shred(&cid("alice 1")).unwrap();
    assert_eq!(*store.open(&cid("alice 2")).unwrap().secret().expose(), key);
}

pub fn lists_without_secrets(backend: &dyn Backend) {
    let mut store = backend.open();
    assert!(store.list().is_empty());
    create(&mut *store, "alice 1");
    create(&mut *store, "alice 2");
    let listed = store.list();
    assert_eq!(listed.len(), 2);
    for seed in listed {
        assert_eq!(store.open(&seed.placed).unwrap().commitment(), seed.commitment);
    }
}

pub fn names_the_newest_first(backend: &dyn Backend) {
    let mut store = backend.open();
    assert!(store.newest(3).is_empty());
    let names = ["alice 1", "alice 2", "alice 3", "alice 4"];
    names.iter().for_each(|name| _ = create(&mut *store, name));
    store.shred(&cid("alice 3")).unwrap();
    for _ in 0..2 {
        assert_eq!(store.newest(3), ["alice 4", "alice 3", "alice 2"].map(cid));
        assert_eq!(store.newest(9).len(), 4);
        drop(store);
        store = backend.open();
    }
}

pub fn counts_slots(backend: &dyn Backend) {
    let mut store = backend.open();
    let before = store.status();
    assert_eq!((before.used, before.shredded), (0, 0));
    create(&mut *store, "alice 1");
    create(&mut *store, "alice 2");
    store.shred(&cid("alice 1")).unwrap();
    let after = store.status();
    assert_eq!((after.used, after.shredded, after.free), (1, 1, before.free - 2));
    assert_eq!(after.kek_id, before.kek_id);
    assert!(after.damaged.is_empty() && after.conflicts.is_empty());
    assert!(after.copies.iter().all(|copy| copy.trouble.is_none()));
}

pub fn grows(backend: &dyn Backend) {
    let mut store = backend.open();
    let orders: Vec<_> = (0..store.status().free + 1).map(|n| cid(&format!("order {n}"))).collect();
    let keys = store.create(&orders, &mut TestEntropy::new("many"));
    let last = keys.into_iter().map(|key| key.unwrap().commitment()).next_back().unwrap();
    drop(store);
    let mut store = backend.open();
    assert_eq!(store.status().used as usize, orders.len());
    assert_eq!(store.open(orders.last().unwrap()).unwrap().commitment(), last);
}

pub fn keys_come_from_entropy(backend: &dyn Backend) {
    let mut store = backend.open();
    let mut entropy = TestEntropy::new("drawn");
    let key = store.create(&[cid("alice 1")], &mut entropy).remove(0).unwrap();
    // The oracle: the project's known derivation of the only 32 bytes that were drawn.
    let [seed] = entropy.secrets().try_into().unwrap();
    let expected = dta_crypto::OrderKey::from_entropy(&seed).unwrap();
    assert_eq!(key.commitment(), expected.commitment());
}
