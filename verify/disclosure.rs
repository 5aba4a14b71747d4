//! What the parties choose to reveal: content keys of sealed bodies, and blocks that are not for everyone.
//!
//! JSON, exactly `{"v": 1, "order": CID, "keys": {CID: hex}, "blocks": {CID: hex}}`. `keys`: 32 bytes for each sealed body.
//! `blocks`: the documents of parties who have signed nothing, and the sealed secret where it is to be judged.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use dta_crypto::{ContentKey, Secret};
use dta_protocol::{Cid, Codec};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use thiserror::Error;
use zeroize::Zeroizing;

/// Bytes of one file: four times what its blocks can be.
pub const MAX_DISCLOSURE_BYTES: usize = 4 * 1024 * 1024;
/// Keys of one file, at most: two bodies a step, and the secret.
const MAX_KEYS: usize = 64;
/// Blocks of one file, at most.
const MAX_BLOCKS: usize = 8;
/// Bytes of one block, at most: of a sealed body.
const MAX_BLOCK_BYTES: usize = 256 * 1024;
const VERSION: u64 = 1;

/// A disclosure. Whoever has it reads what it has the keys to: it has no `Debug`, and its keys are wiped.
pub struct Disclosure {
    order: Cid,
    keys: BTreeMap<Cid, ContentKey>,
    blocks: BTreeMap<Cid, Vec<u8>>,
}

/// Why a text is no disclosure.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DisclosureError {
    /// More than 4 MiB.
    #[error("a disclosure is at most {MAX_DISCLOSURE_BYTES} bytes, not {0}")]
    TooLarge(usize),
    /// Not JSON of this shape. The text names line and column, and never a value.
    #[error("{0}")]
    Json(String),
    /// A version other than 1.
    #[error("v: is {0}; this version reads 1")]
    Version(u64),
    /// Too many entries.
    #[error("{field}: at most {limit}")]
    Limit {
        /// The field.
        field: &'static str,
        /// The most it may have.
        limit: usize,
    },
    /// A CID that is none, or of the wrong codec.
    #[error("{0}: an entry is not the CID of what belongs there")]
    Cid(&'static str),
    /// A key that is not 64 digits.
    #[error("keys: the key of {0} is not 32 bytes in lower-case hex")]
    Key(Cid),
    /// A block that is not hex, too long, or not what its CID says.
    #[error("blocks: {0} is not the block of that CID in lower-case hex")]
    Block(Cid),
}

impl DisclosureError {
    /// A stable name for this error.
    pub const fn code(&self) -> &'static str {
        match self {
            DisclosureError::TooLarge(_) => "disclosure-too-large",
            DisclosureError::Json(_) => "disclosure-json",
            DisclosureError::Version(_) => "version-unsupported",
            DisclosureError::Limit { .. } => "disclosure-limit",
            DisclosureError::Cid(_) => "disclosure-cid",
            DisclosureError::Key(_) => "disclosure-key",
            DisclosureError::Block(_) => "disclosure-block",
        }
    }
}

/// The file as it stands; its texts are borrowed from it, so that no copy of a key stays behind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<'a> {
    v: u64,
    #[serde(borrow)]
    order: &'a str,
    #[serde(borrow, deserialize_with = "entries")]
    keys: BTreeMap<&'a str, &'a str>,
    #[serde(borrow, deserialize_with = "entries")]
    blocks: BTreeMap<&'a str, &'a str>,
}

impl Disclosure {
    /// A disclosure of nothing, about the order with this `order/placed`.
    pub fn new(order: Cid) -> Self {
        Self { order, keys: BTreeMap::new(), blocks: BTreeMap::new() }
    }

    /// Reveals the key of a sealed body.
    pub fn add_key(&mut self, body: Cid, key: ContentKey) {
        self.keys.insert(body, key);
    }

    /// Reveals a block.
    pub fn add_block(&mut self, cid: Cid, block: Vec<u8>) {
        self.blocks.insert(cid, block);
    }

    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it, without what it says.
    pub fn decode(json: &str) -> Result<Self, DisclosureError> {
        if json.len() > MAX_DISCLOSURE_BYTES {
            return Err(DisclosureError::TooLarge(json.len()));
        }
        let place = |error: serde_json::Error| {
            DisclosureError::Json(format!(
                "not a disclosure: line {}, column {}",
                error.line(),
                error.column()
            ))
        };
        let file: File<'_> = serde_json::from_str(json).map_err(place)?;
        if file.v != VERSION {
            return Err(DisclosureError::Version(file.v));
        }
        for (field, count, limit) in
            [("keys", file.keys.len(), MAX_KEYS), ("blocks", file.blocks.len(), MAX_BLOCKS)]
        {
            if count > limit {
                return Err(DisclosureError::Limit { field, limit });
            }
        }
        let mut disclosure = Self::new(cid("order", file.order, Some(Codec::DagCbor))?);
        for (body, digits) in file.keys {
            let body = cid("keys", body, Some(Codec::Raw))?;
            disclosure.keys.insert(body, key(digits).ok_or(DisclosureError::Key(body))?);
        }
        for (name, digits) in file.blocks {
            let name = cid("blocks", name, None)?;
            let block = block(digits).filter(|block| name.names(block));
            disclosure.blocks.insert(name, block.ok_or(DisclosureError::Block(name))?);
        }
        Ok(disclosure)
    }

