//! Which events follow from a command and the work done for it. Everything is checked again: the same state, the same answer.

use super::command::{Command, Content, Draft, Facts, Made, ReceivedStep, Work};
use super::event::{Event, Hosts, Origin, Step, StepAppended, StepFacts};
use super::rejection::Rejection;
use super::state::Order;
use super::table::Party;

impl Order {
    /// The events of a command; `made` is what signing and sealing gave, where `prepare` asked for it. No events: it had
    /// been done before.
    pub fn decide(
        &self,
        command: &Command,
        facts: &Facts,
        made: Option<&Made>,
    ) -> Result<Vec<Event>, Rejection> {
        match self.prepare(command, facts)? {
            Work::Done => Ok(Vec::new()),
            Work::Sign(draft) => {
                let made = made.ok_or(Rejection::NotAsPrepared)?;
                let hosts = self.hosts_after(facts);
                let event = self.issued(*draft, made, facts.now_ms, hosts)?;
                Ok(vec![Event::StepAppended(event)])
            }
            Work::Record => match command {
                Command::Refuse { cid, code } => {
                    Ok(vec![Event::StepRefused { cid: *cid, code: code.clone() }])
                }
                Command::EndRetention => {
                    let secret = self.secret.map(|secret| secret.cid).ok_or(Rejection::NotAsPrepared)?;
                    Ok(vec![Event::RetentionEnded { secret, at_ms: facts.now_ms }])
                }
                Command::Accept(steps) => self.accept_all(steps, facts),
                Command::EndDelivery { to, step, outcome } => {
                    Ok(vec![Event::DeliveryEnded { to: *to, step: *step, outcome: outcome.clone() }])
                }
                Command::Resume => Ok(vec![Event::DeliveriesResumed { at_ms: facts.now_ms }]),
                Command::LoseCustody => Ok(vec![Event::CustodyLost { at_ms: facts.now_ms }]),
                Command::FindCustody => Ok(vec![Event::CustodyFound { at_ms: facts.now_ms }]),
                Command::Hold => Ok(vec![Event::Held { at_ms: facts.now_ms }]),
                Command::ShredAt { at_ms } => {
                    Ok(vec![Event::ShredOrdered { due_ms: *at_ms, at_ms: facts.now_ms }])
                }
                _ => Err(Rejection::NotAsPrepared),
            },
            Work::Shred => Ok(vec![Event::Shredded { at_ms: facts.now_ms }]),
        }
    }

    fn issued(&self, draft: Draft, made: &Made, at_ms: u64, hosts: Hosts) -> Result<StepAppended, Rejection> {
        let signed_by_principal = matches!(
            draft.content,
            Content::Placed { .. }
                | Content::RedemptionRequested { .. }
                | Content::CancellationRequested { .. }
        );
        // The fiduciary's log decides what stands; when it is here, it just did.
        let pending = signed_by_principal && !hosts.fiduciary;
        let facts = match draft.content {
            Content::Placed { parties, plugin, coin, terms } => {
                StepFacts::Placed { parties, plugin, coin, terms }
            }
            Content::Committed { .. } => {
                StepFacts::Committed { commitment: made.commitment.ok_or(Rejection::NotAsPrepared)? }
            }
            Content::RedemptionRequested { beneficiary, .. } => {
                StepFacts::RedemptionRequested { beneficiary }
            }
            Content::Released { beneficiary, .. } => {
                StepFacts::Released { beneficiary, secret: made.secret.ok_or(Rejection::NotAsPrepared)? }
            }
            Content::Received { .. } => StepFacts::Received,
            Content::Disputed { code, .. } => StepFacts::Disputed { code },
            Content::CancellationRequested { .. } => StepFacts::CancellationRequested,
            Content::Closed { code } => StepFacts::Closed { code },
        };
        let step = Step {
            cid: made.cid,
            statement: made.statement,
            signer: draft.signer,
            previous: draft.previous,
            issued_at_ms: draft.issued_at_ms,
            sealed: made.sealed.clone(),
            facts,
        };
        Ok(StepAppended { reference: draft.reference, step, origin: Origin::Issued, pending, hosts, at_ms })
    }

    pub(super) fn accepted(&self, received: &ReceivedStep, facts: &Facts) -> Event {
        if let Some(first) = self.taken(&received.step) {
            return Event::EquivocationSeen { first: first.cid, second: received.step.cid };
        }
        Event::StepAppended(StepAppended {
            reference: received.reference.clone(),
            step: received.step.clone(),
            origin: Origin::Received,
            pending: false,
            hosts: self.hosts_after(facts),
            at_ms: facts.now_ms,
        })
    }

    /// A party once hosted stays so: its keys do not leave while its orders are open.
    fn hosts_after(&self, facts: &Facts) -> Hosts {
        Hosts {
            principal: self.hosts(Party::Principal) || facts.hosts.principal,
            fiduciary: self.hosts(Party::Fiduciary) || facts.hosts.fiduciary,
            // The beneficiary may be named anew by a redemption.
            beneficiary: facts.hosts.beneficiary,
        }
    }
}
