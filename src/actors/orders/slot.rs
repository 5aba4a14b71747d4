//! An order in memory.

use dta_events::order::Order;

/// An order in memory. The lock is fair, so it is the order's queue.
#[derive(Default)]
pub(super) struct Slot {
    /// What the log says, once it was read; none again after a write that did not go as expected.
    pub(super) loaded: Option<Loaded>,
}

/// An order as the log has it.
pub(super) struct Loaded {
    pub(super) order: Order,
    /// How many records it has, refusals included.
    pub(super) version: u64,
    /// The newest of them.
    pub(super) newest: Option<u64>,
}
