//! IPFS over real processes: what a node publishes is fetched from another machine's point of view, checked, and followed;
//! a node that cannot publish serves all the same.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod kit;

use dta_proof::checkpoints::Walk;
use dta_protocol::{Cid, Envelope, Identity};
use kit::{Home, Node, text};
use serde_json::Value;

/// A home in a private network, with these peers.
fn home(swarm_key: &str, peers: &[String]) -> Home {
    let home = Home::initialised();
    std::fs::write(home.path().join("swarm.key"), swarm_key).unwrap();
    home.settings(&format!(
        "[ipfs]\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\nswarm_key = \"swarm.key\"\npeers = {peers:?}\n"
    ));
    home
}

fn swarm_key() -> String {
    Home::empty().must(&["ipfs", "swarm-key"])
}

fn ipfs(node: &Node) -> Value {
    node.get("/v1/status").is(200).body["ipfs"].clone()
}

fn address(node: &Node) -> String {
    ipfs(node)["addresses"][0].as_str().unwrap().to_owned()
}

fn mirrored(node: &Node) {
    node.until("all is published", |node| ipfs(node)["backlog"] == 0 && ipfs(node)["lastError"].is_null());
}

/// The CID of the last step of an order that went all the way.
fn received(node: &Node) -> String {
    let me = node.cid();
    let (reference, _) = node.place("");
    node.redeem(&reference, &me).is(200);
    let history = node.get(&format!("/v1/order/{reference}/history")).is(200);
    let steps = history.body["history"].as_array().unwrap().clone();
    steps.last().unwrap()["cid"].as_str().unwrap().to_owned()
}

#[test]
fn a_chain_is_fetched_from_a_node_and_followed_to_its_beginning() {
    let key = swarm_key();
    let alice = home(&key, &[]);
    let node = alice.start();
    let last = received(&node);
    mirrored(&node);
    let (peer, file) = (address(&node), alice.path().join("swarm.key"));
    let file = file.to_str().unwrap();
    let get = |more: &[&str]| {
        let all = [&["ipfs", "get", "--peer", &peer, "--swarm-key", file], more].concat();
        Home::empty().run(&all)
    };
    let chain = text(&get(&[&last, "--follow"]).stdout);
    let kinds: Vec<_> = chain.lines().map(|line| line.split(' ').nth(1).unwrap()).collect();
    let steps = ["received", "released", "redemption-requested", "committed", "placed"];
    assert_eq!(kinds, steps.map(|step| format!("order/{step}")), "{chain}");
    assert!(chain.lines().all(|line| line.ends_with(" signature=valid")), "{chain}");
    let identity = text(&get(&[&node.cid()]).stdout);
    assert!(identity.contains(" identity signer=none previous=none issued_at=20"), "{identity}");
    let out = alice.path().join("block");
    assert!(get(&[&last, "-o", out.to_str().unwrap()]).status.success());
    let block = std::fs::read(&out).unwrap();
    let cid: dta_protocol::Cid = last.parse().unwrap();
    assert!(cid.names(&block));

    let unknown =
        get(&["bafyreifcgsm34vrqcwqxhdop3dpbvp7dj6m3ea7rhimew32ypg7puazw5y", "--timeout-ms", "500"]);
    assert!(text(&unknown.stderr).contains("nobody connected gave it within 500 ms"));
    let open = Home::empty().run(&["ipfs", "get", "--peer", &peer, &last, "--timeout-ms", "500"]);
    assert!(!open.status.success() && open.stdout.is_empty(), "without the swarm key there is no way in");
    let nobody = Home::empty().must_fail(&["ipfs", "get", "--peer", "/ip4/127.0.0.1/tcp/1", &last]);
    assert!(nobody.contains("--peer: must end in /p2p/"), "{nobody}");
    node.stop();
    let ids = alice.must(&["ipfs", "id"]);
    let id = peer.rsplit('/').next().unwrap();
    assert_eq!(ids.lines().next().unwrap(), format!("peer {id}"));
    assert_eq!(ids.lines().nth(1).unwrap(), format!("node {}", alice.must(&["identity", "show"]).trim()));
}

