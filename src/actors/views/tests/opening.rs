//! What an opening finds: nothing, other code's rows, another log's, what a crash left, damage.

use dta_projections::{History, Identities, Orders, Peers, all};

use super::*;

fn filled(log: &dyn LogReader) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    catch_up(&Views::open(folder.path(), &all()).unwrap(), log);
    folder
}

fn position(views: &Views, name: &str) -> u64 {
    views.queries().standing(name).unwrap().unwrap().position
}

#[test]
fn nothing_is_an_empty_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let views = Views::open(&folder.path().join("views"), &all()).unwrap();
    for projection in all() {
        let standing = views.queries().standing(projection.name()).unwrap().unwrap();
        assert_eq!((standing.generation, standing.schema, standing.position), (1, projection.schema(), 0));
        assert_eq!(standing.digest, dta_projections::genesis(projection));
    }
    assert!(views.reconcile(&memory(0)).unwrap().is_empty());
    assert!(matches!(views.queries().standing("prices"), Err(ViewsError::Unknown { .. })));
}

#[test]
fn another_schema_begins_anew_and_alone() {
    let log = log_of(&story());
    let folder = filled(&log);
    for schema in [99, Orders.schema()] {
        let stand = Stand { for_: &Orders, schema, halts_at: None }.leak();
        let views = Views::open(folder.path(), &[stand, &Identities, &History, &Peers]).unwrap();
        assert_eq!(position(&views, "orders"), 0, "schema {schema}");
        assert_eq!(position(&views, "history"), log.head().unwrap().count);
        catch_up(&views, &log);
        let standing = views.queries().standing("orders").unwrap().unwrap();
        assert_eq!(standing.schema, schema);
        assert_eq!(standing.generation, if schema == 99 { 2 } else { 3 });
    }
    let fresh = filled(&log);
    let bytes_of = |path| all_bytes(&Views::open(path, &all()).unwrap());
    assert_eq!(bytes_of(folder.path()), bytes_of(fresh.path()));
    let families = rocksdb::DB::list_cf(&rocksdb::Options::default(), folder.path()).unwrap();
    assert_eq!(families, ["default", "meta", "identities.1", "history.1", "peers.1", "orders.3"]);
}

#[test]
fn another_log_is_told_and_begins_anew() {
    let log = log_of(&story());
    let other = memory(1);
    tell(&other, &story());
    let shorter = log_of(&story()[..10]);
    // The same records as far as they go, then others.
    let forked = log_of(&story()[..10]);
    tell(&forked, &[Act::Closed(3); 20]);
    let empty = memory(0);
    for (wrong, why) in [(&other, "home"), (&shorter, "beyond"), (&forked, "fork"), (&empty, "empty")] {
        let folder = filled(&log);
        let views = Views::open(folder.path(), &all()).unwrap();
        assert!(views.reconcile(&log).unwrap().is_empty());
        assert_eq!(views.reconcile(wrong).unwrap(), ["orders", "identities", "history", "peers"], "{why}");
        catch_up(&views, wrong);
        let right = filled(wrong);
        let right = Views::open(right.path(), &all()).unwrap();
        assert_eq!(all_bytes(&views), all_bytes(&right), "{why}");
        assert!(views.reconcile(wrong).unwrap().is_empty());
    }
    // One that is merely behind goes on.
    let folder = filled(&shorter);
    let views = Views::open(folder.path(), &all()).unwrap();
    assert!(views.reconcile(&log).unwrap().is_empty());
    assert_eq!(position(&views, "orders"), 10);
}

#[test]
fn what_a_crash_left_of_a_rebuild_goes() {
    let log = log_of(&story());
    let folder = filled(&log);
    let views = Views::open(folder.path(), &all()).unwrap();
    let before = all_bytes(&views);
    views.database().create(&Orders).unwrap();
    views.database().create(&Orders).unwrap();
    drop(views);
    let views = Views::open(folder.path(), &all()).unwrap();
    assert_eq!(all_bytes(&views), before);
    drop(views);
    let families = rocksdb::DB::list_cf(&rocksdb::Options::default(), folder.path()).unwrap();
    assert_eq!(families, ["default", "meta", "orders.1", "identities.1", "history.1", "peers.1"]);
}

