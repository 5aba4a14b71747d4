//! What keeps the node from answering now.

use thiserror::Error;

use super::crypto_pool::PoolBusy;
use super::log::{NotWritten, ReadError};
use super::seeds::{CopyStatus, SeedError};

/// What keeps the node from answering now. Nothing was half done; it may be tried again.
#[derive(Debug, Error)]
pub enum Unavailable {
    /// Too much is under way.
    #[error("too many commands are under way")]
    Busy,
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
    /// The log takes no records.
    #[error("the log: {0}")]
    NotWritten(NotWritten),
    /// The log cannot be read.
    #[error("the log: {0}")]
    Read(#[from] ReadError),
    /// Custody cannot do it now.
    #[error("custody: {0}")]
    Custody(#[from] SeedError),
    /// A copy of the seed store is away: no new seed could be kept as promised.
    #[error("custody: the seed copy in {} is missing", .0.folder.display())]
    CopyMissing(CopyStatus),
    /// The node's own data is not what it wrote.
    #[error("the node's own data: {0}")]
    Inconsistent(String),
}

impl From<PoolBusy> for Unavailable {
    fn from(_: PoolBusy) -> Self {
        Unavailable::Busy
    }
}
