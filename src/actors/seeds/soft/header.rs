//! The first page of a seed file: who it belongs to, its sealed KEK, and how many slots there must be.
//!
//! The page has two halves, each complete. A change writes one half, syncs, then the other, so that a torn write
//! never costs the KEK, and a file cut short is noticed because its header remembers how long it was.
//!
//! A half, 2,048 bytes, integers little-endian: magic (8) ‖ format (4) ‖ store id (16) ‖ KEK id (16) ‖
//! KEK nonce (12) ‖ sealed KEK (48) ‖ slots (4) ‖ zeros ‖ SHA-256 of all before it (32).

use sha2::{Digest, Sha256};

/// Bytes of the header; slots begin behind it.
pub const PAGE_BYTES: usize = 4096;
/// Bytes of each half.
pub const HALF_BYTES: usize = PAGE_BYTES / 2;

const MAGIC: &[u8; 8] = b"DTASEEDS";
// 1 held the seed without the key that it makes.
const FORMAT: u32 = 2;
const CHECKSUM_AT: usize = HALF_BYTES - 32;

/// What stays the same for the life of a store and in all its copies. Nothing in it is secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// Random; tells stores apart.
    pub store_id: [u8; 16],
    /// Random; names the KEK.
    pub kek_id: [u8; 16],
    /// The nonce under which the KEK is sealed.
    pub kek_nonce: [u8; 12],
    /// The KEK (32) and its tag (16).
    pub sealed_kek: [u8; 48],
}

/// Why a page is not a header.
#[derive(Debug, PartialEq, Eq)]
pub enum PageError {
    /// Neither half has its checksum.
    Damaged,
    /// Whole, but of a format that this program does not read.
    OtherFormat,
    /// The halves are whole and of different stores.
    Divided,
}

impl Header {
    /// One half of the page.
    pub fn half(&self, slots: u32) -> [u8; HALF_BYTES] {
        let mut half = [0; HALF_BYTES];
        let parts: [&[u8]; 7] = [
            MAGIC,
            &FORMAT.to_le_bytes(),
            &self.store_id,
            &self.kek_id,
            &self.kek_nonce,
            &self.sealed_kek,
            &slots.to_le_bytes(),
        ];
        let mut at = 0;
        for part in parts {
            half[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        let checksum = Sha256::digest(&half[..CHECKSUM_AT]);
        half[CHECKSUM_AT..].copy_from_slice(&checksum);
        half
    }

    /// The header and the number of slots that a page tells: the greater one, if a change was interrupted.
    pub fn read(page: &[u8; PAGE_BYTES]) -> Result<(Self, u32), PageError> {
        let (first, second) = page.split_at(HALF_BYTES);
        match (read_half(first), read_half(second)) {
            (Ok((header, slots)), Ok((other, more))) if header == other => Ok((header, slots.max(more))),
            (Ok(_), Ok(_)) => Err(PageError::Divided),
            (Err(PageError::OtherFormat), _) | (_, Err(PageError::OtherFormat)) => {
                Err(PageError::OtherFormat)
            }
            (Ok(found), Err(_)) | (Err(_), Ok(found)) => Ok(found),
            (Err(error), Err(_)) => Err(error),
        }
    }
}

fn read_half(half: &[u8]) -> Result<(Header, u32), PageError> {
    if half[..8] != *MAGIC || half[CHECKSUM_AT..] != Sha256::digest(&half[..CHECKSUM_AT])[..] {
        return Err(PageError::Damaged);
    }
    if half[8..12] != FORMAT.to_le_bytes() {
        return Err(PageError::OtherFormat);
    }
    let header = Header {
        store_id: array(&half[12..28]),
        kek_id: array(&half[28..44]),
        kek_nonce: array(&half[44..56]),
        sealed_kek: array(&half[56..104]),
    };
    let slots = u32::from_le_bytes(array(&half[104..108]));
    if slots > super::MAX_SLOTS { Err(PageError::Damaged) } else { Ok((header, slots)) }
}

/// A field of a fixed layout; the caller's range has the length of the field.
pub fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    std::array::from_fn(|i| bytes[i])
}
