//! Whole nodes and a real Kubo in one private network: blocks go both ways, Kubo follows our links, and a node that publishes by
//! it lives through its absence. `scripts/test-kubo` runs these tests.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod kit;
#[path = "kit/kubo.rs"]
mod kubo;

use dta_protocol::checkpoint::{levels, skip_number};
use kit::{Home, Node};
use kubo::Kubo;
use serde_json::{Value, json};

fn swarm_key() -> String {
    Home::empty().must(&["ipfs", "swarm-key"])
}

/// A home whose node publishes by itself, in a private network.
fn embedded(swarm_key: &str, peers: &[String]) -> Home {
    let home = Home::initialised();
    std::fs::write(home.path().join("swarm.key"), swarm_key).unwrap();
    home.settings(&format!(
        "[ipfs]\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\nswarm_key = \"swarm.key\"\npeers = {peers:?}\n"
    ));
    home
}

/// A home whose node publishes by this Kubo.
fn beside(kubo: &Kubo) -> Home {
    let home = Home::initialised();
    home.settings(&format!("[ipfs]\nconnector = \"api\"\napi = \"{}\"\n", kubo.url()));
    home
}

fn ipfs(node: &Node) -> Value {
    node.get("/v1/status").is(200).body["ipfs"].clone()
}

fn mirrored(node: &Node) {
    node.until("all is published", |node| ipfs(node)["backlog"] == 0 && ipfs(node)["lastError"].is_null());
}

/// An order that went all the way: its steps' names and CIDs, first to last.
fn order(node: &Node) -> Vec<(String, String)> {
    let (reference, _) = node.place("");
    node.redeem(&reference, &node.cid()).is(200);
    let history = node.get(&format!("/v1/order/{reference}/history")).is(200);
    let step = |entry: &Value| {
        let text = |key: &str| entry[key].as_str().unwrap().to_owned();
        (text("step"), text("cid"))
    };
    history.body["history"].as_array().unwrap().iter().map(step).collect()
}

/// Everything the node has published.
fn published(home: &Home, node: &Node) -> Vec<String> {
    let chains = node.get("/v1/order?perPage=1000").is(200);
    let references: Vec<String> = serde_json::from_value(chains.body["orderReference"].clone()).unwrap();
    let mut cids = vec![node.cid()];
    for reference in references {
        let summary = home.must(&["log", "replay", "--order", &reference, "--json"]);
        let summary: Value = serde_json::from_str(summary.lines().last().unwrap()).unwrap();
        for step in summary["summary"]["steps"].as_array().unwrap() {
            cids.push(step["cid"].as_str().unwrap().to_owned());
            cids.extend(
                step["sealed"].as_array().unwrap().iter().map(|cid| cid.as_str().unwrap().to_owned()),
            );
        }
    }
    cids
}

/// Whether Kubo has the block itself.
fn has(kubo: &Kubo, cid: &str) -> bool {
    kubo.run(&["--offline", "block", "stat", cid]).status.success()
}

/// What Kubo finds at a path, by its own reading of our blocks.
fn dag(kubo: &Kubo, path: &str) -> Value {
    serde_json::from_str(&kubo.must(&["--timeout=30s", "dag", "get", path])).unwrap()
}

#[test]
#[ignore = "needs Kubo: scripts/test-kubo"]
fn kubo_walks_an_orders_chain_in_an_embedded_nodes_blocks() {
    let key = swarm_key();
    let kubo = Kubo::start(&key);
    let alice = embedded(&key, &[kubo.address()]);
    let settings = std::fs::read_to_string(alice.path().join("config.toml")).unwrap();
    alice.settings(&format!("{settings}keep_blocks = 100\n"));
    let node = alice.start();
    node.until("alice meets Kubo", |node| ipfs(node)["connectedPeers"] != json!([]));
    let old = order(&node);
    for _ in 0..15 {
        order(&node);
    }
    let new = order(&node);
    mirrored(&node);
    // A node that keeps a hundred blocks has those of the first order in its log alone.
    for steps in [new, old] {
        let names: Vec<&str> = steps.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["placed", "committed", "redemption-requested", "released", "received"].map(kind));
        let (_, last) = steps.last().unwrap();
        let mut path = last.clone();
        for (name, cid) in steps.iter().rev() {
            assert_eq!(dag(&kubo, &format!("{path}/statement/kind")), *name);
            assert_eq!(kubo.must(&["dag", "resolve", &path]).trim(), *cid, "{path}");
            assert!(has(&kubo, cid), "it fetched {name}");
            path += "/statement/previous";
        }
        assert!(path.ends_with(&"/statement/previous".repeat(5)));
        assert_eq!(dag(&kubo, &path), Value::Null, "before the first there is nothing");
    }
}

