//! Which statements wait to be proved, by the log that is to hold them, as far as this node's own log was read. It is made anew
//! from the log at each start, from where everybody's statements were settled.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use dta_protocol::Cid;

use super::statements::{Patience, Statements, Taken};

/// Statements of one log that wait at once, at most; the others are read again when these are settled.
pub const WAITING_MAX: usize = 256;

/// The statements that wait.
#[derive(Debug, Default)]
pub struct Unsettled {
    /// Records before this sequence were read.
    next: u64,
    /// Logs of which statements wait or were left out, or are settled further than this one was read.
    logs: BTreeMap<Cid, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    /// In the order of the records that brought them.
    statements: VecDeque<Taken>,
    /// Those that records before this sequence brought are settled, or wait here. Before `next`: the others were left out.
    upto: u64,
}

impl Waiting {
    fn upto(upto: u64) -> Self {
        Self { statements: VecDeque::new(), upto }
    }

    fn has_room(&self) -> bool {
        self.statements.len() < WAITING_MAX
    }
}

impl Unsettled {
    /// As the records of what is known of logs say.
    pub fn after<'a>(known: impl IntoIterator<Item = (Cid, &'a Statements)>) -> Self {
        let mut unsettled = Self::default();
        for (owner, statements) in known {
            unsettled.next = unsettled.next.max(statements.all_settled);
            unsettled.logs.insert(owner, Waiting::upto(statements.settled));
        }
        for waiting in unsettled.logs.values_mut() {
            waiting.upto = waiting.upto.max(unsettled.next);
        }
        unsettled.forget();
        unsettled
    }

    /// From which record of this node's log on statements are to be taken next.
    pub fn from(&self) -> u64 {
        let with_room = self.logs.values().filter(|waiting| waiting.has_room());
        with_room.map(|waiting| waiting.upto).fold(self.next, u64::min)
    }

    /// Takes what the records from [`Self::from`] up to `to` brought, in their order: each statement with the log that is to hold
    /// it. One that was taken before changes nothing.
    pub fn take(&mut self, statements: impl IntoIterator<Item = (Cid, Taken)>, to: u64) {
        let from = self.from();
        let mut left_out: BTreeSet<Cid> =
            self.logs.iter().filter(|(_, waiting)| waiting.upto < from).map(|(owner, _)| *owner).collect();
        for (owner, taken) in statements {
            let waiting = self.logs.entry(owner).or_insert_with(|| Waiting::upto(self.next));
            if left_out.contains(&owner) || taken.sequence < waiting.upto {
                continue;
            }
            // Those of one record wait together.
            let together = waiting.statements.back().is_some_and(|last| last.sequence == taken.sequence);
            if waiting.has_room() || together {
                waiting.statements.push_back(taken);
            } else {
                waiting.upto = taken.sequence;
                left_out.insert(owner);
            }
        }
        self.next = self.next.max(to);
        for (_, waiting) in self.logs.iter_mut().filter(|(owner, _)| !left_out.contains(owner)) {
            waiting.upto = waiting.upto.max(to);
        }
        self.forget();
    }

    /// The logs to be asked for statements now.
    pub fn due(&self, patience: &Patience) -> Vec<Cid> {
        let is_due =
            |waiting: &Waiting| waiting.statements.front().is_some_and(|first| patience.is_due(first));
        self.logs.iter().filter(|(_, waiting)| is_due(waiting)).map(|(owner, _)| *owner).collect()
    }

    /// The statements that a log is to be asked for now, oldest first.
    pub fn due_of(&self, owner: &Cid, patience: &Patience) -> Vec<Taken> {
        let waiting = self.logs.get(owner).into_iter().flat_map(|waiting| &waiting.statements);
        waiting.copied().take_while(|taken| patience.is_due(taken)).collect()
    }

    /// A log's statements that records before this sequence brought are settled.
    pub fn settle(&mut self, owner: &Cid, settled: u64) {
        if let Some(waiting) = self.logs.get_mut(owner) {
            while waiting.statements.pop_front_if(|taken| taken.sequence < settled).is_some() {}
        }
        self.forget();
    }

    /// The sequence before which everybody's are settled, once those of `owner` are before `settled`.
    pub fn all_settled(&self, owner: &Cid, settled: u64) -> u64 {
        let first = |(of, waiting): (&Cid, &Waiting)| {
            let is_left = |taken: &&Taken| of != owner || taken.sequence >= settled;
            let first = waiting.statements.iter().find(is_left).map(|taken| taken.sequence);
            first.unwrap_or(waiting.upto)
        };
        self.logs.iter().map(first).fold(self.next, u64::min)
    }

    /// Of logs that are not here nothing waits, and nothing was left out.
    fn forget(&mut self) {
        let next = self.next;
        self.logs.retain(|_, waiting| !waiting.statements.is_empty() || waiting.upto != next);
    }
}
