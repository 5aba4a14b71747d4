//! What is in a store, in memory: built from the slots when it is opened, then kept in step.

use super::slot::Wrapped;
use super::verdict::Verdict;
use crate::actors::seeds::kek::KekId;
use crate::actors::seeds::{CidBytes, Commitment};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What is known about an order.
#[derive(Clone)]
pub enum Known {
    /// Its seed is in this slot.
    Used {
        /// The slot's number.
        slot: u32,
        /// The public half of its key.
        commitment: Commitment,
        /// The KEKs that open it.
        keks: Vec<KekId>,
    },
    /// Its seed was in this slot.
    Shredded {
        /// The slot's number.
        slot: u32,
    },
    /// Copies or slots disagree about it.
    Conflict,
}

/// The index of a store: order to slot, about 200 bytes an order.
#[derive(Default)]
pub struct Book {
    /// Every order with a slot.
    pub orders: HashMap<CidBytes, Known>,
    /// Numbers of the slots that were never used.
    pub free: BTreeSet<u32>,
    /// The unreadable slots, with what stands in place of the order.
    pub damaged: BTreeMap<u32, CidBytes>,
    /// How many slots there are.
    pub slots: u32,
}

impl Book {
    /// Enters the verdict about the next slot.
    pub fn enter(&mut self, verdict: Verdict) {
        let slot = self.slots;
        self.slots += 1;
        match verdict {
            Verdict::Free => _ = self.free.insert(slot),
            Verdict::Used(wrapped) => self.know(wrapped.placed, used(slot, &wrapped)),
            Verdict::Shredded(placed) => self.know(placed, Known::Shredded { slot }),
            Verdict::Damaged(placed) => _ = self.damaged.insert(slot, placed),
            Verdict::Conflict(orders) => {
                for placed in orders {
                    self.orders.insert(placed, Known::Conflict);
                }
            }
        }
    }

    /// Enters what was just written into a slot.
    pub fn know_used(&mut self, slot: u32, wrapped: &Wrapped) {
        self.orders.insert(wrapped.placed, used(slot, wrapped));
    }

    /// The damaged slot that holds the name of this order.
    pub fn damaged_slot_of(&self, placed: &CidBytes) -> Option<u32> {
        self.damaged.iter().find(|(_, found)| *found == placed).map(|(slot, _)| *slot)
    }

    /// An order has one slot; a second one is a contradiction, whatever is in it.
    fn know(&mut self, placed: CidBytes, known: Known) {
        match self.orders.entry(placed) {
            Entry::Vacant(vacant) => _ = vacant.insert(known),
            Entry::Occupied(mut taken) => _ = taken.insert(Known::Conflict),
        }
    }
}

fn used(slot: u32, wrapped: &Wrapped) -> Known {
    let keks = wrapped.wrappings.iter().map(|wrapping| wrapping.kek).collect();
    Known::Used { slot, commitment: wrapped.commitment, keks }
}
