//! The node itself: record 0 of every log says whose log it is, and each recovery says what it found of it.

use dta_protocol::Cid;
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::record::Stored;
use crate::stored::StoredError;

/// The name of record 0's event and of the command that led to it.
pub const INITIALISED: &str = "node/initialised";
/// The name of a recovery's event and of the command that led to it.
pub const RECOVERED: &str = "node/recovered";

/// The events of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Its log begins.
    Initialised(Initialised),
    /// Its log goes on from other people's copies.
    Recovered(Recovered),
}

/// The first event of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Initialised {
    /// Random, 16 bytes: tells this home from every other, even of the same identity.
    pub home: [u8; 16],
    /// 0; a later epoch begins with [`Recovered`].
    pub epoch: u64,
    /// The node's own identity.
    pub identity: Cid,
}

/// The first event of an epoch above 0: what was written after the records before it, if anything was, is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovered {
    /// Random, 16 bytes: the new home.
    pub home: [u8; 16],
    /// The epoch that begins.
    pub epoch: u64,
    /// How many records were recovered: those before this one.
    pub records: u64,
    /// SHA-256 of the last of them.
    pub last: [u8; 32],
    /// The checkpoint that holds it.
    pub checkpoint: Cid,
    /// The newest signed note of this log that anybody was found to have, if it is of more records: they are lost for certain.
    pub seen: Option<String>,
}

impl Event {
    /// The stored form, schema 1.
    pub fn to_stored(&self) -> Result<Stored, StoredError> {
        let (name, bytes) = match self {
            Event::Initialised(initialised) => (INITIALISED, codec::encode(initialised)?),
            Event::Recovered(recovered) => (RECOVERED, codec::encode(recovered)?),
        };
        Ok(Stored { name: name.into(), schema: 1, bytes })
    }

    /// Reads it back; a name or schema newer than this code is refused.
    pub fn from_stored(stored: &Stored) -> Result<Self, StoredError> {
        match (stored.name.as_str(), stored.schema) {
            (INITIALISED, 1) => Ok(Event::Initialised(codec::decode(&stored.bytes)?)),
            (RECOVERED, 1) => Ok(Event::Recovered(codec::decode(&stored.bytes)?)),
            _ => Err(StoredError::unknown(stored)),
        }
    }

    /// The epoch that begins with it.
    pub fn epoch(&self) -> u64 {
        match self {
            Event::Initialised(initialised) => initialised.epoch,
            Event::Recovered(recovered) => recovered.epoch,
        }
    }
}

#[cfg(test)]
mod tests;
