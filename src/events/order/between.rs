//! What nodes say to each other about an order: who is heard, what a delivery carries, what a step is answered, and what an
//! answer ends. Pure, as all rules: the actors call, read and seal by it, and so do the simulation and the model.

use dta_protocol::{Cid, Kind};

use super::command::Command;
use super::event::{Outcome, Parties, Step, StepFacts};
use super::outbox::Delivery;
use super::rejection::Rejection;
use super::state::{Accepted, Order};
use super::table::Party;

/// The newest of the steps that a call brings, before anything of it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// Its envelope.
    pub cid: Cid,
    /// SHA-256 of its statement bytes.
    pub statement: [u8; 32],
    /// What it claims to be.
    pub kind: Kind,
    /// Who it claims to be signed by.
    pub signer: Option<Cid>,
    /// What it claims to answer.
    pub previous: Option<Cid>,
}

/// What the answer to a delivery has come to, once the steps in it are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It is over: there may be another.
    Over,
    /// The party has it, and nothing answers such a step: that is to be recorded.
    Delivered,
    /// The party has not finished: it is to be asked again.
    NotYet,
}

const PARTIES: [Party; 3] = [Party::Principal, Party::Fiduciary, Party::Beneficiary];

impl Order {
    /// Whom one must answer for to be heard with steps: by the fiduciary each about its own new steps, so that nobody brings
    /// another's again; by the others the fiduciary. Of a new order, its principal by the fiduciary and its fiduciary, with
    /// the release, by the beneficiary, if the operator trusts the caller.
    pub fn speakers(&self, first: Kind, root: &Root, trusted: bool) -> Vec<Cid> {
        let all = PARTIES.map(|party| self.party(party));
        if self.placed().is_none() {
            // A principal may take an order back before its fiduciary has heard of it.
            let newest = matches!(root.kind, Kind::Placed | Kind::Released | Kind::CancellationRequested);
            let legal = trusted && first == Kind::Placed && newest;
            return root.signer.filter(|_| legal).into_iter().collect();
        }
        if self.has(&root.cid) {
            return all.into_iter().flatten().collect();
        }
        if self.hosts(Party::Fiduciary) {
            return match root.signer.filter(|signer| all.contains(&Some(*signer))) {
                Some(signer) => vec![signer],
                // Nobody's step: refused by the rules, and so recorded.
                None => all.into_iter().flatten().collect(),
            };
        }
        self.party(Party::Fiduciary).into_iter().collect()
    }

    /// Whether an envelope is one of the order's steps, accepted or pending.
    pub fn has(&self, cid: &Cid) -> bool {
        self.steps.iter().chain(self.unsettled()).any(|accepted| accepted.step.cid == *cid)
    }

    /// Whether the order has moved on since the step that a refused one answers: then its sender is told what stands.
    pub fn overtook(&self, previous: Option<&Cid>, rejection: &Rejection) -> bool {
        let late = matches!(
            rejection,
            Rejection::WrongPrevious
                | Rejection::Closed(_)
                | Rejection::OutOfState { .. }
                | Rejection::Expired { .. }
        );
        let known = previous.and_then(|cid| self.steps.iter().position(|accepted| accepted.step.cid == *cid));
        late && known.is_some_and(|at| at + 1 < self.steps.len())
    }

    /// The steps that answer one: those after it, or after the one it answers; the newest, if none is.
    pub fn answer_to(&self, root: &Root) -> &[Accepted] {
        let at = |cid: Cid| self.steps.iter().position(|accepted| accepted.step.cid == cid);
        // Of a statement that came in two envelopes the first stands.
        let same = || self.steps.iter().position(|accepted| accepted.step.statement == root.statement);
        let after = at(root.cid).or_else(same).or_else(|| root.previous.and_then(at));
        let from = after.map_or(0, |after| (after + 1).min(self.steps.len().saturating_sub(1)));
        self.steps.get(from..).unwrap_or_default()
    }

    /// The first delivery to be made now, or the one to this party whether it was given up or not.
    pub fn next_delivery(&self, wanted: Option<Party>) -> Option<Delivery> {
        match wanted {
            None => self.outbox().into_iter().next(),
            Some(party) => {
                let given_up = self.stalled().map(|(delivery, _)| delivery);
                self.outbox().into_iter().chain(given_up).find(|delivery| delivery.to == party)
            }
        }
    }

    /// The steps that a delivery carries, oldest first.
    pub fn carried(&self, to: Party) -> Vec<Accepted> {
        match to {
            // It has all that its own log accepted.
            Party::Fiduciary => match &self.pending {
                Some(_) => self.unsettled().cloned().collect(),
                None => self.steps.last().cloned().into_iter().collect(),
            },
            // It knows nothing of the order.
            Party::Beneficiary => self.steps.clone(),
            // It may have missed an answer: everything after the last step of its own.
            Party::Principal => {
                let principal = self.party(Party::Principal);
                let own = self.steps.iter().rposition(|accepted| Some(accepted.step.signer) == principal);
                self.steps.get(own.map_or(0, |own| own + 1)..).unwrap_or_default().to_vec()
            }
        }
    }

