//! A log over a store: made new, or opened once its tail has been checked.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use dta_events::index::Indexing;
use dta_events::record::NO_PREVIOUS;

use super::acknowledged;
use super::chain::check_tail;
use super::keys;
use super::port::{Damage, Head, ReadError};
use super::space::SpaceReserve;
use super::store::{Change, EngineError, Store, Table};

/// How many records an opening looks at: a second's work at most, and more than one crash can touch.
const TAIL_RECORDS: u64 = 1_000;

/// Fills with random bytes: the operating system's, or a test's.
pub type Entropy = Box<dyn FnMut(&mut [u8]) -> io::Result<()> + Send>;

/// A log over a store; `W` says whether it can be written.
pub struct Log<S, W = Writing> {
    pub(super) store: S,
    pub(super) indexing: Arc<dyn Indexing>,
    pub(super) writing: W,
}

/// A log that only reads: committing to it does not compile.
pub struct ReadOnly;

/// A log that can be appended to.
pub struct Writing {
    pub(super) pen: Mutex<Pen>,
}

/// What one commit hands to the next.
pub(super) struct Pen {
    pub(super) head: Head,
    pub(super) entropy: Entropy,
    pub(super) space: SpaceReserve,
    /// A write was uncertain: nothing is written any more.
    pub(super) failed: bool,
}

/// Why a log does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Nothing is there to open.
    #[error("there is no log at {0}")]
    Absent(String),
    /// There is one already.
    #[error("there already is a log at {0}")]
    Exists(String),
    /// A newer program laid it out.
    #[error("the log's layout {found} is newer than this program knows ({}); run a newer one", keys::LAYOUT)]
    Newer {
        /// The layout it names.
        found: u16,
    },
    /// Its indexes are half rebuilt.
    #[error("rebuilding the log's indexes was interrupted: run `dta log reindex`")]
    Interrupted,
    /// It cannot be read, or contradicts itself.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<EngineError> for OpenError {
    fn from(error: EngineError) -> Self {
        Self::Read(error.into())
    }
}

impl From<Damage> for OpenError {
    fn from(damage: Damage) -> Self {
        Self::Read(damage.into())
    }
}

impl<S: Store> Log<S, Writing> {
    /// Begins a log in an empty store.
    pub(super) fn begin(
        store: S,
        indexing: Arc<dyn Indexing>,
        entropy: Entropy,
        space: SpaceReserve,
    ) -> Result<Self, OpenError> {
        let head = Head { count: 0, hash: NO_PREVIOUS };
        store.write(vec![
            Change::Put(Table::Meta, keys::LAYOUT_KEY.into(), keys::LAYOUT.to_be_bytes().into()),
            Change::Put(Table::Meta, keys::HEAD.into(), keys::head_value(&head)),
        ])?;
        Ok(Self { store, indexing, writing: Writing::from(head, entropy, space) })
    }

    /// Goes on with the log in a store, which must have all that was `acknowledged`.
    pub(super) fn resume(
        store: S,
        indexing: Arc<dyn Indexing>,
        entropy: Entropy,
        space: SpaceReserve,
        acknowledged: Option<Head>,
    ) -> Result<Self, OpenError> {
        let head = check(&store, &*indexing, acknowledged)?;
        Ok(Self { store, indexing, writing: Writing::from(head, entropy, space) })
    }

    /// The same log with another reserve.
    pub(super) fn with_space(mut self, space: SpaceReserve) -> Self {
        self.writing.pen.get_mut().unwrap_or_else(PoisonError::into_inner).space = space;
        self
    }
}

impl<S: Store> Log<S, ReadOnly> {
    /// Reads the log in a store, which must have all that was `acknowledged`.
    pub(super) fn inspect(
        store: S,
        indexing: Arc<dyn Indexing>,
        acknowledged: Option<Head>,
    ) -> Result<Self, OpenError> {
        check(&store, &*indexing, acknowledged)?;
        Ok(Self { store, indexing, writing: ReadOnly })
    }
}

impl Writing {
    fn from(head: Head, entropy: Entropy, space: SpaceReserve) -> Self {
        Self { pen: Mutex::new(Pen { head, entropy, space, failed: false }) }
    }
}

fn check<S: Store>(
    store: &S,
    indexing: &dyn Indexing,
    acknowledged: Option<Head>,
) -> Result<Head, OpenError> {
    check_layout(store)?;
    if store.get(Table::Meta, keys::REINDEXING)?.is_some() {
        return Err(OpenError::Interrupted);
    }
    let head = check_tail(store, indexing, TAIL_RECORDS)?;
    acknowledged::check(store, &head, acknowledged)?;
    Ok(head)
}

/// Whether this program knows what is in the store.
pub(super) fn check_layout<S: Store>(store: &S) -> Result<(), OpenError> {
    let layout = store.get(Table::Meta, keys::LAYOUT_KEY)?;
    match layout.as_deref().map(<[u8; 2]>::try_from) {
        Some(Ok(layout)) => match u16::from_be_bytes(layout) {
            keys::LAYOUT => Ok(()),
            found => Err(OpenError::Newer { found }),
        },
        _ => Err(keys::damage(Table::Meta, "the layout is missing or cut short").into()),
    }
}
