//! The command over a home on disk.

use std::path::PathBuf;

use dta_projections::{all, order_key};

use super::*;
use crate::actors::views::tests::{Act, all_bytes, catch_up, entropy, order, story, tamper, tell};

/// A home with a log and, up to `position`, its read models.
fn home(position: usize) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path());
    let log = RocksLog::create(&home.log(), Arc::new(Rules), entropy(0)).unwrap();
    tell(&log, &story()[..position]);
    catch_up(&Views::open(&home.views(), &all()).unwrap(), &log);
    tell(&log, &story()[position..]);
    let root = home.root;
    (folder, root)
}

fn open_views(home: &Path) -> Views {
    Views::open(&Home::new(home).views(), &all()).unwrap()
}

fn lines(home: &Path) -> Vec<String> {
    let (views, log) = open(home).unwrap();
    let head = log.head().unwrap().count;
    all().iter().map(|projection| status_line(&views, &log, *projection, head).unwrap()).collect()
}

fn message(result: anyhow::Result<()>) -> String {
    format!("{:#}", result.unwrap_err())
}

#[test]
fn what_is_right_verifies_also_behind_and_while_the_daemon_is_up() {
    for position in [0, 1, 12, 20] {
        let (_folder, home) = home(position);
        let _lock = HomeLock::acquire(&Home::new(&home)).unwrap();
        let _views = open_views(&home);
        verify(&home).unwrap();
        status(&home).unwrap();
        let how = if position == 20 { "up to date".into() } else { format!("behind by {}", 20 - position) };
        for (line, projection) in lines(&home).into_iter().zip(all()) {
            let schema = projection.schema();
            let standing = format!("generation 1, schema {schema}, position {position} of 20, ");
            assert!(line.contains(&standing), "{line}");
            assert!(line.ends_with(&how), "{line}");
        }
    }
}

#[test]
fn a_changed_row_fails_and_a_rebuild_repairs_it() {
    let (_folder, home) = home(20);
    let views = open_views(&home);
    let before = all_bytes(&views);
    let key = order_key(&order(0).id);
    tamper(&views, "orders", &key, Some(b"!"));
    drop(views);
    let failed = message(verify(&home));
    assert!(failed.starts_with("orders is not what the log says: the row "), "{failed}");
    assert!(failed.contains(&hex::encode(&key)), "{failed}");
    rebuild(&home, &["identities".into()]).unwrap();
    assert!(verify(&home).is_err(), "only what is named is made anew");
    rebuild(&home, &["orders".into()]).unwrap();
    verify(&home).unwrap();
    assert_eq!(all_bytes(&open_views(&home)), before);
    let line = &lines(&home)[0];
    assert!(line.starts_with("orders: generation 2, "), "{line}");
}

#[test]
fn a_rebuild_fills_what_is_behind_missing_or_damaged() {
    let (_folder, whole) = home(20);
    let expected = all_bytes(&open_views(&whole));
    let (_folder, home) = home(3);
    let views = Home::new(&home).views();
    run(&home, ProjectionCommand::Rebuild { names: vec![] }).unwrap();
    assert_eq!(all_bytes(&open_views(&home)), expected);
    std::fs::remove_dir_all(&views).unwrap();
    assert!(message(run(&home, ProjectionCommand::Verify)).starts_with("there are no read models at "));
    assert!(message(run(&home, ProjectionCommand::Status)).starts_with("there are no read models at "));
    rebuild(&home, &[]).unwrap();
    assert_eq!(all_bytes(&open_views(&home)), expected);
    std::fs::write(views.join("CURRENT"), "nonsense").unwrap();
    assert!(message(verify(&home)).contains("`dta projection rebuild`"));
    assert!(message(rebuild(&home, &["orders".into()])).ends_with("it concerns all of them"));
    rebuild(&home, &[]).unwrap();
    assert_eq!(all_bytes(&open_views(&home)), expected);
    verify(&home).unwrap();
}

#[test]
fn no_rebuild_while_the_daemon_is_up() {
    let (_folder, home) = home(20);
    let _lock = HomeLock::acquire(&Home::new(&home)).unwrap();
    let refused = message(rebuild(&home, &[]));
    assert!(refused.contains(" is in use by process "), "{refused}");
}

#[test]
fn a_name_that_is_none_is_refused_before_anything_else() {
    let (_folder, home) = home(20);
    let before = all_bytes(&open_views(&home));
    for names in [vec!["prices".into()], vec!["orders".into(), "Orders".into()], vec![String::new()]] {
        let refused = message(rebuild(&home, &names));
        assert!(refused.ends_with("(there are orders, identities, history, peers)"), "{refused}");
    }
    assert_eq!(all_bytes(&open_views(&home)), before);
    assert_eq!(open_views(&home).queries().standing("orders").unwrap().unwrap().generation, 1);
}

#[test]
fn another_homes_read_models_are_told() {
    let (_folder, home_) = home(20);
    let other = tempfile::tempdir().unwrap();
    let log = RocksLog::create(&Home::new(other.path()).log(), Arc::new(Rules), entropy(1)).unwrap();
    tell(&log, &story());
    tell(&log, &[Act::Placed(9)]);
    std::fs::rename(Home::new(&home_).views(), Home::new(other.path()).views()).unwrap();
    assert!(message(verify(other.path())).contains("it was not made from this log"));
    for line in lines(other.path()) {
        assert!(line.contains("does not follow the record before it"), "{line}");
    }
    let (_folder, short) = home(20);
    std::fs::remove_dir_all(Home::new(&short).log()).unwrap();
    let log = RocksLog::create(&Home::new(&short).log(), Arc::new(Rules), entropy(0)).unwrap();
    tell(&log, &story()[..19]);
    assert!(message(verify(&short)).contains("it was not made from this log"));
    assert!(lines(&short).iter().all(|line| line.contains("beyond the log")), "{:?}", lines(&short));
}

#[test]
fn no_home_is_said() {
    let nowhere = tempfile::tempdir().unwrap();
    for command in [ProjectionCommand::Status, ProjectionCommand::Verify] {
        assert!(message(run(nowhere.path(), command)).starts_with("there are no read models at "));
    }
    let rebuilt = message(rebuild(nowhere.path(), &[]));
    assert!(rebuilt.starts_with("there is no log at "), "{rebuilt}");
    assert!(!Home::new(nowhere.path()).views().exists());
}
