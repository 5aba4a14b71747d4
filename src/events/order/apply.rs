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
                let ours = self.unsettled().any(|ours| ours.step.cid == *cid);
                if ours {
                    self.turned_down.insert(*cid, code.clone());
                    self.turn_down(cid, code);
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

    fn turn_down(&mut self, cid: &Cid, code: &str) {
        self.withdrawn = false;
        // A wish that is turned down leaves the order as it was: its `order/placed` waits again, for an answer of its own.
        if self.withdrawal.take_if(|withdrawal| withdrawal.step.cid == *cid).is_some() {
            self.stage = Stage::New;
            return;
        }
        self.withdrawal = None;
        if let Some(pending) = self.pending.take()
            && self.steps.is_empty()
        {
            // What was turned down stays to be seen: no step follows it.
            self.steps.push(pending);
            self.stage = Stage::Refused;
            self.refused = Some(code.to_owned());
        }
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
            let cancels = matches!(accepted.step.facts, StepFacts::CancellationRequested);
            if cancels && self.pending.is_some() {
                self.withdrawal = Some(accepted);
                self.stage = Stage::Withdrawn;
            } else {
                self.pending = Some(accepted);
            }
            // Of what the fiduciary had accepted after all it is asked once more, and then as of any order.
            self.withdrawn = cancels && self.withdrawal.is_some();
            return;
        }
        self.settle(accepted.step.previous.as_ref());
        self.accept(accepted);
    }

    /// The order as a step that answers `previous` finds it: with our own pending steps as far as that is what it answers,
    /// without them otherwise.
    pub fn seen_from(&self, previous: Option<&Cid>) -> Self {
        let mut order = self.clone();
        order.settle(previous);
        order
    }

    fn settle(&mut self, previous: Option<&Cid>) {
        let (pending, withdrawal) = (self.pending.take(), self.withdrawal.take());
        let ours: Vec<Accepted> = pending.into_iter().chain(withdrawal).collect();
        let answered = ours.iter().position(|ours| previous == Some(&ours.step.cid));
        for accepted in ours.into_iter().take(answered.map_or(0, |answered| answered + 1)) {
            self.accept(accepted);
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
            StepFacts::CancellationRequested => {
                self.cancellation_requested = true;
                self.withdrawn = false;
            }
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
