//! The first page of a seed file: whose it is, its key encryption keys, and how many slots there must be.
//!
//! The page has two halves, each complete. A change writes one half, syncs, then the other, so that a torn write
//! never costs the KEKs, and a file cut short is noticed because its header remembers how long it was.
//!
//! A half, 2,048 bytes, integers little-endian: magic (8) ‖ format (4) ‖ slots (4) ‖ store id (16) ‖ version (4) ‖ number of
//! KEKs (1) ‖ the KEKs (299 each) ‖ zeros to 1,988 ‖ seal (28) ‖ SHA-256 of all before it (32). Of headers of one store the one with
//! the greatest version counts. The seal is a nonce (12) and the tag (16) of AES-256-GCM over node ‖ what stands from the store id to
//! the seal, under a key of the node's seed: so that nobody else makes a header.
//!
//! A KEK: id (16) ‖ kind (1) ‖ role (1) ‖ token, label and material, each its length (1) and its bytes, then zeros to 64, 64 and 150.

use sha2::{Digest, Sha256};

use crate::actors::seeds::kek::{KekEntry, KekKind, Role};

/// Bytes of the header; slots begin behind it.
pub const PAGE_BYTES: usize = 4096;
/// Bytes of each half.
pub const HALF_BYTES: usize = PAGE_BYTES / 2;
/// KEKs that a store may have at once: two in use, and those that they replace.
pub const KEKS_MAX: usize = 6;
/// Bytes of a seal: its nonce and its tag.
pub const SEAL_BYTES: usize = 28;

const MAGIC: &[u8; 8] = b"DTASEEDS";
// 1 held the seed without the key that it makes; 2 had one KEK, sealed under the node's seed.
pub(super) const FORMAT: u32 = 3;
const STORE_AT: usize = 16;
const KEKS_AT: usize = 37;
const NAME_BYTES: usize = 64;
const MATERIAL_BYTES: usize = 150;
const KEK_BYTES: usize = 18 + 3 + 2 * NAME_BYTES + MATERIAL_BYTES;
const SEAL_AT: usize = CHECKSUM_AT - SEAL_BYTES;
const CHECKSUM_AT: usize = HALF_BYTES - 32;

/// What is the same in all copies of a store. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Random; tells stores apart.
    pub store_id: [u8; 16],
    /// Grows with every change of the KEKs.
    pub version: u32,
    /// The key encryption keys; one is [`Role::First`].
    pub keks: Vec<KekEntry>,
    /// Made by who has the node's seed.
    pub seal: [u8; SEAL_BYTES],
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
        let mut writer = Writer { half: &mut half, at: 0 };
        writer.put(MAGIC);
        writer.put(&FORMAT.to_le_bytes());
        writer.put(&slots.to_le_bytes());
        writer.put(&self.store_id);
        writer.put(&self.version.to_le_bytes());
        writer.put(&[self.keks.len() as u8]);
        for kek in self.keks.iter().take(KEKS_MAX) {
            writer.put(&kek.id);
            writer.put(&[kek.kind as u8, kek.role as u8]);
            writer.field(kek.token.as_bytes(), NAME_BYTES);
            writer.field(kek.label.as_bytes(), NAME_BYTES);
            writer.field(&kek.material, MATERIAL_BYTES);
        }
        half[SEAL_AT..CHECKSUM_AT].copy_from_slice(&self.seal);
        let checksum = Sha256::digest(&half[..CHECKSUM_AT]);
        half[CHECKSUM_AT..].copy_from_slice(&checksum);
        half
    }

    /// What the seal is about.
    pub fn sealed(&self) -> Vec<u8> {
        self.half(0)[STORE_AT..SEAL_AT].to_vec()
    }

    /// The header and the number of slots that a page tells: the newer one and the greater, if a change was interrupted.
    pub fn read(page: &[u8; PAGE_BYTES]) -> Result<(Self, u32), PageError> {
        let (first, second) = page.split_at(HALF_BYTES);
        match (read_half(first), read_half(second)) {
            (Ok((header, slots)), Ok((other, more))) => {
                let slots = slots.max(more);
                if header == other || header.is_newer_than(&other) {
                    Ok((header, slots))
                } else if other.is_newer_than(&header) {
                    Ok((other, slots))
                } else {
                    Err(PageError::Divided)
                }
            }
            (Err(PageError::OtherFormat), _) | (_, Err(PageError::OtherFormat)) => {
                Err(PageError::OtherFormat)
            }
            (Ok(found), Err(_)) | (Err(_), Ok(found)) => Ok(found),
            (Err(error), Err(_)) => Err(error),
        }
    }

    /// Of the same store, and later.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        self.store_id == other.store_id && self.version > other.version
    }
}

fn read_half(half: &[u8]) -> Result<(Header, u32), PageError> {
    if half[..8] != *MAGIC || half[CHECKSUM_AT..] != Sha256::digest(&half[..CHECKSUM_AT])[..] {
        return Err(PageError::Damaged);
    }
    if half[8..12] != FORMAT.to_le_bytes() {
        return Err(PageError::OtherFormat);
    }
    let slots = u32::from_le_bytes(array(&half[12..16]));
    let count = usize::from(half[KEKS_AT - 1]);
    if slots > super::MAX_SLOTS || count > KEKS_MAX {
        return Err(PageError::Damaged);
    }
    let keks = (0..count).map(|n| read_kek(&half[KEKS_AT + n * KEK_BYTES..][..KEK_BYTES]));
    let header = Header {
        store_id: array(&half[16..32]),
        version: u32::from_le_bytes(array(&half[32..36])),
        keks: keks.collect::<Option<_>>().ok_or(PageError::Damaged)?,
        seal: array(&half[SEAL_AT..CHECKSUM_AT]),
    };
    // Whatever is not read is zeros: one header has one form.
    if header.half(slots) == half { Ok((header, slots)) } else { Err(PageError::Damaged) }
}

fn read_kek(bytes: &[u8]) -> Option<KekEntry> {
    let field = |at: usize, size: usize| bytes[at + 1..=at + size].get(..usize::from(bytes[at]));
    let text = |at| String::from_utf8(field(at, NAME_BYTES)?.to_vec()).ok();
    Some(KekEntry {
        id: array(&bytes[..16]),
        kind: KekKind::from_byte(bytes[16])?,
        role: Role::from_byte(bytes[17])?,
        token: text(18)?,
        label: text(18 + 1 + NAME_BYTES)?,
        material: field(18 + 2 * (1 + NAME_BYTES), MATERIAL_BYTES)?.to_vec(),
    })
}

struct Writer<'a> {
    half: &'a mut [u8; HALF_BYTES],
    at: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.half[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    /// Of variable length, with room for `size`; whoever makes an entry holds it to that.
    fn field(&mut self, bytes: &[u8], size: usize) {
        let bytes = &bytes[..bytes.len().min(size)];
        self.put(&[bytes.len() as u8]);
        self.put(bytes);
        self.at += size - bytes.len();
    }
}

/// A field of a fixed layout; the caller's range has the length of the field.
pub fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    std::array::from_fn(|i| bytes[i])
}
