//! A fiduciary whose seeds are wrapped by a key in a PKCS#11 token (SoftHSM2, as `scripts/hsm` makes it): what clients and operators see
//! of it, also when the token is gone.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod kit;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use kit::token::{folder_of, label, own, pin_file, seeds, seeds_in, soft};
use kit::{Home, Node, public_key_of, text};
use serde_json::{Value, json};

const SETTINGS: &str =
    "[ipfs]\nconnector = \"none\"\n[clock]\ntrusted_after_ms = 1\n[http]\norder_wait_ms = 2000\n";

fn home(more: &str) -> Home {
    let home = Home::empty();
    home.settings(&format!("{SETTINGS}{more}"));
    home.must(&["init", "--name", "bob"]);
    home
}

fn ask(home: &Home, node: &Node, arguments: &[&str]) -> String {
    home.must(&[&["seeds"], arguments, &["--node", &node.url]].concat())
}

fn custody(node: &Node) -> Value {
    node.get("/v1/status").is(200).body["custody"].clone()
}

fn keks(node: &Node) -> Vec<(String, String, u64)> {
    let seeds = node.get("/v1/seeds").is(200).body["stores"][0].clone();
    let kek = |kek: &Value| {
        let text = |key: &str| kek[key].as_str().unwrap().to_owned();
        (text("role"), text("kind"), kek["seeds"].as_u64().unwrap())
    };
    seeds["keks"].as_array().unwrap().iter().map(kek).collect()
}

/// A whole order on one node.
fn order(node: &Node, carol: &str) -> (String, String) {
    let (reference, commitment) = node.place(carol);
    let secret = node.redeem(&reference, carol).is(200).str("secret");
    assert_eq!(public_key_of(&secret), commitment);
    (reference, secret)
}

#[test]
fn orders_are_as_without_a_token_and_survive_a_restart() {
    let token = own();
    let home = home(&seeds_in(&token, ""));
    let node = home.start();
    let carol = node.identity("carol");
    order(&node, &carol);
    let (open, commitment) = node.place(&carol);
    assert_eq!(custody(&node)["state"], "ready");
    assert_eq!(keks(&node), [("first".to_owned(), "aes-gcm".to_owned(), 2)]);
    let said = ask(&home, &node, &["status"]);
    assert!(
        said.contains("seeds    2;") && said.contains(&format!("in the token with label {token:?}  ready")),
        "{said}"
    );
    assert_eq!(ask(&home, &node, &["list"]).lines().count(), 2);
    let said = ask(&home, &node, &["verify"]);
    assert!(said.contains("2 seeds opened and derived; 0 faults"), "{said}");
    node.stop();
    let node = home.start();
    let secret = node.redeem(&open, &carol).is(200).str("secret");
    assert_eq!(public_key_of(&secret), commitment);
}

#[test]
fn without_its_token_a_node_serves_the_rest_and_goes_on_when_it_returns() {
    let home = home(&format!(
        "[[seeds]]\ntype = \"pkcs11\"\n{}",
        soft("seeds.token", "dta-away", &label(), &pin_file())
    ));
    let node = home.start();
    let carol = node.identity("carol");
    let (open, commitment) = node.place(&carol);
    let folder = folder_of("dta-away");
    let away = folder.with_file_name("../away.token");
    std::fs::rename(&folder, &away).unwrap();
    node.until("the token is missed", |node| node.post("/v1/order", &json!({})).status != 200);
    for _ in 0..3 {
        node.post("/v1/order", &json!({ "beneficiaryIDDocumentCID": carol })).refuses(503, "token-absent");
        assert_eq!(node.redeem(&open, &carol).status, 503);
    }
    assert_eq!(custody(&node)["state"], "degraded");
    assert!(custody(&node)["trouble"].as_str().unwrap().contains("dta-away"));
    // The rest serves.
    node.identity("dave");
    node.get("/v1/ready").is(200);
    assert!(node.steps(&open).contains(&"order/redemption-requested".to_owned()));
    // A start without it serves too.
    node.stop();
    let node = home.start();
    assert_eq!(custody(&node)["state"], "degraded");
    node.post("/v1/order", &json!({})).refuses(503, "token-absent");
    std::fs::rename(&away, &folder).unwrap();
    node.until("the token is found", |node| node.post("/v1/order", &json!({})).status == 200);
    node.until("what was asked for is released", |node| node.state(&open) == "Received");
    let secret = node.redeem(&open, &carol).is(200).str("secret");
    assert_eq!(public_key_of(&secret), commitment);
    assert_eq!(custody(&node)["state"], "ready");
}

