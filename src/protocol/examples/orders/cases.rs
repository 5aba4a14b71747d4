//! A case: what the judge knows, what comes, and what must come of it. The file that they stand in.

use std::collections::BTreeMap;

use dta_protocol::Cid;
use dta_protocol::Kind;
use dta_protocol::car::Block;
use serde_json::{Map, Value, json};

use crate::story::Party;
use crate::world::{Step, World};

/// Steps that one call brings.
type Sent = (Cid, Vec<Block>);

/// One case; what is not said is as it would be.
pub struct Case<'a> {
    what: String,
    judge: &'a Party,
    caller: &'a Party,
    given: Vec<&'a Step>,
    pending: bool,
    knows: Vec<&'static str>,
    earlier: Vec<Sent>,
    sent: Option<Sent>,
    kind: Option<Kind>,
    at_ms: u64,
    further: Map<String, Value>,
}

impl<'a> Case<'a> {
    /// `caller` brings something to `judge`, who has these steps.
    pub fn new(what: &str, judge: &'a Party, caller: &'a Party, given: &[&'a Step]) -> Self {
        Self {
            what: what.into(),
            judge,
            caller,
            given: given.to_vec(),
            pending: false,
            knows: vec!["alice", "bob", "carol", "mallory"],
            earlier: vec![],
            sent: None,
            kind: None,
            at_ms: 0,
            further: Map::new(),
        }
    }

    /// A step, with what it needs, and its caller.
    pub fn sends(self, step: &Step) -> Self {
        let blocks = step.blocks();
        self.sends_blocks(step, blocks)
    }

    /// The same with these blocks.
    pub fn sends_blocks(mut self, step: &Step, blocks: Vec<Block>) -> Self {
        self.earlier.extend(self.sent.take());
        self.sent = Some((step.cid(), blocks));
        self.kind = Some(step.kind());
        self.at_ms = self.at_ms.max(step.issued_at_ms() + 1_000);
        self
    }

    /// Any root.
    pub fn sends_root(mut self, root: Cid, blocks: Vec<Block>, at_ms: u64) -> Self {
        (self.sent, self.at_ms) = (Some((root, blocks)), at_ms);
        self
    }

    /// With this block more.
    pub fn and(mut self, block: Block) -> Self {
        self.sent.as_mut().unwrap().1.push(block);
        self
    }

    /// Without this block.
    pub fn without(mut self, cid: Cid) -> Self {
        self.sent.as_mut().unwrap().1.retain(|(known, _)| *known != cid);
        self
    }

    /// The judge does not know this one.
    pub fn not_knowing(mut self, party: &Party) -> Self {
        self.knows.retain(|name| *name != party.name);
        self
    }

    /// The last step given is the judge's own and waits for the fiduciary.
    pub fn pending(mut self) -> Self {
        self.pending = true;
        self
    }

    /// The judge's clock.
    pub fn at(mut self, at_ms: u64) -> Self {
        self.at_ms = at_ms;
        self
    }

    /// Another key of the case.
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.further.insert(key.into(), value);
        self
    }
}

#[derive(Default)]
pub struct Cases {
    list: Vec<Value>,
    blocks: BTreeMap<Cid, Vec<u8>>,
    keys: BTreeMap<Cid, String>,
}

impl Cases {
    /// Comes as a call, which is refused.
    pub fn refused(&mut self, status: u16, reason: &str, case: Case<'_>) {
        self.add(case, json!({ "way": "call", "status": status, "reason": reason }));
    }

    /// Comes as the answer to a call of the judge's, and is refused.
    pub fn unbelieved(&mut self, reason: &str, case: Case<'_>) {
        self.add(case, json!({ "way": "answer", "reason": reason }));
    }

    /// Comes as a call, which is answered with a step of this kind.
    pub fn taken(&mut self, kind: Kind, case: Case<'_>) {
        self.add(case, json!({ "way": "call", "status": 200, "answer": kind.as_str() }));
    }

    /// Comes as the answer to a call of the judge's, and the order's newest step is of this kind then.
    pub fn believed(&mut self, kind: Kind, case: Case<'_>) {
        self.add(case, json!({ "way": "answer", "answer": kind.as_str() }));
    }

    fn add(&mut self, case: Case<'_>, outcome: Value) {
        let Value::Object(mut outcome) = outcome else { panic!("a map") };
        for step in &case.given {
            self.keep(step.blocks());
            self.keep(
                step.secret.iter().map(|secret| (secret.descriptor.cid, secret.block.clone())).collect(),
            );
            let (body, key) = step.key();
            self.keys.insert(body, hex::encode(key.expose()));
        }
        let mut sent: Vec<Value> = case.earlier.into_iter().map(|sent| self.sent(sent)).collect();
        let last = self.sent(case.sent.unwrap());
        let group = outcome.get("reason").or(outcome.get("answer")).unwrap().as_str().unwrap().to_owned();
        let mut map = Map::from_iter([
            ("name".into(), format!("{}/{group}/{:03}", case.judge.name, self.list.len()).into()),
            ("what".into(), case.what.into()),
            ("judge".into(), case.judge.name.into()),
            ("caller".into(), case.caller.name.into()),
            ("knows".into(), json!(case.knows)),
            ("given".into(), case.given.iter().map(|step| step.cid().to_string()).collect()),
            ("pending".into(), case.pending.into()),
            ("at_ms".into(), case.at_ms.into()),
        ]);
        if outcome["way"] == "call" {
            map.insert("route".into(), route(case.kind).into());
        }
        sent.push(last);
        map.insert("sent".into(), sent.into());
        map.append(&mut outcome);
        map.extend(case.further);
        self.list.push(map.into());
    }

    fn sent(&mut self, (root, blocks): Sent) -> Value {
        let cids: Vec<_> = blocks.iter().map(|(cid, _)| cid.to_string()).collect();
        self.keep(blocks);
        json!({ "root": root.to_string(), "blocks": cids })
    }

    fn keep(&mut self, blocks: Vec<Block>) {
        self.blocks.extend(blocks);
    }

    pub fn count(&self) -> (usize, usize) {
        let invalid = self.list.iter().filter(|case| case.get("reason").is_some()).count();
        (self.list.len() - invalid, invalid)
    }

    pub fn file(&self, world: &World) -> String {
        let lines = |items: Vec<String>| items.join(",\n");
        let parties = world.parties();
        let identities = parties.values().map(|party| {
            let block = hex::encode(party.identity.envelope().block());
            json!({ "name": party.name, "seed": hex::encode(party.seed), "cid": party.cid().to_string(), "block": block })
                .to_string()
        });
        let hex_of = |(cid, block): (&Cid, &Vec<u8>)| format!("\"{cid}\":\"{}\"", hex::encode(block));
        let keys = self.keys.iter().map(|(cid, key)| format!("\"{cid}\":\"{key}\""));
        format!(
            "{{\"about\":{},\n\"identities\":[\n{}\n],\n\"keys\":{{\n{}\n}},\n\"blocks\":{{\n{}\n}},\n\"cases\":[\n{}\n]}}\n",
            json!("What other nodes send about an order, and what must come of it: README.md."),
            lines(identities.collect()),
            lines(keys.collect()),
            lines(self.blocks.iter().map(hex_of).collect()),
            lines(self.list.iter().map(Value::to_string).collect()),
        )
    }
}

fn route(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(Kind::Placed) => "/v1/fulfill/order",
        Some(Kind::RedemptionRequested) => "/v1/fulfill/order/secret",
        _ => "/v1/fulfill/order/step",
    }
}