/// Somebody who has nothing but the newest checkpoint's CID finds all: back one by one, and by the links that leap.
#[test]
fn the_checkpoints_are_fetched_from_a_node_and_followed_to_the_first() {
    let key = swarm_key();
    let alice = home(&key, &[]);
    let settings = std::fs::read_to_string(alice.path().join("config.toml")).unwrap();
    alice.settings(&format!("{settings}[checkpoints]\nrecords = 1\nafter_ms = 1\n"));
    let node = alice.start();
    while alice.newest_checkpoint().is_none_or(|(number, _)| number < 17) {
        received(&node);
    }
    let (number, newest) = alice.newest_checkpoint().unwrap();
    mirrored(&node);
    let (peer, file, out) = (address(&node), alice.path().join("swarm.key"), alice.path().join("block"));
    let (file, out) = (file.to_str().unwrap(), out.to_str().unwrap());
    let get = |cid: &str, more: &[&str]| {
        Home::empty().must(&[&["ipfs", "get", "--peer", &peer, "--swarm-key", file, cid], more].concat())
    };
    let chain = get(&newest.to_string(), &["--follow"]);
    assert_eq!(chain.lines().count() as u64, number + 1);
    assert!(
        chain.lines().all(|line| line.contains(" log/checkpoint ") && line.ends_with(" signature=valid")),
        "{chain}"
    );
    assert!(chain.lines().last().unwrap().contains(" previous=none "), "{chain}");

    let block = |cid: &str| {
        get(cid, &["-o", out]);
        std::fs::read(out).unwrap()
    };
    let owner = Identity::decode(&block(&node.cid())).unwrap();
    let signed = |cid: &Cid| Envelope::decode(&block(&cid.to_string())).unwrap().verify(&owner).unwrap();
    let mut walk = Walk::new(&owner, signed(&newest)).unwrap();
    let mut rounds = 0;
    loop {
        let wanted: Vec<_> = walk.wanted().collect();
        if wanted.is_empty() {
            break;
        }
        for (number, cid) in wanted {
            walk.take(number, signed(&cid)).unwrap();
        }
        rounds += 1;
    }
    let found = walk.finish().unwrap();
    assert!(found.len() as u64 == number + 1 && rounds <= 17, "{rounds} rounds for {}", found.len());
    assert!(found.windows(2).all(|pair| pair[0].note().size() < pair[1].note().size()));
}

/// Files of blocks that its IPFS node has.
fn block_files(home: &Home) -> usize {
    let files = kit::files(&home.path().join("ipfs/blockstore"));
    files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "data")).count()
}

#[test]
fn only_the_newest_blocks_are_kept_twice_and_all_are_served() {
    let key = swarm_key();
    let alice = home(&key, &[]);
    let settings = std::fs::read_to_string(alice.path().join("config.toml")).unwrap();
    alice.settings(&format!("{settings}keep_blocks = 100\n"));
    let node = alice.start();
    let first = received(&node);
    for _ in 0..15 {
        received(&node);
    }
    mirrored(&node);
    node.until("the oldest are forgotten", |_| block_files(&alice) == 100);
    let file = alice.path().join("swarm.key");
    let follow = |node: &Node| {
        let (peer, key) = (address(node), file.to_str().unwrap());
        let arguments = ["ipfs", "get", "--peer", &peer, "--swarm-key", key, &first, "--follow"];
        let chain = Home::empty().must(&arguments);
        assert_eq!(chain.lines().count(), 5, "{chain}");
        assert!(chain.lines().all(|line| line.ends_with(" signature=valid")), "{chain}");
    };
    follow(&node);
    assert!(block_files(&alice) > 100, "they are lent");
    node.stop();
    let node = alice.start();
    node.until("what was lent is taken back", |_| block_files(&alice) == 100);
    follow(&node);
    node.stop();
    // A folder that is lost is made anew with what the newest records published, which here are all.
    std::fs::remove_dir_all(alice.path().join("ipfs")).unwrap();
    let node = alice.start();
    mirrored(&node);
    node.until("no more than that", |_| block_files(&alice) == 100);
    follow(&node);
    node.stop();
}

#[test]
fn nodes_meet_and_meet_again_and_nothing_is_copied_twice() {
    let key = swarm_key();
    let alice = home(&key, &[]);
    let node = alice.start();
    let id = |home: &Home| home.must(&["ipfs", "id"]).lines().next().unwrap()[5..].to_owned();
    let bob = home(&key, &[address(&node)]);
    let other = bob.start();
    let (alice_id, bob_id) = (id(&alice), id(&bob));
    let met = |node: &Node, id: &str| ipfs(node)["connectedPeers"] == serde_json::json!([id]);
    other.until("bob meets alice", |other| met(other, &alice_id));
    node.until("alice meets bob", |node| met(node, &bob_id));
    mirrored(&node);
    other.kill();
    node.until("bob is gone", |node| ipfs(node)["connectedPeers"] == serde_json::json!([]));
    let noted = std::fs::read(bob.path().join("ipfs/mirror.json")).unwrap();
    let other = bob.start();
    other.until("bob is back", |other| met(other, &alice_id));
    mirrored(&other);
    assert_eq!(std::fs::read(bob.path().join("ipfs/mirror.json")).unwrap(), noted);
    other.stop();
    node.stop();
}

