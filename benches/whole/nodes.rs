//! Real nodes in processes of their own: one that is all parties, or a principal with its fiduciary.

use serde_json::json;

use crate::client::Client;
use crate::kit::{Home, Node, pause};
use crate::process;

/// Running nodes; orders are placed and redeemed at the first, and seeds are kept at the last.
pub struct Nodes {
    pub nodes: Vec<Node>,
    /// Kept as long as their nodes run.
    _homes: Vec<Home>,
    /// The identity that orders are redeemed for: the first node's own.
    pub beneficiary: String,
}

/// What the settings of a measured node say besides its type.
fn settings(node_type: &str, fiduciary: &str, mirror: bool) -> String {
    let connector = if mirror { "embedded" } else { "none" };
    format!(
        "[node]\ntype = \"{node_type}\"\nfiduciary = \"{fiduciary}\"\n[http]\norder_wait_ms = 60000\n\
         [ipfs]\nconnector = \"{connector}\"\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\n[log]\nlevel = \"warn\"\n"
    )
}

impl Nodes {
    /// One node of type multi.
    pub fn one(mirror: bool) -> Self {
        let home = Home::initialised();
        home.settings(&settings("multi", "", mirror));
        let node = home.start();
        let beneficiary = node.cid();
        Self { nodes: vec![node], _homes: vec![home], beneficiary }
    }

    /// A principal, which is its orders' beneficiary too, and a fiduciary; each has pinned the other.
    pub fn two(mirror: bool) -> Self {
        let homes = [Home::initialised(), Home::initialised()];
        homes[1].settings(&settings("fiduciary", "", mirror));
        let bob = homes[1].start();
        homes[0].settings(&settings("principal", &bob.cid(), mirror));
        let alice = homes[0].start();
        for (one, other) in [(&alice, &bob), (&bob, &alice)] {
            let (status, document) = other.bytes(&format!("/v1/identity/{}/document", other.cid()));
            assert_eq!(status, 200);
            one.post("/v1/peer", &json!({ "document": hex::encode(document), "url": other.url })).is(200);
        }
        let beneficiary = alice.cid();
        Self { nodes: vec![alice, bob], _homes: homes.into(), beneficiary }
    }

    /// A node of this home, which was made elsewhere.
    pub fn of(home: Home) -> Self {
        let node = home.start();
        let beneficiary = node.cid();
        Self { nodes: vec![node], _homes: vec![home], beneficiary }
    }

    /// The only node, and its home.
    pub fn into_one(mut self) -> (Node, Home) {
        (self.nodes.remove(0), self._homes.remove(0))
    }

    /// CPU seconds of all nodes so far.
    pub fn cpu_seconds(&self) -> f64 {
        self.nodes.iter().map(|node| process::cpu_seconds(node.process())).sum()
    }

    /// Waits until nothing moves any more: no log grows, every read model is at its end, nothing is to be mirrored.
    pub fn settle(&self) {
        let mut clients: Vec<_> = self.nodes.iter().map(|node| Client::connect(&node.url)).collect();
        let (mut before, mut same) = (Vec::new(), 0);
        while same < 10 {
            let now: Vec<_> = clients
                .iter_mut()
                .map(|client| {
                    let status = client.get("/v1/status");
                    let models = status["projections"].as_array().unwrap();
                    let behind = models.iter().any(|model| model["position"] != status["logLength"]);
                    (
                        status["logLength"].clone(),
                        status["ipfs"]["backlog"].as_u64().unwrap_or(0) > 0 || behind,
                    )
                })
                .collect();
            same = if now == before && now.iter().all(|(_, behind)| !behind) { same + 1 } else { 0 };
            before = now;
            pause();
        }
    }
}
