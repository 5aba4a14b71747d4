//! The plugins that ship, whole orders between three nodes and on one: what the original's clients ask and are answered.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod kit;
// The tests of the example's plugin run here.
#[allow(dead_code)]
#[path = "../examples/plugins/second_factor.rs"]
mod second_factor;
#[allow(dead_code)]
#[path = "parties/wire.rs"]
mod wire;
#[allow(dead_code)]
#[path = "parties/world.rs"]
mod world;

use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use bitcoin::{Address, CompressedPublicKey, KnownHrp, Network};
use kit::{Answer, Home, Node};
use serde_json::{Value, json};
use world::{Settings, World};

const TEXT: &str = "This is some random test text 1234567890!";

fn with(plugin: &'static str) -> World {
    World::with(&Settings { plugin, ..Settings::default() }, &[])
}

fn one(plugin: &str) -> (Home, Node) {
    let home = Home::empty();
    home.settings(&format!("[node]\nplugin = \"{plugin}\"\n[ipfs]\nconnector = \"none\"\n"));
    home.must(&["init"]);
    let node = home.start();
    (home, node)
}

fn order(beneficiary: &str, extension: Value) -> Value {
    json!({ "beneficiaryIDDocumentCID": beneficiary, "extension": extension })
}

fn redemption(reference: &str, beneficiary: &str, extension: &Value) -> Value {
    json!({ "orderReference": reference, "beneficiaryIDDocumentCID": beneficiary, "extension": extension })
}

/// The CID of an order by its reference at its principal.
fn cid(node: &Node, reference: &str) -> String {
    node.get(&format!("/v1/order/{reference}")).is(200).str("orderCID")
}

/// What carol's client gets at her own node, once what alice asked for has come there.
fn at_carol(world: &World, order: &str, extension: &Value) -> Answer {
    world.until(|| {
        let state = world.carol.get(&format!("/v1/order/{order}"));
        (state.status != 200 || state.str("state") != "Received").then(|| format!("carol has {state:?}"))
    });
    world.carol.post("/v1/order/secret", &redemption(order, &world.carol.cid, extension)).is(200)
}

/// These texts are in no file of a home and in no log line, but for what is sealed.
fn nowhere(home: &Home, texts: &[&str]) {
    for file in kit::files(&home.path()).into_iter().chain([home.log()]) {
        // A running node removes files of its own.
        let Ok(bytes) = std::fs::read(&file) else { continue };
        for text in texts {
            assert!(!bytes.windows(text.len()).any(|part| part == text.as_bytes()), "{text} in {file:?}");
        }
    }
}

#[test]
fn a_safeguarded_text_reaches_its_beneficiary_and_nobody_else() {
    let world = with("safeguardsecret");
    for named in [world.carol.cid.as_str(), ""] {
        let body = order(named, json!({ "plainText": TEXT, "note": "for bob" }));
        let placed = world.alice.post_under("/v1/order", &body, Some(&format!("order-{named}"))).is(200);
        let again = world.alice.post_under("/v1/order", &body, Some(&format!("order-{named}"))).is(200);
        assert_eq!(again, placed, "the same request, the same answer");
        let sealed = placed.body["extension"].clone();
        assert_eq!(sealed.as_object().unwrap().keys().collect::<Vec<_>>(), ["cypherText", "t", "v"]);
        assert_eq!(placed.str("commitment").len(), 130);
        let reference = placed.str("orderReference");
        let asked = world.alice.post("/v1/order/secret", &redemption(&reference, &world.carol.cid, &sealed));
        let asked = asked.is(200);
        assert_eq!((asked.str("secret"), asked.body["extension"].clone()), (String::new(), json!({})));
        let given = at_carol(&world, &cid(&world.alice, &reference), &json!({}));
        assert_eq!(given.body["extension"], json!({ "plainText": TEXT }));
        assert_eq!(given.str("commitment"), placed.str("commitment"));
        assert_eq!(kit::public_key_of(&given.str("secret")), placed.str("commitment"));
    }
    for party in [&world.alice, &world.bob, &world.carol] {
        nowhere(&party.home, &[TEXT]);
    }
}

