//! The seed store in plain files: fixed slots of wrapped seeds, the same in every copy folder.
//!
//! Copies are images of each other, slot by slot. `header` and `slot` are the formats, `vault` the cryptography,
//! `verdict` the rule by which copies are compared, `copies` and `set` the files, `book` the index in memory.

mod book;
mod copies;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod header;
mod set;
mod slot;
mod vault;
mod verdict;

#[cfg(test)]
mod tests;

use super::{CidBytes, SeedError, SeedListed, SeedStatus, SeedStore};
use crate::crash_points::{CrashPoint, reached};
use crate::keystore::files;
use book::{Book, Known};
use copies::CopyFile;
use dta_crypto::{Entropy, OrderKey, Secret};
use set::CopySet;
use slot::{Slot, SlotBytes, Wrapped, tombstone};
use std::path::{Path, PathBuf};
use vault::Vault;
use verdict::Verdict;

/// The most slots of a store: 4 GiB a copy, and far below the number of random nonces that one KEK may see.
pub const MAX_SLOTS: u32 = 1 << 24;
/// Slots are allocated this many at a time: 64 KiB.
const GROW_SLOTS: u32 = 256;

/// A seed store in files. Not for two processes at once: the home's lock excludes that.
pub struct SoftStore {
    vault: Vault,
    set: CopySet,
    book: Book,
    /// A write failed half-way: the files are the truth, and are read again before anything else.
    stale: bool,
}

