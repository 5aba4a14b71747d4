//! How an event changes an order: total, no rule, no panic. Whatever is in the log can be applied.

use dta_protocol::Cid;

use super::event::{Event, Outcome, StepAppended, StepFacts};
use super::state::{Accepted, Ended, HeldSecret, Order};
use super::table::{Stage, rule};

impl Order {
    /// The order after one more event.
    pub fn apply(mut self, event: &Event) -> Self {
        match event {
            Event::StepAppended(appended) => self.append(appended),
            Event::StepRefused { cid, code } => {
                let pending = self.pending.take_if(|pending| pending.step.cid == *cid);
                match pending {
                    // What was turned down stays to be seen: no step follows it.
                    Some(pending) if self.steps.is_empty() => {
                        self.steps.push(pending);
                        self.stage = Stage::Refused;
                        self.refused = Some(code.clone());
                    }
                    pending => self.undone.extend(pending),
                }
            }
            Event::EquivocationSeen { first, second } => {
                self.equivocations.entry(*first).or_insert(*second);
            }
            Event::RetentionEnded { .. } => {
                if let Some(secret) = self.secret.as_mut() {
                    secret.ended = true;
                }
            }
            Event::DeliveryEnded { to, step, outcome } => {
                self.deliveries.insert(*to, Ended { step: *step, outcome: outcome.clone() });
            }
            Event::DeliveriesResumed { at_ms } => {
                self.resumed_at_ms = *at_ms;
                self.deliveries.retain(|_, ended| ended.outcome == Outcome::Delivered);
            }
        }
        self
    }

    fn append(&mut self, appended: &StepAppended) {
        self.reference.clone_from(&appended.reference);
        self.hosts = appended.hosts;
        let accepted = Accepted { step: appended.step.clone(), at_ms: appended.at_ms };
        if let StepFacts::Placed { parties, terms, .. } = &accepted.step.facts {
            self.parties = Some(parties.clone());
            self.terms = terms.clone();
        }
        if appended.pending {
            self.undone.retain(|undone| undone.step.cid != accepted.step.cid);
            self.pending = Some(accepted);
            return;
        }
        self.settle(accepted.step.previous.as_ref());
        self.accept(accepted);
    }

    /// The order as a step that answers `previous` finds it: with our own step that waits, or that was turned down, if that
    /// is what it answers; without it otherwise.
    pub fn seen_from(&self, previous: Option<&Cid>) -> Self {
        let mut order = self.clone();
        order.settle(previous);
        order
    }

    fn settle(&mut self, previous: Option<&Cid>) {
        let said = self.pending.take().into_iter().chain(std::mem::take(&mut self.undone));
        if let Some(own) = said.into_iter().find(|own| previous == Some(&own.step.cid)) {
            self.accept(own);
        }
    }

    fn accept(&mut self, accepted: Accepted) {
        match &accepted.step.facts {
            StepFacts::RedemptionRequested { beneficiary } => self.name_beneficiary(*beneficiary),
            StepFacts::Released { beneficiary, secret } => {
                self.name_beneficiary(*beneficiary);
                let retention_ms = Some(self.terms.retention_ms).filter(|limit| *limit > 0);
                let until_ms = retention_ms.map(|limit| accepted.at_ms.saturating_add(limit));
                self.secret = Some(HeldSecret { cid: *secret, until_ms, ended: false });
            }
            StepFacts::CancellationRequested => self.cancellation_requested = true,
            _ => {}
        }
        if let Some(stage) = rule(accepted.step.facts.kind()).and_then(|rule| rule.to) {
            self.stage = stage;
        }
        self.steps.push(accepted);
    }

    fn name_beneficiary(&mut self, beneficiary: Cid) {
        if let Some(parties) = self.parties.as_mut() {
            parties.beneficiary = Some(beneficiary);
        }
    }
}
