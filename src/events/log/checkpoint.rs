//! When a checkpoint is due, what it says, and what follows from it.

use std::collections::BTreeMap;

use dta_protocol::Cid;
use dta_protocol::checkpoint::skip_after;

use super::event::{Checkpointed, Event};

/// How often: whichever comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// So many records that no checkpoint is about yet, at least 1.
    pub records: u64,
    /// So long, in milliseconds, since the first of them was seen.
    pub after_ms: u64,
}

/// The newest checkpoint, and the sequence of the record that tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Last {
    /// What it said.
    pub checkpointed: Checkpointed,
    /// Where the record stands.
    pub sequence: u64,
}

/// The checkpoints of a log, as far as the next one depends on them: on the newest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoints {
    /// None before the first.
    pub last: Option<Last>,
}

/// Where a read model stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// `<projection>/<schema>`.
    pub label: String,
    /// How many records it has taken.
    pub position: u64,
    /// What they changed.
    pub digest: [u8; 32],
    /// Whether it goes no further.
    pub halted: bool,
}

/// What must be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The clock, milliseconds since 1970, UTC.
    pub now_ms: u64,
    /// How many records there are.
    pub head: u64,
    /// All read models, as they stood at one moment.
    pub models: Vec<Model>,
}

/// A checkpoint to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Which.
    pub number: u64,
    /// The one before it.
    pub previous: Option<Cid>,
    /// Its skip links.
    pub skip: Vec<Cid>,
    /// Its time stamp: that of the one before it at least.
    pub issued_at_ms: u64,
    /// How many records its note is about: its body holds those from `from` on, up to this, as many as fit.
    pub size: u64,
    /// The first record of its body.
    pub from: u64,
    /// The digests of its body.
    pub digests: BTreeMap<String, [u8; 32]>,
}

/// What making it gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its envelope.
    pub cid: Cid,
    /// Its note.
    pub note: String,
    /// The epoch that the note names.
    pub epoch: u64,
    /// The root that the note names.
    pub root: [u8; 32],
    /// The first record that did not fit.
    pub sealed: u64,
}

impl Checkpoints {
    /// After one more event, in the record with this sequence.
    pub fn apply(self, event: &Event, sequence: u64) -> Self {
        let Event::Checkpointed(checkpointed) = event else { return self };
        Self { last: Some(Last { checkpointed: checkpointed.clone(), sequence }) }
    }

    /// How many of the first `head` records no checkpoint is about, leaving out the one that tells of the last checkpoint.
    pub fn unsaid(&self, head: u64) -> u64 {
        let Some(Last { checkpointed, sequence }) = &self.last else { return head };
        let own = u64::from((checkpointed.size..head).contains(sequence));
        head.saturating_sub(checkpointed.size).saturating_sub(own)
    }

    /// How many of the first `head` records are in no checkpoint's body though a checkpoint is about them.
    pub fn unsealed(&self) -> u64 {
        self.last.as_ref().map_or(0, |last| last.checkpointed.size.saturating_sub(last.checkpointed.sealed))
    }

    /// How long until a checkpoint is due, in milliseconds, when the first unsaid record has been there for `waited_ms`; none if
    /// there is nothing to say. What did not fit into the last one does not wait.
    pub fn due_in_ms(&self, head: u64, waited_ms: u64, pace: &Pace) -> Option<u64> {
        match (self.unsealed(), self.unsaid(head)) {
            (0, 0) => None,
            (0, unsaid) if unsaid < pace.records => Some(pace.after_ms.saturating_sub(waited_ms)),
            _ => Some(0),
        }
    }

    /// The next checkpoint; none if there is nothing to say. It is about as many records as the read models that go on have
    /// taken, so that it can say what they are: none is waited for, and one that has halted is named with its position.
    pub fn prepare(&self, facts: &Facts) -> Option<Draft> {
        let going = facts.models.iter().filter(|model| !model.halted).map(|model| model.position).max();
        let size = going.unwrap_or(facts.head).min(facts.head);
        let behind = self.last.as_ref().is_some_and(|last| size < last.checkpointed.size);
        if behind || (self.unsaid(size) == 0 && self.unsealed() == 0) {
            return None;
        }
        let digests = facts.models.iter().map(|model| match model.position == size {
            true => (model.label.clone(), model.digest),
            false => (format!("{}@{}", model.label, model.position), model.digest),
        });
        let last = self.last.as_ref().map(|last| &last.checkpointed);
        Some(Draft {
            number: last.map_or(0, |last| last.number.saturating_add(1)),
            previous: last.map(|last| last.cid),
            skip: last.map_or(Vec::new(), |last| skip_after(last.number, last.cid, &last.skip, last.first)),
            issued_at_ms: facts.now_ms.max(last.map_or(0, |last| last.issued_at_ms)),
            size,
            from: last.map_or(0, |last| last.sealed),
            digests: digests.collect(),
        })
    }

    /// What happened once it is made.
    pub fn decide(&self, draft: &Draft, made: Made) -> Event {
        let Made { cid, note, epoch, root, sealed } = made;
        Event::Checkpointed(Checkpointed {
            cid,
            number: draft.number,
            first: self.last.as_ref().map_or(cid, |last| last.checkpointed.first),
            skip: draft.skip.clone(),
            issued_at_ms: draft.issued_at_ms,
            note,
            epoch,
            size: draft.size,
            root,
            sealed,
        })
    }
}
