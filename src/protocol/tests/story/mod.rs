//! One order told with alice (principal), bob (fiduciary) and carol (beneficiary), every kind of step in it.
//! Keys, content keys and times are fixed; only the signatures differ from run to run (ML-DSA is hedged).

#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;

use dta_crypto::{ContentKey, IdentityKeys, OrderKey, Secret, VerifyingKeys};
use dta_protocol::body::*;
use dta_protocol::sealed::{SealRequest, SealedBody, seal};
use dta_protocol::{Body, Cid, Descriptor, Envelope, Identity, Kind, Plaintext, Role, Statement, Verified};
use sha2::{Digest, Sha256};

pub const REFERENCE: &str = "0192f5a0-5b1e-7c3a-8f00-0123456789ab";
pub const START_MS: u64 = 1_790_000_000_000;

pub struct Party {
    pub name: &'static str,
    pub seed: [u8; 32],
    pub keys: IdentityKeys,
    pub identity: Identity,
}

impl Party {
    pub fn new(name: &'static str) -> Self {
        let seed: [u8; 32] = Sha256::digest(name).into();
        let keys = IdentityKeys::from_seed(&Secret::from_bytes(seed));
        let identity = Identity::create(&keys, name, None, None, START_MS).unwrap();
        Self { name, seed, keys, identity }
    }

    pub fn cid(&self) -> Cid {
        self.identity.cid()
    }

    pub fn recipient(&self) -> (Cid, &VerifyingKeys) {
        (self.cid(), self.identity.verifying())
    }
}

/// A sealed body with what it holds and to whom it is sealed.
pub struct Sealed {
    pub body: SealedBody,
    pub plaintext: Vec<u8>,
    pub recipients: Vec<&'static str>,
}

pub struct Step {
    pub envelope: Verified<Envelope>,
    pub signer: &'static str,
    pub sealed: Vec<Sealed>,
}

impl Step {
    pub fn cid(&self) -> Cid {
        self.envelope.cid()
    }

    pub fn kind(&self) -> Kind {
        self.envelope.statement().kind
    }
}

pub struct Story {
    pub alice: Party,
    pub bob: Party,
    pub carol: Party,
    pub key: OrderKey,
    /// All eight kinds: the order to its receipt, then a dispute, a cancellation and a closure as they could have been.
    pub steps: Vec<Step>,
    /// The sealed secret, which is never published.
    pub secret: Sealed,
}

/// A content key that is the same in every run. Never so outside tests.
pub fn content_key(label: &str) -> ContentKey {
    ContentKey::from_bytes(Sha256::digest(format!("content key of {label}")).into())
}

pub fn extension(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

struct Draft<'a> {
    kind: Kind,
    signer: &'a Party,
    previous: Option<Cid>,
    issued_at_ms: u64,
}

impl Draft<'_> {
    fn request(&self, role: Role) -> SealRequest<'static> {
        SealRequest {
            kind: self.kind,
            role,
            signer: self.signer.cid(),
            subject: REFERENCE,
            previous: self.previous,
            issued_at_ms: self.issued_at_ms,
        }
    }

    fn seal<P: Plaintext>(&self, plaintext: &P, to: &[&Party]) -> Sealed {
        let role = P::ROLE;
        let plaintext = plaintext.encode().unwrap().expose().to_vec();
        let recipients: Vec<_> = to.iter().map(|party| party.recipient()).collect();
        let key = content_key(&format!("{} {role}", self.kind));
        Sealed {
            body: seal(&self.request(role), &plaintext, key, &recipients).unwrap(),
            plaintext,
            recipients: to.iter().map(|party| party.name).collect(),
        }
    }

    fn sign(self, sealed: Vec<Sealed>) -> Step {
        let descriptors: Vec<Descriptor> =
            sealed.iter().map(|sealed| sealed.body.descriptor.clone()).collect();
        let statement = Statement {
            kind: self.kind,
            body: Body::Order { note: None },
            sealed: descriptors,
            signer: Some(self.signer.cid()),
            subject: REFERENCE.into(),
            previous: self.previous,
            issued_at_ms: self.issued_at_ms,
        };
        let envelope = Envelope::sign(&statement, &self.signer.keys).unwrap();
        Step { envelope, signer: self.signer.name, sealed }
    }
}

