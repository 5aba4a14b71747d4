//! One slot of a seed file: 512 bytes that hold the wrapped seed of one order, or say that it was shredded.
//!
//! Layout: state (1) ‖ placed CID (36) ‖ commitment (65) ‖ generation (4, little-endian) ‖ number of wrappings (1) ‖ the wrappings, each
//! KEK id (16) ‖ length (1) ‖ wrapped seed and key, then zeros to 128 ‖ zeros ‖ SHA-256 of store id ‖ slot number (4, little-endian) ‖ the
//! 480 bytes before (32). The checksum is bound to the place, so that a slot written elsewhere by a failing disk, or
//! brought from another store, counts as damaged. Each rewrapping counts the generation up, so that a copy that
//! missed one is known to be behind.

use super::header::array;
use crate::actors::seeds::kek::KekId;
use crate::actors::seeds::{CidBytes, Commitment};
use sha2::{Digest, Sha256};

/// Bytes of a slot; a divisor of every sector size, so that one write touches one sector.
pub const SLOT_BYTES: usize = 512;
/// Wrappings of one seed: under a KEK, and under a second one that opens it too.
pub const WRAPPINGS_MAX: usize = 2;
/// Bytes that a wrapping may have.
pub const WRAPPED_BYTES: usize = 128;
const _: () = assert!(dta_token::WRAPPED_MAX_BYTES <= WRAPPED_BYTES);
/// The bytes of a slot.
pub type SlotBytes = [u8; SLOT_BYTES];
/// Stands where a slot was cut off and no copy has it: reads as damaged, never as free.
pub const LOST: SlotBytes = [0xff; SLOT_BYTES];

// No state is all zeros: a slot that a disk lost and returns as zeros must not look free.
const FREE: u8 = 1;
const USED: u8 = 2;
const SHREDDED: u8 = 3;
const CHECKSUM_AT: usize = SLOT_BYTES - 32;
const WRAPPINGS_AT: usize = 107;
const WRAPPING_BYTES: usize = 17 + WRAPPED_BYTES;

/// A seed and the key that it makes, under one KEK. Nothing in it is secret without that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapping {
    /// The KEK.
    pub kek: KekId,
    /// As that KEK wraps: at most [`WRAPPED_BYTES`].
    pub bytes: Vec<u8>,
}

/// A wrapped seed; nothing in it is secret without a KEK.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// The order.
    pub placed: CidBytes,
    /// The public half of the key that the seed makes.
    pub commitment: Commitment,
    /// How often it was wrapped anew.
    pub generation: u32,
    /// Each of them opens; one or two.
    pub wrappings: Vec<Wrapping>,
}

/// What a copy holds in one slot.
#[derive(Clone, PartialEq, Eq)]
pub enum Slot {
    /// The file ends before it.
    Absent,
    /// Never used.
    Free,
    /// Holds a seed.
    Used(Wrapped),
    /// Held the seed of this order.
    Shredded(CidBytes),
    /// Cannot be read; with what stands in place of the placed CID, which may be torn too.
    Damaged(CidBytes),
}

impl Slot {
    /// Reads slot number `number` of a store.
    pub fn read(bytes: &SlotBytes, store_id: &[u8; 16], number: u32) -> Self {
        let placed = array(&bytes[1..37]);
        if bytes[CHECKSUM_AT..] != checksum(bytes, store_id, number) {
            return Self::Damaged(placed);
        }
        match bytes[0] {
            FREE => Self::Free,
            USED => match wrappings(bytes) {
                Some(wrappings) => Self::Used(Wrapped {
                    placed,
                    commitment: array(&bytes[37..102]),
                    generation: u32::from_le_bytes(array(&bytes[102..106])),
                    wrappings,
                }),
                None => Self::Damaged(placed),
            },
            SHREDDED => Self::Shredded(placed),
            _ => Self::Damaged(placed),
        }
    }
}

impl Wrapped {
    /// The slot's bytes at this place.
    pub fn to_bytes(&self, store_id: &[u8; 16], number: u32) -> SlotBytes {
        let mut bytes = [0; SLOT_BYTES];
        bytes[0] = USED;
        bytes[1..37].copy_from_slice(&self.placed);
        bytes[37..102].copy_from_slice(&self.commitment);
        bytes[102..106].copy_from_slice(&self.generation.to_le_bytes());
        bytes[106] = self.wrappings.len() as u8;
        for (n, wrapping) in self.wrappings.iter().take(WRAPPINGS_MAX).enumerate() {
            let field = &mut bytes[WRAPPINGS_AT + n * WRAPPING_BYTES..][..WRAPPING_BYTES];
            let len = wrapping.bytes.len().min(WRAPPED_BYTES);
            field[..16].copy_from_slice(&wrapping.kek);
            field[16] = len as u8;
            field[17..17 + len].copy_from_slice(&wrapping.bytes[..len]);
        }
        with_checksum(bytes, store_id, number)
    }
}

fn wrappings(bytes: &SlotBytes) -> Option<Vec<Wrapping>> {
    let count = usize::from(bytes[106]);
    let one = |n: usize| {
        let field = &bytes[WRAPPINGS_AT + n * WRAPPING_BYTES..][..WRAPPING_BYTES];
        let wrapped = field[17..].get(..usize::from(field[16]))?;
        Some(Wrapping { kek: array(&field[..16]), bytes: wrapped.to_vec() })
    };
    if (1..=WRAPPINGS_MAX).contains(&count) { (0..count).map(one).collect() } else { None }
}

/// The bytes of a slot that was never used.
pub fn free(store_id: &[u8; 16], number: u32) -> SlotBytes {
    let mut bytes = [0; SLOT_BYTES];
    bytes[0] = FREE;
    with_checksum(bytes, store_id, number)
}

/// The bytes that replace a shredded seed: its order and zeros.
pub fn tombstone(placed: &CidBytes, store_id: &[u8; 16], number: u32) -> SlotBytes {
    let mut bytes = [0; SLOT_BYTES];
    bytes[0] = SHREDDED;
    bytes[1..37].copy_from_slice(placed);
    with_checksum(bytes, store_id, number)
}

fn with_checksum(mut bytes: SlotBytes, store_id: &[u8; 16], number: u32) -> SlotBytes {
    let sum = checksum(&bytes, store_id, number);
    bytes[CHECKSUM_AT..].copy_from_slice(&sum);
    bytes
}

fn checksum(bytes: &SlotBytes, store_id: &[u8; 16], number: u32) -> [u8; 32] {
    Sha256::new()
        .chain_update(store_id)
        .chain_update(number.to_le_bytes())
        .chain_update(&bytes[..CHECKSUM_AT])
        .finalize()
        .into()
}
