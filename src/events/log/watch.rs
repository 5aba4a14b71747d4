//! What a node knows of another's log by the notes that it sees: each must be of a tree that begins with those before it, or
//! that those before it begin with. Where that cannot be, an alarm is raised, with both notes as evidence.

use dta_protocol::Cid;
use serde::{Deserialize, Serialize};

use super::statements::Statements;

/// Notes that wait to be proved, at most: the newest. Those that made way are in the records, and a later one says all that they do.
pub const PENDING_MAX: usize = 8;
/// Proved trees that are remembered besides the longest, at most: the newest.
pub const BEFORE_MAX: usize = 8;
/// Alarms, at most: the first ones. A log that has raised as many raises no more.
pub const ALARMS_MAX: usize = 16;

/// A tree that a log's owner has committed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tip {
    /// The epoch of the log.
    pub epoch: u64,
    /// How many records the tree is over.
    pub size: u64,
    /// Its root.
    pub root: [u8; 32],
    /// The signed note that says so.
    pub note: String,
    /// When it was first seen, milliseconds since 1970, UTC.
    pub seen_ms: u64,
}

/// What is wrong with a log. Stored by its position: the order of the variants is frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AlarmCode {
    /// Its owner signed two trees, neither of which begins with the other.
    Fork,
    /// It is shorter than a tree that its owner signed.
    Shortened,
    /// Its owner declared that records were lost: a new epoch.
    LostRecords,
}

impl AlarmCode {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            AlarmCode::Fork => "fork",
            AlarmCode::Shortened => "shortened",
            AlarmCode::LostRecords => "lost-records",
        }
    }
}

/// What was found, and what shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// What is wrong.
    pub code: AlarmCode,
    /// When it was found, milliseconds since 1970, UTC.
    pub at_ms: u64,
    /// The note that was known.
    pub known: Tip,
    /// The note that does not go with it.
    pub other: Tip,
}

/// What is known of one log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// The longest tree that is known to begin with all others that were proved; the first note is believed.
    pub proved: Option<Tip>,
    /// Some that it begins with, oldest first.
    pub before: Vec<Tip>,
    /// Seen, and still to be proved, oldest first.
    pub pending: Vec<Tip>,
    /// What its notes show to be wrong, oldest first.
    pub alarms: Vec<Alarm>,
    /// The statements that it is to hold.
    pub statements: Statements,
}

/// What happened, and what is known now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new note.
    Seen(Watched),
    /// A note goes with those before it.
    Proved(Watched),
    /// A note does not.
    Alarm(AlarmCode, Watched),
    /// Statements stand in the log.
    StatementsProved(Watched),
    /// These statements do not; those before, between and after them may.
    StatementsMissing(Vec<Cid>, Watched),
}

/// What a note is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It goes with all that was proved.
    Holds,
    /// That is still to be proved.
    Waits,
    /// It does not, or is of an epoch that was left, or is forgotten.
    Void,
}

/// What its owner is to prove next: that the longer tree begins with the shorter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The shorter tree.
    pub older: Tip,
    /// The longer one.
    pub newer: Tip,
}

/// What its owner answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The proof holds.
    Consistent,
    /// No proof, or one that does not hold, of trees that its log is long enough for.
    Inconsistent,
    /// By its own newest note, this, its log is shorter than the longer tree.
    Shorter(Tip),
}

impl Tip {
    fn same(&self, other: &Tip) -> bool {
        (self.epoch, self.size, self.root) == (other.epoch, other.size, other.root)
    }
}

impl Watched {
    /// The longest tree of the newest epoch that was seen: what others are told.
    pub fn newest(&self) -> Option<&Tip> {
        self.proved.iter().chain(&self.pending).max_by_key(|tip| (tip.epoch, tip.size))
    }

    /// How many alarms there are.
    pub fn alarms(&self) -> u64 {
        self.statements.missed.saturating_add(self.alarms.len() as u64)
    }

