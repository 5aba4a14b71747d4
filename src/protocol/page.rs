//! The root of what a node fetches: which step comes next for which party, and where the fetching goes on.

use ipld_core::ipld::Ipld;
use thiserror::Error;

use crate::canonical;
use crate::cid::{Cid, Codec};
use crate::fields::{FieldError, Fields};
use crate::statement::{MAX_NOTE_BYTES, map};
use crate::strict::{self, CborError};

/// One answer to `GET /v1/fulfill/order/deliveries`, a block of DAG-CBOR: `{"for", "head", "next"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryPage {
    /// The party that the step is for, and the newest step; none if nothing is left.
    pub step: Option<(Cid, Cid)>,
    /// What `after` of the next request is; at most 2^53 - 1.
    pub next: u64,
}

/// What every implementation's integers hold.
const NEXT_MAX: u64 = (1 << 53) - 1;

/// Why bytes are no such block.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PageError {
    /// Not canonical DAG-CBOR.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// A field is missing, unknown or out of bounds.
    #[error(transparent)]
    Field(#[from] FieldError),
}

impl DeliveryPage {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let link = |cid: Option<Cid>| cid.map_or(Ipld::Null, |cid| cid.link());
        canonical::encode(&map([
            ("for", link(self.step.map(|(party, _)| party))),
            ("head", link(self.step.map(|(_, head)| head))),
            ("next", Ipld::Integer(self.next.into())),
        ]))
    }

    /// Reads the bytes; refuses every other spelling and shape.
    ///
    /// # Errors
    /// The field that is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, PageError> {
        let mut fields = Fields::new("delivery page", strict::decode(bytes)?)?;
        let mut link = |name| fields.nullable(name, |fields, name| fields.link(name, Codec::DagCbor));
        let (party, head) = (link("for")?, link("head")?);
        if party.is_some() != head.is_some() {
            let rule = "must be null exactly if `for` is";
            return Err(FieldError::Value { field: "head", rule }.into());
        }
        let page = Self { step: party.zip(head), next: fields.integer("next", NEXT_MAX)? };
        fields.finish()?;
        Ok(page)
    }
}

/// The answer to `GET /v1/fulfill/log/note`, a block of DAG-CBOR: `{"note"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotePage {
    /// The newest signed note of the caller's log that the node has seen, if any: at most 4,096 bytes.
    pub note: Option<String>,
}

impl NotePage {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        canonical::encode(&map([("note", self.note.clone().map_or(Ipld::Null, Ipld::String))]))
    }

    /// Reads the bytes; refuses every other spelling and shape.
    ///
    /// # Errors
    /// The field that is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, PageError> {
        let mut fields = Fields::new("note page", strict::decode(bytes)?)?;
        let note = fields.nullable("note", |fields, name| fields.text(name, MAX_NOTE_BYTES))?;
        fields.finish()?;
        Ok(Self { note })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_what_it_was() {
        let (party, head) = (Cid::of(Codec::DagCbor, b"carol"), Cid::of(Codec::DagCbor, b"released"));
        for step in [None, Some((party, head))] {
            for next in [0, 7, (1 << 53) - 1] {
                let page = DeliveryPage { step, next };
                assert_eq!(DeliveryPage::decode(&page.encode()), Ok(page));
            }
        }
    }

    #[test]
    fn a_note_is_read_back_and_nothing_else() {
        for note in [None, Some("note\n".to_owned()), Some("n".repeat(MAX_NOTE_BYTES))] {
            let page = NotePage { note };
            assert_eq!(NotePage::decode(&page.encode()), Ok(page));
        }
        let too_long = NotePage { note: Some("n".repeat(MAX_NOTE_BYTES + 1)) };
        let good = NotePage { note: Some("note".into()) }.encode();
        for bad in [
            too_long.encode(),
            canonical::encode(&map([])),
            canonical::encode(&map([("note", Ipld::Integer(1))])),
            canonical::encode(&map([("note", Ipld::Null), ("more", Ipld::Null)])),
            [good.as_slice(), &[0]].concat(),
            good[..good.len() - 1].to_vec(),
            Vec::new(),
        ] {
            assert!(NotePage::decode(&bad).is_err(), "{}", hex::encode(bad));
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        let link = Cid::of(Codec::DagCbor, b"carol").link();
        let page = |party: &Ipld, head: &Ipld, next: Ipld| {
            canonical::encode(&map([("for", party.clone()), ("head", head.clone()), ("next", next)]))
        };
        let raw = Cid::of(Codec::Raw, b"carol").link();
        let good = page(&link, &link, Ipld::Integer(1));
        assert!(DeliveryPage::decode(&good).is_ok());
        for bad in [
            page(&link, &Ipld::Null, Ipld::Integer(1)),
            page(&Ipld::Null, &link, Ipld::Integer(1)),
            page(&raw, &link, Ipld::Integer(1)),
            page(&link, &link, Ipld::Integer(-1)),
            page(&link, &link, Ipld::Integer(1 << 53)),
            page(&link, &link, Ipld::Null),
            canonical::encode(&map([("for", Ipld::Null), ("head", Ipld::Null)])),
            canonical::encode(&map([
                ("for", Ipld::Null),
                ("head", Ipld::Null),
                ("next", Ipld::Integer(0)),
                ("more", Ipld::Bool(true)),
            ])),
            canonical::encode(&Ipld::Null),
            [good.as_slice(), &[0]].concat(),
            good[..good.len() - 1].to_vec(),
            Vec::new(),
        ] {
            assert!(DeliveryPage::decode(&bad).is_err(), "{}", hex::encode(bad));
        }
    }
}
