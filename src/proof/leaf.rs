//! A leaf: what the tree holds of a record. The record itself is private; its hash tells nothing, for it holds a random
//! nonce, and which envelopes it brought is told only to whom its blind is disclosed.

use dta_protocol::{Cid, canonical, strict};
use ipld_core::ipld::Ipld;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::tree::Hash;

/// The version of the layout, the leaf's first item.
const VERSION: i128 = 1;

/// DAG-CBOR `[1, sequence, SHA-256(record), SHA-256(blind ‖ binary CIDs of the record's envelopes)]`, at most 79 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The record's place in the log, from 0; at most 2^53 - 1.
    pub sequence: u64,
    /// SHA-256 of the record as stored.
    pub record: [u8; 32],
    /// SHA-256 of the record's blind (32 bytes) and the binary CIDs (36 bytes each) of the envelopes it brought, in its order.
    pub envelopes: [u8; 32],
}

/// Why bytes are not a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "a leaf is the canonical DAG-CBOR of [1, sequence, SHA-256 of the record, SHA-256 of blind and envelopes]"
)]
pub struct LeafError;

impl Leaf {
    /// The leaf of a record.
    pub fn of<'a>(
        sequence: u64,
        record: [u8; 32],
        blind: &[u8; 32],
        envelopes: impl IntoIterator<Item = &'a [u8; 36]>,
    ) -> Self {
        let mut hash = Sha256::new();
        hash.update(blind);
        for cid in envelopes {
            hash.update(cid);
        }
        Self { sequence, record, envelopes: hash.finalize().into() }
    }

    /// Whether the record brought exactly these envelopes, in this order, as its blind shows.
    pub fn brought(&self, blind: &[u8; 32], envelopes: &[Cid]) -> bool {
        let binary: Vec<_> = envelopes.iter().map(Cid::to_bytes).collect();
        Self::of(self.sequence, self.record, blind, &binary) == *self
    }

    /// The bytes that the tree holds.
    pub fn encode(&self) -> Vec<u8> {
        canonical::encode(&Ipld::List(vec![
            Ipld::Integer(VERSION),
            Ipld::Integer(self.sequence.into()),
            Ipld::Bytes(self.record.into()),
            Ipld::Bytes(self.envelopes.into()),
        ]))
    }

    /// Reads exactly these bytes.
    ///
    /// # Errors
    /// [`LeafError`] for every other spelling and shape.
    pub fn decode(bytes: &[u8]) -> Result<Self, LeafError> {
        let Ok(Ipld::List(items)) = strict::decode(bytes) else { return Err(LeafError) };
        let [Ipld::Integer(VERSION), Ipld::Integer(sequence), Ipld::Bytes(record), Ipld::Bytes(envelopes)] =
            items.as_slice()
        else {
            return Err(LeafError);
        };
        Ok(Self {
            sequence: (*sequence).try_into().map_err(|_| LeafError)?,
            record: record.as_slice().try_into().map_err(|_| LeafError)?,
            envelopes: envelopes.as_slice().try_into().map_err(|_| LeafError)?,
        })
    }

    /// What stands in the tree for it: SHA-256(`00` ‖ leaf), as RFC 6962 says.
    pub fn hash(&self) -> Hash {
        tlog_tiles::record_hash(&self.encode()).0
    }
}
