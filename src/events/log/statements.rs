//! Whether the statements of others that this node accepted stand in the logs of those who signed them: what an owner's answer
//! settles, and when a statement that it does not prove is missing.

use dta_protocol::Cid;
use serde::{Deserialize, Serialize};

use super::watch::{Change, Standing, Tip, Watched};
use crate::order::{Event, Origin};
use crate::record::{AggregateKind, Effect, Record};

/// The name of the alarm.
pub const MISSING_STATEMENT: &str = "missing-statement";
/// Missing statements that are kept in the state, at most: the first ones. The records have them all.
pub const MISSING_MAX: usize = 16;
/// A statement is asked for once it is as old as this part of the limit: its signer's node commits to it meanwhile.
const ASKED_AFTER: u64 = 10;

/// A statement of another's that this node accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The record of this node's log that brought it.
    pub sequence: u64,
    /// Its envelope.
    pub cid: Cid,
    /// When it was accepted, milliseconds since 1970, UTC.
    pub at_ms: u64,
}

/// What an owner answered of the statements that its log is to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The newest note of its log, which it was asked about.
    pub under: Tip,
    /// Each in the order of its sequence, and whether a proof holds that it stands there.
    pub answers: Vec<(Taken, bool)>,
}

/// How long a statement may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Now, milliseconds since 1970, UTC.
    pub now_ms: u64,
    /// Since it was accepted, in milliseconds.
    pub missing_after_ms: u64,
    /// Whether the clock may decide something final.
    pub is_clock_trusted: bool,
}

/// What is known of the statements that one log is to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statements {
    /// Those that records of this node's log before this sequence brought are proved, or missing.
    pub settled: u64,
    /// Those of everybody's that records before this one brought were so, when this was recorded.
    pub all_settled: u64,
    /// How many are missing.
    pub missed: u64,
    /// The first of them, oldest first.
    pub missing: Vec<Missing>,
}

/// A statement that was not in its signer's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Its envelope.
    pub statement: Cid,
    /// The record of this node's log that brought it.
    pub sequence: u64,
    /// When it was accepted, milliseconds since 1970, UTC.
    pub accepted_ms: u64,
    /// When it was found missing, milliseconds since 1970, UTC.
    pub at_ms: u64,
    /// The note of its signer's log, under which there is no proof of it.
    pub under: Tip,
}

impl Taken {
    /// What a record brought of others, in its order: each with its signer, whose node's log is to hold it.
    pub fn of(record: &Record) -> Vec<(Cid, Self)> {
        let Effect::Events(events) = &record.effect else { return Vec::new() };
        if record.aggregate.kind != AggregateKind::Order {
            return Vec::new();
        }
        let steps = events.iter().filter_map(|stored| match Event::from_stored(stored) {
            Ok(Event::StepAppended(appended)) if appended.origin == Origin::Received => Some(appended),
            _ => None,
        });
        steps
            .map(|appended| {
                let (cid, at_ms) = (appended.step.cid, appended.at_ms);
                (appended.step.signer, Self { sequence: record.sequence, cid, at_ms })
            })
            .collect()
    }
}

impl Heard {
    /// What was said of these, in their order, until the owner said no more. Of a record of which it did not say all it said nothing.
    pub fn of(under: Tip, asked: &[Taken], said: &[bool]) -> Self {
        let unsaid = asked.get(said.len()).map(|taken| taken.sequence);
        let answers = asked.iter().copied().zip(said.iter().copied());
        let answers = answers.take_while(|(taken, _)| Some(taken.sequence) != unsaid).collect();
        Self { under, answers }
    }
}

impl Patience {
    /// Whether its signer's log is to have it by now. One that was accepted after now, by a clock that went back, is asked for.
    pub fn is_due(&self, taken: &Taken) -> bool {
        let age_ms = self.now_ms.checked_sub(taken.at_ms);
        age_ms.is_none_or(|age_ms| age_ms >= self.missing_after_ms / ASKED_AFTER)
    }

    /// Whether one that is not proved is missing.
    fn is_over(&self, taken: &Taken) -> bool {
        self.is_clock_trusted && self.now_ms.saturating_sub(taken.at_ms) >= self.missing_after_ms
    }
}

impl Watched {
    /// Takes what an owner answered; none if it settles nothing now. `all_settled` says, of how far this log is settled
    /// itself, how far everybody's then are.
    ///
    /// A proof counts once its note goes with all that was proved of the log; under a note that does not, nothing does. A record's
    /// statements are settled together, and one after the other, so that each that is missing is found once.
    pub fn settle(
        &self,
        heard: &Heard,
        patience: &Patience,
        all_settled: impl FnOnce(u64) -> u64,
    ) -> Option<Change> {
        let standing = self.standing(&heard.under);
        if standing == Standing::Void {
            return None;
        }
        let is_proved = |proved: bool| proved && standing == Standing::Holds;
        let is_settled =
            |(taken, proved): &(Taken, bool)| is_proved(*proved) || (!proved && patience.is_over(taken));
        let mut after = self.clone();
        let mut missing = Vec::new();
        let settled = heard
            .answers
            .chunk_by(|(one, _), (next, _)| one.sequence == next.sequence)
            .take_while(|record| record.iter().all(is_settled));
        for (taken, proved) in
            settled.flatten().filter(|(taken, _)| taken.sequence >= self.statements.settled)
        {
            after.statements.settled = taken.sequence.saturating_add(1);
            if !proved {
                missing.push(taken.cid);
                after.statements.miss(taken, &heard.under, patience.now_ms);
            }
        }
        if after.statements.settled == self.statements.settled {
            return None;
        }
        after.statements.all_settled = all_settled(after.statements.settled);
        Some(match missing.is_empty() {
            true => Change::StatementsProved(after),
            false => Change::StatementsMissing(missing, after),
        })
    }
}

impl Statements {
    fn miss(&mut self, taken: &Taken, under: &Tip, at_ms: u64) {
        let Taken { sequence, cid: statement, at_ms: accepted_ms } = *taken;
        self.missed = self.missed.saturating_add(1);
        if self.missing.len() < MISSING_MAX {
            self.missing.push(Missing { statement, sequence, accepted_ms, at_ms, under: under.clone() });
        }
    }
}
