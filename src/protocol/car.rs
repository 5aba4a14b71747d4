//! CARv1 files, bounded and checked: how blocks travel between nodes and to auditors.
//!
//! Ours because the crates for it are streams over an async runtime, and this package is pure. One root, a block of DAG-CBOR
//! that is among the blocks: an envelope, a page of deliveries or of a log's blocks, or a manifest; at most 64 blocks and 4 MiB; every block is what its CID says.

use std::collections::BTreeSet;

use ipld_core::ipld::Ipld;
use thiserror::Error;

use crate::canonical;
use crate::cid::{CID_BYTES, Cid, CidError, Codec};
use crate::fields::{FieldError, Fields, as_link};
use crate::statement::map;
use crate::strict::{self, CborError, MAX_INTEGER};

/// A block and its name.
pub type Block = (Cid, Vec<u8>);

/// Blocks of one file.
pub const MAX_BLOCKS: usize = 64;
/// Bytes of one file.
pub const MAX_CAR_BYTES: usize = 4 * 1024 * 1024;

/// Why bytes are not a CAR, or blocks cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CarError {
    /// Larger than 4 MiB.
    #[error("a CAR is at most 4194304 bytes, not {0}")]
    TooLarge(usize),
    /// The bytes end inside a section.
    #[error("the bytes end inside a section")]
    Truncated,
    /// A length that is not an unsigned varint in its shortest form, or is beyond 4 MiB.
    #[error("a length is not an unsigned varint in its shortest form")]
    Varint,
    /// The header is not canonical DAG-CBOR.
    #[error("header: {0}")]
    HeaderCbor(#[from] CborError),
    /// The header has other fields than `roots` and `version`.
    #[error("header: {0}")]
    HeaderField(#[from] FieldError),
    /// A version other than 1.
    #[error("header: field `version` is {0}; this version reads 1")]
    Version(u64),
    /// Not exactly one root.
    #[error("header: field `roots` holds {0} roots, not 1")]
    Roots(usize),
    /// More than 64 blocks.
    #[error("a CAR holds at most 64 blocks")]
    TooManyBlocks,
    /// A section does not begin with a CID of this protocol.
    #[error("section: {0}")]
    Cid(#[from] CidError),
    /// A block is not what its CID says.
    #[error("the bytes of block {0} are not what its CID says")]
    OtherBlock(Cid),
    /// A block appears twice.
    #[error("block {0} appears twice")]
    Duplicate(Cid),
    /// The root is not among the blocks.
    #[error("the root {0} is not among the blocks")]
    RootMissing(Cid),
}

impl CarError {
    /// A stable name for this error.
    pub const fn code(&self) -> &'static str {
        match self {
            CarError::TooLarge(_) => "car-too-large",
            CarError::Truncated => "car-truncated",
            CarError::Varint => "car-varint",
            CarError::HeaderCbor(error) => error.code(),
            CarError::HeaderField(error) => error.code(),
            CarError::Version(_) => "car-version",
            CarError::Roots(_) => "car-roots",
            CarError::TooManyBlocks => "car-too-many-blocks",
            CarError::Cid(error) => error.code(),
            CarError::OtherBlock(_) => "car-other-block",
            CarError::Duplicate(_) => "car-duplicate-block",
            CarError::RootMissing(_) => "car-root-missing",
        }
    }
}

/// Writes a CAR with the blocks in their order; one that is given twice is written once.
///
/// Fails where [`decode`] would refuse the result: more than 64 blocks or 4 MiB, or the root not a block of DAG-CBOR among them.
pub fn encode<'a>(root: Cid, blocks: impl IntoIterator<Item = (Cid, &'a [u8])>) -> Result<Vec<u8>, CarError> {
    let header =
        canonical::encode(&map([("roots", Ipld::List(vec![root.link()])), ("version", Ipld::Integer(1))]));
    read_header(&header)?;
    let mut car = Vec::new();
    write_varint(header.len(), &mut car);
    car.extend_from_slice(&header);
    let mut written = BTreeSet::new();
    for (cid, block) in blocks {
        if !written.insert(cid) {
            continue;
        }
        if written.len() > MAX_BLOCKS {
            return Err(CarError::TooManyBlocks);
        }
        write_varint(CID_BYTES + block.len(), &mut car);
        car.extend_from_slice(&cid.to_bytes());
        car.extend_from_slice(block);
        if car.len() > MAX_CAR_BYTES {
            return Err(CarError::TooLarge(car.len()));
        }
    }
    if written.contains(&root) { Ok(car) } else { Err(CarError::RootMissing(root)) }
}

/// Reads a CAR: its root and its blocks in their order, each checked against its CID.
pub fn decode(car: &[u8]) -> Result<(Cid, Vec<Block>), CarError> {
    if car.len() > MAX_CAR_BYTES {
        return Err(CarError::TooLarge(car.len()));
    }
    let mut rest = car;
    let root = read_header(section(&mut rest)?)?;
    let mut seen = BTreeSet::new();
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        if blocks.len() == MAX_BLOCKS {
            return Err(CarError::TooManyBlocks);
        }
        let section = section(&mut rest)?;
        let (cid, block) = section.split_at_checked(CID_BYTES).ok_or(CidError::Length(section.len()))?;
        let cid = Cid::from_bytes(cid)?;
        if !seen.insert(cid) {
            return Err(CarError::Duplicate(cid));
        }
        if !cid.names(block) {
            return Err(CarError::OtherBlock(cid));
        }
        blocks.push((cid, block.to_vec()));
    }
    if seen.contains(&root) { Ok((root, blocks)) } else { Err(CarError::RootMissing(root)) }
}

fn read_header(header: &[u8]) -> Result<Cid, CarError> {
    let mut fields = Fields::new("header", strict::decode(header)?)?;
    let version = fields.integer("version", MAX_INTEGER)?;
    if version != 1 {
        return Err(CarError::Version(version));
    }
    let mut roots = fields.list("roots", usize::MAX)?;
    fields.finish()?;
    match (roots.pop(), roots.len()) {
        (Some(root), 0) => Ok(as_link("roots", root, Codec::DagCbor)?),
        (Some(_), others) => Err(CarError::Roots(others + 1)),
        (None, _) => Err(CarError::Roots(0)),
    }
}

/// The next length and as many bytes.
fn section<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], CarError> {
    let length = read_varint(rest)?;
    let (section, after) = rest.split_at_checked(length).ok_or(CarError::Truncated)?;
    *rest = after;
    Ok(section)
}

/// An unsigned varint of at most 4 bytes, which hold every length within 4 MiB.
fn read_varint(rest: &mut &[u8]) -> Result<usize, CarError> {
    let mut value = 0;
    for place in 0..4 {
        let (&byte, after) = rest.split_first().ok_or(CarError::Truncated)?;
        *rest = after;
        value |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            // A last byte of zero adds nothing, unless it is the only one.
            return if byte == 0 && place > 0 { Err(CarError::Varint) } else { Ok(value) };
        }
    }
    Err(CarError::Varint)
}

fn write_varint(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
