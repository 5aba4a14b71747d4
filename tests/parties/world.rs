//! The nodes of one test, and what all tests ask of them.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::{Duration, Instant};

use dta_protocol::{Cid, Envelope, Kind, car};
use serde_json::{Value, json};

use crate::kit::{Environment, Home, Node, pause, public_key_of};
use crate::wire::{Address, Mode, Wire};

/// How long a test waits for what nodes must reach of themselves.
const PATIENCE: Duration = Duration::from_secs(40);

/// The kinds of a whole order.
pub const WHOLE: [Kind; 5] =
    [Kind::Placed, Kind::Committed, Kind::RedemptionRequested, Kind::Released, Kind::Received];

/// A node and its home.
pub struct Party {
    pub name: &'static str,
    pub cid: String,
    pub home: Home,
    pub address: Address,
    node: Option<Node>,
}

impl Deref for Party {
    type Target = Node;

    fn deref(&self) -> &Node {
        self.node.as_ref().unwrap_or_else(|| panic!("{} is down", self.name))
    }
}

impl Party {
    /// A home that was initialised; its node is down.
    pub fn new(name: &'static str) -> Self {
        Self::at(name, Home::empty())
    }

    /// In a home that may have settings already.
    pub fn at(name: &'static str, home: Home) -> Self {
        let said = home.must(&["init", "--name", name]);
        let cid = said.lines().next().unwrap().strip_prefix("node ").unwrap().to_owned();
        Self { name, cid, home, address: Address::default(), node: None }
    }

    pub fn start(&mut self) {
        self.start_under(&[]);
    }

    /// Starts its node with this in its environment besides.
    pub fn start_under(&mut self, environment: &Environment) {
        let node = self.home.start_under(environment).listens();
        *self.address.lock().unwrap() = Some(node.url.strip_prefix("http://").unwrap().parse().unwrap());
        self.node = Some(node);
    }

    pub fn stop(&mut self) {
        *self.address.lock().unwrap() = None;
        self.node.take().unwrap().stop();
    }

    pub fn kill(&mut self) {
        *self.address.lock().unwrap() = None;
        self.node.take().unwrap().kill();
    }

    pub fn is_up(&self) -> bool {
        self.node.is_some()
    }

    /// Killed, if it is up.
    pub fn down(&mut self) {
        *self.address.lock().unwrap() = None;
        if let Some(node) = self.node.take() {
            node.kill();
        }
    }

    /// The document of an identity that is known here, in hex.
    pub fn document(&self, cid: &str) -> String {
        let (status, block) = self.bytes(&format!("/v1/identity/{cid}/document"));
        assert_eq!(status, 200);
        hex::encode(block)
    }

    /// Waits until the read models have all that is in the log: a call of another node does not wait for that.
    pub fn caught_up(&self) -> &Self {
        self.until("read models", |node| {
            let status = node.get("/v1/status").is(200).body;
            let models = status["projections"].as_array().unwrap();
            models.iter().all(|model| model["position"] == status["logLength"])
        });
        self
    }

    pub fn pin(&self, document: &str, url: Option<&str>) {
        self.post("/v1/peer", &json!({ "document": document, "url": url })).is(200);
    }
}

/// What a test sets in all nodes.
pub struct Settings {
    pub order_wait_ms: u64,
    pub give_up_after_ms: u64,
    pub missing_after_ms: u64,
    pub plugin: &'static str,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            order_wait_ms: 30_000,
            give_up_after_ms: 259_200_000,
            missing_after_ms: 600_000,
            plugin: "milagro",
        }
    }
}

impl Settings {
    /// Of a test in which somebody is away.
    pub fn impatient() -> Self {
        Self { order_wait_ms: 1_000, ..Self::default() }
    }

    pub fn text(&self, node_type: &str, fiduciary: &str) -> String {
        let Self { order_wait_ms, give_up_after_ms, missing_after_ms, plugin } = self;
        format!(
            "[node]\ntype = \"{node_type}\"\nfiduciary = \"{fiduciary}\"\nplugin = \"{plugin}\"\n\
             [http]\norder_wait_ms = {order_wait_ms}\n\
             [peers]\ngive_up_after_ms = {give_up_after_ms}\nmissing_after_ms = {missing_after_ms}\n\
             [clock]\ntrusted_after_ms = 1\n\
             [log]\nlevel = \"info,milagro_dta=debug\"\n"
        )
    }
}

/// An order that has its commitment.
pub struct Placed {
    pub reference: String,
    pub order: String,
    pub commitment: String,
}

/// Alice, bob and carol, each pinned by the others.
pub struct World {
    pub alice: Party,
    pub bob: Party,
    pub carol: Party,
    wires: BTreeMap<(&'static str, &'static str), Wire>,
}

impl World {
    pub fn new() -> Self {
        Self::with(&Settings::default(), &[])
    }

    /// Those named in `unaddressed` as (who, whom) are pinned without a URL.
    pub fn with(settings: &Settings, unaddressed: &[(&str, &str)]) -> Self {
        let [mut alice, mut bob, mut carol] = ["alice", "bob", "carol"].map(Party::new);
        for (party, node_type) in [(&alice, "principal"), (&bob, "fiduciary"), (&carol, "principal")] {
            let fiduciary = if party.name == "bob" { "" } else { &bob.cid };
            party.home.settings(&settings.text(node_type, fiduciary));
        }
        for party in [&mut alice, &mut bob, &mut carol] {
            party.start();
        }
        Self::of(alice, bob, carol, unaddressed)
    }

