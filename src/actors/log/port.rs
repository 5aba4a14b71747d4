//! The port: what a log promises, whatever keeps it.

use dta_events::record::{Aggregate, AggregateKind, Effect, Record, Request, Stored};

use super::store::EngineError;

/// A CID in binary: version, codec, and hash, without a multibase prefix.
pub type CidBytes = [u8; 36];

/// Reads of the log. Each blocks on the disk; none waits for a commit under way, and each sees whole commits only.
/// Any number of threads may read at once. Errors: `Engine` if the disk fails, `Damaged` if what it holds contradicts
/// itself; the log is then to be verified, not served.
pub trait LogReader: Send + Sync {
    /// How long the log is, and the hash of its last record.
    fn head(&self) -> Result<Head, ReadError>;

    /// At most `limit` records as stored, in order, from `from_sequence` on; none at the end.
    fn read(&self, from_sequence: u64, limit: usize) -> Result<Vec<(u64, Vec<u8>)>, ReadError>;

    /// The whole history of an aggregate, in version order from 1, refusals included; empty if it has none.
    fn load(&self, aggregate: &Aggregate) -> Result<Vec<Record>, ReadError>;

    /// The newest record of an aggregate; none if it has none.
    fn newest(&self, aggregate: &Aggregate) -> Result<Option<Record>, ReadError>;

    /// The hashes at these places of the Merkle tree over the records (`dta_proof::tree`), in their order. It is an error to
    /// ask for one that a tree of [`Head::count`] leaves does not have.
    fn hashes(&self, places: &[u64]) -> Result<Vec<dta_proof::Hash>, ReadError>;

    /// Every aggregate of a kind that has a history, in the order of their ids. One seek each: for kinds of which there
    /// are few.
    fn aggregates(&self, kind: AggregateKind) -> Result<Vec<Aggregate>, ReadError>;

    /// The sequence of the record that took this claim.
    fn claim(&self, claim: &[u8; 32]) -> Result<Option<u64>, ReadError>;

    /// The aggregate that this envelope belongs to.
    fn envelope(&self, cid: &CidBytes) -> Result<Option<Aggregate>, ReadError>;

    /// The sequence of the record that brought this envelope; of the later one, if two did.
    fn brought_by(&self, cid: &CidBytes) -> Result<Option<u64>, ReadError>;

    /// At most `limit` aggregates whose timer is at or before `until_ms` (milliseconds since 1970), earliest first.
    fn due(&self, until_ms: u64, limit: usize) -> Result<Vec<(u64, Aggregate)>, ReadError>;

    /// A block, of either class.
    fn block(&self, cid: &CidBytes) -> Result<Option<StoredBlock>, ReadError>;

    /// A block that may leave the node; none if it is not there or held.
    fn published_block(&self, cid: &CidBytes) -> Result<Option<PublishedBlock>, ReadError>;

    /// At most `limit` published blocks in the order of the records that published them, after a place in that order
    /// or from its start: what a mirror copies, and where it goes on.
    fn published(
        &self,
        after: Option<PublishedAt>,
        limit: usize,
    ) -> Result<Vec<(PublishedAt, PublishedBlock)>, ReadError>;
}

/// A log that can be appended to.
pub trait EventLog: LogReader {
    /// Appends a batch in order: numbers and chains the records and writes them, their blocks and all indexes in one
    /// synced write; what is returned as appended survives a crash. An append that conflicts with what is stored, or
    /// with one earlier in the batch, fails alone and leaves no gap.
    ///
    /// Blocks on the disk; commits are made one at a time, in the order in which they get the lock.
    ///
    /// # Errors
    /// `Uncertain` if the engine failed: some or none of the batch may be stored, and only an ordinary start-up can
    /// tell. The process must stop; every later commit fails the same way.
    fn commit(&self, batch: Vec<Append>) -> Result<Vec<Result<Appended, NotWritten>>, Uncertain>;

    /// Whether an append would be written now; waits for a commit under way.
    ///
    /// # Errors
    /// `SpaceReserve`, or `Stopped` after a write that was uncertain.
    fn writable(&self) -> Result<(), NotWritten>;
}

/// One record to append, and what goes with it into the same write.
#[derive(Debug, Clone)]
pub struct Append {
    /// Whose history it belongs to.
    pub aggregate: Aggregate,
    /// How many records the aggregate has, as far as the caller knows.
    pub expected_version: u64,
    /// When the command was decided: milliseconds since 1970.
    pub time_ms: u64,
    /// Who asked.
    pub by: String,
    /// The request it answers, if it has an idempotency key.
    pub request: Option<Request>,
    /// Joins the records of one request.
    pub trace_id: [u8; 16],
    /// The storable twin of the command.
    pub command: Stored,
    /// What came of it.
    pub effect: Effect,
    /// Blocks to keep. One that is there already stays; if it was held and is given as published, it becomes so.
    pub blocks: Vec<Block>,
    /// Held blocks to delete. One that is not there is deleted already.
    pub drop_held: Vec<CidBytes>,
    /// Held blocks that become published. One that is published stays so.
    pub publish: Vec<CidBytes>,
    /// The aggregate's next timer, in milliseconds since 1970, in place of its former one.
    pub due_ms: Option<u64>,
}

