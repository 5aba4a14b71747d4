//! A JavaScript IPFS node (Helia, by npm) in a private network with ours: blocks go both ways, and links are followed by
//! code that is not ours.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod kit;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use kit::{Home, Node};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const SCRIPT: &str = include_str!("helia/node.mjs");
const LOCK: &[u8] = include_bytes!("helia/package-lock.json");

/// Where scripts/setup has the packages, by the same rule.
fn packages() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").unwrap_or_else(|| set("HOME").unwrap().join(".cache"));
    let cache = set("DTA_CACHE").unwrap_or_else(|| cache.join("milagro-dta"));
    let folder = cache.join(format!("helia-{}", &hex::encode(Sha256::digest(LOCK))[..16]));
    assert!(folder.join("node_modules").is_dir(), "{} is missing: run scripts/setup", folder.display());
    folder
}

/// A Helia node in a process of its own; killed when dropped.
struct Helia {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Drop for Helia {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Helia {
    fn start(swarm_key: &Path) -> Self {
        let mut process = Command::new("node")
            .args(["--input-type=module", "--eval", SCRIPT])
            .arg(swarm_key)
            .current_dir(packages())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("node: {error}: Node.js is needed for this test; run scripts/setup")
            });
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let mut helia = Self { process, input, output: BufReader::new(output), address: String::new() };
        helia.address = helia.line().as_str().unwrap().to_owned();
        helia
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("the Helia node said {line:?}: {error}"))
    }

    fn ask(&mut self, command: Value) -> Result<Value, String> {
        writeln!(self.input, "{command}").unwrap();
        let mut answer = self.line();
        match answer["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer["ok"].take()),
        }
    }
}

fn get(cid: &str, timeout_ms: u64) -> Value {
    json!({ "command": "get", "cid": cid, "timeoutMs": timeout_ms })
}

/// A node in a private network, its address there, and the CIDs of an order that went all the way, last first.
struct Ours {
    home: Home,
    node: Node,
    address: String,
    steps: Vec<String>,
}

impl Ours {
    fn start() -> Self {
        let home = Home::initialised();
        let key = home.must(&["ipfs", "swarm-key"]);
        std::fs::write(home.path().join("swarm.key"), key).unwrap();
        home.settings("[ipfs]\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\nswarm_key = \"swarm.key\"\n");
        let node = home.start();
        let me = node.cid();
        let (reference, _) = node.place("");
        node.redeem(&reference, &me).is(200);
        node.until("all is published", |node| node.get("/v1/status").body["ipfs"]["backlog"] == 0);
        let history = node.get(&format!("/v1/order/{reference}/history")).is(200);
        let cid = |step: &Value| step["cid"].as_str().unwrap().to_owned();
        let steps = history.body["history"].as_array().unwrap().iter().rev().map(cid).collect();
        let address = node.get("/v1/status").body["ipfs"]["addresses"][0].as_str().unwrap().to_owned();
        Self { home, node, address, steps }
    }

    fn swarm_key(&self) -> PathBuf {
        self.home.path().join("swarm.key")
    }

    /// Fetches a block from a peer, as another of our nodes would.
    fn fetch(&self, cid: &str, peer: &str) -> Vec<u8> {
        let (key, out) = (self.swarm_key(), self.home.path().join("fetched"));
        let (key, out) = (key.to_str().unwrap(), out.to_str().unwrap());
        self.home.must(&["ipfs", "get", cid, "--peer", peer, "--swarm-key", key, "-o", out]);
        std::fs::read(out).unwrap()
    }
}

#[test]
fn javascript_fetches_our_envelopes_and_follows_their_links() {
    let ours = Ours::start();
    let mut helia = Helia::start(&ours.swarm_key());
    helia.ask(json!({ "command": "dial", "peer": ours.address })).unwrap();
    let followed =
        helia.ask(json!({ "command": "follow", "cid": ours.steps[0], "timeoutMs": 20_000 })).unwrap();
    let followed = followed.as_array().unwrap();
    let cids: Vec<_> = followed.iter().map(|step| step["cid"].as_str().unwrap()).collect();
    assert_eq!(cids, ours.steps);
    let kinds: Vec<_> = followed.iter().map(|step| step["kind"].as_str().unwrap()).collect();
    let expected = ["received", "released", "redemption-requested", "committed", "placed"];
    assert_eq!(kinds, expected.map(|step| format!("order/{step}")));
    assert!(followed.iter().all(|step| step["signer"] == ours.node.cid()));
    let identity = helia.ask(get(&ours.node.cid(), 20_000)).unwrap();
    let (status, document) = ours.node.bytes(&format!("/v1/order/{}/chain", ours.steps[4]));
    let identity = hex::decode(identity.as_str().unwrap()).unwrap();
    assert!(status == 200 && document.windows(identity.len()).any(|window| window == identity));
    // What it fetched it serves to others of ours.
    let envelope = ours.fetch(&ours.steps[2], &helia.address);
    assert_eq!(envelope, ours.fetch(&ours.steps[2], &ours.address));
}

#[test]
fn blocks_of_a_javascript_node_come_to_ours() {
    let ours = Ours::start();
    let mut helia = Helia::start(&ours.swarm_key());
    for (codec, content) in [(0x55u64, vec![0x5a; 256 << 10]), (0x71, vec![0xf6])] {
        let put = json!({ "command": "put", "codec": codec, "bytes": hex::encode(&content) });
        let cid = helia.ask(put).unwrap();
        assert_eq!(ours.fetch(cid.as_str().unwrap(), &helia.address), content);
    }
    let put = json!({ "command": "put", "codec": 0x71, "bytes": hex::encode(vec![0x60; (64 << 10) + 1]) });
    let too_large = helia.ask(put).unwrap();
    let key = ours.swarm_key();
    let arguments = ["ipfs", "get", too_large.as_str().unwrap(), "--peer", &helia.address];
    let refused = ours.home.must_fail(&[&arguments[..], &["--swarm-key", key.to_str().unwrap()]].concat());
    assert!(refused.contains("has 65537 bytes, more than 65536"), "{refused}");
}

#[test]
fn a_javascript_node_of_another_network_gets_nothing() {
    let ours = Ours::start();
    let other = Home::empty();
    std::fs::create_dir_all(other.path()).unwrap();
    let key = other.path().join("swarm.key");
    std::fs::write(&key, other.must(&["ipfs", "swarm-key"])).unwrap();
    let mut mallory = Helia::start(&key);
    assert!(mallory.ask(json!({ "command": "dial", "peer": ours.address })).is_err());
    assert!(mallory.ask(get(&ours.steps[0], 1_000)).is_err());
    assert_eq!(ours.node.get("/v1/status").body["ipfs"]["connectedPeers"], json!([]));
}
