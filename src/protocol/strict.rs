//! Canonical DAG-CBOR and nothing else: bytes are judged in one pass before the library decodes them.
//!
//! Libraries accept what the format forbids, or stop doing so from one version to the next; a block that reads the
//! same in two spellings would have two CIDs. So each violation is found here, by name; then the library decodes;
//! then what it decoded is encoded again and must be the same bytes, the net beneath.

use ipld_core::ipld::Ipld;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::canonical::encode;
use crate::cid::Cid;

/// Lists and maps inside each other, the outermost counted as 1.
pub const MAX_DEPTH: usize = 8;
/// The largest integer that every implementation language holds exactly: 2^53 - 1.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

pub(crate) const LINK_TAG: u64 = 42;

/// Why bytes are not canonical DAG-CBOR as this protocol uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CborError {
    /// The bytes end inside an item.
    #[error("the bytes end inside an item")]
    Truncated,
    /// Bytes follow the item.
    #[error("bytes follow the item")]
    TrailingBytes,
    /// An integer or a length is written in more bytes than it needs.
    #[error("an integer or length is not in its shortest form")]
    NotMinimal,
    /// Indefinite length, or its break code.
    #[error("indefinite lengths are not allowed")]
    IndefiniteLength,
    /// An item head that RFC 8949 reserves.
    #[error("the head of an item is reserved")]
    ReservedHead,
    /// Map keys that do not rise by length, then by bytes.
    #[error("map keys are not in canonical order")]
    UnsortedKeys,
    /// The same key twice in one map.
    #[error("a map key appears twice")]
    DuplicateKey,
    /// A map key that is not text.
    #[error("a map key is not text")]
    KeyNotText,
    /// A floating-point number.
    #[error("floats are not allowed")]
    Float,
    /// A simple value other than false, true and null.
    #[error("simple values other than false, true and null are not allowed")]
    SimpleValue,
    /// An integer below zero.
    #[error("integers below 0 are not allowed")]
    NegativeInteger,
    /// An integer above 2^53 - 1.
    #[error("integers above 2^53 - 1 are not allowed")]
    IntegerTooLarge,
    /// A tag other than 42.
    #[error("tags other than 42 are not allowed")]
    UnknownTag,
    /// A link that is not `00` and a CID of this protocol.
    #[error("a link is not a CIDv1 with SHA2-256 and codec dag-cbor or raw")]
    InvalidLink,
    /// Text that is not UTF-8.
    #[error("text is not UTF-8")]
    InvalidUtf8,
    /// More than 8 lists and maps inside each other.
    #[error("more than 8 lists and maps inside each other")]
    TooDeep,
    /// The library does not decode it, or what it decoded is not the same bytes.
    #[error("decoding and encoding again does not give the same bytes")]
    NotCanonical,
}

impl CborError {
    /// A stable name for this error.
    pub const fn code(&self) -> &'static str {
        match self {
            CborError::Truncated => "cbor-truncated",
            CborError::TrailingBytes => "cbor-trailing-bytes",
            CborError::NotMinimal => "cbor-not-minimal",
            CborError::IndefiniteLength => "cbor-indefinite-length",
            CborError::ReservedHead => "cbor-reserved-head",
            CborError::UnsortedKeys => "cbor-unsorted-keys",
            CborError::DuplicateKey => "cbor-duplicate-key",
            CborError::KeyNotText => "cbor-key-not-text",
            CborError::Float => "cbor-float",
            CborError::SimpleValue => "cbor-simple-value",
            CborError::NegativeInteger => "cbor-negative-integer",
            CborError::IntegerTooLarge => "cbor-integer-too-large",
            CborError::UnknownTag => "cbor-unknown-tag",
            CborError::InvalidLink => "cbor-invalid-link",
            CborError::InvalidUtf8 => "cbor-invalid-utf8",
            CborError::TooDeep => "cbor-too-deep",
            CborError::NotCanonical => "cbor-not-canonical",
        }
    }
}

/// Decodes one item that fills `bytes`.
pub fn decode(bytes: &[u8]) -> Result<Ipld, CborError> {
    check(bytes)?;
    let value = serde_ipld_dagcbor::from_slice(bytes).map_err(|_| CborError::NotCanonical)?;
    // Wiped because the bytes may be a plaintext.
    if *Zeroizing::new(encode(&value)) == bytes { Ok(value) } else { Err(CborError::NotCanonical) }
}

