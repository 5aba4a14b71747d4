//! The node itself: record 0 of every log says whose log it is.

use dta_protocol::Cid;
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::record::Stored;
use crate::stored::StoredError;

/// The name of record 0's event and of the command that led to it.
pub const INITIALISED: &str = "node/initialised";

/// The first event of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Initialised {
    /// Random, 16 bytes: tells this home from every other, even of the same identity.
    pub home: [u8; 16],
    /// 0; a later epoch declares that records were lost in a recovery.
    pub epoch: u64,
    /// The node's own identity.
    pub identity: Cid,
}

impl Initialised {
    /// The stored form, schema 1.
    pub fn to_stored(&self) -> Result<Stored, StoredError> {
        Ok(Stored { name: INITIALISED.into(), schema: 1, bytes: codec::encode(self)? })
    }

    /// Reads it back; a name or schema newer than this code is refused.
    pub fn from_stored(stored: &Stored) -> Result<Self, StoredError> {
        match (stored.name.as_str(), stored.schema) {
            (INITIALISED, 1) => Ok(codec::decode(&stored.bytes)?),
            _ => Err(StoredError::unknown(stored)),
        }
    }
}

#[cfg(test)]
mod tests;
