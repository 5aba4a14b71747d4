//! Why custody did not do what was asked. No message holds a secret.

use dta_token::TokenError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One refusal of a seed store or of its keeper; cheap to clone, since one cause may answer a whole batch.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SeedError {
    /// No copy has a seed for this order, and all copies were there to ask.
    #[error("custody has no seed for this order")]
    NotFound,
    /// The seed of this order was overwritten; it will never have another.
    #[error("the seed of this order was shredded")]
    Shredded,
    /// Copies, or a slot and its contents, contradict each other: a person must decide.
    #[error("custody-conflict: {what}")]
    Conflict {
        /// What contradicts what.
        what: String,
    },
    /// A configured copy is not there: new orders wait for it.
    #[error("the seed copy in {} is missing: {why}", folder.display())]
    CopyMissing {
        /// The folder of the copy.
        folder: PathBuf,
        /// What was found instead.
        why: &'static str,
    },
    /// The key encryption key does not open with this node's seed and identity.
    #[error("the seed store does not open with this node's seed and identity")]
    Locked,
    /// The token with the KEK cannot do it now.
    #[error("{0}")]
    Token(TokenError),
    /// The store's KEKs are not where the settings want them.
    #[error(
        "custody's {role} KEK is not as the settings name it: `dta seeds init`, with the node stopped, brings it there"
    )]
    NoKek {
        /// Which one.
        role: &'static str,
    },
    /// Nobody can be asked for a PIN.
    #[error("the PIN of the token with {token} is to be typed, and there is no terminal: {why}")]
    NoPin {
        /// Which token.
        token: String,
        /// What the system says.
        why: String,
    },
    /// Too many KEKs at once.
    #[error("the seed store has {limit} KEKs: `dta seeds rewrap` first, so that the retired ones can go")]
    ManyKeks {
        /// How many there may be.
        limit: usize,
    },
    /// A key that is a KEK already.
    #[error("the key {label:?} is one of custody's KEKs already: a new one needs a key of its own")]
    KekTaken {
        /// Its label.
        label: String,
    },
    /// A name that does not fit.
    #[error("the KEK's label {label:?} and its token {token:?} must have 1 to 64 bytes each")]
    LabelLong {
        /// The label.
        label: String,
        /// The token, as the settings name it.
        token: String,
    },
    /// A store that the settings do not name.
    #[error("there is no seed store {name:?}: the settings name {names}")]
    NoStore {
        /// What was asked for.
        name: String,
        /// What there is.
        names: String,
    },
    /// There are several.
    #[error("there are several seed stores: say which of {names} (`--store`, or the field `store`)")]
    WhichStore {
        /// What there is.
        names: String,
    },
    /// What one of several stores says.
    #[error("store {name}: {source}{}", remedy(.source, .name))]
    InStore {
        /// Its name.
        name: String,
        /// What it says.
        source: Box<SeedError>,
    },
    /// The file system failed.
    #[error("the seed copy in {} failed", folder.display())]
    Io {
        /// The folder of the copy.
        folder: PathBuf,
        /// The system's own error.
        #[source]
        source: Arc<io::Error>,
    },
    /// No copy can read this slot (they are numbered from 0), which is or may be the order's.
    #[error("slot {slot} of the seed store is damaged in every copy")]
    Damaged {
        /// Its number.
        slot: u32,
    },
    /// A file is not a seed store that this program can read.
    #[error("{} is not a usable seed store: {why}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is a store already; it is never overwritten.
    #[error("{} is there already and is not overwritten", file.display())]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// The disk, or the largest number of slots, is reached.
    #[error("the seed store is full: at most {limit} slots, and free disk space")]
    Full {
        /// The largest number of slots.
        limit: u32,
    },
    /// Too many requests wait for custody.
    #[error("custody is busy: {queue} requests wait")]
    Busy {
        /// The length of the queue.
        queue: usize,
    },
    /// Custody is shutting down.
    #[error("custody has stopped")]
    Stopped,
}

impl SeedError {
    /// The stable name of the error, for answers and records.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InStore { source, .. } => source.code(),
            Self::NotFound => "custody-not-found",
            Self::Shredded => "custody-shredded",
            Self::Conflict { .. } => "custody-conflict",
            Self::CopyMissing { .. } => "custody-copy-missing",
            Self::Locked => "custody-locked",
            Self::Token(error) => error.code(),
            Self::NoKek { .. } => "custody-no-kek",
            Self::NoPin { .. } => "custody-no-pin",
            Self::ManyKeks { .. } => "custody-many-keks",
            Self::KekTaken { .. } => "custody-kek-taken",
            Self::LabelLong { .. } => "custody-label-long",
            Self::NoStore { .. } => "custody-no-store",
            Self::WhichStore { .. } => "custody-which-store",
            Self::Io { .. } => "custody-io",
            Self::Damaged { .. } => "custody-damaged",
            Self::Unreadable { .. } => "custody-unreadable",
            Self::Exists { .. } => "custody-exists",
            Self::Full { .. } => "custody-full",
            Self::Busy { .. } => "custody-busy",
            Self::Stopped => "custody-stopped",
        }
    }

    /// What the store itself says, if it is one of several.
    pub fn cause(&self) -> &Self {
        match self {
            Self::InStore { source, .. } => source.cause(),
            _ => self,
        }
    }

    /// As one of several stores says it. That there is no such seed is said by all of them together.
    pub(super) fn in_store(self, name: &str) -> Self {
        match self {
            Self::NotFound | Self::Shredded | Self::InStore { .. } => self,
            source => Self::InStore { name: name.to_owned(), source: Box::new(source) },
        }
    }

    /// Whether the same request may succeed later without a change to the order: a 503 rather than a refusal.
    pub fn is_temporary(&self) -> bool {
        matches!(
            self.cause(),
            Self::CopyMissing { .. }
                | Self::Locked
                | Self::Token(_)
                | Self::NoKek { .. }
                | Self::Io { .. }
                | Self::Full { .. }
                | Self::Busy { .. }
                | Self::Stopped
        )
    }

    pub(crate) fn io(folder: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::Full { limit: super::file::MAX_SLOTS }
            }
            io::ErrorKind::NotFound => Self::missing(folder, "there is no seeds.dta"),
            _ => Self::Io { folder: folder.to_owned(), source: Arc::new(source) },
        }
    }

    pub(super) fn missing(folder: &Path, why: &'static str) -> Self {
        Self::CopyMissing { folder: folder.to_owned(), why }
    }

    pub(super) fn conflict(what: impl Into<String>) -> Self {
        Self::Conflict { what: what.into() }
    }
}

/// What to do in that store, where the error does not say it.
fn remedy(error: &SeedError, store: &str) -> String {
    match error {
        SeedError::Damaged { .. } => {
            format!("; an older copy may have it: `dta seeds import --store {store}`, with the node stopped")
        }
        _ => String::new(),
    }
}

impl From<TokenError> for SeedError {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}
