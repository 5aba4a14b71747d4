//! Custody's port: where the seeds of orders are kept, wrapped, outside the log.
//!
//! One seed (32 random bytes) belongs to one order, named by the binary CID of its `order/placed` envelope. The
//! key pair is derived from the seed; its public half, the commitment, is stored beside the wrapped seed so that
//! whatever is unwrapped later is checked against what was promised.

mod error;
pub(crate) mod file;
mod job;
mod keeper;
pub mod kek;
mod stores;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod keeper_tests;
#[cfg(test)]
mod stores_tests;
#[cfg(test)]
pub(crate) mod testing;

pub use error::SeedError;
pub use file::FileStore;
pub use job::{JobKind, JobStatus};
pub use keeper::SeedKeeper;
use kek::{KekEntry, KekId, KekKind, Role};
pub use stores::{Doubled, Named, StoreStatus, Stores, trouble_of};

use dta_crypto::{Entropy, OrderKey};
use std::path::PathBuf;

/// A binary CID: 36 bytes, without multibase prefix.
pub type CidBytes = [u8; 36];
/// An uncompressed SEC1 point on secp256k1: 65 bytes.
pub type Commitment = [u8; 65];

/// Keeps the wrapped seeds of orders; [`Stores`] is all of a node's. Every method blocks on disk or device; one thread owns a store (`keeper`).
pub trait SeedStore: Send {
    /// Makes the seeds of these orders, or finds those that are already there: the same placed CID always answers
    /// the same key. One answer for each order, in their order.
    ///
    /// Durable: when this returns, every seed answered `Ok` is written and synced in every configured copy; one
    /// group commit serves the whole batch. If a copy is missing or fails, no new seed is answered; what another
    /// copy already took is found again by the next create of that CID.
    /// Errors: `CopyMissing`, `Io`, `Full`, `Conflict`, `Damaged`, `Shredded`, `Token`, `NoKek`.
    fn create(&mut self, orders: &[CidBytes], entropy: &mut dyn Entropy) -> Vec<Result<OrderKey, SeedError>>;

    /// Unwraps the keys of orders, each checked against the stored commitment. One answer for each order, in their order.
    ///
    /// Reads one working copy at least; one that lacks the seed or has it torn is repaired on the way.
    /// Errors: `NotFound` (said only when every copy is present and whole), `CopyMissing` (an absent copy may
    /// have it), `Damaged`, `Conflict`, `Shredded`, `Io`, `Token` (no KEK that could open it is there now).
    fn open(&mut self, orders: &[CidBytes]) -> Vec<Result<OrderKey, SeedError>>;

    /// Overwrites the seed of an order in every copy, for good: the same CID never gets a seed again.
    ///
    /// Synced in every present copy when it returns. Best effort: flash and copy-on-write file systems may keep
    /// the old bytes; certain is only the destruction of the KEK. Repeating it is harmless.
    /// Errors: `CopyMissing` (the present copies are overwritten, the absent one will be on its return; repeat),
    /// `NotFound`, `Damaged`, `Conflict`, `Io`.
    fn shred(&mut self, placed: &CidBytes) -> Result<(), SeedError>;

    /// Whether a new seed could be kept as promised now: every configured copy is there, and so is every KEK in use. Cheap, whatever
    /// the store holds; a KEK that was last seen in trouble is asked again.
    /// Errors: that of the first copy or KEK that is not; `Io`.
    fn ready(&mut self) -> Result<(), SeedError>;

    /// Whether this store has the seed of an order, or had it until it was shredded or damaged. A damaged slot that names no order or
    /// another is not this order's: for that one `create` makes a seed, too.
    /// Errors: `CopyMissing`, `Io`, where an absent copy may have it.
    fn holds(&mut self, placed: &CidBytes) -> Result<bool, SeedError>;

    /// As [`SeedStore::holds`], by what is in memory.
    fn knows(&self, placed: &CidBytes) -> bool;

    /// Every order that this store has or had a seed of, by what is in memory.
    fn orders(&self) -> Box<dyn Iterator<Item = &CidBytes> + '_>;

    /// The state of the store and of its copies, as of now; goes through all slots. No secrets.
    fn status(&mut self) -> SeedStatus;

    /// Asks every KEK whether it is there and opens its canary; the status tells what was found.
    fn check(&mut self);

    /// Every key encryption key of the header.
    fn keks(&self) -> &[KekEntry];

