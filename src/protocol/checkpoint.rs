//! `log/checkpoint`: a node commits to its log before everybody, and keeps a copy of the records for itself.
//!
//! Checkpoints of one log are a chain, and by their `skip` links a skip list: all of a long chain is found in few steps, and
//! fetched side by side.

use std::collections::BTreeMap;

use ipld_core::ipld::Ipld;

use crate::body::{Plaintext, shape::Shape};
use crate::cid::{Cid, Codec};
use crate::fields::{FieldError, Fields, as_bytes, as_link};
use crate::kind::{Kind, Role};
use crate::statement::{MAX_NOTE_BYTES, map};
use crate::strict::MAX_INTEGER;

/// Each level of skip links leaps 16 times as far as the one below.
pub const SKIP_BASE: u64 = 16;
/// Skip links of one checkpoint: 16^13 is the last power below 2^53.
pub const MAX_SKIP: usize = 14;
/// Records in one checkpoint, at most.
pub const MAX_RECORDS: usize = 4_096;
/// Digests in one checkpoint, at most.
pub const MAX_DIGESTS: usize = 64;
/// Bytes of a digest's name.
pub const MAX_DIGEST_NAME_BYTES: usize = 128;

/// The public part of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointBody {
    /// Which checkpoint of this log, from 0.
    pub number: u64,
    /// The signed note (at most 4,096 bytes): what the node commits to.
    pub note: String,
    /// For each k with 16^k ≤ `number` the newest earlier checkpoint whose number is divisible by 16^k; so the first is
    /// `previous`, and checkpoint 0 has none.
    pub skip: Vec<Cid>,
}

impl CheckpointBody {
    pub(crate) fn read(mut fields: Fields) -> Result<Self, FieldError> {
        let body = Self {
            number: fields.integer("number", MAX_INTEGER)?,
            note: fields.text("note", MAX_NOTE_BYTES)?,
            skip: fields
                .list("skip", MAX_SKIP)?
                .into_iter()
                .map(|link| as_link("skip", link, Codec::DagCbor))
                .collect::<Result<_, _>>()?,
        };
        fields.finish()?;
        Ok(body)
    }

    pub(crate) fn to_ipld(&self) -> Ipld {
        map([
            ("number", Ipld::Integer(self.number.into())),
            ("note", Ipld::String(self.note.clone())),
            ("skip", Ipld::List(self.skip.iter().map(|cid| cid.link()).collect())),
        ])
    }

    /// As many links as the number calls for, the first of them `previous`.
    pub(crate) fn links_fit(&self, previous: Option<Cid>) -> bool {
        self.skip.len() == levels(self.number) && self.skip.first().copied() == previous
    }
}

/// How many skip links checkpoint `number` has: the count of k with 16^k ≤ `number`.
pub fn levels(number: u64) -> usize {
    number.checked_ilog(SKIP_BASE).map_or(0, |k| k as usize + 1)
}

/// The skip links of checkpoint `number` + 1, from those of `number`, its CID, and the CID of checkpoint 0, to which the
/// first link of each level leads.
pub fn skip_after(number: u64, cid: Cid, skip: &[Cid], first: Cid) -> Vec<Cid> {
    let mut step = 1_u64;
    let mut links = Vec::with_capacity(levels(number.saturating_add(1)));
    for k in 0..levels(number.saturating_add(1)) {
        let older = skip.get(k).copied().unwrap_or(first);
        links.push(if number.is_multiple_of(step) { cid } else { older });
        step = step.saturating_mul(SKIP_BASE);
    }
    links
}

/// The number of the checkpoint that the `k`th skip link of checkpoint `number` leads to: the newest earlier one that 16^k
/// divides. None where there is no such link.
pub fn skip_number(number: u64, k: usize) -> Option<u64> {
    let step = (k < levels(number)).then(|| SKIP_BASE.checked_pow(u32::try_from(k).ok()?)).flatten()?;
    let before = number.checked_sub(1)?;
    Some(before - before % step)
}

/// What a checkpoint seals for its own node, role `log`.
pub struct LogPart {
    /// Records as stored, in order: those that the checkpoints before it do not hold, as far as they fit. A record belongs to
    /// the tree that the note commits to.
    pub records: Vec<Vec<u8>>,
    /// What the read models were at the note's size: `<projection>/<schema>`, or `<projection>/<schema>@<position>` for one that
    /// had halted there, to its digest.
    pub digests: BTreeMap<String, [u8; 32]>,
}

