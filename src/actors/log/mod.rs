//! The event log: one append-only history from which everything else is derived.
//!
//! [`port`] is what the rest of the node sees. One implementation of it, [`Log`], works over any ordered store of keys
//! ([`store`]): RocksDB ([`rocks`]) and memory ([`memory`], which can be told to fail). [`writer`] is the thread that
//! joins what waits into one synced batch.
//!
//! ```text
//! open ── checks the tail, then commit ── checks and numbers appends, one write a batch
//!                              read   ── the lookups
//! verify ── all of it          reindex ── builds the indexes again     adopt ── fills a new log from copies of its records
//! ```

pub(crate) mod acknowledged;
pub mod adopt;
mod chain;
mod commit;
mod keys;
pub mod memory;
mod open;
pub mod port;
mod read;
pub mod reindex;
pub mod rocks;
pub mod space;
pub mod store;
mod tree;
pub mod verify;
pub mod writer;

pub use open::{Entropy, Log, OpenError, ReadOnly, Writing};
pub use port::{
    Append, Appended, Block, BlockClass, CidBytes, Damage, EventLog, Head, HeldBlock, LogReader, NotWritten,
    PublishedAt, PublishedBlock, ReadError, StoredBlock, Uncertain,
};
pub use rocks::{RocksLog, RocksReader};
pub use tree::{Tree, leaf};
pub use writer::{LogHandle, LogWriter};

#[cfg(test)]
mod tests;