#[test]
fn a_safeguarded_text_on_one_node_is_as_the_originals_clients_ask() {
    let (_home, node) = one("safeguardsecret");
    let carol = node.identity("carol");
    for named in [carol.as_str(), ""] {
        let placed = node.post("/v1/order", &order(named, json!({ "plainText": TEXT }))).is(200);
        let reference = placed.str("orderReference");
        let ask = redemption(&reference, &carol, &placed.body["extension"]);
        let given = node.post("/v1/order/secret", &ask).is(200);
        assert_eq!(given.body["extension"], json!({ "plainText": TEXT }));
        assert_eq!(node.post("/v1/order/secret", &ask).is(200), given);
        // Without the three the secret alone is answered, and again with them.
        let placed = node.post("/v1/order", &order(named, json!({ "plainText": "" }))).is(200);
        let reference = placed.str("orderReference");
        let bare = node.post("/v1/order/secret", &redemption(&reference, &carol, &json!({}))).is(200);
        assert_eq!(bare.body["extension"], json!({}));
        let ask = redemption(&reference, &carol, &placed.body["extension"]);
        assert_eq!(node.post("/v1/order/secret", &ask).is(200).body["extension"], json!({ "plainText": "" }));
    }
    // What is not a text, or not what was sealed.
    for (extension, words) in
        [(json!({}), "plainText"), (json!({ "plainText": "x".repeat(8_097) }), "at most")]
    {
        let said = node.post("/v1/order", &order("", extension)).refuses(422, "plugin-refused");
        assert!(said.str("error").contains(words), "{said:?}");
    }
    let placed = node.post("/v1/order", &order(&carol, json!({ "plainText": TEXT }))).is(200);
    let reference = placed.str("orderReference");
    let sealed = &placed.body["extension"];
    let text = |name: &str| sealed[name].as_str().unwrap().to_owned();
    for (name, value, words) in [
        ("t", "00".to_owned(), "extension.t"),
        ("v", "04".to_owned(), "extension.v"),
        ("v", text("v").replacen("04", "05", 1), "extension.cypherText"),
        ("cypherText", "zz".to_owned(), "extension.cypherText"),
    ] {
        let mut changed = sealed.clone();
        changed[name] = json!(value);
        let said = node.post("/v1/order/secret", &redemption(&reference, &carol, &changed));
        assert!(said.refuses(422, "plugin-refused").str("error").contains(words), "{name}");
    }
    let mut changed = sealed.clone();
    changed["t"] = json!("0".repeat(24));
    let said = node.post("/v1/order/secret", &redemption(&reference, &carol, &changed));
    assert!(said.refuses(422, "plugin-refused").str("error").contains("cypherText"));
    // The order is released all the same, and opens with the right ones.
    let given = node.post("/v1/order/secret", &redemption(&reference, &carol, sealed)).is(200);
    assert_eq!(given.body["extension"], json!({ "plainText": TEXT }));
}

/// What an address must be, by other people's code, from the secret.
fn address_of(secret: &str, coin: &str, kind: &str) -> (String, String) {
    let secp = Secp256k1::new();
    let key = SecretKey::from_slice(&hex::decode(secret).unwrap()).unwrap();
    let public = PublicKey::from_secret_key(&secp, &key);
    let (network, hrp) = match coin {
        "0" => (Network::Bitcoin, KnownHrp::Mainnet),
        _ => (Network::Testnet, KnownHrp::Testnets),
    };
    let address = match kind {
        "p2wpkh" => Address::p2wpkh(&CompressedPublicKey(public), hrp),
        "p2tr" => Address::p2tr(&secp, public.x_only_public_key().0, None, hrp),
        _ => Address::p2pkh(bitcoin::PublicKey::new_uncompressed(public), network),
    };
    (hex::encode(public.serialize()), address.to_string())
}

/// The answers of an order and of its redemption belong together.
fn fits(placed: &Answer, given: &Answer, coin: &str, kind: &str) {
    let (public, address) = address_of(&given.str("secret"), coin, kind);
    assert_eq!(placed.body["extension"], json!({ "address": address }), "{coin} {kind}");
    assert_eq!(given.body["extension"], json!({ "address": address }));
    assert_eq!((placed.str("commitment"), given.str("commitment")), (public.clone(), public));
}

#[test]
fn a_wallet_of_two_halves_is_whole_at_its_beneficiary_alone() {
    let world = with("bitcoinwallet");
    let (carol, nobody) = (world.carol.cid.as_str(), "");
    for (named, coin, more) in [
        (carol, "0", json!({})),
        (nobody, "1", json!({})),
        (nobody, "0", json!({ "addressType": "p2tr" })),
        (carol, "1", json!({ "addressType": "p2wpkh", "keyType": "order" })),
        (carol, "0", json!({ "addressType": "p2tr", "keyType": "beneficiary" })),
    ] {
        let mut extension = more.clone();
        extension["coin"] = json!(coin);
        let kind = more["addressType"].as_str().unwrap_or("p2pkh");
        let placed = world.alice.post("/v1/order", &order(named, extension)).is(200);
        let reference = placed.str("orderReference");
        let asked = world.alice.post("/v1/order/secret", &redemption(&reference, carol, &json!({}))).is(200);
        assert_eq!(asked.str("secret"), "");
        let order = cid(&world.alice, &reference);
        let given = at_carol(&world, &order, &json!({}));
        fits(&placed, &given, coin, kind);
        let secret = given.str("secret");
        for party in [&world.alice, &world.bob] {
            nowhere(&party.home, &[&secret]);
            let route = party.get(&format!("/v1/order/{order}")).is(200).body.to_string();
            assert!(!route.contains(&secret));
        }
        let shown: Value =
            serde_json::from_str(&world.bob.get(&format!("/v1/order/{order}")).str("order")).unwrap();
        assert_eq!(shown["Coin"], json!(coin.parse::<u8>().unwrap()));
    }
}