/// A file with a PIN of mode 0600.
fn pin_in(home: &Home, text: &str) -> PathBuf {
    let file = home.folder().join("pin");
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    file
}

#[test]
fn a_wrong_pin_is_told_and_a_right_one_is_taken_without_a_restart() {
    let right = std::fs::read_to_string(pin_file()).unwrap();
    let home = Home::empty();
    let pin = pin_in(&home, &right);
    let block = format!("[[seeds]]\ntype = \"pkcs11\"\n{}", soft("seeds.token", &own(), &label(), &pin));
    home.settings(&format!("{SETTINGS}{block}"));
    home.must(&["init"]);
    pin_in(&home, "wrong");
    let node = home.start();
    assert!(custody(&node)["trouble"].as_str().unwrap().contains("refused the PIN"), "{}", custody(&node));
    node.post("/v1/order", &json!({})).refuses(503, "token-pin");
    pin_in(&home, &right);
    node.post("/v1/order", &json!({})).is(200);
    // Nothing that is left tells it.
    node.stop();
    for file in kit::files(&home.path()).into_iter().chain([home.log()]) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(right.trim().len()).any(|part| part == right.trim().as_bytes()), "{file:?}");
    }
}

#[test]
fn init_without_its_token_makes_no_node_and_can_be_run_again() {
    let home = Home::empty();
    let with = |token: &str| {
        let block = soft("seeds.token", token, "any-init", &pin_file());
        home.settings(&format!("{SETTINGS}[[seeds]]\ntype = \"pkcs11\"\n{block}"));
    };
    with("no-such");
    assert!(home.must_fail(&["init"]).contains("there is no token with label \"no-such\""));
    assert!(home.must_fail(&["daemon"]).contains("holds no node"));
    with(&own());
    home.must(&["init"]);
    home.start().place("");
}

#[test]
fn keys_are_rotated_and_seeds_rewrapped_while_the_node_serves() {
    let home = home(&seeds(""));
    let node = home.start();
    let carol = node.identity("carol");
    let open: Vec<_> = (0..40).map(|_| node.place(&carol)).collect();
    assert!(ask(&home, &node, &["rotate"]).contains("new seeds are wrapped under"));
    node.place(&carol);
    let counts =
        |role: &str| keks(&node).into_iter().filter(|kek| kek.0 == role).map(|kek| kek.2).collect::<Vec<_>>();
    assert_eq!((counts("first"), counts("retired")), (vec![1], vec![40]));
    assert!(ask(&home, &node, &["rewrap"]).contains("40 seeds wrapped anew"));
    assert_eq!((counts("first"), counts("retired")), (vec![41], vec![]));
    for (reference, commitment) in &open[..3] {
        let secret = node.redeem(reference, &carol).is(200).str("secret");
        assert_eq!(public_key_of(&secret), *commitment);
    }
    // A key by its name, once.
    let name = label();
    ask(&home, &node, &["rotate", "--key", &name]);
    let no_second = home.must_fail(&["seeds", "rotate", "--second", "--node", &node.url]);
    assert!(no_second.contains("custody-no-kek"), "{no_second}");
    node.post("/v1/seeds/rotate", &json!({ "role": "third" })).refuses(422, "role");
    node.post("/v1/seeds/rotate", &json!({ "key": "x".repeat(65) })).refuses(422, "key");
}

#[test]
fn seeds_are_exported_wrapped_and_imported_where_they_are_missing() {
    let home = home(&seeds(""));
    let node = home.start();
    let carol = node.identity("carol");
    let (open, commitment) = node.place(&carol);
    let export = home.folder().join("export");
    let export = export.to_str().unwrap();
    // While the node works with them.
    assert!(home.must(&["seeds", "export", "-o", export]).contains("1 wrapped seeds in"));
    assert!(home.must_fail(&["seeds", "export", "-o", export]).contains("is not overwritten"));
    assert!(home.must_fail(&["seeds", "import", export]).contains("in use by process"));
    node.stop();
    std::fs::remove_file(home.path().join("seeds/seeds.dta")).unwrap();
    let node = home.try_start(&[]);
    assert!(node.is_err_and(|(_, said)| said.contains("seeds.dta")));
    assert!(home.must(&["seeds", "import", export]).contains("1 seeds, 0 shredded"));
    assert!(!home.path().join("seeds.import").exists());
    let node = home.start();
    let secret = node.redeem(&open, &carol).is(200).str("secret");
    assert_eq!(public_key_of(&secret), commitment);
    // Another node can do nothing with them.
    node.stop();
    let other = Home::empty();
    other.settings(&format!("{SETTINGS}{}", seeds("")));
    other.must(&["init"]);
    let said = other.must_fail(&["seeds", "import", export]);
    assert!(
        said.contains("is of another store") || said.contains("does not open with this node's seed"),
        "{said}"
    );
}

