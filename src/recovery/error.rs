//! Why a recovery gives no node.

use std::io;
use std::path::{Path, PathBuf};

use dta_proof::checkpoints::ChainError;
use dta_protocol::Cid;
use thiserror::Error;

use crate::actors::checkpoints::published::PublishedError;
use crate::actors::ipfs::ExchangeError;
use crate::actors::log::{NotWritten, OpenError, ReadError, Uncertain};
use crate::actors::seeds::SeedError;
use crate::actors::unavailable::Unavailable;
use crate::home::LockError;
use crate::node::CopiesError;
use crate::node::open::OpenNodeError;

/// Why nothing was recovered. The home has no log then; what an interrupted try leaves in `log.recovering` the next one removes.
#[derive(Debug, Error)]
pub enum RecoverError {
    /// There is a node.
    #[error("home {} holds a node already: nothing was changed", .0.display())]
    Exists(PathBuf),
    /// Another process works there.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Nothing to begin from.
    #[error("no checkpoint of this node to recover from: {0}")]
    NoHead(String),
    /// One seed, two nodes.
    #[error(
        "the seed makes the keys of two identities, {0} and {1}: name a checkpoint of the one to recover"
    )]
    TwoIdentities(Cid, Cid),
    /// A block that nobody has.
    #[error("{0}; connect to another mirror as well")]
    Fetch(#[from] ExchangeError),
    /// A checkpoint is not what it should be.
    #[error("checkpoint {cid}: {why}")]
    Checkpoint {
        /// Which.
        cid: Cid,
        /// What is wrong.
        why: String,
    },
    /// The checkpoints are no chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// What is sealed is no record of this program's.
    #[error("a sealed record: {0}")]
    Record(String),
    /// Somebody has seen another log of this node.
    #[error("{0}")]
    Conflict(String),
    /// Less was found than somebody has seen.
    #[error(
        "{records} records were found, and somebody has a note of {seen} that this node signed: connect to another mirror, or \
         say --accept-loss to go on without the rest, for good"
    )]
    Loss {
        /// How many were found.
        records: u64,
        /// How many there were, at least.
        seen: u64,
    },
    /// Two custodies.
    #[error(
        "{} holds seeds already, and others than the copy: leave out --seeds to keep them, or move that folder away",
        .0.display()
    )]
    SeedsThere(PathBuf),
    /// Nothing said of a store where its seeds are.
    #[error(
        "no seeds for the store {name:?}: name a copy, --seeds {name}=FOLDER, or say --seeds {name}=none if there is none: each open \
         order whose seed was there is custody-lost then"
    )]
    NoSeeds {
        /// Its name.
        name: String,
    },
    /// Seeds that cannot be read.
    #[error(
        "{0}: find a better copy of the seeds, or say --accept-loss to go on: orders whose seed cannot be read are custody-lost \
         then"
    )]
    SeedsUnread(String),
    /// Settings that leave out seeds that are there, or confuse them.
    #[error(transparent)]
    Copies(#[from] CopiesError),
    /// Custody.
    #[error("custody: {0}")]
    Seeds(#[from] SeedError),
    /// The log.
    #[error("the log: {0}")]
    Log(#[from] ReadError),
    /// The log.
    #[error("the log: {0}")]
    Open(#[from] OpenError),
    /// The log.
    #[error("the log: {0}")]
    Beginning(#[from] OpenNodeError),
    /// The first records of the new epoch.
    #[error("the first records of the new epoch were not written: {0}")]
    Records(String),
    /// No client for calls to other nodes.
    #[error("calls to other nodes: {0}")]
    Client(reqwest::Error),
    /// The file beside the log.
    #[error("checkpoint.json: {0}")]
    Published(#[from] PublishedError),
    /// What the log says.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The file system.
    #[error("{}: {source}", .path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What.
        #[source]
        source: io::Error,
    },
    /// It was told to stop.
    #[error("the network threads have stopped")]
    Stopping,
}

impl From<NotWritten> for RecoverError {
    fn from(error: NotWritten) -> Self {
        RecoverError::Records(error.to_string())
    }
}

impl From<Uncertain> for RecoverError {
    fn from(error: Uncertain) -> Self {
        RecoverError::Records(error.to_string())
    }
}

pub(super) fn io_at(path: &Path) -> impl FnOnce(io::Error) -> RecoverError + use<> {
    let path = path.to_owned();
    move |source| RecoverError::Io { path, source }
}
