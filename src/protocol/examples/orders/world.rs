//! Alice, bob and carol of protocol.json with the steps they made, two strangers, and how steps are forged.

use std::collections::BTreeMap;

use dta_crypto::{ContentKey, IdentityKeys, OrderKey, Secret};
use dta_protocol::body::*;
use dta_protocol::car::Block;
use dta_protocol::sealed::{SealRequest, SealedBody, seal};
use dta_protocol::{Body, Cid, Descriptor, Envelope, Identity, Kind, Plaintext, Role, Statement};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::story::{Party, REFERENCE, START_MS, content_key, extension, placed_body};

/// A step with all that travels with it.
pub struct Step {
    pub envelope: Envelope,
    pub bodies: Vec<SealedBody>,
    /// The sealed secret of a release.
    pub secret: Option<SealedBody>,
}

impl Step {
    pub fn cid(&self) -> Cid {
        self.envelope.cid()
    }

    pub fn kind(&self) -> Kind {
        self.envelope.statement().kind
    }

    pub fn issued_at_ms(&self) -> u64 {
        self.envelope.statement().issued_at_ms
    }

    /// Envelope and sealed bodies, without the secret.
    pub fn blocks(&self) -> Vec<Block> {
        let bodies = self.bodies.iter().map(|body| (body.descriptor.cid, body.block.clone()));
        [(self.cid(), self.envelope.block().to_vec())].into_iter().chain(bodies).collect()
    }

    pub fn secret_block(&self) -> Block {
        let secret = self.secret.as_ref().unwrap();
        (secret.descriptor.cid, secret.block.clone())
    }

    /// The key of its first body under the CID of that, as redemptions disclose it.
    pub fn key(&self) -> (Cid, ContentKey) {
        (self.bodies[0].descriptor.cid, copy(&self.bodies[0].content_key))
    }

    /// With other bytes in its block.
    pub fn changed(&self, change: impl Fn(&mut Vec<u8>)) -> Self {
        let mut block = self.envelope.block().to_vec();
        change(&mut block);
        let envelope = Envelope::decode(&block).unwrap();
        Self { envelope, bodies: self.bodies.iter().map(again).collect(), secret: None }
    }
}

pub fn copy(key: &ContentKey) -> ContentKey {
    ContentKey::from_bytes(*key.expose())
}

pub fn again(body: &SealedBody) -> SealedBody {
    SealedBody {
        descriptor: body.descriptor.clone(),
        block: body.block.clone(),
        content_key: copy(&body.content_key),
    }
}

/// What a step is about.
#[derive(Clone)]
pub struct About {
    pub reference: String,
    pub previous: Option<Cid>,
    pub issued_at_ms: u64,
}

impl About {
    pub fn new_order(reference: &str) -> Self {
        Self { reference: reference.into(), previous: None, issued_at_ms: START_MS + 60_000 }
    }

    /// A minute after the step it answers.
    pub fn after(step: &Step) -> Self {
        Self {
            reference: step.envelope.statement().subject.clone(),
            previous: Some(step.cid()),
            issued_at_ms: step.issued_at_ms() + 60_000,
        }
    }

    pub fn at(mut self, issued_at_ms: u64) -> Self {
        self.issued_at_ms = issued_at_ms;
        self
    }
}

/// A body whose content key follows from what is sealed, so that no key is used twice.
pub fn seal_bytes(
    signer: &Party,
    about: &About,
    kind: Kind,
    role: Role,
    bytes: &[u8],
    to: &[&Party],
) -> SealedBody {
    let request = SealRequest {
        kind,
        role,
        signer: signer.cid(),
        subject: &about.reference,
        previous: about.previous,
        issued_at_ms: about.issued_at_ms,
    };
    let names: Vec<_> = to.iter().map(|party| party.name).collect();
    let label = [&request.aad(), bytes, names.join(" ").as_bytes()].concat();
    let key = content_key(&hex::encode(Sha256::digest(label)));
    let to: Vec<_> = to.iter().map(|party| party.recipient()).collect();
    seal(&request, bytes, key, &to).unwrap()
}

pub fn seal_body<P: Plaintext>(signer: &Party, about: &About, body: &P, to: &[&Party]) -> SealedBody {
    seal_bytes(signer, about, P::KIND, P::ROLE, body.encode().unwrap().expose(), to)
}

