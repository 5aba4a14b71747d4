//! The root of what a node that follows another's log fetches: which published blocks come next, and where in the log they stand.

use std::collections::BTreeSet;

use ipld_core::ipld::Ipld;

use crate::canonical;
use crate::car;
use crate::cid::Cid;
use crate::fields::{FieldError, Fields};
use crate::page::PageError;
use crate::statement::map;
use crate::strict::{self, MAX_INTEGER};

/// Blocks of one page: as many as a CAR has room for beside it.
pub const MAX_PAGE_BLOCKS: usize = car::MAX_BLOCKS - 1;

/// A place in the order in which a log publishes blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The record that published the block; at most 2^53 - 1.
    pub sequence: u64,
    /// Which of that record's published blocks, from 0.
    pub n: u32,
}

/// One answer to `GET /v1/fulfill/log/blocks`, a block of DAG-CBOR: `{"blocks": [[sequence, n, link], …], "more"}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockPage {
    /// The next published blocks, in the order of their places: at most 63, none twice.
    pub blocks: Vec<(Place, Cid)>,
    /// Whether the log has more after them; never without any.
    pub more: bool,
}

impl BlockPage {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let block = |(place, cid): &(Place, Cid)| {
            let Place { sequence, n } = *place;
            Ipld::List(vec![Ipld::Integer(sequence.into()), Ipld::Integer(n.into()), cid.link()])
        };
        canonical::encode(&map([
            ("blocks", Ipld::List(self.blocks.iter().map(block).collect())),
            ("more", Ipld::Bool(self.more)),
        ]))
    }

    /// Reads the bytes; refuses every other spelling and shape.
    ///
    /// # Errors
    /// The field that is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, PageError> {
        let mut fields = Fields::new("block page", strict::decode(bytes)?)?;
        let list = fields.list("blocks", MAX_PAGE_BLOCKS)?;
        let blocks: Vec<_> = list.into_iter().map(block).collect::<Result<_, _>>()?;
        let Ipld::Bool(more) = fields.any("more")? else {
            return Err(FieldError::Type { field: "more", expected: "true or false" }.into());
        };
        fields.finish()?;
        let wrong = |field, rule| Err(FieldError::Value { field, rule }.into());
        if !blocks.is_sorted_by(|(one, _), (next, _)| one < next) {
            return wrong("blocks", "must be in the order of their places");
        }
        let mut seen = BTreeSet::new();
        if !blocks.iter().all(|(_, cid)| seen.insert(*cid)) {
            return wrong("blocks", "must name no block twice");
        }
        if more && blocks.is_empty() {
            return wrong("more", "must be false if there are no blocks");
        }
        Ok(Self { blocks, more })
    }
}

fn block(value: Ipld) -> Result<(Place, Cid), FieldError> {
    let wrong = FieldError::Type { field: "blocks", expected: "lists of sequence, n and link" };
    let Ipld::List(parts) = value else { return Err(wrong) };
    let Ok([Ipld::Integer(sequence), Ipld::Integer(n), Ipld::Link(link)]) = <[Ipld; 3]>::try_from(parts)
    else {
        return Err(wrong);
    };
    let limit = |limit| FieldError::Limit { field: "blocks", limit, unit: "(the largest integer)" };
    let sequence = u64::try_from(sequence).ok().filter(|sequence| *sequence <= MAX_INTEGER);
    let place = Place {
        sequence: sequence.ok_or_else(|| limit(MAX_INTEGER))?,
        n: u32::try_from(n).map_err(|_| limit(u32::MAX.into()))?,
    };
    Ok((place, Cid::from_link(&link).map_err(|_| wrong)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cid::Codec;

    fn cid(n: u64) -> Cid {
        Cid::of(if n.is_multiple_of(2) { Codec::Raw } else { Codec::DagCbor }, &n.to_be_bytes())
    }

    fn at(sequence: u64, n: u32) -> Place {
        Place { sequence, n }
    }

    #[test]
    fn a_page_is_what_it_was() {
        let full = (0..63).map(|n| (at(n / 3, (n % 3) as u32), cid(n))).collect();
        for page in [
            BlockPage::default(),
            BlockPage { blocks: vec![(at(0, 0), cid(0))], more: true },
            BlockPage {
                blocks: vec![(at(7, u32::MAX), cid(1)), (at((1 << 53) - 1, 0), cid(2))],
                more: false,
            },
            BlockPage { blocks: full, more: true },
        ] {
            assert_eq!(BlockPage::decode(&page.encode()), Ok(page));
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        let page = |blocks: &[(Place, Cid)], more| BlockPage { blocks: blocks.to_vec(), more }.encode();
        let with = |one: Ipld| {
            canonical::encode(&map([("blocks", Ipld::List(vec![one])), ("more", Ipld::Bool(false))]))
        };
        let three = |sequence: i128, n: i128, link: Ipld| {
            with(Ipld::List(vec![Ipld::Integer(sequence), Ipld::Integer(n), link]))
        };
        let link = cid(1).link();
        assert!(BlockPage::decode(&three(1, 1, link.clone())).is_ok());
        let good = page(&[(at(1, 0), cid(1)), (at(1, 1), cid(2))], true);
        let many: Vec<_> = (0..64).map(|n| (at(n, 0), cid(n))).collect();
        for bad in [
            page(&[(at(1, 1), cid(1)), (at(1, 0), cid(2))], false),
            page(&[(at(1, 1), cid(1)), (at(1, 1), cid(2))], false),
            page(&[(at(1, 0), cid(1)), (at(2, 0), cid(1))], false),
            page(&many, false),
            page(&[], true),
            three(1 << 53, 0, link.clone()),
            three(-1, 0, link.clone()),
            three(0, 1 << 32, link.clone()),
            three(0, -1, link.clone()),
            three(0, 0, Ipld::Null),
            with(Ipld::Null),
            with(Ipld::List(vec![Ipld::Integer(0), link.clone()])),
            with(Ipld::List(vec![Ipld::Integer(0), Ipld::Integer(0), link.clone(), Ipld::Null])),
            canonical::encode(&map([("blocks", Ipld::List(Vec::new()))])),
            canonical::encode(&map([("blocks", Ipld::List(Vec::new())), ("more", Ipld::Null)])),
            canonical::encode(&map([
                ("blocks", Ipld::List(Vec::new())),
                ("more", Ipld::Bool(false)),
                ("next", Ipld::Null),
            ])),
            canonical::encode(&Ipld::Null),
            [good.as_slice(), &[0]].concat(),
            good[..good.len() - 1].to_vec(),
            Vec::new(),
        ] {
            assert!(BlockPage::decode(&bad).is_err(), "{}", hex::encode(bad));
        }
    }
}
