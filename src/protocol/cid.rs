//! Content identifiers: the only two shapes this protocol names blocks by.
//!
//! CIDv1 with SHA2-256, codec `dag-cbor` (0x71) for envelopes and `raw` (0x55) for sealed bodies; 36 bytes in binary,
//! lower-case base32 with the multibase prefix `b` (59 characters) in text. Identity hashes, other lengths, other
//! bases and CIDv0 are refused, so that one block has one name.

use std::fmt;
use std::str::FromStr;

use ipld_core::cid::multihash::Multihash;
use ipld_core::ipld::Ipld;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Bytes of a CID in binary: version, codec, hash code, hash length, digest.
pub const CID_BYTES: usize = 36;

const DIGEST_BYTES: usize = 32;
const VERSION: u8 = 1;
const SHA2_256: u8 = 0x12;

/// What the bytes of a block are. Ordered as their codes are, so that CIDs sort as their bytes do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// 0x55: a sealed body, opaque bytes.
    Raw,
    /// 0x71: an envelope.
    DagCbor,
}

impl Codec {
    /// The multicodec code, one byte for both.
    pub const fn code(self) -> u8 {
        match self {
            Codec::Raw => 0x55,
            Codec::DagCbor => 0x71,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            0x55 => Some(Codec::Raw),
            0x71 => Some(Codec::DagCbor),
            _ => None,
        }
    }
}

/// The name of a block: its codec and the SHA-256 of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cid {
    codec: Codec,
    digest: [u8; DIGEST_BYTES],
}

/// Why bytes or text are not a CID of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CidError {
    /// Not 36 bytes.
    #[error("a CID is 36 bytes, not {0}")]
    Length(usize),
    /// Not version 1.
    #[error("CID version must be 1")]
    Version,
    /// Neither `raw` nor `dag-cbor`.
    #[error("CID codec must be dag-cbor (0x71) or raw (0x55)")]
    Codec,
    /// Not SHA2-256 with 32 bytes of digest.
    #[error("CID hash must be SHA2-256 of 32 bytes")]
    Hash,
    /// Not lower-case base32 with the prefix `b`, or not the canonical spelling.
    #[error("CID text must be canonical lower-case base32 with the prefix b")]
    Text,
}

impl CidError {
    /// A stable name for this error.
    pub const fn code(&self) -> &'static str {
        match self {
            CidError::Length(_) => "cid-length",
            CidError::Version => "cid-version",
            CidError::Codec => "cid-codec",
            CidError::Hash => "cid-hash",
            CidError::Text => "cid-text",
        }
    }
}

impl Cid {
    /// The CID of a block with these bytes.
    pub fn of(codec: Codec, bytes: &[u8]) -> Self {
        Self { codec, digest: Sha256::digest(bytes).into() }
    }

    /// The 36 bytes: `01`, codec, `12 20`, digest.
    pub fn to_bytes(&self) -> [u8; CID_BYTES] {
        let mut bytes = [0; CID_BYTES];
        bytes[..4].copy_from_slice(&[VERSION, self.codec.code(), SHA2_256, DIGEST_BYTES as u8]);
        bytes[4..].copy_from_slice(&self.digest);
        bytes
    }

    /// Reads the 36 bytes; refuses every other version, codec, hash and length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CidError> {
        let bytes: &[u8; CID_BYTES] = bytes.try_into().map_err(|_| CidError::Length(bytes.len()))?;
        let [version, codec, hash, length, digest @ ..] = *bytes;
        if version != VERSION {
            return Err(CidError::Version);
        }
        let codec = Codec::from_code(codec).ok_or(CidError::Codec)?;
        if (hash, length) != (SHA2_256, DIGEST_BYTES as u8) {
            return Err(CidError::Hash);
        }
        Ok(Self { codec, digest })
    }

    /// The SHA-256 of the block.
    pub const fn digest(&self) -> &[u8; DIGEST_BYTES] {
        &self.digest
    }

    /// What the bytes of the block are.
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// Whether `bytes` are the block this CID names.
    pub fn names(&self, bytes: &[u8]) -> bool {
        *self == Self::of(self.codec, bytes)
    }

    /// The same CID as a DAG-CBOR link.
    pub(crate) fn link(&self) -> Ipld {
        Ipld::Link(self.foreign())
    }

    /// Reads a link; refuses what [`Cid::from_bytes`] refuses.
    pub(crate) fn from_link(link: &ipld_core::cid::Cid) -> Result<Self, CidError> {
        Self::from_bytes(&link.to_bytes())
    }

    fn foreign(&self) -> ipld_core::cid::Cid {
        // Wrapping fails only for digests over 64 bytes; this one is 32.
        let hash = Multihash::wrap(u64::from(SHA2_256), &self.digest).unwrap_or_default();
        ipld_core::cid::Cid::new_v1(u64::from(self.codec.code()), hash)
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.foreign(), f)
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Cid {
    type Err = CidError;

    fn from_str(text: &str) -> Result<Self, CidError> {
        let foreign = ipld_core::cid::Cid::from_str(text).map_err(|_| CidError::Text)?;
        let cid = Self::from_link(&foreign)?;
        // The parser also takes other bases, upper case and `/ipfs/` paths: one CID, one spelling.
        if cid.to_string() == text { Ok(cid) } else { Err(CidError::Text) }
    }
}