impl Story {
    pub fn tell() -> Self {
        let [alice, bob, carol] = ["alice", "bob", "carol"].map(Party::new);
        let key = OrderKey::from_seed(&Secret::from_bytes([7; 32]));
        let draft = |kind, signer, previous: Option<&Step>, minute: u64| Draft {
            kind,
            signer,
            previous: previous.map(Step::cid),
            issued_at_ms: START_MS + minute * 60_000,
        };
        let (two, all) = ([&alice, &bob], [&alice, &bob, &carol]);

        let placed = draft(Kind::Placed, &alice, None, 1);
        let body = placed.seal(&placed_body(&bob, Some(&carol)), &two);
        let placed = placed.sign(vec![body]);

        let committed = draft(Kind::Committed, &bob, Some(&placed), 2);
        let body = Committed {
            commitment: key.commitment(),
            proof: sign_commitment_proof(&key, &placed.cid(), &bob.cid()),
            extension: extension(&[]),
            seen: vec!["a note of alice's node".into()],
        };
        let body = committed.seal(&body, &two);
        let committed = committed.sign(vec![body]);

        let requested = draft(Kind::RedemptionRequested, &alice, Some(&committed), 3);
        let keys = [&placed, &committed].map(|step| {
            let body = &step.sealed[0].body;
            (body.descriptor.cid, ContentKey::from_bytes(*body.content_key.expose()))
        });
        let body = RedemptionRequested {
            beneficiary: carol.cid(),
            keys: keys.into(),
            extension: extension(&[]),
            seen: vec![],
        };
        let parties = requested.seal(&body, &all);
        let data =
            requested.seal(&BeneficiaryData { extension: extension(&[("hint", "vault 4")]) }, &[&carol]);
        let requested = requested.sign(vec![parties, data]);

        let released = draft(Kind::Released, &bob, Some(&requested), 4);
        let secret = SecretBody {
            placed: placed.cid(),
            commitment: key.commitment(),
            secret: Secret::from_bytes(*key.secret().expose()),
        };
        let secret = released.seal(&secret, &[&carol]);
        let body = Released {
            beneficiary: carol.cid(),
            secret: secret.body.descriptor.clone(),
            extension: extension(&[]),
            seen: vec![],
        };
        let body = released.seal(&body, &all);
        let released = released.sign(vec![body]);

        let received = draft(Kind::Received, &carol, Some(&released), 5);
        let proof = sign_received_proof(&key, &released.cid(), &carol.cid());
        let body = received.seal(&Received { proof, seen: vec![] }, &all);
        let received = received.sign(vec![body]);

        let disputed = draft(Kind::Disputed, &carol, Some(&released), 5);
        let body = Disputed {
            code: DisputeCode::WrongSecret,
            content_key: Some(ContentKey::from_bytes(*secret.body.content_key.expose())),
            seen: vec![],
        };
        let body = disputed.seal(&body, &all);
        let disputed = disputed.sign(vec![body]);

        let cancelling = draft(Kind::CancellationRequested, &alice, Some(&committed), 3);
        let body =
            cancelling.seal(&CancellationRequested { detail: "no longer needed".into(), seen: vec![] }, &two);
        let cancelling = cancelling.sign(vec![body]);

        let closed = draft(Kind::Closed, &bob, Some(&cancelling), 4);
        let body = Closed { code: ClosedCode::Cancelled, detail: String::new(), seen: vec![] };
        let body = closed.seal(&body, &two);
        let closed = closed.sign(vec![body]);

        let steps = vec![placed, committed, requested, released, received, disputed, cancelling, closed];
        Self { alice, bob, carol, key, steps, secret }
    }

    pub fn party(&self, name: &str) -> &Party {
        [&self.alice, &self.bob, &self.carol].into_iter().find(|party| party.name == name).unwrap()
    }

    pub fn step(&self, kind: Kind) -> &Step {
        self.steps.iter().find(|step| step.kind() == kind).unwrap()
    }

    /// The blocks that are published: identities, envelopes and their sealed bodies.
    pub fn published(&self) -> Vec<(Cid, &[u8])> {
        let identities = [&self.alice, &self.bob, &self.carol]
            .map(|party| (party.cid(), party.identity.envelope().block()));
        let mut blocks = identities.to_vec();
        for step in &self.steps {
            blocks.push((step.cid(), step.envelope.block()));
            for sealed in &step.sealed {
                blocks.push((sealed.body.descriptor.cid, &sealed.body.block));
            }
        }
        blocks
    }
}

pub fn placed_body(fiduciary: &Party, beneficiary: Option<&Party>) -> Placed {
    Placed {
        reference: REFERENCE.into(),
        fiduciary: fiduciary.cid(),
        beneficiary: beneficiary.map(Party::cid),
        plugin: "milagro".into(),
        coin: 0,
        policy: Policy {
            not_before_ms: START_MS,
            expires_at_ms: START_MS + 86_400_000,
            retention_ms: 604_800_000,
            delay_ms: 0,
            guardian: None,
            approvers: vec![],
            approvals_required: 0,
        },
        extension: extension(&[("coin", "0")]),
        seen: vec![],
    }
}
