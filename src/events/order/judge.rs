//! The judgement of a step that another node signed: who may say it, what it must answer, and whether its signer has said
//! something else before.

use dta_protocol::body::{verify_commitment_proof, verify_received_proof};
use dta_protocol::{Cid, Kind};

use super::command::{Facts, ReceivedStep, Work};
use super::event::{Event, Step, StepFacts};
use super::prepare::{check_not_past, check_placed};
use super::rejection::Rejection;
use super::state::Order;
use super::table::{Party, Rule, Stage, rule};

/// A time stamp may be this far ahead of the receiver's clock, in milliseconds.
pub const CLOCK_SKEW_MS: u64 = 300_000;

impl Order {
    /// What steps signed elsewhere lead to, each judged by the order that those before it leave; no events if all of them
    /// are known. What follows another statement for a taken slot is not looked at.
    pub(super) fn accept_all(&self, steps: &[ReceivedStep], facts: &Facts) -> Result<Vec<Event>, Rejection> {
        let (mut order, mut events) = (self.clone(), Vec::new());
        for received in steps {
            if order.judge(received, facts)? == Work::Done {
                continue;
            }
            let event = order.accepted(received, facts);
            order = order.apply(&event);
            let equivocation = matches!(event, Event::EquivocationSeen { .. });
            events.push(event);
            if equivocation {
                return Ok(events);
            }
        }
        if !events.is_empty() {
            events.extend(order.told(&facts.told));
        }
        Ok(events)
    }

    /// Accepts, knows already, finds an equivocation (to be recorded the first time), or rejects.
    pub(super) fn judge(&self, received: &ReceivedStep, facts: &Facts) -> Result<Work, Rejection> {
        let step = &received.step;
        let kind = step.facts.kind();
        let rule = rule(kind).ok_or(Rejection::UnknownOrder)?;
        let signer = match &step.facts {
            StepFacts::Placed { parties, .. } => Some(parties.principal),
            _ if self.parties.is_none() => return Err(Rejection::UnknownOrder),
            _ => self.party(rule.signer),
        };
        if Some(step.signer) != signer {
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
        // Our own log says what the parties hosted here have said: what it does not know, nobody here signed.
        if self.said().any(|ours| ours.step.statement == step.statement) {
            return Ok(Work::Done);
        }
        let hosts = if kind == Kind::Placed { facts.hosts.principal } else { self.hosts(rule.signer) };
        if hosts {
            return Err(Rejection::NotMadeHere(rule.signer));
        }
        if step.issued_at_ms > facts.now_ms.saturating_add(CLOCK_SKEW_MS) {
            return Err(Rejection::IssuedInFuture);
        }
        match &step.facts {
            StepFacts::Placed { .. } => self.judge_placed(received, facts)?,
            _ => self.judge_later(received, rule, facts)?,
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
        check_placed(parties, plugin, *coin, terms, facts)?;
        if facts.hosts.fiduciary { check_not_past(terms, facts) } else { Ok(()) }
    }

    fn judge_later(&self, received: &ReceivedStep, rule: &Rule, facts: &Facts) -> Result<(), Rejection> {
        let kind = rule.kind;
        let step = &received.step;
        if received.reference != self.reference {
            return Err(Rejection::WrongReference);
        }
        // The fiduciary may answer our own pending step: that settles it, and the answer is judged as after it.
        let order = self.seen_from(step.previous.as_ref());
        let head = match order.head() {
            Some(head) if step.previous == Some(head.cid) => head,
            _ if matches!(order.stage, Stage::Closed | Stage::Refused) => {
                return Err(order.barred(kind.as_str()));
            }
            _ => return Err(Rejection::WrongPrevious),
        };
        if !rule.from.contains(&order.stage) {
            return Err(order.barred(kind.as_str()));
        }
        if step.issued_at_ms < head.issued_at_ms {
            return Err(Rejection::IssuedBeforePrevious);
        }
        order.judge_content(received, facts)
    }

    /// What a step says, judged by the order that it finds.
    fn judge_content(&self, received: &ReceivedStep, facts: &Facts) -> Result<(), Rejection> {
        let holds = |good: bool| if good { Ok(()) } else { Err(Rejection::ProofInvalid) };
        let proof = received.proof.as_deref().and_then(|proof| <&[u8; 64]>::try_from(proof).ok());
        match &received.step.facts {
            StepFacts::Committed { commitment } => {
                let (placed, fiduciary) = self.order_and(Party::Fiduciary)?;
                let proof = proof.ok_or(Rejection::ProofInvalid)?;
                holds(verify_commitment_proof(&placed, &fiduciary, commitment, proof).is_ok())
            }
            StepFacts::RedemptionRequested { beneficiary } => {
                self.not_cancelled()?;
                self.beneficiary_fits(beneficiary)?;
                if facts.unknown.contains(beneficiary) {
                    return Err(Rejection::UnknownIdentity { party: Party::Beneficiary, cid: *beneficiary });
                }
                if self.hosts(Party::Fiduciary) { self.redeemable(facts) } else { Ok(()) }
            }
            StepFacts::Released { beneficiary, .. } => self.beneficiary_fits(beneficiary),
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