#[test]
fn an_ended_order_has_its_seed_shredded_by_command_and_by_policy() {
    let home = home(&seeds(""));
    let node = home.start();
    let carol = node.identity("carol");
    let (open, _) = node.place(&carol);
    let shred = |reference: &str| node.post(&format!("/v1/order/{reference}/shred"), &json!({}));
    assert_eq!(shred(&open).status, 409, "an open order keeps its seed");
    let (done, secret) = order(&node, &carol);
    ask(&home, &node, &["shred", &done]);
    shred(&done).is(200);
    assert_eq!(node.get("/v1/seeds").is(200).body["stores"][0]["shredded"], 1);
    let history = node.get(&format!("/v1/order/{done}/history")).is(200).body.to_string();
    assert!(history.to_lowercase().contains("shredded"), "{history}");
    let history = node.get(&format!("/v1/order/{open}/history")).is(200).body.to_string();
    assert!(history.contains("refused"), "{history}");
    // What was released is its beneficiary's still.
    assert_eq!(node.redeem(&done, &carol).is(200).str("secret"), secret);
    assert!(ask(&home, &node, &["verify"]).contains("1 seeds opened and derived; 0 faults"));
    node.stop();
    let text = std::fs::read_to_string(home.path().join("config.toml")).unwrap();
    home.settings(&format!("{text}\n[custody]\nshred_after_ms = 0\n"));
    let node = home.start();
    let (by_policy, _) = order(&node, &carol);
    node.until("the seed is shredded", |node| {
        node.get("/v1/seeds").is(200).body["stores"][0]["shredded"] == 2
    });
    assert_eq!(node.state(&by_policy), "Received");
}

#[test]
fn a_soft_store_moves_into_a_token_and_on_to_two() {
    let home = home("");
    let node = home.start();
    let carol = node.identity("carol");
    let (open, commitment) = node.place(&carol);
    node.stop();
    let mut settings = format!("{SETTINGS}{}", seeds(""));
    home.settings(&settings);
    let node = home.start();
    node.post("/v1/order", &json!({})).refuses(503, "custody-no-kek");
    assert!(custody(&node)["trouble"].as_str().unwrap().contains("dta seeds init"));
    assert!(home.must_fail(&["seeds", "init"]).contains("in use by"));
    node.stop();
    assert!(home.must(&["seeds", "init"]).contains("custody has the keys that the settings name"));
    assert!(home.must(&["seeds", "init"]).contains("nothing to do"));
    let node = home.start();
    ask(&home, &node, &["rewrap"]);
    assert_eq!(keks(&node), [("first".to_owned(), "aes-gcm".to_owned(), 1)]);
    node.stop();
    settings += &soft("seeds.second", &own(), &label(), &pin_file());
    settings += "algorithm = \"hmac-kdf\"\n";
    home.settings(&settings);
    home.must(&["seeds", "init"]);
    let node = home.start();
    ask(&home, &node, &["rewrap"]);
    let both = |role: &str, kind: &str| (role.to_owned(), kind.to_owned(), 1);
    assert_eq!(keks(&node), [both("first", "aes-gcm"), both("second", "hmac-kdf")]);
    let secret = node.redeem(&open, &carol).is(200).str("secret");
    assert_eq!(public_key_of(&secret), commitment);
}

