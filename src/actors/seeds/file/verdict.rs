//! What the copies together say about one slot. Pure.

use super::slot::{LOST, Slot, SlotBytes, Wrapped, free, tombstone};
use crate::actors::seeds::CidBytes;

/// The one truth about a slot.
pub enum Verdict {
    /// No copy ever used it.
    Free,
    /// This seed; a copy without it, or with it torn, is repaired.
    Used(Wrapped),
    /// Shredded: one copy that says so outvotes copies that missed it.
    Shredded(CidBytes),
    /// No copy can read it. A free slot in another copy proves nothing: that copy may be an old one.
    Damaged(CidBytes),
    /// Copies hold different seeds, of these orders.
    Conflict(Vec<CidBytes>),
}

/// Judges what the present copies hold in one slot.
pub fn judge(slots: &[Slot]) -> Verdict {
    let mut used: Option<&Wrapped> = None;
    let mut shredded: Option<&CidBytes> = None;
    let mut named = Vec::new();
    let mut differ = false;
    for slot in slots {
        match slot {
            Slot::Used(wrapped) => {
                named.push(wrapped.placed);
                used = Some(match used {
                    Some(other) if other == wrapped || is_newer(other, wrapped) => other,
                    Some(other) => {
                        differ |= !is_newer(wrapped, other);
                        wrapped
                    }
                    None => wrapped,
                });
            }
            Slot::Shredded(placed) => {
                named.push(*placed);
                shredded = Some(placed);
            }
            _ => (),
        }
    }
    named.sort_unstable();
    named.dedup();
    match (shredded, used) {
        _ if named.len() > 1 => Verdict::Conflict(named),
        (Some(placed), _) => Verdict::Shredded(*placed),
        (None, Some(_)) if differ => Verdict::Conflict(named),
        (None, Some(wrapped)) => Verdict::Used(wrapped.clone()),
        (None, None) => judge_empty(slots),
    }
}

/// The same seed, wrapped anew since: a copy that was away has the older wrapping.
fn is_newer(one: &Wrapped, other: &Wrapped) -> bool {
    one.placed == other.placed && one.commitment == other.commitment && one.generation > other.generation
}

fn judge_empty(slots: &[Slot]) -> Verdict {
    let torn = slots.iter().find_map(|slot| match slot {
        Slot::Damaged(placed) => Some(*placed),
        _ => None,
    });
    match torn {
        Some(placed) => Verdict::Damaged(placed),
        None if slots.contains(&Slot::Free) => Verdict::Free,
        // Every copy was cut off before it, and every header says it was there.
        None => Verdict::Damaged([0xff; 36]),
    }
}

impl Verdict {
    /// What a copy that holds `slot` must be given, if anything.
    pub fn repair(&self, slot: &Slot, store_id: &[u8; 16], number: u32) -> Option<SlotBytes> {
        match (self, slot) {
            (Self::Used(wrapped), Slot::Free | Slot::Absent | Slot::Damaged(_)) => {
                Some(wrapped.to_bytes(store_id, number))
            }
            (Self::Used(wrapped), Slot::Used(other)) if is_newer(wrapped, other) => {
                Some(wrapped.to_bytes(store_id, number))
            }
            (Self::Shredded(_), Slot::Shredded(_)) => None,
            (Self::Shredded(placed), _) => Some(tombstone(placed, store_id, number)),
            (Self::Free, Slot::Absent) => Some(free(store_id, number)),
            (Self::Damaged(_) | Self::Conflict(_), Slot::Absent) => Some(LOST),
            _ => None,
        }
    }
}
