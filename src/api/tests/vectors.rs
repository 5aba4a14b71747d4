//! tests/vectors/orders.json: each case comes to a node of its own over the wire, or as an answer to its call, and gives
//! exactly what it says.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use actix_web::test::TestRequest;
use dta_crypto::{ContentKey, IdentityKeys, Secret};
use dta_protocol::{Cid, Envelope, Identity, Kind, car};
use serde_json::{Value, json};

use super::kit::{Answer, Node, Routes};
use crate::actors::orders::{Arrival, OrderError, testing};
use crate::actors::peers::SignedRequest;
use crate::actors::peers::request::Draft;
use crate::actors::services::Caller;

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} in {value}"))
}

fn cids(value: &Value) -> Vec<Cid> {
    value.as_array().unwrap().iter().map(|cid| cid.as_str().unwrap().parse().unwrap()).collect()
}

struct Party {
    seed: [u8; 32],
    keys: IdentityKeys,
    identity: Identity,
}

/// The file.
struct Vectors {
    parties: BTreeMap<String, Party>,
    blocks: HashMap<Cid, Vec<u8>>,
    keys: HashMap<Cid, [u8; 32]>,
    cases: Vec<Value>,
}

impl Vectors {
    fn read() -> Self {
        let file: Value = serde_json::from_str(include_str!("../../../tests/vectors/orders.json")).unwrap();
        let party = |one: &Value| {
            let seed: [u8; 32] = hex::decode(text(one, "seed")).unwrap().try_into().unwrap();
            let keys = IdentityKeys::from_seed(&Secret::from_bytes(seed));
            let identity = Identity::decode(&hex::decode(text(one, "block")).unwrap()).unwrap();
            assert_eq!(keys.public(), identity.public());
            (text(one, "name").to_owned(), Party { seed, keys, identity })
        };
        let bytes = |field: &str| {
            let entries = file[field].as_object().unwrap().iter();
            entries
                .map(|(cid, bytes)| (cid.parse().unwrap(), hex::decode(bytes.as_str().unwrap()).unwrap()))
                .collect::<Vec<(Cid, Vec<u8>)>>()
        };
        let keys = bytes("keys").into_iter().map(|(cid, key)| (cid, key.try_into().unwrap()));
        Self {
            parties: file["identities"].as_array().unwrap().iter().map(party).collect(),
            keys: keys.collect(),
            blocks: bytes("blocks").into_iter().collect(),
            cases: file["cases"].as_array().unwrap().clone(),
        }
    }

    fn car(&self, sent: &Value) -> (Cid, Vec<u8>) {
        let root = text(sent, "root").parse().unwrap();
        let blocks = cids(&sent["blocks"]);
        let blocks = blocks.iter().map(|cid| (*cid, self.blocks[cid].as_slice()));
        (root, car::encode(root, blocks).unwrap())
    }
}

/// What came of a case: a status and a name, which is the kind of the step answered or the code of the refusal.
type Outcome = (u64, String);

struct Judge<'a> {
    vectors: &'a Vectors,
    case: &'a Value,
    node: Node,
    routes: Routes,
    nonce: u8,
}

impl<'a> Judge<'a> {
    /// A node that knows whom the case says, trusts them, and has the steps given.
    async fn of(vectors: &'a Vectors, case: &'a Value) -> Self {
        let at_ms = case["at_ms"].as_u64().unwrap();
        let party = &vectors.parties[text(case, "judge")];
        let node = Node::of(party.seed, &party.identity, case["started_ms"].as_u64().unwrap_or(at_ms));
        let routes = node.routes().await;
        for name in case["knows"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()) {
            let document = hex::encode(vectors.parties[name].identity.envelope().block());
            if name != text(case, "judge") {
                routes.post("/v1/peer", &json!({ "document": document })).await.ok();
            }
        }
        node.clock.set(at_ms);
        let given = cids(&case["given"]);
        for (place, cid) in given.iter().enumerate() {
            let envelope = Envelope::decode(&vectors.blocks[cid]).unwrap();
            let key = vectors.keys[&envelope.statement().sealed[0].cid];
            let pending = case["pending"] == true && place + 1 == given.len();
            let key = ContentKey::from_bytes(key);
            testing::put(&node.app.services, &envelope, &vectors.blocks, &key, pending).await;
        }
        Self { vectors, case, node, routes, nonce: 0 }
    }

