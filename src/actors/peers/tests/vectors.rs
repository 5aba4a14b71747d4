//! tests/vectors/peer-calls.json, made with the npm library `http-message-signatures` and node:crypto.

use std::collections::HashMap;

use dta_protocol::{Cid, Identity};
use serde::Deserialize;

use crate::actors::peers::answer;
use crate::actors::peers::fields::Header;
use crate::actors::peers::request::{Draft, SignedRequest};

#[derive(Deserialize)]
struct Vectors {
    valid: Vec<Message>,
    invalid: Vec<Message>,
}

/// A request or an answer.
#[derive(Deserialize)]
struct Message {
    name: String,
    kind: String,
    #[serde(default)]
    now_s: u64,
    #[serde(default)]
    method: String,
    #[serde(default)]
    target: String,
    /// The request it answers.
    #[serde(default)]
    request: String,
    #[serde(default)]
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    #[serde(default)]
    reason: String,
}

impl Message {
    fn headers(&self) -> Vec<Header<'_>> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value).unwrap()
    }

    fn read(&self) -> Result<SignedRequest, &'static str> {
        let read = SignedRequest::read(&self.method, &self.target, &self.headers());
        read.map_err(|error| error.code())
    }
}

struct World {
    vectors: Vectors,
    identities: HashMap<Cid, Identity>,
}

impl World {
    fn read() -> Self {
        let vectors = include_str!("../../../../tests/vectors/peer-calls.json");
        let protocol = include_str!("../../../../tests/vectors/protocol.json");
        let protocol: serde_json::Value = serde_json::from_str(protocol).unwrap();
        let blocks = protocol["identities"].as_array().unwrap().iter();
        let identities = blocks
            .map(|identity| hex::decode(identity["block"].as_str().unwrap()).unwrap())
            .map(|block| Identity::decode(&block).unwrap())
            .map(|identity| (identity.cid(), identity))
            .collect();
        Self { vectors: serde_json::from_str(vectors).unwrap(), identities }
    }

    /// As a node judges a message.
    fn judge(&self, message: &Message) -> Result<(), &'static str> {
        if message.kind == "request" {
            let request = message.read()?;
            let caller = self.identities.get(&request.caller()).ok_or("peer-unknown-caller")?;
            request.verify(caller.verifying(), message.now_s).map_err(|error| error.code())?;
            return request.check_body(message.body.as_bytes()).map_err(|error| error.code());
        }
        let request = self.named(&message.request).read().unwrap();
        let keys = self.identities[&request.to()].verifying();
        let body = message.body.as_bytes();
        answer::verify(&request, keys, message.status, &message.headers(), body).map_err(|error| error.code())
    }

    fn named(&self, name: &str) -> &Message {
        self.vectors.valid.iter().find(|message| message.name == name).unwrap()
    }

    fn keys(&self, name: &str) -> (Cid, dta_crypto::IdentityKeys) {
        let protocol = include_str!("../../../../tests/vectors/protocol.json");
        let protocol: serde_json::Value = serde_json::from_str(protocol).unwrap();
        let mut parties = protocol["identities"].as_array().unwrap().iter();
        let party = parties.find(|party| party["name"] == name).unwrap();
        let seed: [u8; 32] = hex::decode(party["seed"].as_str().unwrap()).unwrap().try_into().unwrap();
        let keys = dta_crypto::IdentityKeys::from_seed(&dta_crypto::Secret::from_bytes(seed));
        (party["cid"].as_str().unwrap().parse().unwrap(), keys)
    }
}

#[test]
fn what_the_library_signs_is_believed() {
    let world = World::read();
    for message in &world.vectors.valid {
        assert_eq!(world.judge(message), Ok(()), "{}", message.name);
    }
}

#[test]
fn every_way_to_get_it_wrong_has_its_name() {
    let world = World::read();
    assert!(world.vectors.invalid.len() > 10 * world.vectors.valid.len());
    let told = world.vectors.invalid.iter().map(|message| (message, world.judge(message)));
    let wrong: Vec<_> = told
        .filter(|(message, told)| *told != Err(message.reason.as_str()))
        .map(|(message, told)| (&message.name, &message.reason, told))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_we_sign_is_what_the_library_signs() {
    let world = World::read();
    let ((alice, alice_keys), (bob, bob_keys)) = (world.keys("alice"), world.keys("bob"));
    for (name, nonce) in [("post", [1; 16]), ("get", [2; 16])] {
        let theirs = world.named(name);
        let Message { method, target, body, now_s, .. } = theirs;
        let body = body.as_bytes();
        let draft = Draft { method, target, body, from: alice, to: bob, created_s: *now_s, nonce };
        for (header, value) in SignedRequest::sign(draft, &alice_keys).headers() {
            assert_eq!(value, theirs.header(header), "{name}: {header}");
        }
    }
    for name in ["answer to post", "answer to get, empty", "refusal"] {
        let theirs = world.named(name);
        let request = world.named(&theirs.request);
        let (signed, body) = (request.read().unwrap(), theirs.body.as_bytes());
        for (header, value) in answer::sign(&signed, &bob_keys, theirs.status, body, request.now_s) {
            assert_eq!(value, theirs.header(header), "{name}: {header}");
        }
    }
}
