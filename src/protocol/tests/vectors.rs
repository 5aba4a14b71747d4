//! The vectors in tests/vectors: the order is read, opened and made again; each invalid case gives exactly its error.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use dta_crypto::{ContentKey, IdentityKeys, OrderKey, Secret, VerifyingKeys};
use dta_protocol::body::*;
use dta_protocol::sealed::{SealRequest, check_recipients, open, open_with_key, seal};
use dta_protocol::{
    BodyError, Cid, Descriptor, Envelope, EnvelopeError, Identity, Plaintext, Role, Statement, car, strict,
};
use ipld_core::ipld::Ipld;
use serde_json::Value;

fn folder() -> PathBuf {
    // Asked when it runs: checkouts may share what was built, and each has its own path.
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../tests/vectors")
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder().join(name)).unwrap()).unwrap()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} in {value}"))
}

fn bytes(value: &Value, field: &str) -> Vec<u8> {
    hex::decode(text(value, field)).unwrap()
}

fn names<'a>(value: &'a Value, field: &str) -> Vec<&'a str> {
    value[field].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

struct Body {
    role: Role,
    json: Value,
    descriptor: Descriptor,
    plaintext: Vec<u8>,
    block: Vec<u8>,
}

impl Body {
    fn content_key(&self) -> ContentKey {
        ContentKey::from_bytes(bytes(&self.json, "content_key").try_into().unwrap())
    }
}

struct Step {
    envelope: Envelope,
    signer: String,
    /// With the secret, where the kind is order/released.
    bodies: Vec<Body>,
}

struct Order {
    json: Value,
    identities: BTreeMap<String, (IdentityKeys, Identity)>,
    steps: BTreeMap<String, Step>,
    car: Vec<u8>,
}

impl Order {
    fn load() -> Self {
        let json = json("protocol.json");
        let identities = json["identities"].as_array().unwrap().iter().map(|identity| {
            let seed = Secret::from_bytes(bytes(identity, "seed").try_into().unwrap());
            let read = Identity::decode(&bytes(identity, "block")).unwrap();
            (text(identity, "name").to_owned(), (IdentityKeys::from_seed(&seed), read))
        });
        let steps = json["steps"].as_array().unwrap().iter().map(|step| {
            let envelope = Envelope::decode(&bytes(step, "block")).unwrap();
            let mut bodies: Vec<Body> =
                step["sealed"].as_array().unwrap().iter().map(|body| read_body(body, &envelope)).collect();
            if text(step, "kind") == "order/released" {
                let plaintext = Released::decode(&bodies[0].plaintext).unwrap();
                let mut secret = read_body(&json["secret"], &envelope);
                secret.descriptor = plaintext.secret;
                bodies.push(secret);
            }
            (
                text(step, "kind").to_owned(),
                Step { envelope, signer: text(step, "signer").to_owned(), bodies },
            )
        });
        let (identities, steps) = (identities.collect(), steps.collect());
        Self { identities, steps, car: std::fs::read(folder().join("order.car")).unwrap(), json }
    }

    fn recipients(&self, names: &[&str]) -> Vec<(Cid, &VerifyingKeys)> {
        names
            .iter()
            .map(|name| &self.identities[*name].1)
            .map(|read| (read.cid(), read.verifying()))
            .collect()
    }

    fn body(&self, name: &str) -> (&Step, &Body) {
        let (kind, role) = name.split_once(':').unwrap();
        let step = &self.steps[kind];
        (step, step.bodies.iter().find(|body| body.role.as_str() == role).unwrap())
    }

    /// The valid bytes that an invalid case changes.
    fn base(&self, name: &str) -> Vec<u8> {
        match name.split_once(':') {
            None => self.car.clone(),
            Some(("identity", name)) => self.identities[name].1.envelope().block().to_vec(),
            Some(("statement", "identity")) => {
                self.identities["alice"].1.envelope().statement_bytes().to_vec()
            }
            Some(("statement", kind)) => self.steps[kind].envelope.statement_bytes().to_vec(),
            Some(("envelope", kind)) => self.steps[kind].envelope.block().to_vec(),
            Some(("plaintext", body)) => self.body(body).1.plaintext.clone(),
            Some(("block", body)) => self.body(body).1.block.clone(),
            Some(("key", body)) => self.body(body).1.content_key().expose().to_vec(),
            Some(_) => panic!("{name}"),
        }
    }
}

fn read_body(body: &Value, envelope: &Envelope) -> Body {
    let role = text(body, "role").parse().unwrap();
    let first = &envelope.statement().sealed[0];
    Body {
        role,
        descriptor: envelope.statement().sealed_for(role).unwrap_or(first).clone(),
        plaintext: bytes(body, "plaintext"),
        block: bytes(body, "block"),
        json: body.clone(),
    }
}

