//! Steps as she likes them.

use std::collections::BTreeMap;

use dta_crypto::{ContentKey, OrderKey, Secret};
use dta_protocol::body::{
    BeneficiaryData, COMMITMENT_TAG, Committed, Placed, RedemptionRequested, Released, SecretBody,
    commitment_proof_message,
};
use dta_protocol::car::Block;
use dta_protocol::sealed::{self, SealRequest, SealedBody};
use dta_protocol::{Body, Cid, Envelope, Identity, Kind, Plaintext, Policy, Role, Statement};

use super::{Mallory, now_ms, random};

/// A step that the test signed.
pub struct Forged {
    pub envelope: Envelope,
    pub bodies: Vec<SealedBody>,
}

impl Forged {
    pub fn cid(&self) -> Cid {
        self.envelope.cid()
    }

    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = vec![(self.cid(), self.envelope.block().to_vec())];
        blocks.extend(self.bodies.iter().map(|body| (body.descriptor.cid, body.block.clone())));
        blocks
    }

    /// The key of its first body, under the CID of that, as redemptions disclose it.
    fn key(&self) -> (Cid, ContentKey) {
        let body = &self.bodies[0];
        (body.descriptor.cid, ContentKey::from_bytes(*body.content_key.expose()))
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
        Self { reference: reference.to_owned(), previous: None, issued_at_ms: now_ms() }
    }

    pub fn after(envelope: &Envelope) -> Self {
        let statement = envelope.statement();
        Self {
            reference: statement.subject.clone(),
            previous: Some(envelope.cid()),
            issued_at_ms: now_ms().max(statement.issued_at_ms),
        }
    }
}

/// A UUIDv7 of now.
pub fn new_reference() -> String {
    let uuid = uuid::Builder::from_unix_timestamp_millis(now_ms(), &random());
    uuid.into_uuid().hyphenated().to_string()
}

fn policy() -> Policy {
    Policy {
        not_before_ms: 0,
        expires_at_ms: 0,
        retention_ms: 600_000,
        delay_ms: 0,
        guardian: None,
        approvers: Vec::new(),
        approvals_required: 0,
    }
}

pub fn placed(reference: &str, fiduciary: &Identity, beneficiary: Option<Cid>) -> Placed {
    Placed {
        reference: reference.to_owned(),
        fiduciary: fiduciary.cid(),
        beneficiary,
        plugin: "milagro".to_owned(),
        coin: 0,
        policy: policy(),
        extension: BTreeMap::new(),
        seen: Vec::new(),
    }
}

impl Mallory {
    pub fn seal<P: Plaintext>(&self, about: &About, body: &P, to: &[&Identity]) -> SealedBody {
        self.seal_bytes(about, P::KIND, P::ROLE, body.encode().unwrap().expose(), to)
    }

    pub fn seal_bytes(
        &self,
        about: &About,
        kind: Kind,
        role: Role,
        bytes: &[u8],
        to: &[&Identity],
    ) -> SealedBody {
        let request = SealRequest {
            kind,
            role,
            signer: self.cid(),
            subject: &about.reference,
            previous: about.previous,
            issued_at_ms: about.issued_at_ms,
        };
        let to: Vec<_> = to.iter().map(|identity| (identity.cid(), identity.verifying())).collect();
        sealed::seal(&request, bytes, ContentKey::from_bytes(random()), &to).unwrap()
    }

    pub fn sign(&self, about: &About, kind: Kind, bodies: Vec<SealedBody>) -> Forged {
        let statement = Statement {
            kind,
            body: Body::Order { note: None },
            sealed: bodies.iter().map(|body| body.descriptor.clone()).collect(),
            signer: Some(self.cid()),
            subject: about.reference.clone(),
            previous: about.previous,
            issued_at_ms: about.issued_at_ms,
        };
        Forged { envelope: Envelope::sign(&statement, &self.keys).unwrap().into_inner(), bodies }
    }