impl SoftStore {
    /// Makes a new store in `home/seeds` and in each of `copies` (folders that exist), with a new KEK sealed to
    /// this node's seed and identity. Nothing is ever overwritten.
    /// Errors: `Exists`, `CopyMissing`, `Io`, `Full`.
    pub fn create(
        home: &Path,
        copies: &[PathBuf],
        node_seed: &Secret<32>,
        node: &CidBytes,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, SeedError> {
        let folders = folders(home, copies);
        for folder in &folders {
            let file = copies::path_in(folder);
            if file.try_exists().map_err(|error| SeedError::io(folder, error))? {
                return Err(SeedError::Exists { file });
            }
        }
        let vault = Vault::create(node_seed, node, entropy)?;
        let own = home.join("seeds");
        files::private_folder(&own).map_err(|error| SeedError::io(&own, error))?;
        // Home last: a store whose making was interrupted does not look like one.
        for folder in folders.iter().rev() {
            create_copy(folder, &vault, GROW_SLOTS)?;
            reached(CrashPoint::SeedFileMade);
        }
        let mut store = Self { vault, set: CopySet::attach(folders), book: Book::default(), stale: true };
        store.load()?;
        Ok(store)
    }

    /// Finishes what an interrupted [`SoftStore::create`] began: what is there is of this node and stays as it is, and the
    /// copies that are missing are made like it, home last.
    /// Errors: `Locked` if what is there is another node's; `Conflict` if nothing is there; as `create` and `open`.
    pub fn finish(
        home: &Path,
        copies: &[PathBuf],
        node_seed: &Secret<32>,
        node: &CidBytes,
    ) -> Result<Self, SeedError> {
        let (made, missing): (Vec<_>, Vec<_>) =
            folders(home, copies).into_iter().partition(|folder| copies::path_in(folder).exists());
        let vault = Vault::unlock(CopySet::attach(made).header()?, node_seed, node)?;
        let own = home.join("seeds");
        files::private_folder(&own).map_err(|error| SeedError::io(&own, error))?;
        for folder in missing.iter().rev() {
            create_copy(folder, &vault, GROW_SLOTS)?;
        }
        Self::open(home, copies, node_seed, node)
    }

    /// Whether a copy of a store is in one of these folders.
    pub fn is_in(folders: &[PathBuf]) -> bool {
        folders.iter().any(|folder| copies::path_in(folder).exists())
    }

    /// Opens a store and repairs each copy from the others. A missing copy does not prevent it.
    /// Errors: `CopyMissing` (all are), `Locked`, `Conflict` (a copy is of another store), `Unreadable`, `Io`.
    pub fn open(
        home: &Path,
        copies: &[PathBuf],
        node_seed: &Secret<32>,
        node: &CidBytes,
    ) -> Result<Self, SeedError> {
        let set = CopySet::attach(folders(home, copies));
        // Of copies of different stores the one that is this node's counts, whichever stands first.
        let mut headers = vec![set.header()?];
        headers.extend(set.headers());
        let vault = headers.into_iter().find_map(|header| Vault::unlock(header, node_seed, node).ok());
        let vault = vault.ok_or(SeedError::Locked)?;
        let mut store = Self { vault, set, book: Book::default(), stale: true };
        store.load()?;
        match store.set.trouble() {
            Some(error @ (SeedError::Conflict { .. } | SeedError::Unreadable { .. })) => Err(error.clone()),
            _ => Ok(store),
        }
    }

    /// Starts a copy in a folder that has none, for a new or replaced disk, and fills it from the others. This is
    /// asked for, never done by itself: an unmounted folder looks like an empty one.
    /// Errors: `Exists`, `CopyMissing` (no such folder, or no copy to fill it from), `Io`, `Full`.
    pub fn add_copy(&mut self, folder: &Path) -> Result<(), SeedError> {
        create_copy(folder, &self.vault, 0)?;
        let mut folders = self.set.folders();
        if !folders.iter().any(|known| known == folder) {
            folders.push(folder.to_owned());
        }
        self.set = CopySet::attach(folders);
        self.load()
    }

    /// Reads every slot of every copy, repairs, and builds the index.
    fn load(&mut self) -> Result<(), SeedError> {
        self.stale = true;
        let header = &self.vault.header;
        self.set = CopySet::attach(self.set.folders());
        self.set.hold_to(header);
        let slots = self.set.slots();
        let mut book = Book::default();
        for number in 0..slots {
            book.enter(self.set.settle(number, header)?.0);
        }
        self.set.sync();
        self.set.mend_headers(header, slots);
        self.book = book;
        self.stale = false;
        Ok(())
    }

    /// Notices copies that went or came back since the last request.
    fn refresh(&mut self) -> Result<(), SeedError> {
        self.set.notice_absence();
        if self.stale || self.set.has_returned(&self.vault.header) { self.load() } else { Ok(()) }
    }

    /// Every copy, or why not.
    fn need_every_copy(&self) -> Result<(), SeedError> {
        self.set.trouble().map_or(Ok(()), |trouble| Err(trouble.clone()))
    }

    /// The wrapped seed in a slot that the index says is used.
    fn read(&mut self, slot: u32, placed: &CidBytes) -> Result<Wrapped, SeedError> {
        let (verdict, repaired) = self.set.settle(slot, &self.vault.header)?;
        if repaired {
            self.set.sync();
        }
        match verdict {
            Verdict::Used(wrapped) if wrapped.placed == *placed => Ok(wrapped),
            Verdict::Damaged(_) => Err(SeedError::Damaged { slot }),
            _ => {
                self.stale = true;
                Err(SeedError::conflict(format!(
                    "slot {slot} no longer holds what it held, or its copies differ"
                )))
            }
        }
    }

    /// The key of an order, and what must be written for it: the same bytes again if it is there already, since
    /// an earlier write of them may not have reached every disk.
    fn make(
        &mut self,
        placed: &CidBytes,
        entropy: &mut dyn Entropy,
        batch: &mut Vec<(u32, SlotBytes)>,
    ) -> Result<OrderKey, SeedError> {
        match self.book.orders.get(placed) {
            Some(Known::Used { slot, .. }) => {
                let slot = *slot;
                let waiting = batch.iter().find(|(number, _)| *number == slot);
                let wrapped =
                    match waiting.map(|(_, bytes)| Slot::read(bytes, &self.vault.header.store_id, slot)) {
                        Some(Slot::Used(wrapped)) => wrapped,
                        _ => self.read(slot, placed)?,
                    };
                let key = self.vault.open(&wrapped)?;
                batch.push((slot, wrapped.to_bytes(&self.vault.header.store_id, slot)));
                Ok(key)
            }
            Some(Known::Shredded { .. }) => Err(SeedError::Shredded),
            Some(Known::Conflict) => Err(disagree()),
            None => {
                if let Some(slot) = self.book.damaged_slot_of(placed) {
                    return Err(SeedError::Damaged { slot });
                }
                let slot = self.take_free()?;
                let (wrapped, key) = self.vault.make(placed, entropy)?;
                let known = Known::Used { slot, commitment: wrapped.commitment };
                self.book.orders.insert(*placed, known);
                batch.push((slot, wrapped.to_bytes(&self.vault.header.store_id, slot)));
                Ok(key)
            }
        }
    }

    fn take_free(&mut self) -> Result<u32, SeedError> {
        if self.book.free.is_empty() {
            let (from, to) = (self.book.slots, self.book.slots + GROW_SLOTS);
            if to > MAX_SLOTS {
                return Err(SeedError::Full { limit: MAX_SLOTS });
            }
            self.set.grow(&self.vault.header, from, to)?;
            self.book.slots = to;
            self.book.free.extend(from..to);
        }
        self.book.free.pop_first().ok_or(SeedError::Full { limit: MAX_SLOTS })
    }

    /// Why an order has no seed that can be told: absence is claimed only when every copy was asked.
    fn absent(&self, placed: &CidBytes) -> SeedError {
        let damaged = self.book.damaged_slot_of(placed).or(self.book.damaged.keys().next().copied());
        match (self.set.trouble(), damaged) {
            (Some(trouble), _) => trouble.clone(),
            (None, Some(slot)) => SeedError::Damaged { slot },
            (None, None) => SeedError::NotFound,
        }
    }
}

impl SeedStore for SoftStore {
    fn create(&mut self, orders: &[CidBytes], entropy: &mut dyn Entropy) -> Vec<Result<OrderKey, SeedError>> {
        if let Err(error) = self.refresh().and_then(|()| self.need_every_copy()) {
            return orders.iter().map(|_| Err(error.clone())).collect();
        }
        let mut batch = Vec::with_capacity(orders.len());
        let answers: Vec<_> = orders.iter().map(|placed| self.make(placed, entropy, &mut batch)).collect();
        reached(CrashPoint::SeedMade);
        // A repair on the way, or growth, may have set a copy aside: then nothing is answered either.
        match self.need_every_copy().and_then(|()| self.set.write(&batch)) {
            Ok(()) => answers,
            Err(error) => {
                self.stale = true;
                answers.into_iter().map(|answer| answer.and(Err(error.clone()))).collect()
            }
        }
    }

