//! Reads the fields of a decoded map, each once, and refuses what is missing, unknown or out of bounds by its name.

use std::collections::BTreeMap;

use ipld_core::ipld::Ipld;
use thiserror::Error;
use zeroize::Zeroize;

use crate::cid::{Cid, Codec};

/// What is wrong with a field, and which one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FieldError {
    /// A field this map must have is not there.
    #[error("field `{0}` is missing")]
    Missing(&'static str),
    /// A field this map must not have is there (its name is cut to 64 characters).
    #[error("field {0:?} is not known here")]
    Unknown(String),
    /// The wrong type.
    #[error("field `{field}` must be {expected}")]
    Type {
        /// The field.
        field: &'static str,
        /// The type it must have.
        expected: &'static str,
    },
    /// Bytes of a fixed length that are longer or shorter.
    #[error("field `{field}` must be {expected} bytes long, not {got}")]
    Length {
        /// The field.
        field: &'static str,
        /// Its length in bytes.
        expected: usize,
        /// The length it has.
        got: usize,
    },
    /// More than the limit.
    #[error("field `{field}` is over its limit of {limit} {unit}")]
    Limit {
        /// The field.
        field: &'static str,
        /// The most it may be.
        limit: u64,
        /// What is counted.
        unit: &'static str,
    },
    /// The right type and size, and still not allowed.
    #[error("field `{field}` {rule}")]
    Value {
        /// The field.
        field: &'static str,
        /// What it must be.
        rule: &'static str,
    },
}

impl FieldError {
    /// A stable name for this error.
    pub const fn code(&self) -> &'static str {
        match self {
            FieldError::Missing(_) => "field-missing",
            FieldError::Unknown(_) => "field-unknown",
            FieldError::Type { .. } => "field-type",
            FieldError::Length { .. } => "field-length",
            FieldError::Limit { .. } => "field-limit",
            FieldError::Value { .. } => "field-value",
        }
    }

    /// The name of the field.
    pub fn field(&self) -> &str {
        match self {
            FieldError::Unknown(field) => field,
            FieldError::Missing(field)
            | FieldError::Type { field, .. }
            | FieldError::Length { field, .. }
            | FieldError::Limit { field, .. }
            | FieldError::Value { field, .. } => field,
        }
    }
}

type Result<T> = std::result::Result<T, FieldError>;

/// The fields of one map that have not been read yet. They are wiped when dropped: a plaintext may hold secrets.
pub struct Fields(BTreeMap<String, Ipld>);

impl Fields {
    /// The fields of `value`, which stands in the field `name`.
    pub fn new(name: &'static str, value: Ipld) -> Result<Self> {
        match value {
            Ipld::Map(map) => Ok(Self(map)),
            mut other => {
                wipe(&mut other);
                Err(FieldError::Type { field: name, expected: "a map" })
            }
        }
    }

