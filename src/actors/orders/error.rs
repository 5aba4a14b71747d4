//! Why a command on an order has no answer.

use dta_events::order::Rejection;
use dta_events::stored::StoredError;
use thiserror::Error;

use crate::actors::log::ReadError;
use crate::actors::unavailable::Unavailable;

/// Why a command on an order has no answer.
#[derive(Debug, Error)]
pub enum OrderError {
    /// By the rules.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// By the rules, and recorded in the log.
    #[error("{rejection}")]
    Recorded {
        /// The reason.
        rejection: Rejection,
        /// The record that says so.
        sequence: u64,
    },
    /// What was to be sealed is not within the protocol's limits; the text names field and limit.
    #[error("{0}")]
    Invalid(String),
    /// Whoever calls is no party of such an order: it learns nothing.
    #[error("there is nothing here for this caller")]
    Outsider,
    /// The step that this very request made was turned down by the fiduciary.
    #[error("the other party's node turned it down: {code}")]
    TurnedDown {
        /// Its reason: 1 to 64 of `a-z`, `0-9` and `-`.
        code: String,
    },
    /// The idempotency key belongs to another request.
    #[error("Idempotency-Key: was used for another request")]
    OtherRequest,
    /// Not now; what was appended before stands, and is finished later.
    #[error("{why}")]
    Unfinished {
        /// The reason.
        why: Unavailable,
        /// The last record appended.
        sequence: u64,
    },
    /// Not now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl From<ReadError> for OrderError {
    fn from(error: ReadError) -> Self {
        Unavailable::Read(error).into()
    }
}

impl From<StoredError> for OrderError {
    fn from(error: StoredError) -> Self {
        Unavailable::Inconsistent(error.to_string()).into()
    }
}