    fn open(&mut self, placed: &CidBytes) -> Result<OrderKey, SeedError> {
        self.refresh()?;
        match self.book.orders.get(placed) {
            Some(Known::Used { slot, .. }) => {
                let wrapped = self.read(*slot, placed)?;
                self.vault.open(&wrapped)
            }
            Some(Known::Shredded { .. }) => Err(SeedError::Shredded),
            Some(Known::Conflict) => Err(disagree()),
            None => Err(self.absent(placed)),
        }
    }

    fn shred(&mut self, placed: &CidBytes) -> Result<(), SeedError> {
        self.refresh()?;
        let slot = match self.book.orders.get(placed) {
            Some(Known::Used { slot, .. } | Known::Shredded { slot }) => *slot,
            Some(Known::Conflict) => return Err(disagree()),
            None => return Err(self.absent(placed)),
        };
        self.book.orders.insert(*placed, Known::Shredded { slot });
        let bytes = tombstone(placed, &self.vault.header.store_id, slot);
        self.set.write(&[(slot, bytes)])
    }

    fn ready(&mut self) -> Result<(), SeedError> {
        self.refresh()?;
        self.set.trouble().map_or(Ok(()), |trouble| Err(trouble.clone()))
    }

    fn status(&mut self) -> SeedStatus {
        // What cannot be refreshed shows in the copies.
        _ = self.refresh();
        let count =
            |wanted: fn(&Known) -> bool| self.book.orders.values().filter(|known| wanted(known)).count();
        let conflicts = self.book.orders.iter().filter(|(_, known)| matches!(known, Known::Conflict));
        SeedStatus {
            kek_id: self.vault.header.kek_id,
            used: count(|known| matches!(known, Known::Used { .. })) as u32,
            free: self.book.free.len() as u32,
            shredded: count(|known| matches!(known, Known::Shredded { .. })) as u32,
            damaged: self.book.damaged.keys().copied().collect(),
            conflicts: conflicts.map(|(placed, _)| *placed).collect(),
            copies: self.set.status(),
        }
    }

    fn newest(&mut self, limit: usize) -> Vec<CidBytes> {
        _ = self.refresh();
        // Slots are taken in order and never twice.
        let slot = |(placed, known): (&CidBytes, &Known)| match known {
            Known::Used { slot, .. } | Known::Shredded { slot } => Some((*slot, *placed)),
            Known::Conflict => None,
        };
        let mut slots: Vec<_> = self.book.orders.iter().filter_map(slot).collect();
        slots.sort_unstable_by(|one, other| other.cmp(one));
        slots.into_iter().take(limit).map(|(_, placed)| placed).collect()
    }

    fn list(&mut self) -> Vec<SeedListed> {
        _ = self.refresh();
        let listed = |(placed, known): (&CidBytes, &Known)| match known {
            Known::Used { commitment, .. } => Some(SeedListed { placed: *placed, commitment: *commitment }),
            _ => None,
        };
        self.book.orders.iter().filter_map(listed).collect()
    }
}

fn folders(home: &Path, copies: &[PathBuf]) -> Vec<PathBuf> {
    let mut folders = vec![home.join("seeds")];
    folders.extend_from_slice(copies);
    folders
}

fn create_copy(folder: &Path, vault: &Vault, slots: u32) -> Result<(), SeedError> {
    if !folder.is_dir() {
        return Err(SeedError::missing(folder, "there is no such folder"));
    }
    CopyFile::create(folder, &vault.header, slots).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => SeedError::Exists { file: copies::path_in(folder) },
        _ => SeedError::io(folder, error),
    })
}

fn disagree() -> SeedError {
    SeedError::conflict("copies or slots hold different seeds for this order")
}
