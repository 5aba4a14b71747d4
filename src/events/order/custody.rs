//! What a node keeps for an order outside its log, and what becomes of the order when a recovery does not find it, or cannot tell
//! what the log's lost end had said; and when the seed may be destroyed on purpose.

use dta_protocol::Cid;

use super::command::{Command, Facts, Work};
use super::rejection::Rejection;
use super::state::Order;
use super::table::{Party, Stage};

/// What a node keeps for an order outside its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Custody {
    /// The seed, in custody.
    Seed,
    /// The sealed secret, in this held block.
    Secret(Cid),
}

impl Order {
    pub(super) fn prepare_custody(&self, command: &Command) -> Result<Work, Rejection> {
        self.placed().ok_or(Rejection::UnknownOrder)?;
        let record = |news: bool| if news { Work::Record } else { Work::Done };
        match command {
            Command::LoseCustody if self.custody().is_none() && !self.custody_lost => {
                Err(Rejection::OutOfState { act: "lose custody", stage: self.stage })
            }
            Command::LoseCustody => Ok(record(!self.custody_lost)),
            Command::FindCustody => Ok(record(self.custody_lost)),
            Command::Hold => Ok(record(!self.held)),
            _ => Err(Rejection::NotAsPrepared),
        }
    }

    /// The seed of an order that has ended well or was closed before release makes nothing any more; of one in dispute it is
    /// evidence. That it is to go is recorded first, so that a crash leaves it due.
    pub(super) fn prepare_shred(&self, command: &Command, facts: &Facts) -> Result<Work, Rejection> {
        self.own(Party::Fiduciary)?;
        if !self.is_done_with_seed() {
            return Err(Rejection::OutOfState { act: "shred", stage: self.stage });
        }
        match (command, self.shred_due_ms) {
            _ if self.shredded => Ok(Work::Done),
            // It may come earlier, never later.
            (Command::ShredAt { at_ms }, Some(due_ms)) if due_ms <= *at_ms => Ok(Work::Done),
            (Command::ShredAt { .. }, _) => Ok(Work::Record),
            (Command::Shred, Some(due_ms)) if due_ms <= facts.now_ms => Ok(Work::Shred),
            (Command::Shred, due_ms) => {
                Err(Rejection::NotDue { due_at_ms: due_ms.unwrap_or(u64::MAX), now_ms: facts.now_ms })
            }
            _ => Err(Rejection::NotAsPrepared),
        }
    }

    /// What a policy asks of the order that destroys seeds this long after the end, unless that was ordered already.
    pub fn shred_by_policy(&self, after_ms: u64) -> Option<Command> {
        let ordered = self.shredded || self.shred_due_ms.is_some();
        let wanted = self.hosts(Party::Fiduciary) && self.is_done_with_seed() && !ordered;
        let end = self.steps.last().filter(|_| wanted)?;
        Some(Command::ShredAt { at_ms: end.at_ms.saturating_add(after_ms) })
    }

    fn is_done_with_seed(&self) -> bool {
        matches!(self.stage, Stage::Received | Stage::Closed)
    }

    /// What a recovery tells the order, that has looked for what this node must have.
    pub fn recovered(&self, is_here: bool) -> Vec<Command> {
        match (self.custody(), is_here) {
            (None, _) => Vec::new(),
            (Some(_), false) => vec![Command::LoseCustody],
            (Some(_), true) => {
                let found = self.custody_lost.then_some(Command::FindCustody);
                found.into_iter().chain(self.may_be_said().then_some(Command::Hold)).collect()
            }
        }
    }

    /// Whether the fiduciary hosted here may have made the step that is due now, as far as a log that lost its end can tell:
    /// somebody elsewhere may have it. Two of them would be an equivocation.
    pub(super) fn may_be_said(&self) -> bool {
        let elsewhere = |party| !self.hosts(party);
        self.hosts(Party::Fiduciary)
            && match self.stage {
                Stage::Placed => elsewhere(Party::Principal),
                Stage::RedemptionRequested => elsewhere(Party::Principal) || elsewhere(Party::Beneficiary),
                _ => false,
            }
    }

    /// What this node must have for the order to go on, if anything.
    pub fn custody(&self) -> Option<Custody> {
        let open = matches!(self.stage, Stage::Placed | Stage::Committed | Stage::RedemptionRequested);
        if self.hosts(Party::Fiduciary) && open {
            return Some(Custody::Seed);
        }
        let here = self.hosts(Party::Fiduciary) || self.hosts(Party::Beneficiary);
        self.secret.filter(|secret| here && !secret.ended).map(|secret| Custody::Secret(secret.cid))
    }

    pub(super) fn in_custody(&self) -> Result<(), Rejection> {
        if self.custody_lost { Err(Rejection::CustodyLost) } else { Ok(()) }
    }
}