/// Reads a plaintext of the named kind and role and gives back how it is written.
fn rewrite(name: &str, bytes: &[u8]) -> Result<Vec<u8>, BodyError> {
    fn typed<P: Plaintext>(bytes: &[u8]) -> Result<Vec<u8>, BodyError> {
        Ok(P::decode(bytes)?.encode()?.expose().to_vec())
    }
    match name {
        "order/placed:parties" => typed::<Placed>(bytes),
        "order/committed:parties" => typed::<Committed>(bytes),
        "order/redemption-requested:parties" => typed::<RedemptionRequested>(bytes),
        "order/redemption-requested:beneficiary" => typed::<BeneficiaryData>(bytes),
        "order/released:parties" => typed::<Released>(bytes),
        "order/released:secret" => typed::<SecretBody>(bytes),
        "order/received:parties" => typed::<Received>(bytes),
        "order/disputed:parties" => typed::<Disputed>(bytes),
        "order/cancellation-requested:parties" => typed::<CancellationRequested>(bytes),
        "order/closed:parties" => typed::<Closed>(bytes),
        _ => panic!("{name}"),
    }
}

/// The library agrees that these bytes are canonical.
fn canonical_to_the_library(bytes: &[u8]) {
    let value: Ipld = serde_ipld_dagcbor::from_slice(bytes).unwrap();
    assert_eq!(serde_ipld_dagcbor::to_vec(&value).unwrap(), bytes);
}

#[test]
fn the_order_is_read_opened_and_made_again() {
    let order = Order::load();
    for (json, name) in order.json["identities"].as_array().unwrap().iter().zip(["alice", "bob", "carol"]) {
        let (keys, identity) = &order.identities[name];
        assert_eq!(identity.cid().to_string(), text(json, "cid"));
        assert_eq!(keys.public(), identity.public(), "the seed gives the keys");
        canonical_to_the_library(identity.envelope().block());
    }
    for json in order.json["steps"].as_array().unwrap() {
        let kind = text(json, "kind");
        let step = &order.steps[kind];
        let envelope = step.envelope.clone().verify(&order.identities[&step.signer].1).unwrap();
        assert_eq!(envelope.cid().to_string(), text(json, "cid"));
        assert_eq!(envelope.statement_hash().to_vec(), bytes(json, "statement_hash"));
        assert_eq!(envelope.statement().encode().unwrap(), envelope.statement_bytes());
        canonical_to_the_library(envelope.block());
        for body in &step.bodies {
            check_body(&order, &envelope, body, &format!("{kind}:{}", body.role));
        }
    }
    let key =
        OrderKey::from_seed(&Secret::from_bytes(bytes(&order.json, "order_key_seed").try_into().unwrap()));
    assert_eq!(key.commitment().to_vec(), bytes(&order.json, "commitment"));
}

fn check_body(order: &Order, envelope: &Envelope, body: &Body, name: &str) {
    let request = SealRequest::of(envelope.statement(), body.role).unwrap();
    assert_eq!(request.aad(), bytes(&body.json, "associated_data"));
    canonical_to_the_library(&request.aad());
    canonical_to_the_library(&body.plaintext);
    assert_eq!(rewrite(name, &body.plaintext).unwrap(), body.plaintext);
    let recipients = order.recipients(&names(&body.json, "recipients"));
    let sealed = seal(&request, &body.plaintext, body.content_key(), &recipients).unwrap();
    assert_eq!(sealed.block, body.block, "sealing is deterministic once the content key is chosen");
    assert_eq!(sealed.descriptor, body.descriptor);
    assert_eq!(body.descriptor.cid.to_string(), text(&body.json, "cid"));
    assert_eq!(body.descriptor.commit.to_vec(), bytes(&body.json, "commit"));
    let to: Vec<_> = body.descriptor.to.iter().map(|entry| hex::encode(entry.as_slice())).collect();
    assert_eq!(to, names(&body.json, "to"));
    for name in names(&body.json, "recipients") {
        let (keys, identity) = &order.identities[name];
        let (key, plaintext) = open(keys, &identity.cid(), &request, &body.descriptor, &body.block).unwrap();
        assert_eq!(plaintext.expose(), body.plaintext);
        assert_eq!(check_recipients(&key, &request.signer, &recipients, &body.descriptor), Ok(()));
    }
}