#[test]
fn notes_that_make_no_sense_begin_anew() {
    let log = log_of(&story());
    for note in [&b""[..], b"nonsense", &[0xff; 10], &[0; 10]] {
        let folder = filled(&log);
        let views = Views::open(folder.path(), &all()).unwrap();
        let before = all_bytes(&views);
        let meta = views.database().family("meta").unwrap();
        views.database().engine.put_cf(&meta, "current/orders", note).unwrap();
        drop(meta);
        drop(views);
        let views = Views::open(folder.path(), &all()).unwrap();
        assert_eq!(position(&views, "orders"), 0);
        catch_up(&views, &log);
        assert_eq!(all_bytes(&views), before);
    }
}

#[test]
fn damage_that_the_engine_refuses_says_what_to_do() {
    let log = log_of(&story());
    let folder = filled(&log);
    for file in ["CURRENT", "MANIFEST"] {
        let found = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let path =
            found.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(file)).max().unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, b"nonsense").unwrap();
        for opened in
            [Views::open(folder.path(), &all()).err(), Views::open_read_only(folder.path(), &all()).err()]
        {
            let error = opened.unwrap();
            assert!(matches!(error, ViewsError::Open { .. }), "{error}");
            assert!(error.to_string().contains("`dta projection rebuild`"), "{error}");
        }
        std::fs::write(&path, whole).unwrap();
    }
    assert_eq!(position(&Views::open(folder.path(), &all()).unwrap(), "orders"), 20);
}

#[test]
fn two_do_not_write() {
    let folder = tempfile::tempdir().unwrap();
    let _views = Views::open(folder.path(), &all()).unwrap();
    assert!(matches!(Views::open(folder.path(), &all()), Err(ViewsError::Open { .. })));
}

#[test]
fn who_only_reads_sees_the_moment_of_opening() {
    let nowhere = tempfile::tempdir().unwrap();
    let absent = Views::open_read_only(nowhere.path(), &all()).err();
    assert!(matches!(absent, Some(ViewsError::Absent(_))));
    assert!(std::fs::read_dir(nowhere.path()).unwrap().next().is_none(), "nothing is made");

    let log = log_of(&story()[..10]);
    let folder = filled(&log);
    let views = Views::open(folder.path(), &all()).unwrap();
    let reader = Views::open_read_only(folder.path(), &all()).unwrap();
    let before = reader.orders(0, 100, true).unwrap();
    tell(&log, &story()[10..]);
    catch_up(&views, &log);
    views.rebuild("orders", &log, &mut |_, _| ()).unwrap();
    assert_eq!(reader.standing("orders").unwrap().unwrap().position, 10);
    assert_eq!(reader.orders(0, 100, true).unwrap(), before);
    let later = Views::open_read_only(folder.path(), &all()).unwrap();
    assert_eq!(later.orders(0, 100, true).unwrap(), views.queries().orders(0, 100, true).unwrap());
    assert_ne!(later.orders(0, 100, true).unwrap(), before);
}

#[test]
fn who_only_reads_does_not_read_other_codes_rows() {
    let log = log_of(&story());
    let folder = filled(&log);
    let stand = Stand { for_: &History, schema: 9, halts_at: None }.leak();
    drop(Views::open(folder.path(), &[&Orders, stand]).unwrap());
    let reader = Views::open_read_only(folder.path(), &all()).unwrap();
    let schema = |name, found, known| ViewsError::Schema { name, found, known };
    assert_eq!(reader.history(&order(0).id, None, 10).unwrap_err(), schema("history", 9, History.schema()));
    assert_eq!(reader.counts().unwrap_err(), schema("identities", 0, Identities.schema()));
    assert_eq!(reader.standing("history").unwrap().unwrap().schema, 9);
    assert_eq!(reader.standing("identities").unwrap(), None);
    assert!(reader.order_by_id(&order(0).id).unwrap().is_some());
}