    /// Whose documents go with a delivery, since whoever gets it may not know them.
    pub fn introduced(&self, to: Party) -> Vec<Cid> {
        if to == Party::Principal {
            return Vec::new();
        }
        // With whom a pending redemption names.
        let seen = self.seen_from(self.pending.as_ref().map(|pending| &pending.step.cid));
        let addressee = self.party(to);
        PARTIES
            .into_iter()
            .filter_map(|party| seen.party(party))
            .filter(|cid| Some(*cid) != addressee)
            .collect()
    }

    /// The sealed secret that goes with a step, and to whom it may go: the fiduciary's node alone brings it, while it is kept.
    pub fn sealed_with(&self, step: &Step) -> Option<(Cid, Cid)> {
        let kept =
            self.hosts(Party::Fiduciary) && !self.custody_lost && self.secret.is_some_and(|held| !held.ended);
        match step.facts {
            StepFacts::Released { beneficiary, secret } if kept => Some((beneficiary, secret)),
            _ => None,
        }
    }

    /// Why the node of a release's beneficiary gets no answer with it any more, and who that is: the secret that belongs to it
    /// is gone for good, so that whoever asked stops asking.
    pub fn gone_with(&self, step: &Step) -> Option<(Cid, Rejection)> {
        let held = self.secret.filter(|_| self.hosts(Party::Fiduciary))?;
        let why = match held.ended {
            true => Rejection::RetentionEnded { until_ms: held.until_ms.unwrap_or_default() },
            false if self.custody_lost => Rejection::CustodyLost,
            false => return None,
        };
        match step.facts {
            StepFacts::Released { beneficiary, .. } => Some((beneficiary, why)),
            _ => None,
        }
    }

    /// The party hosted here that reads what answers a delivery.
    pub fn reader(&self) -> Option<Cid> {
        let own = [Party::Fiduciary, Party::Principal, Party::Beneficiary];
        own.into_iter().find(|party| self.hosts(*party)).and_then(|party| self.party(party))
    }

    /// What an answer that was taken has come to. If the order still has the same to bring, it depends on what that is
    /// whether the answer was an end.
    pub fn answered(&self, delivery: &Delivery) -> Answered {
        if !self.outbox().contains(delivery) {
            Answered::Over
        } else if self.pending.is_some() || delivery.kind == Kind::Released {
            // Answered by a step alone.
            Answered::NotYet
        } else {
            Answered::Delivered
        }
    }

    /// The parties that a command is about, whose whereabouts are among its facts. `named`: whom a redemption that comes
    /// with the steps names.
    pub fn concerned(&self, command: &Command, named: Option<Cid>) -> Option<Parties> {
        let mut parties = self.parties.clone();
        match command {
            Command::Place { parties: placed, .. } => parties = Some(placed.clone()),
            Command::Accept(steps) => {
                if let Some(StepFacts::Placed { parties: placed, .. }) =
                    steps.first().map(|received| &received.step.facts)
                {
                    parties = Some(placed.clone());
                }
            }
            _ => {}
        }
        let mut parties = parties?;
        let in_command = match command {
            Command::RequestRedemption { beneficiary } => Some(*beneficiary),
            // A release answers a redemption that may be our own pending one, which has named nobody yet.
            Command::Accept(steps) => steps.iter().find_map(|received| match &received.step.facts {
                StepFacts::RedemptionRequested { beneficiary } | StepFacts::Released { beneficiary, .. } => {
                    Some(*beneficiary)
                }
                _ => None,
            }),
            _ => None,
        };
        parties.beneficiary = in_command.or(parties.beneficiary).or(named);
        Some(parties)
    }

    /// Whether a refusal of what somebody asked for belongs into the order's history.
    pub fn keeps_refusal(&self, command: &Command, rejection: &Rejection) -> bool {
        // Nobody's order has no history to stand in, but for the one that was to be placed.
        let known = self.placed().is_some() || matches!(command, Command::Place { .. } | Command::Accept(_));
        // Time alone cures a stamp of the future: it comes again.
        known && *rejection != Rejection::IssuedInFuture
    }
}

impl Delivery {
    /// How long it has been due; for ever, if the clock was set back since.
    pub fn age_ms(&self, now_ms: u64) -> u64 {
        now_ms.checked_sub(self.since_ms).unwrap_or(u64::MAX)
    }

    /// Whether it has been tried for so long that it is given up.
    pub fn is_given_up(&self, now_ms: u64, give_up_after_ms: u64) -> bool {
        now_ms.saturating_sub(self.since_ms) >= give_up_after_ms
    }

    /// Whether it is a step of the principal's, which stands only once the fiduciary has accepted it.
    pub fn is_principals(&self) -> bool {
        matches!(self.kind, Kind::Placed | Kind::RedemptionRequested | Kind::CancellationRequested)
    }

    /// That it ended.
    pub fn ended(&self, outcome: Outcome) -> Command {
        Command::EndDelivery { to: self.to, step: self.step, outcome }
    }

    /// That the party's node turned it down for good: a step of the principal's is undone by that, any other stands.
    pub fn refused(&self, code: String) -> Command {
        if self.is_principals() {
            Command::Refuse { cid: self.step, code }
        } else {
            self.ended(Outcome::Refused(code))
        }
    }
}