/// Stored as its 36 bytes, without a length.
impl Serialize for Cid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let [version, codec, hash, length, ..] = self.to_bytes();
        ([version, codec, hash, length], self.digest).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Cid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (head, digest) = <([u8; 4], [u8; DIGEST_BYTES])>::deserialize(deserializer)?;
        Self::from_bytes(&[&head[..], &digest].concat()).map_err(de::Error::custom)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Well-known: the CID of `hello world` as a raw block, as `ipfs add --raw-leaves --cid-version 1` prints it.
    const HELLO: &str = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";

    #[test]
    fn a_known_block_has_its_known_name() {
        let cid = Cid::of(Codec::Raw, b"hello world");
        assert_eq!(cid.to_string(), HELLO);
        assert_eq!(HELLO.parse(), Ok(cid));
        assert_eq!(Cid::from_bytes(&cid.to_bytes()), Ok(cid));
        assert!(cid.names(b"hello world") && !cid.names(b"hello worle"));
    }

    #[test]
    fn order_is_that_of_the_bytes() {
        let mut cids: Vec<Cid> =
            (0..40u8).map(|n| Cid::of(if n % 2 == 0 { Codec::Raw } else { Codec::DagCbor }, &[n])).collect();
        cids.sort();
        assert!(cids.windows(2).all(|pair| pair[0].to_bytes() < pair[1].to_bytes()));
    }

    #[test]
    fn it_is_stored_as_its_bytes() {
        let cid = Cid::of(Codec::Raw, b"x");
        let stored = serde_json::to_string(&cid).unwrap();
        assert!(stored.starts_with("[[1,85,18,32],["), "{stored}");
        assert_eq!(serde_json::from_str::<Cid>(&stored).unwrap(), cid);
        assert!(serde_json::from_str::<Cid>(&stored.replacen("85", "86", 1)).is_err());
    }

    #[test]
    fn every_other_shape_is_refused() {
        let good = Cid::of(Codec::DagCbor, b"x").to_bytes();
        let edited = |at: usize, to: u8| {
            let mut bytes = good;
            bytes[at] = to;
            Cid::from_bytes(&bytes)
        };
        assert_eq!(edited(0, 0), Err(CidError::Version));
        assert_eq!(edited(0, 2), Err(CidError::Version));
        assert_eq!(edited(1, 0x70), Err(CidError::Codec));
        assert_eq!(edited(2, 0x00), Err(CidError::Hash));
        assert_eq!(edited(3, 31), Err(CidError::Hash));
        assert_eq!(Cid::from_bytes(&good[..35]), Err(CidError::Length(35)));
        assert_eq!(Cid::from_bytes(&[]), Err(CidError::Length(0)));
    }

    #[test]
    fn every_other_spelling_is_refused() {
        let path = format!("/ipfs/{HELLO}");
        let upper = HELLO.to_uppercase();
        let padded = format!("{HELLO} ");
        let v0 = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG";
        for text in [path.as_str(), &upper, &padded, &HELLO[1..], "", "b"] {
            assert_eq!(text.parse::<Cid>(), Err(CidError::Text), "{text}");
        }
        assert_eq!(v0.parse::<Cid>(), Err(CidError::Length(34)));
    }
}
