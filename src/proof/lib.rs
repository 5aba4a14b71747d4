//! The proof of the log: what of a record is disclosed ([`Leaf`]), the Merkle tree over these ([`tree`]), and the signed
//! note by which a log's owner commits to a whole tree ([`Note`]); and the chain of checkpoints that hold these ([`checkpoints`]).
//!
//! Hashing is that of RFC 6962; tiles are those of C2SP tlog-tiles, notes those of C2SP signed-note and tlog-checkpoint, so
//! that what exists for such logs works on these. Pure: no I/O, no clock, no randomness.

pub mod checkpoints;
mod leaf;
mod note;
pub mod tile;
pub mod tree;

pub use leaf::{Leaf, LeafError};
pub use note::{Note, NoteError, Origin, verifier_key};
pub use tree::Hash;

#[cfg(test)]
mod tests;