/// A list or map whose items are being checked.
struct Open<'a> {
    items_left: u64,
    map: bool,
    /// In a map, the key before this one.
    last_key: Option<&'a [u8]>,
}

/// Judges the bytes; allocates nothing that grows with them.
fn check(bytes: &[u8]) -> Result<(), CborError> {
    let mut input = Input(bytes);
    let mut open: Vec<Open<'_>> = Vec::with_capacity(MAX_DEPTH);
    loop {
        if let Some(top) = open.last_mut() {
            top.items_left -= 1;
            if top.map {
                input.key(&mut top.last_key)?;
            }
        }
        if let Some(container) = input.value()? {
            if open.len() == MAX_DEPTH {
                return Err(CborError::TooDeep);
            }
            open.push(container);
        }
        while open.last().is_some_and(|top| top.items_left == 0) {
            open.pop();
        }
        if open.is_empty() {
            return if input.0.is_empty() { Ok(()) } else { Err(CborError::TrailingBytes) };
        }
    }
}

/// The head of an item: its major type and its argument.
struct Head {
    major: u8,
    argument: u64,
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], CborError> {
        let count = usize::try_from(count).map_err(|_| CborError::Truncated)?;
        let (taken, rest) = self.0.split_at_checked(count).ok_or(CborError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn head(&mut self) -> Result<Head, CborError> {
        let (&first, rest) = self.0.split_first().ok_or(CborError::Truncated)?;
        self.0 = rest;
        let (major, info) = (first >> 5, first & 0x1f);
        if major == 7 {
            return match info {
                20..=22 => Ok(Head { major, argument: u64::from(info) }),
                25..=27 => Err(CborError::Float),
                28..=30 => Err(CborError::ReservedHead),
                31 => Err(CborError::IndefiniteLength),
                _ => Err(CborError::SimpleValue),
            };
        }
        let argument = match info {
            0..=23 => u64::from(info),
            24..=27 => {
                let width = 1 << (info - 24);
                let argument = self.take(width)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
                let least = if width == 1 { 24 } else { 1 << (width * 4) };
                if argument < least {
                    return Err(CborError::NotMinimal);
                }
                argument
            }
            31 if matches!(major, 2..=5) => return Err(CborError::IndefiniteLength),
            _ => return Err(CborError::ReservedHead),
        };
        Ok(Head { major, argument })
    }

    /// Reads a map key, which must come after `last` in canonical order.
    fn key(&mut self, last: &mut Option<&'a [u8]>) -> Result<(), CborError> {
        let head = self.head()?;
        if head.major != 3 {
            return Err(CborError::KeyNotText);
        }
        let key = self.text(head.argument)?;
        if let Some(last) = *last {
            if key == last {
                return Err(CborError::DuplicateKey);
            }
            if (key.len(), key) < (last.len(), last) {
                return Err(CborError::UnsortedKeys);
            }
        }
        *last = Some(key);
        Ok(())
    }

    /// Reads a whole scalar, or the head of a list or map, which it returns.
    fn value(&mut self) -> Result<Option<Open<'a>>, CborError> {
        let Head { major, argument } = self.head()?;
        match major {
            0 if argument > MAX_INTEGER => return Err(CborError::IntegerTooLarge),
            1 => return Err(CborError::NegativeInteger),
            2 => {
                self.take(argument)?;
            }
            3 => {
                self.text(argument)?;
            }
            4 | 5 => {
                // No item is shorter than a byte: a count beyond the bytes left cannot be met.
                if argument > self.0.len() as u64 {
                    return Err(CborError::Truncated);
                }
                return Ok(Some(Open { items_left: argument, map: major == 5, last_key: None }));
            }
            6 => self.link(argument)?,
            _ => {}
        }
        Ok(None)
    }

    fn text(&mut self, length: u64) -> Result<&'a [u8], CborError> {
        let text = self.take(length)?;
        std::str::from_utf8(text).map_err(|_| CborError::InvalidUtf8)?;
        Ok(text)
    }

    fn link(&mut self, tag: u64) -> Result<(), CborError> {
        if tag != LINK_TAG {
            return Err(CborError::UnknownTag);
        }
        let head = self.head()?;
        if head.major != 2 {
            return Err(CborError::InvalidLink);
        }
        match self.take(head.argument)? {
            [0, cid @ ..] if Cid::from_bytes(cid).is_ok() => Ok(()),
            _ => Err(CborError::InvalidLink),
        }
    }
}
