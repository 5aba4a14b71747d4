//! The rules of an order, told with alice (principal), bob (fiduciary), carol (beneficiary), dave (a stranger to the
//! order) and mallory (who means harm), each on a node of its own or all on one.

mod between;
mod custody;
mod due;
mod equivocation;
mod kit;
mod matrix;
mod outbox;
mod pending;
mod policy;
mod proofs;
mod random;
mod roundtrip;
mod shred;
mod steps;
mod stored;
mod withdrawal;
mod world;