#[test]
fn the_file_holds_what_is_published_and_not_the_secret() {
    let order = Order::load();
    let (root, blocks) = car::decode(&order.car).unwrap();
    assert_eq!(root.to_string(), text(&order.json["car"], "root"));
    assert_eq!(blocks.len() as u64, order.json["car"]["blocks"].as_u64().unwrap());
    assert_eq!(car::encode(root, blocks.iter().map(|(cid, block)| (*cid, &block[..]))).unwrap(), order.car);
    let there: HashSet<Cid> = blocks.iter().map(|(cid, _)| *cid).collect();
    for step in order.steps.values() {
        assert!(there.contains(&step.envelope.cid()));
        for body in &step.bodies {
            assert_eq!(there.contains(&body.descriptor.cid), body.role != Role::Secret);
        }
    }
}

/// The name and the text of the error that these bytes give.
fn error(order: &Order, case: &Value, bytes: &[u8]) -> Option<(&'static str, String)> {
    macro_rules! named {
        ($result:expr) => {
            $result.err().map(|error| (error.code(), error.to_string()))
        };
    }
    let decoder = text(case, "decoder");
    match decoder.split_once(':').unwrap_or((decoder, "")) {
        ("cbor", _) => named!(strict::decode(bytes)),
        ("cid", _) => named!(Cid::from_bytes(bytes)),
        ("cid-text", _) => named!(std::str::from_utf8(bytes).unwrap().parse::<Cid>()),
        ("statement", _) => named!(Statement::decode(bytes)),
        ("envelope", _) => named!(Envelope::decode(bytes).and_then(|envelope| verify(order, envelope))),
        ("identity", _) => named!(Identity::decode(bytes)),
        ("car", _) => named!(car::decode(bytes)),
        ("plaintext", name) => named!(rewrite(name, bytes)),
        ("open", name) => {
            let (step, body) = order.body(name);
            let request = SealRequest::of(step.envelope.statement(), body.role).unwrap();
            let (key, block) = match text(case, "base").split(':').next() {
                Some("key") => (ContentKey::from_bytes(bytes.try_into().unwrap()), &body.block[..]),
                _ => (body.content_key(), bytes),
            };
            named!(open_with_key(&key, &request, &body.descriptor, block))
        }
        ("recipients", name) => {
            let (step, body) = order.body(name);
            let prescribed = order.recipients(&names(case, "prescribed"));
            let signer = step.envelope.statement().signer.unwrap();
            named!(check_recipients(&body.content_key(), &signer, &prescribed, &body.descriptor))
        }
        _ => panic!("{decoder}"),
    }
}

#[test]
fn limits_are_where_they_are_said_to_be() {
    let order = Order::load();
    let cases = json("limits.json");
    for case in cases.as_array().unwrap() {
        let count = case["count"].as_u64().unwrap() as usize;
        let input = [bytes(case, "head"), bytes(case, "fill").repeat(count), bytes(case, "tail")].concat();
        let reason = error(&order, case, &input).map(|(code, _)| code);
        assert_eq!(reason, case["reason"].as_str(), "{} ({})", text(case, "name"), text(case, "what"));
    }
}

fn verify(order: &Order, envelope: Envelope) -> Result<(), EnvelopeError> {
    let signer = envelope.statement().signer;
    let identity =
        order.identities.values().map(|(_, identity)| identity).find(|read| Some(read.cid()) == signer);
    envelope.verify(identity.unwrap()).map(|_| ())
}

#[test]
fn each_invalid_case_gives_exactly_its_error() {
    let order = Order::load();
    let cases = json("invalid.json");
    let cases = cases.as_array().unwrap();
    let mut seen = HashSet::new();
    for case in cases {
        let name = text(case, "name");
        assert!(seen.insert(name), "{name} is there twice");
        let bytes = match case.get("base") {
            None => bytes(case, "bytes"),
            Some(base) => {
                let mut changed = order.base(base.as_str().unwrap());
                let at = case["at"].as_u64().unwrap() as usize;
                let cut = case["cut"].as_u64().unwrap() as usize;
                changed.splice(at..at + cut, bytes(case, "put"));
                changed
            }
        };
        let what = text(case, "what");
        let Some((code, message)) = error(&order, case, &bytes) else {
            panic!("{name} ({what}) is accepted")
        };
        assert_eq!(code, text(case, "reason"), "{name} ({what}): {message}");
        if let Some(field) = case.get("field") {
            assert!(message.contains(field.as_str().unwrap()), "{name} ({what}): {message}");
        }
    }
    let valid = order.identities.len() + order.steps.len();
    assert!(cases.len() > 10 * valid, "invalid vectors outnumber valid ones");
}
