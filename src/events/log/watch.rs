//! What a node knows of another's log by the notes that it sees: each must be of a tree that begins with those before it, or
//! that those before it begin with. Where that cannot be, an alarm is raised, with both notes as evidence.

use serde::{Deserialize, Serialize};

/// Notes that wait to be proved, at most; a later one says all that an earlier one does.
pub const PENDING_MAX: usize = 8;
/// Alarms kept in the state, at most: the first ones. All are in the records.
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
    /// Seen, and still to be proved, oldest first.
    pub pending: Vec<Tip>,
    /// What was found wrong, oldest first.
    pub alarms: Vec<Alarm>,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The proof holds.
    Consistent,
    /// No proof, or one that does not hold, of trees that its log is long enough for.
    Inconsistent,
    /// By its own newest note its log is shorter than the longer tree.
    Shorter,
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

    /// Takes a note; none if it says nothing new. A note of an epoch that its owner has left says nothing.
    pub fn see(&self, tip: Tip) -> Option<Change> {
        let Some(proved) = &self.proved else {
            return Some(Change::Seen(Self { proved: Some(tip), ..self.clone() }));
        };
        if tip.epoch < proved.epoch || self.known().any(|known| known.same(&tip)) {
            return None;
        }
        if tip.epoch > proved.epoch {
            let after = Self { proved: Some(tip.clone()), pending: Vec::new(), ..self.clone() };
            return after.alarm(AlarmCode::LostRecords, proved, &tip);
        }
        if let Some(known) = self.known().find(|known| known.size == tip.size) {
            return self.clone().alarm(AlarmCode::Fork, known, &tip);
        }
        if self.pending.len() == PENDING_MAX {
            return None;
        }
        let mut after = self.clone();
        after.pending.push(tip);
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
        let other = Tip { seen_ms: now_ms, ..pending.clone() };
        match answer {
            Answer::Consistent => {
                if pending.size > proved.size {
                    after.proved = Some(pending);
                }
                Some(Change::Proved(after))
            }
            Answer::Inconsistent => after.alarm(AlarmCode::Fork, &proved, &other),
            Answer::Shorter => after.alarm(AlarmCode::Shortened, &proved, &other),
        }
    }

    fn known(&self) -> impl Iterator<Item = &Tip> {
        self.proved.iter().chain(&self.pending)
    }

    /// With one more alarm; none if the same two notes have raised it before.
    fn alarm(mut self, code: AlarmCode, known: &Tip, other: &Tip) -> Option<Change> {
        let same = |alarm: &Alarm| alarm.code == code && alarm.known.same(known) && alarm.other.same(other);
        if self.alarms.iter().any(same) {
            return None;
        }
        if self.alarms.len() < ALARMS_MAX {
            let at_ms = other.seen_ms;
            self.alarms.push(Alarm { code, at_ms, known: known.clone(), other: other.clone() });
        }
        Some(Change::Alarm(code, self))
    }
}