    /// Makes a KEK for new seeds, or adopts one of this label that is none of `others`; the one that it replaces opens what it wrapped
    /// before.
    ///
    /// Durable in every copy when it returns.
    /// Errors: `NoKek`, `ManyKeks`, `KekTaken`, `LabelLong`, `Token`, `CopyMissing`, `Io`.
    fn rotate(
        &mut self,
        role: Role,
        label: Option<&str>,
        others: &[KekEntry],
        entropy: &mut dyn Entropy,
    ) -> Result<KekStatus, SeedError>;

    /// Wraps at most `limit` seeds anew that are not wrapped under just the KEKs in use, of those in the slots behind `after`. Durable
    /// in every copy when it returns; when none is left, retired KEKs that open nothing any more are forgotten.
    /// Errors: `CopyMissing`, `Io`, `Token`, `NoKek`; those of single seeds are in the answer.
    fn rewrap(
        &mut self,
        after: Option<u32>,
        limit: usize,
        entropy: &mut dyn Entropy,
    ) -> Result<Rewrapped, SeedError>;

    /// Opens at most `limit` seeds, those in the slots behind `after`, and derives their keys again; changes and deletes nothing.
    /// Errors: `Io`; each seed's own are with it.
    fn verify(&mut self, after: Option<u32>, limit: usize) -> Result<Vec<Verified>, SeedError>;

    /// The orders that got their seeds last, the newest first; shredded ones too.
    fn newest(&mut self, limit: usize) -> Vec<CidBytes>;

    /// Every seed that is there, in no promised order. No secrets.
    fn list(&mut self) -> Vec<SeedListed>;
}

/// What can be told about a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedStatus {
    /// Every key encryption key.
    pub keks: Vec<KekStatus>,
    /// Slots that hold a seed.
    pub used: u32,
    /// Slots that are allocated and empty; more are allocated when they run out.
    pub free: u32,
    /// Slots whose seed was overwritten; they are not used again.
    pub shredded: u32,
    /// Numbers of the slots that no present copy can read.
    pub damaged: Vec<u32>,
    /// Orders whose copies disagree.
    pub conflicts: Vec<CidBytes>,
    /// Every configured copy, home first.
    pub copies: Vec<CopyStatus>,
    /// Why no new seed can be wrapped, though every KEK may be well.
    pub amiss: Option<String>,
}

impl SeedStatus {
    /// What needs the operator, if anything does: a copy that is away, slots or copies that contradict each other.
    pub fn trouble(&self) -> Option<String> {
        let copies = self
            .copies
            .iter()
            .filter_map(|copy| copy.trouble.as_ref().map(|why| format!("{}: {why}", copy.folder.display())));
        let damaged = (!self.damaged.is_empty())
            .then(|| format!("{} slots are damaged in every copy", self.damaged.len()));
        let conflicts = (!self.conflicts.is_empty())
            .then(|| format!("the copies disagree about {} orders", self.conflicts.len()));
        let keks = self.keks.iter().filter(|kek| kek.role != Role::Retired || kek.seeds > 0);
        let keks = keks.filter_map(|kek| kek.trouble.clone());
        let trouble: Vec<_> =
            copies.chain(damaged).chain(conflicts).chain(self.amiss.clone()).chain(keks).collect();
        (!trouble.is_empty()).then(|| trouble.join("; "))
    }
}

/// One copy of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyStatus {
    /// The folder that holds it.
    pub folder: PathBuf,
    /// Why it is not in use; `None` while it is.
    pub trouble: Option<String>,
}

/// A seed by its public names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedListed {
    /// The order's placed CID.
    pub placed: CidBytes,
    /// The public half of its key.
    pub commitment: Commitment,
}

/// A key encryption key, as far as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KekStatus {
    /// Its name; random, not secret.
    pub id: KekId,
    /// Where it is and how it wraps.
    pub kind: KekKind,
    /// What it is for now.
    pub role: Role,
    /// Its token as the settings name it; empty if it is in none.
    pub token: String,
    /// Its label there; empty if it is in none.
    pub label: String,
    /// How many seeds it opens.
    pub seeds: u32,
    /// What was last seen wrong with it.
    pub trouble: Option<String>,
}

/// What a step of rewrapping did.
#[derive(Debug, Clone)]
pub struct Rewrapped {
    /// Seeds wrapped anew.
    pub done: u32,
    /// Seeds that still are not wrapped under just the KEKs in use.
    pub left: u32,
    /// The slot behind which it goes on; none at the end.
    pub last: Option<u32>,
    /// Those that could not be.
    pub failed: Vec<(CidBytes, SeedError)>,
}

/// What was found of a seed.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The slot it is in.
    pub slot: u32,
    /// Its order.
    pub placed: CidBytes,
    /// Whether it opens and makes the key of its commitment.
    pub result: Result<(), SeedError>,
}
