//! From the plaintext of a step to what the rules judge.

use dta_protocol::body::{self, Plaintext};
use dta_protocol::{Kind, Statement};

use super::event::{Parties, StepFacts, Terms};

/// What a plaintext says, as far as the rules need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The facts of its kind.
    pub facts: StepFacts,
    /// The proof in it: by the commitment key (committed) or by the secret (received).
    pub proof: Option<Vec<u8>>,
    /// Policy keys of a placed order that this version does not know how to keep are zero or empty.
    pub reserved_policy_is_empty: bool,
}

/// What the plaintext of a `parties` body says; none if it is not its kind's.
pub fn said(statement: &Statement, plaintext: &[u8]) -> Option<Said> {
    let plain = |facts| Some(Said { facts, proof: None, reserved_policy_is_empty: true });
    match statement.kind {
        Kind::Placed => {
            let placed = body::Placed::decode(plaintext).ok()?;
            if placed.reference != statement.subject {
                return None;
            }
            let reserved_policy_is_empty = !placed.policy.uses_reserved();
            let facts = StepFacts::Placed {
                parties: Parties {
                    principal: statement.signer?,
                    fiduciary: placed.fiduciary,
                    beneficiary: placed.beneficiary,
                },
                plugin: placed.plugin,
                coin: placed.coin,
                terms: Terms {
                    not_before_ms: placed.policy.not_before_ms,
                    expires_at_ms: placed.policy.expires_at_ms,
                    retention_ms: placed.policy.retention_ms,
                },
            };
            Some(Said { facts, proof: None, reserved_policy_is_empty })
        }
        Kind::Committed => {
            let committed = body::Committed::decode(plaintext).ok()?;
            let facts = StepFacts::Committed { commitment: committed.commitment };
            Some(Said { facts, proof: Some(committed.proof.to_vec()), reserved_policy_is_empty: true })
        }
        Kind::RedemptionRequested => {
            let requested = body::RedemptionRequested::decode(plaintext).ok()?;
            plain(StepFacts::RedemptionRequested { beneficiary: requested.beneficiary })
        }
        Kind::Released => {
            let released = body::Released::decode(plaintext).ok()?;
            plain(StepFacts::Released { beneficiary: released.beneficiary, secret: released.secret.cid })
        }
        Kind::Received => {
            let received = body::Received::decode(plaintext).ok()?;
            let proof = Some(received.proof.to_vec());
            Some(Said { facts: StepFacts::Received, proof, reserved_policy_is_empty: true })
        }
        Kind::Disputed => {
            let disputed = body::Disputed::decode(plaintext).ok()?;
            plain(StepFacts::Disputed { code: disputed.code })
        }
        Kind::CancellationRequested => {
            body::CancellationRequested::decode(plaintext).ok()?;
            plain(StepFacts::CancellationRequested)
        }
        Kind::Closed => {
            let closed = body::Closed::decode(plaintext).ok()?;
            plain(StepFacts::Closed { code: closed.code })
        }
        _ => None,
    }
}