impl Plaintext for LogPart {
    const KIND: Kind = Kind::Checkpoint;
    const ROLE: Role = Role::Log;
}

impl Shape for LogPart {
    fn read(fields: &mut Fields) -> Result<Self, FieldError> {
        let records = fields.list("records", MAX_RECORDS)?.into_iter().map(|record| match record {
            Ipld::Bytes(bytes) => Ok(bytes),
            _ => Err(FieldError::Type { field: "records", expected: "bytes" }),
        });
        let records = records.collect::<Result<_, _>>()?;
        let digests = fields.entries("digests", MAX_DIGESTS)?.map(|(name, digest)| {
            if name.len() > MAX_DIGEST_NAME_BYTES {
                let limit = MAX_DIGEST_NAME_BYTES as u64;
                return Err(FieldError::Limit { field: "digests", limit, unit: "bytes of a name" });
            }
            Ok((name, *as_bytes("digests", digest)?))
        });
        Ok(Self { records, digests: digests.collect::<Result<_, _>>()? })
    }

    fn write(&self) -> Ipld {
        let digest = |(name, digest): (&String, &[u8; 32])| (name.clone(), Ipld::Bytes(digest.to_vec()));
        map([
            ("records", Ipld::List(self.records.iter().cloned().map(Ipld::Bytes).collect())),
            ("digests", Ipld::Map(self.digests.iter().map(digest).collect())),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cid(n: u64) -> Cid {
        Cid::of(Codec::DagCbor, &n.to_be_bytes())
    }

    #[test]
    fn skip_links_lead_where_their_numbers_say() {
        let mut skip = Vec::new();
        for number in 0..5_000_u64 {
            assert_eq!(skip.len(), levels(number), "{number}");
            for (k, link) in skip.iter().enumerate() {
                let step = 16_u64.pow(k as u32);
                let newest = (0..number).rev().find(|earlier| earlier.is_multiple_of(step)).unwrap();
                assert_eq!((*link, skip_number(number, k)), (cid(newest), Some(newest)), "{k} of {number}");
            }
            let previous = number.checked_sub(1).map(cid);
            let body = CheckpointBody { number, note: String::new(), skip: skip.clone() };
            assert!(body.links_fit(previous) && !body.links_fit(Some(cid(number))));
            skip = skip_after(number, cid(number), &skip, cid(0));
        }
    }

    #[test]
    fn the_largest_number_has_as_many_links_as_may_be() {
        assert_eq!(levels(MAX_INTEGER), MAX_SKIP);
        assert_eq!(
            (levels(0), levels(1), levels(15), levels(16), levels(255), levels(256)),
            (0, 1, 1, 2, 2, 3)
        );
        assert_eq!((skip_number(0, 0), skip_number(16, 1), skip_number(17, 1)), (None, Some(0), Some(16)));
        assert_eq!((skip_number(5, 1), skip_number(u64::MAX, usize::MAX)), (None, None));
        assert_eq!(skip_after(u64::MAX, cid(1), &[], cid(0)).len(), levels(u64::MAX));
    }

    #[test]
    fn a_part_of_the_log_is_read_back_and_nothing_else() {
        let part = LogPart {
            records: vec![vec![1, 2], vec![]],
            digests: [("orders/1".to_owned(), [7; 32]), ("peers/1@9".to_owned(), [8; 32])].into(),
        };
        let bytes = part.encode().ok().unwrap();
        let read = LogPart::decode(bytes.expose()).ok().unwrap();
        assert_eq!((read.records, read.digests), (part.records.clone(), part.digests.clone()));
        let refused = |part: LogPart| part.encode().err().map(|error| error.code());
        let many = LogPart { records: vec![vec![]; MAX_RECORDS + 1], digests: BTreeMap::new() };
        assert_eq!(refused(many), Some("field-limit"));
        let named = [("n".repeat(MAX_DIGEST_NAME_BYTES + 1), [0; 32])].into();
        assert_eq!(refused(LogPart { records: Vec::new(), digests: named }), Some("field-limit"));
        for end in 0..bytes.expose().len() {
            assert!(LogPart::decode(&bytes.expose()[..end]).is_err(), "cut at {end}");
        }
    }
}
