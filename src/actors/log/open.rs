//! A log over a store: made new, or opened once its tail has been checked.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use dta_events::index::Indexing;
use dta_events::record::NO_PREVIOUS;
use dta_proof::tree::Frontier;

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
    /// Of the tree over the records up to the head.
    pub(super) frontier: Frontier,
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
    /// An older program made it, without what this one needs.
    #[error("the log was made before it had a proof: run `dta log reindex`, which adds it")]
    Older,
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
        Ok(Self { store, indexing, writing: Writing::from(head, Frontier::empty(), entropy, space) })
    }

    /// Goes on with the log in a store, which must have all that was `acknowledged`.
    pub(super) fn resume(
        store: S,
        indexing: Arc<dyn Indexing>,
        entropy: Entropy,
        space: SpaceReserve,
        acknowledged: Option<Head>,
    ) -> Result<Self, OpenError> {
        let (head, frontier) = check(&store, &*indexing, acknowledged)?;
        Ok(Self { store, indexing, writing: Writing::from(head, frontier, entropy, space) })
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
    fn from(head: Head, frontier: Frontier, entropy: Entropy, space: SpaceReserve) -> Self {
        Self { pen: Mutex::new(Pen { head, frontier, entropy, space, failed: false }) }
    }
}

fn check<S: Store>(
    store: &S,
    indexing: &dyn Indexing,
    acknowledged: Option<Head>,
) -> Result<(Head, Frontier), OpenError> {
    if layout(store)? != keys::LAYOUT {
        return Err(OpenError::Older);
    }
    if store.get(Table::Meta, keys::REINDEXING)?.is_some() {
        return Err(OpenError::Interrupted);
    }
    let (head, frontier) = check_tail(store, indexing, TAIL_RECORDS)?;
    acknowledged::check(store, &head, acknowledged)?;
    Ok((head, frontier))
}

/// Which of the layouts that this program knows is in the store.
pub(super) fn layout<S: Store>(store: &S) -> Result<u16, OpenError> {
    let layout = store.get(Table::Meta, keys::LAYOUT_KEY)?;
    match layout.as_deref().map(<[u8; 2]>::try_from) {
        Some(Ok(layout)) => match u16::from_be_bytes(layout) {
            known @ (keys::LAYOUT | keys::LAYOUT_WITHOUT_TREE) => Ok(known),
            found => Err(OpenError::Newer { found }),
        },
        _ => Err(keys::damage(Table::Meta, "the layout is missing or cut short").into()),
    }
}