    /// What a note that was taken is worth.
    pub fn standing(&self, tip: &Tip) -> Standing {
        if self.proved.iter().chain(&self.before).any(|known| known.same(tip)) {
            return Standing::Holds;
        }
        if self.pending.iter().any(|known| known.same(tip)) { Standing::Waits } else { Standing::Void }
    }

    /// Takes a note; none if it says nothing new. A note of an epoch that its owner has left says nothing, nor does one of no
    /// records.
    pub fn see(&self, tip: Tip) -> Option<Change> {
        if tip.size == 0 {
            return None;
        }
        let Some(proved) = &self.proved else {
            return Some(Change::Seen(Self { proved: Some(tip), ..self.clone() }));
        };
        // What has raised an alarm is not asked for again.
        let accused = |alarm: &Alarm| {
            alarm.other.same(&tip) || (alarm.code == AlarmCode::Shortened && alarm.known.same(&tip))
        };
        let told = self.known().any(|known| known.same(&tip)) || self.alarms.iter().any(accused);
        if tip.epoch < proved.epoch || told {
            return None;
        }
        if tip.epoch > proved.epoch {
            let (alarms, statements) = (self.alarms.clone(), self.statements.clone());
            let after = Self { proved: Some(tip.clone()), alarms, statements, ..Self::default() };
            return after.alarm(self, AlarmCode::LostRecords, proved, &tip);
        }
        if let Some(known) = self.known().find(|known| known.size == tip.size) {
            return self.clone().alarm(self, AlarmCode::Fork, known, &tip);
        }
        let mut after = self.clone();
        push(&mut after.pending, tip, PENDING_MAX);
        Some(Change::Seen(after))
    }

    /// What is to be proved next, if anything.
    pub fn question(&self) -> Option<Question> {
        let (proved, pending) = (self.proved.as_ref()?, self.pending.first()?);
        let (older, newer) = if pending.size < proved.size { (pending, proved) } else { (proved, pending) };
        Some(Question { older: older.clone(), newer: newer.clone() })
    }

    /// Takes the answer to a question; none if it is not the one that is asked now.
    pub fn answer(&self, question: &Question, answer: Answer, now_ms: u64) -> Option<Change> {
        if self.question().as_ref() != Some(question) {
            return None;
        }
        let mut after = self.clone();
        let pending = after.pending.remove(0);
        let proved = after.proved.clone()?;
        match answer {
            Answer::Consistent => {
                let (longer, shorter) =
                    if pending.size > proved.size { (pending, proved) } else { (proved, pending) };
                after.proved = Some(longer);
                push(&mut after.before, shorter, BEFORE_MAX);
                Some(Change::Proved(after))
            }
            Answer::Inconsistent => {
                after.alarm(self, AlarmCode::Fork, &proved, &Tip { seen_ms: now_ms, ..pending })
            }
            Answer::Shorter(own) => {
                after.alarm(self, AlarmCode::Shortened, &question.newer, &Tip { seen_ms: now_ms, ..own })
            }
        }
    }

    fn known(&self) -> impl Iterator<Item = &Tip> {
        self.proved.iter().chain(&self.before).chain(&self.pending)
    }

    /// With one more alarm. If the same two notes have raised it before, or there are as many as are kept, only what else changed.
    fn alarm(mut self, before: &Self, code: AlarmCode, known: &Tip, other: &Tip) -> Option<Change> {
        let same = |alarm: &Alarm| alarm.code == code && alarm.known.same(known) && alarm.other.same(other);
        if self.alarms.len() == ALARMS_MAX || self.alarms.iter().any(same) {
            return (self != *before).then_some(Change::Seen(self));
        }
        let at_ms = other.seen_ms;
        self.alarms.push(Alarm { code, at_ms, known: known.clone(), other: other.clone() });
        Some(Change::Alarm(code, self))
    }
}

/// At the end, with the first making way if there are too many.
fn push(tips: &mut Vec<Tip>, tip: Tip, most: usize) {
    if tips.len() >= most {
        tips.remove(0);
    }
    tips.push(tip);
}
