//! Why a token did not do what was asked. No message holds a PIN, a key or what was wrapped.

use std::path::PathBuf;

/// One failure; cheap to clone, since one cause may answer a whole batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The module does not load or does not start.
    #[error("the PKCS#11 module {} does not work: {why}", library.display())]
    Library {
        /// Its path.
        library: PathBuf,
        /// What the system or the module says.
        why: String,
    },
    /// The module shows no such token.
    #[error("there is no token with {token}")]
    Absent {
        /// How it was looked for.
        token: String,
    },
    /// The module shows several.
    #[error("{count} tokens have {token}: name one by its serial or slot")]
    Ambiguous {
        /// How it was looked for.
        token: String,
        /// How many there are.
        count: usize,
    },
    /// The token refused the PIN. It is not tried again before its source changes: most tokens lock themselves after a few.
    #[error(
        "the token with {token} refused the PIN from {source_of_pin} ({why}); it is tried once, and again only when that has changed"
    )]
    Pin {
        /// Which token.
        token: String,
        /// Where the PIN came from.
        source_of_pin: String,
        /// The token's own word.
        why: String,
    },
    /// The PIN cannot be had.
    #[error("the PIN from {source_of_pin}: {why}")]
    PinSource {
        /// Where it should come from.
        source_of_pin: String,
        /// What is wrong there.
        why: String,
    },
    /// The token has no such key.
    #[error("the token has no key {label:?}: it was deleted, or the token was initialised anew")]
    KeyMissing {
        /// Its label.
        label: String,
    },
    /// The token has several.
    #[error("the token has {count} keys {label:?}: give them labels that differ")]
    KeyAmbiguous {
        /// Their label.
        label: String,
        /// How many there are.
        count: usize,
    },
    /// The key cannot serve as a KEK, or must not.
    #[error("the key {label:?} is not fit to wrap seeds: {why}")]
    KeyUnfit {
        /// Its label.
        label: String,
        /// Which attribute it fails by.
        why: String,
    },
    /// The key is a KEK already.
    #[error("the key {label:?} is a key encryption key already, though perhaps by another name")]
    KeyTaken {
        /// Its label.
        label: String,
    },
    /// The key answers and does not open its canary.
    #[error(
        "the key {label:?} does not open its canary: another key has its name now, or the token was swapped"
    )]
    Swapped {
        /// Its label.
        label: String,
    },
    /// The key opens its canary, and not this: what was given is not what it wrapped.
    #[error("what is wrapped was changed, or is of another order, node or key")]
    Refused,
    /// The token has not answered in time. Nothing is known of what it did.
    #[error("the token has not answered within {limit_ms} ms")]
    Slow {
        /// The limit.
        limit_ms: u64,
    },
    /// Anything else that the token or its module says.
    #[error("the token failed: {what}")]
    Failed {
        /// Its words.
        what: String,
    },
    /// The token is not worked with any more.
    #[error("the token's threads have stopped")]
    Stopped,
}

impl TokenError {
    /// The stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Library { .. } => "token-library",
            Self::Absent { .. } => "token-absent",
            Self::Ambiguous { .. } => "token-ambiguous",
            Self::Pin { .. } => "token-pin",
            Self::PinSource { .. } => "token-pin-source",
            Self::KeyTaken { .. } => "token-key-taken",
            Self::KeyMissing { .. } => "token-key-missing",
            Self::KeyAmbiguous { .. } => "token-key-ambiguous",
            Self::KeyUnfit { .. } => "token-key-unfit",
            Self::Swapped { .. } => "token-swapped",
            Self::Refused => "token-refused",
            Self::Slow { .. } => "token-slow",
            Self::Failed { .. } => "token-failed",
            Self::Stopped => "token-stopped",
        }
    }
}

impl From<cryptoki::error::Error> for TokenError {
    fn from(error: cryptoki::error::Error) -> Self {
        Self::Failed { what: error.to_string() }
    }
}
