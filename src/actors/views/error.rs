//! Why a read model has no answer.

use dta_events::record::RecordError;
use dta_projections::ProjectionError;
use thiserror::Error;

use crate::actors::log::ReadError;

/// Why a read model cannot be read or brought forward. Nothing is lost by any of these: the log has it all.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ViewsError {
    /// Nothing is there to open.
    #[error("there are no read models at {0}; the daemon makes them, or `dta projection rebuild`")]
    Absent(String),
    /// The engine refuses what is there.
    #[error(
        "the read models at {path} do not open: {reason}; `dta projection rebuild` makes them anew from the log"
    )]
    Open {
        /// The folder.
        path: String,
        /// What the engine says.
        reason: String,
    },
    /// The disk or the engine failed.
    #[error("read models: {0}")]
    Engine(String),
    /// There is no such projection.
    #[error("there is no projection {name:?} (there are {known})")]
    Unknown {
        /// The name.
        name: String,
        /// Those there are.
        known: String,
    },
    /// It has never been filled, or by other code.
    #[error("read model {name} has schema {found}, this program's is {known}; the next start makes it anew")]
    Schema {
        /// The projection.
        name: &'static str,
        /// What is stored; 0 if nothing is.
        found: u16,
        /// What this program writes.
        known: u16,
    },
    /// A stored row is not what this schema writes.
    #[error("read model {name}: {cause}; run `dta projection rebuild {name}`")]
    Row {
        /// The projection.
        name: &'static str,
        /// What is wrong with the row.
        cause: ProjectionError,
    },
    /// The projection cannot go past a record.
    #[error("read model {name} halts at sequence {sequence}: {cause}")]
    Halted {
        /// The projection.
        name: &'static str,
        /// The record.
        sequence: u64,
        /// What is wrong with it.
        cause: ProjectionError,
    },
    /// A record does not follow the one a read model stands at.
    #[error(
        "the record at sequence {sequence} does not follow the record before it, at which {reader} stands"
    )]
    Broken {
        /// Who reads.
        reader: &'static str,
        /// The record.
        sequence: u64,
    },
    /// A record of the log cannot be decoded.
    #[error("log, sequence {sequence}: {cause}")]
    Record {
        /// The record.
        sequence: u64,
        /// What is wrong with it.
        cause: RecordError,
    },
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] ReadError),
}

impl From<rocksdb::Error> for ViewsError {
    fn from(error: rocksdb::Error) -> Self {
        Self::Engine(error.into_string())
    }
}
