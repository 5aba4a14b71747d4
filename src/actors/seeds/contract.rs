//! What every seed store must do: one suite, run over each backend.

use super::kek::Role;
use super::testing::{TestEntropy, cid};
use super::{CidBytes, SeedError, SeedStatus, SeedStore};
use dta_crypto::OrderKey;
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
            keys_come_from_entropy opens_a_batch_in_order rotates_and_rewraps rewrapping_can_stop_anywhere
            verifies_each_seed);
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

fn open(store: &mut dyn SeedStore, placed: &CidBytes) -> Result<OrderKey, SeedError> {
    let mut keys = store.open(std::slice::from_ref(placed));
    assert_eq!(keys.len(), 1);
    keys.remove(0)
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
    let opened = open(&mut *store, &cid("alice 1")).unwrap();
    assert_eq!(*opened.secret().expose(), key);
    assert_eq!(opened.commitment(), again.commitment());
}

pub fn survives_reopening(backend: &dyn Backend) {
    let mut store = backend.open();
    let key = create(&mut *store, "alice 1");
    drop(store);
    let mut store = backend.open();
    assert_eq!(*open(&mut *store, &cid("alice 1")).unwrap().secret().expose(), key);
    assert_eq!(create(&mut *store, "alice 1"), key);
}

pub fn unknown_is_not_found(backend: &dyn Backend) {
    let mut store = backend.open();
    create(&mut *store, "alice 1");
    assert_eq!(code(open(&mut *store, &cid("alice 2"))), "custody-not-found");
    assert_eq!(code(store.shred(&cid("alice 2"))), "custody-not-found");
    // Asking does not make it.
    assert_eq!(code(open(&mut *store, &cid("alice 2"))), "custody-not-found");
}

