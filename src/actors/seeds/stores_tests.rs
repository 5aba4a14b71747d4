//! Several stores beside each other, in files: where seeds go, where they are found, and what stands in the way.

use std::path::{Path, PathBuf};

use dta_crypto::OrderKey;

use super::kek::{Keks, Role};
use super::testing::{TestEntropy, cid, node_seed};
use super::*;

/// Two stores of one node, `new` (the default) and `old`, which has a further copy.
struct Pair(tempfile::TempDir);

impl Pair {
    fn new() -> Self {
        let pair = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(pair.copy()).unwrap();
        for (name, copies) in [("new", vec![]), ("old", vec![pair.copy()])] {
            let entropy = &mut TestEntropy::new(name);
            let keks = Keks::soft(&node_seed("node"));
            FileStore::create(&pair.0.path().join(name), &copies, keks, &cid("node"), &[], entropy).unwrap();
        }
        pair
    }

    fn copy(&self) -> PathBuf {
        self.0.path().join("copy")
    }

    fn store(&self, name: &str) -> FileStore {
        let copies = if name == "old" { vec![self.copy()] } else { Vec::new() };
        let keks = Keks::soft(&node_seed("node"));
        FileStore::open(&self.0.path().join(name), &copies, keks, &cid("node")).unwrap()
    }

    fn both(&self) -> Stores {
        let named = |name: &str| Named { name: name.to_owned(), store: Box::new(self.store(name)) };
        Stores::new(named("new"), vec![named("old")])
    }

    /// A seed in one of them, made while that was the only one.
    fn has(&self, store: &str, order: &str) -> Commitment {
        let made = self.store(store).create(&[cid(order)], &mut TestEntropy::new("earlier")).remove(0);
        made.unwrap().commitment()
    }
}

/// Overwrites a slot of a store in every copy of it, but for the order's name if that is to stay.
fn tear(pair: &Pair, store: &str, slot: usize, named: bool) {
    for folder in [pair.0.path().join(store), pair.copy()] {
        if store == "new" && folder == pair.copy() {
            continue;
        }
        let file = folder.join("seeds.dta");
        let mut bytes = std::fs::read(&file).unwrap();
        let from = 4096 + 512 * slot + if named { 40 } else { 0 };
        bytes[from..4096 + 512 * (slot + 1)].fill(0);
        std::fs::write(file, bytes).unwrap();
    }
}

fn create(stores: &mut Stores, order: &str) -> Result<Commitment, SeedError> {
    stores.create(&[cid(order)], &mut TestEntropy::new("later")).remove(0).map(|key| key.commitment())
}

fn used(stores: &mut Stores) -> Vec<(String, bool, u32)> {
    stores.status().into_iter().map(|store| (store.name, store.default, store.of.used)).collect()
}

#[test]
fn new_seeds_go_to_the_default_and_old_ones_are_found_where_they_are() {
    let pair = Pair::new();
    let before = pair.has("old", "1");
    let mut stores = pair.both();
    let made = create(&mut stores, "2").unwrap();
    // Not a second seed in another store.
    assert_eq!(create(&mut stores, "1").unwrap(), before);
    let counts = |new, old| [("new".to_owned(), true, new), ("old".to_owned(), false, old)];
    assert_eq!(used(&mut stores), counts(1, 1));
    stores.shred(&cid("1")).unwrap();
    assert_eq!(used(&mut stores), counts(1, 0));
    assert_eq!(create(&mut stores, "1").unwrap_err().code(), "custody-shredded");
    assert_eq!(stores.shred(&cid("3")).unwrap_err().code(), "custody-not-found");
    let after = create(&mut stores, "3").unwrap();
    // One batch over all of them, its answers in order.
    let asked = [cid("3"), cid("1"), cid("unknown"), cid("2"), cid("3")];
    let told = |key: Result<OrderKey, SeedError>| key.map(|key| key.commitment()).map_err(|why| why.code());
    let opened: Vec<_> = stores.open(&asked).into_iter().map(told).collect();
    assert_eq!(opened, [Ok(after), Err("custody-shredded"), Err("custody-not-found"), Ok(made), Ok(after)]);
    assert_eq!(stores.list().len(), 2);
    assert_eq!(stores.newest(9).len(), 3);
}