    fn caller(&self) -> &'a Party {
        &self.vectors.parties[text(self.case, "caller")]
    }

    fn call(&mut self, sent: &Value, last: bool) -> (SignedRequest, Vec<u8>) {
        let (_, mut body) = self.vectors.car(sent);
        let created_s = self.case["created_s"].as_u64();
        let created_s = created_s.unwrap_or_else(|| self.case["at_ms"].as_u64().unwrap() / 1_000);
        self.nonce += 1;
        let draft = Draft {
            method: "POST",
            target: text(self.case, "route"),
            body: &body,
            from: self.caller().identity.cid(),
            to: self.node.identity,
            created_s,
            nonce: [self.nonce; 16],
        };
        let signed = SignedRequest::sign(draft, &self.caller().keys);
        if last && self.case["cut_body"] == true {
            body.pop();
        }
        (signed, body)
    }

    async fn send(&self, (signed, body): &(SignedRequest, Vec<u8>)) -> Outcome {
        let mut request = TestRequest::post()
            .uri(text(self.case, "route"))
            .insert_header(("host", "localhost:5556"))
            .insert_header(("content-type", "application/vnd.ipld.car"))
            .set_payload(body.clone());
        for header in signed.headers() {
            request = request.insert_header(header);
        }
        outcome(&self.routes.send(request).await)
    }

    async fn take(&self, sent: &Value) -> Outcome {
        let (root, body) = self.vectors.car(sent);
        let blocks = car::decode(&body).unwrap().1.into_iter().collect();
        let from = self.caller().identity.clone();
        let arrival = Arrival::read(from, self.node.identity, root, blocks).unwrap();
        let by = format!("peer:{}", self.caller().identity.cid());
        let caller = Caller { by, trace_id: [0; 16], request: None };
        match self.node.app.desk.take(None, arrival, caller).await {
            Ok(stands) => {
                let newest = stands.order.head().unwrap().facts.kind();
                (0, newest.as_str().to_owned())
            }
            Err(OrderError::Rejected(rejection) | OrderError::Recorded { rejection, .. }) => {
                (0, rejection.code().to_owned())
            }
            Err(error) => (0, error.to_string()),
        }
    }

    /// Whatever comes before the last is taken.
    async fn judge(mut self) -> Outcome {
        let sent = self.case["sent"].as_array().unwrap();
        let (last, earlier) = sent.split_last().unwrap();
        if text(self.case, "way") == "answer" {
            for sent in earlier {
                let taken = self.take(sent).await.1;
                assert!(taken.parse::<Kind>().is_ok(), "{taken}");
            }
            return self.take(last).await;
        }
        for sent in earlier {
            let call = self.call(sent, false);
            assert_eq!(self.send(&call).await.0, 200);
        }
        let call = self.call(last, true);
        if self.case["replayed"] == true {
            assert_eq!(self.send(&call).await.0, 200);
            if let Some(later_ms) = self.case["replayed_at_ms"].as_u64() {
                self.node.clock.set(later_ms);
            }
        }
        self.send(&call).await
    }
}

/// A refusal by its code, a CAR by the kind of its root.
fn outcome(answer: &Answer) -> Outcome {
    let name = match car::decode(&answer.body) {
        Ok((root, blocks)) => {
            let (_, block) = blocks.iter().find(|(cid, _)| *cid == root).unwrap();
            Envelope::decode(block).unwrap().statement().kind.as_str().to_owned()
        }
        Err(_) => answer.json()["code"].as_str().unwrap().to_owned(),
    };
    (answer.status.as_u16().into(), name)
}

fn expected(case: &Value) -> Outcome {
    let name = case.get("reason").or(case.get("answer")).unwrap();
    (case["status"].as_u64().unwrap_or(0), name.as_str().unwrap().to_owned())
}

#[actix_web::test]
async fn each_case_of_an_order_gives_exactly_its_outcome() {
    let vectors = Vectors::read();
    let mut wrong = Vec::new();
    for case in &vectors.cases {
        let came = Judge::of(&vectors, case).await.judge().await;
        if came != expected(case) {
            wrong.push(format!("{} ({}): {came:?}", text(case, "name"), text(case, "what")));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), vectors.cases.len(), wrong.join("\n"));
    let invalid = vectors.cases.iter().filter(|case| case.get("reason").is_some()).count();
    assert!(invalid > 2 * (vectors.cases.len() - invalid), "invalid vectors outnumber valid ones");
}

/// Where the names of errors stand that bytes from outside can bring about.
const SOURCES: [&str; 14] = [
    include_str!("../../protocol/cid.rs"),
    include_str!("../../protocol/strict.rs"),
    include_str!("../../protocol/fields.rs"),
    include_str!("../../protocol/car.rs"),
    include_str!("../../protocol/statement.rs"),
    include_str!("../../protocol/envelope.rs"),
    include_str!("../../protocol/identity.rs"),
    include_str!("../../protocol/sealed.rs"),
    include_str!("../../proof/note.rs"),
    include_str!("../../events/order/rejection.rs"),
    include_str!("../../events/identity/rejection.rs"),
    include_str!("../../events/peer/rejection.rs"),
    include_str!("../../actors/orders/arrival.rs"),
    include_str!("../../actors/peers/error.rs"),
];