pub fn batch_answers_in_order(backend: &dyn Backend) {
    let mut store = backend.open();
    create(&mut *store, "alice 2");
    let orders = [cid("alice 1"), cid("alice 2"), cid("alice 3")];
    let keys = store.create(&orders, &mut TestEntropy::new("batch"));
    let commitments: Vec<_> = keys.into_iter().map(|key| key.unwrap().commitment()).collect();
    assert_eq!(commitments.iter().collect::<HashSet<_>>().len(), 3);
    for (placed, commitment) in orders.iter().zip(commitments) {
        assert_eq!(open(&mut *store, placed).unwrap().commitment(), commitment);
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
        assert_eq!(code(open(&mut *store, &cid("alice 1"))), "custody-shredded");
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
    assert_eq!(*open(&mut *store, &cid("alice 2")).unwrap().secret().expose(), key);
}

pub fn lists_without_secrets(backend: &dyn Backend) {
    let mut store = backend.open();
    assert!(store.list().is_empty());
    create(&mut *store, "alice 1");
    create(&mut *store, "alice 2");
    let listed = store.list();
    assert_eq!(listed.len(), 2);
    for seed in listed {
        assert_eq!(open(&mut *store, &seed.placed).unwrap().commitment(), seed.commitment);
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
    let ids = |status: &SeedStatus| status.keks.iter().map(|kek| kek.id).collect::<Vec<_>>();
    assert_eq!(ids(&after), ids(&before));
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
    assert_eq!(open(&mut *store, orders.last().unwrap()).unwrap().commitment(), last);
}

pub fn keys_come_from_entropy(backend: &dyn Backend) {
    let mut store = backend.open();
    let mut entropy = TestEntropy::new("drawn");
    let key = store.create(&[cid("alice 1")], &mut entropy).remove(0).unwrap();
    // The oracle: the project's known derivation of the first 32 bytes that were drawn.
    let seed = entropy.secrets().remove(0);
    let expected = dta_crypto::OrderKey::from_entropy(&seed).unwrap();
    assert_eq!(key.commitment(), expected.commitment());
}

pub fn opens_a_batch_in_order(backend: &dyn Backend) {
    let mut store = backend.open();
    let orders: Vec<_> = (0..5).map(|n| cid(&format!("order {n}"))).collect();
    let made = store.create(&orders, &mut TestEntropy::new("batch"));
    let made: Vec<_> = made.into_iter().map(|key| key.unwrap().commitment()).collect();
    store.shred(&orders[1]).unwrap();
    let asked = [orders[3], orders[1], cid("unknown"), orders[0], orders[3]];
    let mut opened = store.open(&asked).into_iter();
    let mut next = || opened.next().unwrap();
    assert_eq!(next().unwrap().commitment(), made[3]);
    assert_eq!(code(next()), "custody-shredded");
    assert_eq!(code(next()), "custody-not-found");
    assert_eq!(next().unwrap().commitment(), made[0]);
    assert_eq!(next().unwrap().commitment(), made[3]);
    assert!(store.open(&[]).is_empty());
}

/// Every KEK's role and count of seeds, by role.
fn keks(store: &mut dyn SeedStore) -> Vec<(Role, u32)> {
    let mut keks: Vec<_> = store.status().keks.iter().map(|kek| (kek.role, kek.seeds)).collect();
    keks.sort();
    keks
}

pub fn rotates_and_rewraps(backend: &dyn Backend) {
    let mut store = backend.open();
    let entropy = &mut TestEntropy::new("rotation");
    let key = create(&mut *store, "alice 1");
    let before = store.status().keks;
    let in_use = before.len();
    let made = store.rotate(Role::First, None, &[], entropy).unwrap();
    assert!((made.role, made.seeds) == (Role::First, 0) && before.iter().all(|kek| kek.id != made.id));
    assert_eq!(*open(&mut *store, &cid("alice 1")).unwrap().secret().expose(), key);
    let new = create(&mut *store, "alice 2");
    drop(store);
    let mut store = backend.open();
    let retired =
        |store: &mut dyn SeedStore| keks(store).into_iter().find(|(role, _)| *role == Role::Retired);
    assert_eq!(retired(&mut *store), Some((Role::Retired, 1)));
    for done in [1, 0] {
        let step = store.rewrap(None, 10, entropy).unwrap();
        assert_eq!((step.done, step.left, step.failed.len()), (done, 0, 0));
    }
    // What opens nothing any more is forgotten.
    assert_eq!(retired(&mut *store), None);
    for _ in 0..2 {
        assert_eq!(*open(&mut *store, &cid("alice 1")).unwrap().secret().expose(), key);
        assert_eq!(*open(&mut *store, &cid("alice 2")).unwrap().secret().expose(), new);
        assert_eq!(keks(&mut *store).len(), in_use);
        assert!(keks(&mut *store).iter().all(|(_, seeds)| *seeds == 2));
        drop(store);
        store = backend.open();
    }
    // There is a limit to what waits to be rewrapped.
    let many = (0..9).map(|_| store.rotate(Role::First, None, &[], entropy)).find_map(Result::err);
    assert_eq!(many.unwrap().code(), "custody-many-keks");
}

pub fn rewrapping_can_stop_anywhere(backend: &dyn Backend) {
    let mut store = backend.open();
    let entropy = &mut TestEntropy::new("rotation");
    let names = ["alice 1", "alice 2", "alice 3", "alice 4", "alice 5"];
    let keys: Vec<_> = names.iter().map(|name| create(&mut *store, name)).collect();
    store.rotate(Role::First, None, &[], entropy).unwrap();
    for left in [3, 1, 0] {
        assert_eq!(store.rewrap(None, 2, entropy).unwrap().left, left);
        drop(store);
        store = backend.open();
        for (name, key) in names.iter().zip(&keys) {
            assert_eq!(open(&mut *store, &cid(name)).unwrap().secret().expose(), key);
        }
    }
    assert!(store.status().trouble().is_none());
}

pub fn verifies_each_seed(backend: &dyn Backend) {
    let mut store = backend.open();
    ["alice 1", "alice 2", "alice 3"].iter().for_each(|name| _ = create(&mut *store, name));
    store.shred(&cid("alice 2")).unwrap();
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let verified = store.verify(after, 1).unwrap();
        let Some(seed) = verified.first() else { break };
        assert!(verified.len() == 1 && seed.result.is_ok());
        after = Some(seed.slot);
        seen.push(seed.placed);
    }
    assert_eq!(seen, [cid("alice 1"), cid("alice 3")]);
    store.check();
    assert!(store.status().keks.iter().all(|kek| kek.trouble.is_none()));
}
