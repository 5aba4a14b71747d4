//! What keeps the node from answering now.

use thiserror::Error;

use super::crypto_pool::PoolBusy;
use super::log::{NotWritten, ReadError};
use super::plugged::PluginFault;
use super::seeds::SeedError;

/// What keeps the node from answering now. What was appended before stands and is finished later; asking again is safe.
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
    /// The plugin did not do its part.
    #[error("plugin {name}: {fault}")]
    Plugin {
        /// Its name.
        name: String,
        /// What became of it.
        fault: PluginFault,
    },
    /// The node's own data is not what it wrote.
    #[error("the node's own data: {0}")]
    Inconsistent(String),
}

impl Unavailable {
    /// Waiting mends it.
    pub fn is_temporary(&self) -> bool {
        match self {
            Unavailable::Busy | Unavailable::Stopping => true,
            Unavailable::NotWritten(error) => {
                matches!(error, NotWritten::Busy | NotWritten::SpaceReserve | NotWritten::Stopped)
            }
            Unavailable::Custody(error) => error.is_temporary(),
            Unavailable::Plugin { fault, .. } => matches!(fault, PluginFault::Stuck(_)),
            Unavailable::Read(_) | Unavailable::Inconsistent(_) => false,
        }
    }
}

impl From<PoolBusy> for Unavailable {
    fn from(_: PoolBusy) -> Self {
        Unavailable::Busy
    }
}
