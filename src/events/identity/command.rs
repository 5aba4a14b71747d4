//! What can be asked of an identity. Commands hold no secret, so a command is its own storable twin.

use dta_protocol::Cid;
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::record::Stored;
use crate::stored::StoredError;

/// The commands of an identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Make one from this node's seed.
    Create {
        /// 1 to 128 bytes, no control or bidirectional characters.
        name: String,
        /// The UUID its seed is derived under; none: the node's own identity.
        uuid: Option<[u8; 16]>,
    },
    /// Take note of a document that came with a request or is pinned by the operator.
    Learn {
        /// The document.
        cid: Cid,
    },
}

impl Command {
    /// Its name in records and in the transition table.
    pub fn name(&self) -> &'static str {
        match self {
            Command::Create { .. } => "identity/create",
            Command::Learn { .. } => "identity/learn",
        }
    }

    /// The stored form, schema 1.
    pub fn to_stored(&self) -> Result<Stored, StoredError> {
        Ok(Stored { name: self.name().into(), schema: 1, bytes: codec::encode(self)? })
    }
}

/// What preparing a command leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Derive the keys and sign the document, then decide.
    Create,
    /// Verify the document, then decide.
    Verify,
    /// It is known already.
    Done,
}