/// Orders until the log has so many checkpoints; then the newest that was made by the time all is published.
fn checkpoints(home: &Home, node: &Node, count: u64) -> (u64, String) {
    while home.newest_checkpoint().is_none_or(|(number, _)| number < count) {
        order(node);
    }
    let (number, cid) = home.newest_checkpoint().unwrap();
    mirrored(node);
    (number, cid.to_string())
}

/// Walks by Kubo's own reading from a checkpoint to the first: by `previous`, and by the links that leap farthest.
fn kubo_walks_the_checkpoints(kubo: &Kubo, newest: &(u64, String)) {
    let (last, first) = newest;
    let number = |cid: &str| dag(kubo, &format!("{cid}/statement/body/number")).as_u64().unwrap();
    let to = |path: &str| kubo.must(&["--timeout=30s", "dag", "resolve", path]).trim().to_owned();
    let mut cid = first.clone();
    for expected in (0..=*last).rev() {
        assert_eq!(number(&cid), expected);
        assert_eq!(dag(kubo, &format!("{cid}/statement/kind")), "log/checkpoint");
        assert!(has(kubo, &cid), "it fetched checkpoint {expected}");
        let links = dag(kubo, &format!("{cid}/statement/body/skip")).as_array().unwrap().len();
        assert_eq!(links, levels(expected));
        if expected > 0 {
            let before = to(&format!("{cid}/statement/previous"));
            assert_eq!(to(&format!("{cid}/statement/body/skip/0")), before);
            assert_eq!(dag(kubo, &format!("{cid}/statement/body/skip/0")), dag(kubo, &before));
            cid = before;
        }
    }
    assert_eq!(
        dag(kubo, &format!("{cid}/statement/previous")),
        Value::Null,
        "before the first there is nothing"
    );
    let zero = cid;
    let (mut cid, mut at, mut hops) = (first.clone(), *last, 0);
    while let Some(k) = levels(at).checked_sub(1) {
        cid = to(&format!("{cid}/statement/body/skip/{k}"));
        at = skip_number(at, k).unwrap();
        assert_eq!(number(&cid), at, "link {k}");
        hops += 1;
    }
    assert_eq!(cid, zero);
    assert!(hops <= 4, "{hops} leaps over {last} checkpoints");
}

#[test]
#[ignore = "needs Kubo: scripts/test-kubo"]
fn kubo_walks_the_checkpoints_that_either_connector_published() {
    let key = swarm_key();
    let kubo = Kubo::start(&key);
    let often = |home: &Home| {
        let settings = std::fs::read_to_string(home.path().join("config.toml")).unwrap();
        home.settings(&format!("{settings}[checkpoints]\nrecords = 1\nafter_ms = 1\n"));
    };
    let alice = beside(&kubo);
    often(&alice);
    let node = alice.start();
    let newest = checkpoints(&alice, &node, 33);
    // Nothing is fetched: the mirror has put them there.
    assert!(has(&kubo, &newest.1));
    kubo_walks_the_checkpoints(&kubo, &newest);
    node.stop();

    let bob = embedded(&key, &[kubo.address()]);
    often(&bob);
    let node = bob.start();
    node.until("bob meets Kubo", |node| ipfs(node)["connectedPeers"] != json!([]));
    let newest = checkpoints(&bob, &node, 33);
    assert!(!has(&kubo, &newest.1));
    kubo_walks_the_checkpoints(&kubo, &newest);
    node.stop();
    // The one of its stop too, once it runs again.
    let node = bob.start();
    mirrored(&node);
    let newest = bob.newest_checkpoint().unwrap();
    assert_eq!(dag(&kubo, &format!("{}/statement/body/number", newest.1)), newest.0);
}