    /// Refuses fields that nothing has read.
    pub fn finish(self) -> Result<()> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(key) => Err(FieldError::Unknown(key.chars().take(64).collect())),
        }
    }

    /// The value of a field, whatever it is.
    pub fn any(&mut self, field: &'static str) -> Result<Ipld> {
        self.0.remove(field).ok_or(FieldError::Missing(field))
    }

    /// `None` where the field is null; otherwise what `read` makes of it.
    pub fn nullable<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&mut Self, &'static str) -> Result<T>,
    ) -> Result<Option<T>> {
        if let Some(Ipld::Null) = self.0.get(field) {
            self.0.remove(field);
            return Ok(None);
        }
        read(self, field).map(Some)
    }

    /// An integer of 0 to `max`.
    pub fn integer(&mut self, field: &'static str, max: u64) -> Result<u64> {
        let Ipld::Integer(value) = self.any(field)? else {
            return Err(FieldError::Type { field, expected: "an integer" });
        };
        match u64::try_from(value) {
            Ok(value) if value <= max => Ok(value),
            _ => Err(FieldError::Limit { field, limit: max, unit: "(the largest integer)" }),
        }
    }

    /// Text of at most `max` bytes.
    pub fn text(&mut self, field: &'static str, max: usize) -> Result<String> {
        as_text(field, self.any(field)?, max)
    }

    /// Bytes, exactly `N` of them.
    pub fn bytes<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N]> {
        self.boxed(field).map(|bytes| *bytes)
    }

    /// Bytes, exactly `N` of them, kept on the heap.
    pub fn boxed<const N: usize>(&mut self, field: &'static str) -> Result<Box<[u8; N]>> {
        as_bytes(field, self.any(field)?)
    }

    /// A link to a block of this codec.
    pub fn link(&mut self, field: &'static str, codec: Codec) -> Result<Cid> {
        as_link(field, self.any(field)?, codec)
    }

    /// A list of at most `max` items.
    pub fn list(&mut self, field: &'static str, max: usize) -> Result<Vec<Ipld>> {
        match self.any(field)? {
            Ipld::List(items) if items.len() <= max => Ok(items),
            Ipld::List(_) => Err(FieldError::Limit { field, limit: max as u64, unit: "items" }),
            _ => Err(FieldError::Type { field, expected: "a list" }),
        }
    }

    /// A map of at most `max` entries with keys of the sender's choice.
    pub fn entries(&mut self, field: &'static str, max: usize) -> Result<Entries> {
        let Fields(map) = &mut Fields::new(field, self.any(field)?)?;
        if map.len() > max {
            return Err(FieldError::Limit { field, limit: max as u64, unit: "entries" });
        }
        Ok(Entries(std::mem::take(map)))
    }

    /// A map with fields of its own.
    pub fn map(&mut self, field: &'static str) -> Result<Fields> {
        Fields::new(field, self.any(field)?)
    }
}

impl Drop for Fields {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

/// The entries of a map whose keys the sender chose; wiped when dropped.
pub struct Entries(BTreeMap<String, Ipld>);

impl Iterator for Entries {
    type Item = (String, Ipld);

    fn next(&mut self) -> Option<(String, Ipld)> {
        self.0.pop_first()
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

/// A link to a block of this codec that stands in `field`.
pub(crate) fn as_link(field: &'static str, value: Ipld, codec: Codec) -> Result<Cid> {
    let expected = match codec {
        Codec::DagCbor => "a link to a dag-cbor block",
        Codec::Raw => "a link to a raw block",
    };
    match value {
        Ipld::Link(link) => Cid::from_link(&link).ok().filter(|cid| cid.codec() == codec),
        _ => None,
    }
    .ok_or(FieldError::Type { field, expected })
}

/// Text of at most `max` bytes that stands in `field`.
pub(crate) fn as_text(field: &'static str, value: Ipld, max: usize) -> Result<String> {
    match value {
        Ipld::String(text) if text.len() <= max => Ok(text),
        Ipld::String(_) => Err(FieldError::Limit { field, limit: max as u64, unit: "bytes" }),
        _ => Err(FieldError::Type { field, expected: "text" }),
    }
}

/// Bytes, exactly `N`, that stand in `field`; the decoded copy is wiped.
pub(crate) fn as_bytes<const N: usize>(field: &'static str, value: Ipld) -> Result<Box<[u8; N]>> {
    let Ipld::Bytes(mut bytes) = value else {
        return Err(FieldError::Type { field, expected: "bytes" });
    };
    let got = bytes.len();
    let mut array = Box::new([0; N]);
    let fits = got == N;
    if fits {
        array.copy_from_slice(&bytes);
    }
    bytes.zeroize();
    if fits { Ok(array) } else { Err(FieldError::Length { field, expected: N, got }) }
}

/// Overwrites every byte and text string in a value.
pub(crate) fn wipe(value: &mut Ipld) {
    match value {
        Ipld::Bytes(bytes) => bytes.zeroize(),
        Ipld::String(text) => text.zeroize(),
        Ipld::List(items) => items.iter_mut().for_each(wipe),
        Ipld::Map(entries) => entries.values_mut().for_each(wipe),
        _ => {}
    }
}
