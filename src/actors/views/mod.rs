//! The read models on disk: what queries read, derived from the log and from nothing else.
//!
//! ```text
//! engine ── RocksDB, small        database ── families, generations, which is current
//! feed   ── the log, decoded      write    ── apply, rebuild, begin anew
//! replay ── the same in memory    queries  ── what the API asks
//! ```
//!
//! Each projection has a column family for each generation (`orders.3`), in which its rows, its position and its digest
//! change in one write; the family `meta` says which generation is current.

mod database;
mod engine;
mod error;
mod feed;
mod queries;
mod replay;
#[cfg(test)]
pub(crate) mod tests;
mod write;

pub use database::Standing;
pub use error::ViewsError;
pub use feed::{BATCH_RECORDS, Entry, Feed};
pub use queries::{Counts, HistoryPlace, PAGE_ROWS_MAX, Queries, ToFetch};
pub use replay::{Difference, Replay};
pub use write::Views;