pub fn sign(signer: &Party, about: &About, kind: Kind, bodies: Vec<SealedBody>) -> Step {
    sign_as(signer.cid(), signer, about, kind, bodies)
}

/// Signed with the keys of `signer` in the name of `named`.
pub fn sign_as(named: Cid, signer: &Party, about: &About, kind: Kind, bodies: Vec<SealedBody>) -> Step {
    let statement = Statement {
        kind,
        body: Body::Order { note: None },
        sealed: bodies.iter().map(|body| body.descriptor.clone()).collect(),
        signer: Some(named),
        subject: about.reference.clone(),
        previous: about.previous,
        issued_at_ms: about.issued_at_ms,
    };
    let envelope = Envelope::sign(&statement, &signer.keys).unwrap().into_inner();
    Step { envelope, bodies, secret: None }
}

/// A step with one body.
pub fn step<P: Plaintext>(signer: &Party, about: &About, body: &P, to: &[&Party]) -> Step {
    sign(signer, about, P::KIND, vec![seal_body(signer, about, body, to)])
}

pub struct World {
    pub alice: Party,
    pub bob: Party,
    pub carol: Party,
    /// Whom nobody knows.
    pub dave: Party,
    /// Whom everyone has pinned, and who is no party.
    pub mallory: Party,
    /// The order's key pair.
    pub key: OrderKey,
    /// Somebody else's.
    pub other_key: OrderKey,
    steps: Vec<Step>,
}

