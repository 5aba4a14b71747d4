//! A home of the original taken over: into a new node, again, into one that is there, and its orders' secrets released.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod kit;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kit::{Home, files, text};
use serde_json::Value;

fn vectors() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/original-home")
}

/// The original's home, to read.
fn original() -> String {
    vectors().join("home").to_str().unwrap().to_owned()
}

fn answers() -> String {
    vectors().join("answers.json").to_str().unwrap().to_owned()
}

/// What the original's libraries derived of one of its orders: reference, commitment, secret.
fn order(at: usize) -> [String; 3] {
    let expected: Value =
        serde_json::from_slice(&std::fs::read(vectors().join("expected.json")).unwrap()).unwrap();
    ["reference", "commitment", "secret"].map(|key| expected["orders"][at][key].as_str().unwrap().to_owned())
}

fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files(folder).into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// Runs it where some of the original's home is damaged, which the exit status says.
fn import(home: &Home, more: &[&str]) -> String {
    let original = original();
    let output = home.run(&[&["import-original", &original], more].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr).lines().find(|line| line.starts_with("dta: ")), None);
    text(&output.stdout)
}

#[test]
fn a_node_is_made_of_it_and_nothing_there_is_changed() {
    let before = contents(Path::new(&original()));
    let home = Home::empty();
    let told = import(&home, &["--check"]);
    assert!(told.contains("orders     301 with their seeds: 0 give the commitment"), "{told}");
    assert!(!home.path().join("seed.json").exists(), "--check makes nothing");

    let told = import(&home, &["--answers", &answers()]);
    for line in [
        "identity   QmNodeNodeNodeNodeNodeNodeNodeNodeNodeNodeNode, the node's own: EC key 0",
        "orders     301 with their seeds: 17 give the commitment that the client has, 1 with an EC key here added; 1 are an addend of it; 281 \
         unchecked; 1 give another",
        "taken over 3 identities and 301 orders",
        "not taken  order elsewhere: no seed",
        "not taken  datastore.dat: keySeed torn: the seed is torn",
        "not taken  setting http.listenAddr: listens on loopback now",
        "not taken  SIKE and BLS keys",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert!(!told.contains("not to be printed"), "the only secret among the settings");
    assert!(contents(Path::new(&original())) == before);

    // Again: nothing changes.
    let kept = std::fs::read(home.path().join("original.json")).unwrap();
    assert!(import(&home, &[]).contains("taken over 0 identities and 0 orders"));
    assert!(std::fs::read(home.path().join("original.json")).unwrap() == kept);

    let node = home.start();
    assert!(home.must_fail(&["import-original", &original()]).contains("is in use by process"));
    let [reference, commitment, secret] = order(3);
    assert!(home.must(&["original", "list"]).contains(&format!("{reference} {commitment} matches")));
    assert_eq!(
        home.must(&["original", "secret", &reference, "--yes"]).trim(),
        secret,
        "also beside a running node"
    );
    node.stop();
}

#[test]
fn a_node_that_is_there_takes_it_over_and_learns_more_later() {
    let home = Home::initialised();
    let identity = home.must(&["identity", "show"]);
    assert!(import(&home, &[]).contains("taken over 3 identities and 301 orders"));
    assert_eq!(home.must(&["original", "list"]).lines().count(), 301);
    assert_eq!(home.must(&["identity", "show"]), identity);
    let [reference, commitment, _] = order(0);
    assert!(home.must(&["original", "list"]).contains(&format!("{reference} {commitment} unchecked")));
    assert!(import(&home, &["--answers", &answers()]).contains("more is known of 20;"));
    assert!(home.must(&["original", "list"]).contains(&format!("{reference} {commitment} matches")));
}

#[test]
fn secrets_are_released_by_a_person_and_compared_first() {
    let home = Home::empty();
    assert!(home.must_fail(&["original", "list"]).contains("`dta import-original` makes it"));
    import(&home, &["--answers", &answers()]);
    let [reference, _, secret] = order(0);
    assert!(home.must_fail(&["original", "secret", &reference]).contains("say --yes"));
    assert!(
        home.must_fail(&["original", "secret", "none", "--yes"]).contains("no order none was taken over")
    );
    assert_eq!(home.must(&["original", "secret", &reference, "--yes"]).trim(), secret);
    let [differs, _, of_seed] = order(7);
    let refused = home.must_fail(&["original", "secret", &differs, "--yes"]);
    assert!(
        refused.contains("does not give the commitment that its client has") && !refused.contains(&of_seed)
    );
    assert_eq!(home.must(&["original", "secret", &differs, "--yes", "--anyway"]).trim(), of_seed);
    let [sum, _, addend] = order(8);
    let final_secret = home.must(&["original", "secret", &sum, "--yes"]);
    assert!(
        final_secret.trim().len() == 64 && final_secret.trim() != addend,
        "the beneficiary's key is added"
    );
    // No file of the home holds a secret of the original's in clear.
    for file in files(&home.path()) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(64).any(|hex| hex == secret.as_bytes()), "{}", file.display());
    }
}

#[test]
fn the_originals_home_is_not_ours() {
    let home = Home::empty();
    std::fs::create_dir_all(home.path()).unwrap();
    for name in ["config.yaml", "datastore.dat", "keys"] {
        std::fs::copy(vectors().join("home").join(name), home.path().join(name)).unwrap();
    }
    let before = contents(&home.path());
    let same = home.path();
    let refused = home.must_fail(&["import-original", same.to_str().unwrap()]);
    assert!(refused.contains("say where this node's is to be"), "{refused}");
    assert!(contents(&home.path()) == before);
    assert!(
        Home::empty()
            .must_fail(&["import-original", home.folder().to_str().unwrap()])
            .contains("is no home of the original")
    );
}
