//! What can be asked of a pin, and what must be known to judge it. Commands hold no secret, so a command is its own
//! storable twin.

use dta_protocol::Cid;
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::record::Stored;
use crate::stored::StoredError;

/// The commands of a pin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Trust an identity.
    Pin {
        /// Which.
        identity: Cid,
        /// Where its node serves peer calls, if it does; its syntax is the caller's to check.
        url: Option<String>,
    },
    /// Trust it no more.
    Unpin {
        /// Which.
        identity: Cid,
    },
    /// Keep a copy of all that its log publishes.
    Follow {
        /// Whose log.
        identity: Cid,
    },
    /// Copy no more of it.
    Unfollow {
        /// Whose log.
        identity: Cid,
    },
}

impl Command {
    /// Its name in records and in the transition table.
    pub fn name(&self) -> &'static str {
        match self {
            Command::Pin { .. } => "peer/pin",
            Command::Unpin { .. } => "peer/unpin",
            Command::Follow { .. } => "peer/follow",
            Command::Unfollow { .. } => "peer/unfollow",
        }
    }

    /// Whose pin.
    pub fn identity(&self) -> &Cid {
        match self {
            Command::Pin { identity, .. }
            | Command::Unpin { identity }
            | Command::Follow { identity }
            | Command::Unfollow { identity } => identity,
        }
    }

    /// The stored form, schema 1.
    pub fn to_stored(&self) -> Result<Stored, StoredError> {
        Ok(Stored { name: self.name().into(), schema: 1, bytes: codec::encode(self)? })
    }
}

/// How the node knows the identity, and whether it could keep a copy of its log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Its document was verified here.
    pub known: bool,
    /// Its keys are derived from this node's seed.
    pub hosted: bool,
    /// The identity that owns the log which holds what this one signs: itself, if it is a node's own.
    pub log: Option<Cid>,
    /// There is an IPFS node here to keep blocks in.
    pub keeps_blocks: bool,
}

/// What preparing a command leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Nothing has to be done before it is recorded.
    Record,
    /// It is so already.
    Done,
}