    /// A step with one body.
    pub fn step<P: Plaintext>(&self, about: &About, body: &P, to: &[&Identity]) -> Forged {
        self.sign(about, P::KIND, vec![self.seal(about, body, to)])
    }

    /// The same statement once more: another envelope, since signing is randomised.
    pub fn again(&self, step: &Forged) -> Envelope {
        let again = Envelope::sign(step.envelope.statement(), &self.keys).unwrap().into_inner();
        assert_ne!(again.cid(), step.cid());
        again
    }

    /// Opens a body that was sealed to her.
    pub fn open(&self, envelope: &Envelope, blocks: &[Block]) -> (Cid, ContentKey, Vec<u8>) {
        let statement = envelope.statement();
        let descriptor = statement.sealed_for(Role::Parties).unwrap();
        let (_, block) = blocks.iter().find(|(cid, _)| *cid == descriptor.cid).unwrap();
        let request = SealRequest::of(statement, Role::Parties).unwrap();
        let opened = sealed::open(&self.keys, &self.cid(), &request, descriptor, block);
        let (key, plaintext) = opened.unwrap();
        (descriptor.cid, key, plaintext.expose().to_vec())
    }

    /// A commitment to this key; the proof is by the key of another, if that is another.
    pub fn committed(
        &self,
        placed: &Envelope,
        key: &OrderKey,
        prover: &OrderKey,
        to: &[&Identity],
    ) -> Forged {
        self.committed_for(placed, placed.cid(), key, prover, to)
    }

    /// The same with a proof for that order.
    pub fn committed_for(
        &self,
        placed: &Envelope,
        proved: Cid,
        key: &OrderKey,
        prover: &OrderKey,
        to: &[&Identity],
    ) -> Forged {
        // Over the message that names the key committed to, as a thief of a public key would make it.
        let message = commitment_proof_message(&proved, &self.cid(), &key.commitment());
        let body = Committed {
            commitment: key.commitment(),
            proof: prover.sign(COMMITMENT_TAG, &message),
            extension: BTreeMap::new(),
            seen: Vec::new(),
        };
        self.step(&About::after(placed), &body, to)
    }

    /// A redemption for this beneficiary of an order of hers; `keys` of the placed and the committed body.
    pub fn redemption(
        &self,
        about: &About,
        keys: [(Cid, ContentKey); 2],
        beneficiary: &Identity,
        to: &[&Identity],
    ) -> Forged {
        let body = RedemptionRequested {
            beneficiary: beneficiary.cid(),
            keys: keys.into(),
            extension: BTreeMap::new(),
            seen: Vec::new(),
        };
        let parties = self.seal(about, &body, to);
        let data = self.seal(about, &BeneficiaryData { extension: BTreeMap::new() }, &[beneficiary]);
        self.sign(about, Kind::RedemptionRequested, vec![parties, data])
    }

    /// A release of this secret body to this beneficiary, and the sealed secret.
    pub fn released(
        &self,
        about: &About,
        secret: SealedBody,
        beneficiary: Cid,
        to: &[&Identity],
    ) -> (Forged, Block) {
        let body = Released {
            beneficiary,
            secret: secret.descriptor.clone(),
            extension: BTreeMap::new(),
            seen: Vec::new(),
        };
        (self.step(about, &body, to), (secret.descriptor.cid, secret.block))
    }

    /// A secret sealed as it should be.
    pub fn secret(&self, about: &About, placed: Cid, key: &OrderKey, beneficiary: &Identity) -> SealedBody {
        let body = SecretBody {
            placed,
            commitment: key.commitment(),
            secret: Secret::from_bytes(*key.secret().expose()),
        };
        self.seal(about, &body, &[beneficiary])
    }
}

/// The keys of the first two steps, where the second was opened.
pub fn keys_of(placed: &Forged, committed: (Cid, ContentKey)) -> [(Cid, ContentKey); 2] {
    [placed.key(), committed]
}

pub fn new_key() -> OrderKey {
    OrderKey::from_seed(&Secret::from_bytes(random()))
}
