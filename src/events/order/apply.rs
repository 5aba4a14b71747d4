//! How an event changes an order: total, no rule, no panic. Whatever is in the log can be applied.

use dta_protocol::Cid;

use super::event::{Event, Outcome, StepAppended, StepFacts};
use super::state::{Accepted, Ended, HeldSecret, Order, TurnedDown};
use super::table::{Stage, rule};

impl Order {
    /// The order after one more event.
    pub fn apply(mut self, event: &Event) -> Self {
        match event {
            Event::StepAppended(appended) => self.append(appended),
            Event::StepRefused { cid, code } => {
                let ours = self.unsettled().find(|ours| ours.step.cid == *cid).cloned();
                if let Some(step) = ours {
                    self.turned_down.insert(*cid, TurnedDown { step, code: code.clone() });
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
                self.held = false;
                self.resumed_at_ms = *at_ms;
                self.deliveries.retain(|_, ended| ended.outcome == Outcome::Delivered);
            }
            Event::CustodyLost { .. } => self.custody_lost = true,
            Event::CustodyFound { .. } => self.custody_lost = false,
            Event::Held { .. } => self.held = true,
            Event::ShredOrdered { due_ms, .. } => self.shred_due_ms = Some(*due_ms),
            Event::Shredded { .. } => self.shredded = true,
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

    /// The order as a step that answers `previous` finds it: with our own steps up to the one that it answers, if they follow
    /// the last accepted one; without them otherwise. What was turned down is among them: it has been taken after all.
    pub fn seen_from(&self, previous: Option<&Cid>) -> Self {
        let mut order = self.clone();
        order.settle(previous);
        order
    }

    fn settle(&mut self, previous: Option<&Cid>) {
        let mut answered: Vec<Accepted> = Vec::new();
        let (mut before, head) = (previous.copied(), self.head().map(|head| head.cid));
        while before != head {
            let ours = self.said().find(|ours| before == Some(ours.step.cid));
            // A chain of ours is no longer than all that we have said, whatever the log holds.
            let Some(ours) = ours.filter(|_| answered.len() < 2 + self.turned_down.len()).cloned() else {
                answered.clear();
                break;
            };
            before = ours.step.previous;
            answered.push(ours);
        }
        (self.pending, self.withdrawal) = (None, None);
        for accepted in answered.into_iter().rev() {
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
