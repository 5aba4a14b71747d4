//! The stored record, version 1: one accepted or refused command of one aggregate.
//!
//! In bytes: the format (u16, little-endian), then the fields in the order they are declared (codec.rs). Hashes cover
//! the stored bytes; a record is never changed and never removed.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::codec::{self, CodecError};

/// The format that this code writes, and the newest that it reads.
pub const RECORD_FORMAT: u16 = 1;
/// What `previous` is in record 0.
pub const NO_PREVIOUS: [u8; 32] = [0; 32];

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its place in the log, counted from 0 without gaps.
    pub sequence: u64,
    /// The node's clock when the command was decided: milliseconds since 1970, UTC. It orders nothing.
    pub time_ms: u64,
    /// Whose history it belongs to.
    pub aggregate: Aggregate,
    /// Its place in that history, counted from 1; refusals count.
    pub version: u64,
    /// Who asked: `local`, `timer`, `peer:<CID>` or `oidc:<subject>`.
    pub by: String,
    /// The request it answers, if the caller gave an idempotency key.
    pub request: Option<Request>,
    /// Joins the records and log lines of one request.
    pub trace_id: [u8; 16],
    /// The storable twin of the command: it never holds a secret.
    pub command: Stored,
    /// What came of it.
    pub effect: Effect,
    /// [`hash_of`] the record before it; [`NO_PREVIOUS`] in record 0.
    pub previous: [u8; 32],
    /// Random, so that the record's hash, which is published, tells nothing about the record.
    pub nonce: [u8; 32],
    /// Random; hides the record's envelopes in the leaf of the proof log until it is disclosed.
    pub blind: [u8; 32],
}

/// One history: its kind and its id within the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Aggregate {
    /// Which rules it follows.
    pub kind: AggregateKind,
    /// Unique within the kind: a SHA-256, usually.
    pub id: [u8; 32],
}

/// The kinds of history, stored as one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
#[repr(u8)]
pub enum AggregateKind {
    /// The node itself: its first record, its settings, its recoveries.
    Node = 1,
    /// An identity, hosted here or known.
    Identity = 2,
    /// An order, whatever roles this node has in it.
    Order = 3,
    /// The pin of an identity: that the operator trusts it, and where it serves.
    Peer = 4,
    /// A seed in custody.
    Seed = 5,
    /// A log: this node's own, by its checkpoints.
    Log = 6,
}

/// The request that a record answers. Neither hash says what was asked without the request at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// SHA-256 of the caller's idempotency key.
    pub idempotency_key: [u8; 32],
    /// A hash of method, path and body, keyed by the node's seed: the same key with another body is a mistake of the caller's.
    pub body: [u8; 32],
}

/// A stored shape: bytes, and what they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// What it is, as `order/placed`.
    pub name: String,
    /// Which of the frozen shapes of that name.
    pub schema: u16,
    /// The shape, encoded by [`codec::encode`].
    pub bytes: Vec<u8>,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// It was accepted, and this happened, in this order.
    Events(Vec<Stored>),
    /// It was turned down, which is history too.
    Refused {
        /// The named rejection, as `policy-expired`.
        code: String,
        /// What an auditor may want to know of it.
        details: String,
    },
}

/// Why bytes are not a record, or a record cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Not even a format.
    #[error("record: {bytes} bytes are too few to hold its format (2)")]
    Short {
        /// How many there are.
        bytes: usize,
    },
    /// A newer program wrote it.
    #[error("record: format {found} is newer than this program knows ({RECORD_FORMAT}); run a newer one")]
    Newer {
        /// The format it names.
        found: u16,
    },
    /// A format that never was.
    #[error("record: there is no format {found}")]
    NoSuchFormat {
        /// The format it names.
        found: u16,
    },
    /// The fields are not those of a record, or too large.
    #[error("record: {0}")]
    Fields(#[from] CodecError),
}

impl Record {
    /// The bytes to store.
    ///
    /// # Errors
    /// `Fields` if the record is larger than [`codec::STORED_BYTES_MAX`].
    pub fn encode(&self) -> Result<Vec<u8>, RecordError> {
        Ok(codec::encode(&(RECORD_FORMAT, self))?)
    }

    /// Reads stored bytes.
    ///
    /// # Errors
    /// `Newer` for a format above [`RECORD_FORMAT`], whatever follows it; `Short`, `NoSuchFormat` and `Fields` for
    /// bytes that no version of this program has written.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let Some((format, fields)) = bytes.split_first_chunk() else {
            return Err(RecordError::Short { bytes: bytes.len() });
        };
        match u16::from_le_bytes(*format) {
            RECORD_FORMAT => Ok(codec::decode(fields)?),
            0 => Err(RecordError::NoSuchFormat { found: 0 }),
            found => Err(RecordError::Newer { found }),
        }
    }
}

/// SHA-256 of a record's stored bytes: what the next one names as `previous`.
pub fn hash_of(stored: &[u8]) -> [u8; 32] {
    Sha256::digest(stored).into()
}

/// A byte that names no kind of aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("aggregate kind {0} is unknown (1 to 6)")]
pub struct UnknownKind(pub u8);

impl From<AggregateKind> for u8 {
    fn from(kind: AggregateKind) -> u8 {
        kind as u8
    }
}

impl TryFrom<u8> for AggregateKind {
    type Error = UnknownKind;

    fn try_from(byte: u8) -> Result<Self, UnknownKind> {
        match byte {
            1 => Ok(Self::Node),
            2 => Ok(Self::Identity),
            3 => Ok(Self::Order),
            4 => Ok(Self::Peer),
            5 => Ok(Self::Seed),
            6 => Ok(Self::Log),
            other => Err(UnknownKind(other)),
        }
    }
}

#[cfg(test)]
mod tests;