#[test]
fn a_store_that_cannot_say_stands_in_the_way_of_new_seeds_only() {
    let pair = Pair::new();
    let (here, there) = (pair.has("new", "1"), pair.has("old", "2"));
    let away = |folder: &Path, away: bool| {
        let (from, to) = (folder.join("seeds.dta"), folder.join("away"));
        let (from, to) = if away { (from, to) } else { (to, from) };
        std::fs::rename(from, to).unwrap();
    };
    let mut stores = pair.both();
    stores.ready().unwrap();
    away(&pair.copy(), true);
    assert_eq!(stores.ready().unwrap_err().code(), "custody-copy-missing");
    assert_eq!(create(&mut stores, "3").unwrap_err().code(), "custody-copy-missing");
    assert_eq!(stores.open(&[cid("3")]).remove(0).err().unwrap().code(), "custody-copy-missing");
    for (order, commitment) in [("1", here), ("2", there)] {
        assert_eq!(stores.open(&[cid(order)]).remove(0).unwrap().commitment(), commitment);
    }
    let trouble = trouble_of(&stores.status()).unwrap();
    assert!(trouble.starts_with("store old: ") && trouble.contains("copy"), "{trouble}");
    away(&pair.copy(), false);
    create(&mut stores, "3").unwrap();
    assert_eq!(trouble_of(&stores.status()), None);
}

#[test]
fn an_order_with_seeds_in_two_stores_is_a_conflict() {
    let pair = Pair::new();
    pair.has("old", "1");
    pair.has("new", "1");
    let mut stores = pair.both();
    assert_eq!(create(&mut stores, "1").unwrap_err().code(), "custody-conflict");
    assert_eq!(stores.open(&[cid("1")]).remove(0).err().unwrap().code(), "custody-conflict");
    assert_eq!(stores.shred(&cid("1")).unwrap_err().code(), "custody-conflict");
    // It is told before anybody asks for it.
    pair.has("old", "2");
    let mut stores = pair.both();
    let doubled: Vec<_> = stores.status().into_iter().map(|store| store.doubled).collect();
    assert_eq!(doubled, [Doubled::default(), Doubled { orders: 1, told: vec![cid("1")] }]);
    let trouble = trouble_of(&stores.status()).unwrap();
    assert!(trouble.starts_with("store old: 1 orders have a seed in another store, too, b"), "{trouble}");
    let mut listed: Vec<_> = stores.list().iter().map(|seed| seed.placed).collect();
    let mut both = vec![cid("1"), cid("2")];
    listed.sort_unstable();
    both.sort_unstable();
    assert_eq!(listed, both, "each once");
}

#[test]
fn a_damaged_slot_is_told_with_its_store_and_stops_its_own_order_only() {
    for store in ["new", "old"] {
        for named in [true, false] {
            let pair = Pair::new();
            pair.has(store, "1");
            let other = pair.has(store, "2");
            tear(&pair, store, 0, named);
            let mut stores = pair.both();
            let trouble = trouble_of(&stores.status()).unwrap();
            assert_eq!(trouble, format!("store {store}: 1 slots are damaged in every copy"));
            // What it answers before an order is logged is what the order meets then.
            stores.ready().unwrap();
            create(&mut stores, "3").unwrap();
            assert_eq!(stores.open(&[cid("2")]).remove(0).unwrap().commitment(), other);
            let error = stores.open(&[cid("1")]).remove(0).err().unwrap();
            assert_eq!(error.code(), "custody-damaged");
            let told =
                format!("store {store}: slot 0 of the seed store is damaged in every copy; an older copy");
            assert!(error.to_string().starts_with(&told), "{error}");
            assert!(error.to_string().contains(&format!("`dta seeds import --store {store}`")), "{error}");
            assert_eq!(stores.shred(&cid("1")).unwrap_err().code(), "custody-damaged");
            if named {
                assert_eq!(create(&mut stores, "1").unwrap_err().code(), "custody-damaged");
            }
        }
    }
}

#[test]
fn errors_of_one_of_several_stores_say_which() {
    let pair = Pair::new();
    let mut stores = pair.both();
    let entropy = &mut TestEntropy::new("rotate");
    let many = (0..9).find_map(|_| stores.rotate(Some("old"), Role::First, None, entropy).err()).unwrap();
    assert_eq!(many.code(), "custody-many-keks");
    assert!(many.to_string().starts_with("store old: the seed store has 6 KEKs"), "{many}");
    let second = stores.rotate(Some("new"), Role::Second, None, entropy).unwrap_err();
    assert!(second.to_string().starts_with("store new: custody's second KEK"), "{second}");
    assert!(second.is_temporary() && matches!(second.cause(), SeedError::NoKek { .. }));
    // A single one has nothing to be told from.
    let mut one = Stores::one(pair.store("new"));
    let second = one.rotate(None, Role::Second, None, entropy).unwrap_err();
    assert!(second.to_string().starts_with("custody's second KEK"), "{second}");
    assert_eq!(one.rotate(None, Role::First, None, entropy).unwrap().0, "main");
}

