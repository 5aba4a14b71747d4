//! The judgement of a step that another node signed: who may say it, what it must answer, and whether its signer has said
//! something else before.

use dta_protocol::body::{verify_commitment_proof, verify_received_proof};
use dta_protocol::{Cid, Kind};

use super::command::{Facts, ReceivedStep, Work};
use super::event::{Step, StepFacts};
use super::prepare::check_placed;
use super::rejection::Rejection;
use super::state::Order;
use super::table::{Party, Stage, rule};

/// A time stamp may be this far ahead of the receiver's clock, in milliseconds.
pub const CLOCK_SKEW_MS: u64 = 300_000;

impl Order {
    /// Accepts, knows already, finds an equivocation (to be recorded the first time), or rejects.
    pub(super) fn judge(&self, received: &ReceivedStep, facts: &Facts) -> Result<Work, Rejection> {
        let step = &received.step;
        let kind = step.facts.kind();
        let rule = rule(kind).ok_or(Rejection::UnknownOrder)?;
        let signer = match &step.facts {
            StepFacts::Placed { parties, .. } => parties.principal,
            _ => self.party(rule.signer).ok_or(Rejection::UnknownOrder)?,
        };
        if step.signer != signer {
            return Err(Rejection::WrongSigner(rule.signer));
        }
        if let Some(first) = self.taken(step) {
            return if first.statement == step.statement {
                Ok(Work::Done)
            } else if self.equivocations.contains_key(&first.cid) {
                Err(Rejection::Equivocation(first.cid))
            } else {
                Ok(Work::Record)
            };
        }
        if step.issued_at_ms > facts.now_ms.saturating_add(CLOCK_SKEW_MS) {
            return Err(Rejection::IssuedInFuture);
        }
        match &step.facts {
            StepFacts::Placed { .. } => self.judge_placed(received, facts)?,
            _ => self.judge_later(received, rule.signer, kind, facts)?,
        }
        Ok(Work::Record)
    }

    /// The accepted statement in this step's slot. A second commitment to one order is in the first one's slot, whatever
    /// it answers.
    pub(super) fn taken(&self, step: &Step) -> Option<&Step> {
        let kind = step.facts.kind();
        match kind {
            Kind::Placed | Kind::Committed => {
                self.step(kind).map(|first| &first.step).filter(|first| first.signer == step.signer)
            }
            _ => self.slot(&step.signer, kind, step.previous.as_ref()),
        }
    }

    fn judge_placed(&self, received: &ReceivedStep, facts: &Facts) -> Result<(), Rejection> {
        let StepFacts::Placed { parties, plugin, coin, terms } = &received.step.facts else {
            return Err(Rejection::NotAsPrepared);
        };
        if self.parties.is_some() {
            return Err(Rejection::ReferenceTaken);
        }
        if received.step.previous.is_some() {
            return Err(Rejection::WrongPrevious);
        }
        if !facts.hosts.fiduciary && !facts.hosts.beneficiary {
            return Err(Rejection::NotHosted(Party::Fiduciary));
        }
        if !received.reserved_policy_is_empty {
            return Err(Rejection::PolicyUnsupported);
        }
        check_placed(parties, plugin, *coin, terms, facts)
    }

    fn judge_later(
        &self,
        received: &ReceivedStep,
        signed_by: Party,
        kind: Kind,
        facts: &Facts,
    ) -> Result<(), Rejection> {
        let step = &received.step;
        if received.reference != self.reference {
            return Err(Rejection::WrongReference);
        }
        // A step of the fiduciary may answer our own pending one; then it settles it, and is judged as after it.
        let pending = self.pending.as_ref().filter(|pending| Some(pending.step.cid) == step.previous);
        let (answered, stage) = match (pending, signed_by) {
            (Some(pending), Party::Fiduciary) => (
                &pending.step,
                rule(pending.step.facts.kind()).and_then(|rule| rule.to).unwrap_or(self.stage),
            ),
            _ => match self.head() {
                Some(head) if step.previous == Some(head.cid) => (head, self.stage),
                _ => return Err(self.not_next(kind)),
            },
        };
        if !rule(kind).is_some_and(|rule| rule.from.contains(&stage)) {
            self.legal(kind, kind.as_str())?;
            return Err(Rejection::OutOfState { act: kind.as_str(), stage });
        }
        if step.issued_at_ms < answered.issued_at_ms {
            return Err(Rejection::IssuedBeforePrevious);
        }
        self.judge_content(received, pending.map(|pending| &pending.step), facts)
    }

    /// What to say of a step that answers something else than the last accepted one.
    fn not_next(&self, kind: Kind) -> Rejection {
        match self.stage {
            Stage::Closed | Stage::Refused => {
                self.legal(kind, kind.as_str()).err().unwrap_or(Rejection::WrongPrevious)
            }
            _ => Rejection::WrongPrevious,
        }
    }

    fn judge_content(
        &self,
        received: &ReceivedStep,
        pending: Option<&Step>,
        facts: &Facts,
    ) -> Result<(), Rejection> {
        let holds = |good: bool| if good { Ok(()) } else { Err(Rejection::ProofInvalid) };
        let proof = received.proof.as_deref().and_then(|proof| <&[u8; 64]>::try_from(proof).ok());
        match &received.step.facts {
            StepFacts::Committed { commitment } => {
                let (placed, fiduciary) = self.order_and(Party::Fiduciary)?;
                let proof = proof.ok_or(Rejection::ProofInvalid)?;
                holds(verify_commitment_proof(&placed, &fiduciary, commitment, proof).is_ok())
            }
            StepFacts::RedemptionRequested { beneficiary } => {
                self.beneficiary_fits(beneficiary)?;
                if facts.unknown.contains(beneficiary) {
                    return Err(Rejection::UnknownIdentity { party: Party::Beneficiary, cid: *beneficiary });
                }
                if self.cancellation_requested {
                    return Err(Rejection::OutOfState { act: "redeem", stage: self.stage });
                }
                if self.hosts(Party::Fiduciary) { self.redeemable(facts) } else { Ok(()) }
            }
            StepFacts::Released { beneficiary, .. } => {
                let asked = match pending.map(|step| &step.facts) {
                    Some(StepFacts::RedemptionRequested { beneficiary }) => Some(*beneficiary),
                    _ => self.party(Party::Beneficiary),
                };
                match asked {
                    Some(asked) if asked == *beneficiary => Ok(()),
                    Some(asked) => Err(Rejection::BeneficiaryMismatch(asked)),
                    None => Err(Rejection::UnknownOrder),
                }
            }
            StepFacts::Received => {
                let released = received.step.previous.ok_or(Rejection::WrongPrevious)?;
                let (_, beneficiary) = self.order_and(Party::Beneficiary)?;
                let commitment = self.commitment().ok_or(Rejection::UnknownOrder)?;
                let proof = proof.ok_or(Rejection::ProofInvalid)?;
                holds(verify_received_proof(&released, &beneficiary, &commitment, proof).is_ok())
            }
            _ => Ok(()),
        }
    }

    fn order_and(&self, party: Party) -> Result<(Cid, Cid), Rejection> {
        self.placed().zip(self.party(party)).ok_or(Rejection::UnknownOrder)
    }
}