    /// Of parties whose nodes are up.
    pub fn of(alice: Party, bob: Party, carol: Party, unaddressed: &[(&str, &str)]) -> Self {
        let mut wires = BTreeMap::new();
        for from in [&alice, &bob, &carol] {
            for to in [&alice, &bob, &carol].into_iter().filter(|to| to.name != from.name) {
                let wire = Wire::to(to.address.clone());
                let url = Some(wire.url.as_str()).filter(|_| !unaddressed.contains(&(from.name, to.name)));
                from.pin(&to.document(&to.cid), url);
                wires.insert((from.name, to.name), wire);
            }
        }
        Self { alice, bob, carol, wires }
    }

    pub fn wire(&self, from: &str, to: &str) -> &Wire {
        self.wires.iter().find(|(ends, _)| **ends == (from, to)).map(|(_, wire)| wire).unwrap()
    }

    pub fn heal(&self) {
        self.wires.values().for_each(|wire| wire.set(Mode::Whole));
    }

    /// Waits for what the nodes must reach of themselves: until nothing is missing any more.
    pub fn until(&self, missing: impl Fn() -> Option<String>) {
        let began = Instant::now();
        while let Some(what) = missing() {
            if began.elapsed() > PATIENCE {
                for party in [&self.alice, &self.bob, &self.carol] {
                    let log = std::fs::read_to_string(party.home.log()).unwrap_or_default();
                    let lines: Vec<_> = log.lines().rev().take(40).collect();
                    eprintln!("== {} {}", party.name, party.cid);
                    lines.iter().rev().for_each(|line| eprintln!("{line}"));
                }
                panic!("after {PATIENCE:?} {what}");
            }
            pause();
        }
    }

    /// Has alice place an order, and waits for its commitment however slow the machine is.
    pub fn place(&self, beneficiary: &str, policy: &Value) -> Placed {
        let body = json!({ "beneficiaryIDDocumentCID": beneficiary, "policy": policy });
        let answer = self.alice.post("/v1/order", &body);
        assert!([200, 202].contains(&answer.status), "{answer:?}");
        self.committed(answer.str("orderReference"))
    }

    /// Waits for the commitment of an order that alice placed.
    pub fn committed(&self, reference: String) -> Placed {
        self.until(|| {
            let state = self.alice.state(&reference);
            (state != "Committed").then(|| format!("{reference} at alice is {state}"))
        });
        let one = self.alice.get(&format!("/v1/order/{reference}")).is(200);
        let document: Value = serde_json::from_str(&one.str("order")).unwrap();
        let commitment = document["OrderPart2"]["CommitmentPublicKey"].as_str().unwrap().to_owned();
        Placed { order: one.str("orderCID"), reference, commitment }
    }

    /// Until all three have the order as ended in this way; each has then the very same chain.
    pub fn ends(&self, order: &str, beneficiary: &Party, kinds: &[Kind]) -> Vec<(Kind, Cid)> {
        let mut chains = Vec::new();
        for party in [&self.alice, &self.bob, beneficiary] {
            let steps = || chain(party, order).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>();
            self.until(|| match (steps(), waiting(party, order)) {
                (steps, waits) if steps == kinds && waits.is_empty() => None,
                (steps, waits) => {
                    Some(format!("{order} at {} is {steps:?} and waits for {waits:?}", party.name))
                }
            });
            chains.push(chain(party, order));
        }
        assert!(chains.windows(2).all(|two| two[0] == two[1]), "{chains:?}");
        chains.remove(0)
    }

    /// Only the beneficiary's node has the secret, the right one, and gives it as often as it is asked.
    pub fn only_gives(&self, giver: &Party, order: &str, beneficiary: &str, commitment: &str) {
        let given = giver.redeem(order, beneficiary).is(200);
        let secret = given.str("secret");
        assert_eq!(public_key_of(&secret), commitment);
        assert_eq!(given.str("commitment"), commitment);
        assert_eq!(giver.redeem(order, beneficiary), given, "asked again, answered the same");
        for other in
            [&self.alice, &self.bob, &self.carol].into_iter().filter(|other| other.name != giver.name)
        {
            let answer = other.redeem(order, beneficiary);
            let empty = answer.status == 200 && answer.str("secret").is_empty();
            assert!(empty || [404, 409].contains(&answer.status), "{}: {answer:?}", other.name);
            let raw = hex::decode(&secret).unwrap();
            for route in ["", "/history", "/chain"] {
                let (_, bytes) = other.bytes(&format!("/v1/order/{order}{route}"));
                let has = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
                assert!(!has(&raw) && !has(secret.as_bytes()), "{}{route}", other.name);
            }
        }
    }
}

/// The steps of an order at a node, oldest first; none if it does not know the order.
pub fn chain(node: &Node, order: &str) -> Vec<(Kind, Cid)> {
    let (status, bytes) = node.bytes(&format!("/v1/order/{order}/chain"));
    if status == 404 {
        return Vec::new();
    }
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&bytes));
    let (root, blocks) = car::decode(&bytes).unwrap();
    let blocks: BTreeMap<_, _> = blocks.into_iter().collect();
    let (mut steps, mut next) = (Vec::new(), Some(root));
    while let Some(cid) = next {
        let envelope = Envelope::decode(&blocks[&cid]).unwrap();
        steps.push((envelope.statement().kind, cid));
        next = envelope.statement().previous;
    }
    steps.reverse();
    steps
}

/// What an order waits for, as the node says.
pub fn waiting(node: &Node, order: &str) -> Vec<Value> {
    let answer = node.get(&format!("/v1/order/{order}"));
    if answer.status == 404 { Vec::new() } else { answer.is(200).body["waiting"].as_array().unwrap().clone() }
}

/// How many order seeds a node keeps.
pub fn seeds(node: &Node) -> u64 {
    node.get("/v1/status").is(200).body["custody"]["seeds"].as_u64().unwrap()
}
