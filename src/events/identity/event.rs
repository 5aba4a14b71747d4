//! What can have happened to an identity. Stored: names and shapes are frozen (golden bytes in tests).

use dta_protocol::{Cid, Identity as Document};
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::ids::claim;
use crate::record::Stored;
use crate::stored::{self, StoredError};

/// What a verified identity document says, as far as rules and read models need it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The identity.
    pub cid: Cid,
    /// Never trusted for anything.
    pub name: String,
    /// When it was signed, by its own clock, milliseconds since 1970 UTC.
    pub issued_at_ms: u64,
    /// Compressed BLS12-381 G2 point, 96 bytes.
    #[serde(with = "stored::array")]
    pub bls: [u8; 96],
    /// X-Wing encapsulation key, 1,216 bytes.
    pub kem: Vec<u8>,
    /// Compressed SEC1 point, 33 bytes.
    #[serde(with = "stored::array")]
    pub secp256k1: [u8; 33],
    /// RFC 8032 public key.
    pub ed25519: [u8; 32],
    /// A claim for each of its signing keys: no two identities share one. Not for the encapsulation key: that its holder has the
    /// private half is not proved, so whoever claimed it could keep its owner out.
    pub key_claims: Vec<[u8; 32]>,
    /// The identity it takes over from.
    pub supersedes: Option<Cid>,
}

impl Known {
    /// The facts of a verified document.
    pub fn of(document: &Document) -> Self {
        let keys = document.public();
        let key_claims = [
            claim("bls", &[&keys.bls]),
            claim("ml-dsa", &[keys.ml_dsa.as_slice()]),
            claim("secp256k1", &[&keys.secp256k1]),
            claim("ed25519", &[&keys.ed25519]),
        ];
        Self {
            cid: document.cid(),
            name: document.name().to_owned(),
            issued_at_ms: document.issued_at_ms(),
            bls: keys.bls,
            kem: keys.kem.to_vec(),
            secp256k1: keys.secp256k1,
            ed25519: keys.ed25519,
            key_claims: key_claims.to_vec(),
            supersedes: document.supersedes(),
        }
    }
}

/// The events of an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Made here, from this node's seed.
    Created {
        /// Its document.
        known: Known,
        /// The UUID its seed is derived under; none for the node's own identity, whose seed is the node's.
        uuid: Option<[u8; 16]>,
    },
    /// Made elsewhere; its document was verified here.
    Learned {
        /// Its document.
        known: Known,
    },
}

const CREATED: &str = "identity/created";
const LEARNED: &str = "identity/learned";

impl Event {
    /// The stored form, schema 1.
    pub fn to_stored(&self) -> Result<Stored, StoredError> {
        let (name, bytes) = match self {
            Event::Created { known, uuid } => (CREATED, codec::encode(&(known, uuid))?),
            Event::Learned { known } => (LEARNED, codec::encode(known)?),
        };
        Ok(Stored { name: name.into(), schema: 1, bytes })
    }

    /// Reads a stored event; a name or schema newer than this code is refused.
    pub fn from_stored(stored: &Stored) -> Result<Self, StoredError> {
        match (stored.name.as_str(), stored.schema) {
            (CREATED, 1) => {
                let (known, uuid) = codec::decode(&stored.bytes)?;
                Ok(Event::Created { known, uuid })
            }
            (LEARNED, 1) => Ok(Event::Learned { known: codec::decode(&stored.bytes)? }),
            _ => Err(StoredError::unknown(stored)),
        }
    }

    /// What the document says.
    pub fn known(&self) -> &Known {
        match self {
            Event::Created { known, .. } | Event::Learned { known } => known,
        }
    }
}