#[test]
fn a_wallet_on_one_node_is_as_the_originals_clients_ask() {
    let (_home, node) = one("bitcoinwallet");
    let carol = node.identity("carol");
    for (named, coin, kind) in [
        (carol.as_str(), "0", "p2pkh"),
        ("", "1", "p2pkh"),
        ("", "0", "p2wpkh"),
        (carol.as_str(), "1", "p2tr"),
    ] {
        let placed =
            node.post("/v1/order", &order(named, json!({ "coin": coin, "addressType": kind }))).is(200);
        let ask = redemption(&placed.str("orderReference"), &carol, &json!({}));
        let given = node.post("/v1/order/secret", &ask).is(200);
        fits(&placed, &given, coin, kind);
        assert_eq!(node.post("/v1/order/secret", &ask).is(200), given);
    }
    for (extension, words) in [
        (json!({}), "extension.coin: is missing"),
        (json!({ "coin": "2" }), "main net"),
        (json!({ "coin": "0", "addressType": "p2sh" }), "addressType"),
        (json!({ "coin": "0", "keyType": "mine" }), "keyType"),
        (json!({ "coin": "0", "keyType": "beneficiary" }), "names none"),
    ] {
        let said = node.post("/v1/order", &order("", extension)).refuses(422, "plugin-refused");
        assert!(said.str("error").contains(words), "{said:?}");
    }
    // Somebody must be named, and the same one.
    let placed = node.post("/v1/order", &order("", json!({ "coin": "0" }))).is(200);
    let reference = placed.str("orderReference");
    node.post("/v1/order/secret", &redemption(&reference, "", &json!({}))).refuses(422, "invalid");
    let placed = node.post("/v1/order", &order(&carol, json!({ "coin": "0" }))).is(200);
    let dave = node.identity("dave");
    let ask = redemption(&placed.str("orderReference"), &dave, &json!({}));
    node.post("/v1/order/secret", &ask).refuses(409, "beneficiary-mismatch");
}

#[test]
fn an_order_goes_on_with_the_plugin_that_it_was_placed_with() {
    let (home, node) = one("bitcoinwallet");
    let carol = node.identity("carol");
    let placed = node.post("/v1/order", &order("", json!({ "coin": "0" }))).is(200);
    node.stop();
    let node = home.start_with(&["--service", "milagro"]);
    let given = node.post("/v1/order/secret", &redemption(&placed.str("orderReference"), &carol, &json!({})));
    fits(&placed, &given.is(200), "0", "p2pkh");
    // New ones are of the other.
    assert_eq!(node.post("/v1/order", &json!({})).is(200).str("commitment").len(), 130);
}

#[test]
fn the_program_says_which_plugins_it_has_and_runs_no_other() {
    let (home, node) = one("bitcoinwallet");
    assert_eq!(node.get("/v1/status").is(200).str("plugin"), "bitcoinwallet");
    let said = home.must(&["plugin", "list"]);
    assert!(
        said.contains("* bitcoinwallet") && said.contains("  milagro") && said.contains("  safeguardsecret")
    );
    let lines = home.must(&["plugin", "list", "--json"]);
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&first["name"], &first["configured"]), (&json!("bitcoinwallet"), &json!(true)));
    node.stop();
    let settings = std::fs::read_to_string(home.path().join("config.toml")).unwrap();
    home.settings(&settings.replace("bitcoinwallet", "bitcoinpurse"));
    let said = home.try_start(&[]).err().unwrap().1;
    assert!(
        said.contains("\"bitcoinpurse\"") && said.contains("bitcoinwallet, milagro, safeguardsecret"),
        "{said}"
    );
}

/// `dta` with the plugin of examples/plugins: what `cargo test` has built beside this.
fn with_second_factor() -> std::path::PathBuf {
    let beside = std::path::Path::new(env!("CARGO_BIN_EXE_dta")).with_file_name("examples").join("plugins");
    assert!(beside.exists(), "{} is not there: run `cargo build --examples`", beside.display());
    beside
}

#[test]
fn a_program_of_ones_own_runs_the_plugin_of_the_example() {
    let home = Home::empty().with_program(with_second_factor());
    home.settings("[node]\nplugin = \"second-factor\"\n[ipfs]\nconnector = \"none\"\n");
    assert!(home.must(&["plugin", "list"]).contains("* second-factor"));
    home.must(&["init"]);
    let node = home.start();
    let carol = node.identity("carol");
    let said =
        node.post("/v1/order", &order(&carol, json!({ "code": "short" }))).refuses(422, "plugin-refused");
    assert!(said.str("error").contains("at least 12"));
    let placed = node.post("/v1/order", &order(&carol, json!({ "code": "correct horse battery" }))).is(200);
    let reference = placed.str("orderReference");
    for wrong in [json!({}), json!({ "code": "correct horse" })] {
        node.post("/v1/order/secret", &redemption(&reference, &carol, &wrong)).refuses(422, "plugin-refused");
    }
    assert_eq!(node.state(&reference), "Committed");
    let ask = redemption(&reference, &carol, &json!({ "code": "correct horse battery" }));
    let given = node.post("/v1/order/secret", &ask).is(200);
    assert_eq!(kit::public_key_of(&given.str("secret")), placed.str("commitment"));
}