impl Append {
    /// A record that answers no request, and brings and changes nothing besides.
    pub fn of(
        aggregate: Aggregate,
        expected_version: u64,
        time_ms: u64,
        by: &str,
        trace_id: [u8; 16],
        command: Stored,
        effect: Effect,
    ) -> Self {
        Self {
            aggregate,
            expected_version,
            time_ms,
            by: by.to_owned(),
            request: None,
            trace_id,
            command,
            effect,
            blocks: Vec::new(),
            drop_held: Vec::new(),
            publish: Vec::new(),
            due_ms: None,
        }
    }
}

/// Where an append came to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The record's sequence.
    pub sequence: u64,
    /// The aggregate's version now.
    pub version: u64,
    /// SHA-256 of the record's stored bytes.
    pub hash: [u8; 32],
}

/// Why an append is not in the log. It certainly is not, and may be tried again as the reason suggests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotWritten {
    /// The aggregate moved on: decide again.
    #[error("the aggregate is at version {actual}, not {expected}")]
    Version {
        /// What the caller took it for.
        expected: u64,
        /// What it is.
        actual: u64,
    },
    /// A key that may be taken once is taken.
    #[error("a claim is already taken by the record at sequence {sequence}")]
    ClaimTaken {
        /// The key.
        claim: [u8; 32],
        /// The record that took it.
        sequence: u64,
    },
    /// A block to publish is not there, or a block to drop is published.
    #[error("a block to publish or to drop is not held here")]
    NotHeld {
        /// Which.
        cid: CidBytes,
    },
    /// The record has more bytes than a record may.
    #[error(
        "the record is larger than a stored shape may be ({} bytes)",
        dta_events::codec::STORED_BYTES_MAX
    )]
    TooLarge,
    /// The writer's queue is full.
    #[error("the log's queue is full")]
    Busy,
    /// Too little room on the disk.
    #[error("the disk has less room than the log keeps in reserve")]
    SpaceReserve,
    /// The writer takes no more. If it stopped because a write was uncertain, so is an append that was in that write.
    #[error("the log's writer has stopped")]
    Stopped,
}

/// The engine failed while writing: whether the batch is stored is known only after the next start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the log cannot tell whether a batch was written: {0}")]
pub struct Uncertain(pub String);

/// Why a read has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The disk or the engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// What is stored contradicts itself.
    #[error(transparent)]
    Damaged(#[from] Damage),
}

/// Where the stored log contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// In or about a record.
    #[error("log damaged at sequence {sequence}: {reason}")]
    Record {
        /// Which record.
        sequence: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// In an index, which follows from the records.
    #[error("log damaged in {table}: {reason}; run `dta log reindex`")]
    Index {
        /// Which index.
        table: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// In a block or the log's own notes.
    #[error("log damaged in {table}: {reason}")]
    Table {
        /// Which part of the store.
        table: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// The end of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// How many records there are, which is the sequence of the next.
    pub count: u64,
    /// SHA-256 of the last record's stored bytes; zeros if there is none.
    pub hash: [u8; 32],
}

/// Whether a block may leave the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockClass {
    /// For all to fetch, for ever.
    Published,
    /// For this node alone, until it is published or dropped.
    Held,
}

/// A block to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its CID; the log does not compute it again until it is verified.
    pub cid: CidBytes,
    /// Whether it may leave the node.
    pub class: BlockClass,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// A block as the log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredBlock {
    /// May leave the node.
    Published(PublishedBlock),
    /// Must not.
    Held(HeldBlock),
}

/// A block that may leave the node. Only the log makes one, so what takes only these can publish nothing else:
///
/// ```compile_fail,E0308
/// use milagro_dta::actors::log::{HeldBlock, PublishedBlock};
/// fn mirror(block: PublishedBlock) {}
/// fn leak(block: HeldBlock) {
///     mirror(block)
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedBlock {
    pub(super) cid: CidBytes,
    pub(super) bytes: Vec<u8>,
}

/// A block that stays here: a sealed secret until its retention ends, or what the node sealed to itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBlock {
    pub(super) cid: CidBytes,
    pub(super) bytes: Vec<u8>,
}

impl PublishedBlock {
    /// Its CID.
    pub fn cid(&self) -> &CidBytes {
        &self.cid
    }

    /// Its content.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl HeldBlock {
    /// Its CID.
    pub fn cid(&self) -> &CidBytes {
        &self.cid
    }

    /// Its content.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A place in the order of publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublishedAt {
    /// The record that published the block.
    pub sequence: u64,
    /// Which of that record's published blocks, from 0.
    pub n: u32,
}
