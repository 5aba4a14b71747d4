//! The log's files changed behind its back.

use dta_events::record::{Effect, Stored};
use dta_protocol::Cid;
use milagro_dta::home::{Home as Layout, HomeLock};

use crate::has;
use crate::kit::Home;
use crate::story::{REFERENCE, Story, WHOLE};

/// The log's tables, opened beside everything that guards them.
fn tables(home: &Home) -> rocksdb::DB {
    let path = Layout::new(home.path()).log();
    let options = rocksdb::Options::default();
    let names = rocksdb::DB::list_cf(&options, &path).unwrap();
    rocksdb::DB::open_cf(&options, &path, names).unwrap()
}

fn edit(home: &Home, table: &str, key: &[u8], change: impl FnOnce(&mut Vec<u8>)) {
    let db = tables(home);
    let family = db.cf_handle(table).unwrap();
    let mut value = db.get_cf(family, key).unwrap().unwrap();
    change(&mut value);
    db.put_cf(family, key, value).unwrap();
}

fn swap(home: &Home, one: &Cid, other: &Cid) {
    let db = tables(home);
    let blocks = db.cf_handle("blocks").unwrap();
    let read = |cid: &Cid| db.get_cf(blocks, cid.to_bytes()).unwrap().unwrap();
    let (first, second) = (read(one), read(other));
    db.put_cf(blocks, one.to_bytes(), second).unwrap();
    db.put_cf(blocks, other.to_bytes(), first).unwrap();
}

#[test]
fn a_damaged_block_is_named_with_its_record_order_and_cid() {
    for bit in [8, 20, 80, 3_380, 3_400, 20_000] {
        let story = Story::begin();
        let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| story.hosted(name));
        let tale = story.order(&alice, &bob, &carol).tell(&WHOLE);
        let (first, second) = (tale.order.steps[1].step.cid, tale.order.steps[3].step.cid);
        let Story { home, log, .. } = story;
        drop(log);
        edit(&home, "blocks", &first.to_bytes(), |value| {
            let at = bit % value.len();
            value[at] ^= 1;
        });
        let said = home.must_fail(&["log", "verify"]);
        let place =
            format!("sequence 6: order {REFERENCE}, order/committed {first}: block {first} is damaged");
        assert!(said.contains(&place), "{bit}: {said}");
        // Both are whole, each in the other's place.
        if bit == 8 {
            edit(&home, "blocks", &first.to_bytes(), |value| value[8] ^= 1);
            has(&home.must(&["log", "verify"]), "the log is whole");
            swap(&home, &first, &second);
            assert!(home.must_fail(&["log", "verify"]).contains(&place));
        }
    }
}

#[test]
fn an_identity_or_a_held_secret_that_is_damaged_is_named() {
    let story = Story::begin();
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| story.hosted(name));
    let tale = story.order(&alice, &bob, &carol).tell(&WHOLE);
    let secret = tale.order.secret.unwrap().cid;
    let Story { home, log, .. } = story;
    drop(log);
    edit(&home, "blocks", &secret.to_bytes(), |value| value[9] ^= 1);
    let said = home.must_fail(&["log", "verify"]);
    assert!(said.contains(&format!("block {secret} is damaged")) && said.contains(REFERENCE), "{said}");
    edit(&home, "blocks", &carol.cid.to_bytes(), |value| value[9] ^= 1);
    let said = home.must_fail(&["log", "verify"]);
    assert!(said.contains(&format!("sequence 4: identity {}: block ", carol.cid)), "{said}");
}

#[test]
fn an_index_that_lost_an_entry_is_mended_by_reindex_alone() {
    let story = Story::begin();
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| story.hosted(name));
    let tale = story.order(&alice, &bob, &carol).tell(&WHOLE[..2]);
    let id = [&[3], tale.aggregate().id.as_slice()].concat();
    let Story { home, log, .. } = story;
    drop(log);
    let whole = home.must(&["log", "verify"]);
    let db = tables(&home);
    let stray = [b"a".as_slice(), &id].concat();
    db.put_cf(db.cf_handle("timers").unwrap(), stray, 5u64.to_be_bytes()).unwrap();
    drop(db);
    assert!(home.must_fail(&["log", "verify"]).contains("run `dta log reindex`"));
    let lock = HomeLock::acquire(&Layout::new(home.path())).unwrap();
    assert!(home.must_fail(&["log", "reindex"]).contains("is in use by process "));
    drop(lock);
    assert_eq!(home.must(&["log", "reindex"]), whole);
    assert_eq!(home.must(&["log", "verify"]), whole);
}

#[test]
fn another_nodes_seed_opens_nothing() {
    let [one, other] = [Home::initialised(), Home::initialised()];
    let [from, to] = [&other, &one].map(|home| Layout::new(home.path()));
    std::fs::copy(from.key_file(), to.key_file()).unwrap();
    assert!(one.must_fail(&["log", "verify", "--deep"]).contains("seed.key"));
    std::fs::copy(from.seed_file(), to.seed_file()).unwrap();
    let said = one.must_fail(&["log", "verify", "--deep"]);
    assert!(said.contains("the seed in seed.json is not the one of "), "{said}");
    has(&one.must(&["log", "verify"]), "the log is whole");
}

#[test]
fn what_is_newer_than_the_program_is_refused() {
    let story = Story::begin();
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| story.hosted(name));
    let tale = story.order(&alice, &bob, &carol).tell(&WHOLE[..2]);
    let event = Stored { name: "order/step-appended".into(), schema: 2, bytes: vec![] };
    let command = event.clone();
    story.append(tale.aggregate(), command, Effect::Events(vec![event]), vec![], vec![]);
    for command in ["replay", "verify"] {
        let said = story.home.must_fail(&["log", command]);
        assert!(said.contains("sequence 7: stored shape \"order/step-appended\" schema 2"), "{said}");
    }
    let Story { home, log, .. } = story;
    drop(log);
    edit(&home, "records", &7u64.to_be_bytes(), |record| record[0] = 2);
    for command in ["replay", "verify", "reindex"] {
        let said = home.must_fail(&["log", command]);
        assert!(said.contains("sequence 7: record: format 2 is newer than this program"), "{said}");
    }
}