/// Those that no bytes of another node reach, and why.
const OUT_OF_REACH: [(&str, &str); 35] = [
    ("plugin-refused", "these nodes run milagro: tests/parties/mallory/wallet.rs"),
    ("cbor-not-canonical", "the net beneath a judge that finds each violation by its name"),
    ("envelope-other-signer", "the signer is looked up by what the statement names"),
    ("sealed-no-signer", "a statement that seals has a signer, or is refused as one"),
    ("sealed-recipients-invalid", "recipients are identities, whose keys are valid"),
    ("root-missing", "a CAR without its root is refused as car-root-missing"),
    ("internal", "a fault of ours"),
    ("peer-too-many-calls", "262,144 calls: src/actors/peers/tests/nonces.rs, with lower limits"),
    ("unknown-order", "another node is told 404 not-found"),
    (
        "reference-taken",
        "an order is its principal and reference: another statement for it is an equivocation",
    ),
    ("coin-unknown", "a coin above 1 is no plaintext: cannot-open"),
    ("not-as-prepared", "a fault of ours"),
    // Of commands by clients and of the node's own: src/events/order/tests.
    ("withdrawn", "of a client's command: tests/parties/taken_back.rs"),
    ("step-pending", "of a client's command: tests/parties/ends.rs"),
    ("not-pending", "of an answer to a step that is settled by then: src/events/order/tests/pending.rs"),
    ("not-outstanding", "of a delivery that is ended by then: src/events/order/tests/outbox.rs"),
    ("not-due", "of a timer"),
    ("clock-untrusted", "of a timer"),
    ("refused", "of a client's command, after the fiduciary's refusal"),
    ("retention-ended", "of a client's command"),
    ("custody-lost", "after a recovery without custody: tests/recover.rs"),
    ("nothing-to-dispute", "of a client's command: tests/parties/ends.rs"),
    ("code-malformed", "the code of a refusal is read before it is told: src/actors/outbox.rs"),
    ("too-long", "of a client's command: src/api/tests/refused.rs"),
    // Identities are verified and learned; a client's commands make and pin them: src/api/tests.
    ("identity-exists", "of a client's command"),
    ("key-taken", "of a stranger's document it is told as identity-refused"),
    ("name-length", "a document with such a name is no identity: field-value, field-limit"),
    ("name-character", "a document with such a name is no identity: field-value"),
    ("hosted-here", "of a client's command: src/api/tests/peers.rs"),
    ("not-pinned", "of a client's command: src/api/tests/peers.rs"),
    ("keeps-no-blocks", "of a client's command: src/api/tests/mirror.rs"),
    ("log-elsewhere", "of a client's command: src/api/tests/mirror.rs"),
    ("not-addressed", "of a client's command: src/api/tests/mirror.rs"),
    ("not-followed", "of a client's command: src/api/tests/mirror.rs"),
    ("own-log", "of a client's command: src/api/tests/mirror.rs"),
];

/// The names in `=> "name"` of an error's `code`; what has spaces is words.
fn names(source: &'static str) -> impl Iterator<Item = &'static str> {
    let after = source.split("=> \"").skip(1);
    after.filter_map(|rest| rest.split_once('"')).map(|(name, _)| name).filter(|name| !name.contains(' '))
}

#[test]
fn every_error_that_can_be_brought_about_has_a_vector() {
    let mut reached: BTreeSet<String> = BTreeSet::new();
    let mut note = |file: &str, list: Option<&str>| {
        let file: Value = serde_json::from_str(file).unwrap();
        let cases = list.map_or(&file, |list| &file[list]).as_array().unwrap();
        reached.extend(cases.iter().filter_map(|case| case["reason"].as_str()).map(str::to_owned));
    };
    note(include_str!("../../../tests/vectors/invalid.json"), None);
    note(include_str!("../../../tests/vectors/limits.json"), None);
    note(include_str!("../../../tests/vectors/peer-calls.json"), Some("invalid"));
    note(include_str!("../../../tests/vectors/orders.json"), Some("cases"));
    note(include_str!("../../../tests/vectors/log.json"), Some("invalid"));
    let known: BTreeSet<&str> = SOURCES.iter().flat_map(|source| names(source)).collect();
    let excused: BTreeSet<&str> = OUT_OF_REACH.iter().map(|(name, _)| *name).collect();
    assert!(known.len() > 100, "{}", known.len());
    let missing: Vec<_> =
        known.iter().filter(|name| !reached.contains(**name) && !excused.contains(*name)).collect();
    assert!(missing.is_empty(), "no vector gives {missing:?}");
    let idle: Vec<_> =
        excused.iter().filter(|name| reached.contains(**name) || !known.contains(*name)).collect();
    assert!(idle.is_empty(), "excused, and reached or unknown: {idle:?}");
}
