//! The root of an exported chain: which blocks of the file are what. It is only a list, and unsigned: nothing in it is to be
//! believed that the blocks do not say themselves.

use ipld_core::ipld::Ipld;
use thiserror::Error;

use crate::canonical;
use crate::cid::{Cid, Codec};
use crate::fields::{FieldError, Fields, as_bytes, as_link};
use crate::statement::map;
use crate::strict::{self, CborError, MAX_INTEGER};

/// The format version in `v`; every other is refused.
pub const MANIFEST_VERSION: u64 = 1;
/// Steps of one chain, at most; at least 1. More would not fit into a CAR with their sealed bodies.
pub const MAX_STEPS: usize = 31;
/// Identities, at most.
pub const MAX_IDENTITIES: usize = 8;
/// Proofs, at most: of each step in the log of each party.
pub const MAX_PROOFS: usize = 3 * MAX_STEPS;
/// Envelopes of one record, at most.
pub const MAX_RECORD_ENVELOPES: usize = 64;
/// Hashes of one path, at most: a log has at most 2^63 records.
pub const MAX_PATH: usize = 63;

/// A block of DAG-CBOR: `{"v", "steps", "proofs", "identities"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The envelopes of the steps, oldest first: 1 to 31, none twice.
    pub steps: Vec<Cid>,
    /// The identities of those who signed them, and of those in whose logs they are proved to stand: at most 8, rising, none
    /// twice.
    pub identities: Vec<Cid>,
    /// That records with those envelopes stand in logs: at most 93.
    pub proofs: Vec<Proof>,
}

/// That a record stands in somebody's log: what the leaf of the Merkle tree is made of, and its path to the checkpoint's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The identity whose log it is.
    pub log: Cid,
    /// The `log/checkpoint` envelope, in the same file.
    pub checkpoint: Cid,
    /// The record's number in the log; at most 2^53 - 1.
    pub sequence: u64,
    /// SHA-256 of the record.
    pub record: [u8; 32],
    /// The record's blind, without which the leaf would tell which envelopes it has.
    pub blind: [u8; 32],
    /// All envelopes of the record, in its order: at most 64.
    pub envelopes: Vec<Cid>,
    /// The hashes beside the way from the leaf to the root, the leaf's neighbour first: at most 63.
    pub path: Vec<[u8; 32]>,
}

/// Why bytes are no such block.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ManifestError {
    /// Not canonical DAG-CBOR.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// A field is missing, unknown or out of bounds.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A version other than 1.
    #[error("field `v` is {0}; this version reads 1")]
    Version(u64),
}

impl ManifestError {
    /// A stable name for this error.
    pub const fn code(&self) -> &'static str {
        match self {
            ManifestError::Cbor(error) => error.code(),
            ManifestError::Field(error) => error.code(),
            ManifestError::Version(_) => "version-unsupported",
        }
    }
}

impl Manifest {
    /// The canonical bytes. Fails where [`Manifest::decode`] would refuse them.
    ///
    /// # Errors
    /// The field that is over its limit.
    pub fn encode(&self) -> Result<Vec<u8>, ManifestError> {
        let bytes = canonical::encode(&map([
            ("v", Ipld::Integer(MANIFEST_VERSION.into())),
            ("steps", links(&self.steps)),
            ("identities", links(&self.identities)),
            ("proofs", Ipld::List(self.proofs.iter().map(Proof::to_ipld).collect())),
        ]));
        Self::decode(&bytes)?;
        Ok(bytes)
    }

    /// Reads the bytes; refuses every other spelling and shape.
    ///
    /// # Errors
    /// The field that is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        let mut fields = Fields::new("manifest", strict::decode(bytes)?)?;
        let version = fields.integer("v", MAX_INTEGER)?;
        if version != MANIFEST_VERSION {
            return Err(ManifestError::Version(version));
        }
        let manifest = Self {
            steps: read_links(&mut fields, "steps", MAX_STEPS)?,
            identities: read_links(&mut fields, "identities", MAX_IDENTITIES)?,
            proofs: fields
                .list("proofs", MAX_PROOFS)?
                .into_iter()
                .map(|item| Proof::read(Fields::new("proofs", item)?))
                .collect::<Result<_, _>>()?,
        };
        fields.finish()?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), FieldError> {
        let wrong = |field, rule| Err(FieldError::Value { field, rule });
        if self.steps.is_empty() {
            return wrong("steps", "must hold a step");
        }
        let twice = |(at, cid): (usize, &Cid)| self.steps.iter().take(at).any(|before| before == cid);
        if self.steps.iter().enumerate().any(twice) {
            return wrong("steps", "must hold none twice");
        }
        if !self.identities.is_sorted_by(|before, after| before < after) {
            return wrong("identities", "must rise, without duplicates");
        }
        Ok(())
    }
}

