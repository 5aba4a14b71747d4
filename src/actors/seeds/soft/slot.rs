//! One slot of a seed file: 256 bytes that hold the wrapped seed of one order, or say that it was shredded.
//!
//! Layout: state (1) ‖ placed CID (36) ‖ commitment (65) ‖ nonce (12) ‖ sealed seed and key (80) ‖ zeros ‖
//! SHA-256 of store id ‖ slot number (4, little-endian) ‖ the 224 bytes before (32). The checksum is bound to the
//! place, so that a slot written elsewhere by a failing disk, or brought from another store, counts as damaged.

use super::header::array;
use crate::actors::seeds::{CidBytes, Commitment};
use sha2::{Digest, Sha256};

/// Bytes of a slot; a divisor of every sector size, so that one write touches one sector.
pub const SLOT_BYTES: usize = 256;
/// Bytes of a sealed seed with its key.
pub const SEALED_BYTES: usize = 80;
/// The bytes of a slot.
pub type SlotBytes = [u8; SLOT_BYTES];
/// Stands where a slot was cut off and no copy has it: reads as damaged, never as free.
pub const LOST: SlotBytes = [0xff; SLOT_BYTES];

// No state is all zeros: a slot that a disk lost and returns as zeros must not look free.
const FREE: u8 = 1;
const USED: u8 = 2;
const SHREDDED: u8 = 3;
const CHECKSUM_AT: usize = SLOT_BYTES - 32;

/// A wrapped seed; nothing in it is secret without the KEK.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// The order.
    pub placed: CidBytes,
    /// The public half of the key that the seed makes.
    pub commitment: Commitment,
    /// Random, for this sealing only.
    pub nonce: [u8; 12],
    /// The seed (32), the secret half of the key that it makes (32), and their tag (16).
    pub sealed: [u8; SEALED_BYTES],
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
            USED => Self::Used(Wrapped {
                placed,
                commitment: array(&bytes[37..102]),
                nonce: array(&bytes[102..114]),
                sealed: array(&bytes[114..194]),
            }),
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
        bytes[102..114].copy_from_slice(&self.nonce);
        bytes[114..194].copy_from_slice(&self.sealed);
        with_checksum(bytes, store_id, number)
    }
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