#[test]
fn an_identity_is_pinned_by_its_cid_and_found_on_ipfs() {
    let key = swarm_key();
    let homes = home(&key, &[]);
    let alice = homes.start();
    mirrored(&alice);
    let other = home(&key, &[address(&alice)]);
    let bob = other.start();
    bob.until("bob meets alice", |bob| ipfs(bob)["connectedPeers"] != serde_json::json!([]));
    let cid = alice.cid();
    assert_eq!(bob.get(&format!("/v1/identity/{cid}")).status, 404, "bob does not know her yet");
    bob.post("/v1/peer", &serde_json::json!({ "idDocumentCID": cid })).is(200);
    assert_eq!(
        bob.bytes(&format!("/v1/identity/{cid}/document")),
        alice.bytes(&format!("/v1/identity/{cid}/document"))
    );
    // A block that is there and is no identity, and one that nobody has.
    let step = received(&alice);
    mirrored(&alice);
    bob.post("/v1/peer", &serde_json::json!({ "idDocumentCID": step })).is(422);
    let nobody = "bafyreifcgsm34vrqcwqxhdop3dpbvp7dj6m3ea7rhimew32ypg7puazw5y";
    bob.post("/v1/peer", &serde_json::json!({ "idDocumentCID": nobody })).refuses(422, "unknown-identity");
}

#[test]
fn without_ipfs_the_node_serves_and_catches_up() {
    let alice = home(&swarm_key(), &[]);
    std::fs::write(alice.path().join("ipfs"), b"in the way").unwrap();
    let node = alice.start();
    received(&node);
    node.until("it says what is wrong", |node| ipfs(node)["lastError"].is_string());
    let status = ipfs(&node);
    assert!(status["backlog"].as_u64().unwrap() > 5 && status["failingSince"].is_string(), "{status}");
    std::fs::remove_file(alice.path().join("ipfs")).unwrap();
    mirrored(&node);
    node.stop();
    // The folder follows from the log.
    std::fs::remove_dir_all(alice.path().join("ipfs")).unwrap();
    let node = alice.start();
    mirrored(&node);
    assert!(ipfs(&node)["failingSince"].is_null());
}

#[test]
fn settings_that_cannot_work_are_named_at_the_start() {
    let home = Home::initialised();
    let refused = |settings: &str| {
        home.settings(settings);
        home.must_fail(&["daemon", "--listen", "127.0.0.1:0"])
    };
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = refused(&format!("[ipfs]\nlisten = [\"/ip4/127.0.0.1/tcp/{port}\"]\n"));
    assert!(error.contains(&format!("ipfs.listen: cannot listen on /ip4/127.0.0.1/tcp/{port}")), "{error}");
    let error = refused("[ipfs]\nlisten = []\nswarm_key = \"nowhere.key\"\n");
    assert!(error.contains("ipfs.swarm_key: ") && error.contains("nowhere.key"), "{error}");
    std::fs::write(home.path().join("bad.key"), "/key/swarm/psk/1.0.0/\n/base16/\nzz\n").unwrap();
    let error = refused("[ipfs]\nlisten = []\nswarm_key = \"bad.key\"\n");
    assert!(error.contains("64 hexadecimal digits"), "{error}");
    let error = refused("[ipfs]\nconnector = \"api\"\napi_token = \"nowhere.token\"\n");
    assert!(error.contains("ipfs.api_token: ") && error.contains("nowhere.token"), "{error}");
    let error = refused("[ipfs]\nlisten = [\"/ip4/0.0.0.0/tcp/0\"]\n");
    assert!(error.contains("ipfs.swarm_key"), "{error}");
}

#[test]
fn with_connector_none_nothing_is_published() {
    let home = Home::initialised();
    home.settings("[ipfs]\nconnector = \"none\"\n");
    let node = home.start();
    node.place("");
    assert_eq!(ipfs(&node), serde_json::json!({ "connector": "none" }));
    node.stop();
    assert!(!home.path().join("ipfs").exists());
}