#[test]
fn a_job_that_cannot_go_on_in_one_store_goes_on_in_the_next_and_comes_back() {
    let pair = Pair::new();
    (0..20).for_each(|n| _ = pair.has(if n % 2 == 0 { "old" } else { "new" }, &n.to_string()));
    // The store that cannot go on comes first.
    let named = |name: &str| Named { name: name.to_owned(), store: Box::new(pair.store(name)) };
    let mut stores = Stores::new(named("old"), vec![named("new")]);
    let entropy = &mut TestEntropy::new("job");
    for store in ["old", "new"] {
        stores.rotate(Some(store), Role::First, None, entropy).unwrap();
    }
    let (there, away) = (pair.copy().join("seeds.dta"), pair.copy().join("away"));
    std::fs::rename(&there, &away).unwrap();
    let mut job = job::Job::new(JobKind::Rewrap, &stores);
    let mut steps = 0;
    while job.status().done < 10 {
        job.step(&mut stores, entropy);
        steps += 1;
        assert!(steps < 100, "{:?}", job.status());
    }
    let status = job.status();
    assert_eq!((status.done, status.left, status.ended), (10, Some(0), false));
    assert!(status.trouble.unwrap().starts_with("store old: the seed copy in "));
    std::fs::rename(&away, &there).unwrap();
    while !job.status().ended {
        job.step(&mut stores, entropy);
        steps += 1;
        assert!(steps < 200, "{:?}", job.status());
    }
    let status = job.status();
    assert_eq!((status.done, status.left, status.trouble, status.faults), (20, Some(0), None, 0));
}

#[test]
fn what_is_left_is_left_in_all_stores() {
    let pair = Pair::new();
    (0..60).for_each(|n| _ = pair.has(if n % 2 == 0 { "old" } else { "new" }, &n.to_string()));
    let mut stores = pair.both();
    let entropy = &mut TestEntropy::new("job");
    for store in ["old", "new"] {
        stores.rotate(Some(store), Role::First, None, entropy).unwrap();
    }
    let mut job = job::Job::new(JobKind::Rewrap, &stores);
    job.step(&mut stores, entropy);
    assert_eq!(job.status().left, Some(14));
    std::fs::remove_file(pair.0.path().join("new/seeds.dta")).unwrap();
    let mut left = Vec::new();
    while job.status().done < 46 {
        job.step(&mut stores, entropy);
        left.push(job.status().left.unwrap());
        assert!(left.len() < 100);
    }
    left.dedup();
    assert_eq!(left, [14, 28, 14], "of the first, of both, and of the first again");
}

#[tokio::test]
async fn a_rotation_is_of_one_store_and_a_job_goes_through_all() {
    let pair = Pair::new();
    for n in 0..20 {
        pair.has(if n % 2 == 0 { "old" } else { "new" }, &n.to_string());
    }
    let keeper = SeedKeeper::start(pair.both(), Box::new(TestEntropy::new("keeper")), 16).unwrap();
    let rotate = |store: Option<&str>| keeper.rotate(store.map(str::to_owned), Role::First, None);
    for (store, code) in [(None, "custody-which-store"), (Some("newer"), "custody-no-store")] {
        let error = rotate(store).await.unwrap_err();
        assert_eq!(error.code(), code);
        assert!(error.to_string().contains("new, old"), "{error}");
        assert!(code != "custody-which-store" || error.to_string().contains("`--store`"), "{error}");
    }
    for store in ["new", "old"] {
        assert_eq!(rotate(Some(store)).await.unwrap().0, store);
    }
    for kind in [JobKind::Rewrap, JobKind::Verify] {
        keeper.start_job(kind).await.unwrap();
        let ended = loop {
            let job = keeper.job().await.unwrap().unwrap();
            if job.ended {
                break job;
            }
        };
        assert_eq!((ended.kind, ended.done, ended.faults), (kind, 20, 0));
    }
    let keks = |store: &StoreStatus| store.of.keks.iter().map(|kek| kek.seeds).collect::<Vec<_>>();
    assert_eq!(keeper.status().await.unwrap().iter().map(keks).collect::<Vec<_>>(), [[10], [10]]);
}
