//! What can have happened to a log. Stored: names and shapes are frozen (golden bytes in tests).

use dta_protocol::Cid;
use serde::{Deserialize, Serialize};

use super::schema1::Watched1;
use super::watch::{AlarmCode, Change, Watched};
use crate::codec;
use crate::record::Stored;
use crate::stored::StoredError;

/// The name of the command that leads to a checkpoint.
pub const CHECKPOINT: &str = "log/checkpoint";
/// The name of the command that takes a note or a proof of another's log.
pub const WATCH: &str = "log/watch";
const CHECKPOINTED: &str = "log/checkpointed";
const NOTE_SEEN: &str = "log/note-seen";
const NOTE_PROVED: &str = "log/note-proved";
const ALARM_RAISED: &str = "log/alarm-raised";
const STATEMENTS_PROVED: &str = "log/statements-proved";
const STATEMENTS_MISSING: &str = "log/statements-missing";

/// The events of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The node committed to its log.
    Checkpointed(Checkpointed),
    /// A new note of another's log.
    NoteSeen {
        /// Whose.
        owner: Cid,
        /// What is known of the log now.
        after: Watched,
    },
    /// A note of another's log goes with those before it.
    NoteProved {
        /// Whose.
        owner: Cid,
        /// What is known of the log now.
        after: Watched,
    },
    /// A note of another's log does not.
    AlarmRaised {
        /// Whose.
        owner: Cid,
        /// What is wrong.
        code: AlarmCode,
        /// What is known of the log now.
        after: Watched,
    },
    /// Statements of others that were accepted here stand in the log of their signers' node.
    StatementsProved {
        /// Whose log.
        owner: Cid,
        /// What is known of the log now.
        after: Watched,
    },
    /// Some do not.
    StatementsMissing {
        /// Whose log.
        owner: Cid,
        /// Their envelopes. Each is told of once.
        statements: Vec<Cid>,
        /// What is known of the log now.
        after: Watched,
    },
}

/// A checkpoint, with all that the next one needs to know of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpointed {
    /// Its envelope.
    pub cid: Cid,
    /// Which it is, from 0.
    pub number: u64,
    /// Checkpoint 0.
    pub first: Cid,
    /// Its skip links.
    pub skip: Vec<Cid>,
    /// Its time, milliseconds since 1970, UTC.
    pub issued_at_ms: u64,
    /// Its signed note.
    pub note: String,
    /// The epoch that the note names.
    pub epoch: u64,
    /// How many records the note is about.
    pub size: u64,
    /// The root of the tree over them.
    pub root: [u8; 32],
    /// Records before this sequence are in its sealed body or in those of the checkpoints before it.
    pub sealed: u64,
}

impl Event {
    /// The stored form, each in its newest schema.
    pub fn to_stored(&self) -> Result<Stored, StoredError> {
        let (name, schema, bytes) = match self {
            Event::Checkpointed(checkpointed) => (CHECKPOINTED, 1, codec::encode(checkpointed)?),
            Event::NoteSeen { owner, after } => (NOTE_SEEN, 2, codec::encode(&(owner, after))?),
            Event::NoteProved { owner, after } => (NOTE_PROVED, 2, codec::encode(&(owner, after))?),
            Event::AlarmRaised { owner, code, after } => {
                (ALARM_RAISED, 2, codec::encode(&(owner, code, after))?)
            }
            Event::StatementsProved { owner, after } => {
                (STATEMENTS_PROVED, 1, codec::encode(&(owner, after))?)
            }
            Event::StatementsMissing { owner, statements, after } => {
                (STATEMENTS_MISSING, 1, codec::encode(&(owner, statements, after))?)
            }
        };
        Ok(Stored { name: name.into(), schema, bytes })
    }

    /// Reads a stored event; a name or schema newer than this code is refused.
    pub fn from_stored(stored: &Stored) -> Result<Self, StoredError> {
        match (stored.name.as_str(), stored.schema) {
            (CHECKPOINTED, 1) => Ok(Event::Checkpointed(codec::decode(&stored.bytes)?)),
            (NOTE_SEEN, 1) => {
                let (owner, after) = codec::decode::<(_, Watched1)>(&stored.bytes)?;
                Ok(Event::NoteSeen { owner, after: after.into() })
            }
            (NOTE_PROVED, 1) => {
                let (owner, after) = codec::decode::<(_, Watched1)>(&stored.bytes)?;
                Ok(Event::NoteProved { owner, after: after.into() })
            }
            (ALARM_RAISED, 1) => {
                let (owner, code, after) = codec::decode::<(_, _, Watched1)>(&stored.bytes)?;
                Ok(Event::AlarmRaised { owner, code, after: after.into() })
            }
            (NOTE_SEEN, 2) => {
                let (owner, after) = codec::decode(&stored.bytes)?;
                Ok(Event::NoteSeen { owner, after })
            }
            (NOTE_PROVED, 2) => {
                let (owner, after) = codec::decode(&stored.bytes)?;
                Ok(Event::NoteProved { owner, after })
            }
            (ALARM_RAISED, 2) => {
                let (owner, code, after) = codec::decode(&stored.bytes)?;
                Ok(Event::AlarmRaised { owner, code, after })
            }
            (STATEMENTS_PROVED, 1) => {
                let (owner, after) = codec::decode(&stored.bytes)?;
                Ok(Event::StatementsProved { owner, after })
            }
            (STATEMENTS_MISSING, 1) => {
                let (owner, statements, after) = codec::decode(&stored.bytes)?;
                Ok(Event::StatementsMissing { owner, statements, after })
            }
            _ => Err(StoredError::unknown(stored)),
        }
    }

    /// What happened to another's log.
    pub fn of(owner: Cid, change: Change) -> Self {
        match change {
            Change::Seen(after) => Event::NoteSeen { owner, after },
            Change::Proved(after) => Event::NoteProved { owner, after },
            Change::Alarm(code, after) => Event::AlarmRaised { owner, code, after },
            Change::StatementsProved(after) => Event::StatementsProved { owner, after },
            Change::StatementsMissing(statements, after) => {
                Event::StatementsMissing { owner, statements, after }
            }
        }
    }

    /// What is known of another's log after it, and whose it is; none for the node's own.
    pub fn watched(&self) -> Option<(Cid, &Watched)> {
        match self {
            Event::Checkpointed(_) => None,
            Event::NoteSeen { owner, after }
            | Event::NoteProved { owner, after }
            | Event::AlarmRaised { owner, after, .. }
            | Event::StatementsProved { owner, after }
            | Event::StatementsMissing { owner, after, .. } => Some((*owner, after)),
        }
    }
}