impl World {
    /// The parties and steps of protocol.json.
    pub fn read(protocol: &Value) -> Self {
        let bytes = |value: &Value| hex::decode(value.as_str().unwrap()).unwrap();
        let party = |name: &'static str| {
            let found = protocol["identities"].as_array().unwrap().iter().find(|one| one["name"] == name);
            let found = found.unwrap();
            let seed: [u8; 32] = bytes(&found["seed"]).try_into().unwrap();
            let keys = IdentityKeys::from_seed(&Secret::from_bytes(seed));
            Party { name, seed, keys, identity: Identity::decode(&bytes(&found["block"])).unwrap() }
        };
        let sealed = |json: &Value, descriptor: &Descriptor| SealedBody {
            descriptor: descriptor.clone(),
            block: bytes(&json["block"]),
            content_key: ContentKey::from_bytes(bytes(&json["content_key"]).try_into().unwrap()),
        };
        let steps = protocol["steps"].as_array().unwrap().iter().map(|json| {
            let envelope = Envelope::decode(&bytes(&json["block"])).unwrap();
            let descriptors = envelope.statement().sealed.clone();
            let bodies = json["sealed"].as_array().unwrap().iter().zip(&descriptors);
            let bodies = bodies.map(|(json, descriptor)| sealed(json, descriptor)).collect();
            let secret = (envelope.statement().kind == Kind::Released).then(|| {
                let plaintext = bytes(&json["sealed"][0]["plaintext"]);
                sealed(&protocol["secret"], &Released::decode(&plaintext).unwrap().secret)
            });
            Step { envelope, bodies, secret }
        });
        Self {
            alice: party("alice"),
            bob: party("bob"),
            carol: party("carol"),
            dave: Party::new("dave"),
            mallory: Party::new("mallory"),
            key: OrderKey::from_seed(&Secret::from_bytes([7; 32])),
            other_key: OrderKey::from_seed(&Secret::from_bytes([8; 32])),
            steps: steps.collect(),
        }
    }

    pub fn parties(&self) -> BTreeMap<&'static str, &Party> {
        [&self.alice, &self.bob, &self.carol, &self.dave, &self.mallory]
            .map(|party| (party.name, party))
            .into()
    }

    /// The step of this kind in protocol.json.
    pub fn told(&self, kind: Kind) -> &Step {
        self.steps.iter().find(|step| step.kind() == kind).unwrap()
    }

    /// The order up to this step, oldest first.
    pub fn until(&self, kind: Kind) -> Vec<&Step> {
        let mut steps = vec![self.told(kind)];
        while let Some(previous) = steps[0].envelope.statement().previous {
            steps.insert(0, self.steps.iter().find(|step| step.cid() == previous).unwrap());
        }
        steps
    }

    pub fn two(&self) -> [&Party; 2] {
        [&self.alice, &self.bob]
    }

    pub fn all(&self) -> [&Party; 3] {
        [&self.alice, &self.bob, &self.carol]
    }

    pub fn block_of(&self, party: &Party) -> Block {
        (party.cid(), party.identity.envelope().block().to_vec())
    }

    /// An order of alice's at bob's for carol, changed.
    pub fn placed(&self, reference: &str, change: impl Fn(&mut Placed)) -> Step {
        let mut body = Placed { reference: reference.into(), ..placed_body(&self.bob, Some(&self.carol)) };
        change(&mut body);
        step(&self.alice, &About::new_order(reference), &body, &self.two())
    }

    /// An order of alice's with this note.
    pub fn noted(&self, reference: &str, note: &str) -> Step {
        let plain = self.placed(reference, |_| {});
        let statement =
            Statement { body: Body::Order { note: Some(note.into()) }, ..plain.envelope.statement().clone() };
        let envelope = Envelope::sign(&statement, &self.alice.keys).unwrap().into_inner();
        Step { envelope, ..plain }
    }

    /// Bob's commitment to an order.
    pub fn committed(&self, placed: &Step, key: &OrderKey) -> Step {
        step(&self.bob, &About::after(placed), &self.commitment(placed, key), &self.two())
    }

    pub fn commitment(&self, placed: &Step, key: &OrderKey) -> Committed {
        Committed {
            commitment: key.commitment(),
            proof: sign_commitment_proof(key, &placed.cid(), &self.bob.cid()),
            extension: extension(&[]),
            seen: vec![],
        }
    }

    /// A redemption's plaintext.
    pub fn redemption(&self, beneficiary: &Party, keys: [(Cid, ContentKey); 2]) -> RedemptionRequested {
        RedemptionRequested {
            beneficiary: beneficiary.cid(),
            keys: keys.into(),
            extension: extension(&[]),
            seen: vec![],
        }
    }

    /// A redemption as its signer would make it.
    pub fn requested(
        &self,
        signer: &Party,
        about: &About,
        body: &RedemptionRequested,
        to: &[&Party],
    ) -> Step {
        let data = BeneficiaryData { extension: extension(&[]) };
        let data = seal_body(signer, about, &data, &[to[to.len() - 1]]);
        sign(signer, about, Kind::RedemptionRequested, vec![seal_body(signer, about, body, to), data])
    }

    /// A release of this secret to this beneficiary.
    pub fn released(&self, about: &About, secret: SealedBody, to: &Party, readers: &[&Party]) -> Step {
        self.released_by(&self.bob, about, secret, to, readers)
    }

    pub fn released_by(
        &self,
        signer: &Party,
        about: &About,
        secret: SealedBody,
        to: &Party,
        readers: &[&Party],
    ) -> Step {
        let body = Released {
            beneficiary: to.cid(),
            secret: secret.descriptor.clone(),
            extension: extension(&[]),
            seen: vec![],
        };
        Step { secret: Some(secret), ..step(signer, about, &body, readers) }
    }

    /// A sealed secret.
    pub fn secret(&self, about: &About, placed: Cid, key: &OrderKey, to: &Party) -> SealedBody {
        let body = SecretBody {
            placed,
            commitment: key.commitment(),
            secret: Secret::from_bytes(*key.secret().expose()),
        };
        seal_body(&self.bob, about, &body, &[to])
    }

    pub fn received(&self, released: &Step, key: &OrderKey) -> Received {
        Received { proof: sign_received_proof(key, &released.cid(), &self.carol.cid()), seen: vec![] }
    }
}

pub fn wish() -> CancellationRequested {
    CancellationRequested { detail: "no longer needed".into(), seen: vec![] }
}

pub fn closed(code: ClosedCode) -> Closed {
    Closed { code, detail: String::new(), seen: vec![] }
}

pub fn disputed() -> Disputed {
    Disputed { code: DisputeCode::CannotOpen, content_key: None, seen: vec![] }
}

/// References of further orders.
pub const OTHER: &str = "0192f5a0-5b1e-7c3a-8f00-0123456789ac";
pub const THE_ORDERS: &str = REFERENCE;
