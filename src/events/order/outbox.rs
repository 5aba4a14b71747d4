//! What an order has to bring to parties on other nodes, as a pure function of its state: found again after a crash, and
//! the same however often it is asked.

use dta_protocol::{Cid, Kind};

use super::command::{Facts, Work};
use super::event::{ClosedCode, Event, Hosts, Outcome, StepFacts};
use super::rejection::Rejection;
use super::state::{Accepted, Order};
use super::table::{Party, Stage, rule};

/// A step, with all that stands before it, is to be brought to a party on another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// To whom.
    pub to: Party,
    /// The newest step.
    pub step: Cid,
    /// Its kind decides the route.
    pub kind: Kind,
    /// Since when, milliseconds since 1970 UTC.
    pub since_ms: u64,
}

impl Order {
    /// The deliveries to be made now. A principal's step (with what it has not answered before) goes to the fiduciary until that answers with the next; a
    /// release goes to its beneficiary until that answers with a receipt or a dispute, which goes to the fiduciary; and
    /// what the principal did not ask for is brought to it by the fiduciary.
    pub fn outbox(&self) -> Vec<Delivery> {
        self.outstanding().filter(|delivery| self.ended(delivery).is_none()).collect()
    }

    /// The deliveries that ended without the party having the step, and how.
    pub fn stalled(&self) -> impl Iterator<Item = (Delivery, &Outcome)> {
        self.outstanding().filter_map(|delivery| {
            let outcome = self.ended(&delivery)?;
            (*outcome != Outcome::Delivered).then_some((delivery, outcome))
        })
    }

    /// Whether anything is to be delivered: at once, whatever a clock that was set back says.
    pub(super) fn outbox_due_ms(&self) -> Option<u64> {
        (!self.outbox().is_empty()).then_some(0)
    }

    /// What the parties have on the node that the last steps came from.
    pub(super) fn told(&self, told: &Hosts) -> Vec<Event> {
        let has = |party: &Party| match party {
            Party::Principal => told.principal,
            Party::Fiduciary => told.fiduciary,
            Party::Beneficiary => told.beneficiary,
        };
        // Our own pending step is settled by the fiduciary's answer alone, and a release by the beneficiary's.
        let settled_by_answer =
            |delivery: &Delivery| self.pending.is_some() || delivery.kind == Kind::Released;
        self.outbox()
            .into_iter()
            .filter(|delivery| has(&delivery.to) && !settled_by_answer(delivery))
            .map(|Delivery { to, step, .. }| Event::DeliveryEnded { to, step, outcome: Outcome::Delivered })
            .collect()
    }

    pub(super) fn prepare_end_delivery(
        &self,
        to: Party,
        step: &Cid,
        outcome: &Outcome,
        facts: &Facts,
    ) -> Result<Work, Rejection> {
        let outstanding = self.outstanding().find(|delivery| delivery.to == to && delivery.step == *step);
        let delivery = outstanding.ok_or(Rejection::NotOutstanding(to))?;
        match self.ended(&delivery) {
            Some(ended) if ended == outcome => return Ok(Work::Done),
            // What was given up may still be fetched.
            Some(Outcome::Delivered | Outcome::Refused(_)) => return Err(Rejection::NotOutstanding(to)),
            _ => {}
        }
        match outcome {
            Outcome::Refused(code) if !is_code(code) => Err(Rejection::CodeMalformed),
            Outcome::Stalled => {
                let due_at_ms = delivery.since_ms.saturating_add(facts.give_up_after_ms);
                if facts.now_ms < due_at_ms {
                    return Err(Rejection::NotDue { due_at_ms, now_ms: facts.now_ms });
                }
                Ok(Work::Record)
            }
            _ => Ok(Work::Record),
        }
    }

    fn ended(&self, delivery: &Delivery) -> Option<&Outcome> {
        let ended = self.deliveries.get(&delivery.to)?;
        (ended.step == delivery.step).then_some(&ended.outcome)
    }

    fn outstanding(&self) -> impl Iterator<Item = Delivery> {
        let elsewhere = |party| self.party(party).is_some() && !self.hosts(party);
        let mut to = Vec::new();
        if let Some(pending) = &self.pending {
            // A wish to cancel what is pending goes with it, in its place.
            to.push((Party::Fiduciary, self.withdrawal.as_ref().unwrap_or(pending)));
        } else if let Some(head) = self.steps.last() {
            let signer = rule(head.step.facts.kind()).map(|rule| rule.signer);
            let issued = signer.is_some_and(|signer| self.hosts(signer));
            match (&head.step.facts, self.stage) {
                (StepFacts::Received | StepFacts::Disputed { .. }, _) => {
                    if issued && elsewhere(Party::Fiduciary) {
                        to.push((Party::Fiduciary, head));
                    }
                    if self.hosts(Party::Fiduciary) && elsewhere(Party::Principal) {
                        to.push((Party::Principal, head));
                    }
                }
                (StepFacts::Released { .. }, Stage::Released)
                    if issued
                        && elsewhere(Party::Beneficiary)
                        && !self.custody_lost
                        && self.secret.is_some_and(|secret| !secret.ended) =>
                {
                    to.push((Party::Beneficiary, head));
                }
                (StepFacts::Closed { code: ClosedCode::Expired }, _)
                    if issued && elsewhere(Party::Principal) =>
                {
                    to.push((Party::Principal, head));
                }
                _ => {}
            }
        }
        to.into_iter().map(|(to, accepted)| self.delivery(to, accepted)).collect::<Vec<_>>().into_iter()
    }

    fn delivery(&self, to: Party, accepted: &Accepted) -> Delivery {
        Delivery {
            to,
            step: accepted.step.cid,
            kind: accepted.step.facts.kind(),
            since_ms: accepted.at_ms.max(self.resumed_at_ms),
        }
    }
}

/// Bytes of a refusal's code.
pub const MAX_CODE_BYTES: usize = 64;

/// Whether a text can be a refusal's code: 1 to 64 of `a-z`, `0-9` and `-`.
pub fn is_code(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MAX_CODE_BYTES).contains(&text.len()) && text.bytes().all(plain)
}