    /// The file; it wipes itself.
    pub fn encode(&self) -> Zeroizing<String> {
        let blocks: usize = self.blocks.values().map(|block| 2 * block.len() + 80).sum();
        // Never grows, so no copy of a key is left behind.
        let mut json = Zeroizing::new(String::with_capacity(256 + 160 * self.keys.len() + blocks));
        let first = format!("{{\n\"v\": {VERSION},\n\"order\": \"{}\",\n\"keys\": {{", self.order);
        json.push_str(&first);
        for (at, (body, key)) in self.keys.iter().enumerate() {
            json.push_str(if at == 0 { "\n" } else { ",\n" });
            let digits = Zeroizing::new(hex::encode(key.expose()));
            entry(&mut json, body, &digits);
        }
        json.push_str("\n},\n\"blocks\": {");
        for (at, (cid, block)) in self.blocks.iter().enumerate() {
            json.push_str(if at == 0 { "\n" } else { ",\n" });
            entry(&mut json, cid, &hex::encode(block));
        }
        json.push_str("\n}\n}\n");
        json
    }

    /// The order it is about.
    pub fn order(&self) -> Cid {
        self.order
    }

    /// The bodies whose keys it has.
    pub fn bodies(&self) -> impl Iterator<Item = Cid> {
        self.keys.keys().copied()
    }

    pub(crate) fn key(&self, body: &Cid) -> Option<&ContentKey> {
        self.keys.get(body)
    }

    pub(crate) fn block(&self, cid: &Cid) -> Option<&[u8]> {
        self.blocks.get(cid).map(Vec::as_slice)
    }

    pub(crate) fn blocks(&self) -> impl Iterator<Item = Cid> {
        self.blocks.keys().copied()
    }

    /// The blocks that may be documents of identities.
    pub(crate) fn documents(&self) -> impl Iterator<Item = (&Cid, &[u8])> {
        let documents = self.blocks.iter().filter(|(cid, _)| cid.codec() == Codec::DagCbor);
        documents.map(|(cid, block)| (cid, block.as_slice()))
    }
}

fn entry(json: &mut String, cid: &Cid, digits: &str) {
    for part in ["\"", &cid.to_string(), "\": \"", digits, "\""] {
        json.push_str(part);
    }
}

fn cid(field: &'static str, text: &str, codec: Option<Codec>) -> Result<Cid, DisclosureError> {
    let cid: Cid = text.parse().map_err(|_| DisclosureError::Cid(field))?;
    let fits = codec.is_none_or(|codec| cid.codec() == codec);
    if fits { Ok(cid) } else { Err(DisclosureError::Cid(field)) }
}

fn is_lower(digits: &str) -> bool {
    digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

fn key(digits: &str) -> Option<ContentKey> {
    let mut valid = is_lower(digits);
    let secret: Secret<32> = Secret::build(|bytes| valid &= hex::decode_to_slice(digits, bytes).is_ok());
    valid.then(|| ContentKey::from_bytes(*secret.expose()))
}

fn block(digits: &str) -> Option<Vec<u8>> {
    let fits = is_lower(digits) && digits.len() <= 2 * MAX_BLOCK_BYTES;
    fits.then(|| hex::decode(digits).ok()).flatten()
}

/// A map that has no name twice.
fn entries<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<&'de str, &'de str>, D::Error> {
    struct Entries<'de>(PhantomData<&'de str>);

    impl<'de> Visitor<'de> for Entries<'de> {
        type Value = BTreeMap<&'de str, &'de str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map of texts")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = BTreeMap::new();
            while let Some((name, value)) = map.next_entry()? {
                if entries.insert(name, value).is_some() {
                    return Err(A::Error::custom("a name stands twice"));
                }
            }
            Ok(entries)
        }
    }

    from.deserialize_map(Entries(PhantomData))
}

#[cfg(test)]
mod tests;