#[test]
fn a_second_store_takes_new_seeds_and_the_first_keeps_its_own() {
    let home = home("");
    let node = home.start();
    let carol = node.identity("carol");
    let (before, first) = node.place(&carol);
    node.stop();
    let old = format!("{SETTINGS}[[seeds]]\n");
    let key = soft("seeds.token", &own(), &label(), &pin_file());
    let new = format!("[[seeds]]\nname = \"hsm\"\ndefault = true\ntype = \"pkcs11\"\n{key}");
    home.settings(&format!("{old}{new}"));
    let said = home.try_start(&[]).err().unwrap().1;
    assert!(said.contains("there is no store \"hsm\": restore seeds-hsm/ if it was there before"), "{said}");
    assert!(home.must_fail(&["seeds", "init"]).contains("make it with `dta seeds init --new hsm`"));
    assert!(!home.path().join("seeds-hsm").exists());
    let said = home.must(&["seeds", "init", "--new", "hsm"]);
    assert!(said.contains("store hsm") && said.contains("store main"), "{said}");
    let node = home.start();
    let (after, second) = node.place(&carol);
    let used = |node: &Node| {
        let stores = node.get("/v1/seeds").is(200).body["stores"].clone();
        let of =
            |store: &Value| (store["name"].as_str().unwrap().to_owned(), store["used"].as_u64().unwrap());
        stores.as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(used(&node), [("hsm".to_owned(), 1), ("main".to_owned(), 1)]);
    let said = ask(&home, &node, &["status"]);
    assert!(said.contains("store    hsm; new seeds go there") && said.contains("store    main\n"), "{said}");
    assert!(home.must_fail(&["seeds", "rotate", "--node", &node.url]).contains("say which of hsm, main"));
    assert!(
        ask(&home, &node, &["rotate", "--store", "main"]).contains("new seeds of store main are wrapped")
    );
    for arguments in [&["status"][..], &["list"], &["rewrap"], &["verify"], &["shred", "any"], &["init"]] {
        let arguments = [&["seeds"], arguments, &["--store", "main"]].concat();
        assert!(home.must_fail(&arguments).contains("--store"), "it is about all stores");
    }
    assert!(ask(&home, &node, &["rewrap"]).contains("1 seeds wrapped anew"));
    assert!(ask(&home, &node, &["verify"]).contains("2 seeds opened and derived; 0 faults"));
    for (order, commitment) in [(&before, &first), (&after, &second)] {
        let secret = node.redeem(order, &carol).is(200).str("secret");
        assert_eq!(public_key_of(&secret), *commitment);
    }
    ask(&home, &node, &["shred", &before]);
    let (open, promised) = node.place(&carol);
    assert_eq!(used(&node), [("hsm".to_owned(), 2), ("main".to_owned(), 0)]);
    node.stop();
    // A store that is known is neither left nor made anew.
    home.settings(&format!("{SETTINGS}{new}"));
    let said = home.try_start(&[]).err().unwrap().1;
    assert!(said.contains("no longer names \"seeds\""), "{said}");
    home.settings(&format!("{old}{new}"));
    let export = home.folder().join("export").display().to_string();
    assert!(home.must_fail(&["seeds", "export", "-o", &export]).contains("say --store"));
    home.must(&["seeds", "export", "--store", "hsm", "-o", &export]);
    let note = home.path().join("seed-folders");
    assert_eq!(std::fs::read_to_string(&note).unwrap(), "seeds-hsm\nseeds\n");
    std::fs::remove_dir_all(home.path().join("seeds-hsm")).unwrap();
    assert!(home.must_fail(&["seeds", "init"]).contains("seeds-hsm"));
    assert!(home.must_fail(&["seeds", "init", "--new", "hsm"]).contains("so restore it"));
    assert!(home.try_start(&[]).is_err());
    // A restore that forgot it, and the note with it: its order is missed.
    let noted = std::fs::read(&note).unwrap();
    std::fs::remove_file(&note).unwrap();
    assert!(home.try_start(&[]).is_err_and(|(_, said)| said.contains("restore seeds-hsm/")));
    assert!(home.must_fail(&["seeds", "init", "--new", "hsm"]).contains("1 orders, "));
    assert!(!home.path().join("seeds-hsm").exists());
    std::fs::write(&note, noted).unwrap();
    // Another store's export is not this one, and leaves nothing.
    let other = home.folder().join("other").display().to_string();
    home.must(&["seeds", "export", "--store", "main", "-o", &other]);
    let said = home.must_fail(&["seeds", "import", "--store", "hsm", &other]);
    assert!(said.contains("the stores hsm and main have copies of one store"), "{said}");
    assert!(!home.path().join("seeds-hsm").exists());
    std::fs::create_dir(home.path().join("seeds.import")).unwrap();
    assert!(home.try_start(&[]).is_err_and(|(_, said)| said.contains("run `dta seeds import` again")));
    assert!(home.must_fail(&["seeds", "init"]).contains("run `dta seeds import` again"));
    assert!(home.must(&["seeds", "import", "--store", "hsm", &export]).contains("2 seeds, 0 shredded"));
    let node = home.start();
    assert_eq!(used(&node), [("hsm".to_owned(), 2), ("main".to_owned(), 0)]);
    let secret = node.redeem(&open, &carol).is(200).str("secret");
    assert_eq!(public_key_of(&secret), promised);
}

#[test]
fn what_log_and_custody_do_not_share_is_named() {
    let home = home(&seeds(""));
    let node = home.start();
    let carol = node.identity("carol");
    node.place(&carol);
    node.stop();
    let copy = |from: &str, to: &str| {
        let (from, to) = (home.path().join(from), home.path().join(to));
        _ = std::fs::remove_dir_all(&to);
        std::fs::create_dir(&to).unwrap();
        for file in kit::files(&from) {
            std::fs::copy(&file, to.join(file.strip_prefix(&from).unwrap())).unwrap();
        }
    };
    copy("log", "log.old");
    copy("seeds", "seeds.old");
    let checkpoint = std::fs::read(home.path().join("checkpoint.json")).unwrap();
    let node = home.start();
    let (lost, _) = node.place(&carol);
    let lost = node.get(&format!("/v1/order/{lost}")).is(200).str("orderCID");
    node.stop();
    copy("log", "log.new");
    copy("seeds", "seeds.new");
    let verify = |told: &[&str]| {
        let node = home.start();
        let output = home.run(&["seeds", "verify", "--node", &node.url]);
        let said = text(&output.stdout);
        assert!(!output.status.success() && told.iter().all(|told| said.contains(told)), "{said}");
        let answer = node.get("/v1/seeds/reconciliation").is(200).body;
        assert_eq!(answer["named"].as_array().unwrap().len(), 1, "{answer}");
        assert_eq!(answer["named"][0]["orderCID"], lost.as_str());
        node.stop();
        answer
    };
    // An order without its seed: custody from an older copy.
    copy("seeds.old", "seeds");
    let answer =
        verify(&[&format!("order    {lost}: custody has no seed for it"), "1 orders without their seed"]);
    assert_eq!((&answer["seedsWithoutOrder"], &answer["ordersWithoutSeed"]), (&json!(0), &json!(1)));
    // A seed without its order: the log from an older copy. Read models and checkpoint would not let it pass.
    copy("seeds.new", "seeds");
    copy("log.old", "log");
    std::fs::write(home.path().join("checkpoint.json"), checkpoint).unwrap();
    std::fs::remove_dir_all(home.path().join("views")).unwrap();
    let answer =
        verify(&[&format!("seed     {lost}: the log has no such order"), "1 seeds without their order"]);
    assert_eq!((&answer["seedsWithoutOrder"], &answer["ordersWithoutSeed"]), (&json!(1), &json!(0)));
}

#[test]
fn the_nodes_own_seed_can_be_under_a_token_too() {
    let (key, token) = (label(), own());
    let custody = seeds_in(&token, "");
    let home = home(&format!("{}{custody}", soft("keystore.token", &token, &key, &pin_file())));
    assert!(!home.path().join("seed.key").exists());
    let kept: Value = serde_json::from_slice(&std::fs::read(home.path().join("seed.json")).unwrap()).unwrap();
    assert_eq!((&kept["protection"], &kept["format"]), (&json!("token"), &json!(2)));
    let node = home.start();
    let carol = node.identity("carol");
    order(&node, &carol);
    node.stop();
    let words = home.must(&["identity", "seed", "export"]);
    assert_eq!(words.split_whitespace().count(), 24);
    // Without the token a stolen disk holds nothing usable.
    let settings = std::fs::read_to_string(home.path().join("config.toml")).unwrap();
    home.settings(&settings.replace(&token, &own()));
    let said = home.try_start(&[]).err().unwrap().1;
    assert!(said.contains("no key") && said.contains(&key), "{said}");
    home.settings(&settings.replace("[keystore.token]", "[nothing.token]"));
    assert!(home.must_fail(&["identity", "seed", "export"]).contains("nothing"));
    // By the words under a key file again.
    std::fs::remove_file(home.path().join("seed.json")).unwrap();
    let (_, rest) = settings.split_once("[[seeds]]").unwrap();
    home.settings(&format!("{SETTINGS}[[seeds]]{rest}"));
    let output = home.run_with(&["identity", "seed", "import"], &words);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let node = home.start();
    order(&node, &carol);
    assert!(Path::new(&home.path().join("seed.key")).exists());
}
