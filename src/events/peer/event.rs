//! What can have happened to a pin. Stored: names and shapes are frozen (golden bytes in tests).

use dta_protocol::Cid;

use crate::codec;
use crate::record::Stored;
use crate::stored::StoredError;

/// The events of a pin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The operator trusts an identity, or says that it serves somewhere else.
    Pinned {
        /// Which.
        identity: Cid,
        /// Where its node serves peer calls, if it does.
        url: Option<String>,
    },
    /// The operator trusts it no more; so its log is not followed any more either.
    Unpinned {
        /// Which.
        identity: Cid,
    },
    /// A copy of its log is kept from now on, fetched from where the identity is pinned.
    Followed {
        /// Whose log.
        identity: Cid,
    },
    /// No more of it is copied; what is kept stays.
    Unfollowed {
        /// Whose log.
        identity: Cid,
    },
}

const PINNED: &str = "peer/pinned";
const UNPINNED: &str = "peer/unpinned";
const FOLLOWED: &str = "peer/followed";
const UNFOLLOWED: &str = "peer/unfollowed";

impl Event {
    /// The stored form, schema 1.
    pub fn to_stored(&self) -> Result<Stored, StoredError> {
        let (name, bytes) = match self {
            Event::Pinned { identity, url } => (PINNED, codec::encode(&(identity, url))?),
            Event::Unpinned { identity } => (UNPINNED, codec::encode(identity)?),
            Event::Followed { identity } => (FOLLOWED, codec::encode(identity)?),
            Event::Unfollowed { identity } => (UNFOLLOWED, codec::encode(identity)?),
        };
        Ok(Stored { name: name.into(), schema: 1, bytes })
    }

    /// Reads a stored event; a name or schema newer than this code is refused.
    pub fn from_stored(stored: &Stored) -> Result<Self, StoredError> {
        match (stored.name.as_str(), stored.schema) {
            (PINNED, 1) => {
                let (identity, url) = codec::decode(&stored.bytes)?;
                Ok(Event::Pinned { identity, url })
            }
            (UNPINNED, 1) => Ok(Event::Unpinned { identity: codec::decode(&stored.bytes)? }),
            (FOLLOWED, 1) => Ok(Event::Followed { identity: codec::decode(&stored.bytes)? }),
            (UNFOLLOWED, 1) => Ok(Event::Unfollowed { identity: codec::decode(&stored.bytes)? }),
            _ => Err(StoredError::unknown(stored)),
        }
    }

    /// Whose pin.
    pub fn identity(&self) -> &Cid {
        match self {
            Event::Pinned { identity, .. }
            | Event::Unpinned { identity }
            | Event::Followed { identity }
            | Event::Unfollowed { identity } => identity,
        }
    }
}
