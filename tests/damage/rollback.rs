//! A whole folder, or all but one, in an older state: what tells today that the log was longer, and what does not.

use crate::judge::{Verdict, judge};
use crate::kit::{Home, copy_tree};
use crate::specimen::{Specimen, specimens};
use milagro_dta::home::Home as Layout;

/// The home with these parts as they were earlier.
fn rolled_back(of: &Specimen, parts: &[&str]) -> Home {
    let home = of.copied();
    for part in parts {
        std::fs::remove_dir_all(home.folder().join(part)).unwrap();
        copy_tree(&of.older().join(part), &home.folder().join(part));
    }
    home
}

fn refused(home: &Home) -> String {
    let (status, said) = home.try_start(&[]).err().expect("it must not start");
    assert_eq!(status.code(), Some(1));
    said
}

/// What the node has committed to is not known here any more.
fn forget_checkpoint(home: &Home) {
    std::fs::remove_file(home.path().join("checkpoint.json")).unwrap();
}

/// The newest checkpoint tells.
fn too_short(home: &Home) {
    let said = refused(home);
    let told = said.contains("checkpoint.json: checkpoint ") && said.contains(" is published, of ");
    assert!(told && said.contains("; the log has ") && said.contains("restore its newest copy"), "{said}");
}

#[test]
fn an_older_log_is_told_by_the_checkpoint_beside_it_and_by_the_read_models() {
    let all = specimens();
    for parts in [&["home/log"][..], &["home/log", "home/seeds", "copy"], &["home/log", "home/ipfs"]] {
        let home = rolled_back(&all.clean, parts);
        too_short(&home);
        forget_checkpoint(&home);
        let said = refused(&home);
        assert!(said.contains("the log has lost its end") && said.contains("restore the log"), "{said}");
    }
}

#[test]
fn an_older_log_with_older_read_models_is_told_by_custody() {
    let all = specimens();
    let older = judge(&Layout::new(Home::copied(all.clean.older()).path()), &all.clean.truth_of_older());
    assert!(matches!(older, Verdict::Stands(troubles) if troubles.none()));
    let lost = all.clean.truth.seeds.len() - all.clean.truth_of_older().seeds.len();
    assert_eq!(lost, 2);
    // Without its read models as well: an operator who was told to remove them.
    for without_views in [false, true] {
        let home = rolled_back(&all.clean, &["home/log", "home/views"]);
        if without_views {
            std::fs::remove_dir_all(home.path().join("views")).unwrap();
        }
        too_short(&home);
        forget_checkpoint(&home);
        let node = home.start();
        let custody = node.get("/v1/status").is(200).body["custody"].clone();
        assert_eq!(custody["state"], "degraded", "{custody}");
        let trouble = custody["trouble"].as_str().unwrap();
        assert_eq!(trouble, "2 of the newest seeds are of orders that the log lacks");
        let log = std::fs::read_to_string(&node.log).unwrap();
        assert!(
            log.contains("ERROR") && log.contains("custody keeps seeds of orders that are not in the log")
        );
        node.stop();
    }
}

#[test]
fn an_older_home_whole_is_told_by_a_checkpoint_that_was_kept_elsewhere() {
    let all = specimens();
    let home = Home::copied(all.clean.older());
    let newest = all.clean.folder().join("home/checkpoint.json");
    std::fs::copy(&newest, home.path().join("checkpoint.json")).unwrap();
    too_short(&home);
    // Without it nothing in the home tells; the nodes that saw its notes do.
    let home = Home::copied(all.clean.older());
    let node = home.start();
    let status = node.get("/v1/status").is(200).body;
    assert_eq!(status["custody"]["state"], "ready");
    assert!(status["logLength"].as_u64().unwrap() < all.clean.truth.acknowledged);
    node.stop();
}
