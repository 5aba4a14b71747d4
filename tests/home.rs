//! A home: made once, locked, killed, moved, backed up as words, and never half anything.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod kit;

use std::collections::BTreeMap;

use kit::leaks::Secrets;
use kit::{Home, files, public_key_of, text};
use serde_json::json;

#[test]
fn init_makes_a_node_once() {
    let home = Home::empty();
    assert!(home.must_fail(&["daemon"]).contains("run `dta init` first"));
    let made = home.must(&["init", "--name", "alice"]);
    let node = made.lines().next().unwrap().strip_prefix("node ").unwrap().to_owned();
    assert_eq!(home.must(&["identity", "show"]).trim(), node);
    let contents = || -> BTreeMap<_, _> {
        let kept = files(&home.path()).into_iter().filter(|path| !path.ends_with("lock"));
        kept.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
    };
    let before = contents();
    assert!(home.must_fail(&["init"]).contains("holds a node already"));
    assert!(before == contents(), "nothing was changed");
    use std::os::unix::fs::PermissionsExt;
    for name in ["seed.json", "seed.key"] {
        let mode = std::fs::metadata(home.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert!(
        Home::empty().must_fail(&["init", "--name", ""]).contains("name: is 0 bytes long, must be 1 to 128")
    );
}

#[test]
fn an_init_that_failed_can_be_repeated() {
    let home = Home::empty();
    let copy = home.path().parent().unwrap().join("copy");
    home.settings(&format!("[[seeds]]\ncopies = [{:?}]\n", copy.to_str().unwrap()));
    assert!(home.must_fail(&["init"]).contains("copies is not there"));
    std::fs::create_dir(&copy).unwrap();
    home.must(&["init"]);
    // As a crash just before the last step would leave it.
    let node = home.must(&["identity", "show"]);
    std::fs::rename(home.path().join("log"), home.path().join("log.new")).unwrap();
    assert!(home.must(&["init"]).contains(node.trim()), "custody is bound to the identity that was made");
    home.start().place("");
    std::fs::remove_dir_all(home.path().join("log")).unwrap();
    assert!(home.must_fail(&["init"]).contains("holds seeds in custody but no log"));
}

#[test]
fn a_log_that_lost_its_end_is_not_served() {
    let home = Home::initialised();
    let node = home.start();
    node.stop();
    let (log, old) = (home.path().join("log"), home.path().join("old"));
    copy_folder(&log, &old);
    let node = home.start();
    node.place("");
    node.stop();
    std::fs::remove_dir_all(&log).unwrap();
    std::fs::rename(&old, &log).unwrap();
    assert!(home.must_fail(&["daemon"]).contains("checkpoint.json: checkpoint 1 is published, of "));
    assert!(home.must_fail(&["log", "verify"]).contains("checkpoint 1 is published, of "));
    std::fs::remove_file(home.path().join("checkpoint.json")).unwrap();
    assert!(home.must_fail(&["daemon"]).contains("the log has lost its end"));
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn log_lines_that_cannot_be_written_stop_nothing() {
    let home = Home::initialised();
    home.settings("[log]\nlevel = \"wat\"\n");
    assert!(home.must_fail(&["daemon"]).contains("log.level"));
    home.settings("[log]\nlevel = \"trace\"\n");
    let node = home.start_logging_to(std::path::Path::new("/dev/full"));
    node.place("");
    node.stop();
}

#[test]
fn the_home_is_the_one_named_else_milagro_home_else_in_home() {
    let home = Home::empty();
    let dta = || std::process::Command::new(env!("CARGO_BIN_EXE_dta"));
    let (user, milagro) = (home.path().join("user"), home.path().join("milagro"));
    assert!(
        dta().arg("init").env_remove("MILAGRO_HOME").env("HOME", &user).output().unwrap().status.success()
    );
    assert!(user.join(".milagro/seed.json").exists());
    assert!(
        dta().arg("init").env("MILAGRO_HOME", &milagro).env("HOME", &user).output().unwrap().status.success()
    );
    assert!(milagro.join("seed.json").exists());
}

#[test]
fn one_process_at_a_time() {
    let home = Home::initialised();
    let node = home.start();
    assert!(home.must_fail(&["daemon", "--listen", "127.0.0.1:0"]).contains("is in use by process"));
    assert!(home.must_fail(&["projection", "rebuild"]).contains("is in use by process"));
    assert!(home.must(&["projection", "status"]).contains("up to date"));
    node.kill();
    home.must(&["projection", "rebuild"]);
}

#[test]
fn what_was_answered_is_there_after_a_kill() {
    let home = Home::initialised();
    let node = home.start();
    let carol = node.identity("carol");
    let orders: Vec<_> = (0..8).map(|_| node.place(&carol)).collect();
    node.kill();
    let node = home.start();
    for (reference, commitment) in &orders {
        let secret = node.redeem(reference, &carol).is(200).str("secret");
        assert_eq!(public_key_of(&secret), *commitment);
    }
    node.kill();
    let node = home.start();
    for (reference, commitment) in &orders {
        assert_eq!(node.state(reference), "Received");
        assert_eq!(public_key_of(&node.redeem(reference, &carol).is(200).str("secret")), *commitment);
    }
    node.stop();
}

#[test]
fn rebuilt_read_models_answer_byte_for_byte_the_same() {
    let home = Home::initialised();
    let node = home.start();
    let me = node.cid();
    let carol = node.identity("carol");
    let orders: Vec<_> = (0..5).map(|_| node.place("").0).collect();
    node.redeem(&orders[0], &me).is(200);
    node.redeem(&orders[1], &carol).is(200);
    node.redeem(&orders[1], &me).is(409);
    node.redeem(&orders[2], "bafyreifcgsm34vrqcwqxhdop3dpbvp7dj6m3ea7rhimew32ypg7puazw5y").is(422);
    let mut paths: Vec<String> = [
        "/v1/order",
        "/v1/order?page=0&perPage=2",
        "/v1/order?page=1&perPage=2&sortBy=dateCreatedAsc",
        "/v1/order?page=9",
        "/v1/identity",
        "/v1/identity?sortBy=dateCreatedAsc",
        "/v1/order/unknown",
    ]
    .map(str::to_owned)
    .to_vec();
    paths.extend([&me, &carol].map(|cid| format!("/v1/identity/{cid}")));
    for order in &orders {
        paths.extend(["", "/history", "/chain"].map(|part| format!("/v1/order/{order}{part}")));
    }
    let answers = |node: &kit::Node| paths.iter().map(|path| node.bytes(path)).collect::<Vec<_>>();
    let before = answers(&node);
    // Each stop leaves a record of a checkpoint, which changes no row.
    let digests = |node: &kit::Node| {
        let status = node.get("/v1/status").body;
        let models = status["projections"].as_array().unwrap().clone();
        models.iter().map(|model| (model["name"].clone(), model["digest"].clone())).collect::<Vec<_>>()
    };
    let digests_before = digests(&node);
    node.stop();
    std::fs::remove_dir_all(home.path().join("views")).unwrap();
    home.must(&["projection", "rebuild"]);
    home.must(&["projection", "verify"]);
    let node = home.start();
    assert!(before == answers(&node));
    assert_eq!(digests_before, digests(&node));
    node.stop();
    std::fs::remove_dir_all(home.path().join("views")).unwrap();
    let node = home.start();
    node.until("a start without read models builds them", |node| digests(node) == digests_before);
    assert!(before == answers(&node));
}

#[test]
fn a_passphrase_opens_and_another_does_not() {
    let home = Home::empty();
    let file = |name: &str, passphrase: &str| {
        let path = home.path().parent().unwrap().join(name);
        std::fs::write(&path, passphrase).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (right, wrong) = (file("right", "correct horse battery\n"), file("wrong", "incorrect horse\n"));
    home.must(&["init", "--passphrase-file", &right]);
    assert!(!home.path().join("seed.key").exists());
    assert!(home.must_fail(&["daemon"]).contains("passphrase"), "no terminal, no file");
    assert!(home.must_fail(&["daemon", "--passphrase-file", &wrong]).contains("passphrase"));
    let node = home.start_with(&["--passphrase-file", &right]);
    node.place("");
}

#[test]
fn the_seed_travels_as_words_and_only_to_its_own_log() {
    let home = Home::initialised();
    let node = home.must(&["identity", "show"]);
    let words = home.must(&["identity", "seed", "export"]);
    assert_eq!(words.split_whitespace().count(), 24);
    for name in ["seed.json", "seed.key"] {
        std::fs::remove_file(home.path().join(name)).unwrap();
    }
    let other = Home::initialised();
    let others = other.must(&["identity", "seed", "export"]);
    let refused = home.run_with(&["identity", "seed", "import"], &others);
    assert!(!refused.status.success() && text(&refused.stderr).contains("is not the one of"));
    assert!(!home.path().join("seed.json").exists(), "nothing was written");
    let refused = home.run_with(&["identity", "seed", "import"], "abandon abandon");
    assert!(text(&refused.stderr).contains("24 words"), "{}", text(&refused.stderr));
    let imported = home.run_with(&["identity", "seed", "import"], &words.to_uppercase());
    assert!(imported.status.success(), "{}", text(&imported.stderr));
    let running = home.start();
    assert_eq!(running.cid(), node.trim());
    running.place("");
    drop(running);
    let fresh = Home::empty();
    assert!(fresh.run_with(&["identity", "seed", "import"], &words).status.success());
    assert!(fresh.must(&["init"]).contains("seed imported"));
    assert_eq!(fresh.must(&["identity", "seed", "export"]), words);
}

#[test]
fn a_missing_seed_copy_refuses_new_orders_and_releases_old_ones() {
    let home = Home::empty();
    let copy = home.path().parent().unwrap().join("copy");
    std::fs::create_dir(&copy).unwrap();
    home.settings(&format!("[[seeds]]\ncopies = [{:?}]\n", copy.to_str().unwrap()));
    home.must(&["init"]);
    let node = home.start();
    let me = node.cid();
    let (reference, commitment) = node.place("");
    let away = copy.with_extension("away");
    std::fs::rename(&copy, &away).unwrap();
    let refused = node.post("/v1/order", &json!({})).is(503);
    assert!(refused.body["error"].as_str().unwrap().contains("missing"), "{}", refused.body);
    assert_eq!(public_key_of(&node.redeem(&reference, &me).is(200).str("secret")), commitment);
    std::fs::rename(&away, &copy).unwrap();
    node.until("custody takes orders again", |node| node.post("/v1/order", &json!({})).status == 200);
    node.stop();
    std::fs::remove_dir_all(home.path().join("seeds")).unwrap();
    let node = home.start();
    assert_eq!(
        public_key_of(&node.redeem(&reference, &me).is(200).str("secret")),
        commitment,
        "from the copy"
    );
}

#[test]
fn no_secret_is_left_behind_in_any_file_or_log_line() {
    let home = Home::empty();
    home.settings("[log]\nlevel = \"trace\"\n");
    home.must(&["init"]);
    let node = home.start();
    let me = node.cid();
    let secrets: Vec<String> =
        (0..4).map(|_| node.redeem(&node.place("").0, &me).is(200).str("secret")).collect();
    let log = node.log.clone();
    node.stop();
    let mut unwanted = Secrets::default();
    unwanted.words("words", &home.must(&["identity", "seed", "export"]));
    for secret in &secrets {
        unwanted.bytes("secret", &hex::decode(secret).unwrap());
    }
    // Was never here; its bytes are those that escaped texts differ in.
    unwanted.bytes("made up", &b"\0'\"\\\n\r\t\x0b\x7f \xff\xfe\0\0''".repeat(2));
    let search = unwanted.search();
    let left: Vec<_> = files(&home.path()).into_iter().chain([log]).collect();
    assert!(search.finds_nothing_in(&left) > 100_000, "the search has something to search");
    search.finds_each_planted_in(&home.path().join("seeds/seeds.dta"));
}

#[test]
fn the_originals_options_make_a_node_and_its_file_keeps_one() {
    let home = Home::empty();
    let fiduciary = Home::initialised();
    let cid = fiduciary.must(&["identity", "show"]).trim().to_owned();
    let named = format!("{cid},http://127.0.0.1:5556");
    let asked = home.run(&["init", "-interactive"]);
    assert!(!asked.status.success() && text(&asked.stderr).contains("asks at a terminal"));
    assert!(home.must_fail(&["init", "-service", "king"]).contains("none of the plugins of this program"));
    let made = home.must(&["init", "-nodename", "alice", "-masterfiduciarynode", &named, "-service=milagro"]);
    assert!(
        made.contains(&format!("fiduciary {cid}")) && made.contains("dta peer pin fiduciary.id --url"),
        "{made}"
    );
    let shown = home.must(&["config", "show", "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["node.fiduciary"], json!({ "value": cid, "from": "config.toml" }));
    assert_eq!(shown["node.type"]["value"], json!("principal"));
    assert!(home.must_fail(&["init", "-nodename", "alice"]).contains("holds a node already"));

    let home = Home::empty();
    std::fs::create_dir_all(home.path()).unwrap();
    let yaml = include_str!("vectors/original-config.yaml");
    std::fs::write(
        home.path().join("config.yaml"),
        yaml.replace("oidcProvider: \"\"", "oidcProvider: local"),
    )
    .unwrap();
    for command in [&["config", "check"][..], &["init"]] {
        assert!(home.must_fail(command).contains("http.oidcProvider: OIDC comes with authentication"));
    }
    std::fs::write(home.path().join("config.yaml"), yaml).unwrap();
    assert!(home.must_fail(&["init", "-service", "bitcoinwallet"]).contains("config.yaml is there already"));
    home.must(&["init"]);
    assert!(!home.path().join("config.toml").exists());
    let told = home.must(&["config", "check"]);
    assert!(
        told.starts_with("config.yaml: 1 setting differs") && told.contains("here it is 127.0.0.1:5556"),
        "{told}"
    );
    let node = home.start();
    let identity = node.get(&format!("/v1/identity/{}", node.cid())).is(200);
    assert_eq!(identity.str("authenticationReference"), "17c9f630d2e098e4");
    node.stop();
}

#[test]
fn settings_are_judged_without_a_start_and_overridden_by_the_environment() {
    let home = Home::initialised();
    home.settings("[http]\nlisen = 1\norder_wait_ms = 60001\n");
    let told = home.must_fail(&["config", "check"]);
    assert!(told.contains("unknown key `http.lisen`: did you mean `http.listen`?"), "{told}");
    home.settings("[http]\norder_wait_ms = 60001\n[log]\nlevel = \"wat\"\n");
    let told = home.must_fail(&["config", "check"]);
    assert!(told.contains("must be at most 60000") && told.contains("log.level"), "{told}");
    home.settings("");
    let with = |name: &str, value: &str| home.command(&["config", "show"]).env(name, value).output().unwrap();
    let shown = with("DTA_LOG__FORMAT", "json");
    assert!(text(&shown.stdout).contains("environment: DTA_LOG__FORMAT"));
    let refused = with("DTA_LOG__FORMATT", "json");
    assert!(!refused.status.success() && text(&refused.stderr).contains("did you mean DTA_LOG__FORMAT?"));
}