fn kind(step: &str) -> String {
    format!("order/{step}")
}

#[test]
#[ignore = "needs Kubo: scripts/test-kubo"]
fn an_embedded_node_gets_from_kubo_what_another_published_by_it() {
    let key = swarm_key();
    let kubo = Kubo::start(&key);
    let alice = beside(&kubo);
    let hers = alice.start();
    mirrored(&hers);
    let bob = embedded(&key, &[kubo.address()]);
    let his = bob.start();
    his.until("bob meets Kubo", |node| ipfs(node)["connectedPeers"] != json!([]));
    // Her identity comes to him by Kubo, his to her.
    his.post("/v1/peer", &json!({ "idDocumentCID": hers.cid() })).is(200);
    mirrored(&his);
    hers.post("/v1/peer", &json!({ "idDocumentCID": his.cid() })).is(200);
    for (node, other) in [(&hers, &his), (&his, &hers)] {
        let path = format!("/v1/identity/{}/document", other.cid());
        assert_eq!(node.bytes(&path), other.bytes(&path));
    }
    let id = alice.must(&["ipfs", "id"]);
    let peer = kubo.address().rsplit('/').next().unwrap().to_owned();
    assert_eq!(id, format!("peer {peer}\nnode {}\n", hers.cid()), "it is known by Kubo's name");
    assert_eq!(ipfs(&his)["connectedPeers"], json!([peer]));
}

#[test]
#[ignore = "needs Kubo: scripts/test-kubo"]
fn a_node_publishes_all_by_kubo_and_catches_up_when_it_comes_back() {
    let mut kubo = Kubo::start(&swarm_key());
    let alice = beside(&kubo);
    let node = alice.start();
    order(&node);
    mirrored(&node);
    let status = ipfs(&node);
    assert_eq!((&status["connector"], &status["addresses"][0]), (&json!("api"), &json!(kubo.address())));
    let before = published(&alice, &node);
    assert!(before.len() > 10, "{before:?}");
    for cid in &before {
        assert!(has(&kubo, cid), "{cid}");
    }
    kubo.stop();
    let steps = order(&node);
    node.until("it says what is wrong", |node| ipfs(node)["lastError"].is_string());
    let status = ipfs(&node);
    assert!(status["backlog"].as_u64().unwrap() >= 5 && status["failingSince"].is_string(), "{status}");
    assert!(status["peerId"].is_null(), "{status}");
    kubo.resume();
    mirrored(&node);
    let after = published(&alice, &node);
    assert!(after.len() > before.len() && steps.iter().all(|(_, cid)| after.contains(cid)));
    for cid in &after {
        assert!(has(&kubo, cid), "{cid}");
    }
    let pins = kubo.must(&["pin", "ls", "--type=direct", "--quiet"]);
    let mut pinned: Vec<&str> = pins.lines().collect();
    let mut expected: Vec<&str> = after.iter().map(String::as_str).collect();
    pinned.sort_unstable();
    expected.sort_unstable();
    expected.dedup();
    assert!(expected.iter().all(|cid| pinned.binary_search(cid).is_ok()), "each is pinned");
    node.stop();
    // A node that starts while Kubo is away serves all the same.
    kubo.stop();
    let node = alice.start();
    order(&node);
    node.until("it says what is wrong", |node| ipfs(node)["lastError"].is_string());
    kubo.resume();
    mirrored(&node);
    node.stop();
}

#[test]
#[ignore = "needs Kubo: scripts/test-kubo"]
fn what_kubo_lost_while_the_node_was_down_is_there_again_after_a_start() {
    let kubo = Kubo::start(&swarm_key());
    let alice = beside(&kubo);
    let node = alice.start();
    let (_, lost) = order(&node).swap_remove(2);
    mirrored(&node);
    node.stop();
    kubo.must(&["pin", "rm", &lost]);
    kubo.must(&["block", "rm", &lost]);
    assert!(!has(&kubo, &lost));
    let node = alice.start();
    node.until("it is copied again", |_| has(&kubo, &lost));
}