impl Proof {
    fn read(mut fields: Fields) -> Result<Self, FieldError> {
        let proof = Self {
            log: fields.link("log", Codec::DagCbor)?,
            checkpoint: fields.link("checkpoint", Codec::DagCbor)?,
            sequence: fields.integer("sequence", MAX_INTEGER)?,
            record: fields.bytes("record")?,
            blind: fields.bytes("blind")?,
            envelopes: read_links(&mut fields, "envelopes", MAX_RECORD_ENVELOPES)?,
            path: fields
                .list("path", MAX_PATH)?
                .into_iter()
                .map(|hash| as_bytes("path", hash).map(|hash| *hash))
                .collect::<Result<_, _>>()?,
        };
        fields.finish()?;
        Ok(proof)
    }

    fn to_ipld(&self) -> Ipld {
        map([
            ("log", self.log.link()),
            ("checkpoint", self.checkpoint.link()),
            ("sequence", Ipld::Integer(self.sequence.into())),
            ("record", Ipld::Bytes(self.record.to_vec())),
            ("blind", Ipld::Bytes(self.blind.to_vec())),
            ("envelopes", links(&self.envelopes)),
            ("path", Ipld::List(self.path.iter().map(|hash| Ipld::Bytes(hash.to_vec())).collect())),
        ])
    }
}

fn links(cids: &[Cid]) -> Ipld {
    Ipld::List(cids.iter().map(Cid::link).collect())
}

fn read_links(fields: &mut Fields, field: &'static str, max: usize) -> Result<Vec<Cid>, FieldError> {
    fields.list(field, max)?.into_iter().map(|item| as_link(field, item, Codec::DagCbor)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cid(n: usize) -> Cid {
        Cid::of(Codec::DagCbor, &n.to_be_bytes())
    }

    fn rising(count: usize) -> Vec<Cid> {
        let mut cids: Vec<_> = (0..count).map(cid).collect();
        cids.sort();
        cids
    }

    fn proof() -> Proof {
        Proof {
            log: cid(1),
            checkpoint: cid(2),
            sequence: (1 << 53) - 1,
            record: [3; 32],
            blind: [4; 32],
            envelopes: vec![cid(5)],
            path: vec![[6; 32]; MAX_PATH],
        }
    }

    fn manifest() -> Manifest {
        Manifest { steps: vec![cid(9), cid(8)], identities: rising(3), proofs: vec![proof()] }
    }

    #[test]
    fn a_manifest_is_what_it_was() {
        let most = Manifest {
            steps: (0..MAX_STEPS).map(cid).collect(),
            identities: rising(MAX_IDENTITIES),
            proofs: vec![proof(); MAX_PROOFS],
        };
        let least = Manifest { steps: vec![cid(1)], identities: vec![], proofs: vec![] };
        for manifest in [manifest(), most, least] {
            assert_eq!(Manifest::decode(&manifest.encode().unwrap()), Ok(manifest));
        }
    }

    #[test]
    fn what_is_over_a_limit_or_out_of_order_is_named() {
        let changed = |change: &dyn Fn(&mut Manifest)| {
            let mut manifest = manifest();
            change(&mut manifest);
            match manifest.encode().unwrap_err() {
                ManifestError::Field(error) => (error.code(), error.field().to_owned()),
                other => (other.code(), String::new()),
            }
        };
        let of = |code, field: &str| (code, field.to_owned());
        assert_eq!(changed(&|one| one.steps.clear()), of("field-value", "steps"));
        assert_eq!(changed(&|one| one.steps.push(cid(9))), of("field-value", "steps"));
        assert_eq!(
            changed(&|one| one.steps = (0..=MAX_STEPS).map(cid).collect()),
            of("field-limit", "steps")
        );
        assert_eq!(changed(&|one| one.steps[0] = Cid::of(Codec::Raw, b"")), of("field-type", "steps"));
        assert_eq!(changed(&|one| one.identities.reverse()), of("field-value", "identities"));
        assert_eq!(changed(&|one| one.identities[1] = one.identities[0]), of("field-value", "identities"));
        assert_eq!(changed(&|one| one.identities = rising(9)), of("field-limit", "identities"));
        assert_eq!(changed(&|one| one.proofs = vec![proof(); MAX_PROOFS + 1]), of("field-limit", "proofs"));
        assert_eq!(changed(&|one| one.proofs[0].sequence = 1 << 53), of("cbor-integer-too-large", ""));
        assert_eq!(changed(&|one| one.proofs[0].path.push([0; 32])), of("field-limit", "path"));
        assert_eq!(
            changed(&|one| one.proofs[0].envelopes = (0..=MAX_RECORD_ENVELOPES).map(cid).collect()),
            of("field-limit", "envelopes")
        );
        assert_eq!(changed(&|one| one.proofs[0].log = Cid::of(Codec::Raw, b"")), of("field-type", "log"));
    }

    #[test]
    fn every_byte_counts() {
        let good = manifest().encode().unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_ne!(Manifest::decode(&bad), Ok(manifest()), "byte {at}");
            assert!(Manifest::decode(&good[..at]).is_err(), "cut at {at}");
        }
        assert!(Manifest::decode(&[good.as_slice(), &[0]].concat()).is_err());
        let two = canonical::encode(&map([
            ("v", Ipld::Integer(2)),
            ("steps", links(&[cid(1)])),
            ("identities", links(&[])),
            ("proofs", Ipld::List(vec![])),
        ]));
        assert_eq!(Manifest::decode(&two), Err(ManifestError::Version(2)));
    }
}
