//! What each step says, in its facts and in its sealed bodies.

use dta_crypto::{ContentKey, OrderKey, Secret, SecretBytes};
use dta_events::order::{ClosedCode, Parties, StepFacts, Terms};
use dta_protocol::body::{self, Extension, Plaintext};
use dta_protocol::{Kind, Role, Statement};
use milagro_dta::actors::log::{Block, BlockClass};

use super::{REFERENCE, START_MS, Tale, Twist, sealed};

/// Facts, proof, plaintexts, and the held secret of a release.
type Content = (StepFacts, Option<Vec<u8>>, Vec<(Role, SecretBytes)>, Option<Block>);

impl Tale<'_> {
    pub(super) fn content(&mut self, kind: Kind, statement: &Statement) -> Content {
        let [principal, fiduciary, beneficiary] = self.parties.map(|who| who.cid);
        let other = self.is(kind, Twist::Plaintext);
        let placed = self.order.placed();
        let spoiled = |mut proof: [u8; 64], spoil: bool| {
            proof[40] ^= u8::from(spoil);
            proof
        };
        let none = Extension::new;
        let one = |plaintext: SecretBytes| vec![(Role::Parties, plaintext)];
        match kind {
            Kind::Placed => {
                let parties = Parties { principal, fiduciary, beneficiary: Some(beneficiary) };
                let terms = Terms { not_before_ms: START_MS, expires_at_ms: 0, retention_ms: 86_400_000 };
                let body = body::Placed {
                    reference: REFERENCE.into(),
                    fiduciary,
                    beneficiary: Some(beneficiary),
                    plugin: "milagro".into(),
                    coin: u8::from(other),
                    policy: body::Policy {
                        not_before_ms: terms.not_before_ms,
                        expires_at_ms: 0,
                        retention_ms: terms.retention_ms,
                        delay_ms: 0,
                        guardian: None,
                        approvers: vec![],
                        approvals_required: 0,
                    },
                    extension: none(),
                    seen: vec![],
                };
                let facts = StepFacts::Placed { parties, plugin: "milagro".into(), coin: 0, terms };
                (facts, None, one(body.encode().unwrap()), None)
            }
            Kind::Committed => {
                let stranger = OrderKey::from_seed(&Secret::from_bytes([8; 32]));
                let key = if other { &stranger } else { &self.key };
                let proof = body::sign_commitment_proof(key, &placed.unwrap(), &fiduciary);
                let proof = spoiled(proof, self.is(kind, Twist::Proof));
                let body =
                    body::Committed { commitment: key.commitment(), proof, extension: none(), seen: vec![] };
                let facts = StepFacts::Committed { commitment: self.key.commitment() };
                (facts, Some(proof.to_vec()), one(body.encode().unwrap()), None)
            }
            Kind::RedemptionRequested => {
                let steps = self.order.steps.iter().map(|accepted| accepted.step.sealed[0]);
                let false_keys = self.is(kind, Twist::Keys);
                let keys = steps.map(|cid| {
                    let key = *self.keys[&cid].expose();
                    (cid, ContentKey::from_bytes(if false_keys { [5; 32] } else { key }))
                });
                let body = body::RedemptionRequested {
                    beneficiary: if other { principal } else { beneficiary },
                    keys: keys.collect(),
                    extension: none(),
                    seen: vec![],
                };
                let data = body::BeneficiaryData { extension: none() };
                let bodies = vec![
                    (Role::Parties, body.encode().unwrap()),
                    (Role::Beneficiary, data.encode().unwrap()),
                ];
                (StepFacts::RedemptionRequested { beneficiary }, None, bodies, None)
            }
            Kind::Released => {
                let stranger = OrderKey::from_seed(&Secret::from_bytes([8; 32]));
                let key = if self.is(kind, Twist::OtherSecret) { &stranger } else { &self.key };
                let secret = body::SecretBody {
                    placed: placed.unwrap(),
                    commitment: self.key.commitment(),
                    secret: Secret::from_bytes(*key.secret().expose()),
                };
                let secret = sealed(statement, Role::Secret, &secret.encode().unwrap(), &[self.parties[2]]);
                let body = body::Released {
                    beneficiary: if other { principal } else { beneficiary },
                    secret: secret.descriptor.clone(),
                    extension: none(),
                    seen: vec![],
                };
                let cid = secret.descriptor.cid;
                let class = match self.is(kind, Twist::PublishedSecret) {
                    true => BlockClass::Published,
                    false => BlockClass::Held,
                };
                let held = Block { cid: cid.to_bytes(), class, bytes: secret.block.clone() };
                let held = (!self.is(kind, Twist::NoSecret)).then_some(held);
                self.secret = Some(secret);
                (StepFacts::Released { beneficiary, secret: cid }, None, one(body.encode().unwrap()), held)
            }
            Kind::Received => {
                let proof = body::sign_received_proof(&self.key, &statement.previous.unwrap(), &beneficiary);
                let proof = spoiled(proof, self.is(kind, Twist::Proof));
                let body = body::Received { proof, seen: vec![] };
                (StepFacts::Received, Some(proof.to_vec()), one(body.encode().unwrap()), None)
            }
            Kind::Disputed => {
                let (code, disclosed) = self.dispute;
                let key = disclosed
                    .then(|| ContentKey::from_bytes(*self.secret.as_ref().unwrap().content_key.expose()));
                let body = body::Disputed { code, content_key: key, seen: vec![] };
                (StepFacts::Disputed { code }, None, one(body.encode().unwrap()), None)
            }
            Kind::CancellationRequested => {
                let body = body::CancellationRequested { detail: String::new(), seen: vec![] };
                (StepFacts::CancellationRequested, None, one(body.encode().unwrap()), None)
            }
            Kind::Closed => {
                let code = if other { ClosedCode::Expired } else { ClosedCode::Cancelled };
                let body = body::Closed { code, detail: String::new(), seen: vec![] };
                let facts = StepFacts::Closed { code: ClosedCode::Cancelled };
                (facts, None, one(body.encode().unwrap()), None)
            }
            other => panic!("{other} is no step"),
        }
    }
}
