//! The seed store in plain files: fixed slots of wrapped seeds, the same in every copy folder. Where their KEKs are, the store does
//! not mind (`super::kek`).
//!
//! Copies are images of each other, slot by slot. `header` and `slot` are the formats, `vault` the cryptography,
//! `verdict` the rule by which copies are compared, `copies` and `set` the files, `book` the index in memory, `anew` what goes
//! through a whole store: rotation, rewrapping, verifying.

mod anew;
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

use super::kek::{KekEntry, Keks, Role};
use super::{CidBytes, KekStatus, Rewrapped, SeedError, SeedListed, SeedStatus, SeedStore, Verified};
use crate::crash_points::{CrashPoint, reached};
use crate::keystore::files;
use book::{Book, Known};
use copies::CopyFile;
use dta_crypto::{Entropy, OrderKey};
use set::CopySet;
use slot::{Slot, SlotBytes, Wrapped, tombstone};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use vault::Vault;
use verdict::Verdict;

/// The most slots of a store: 8 GiB a copy, and far below the number of random nonces that one KEK may see.
pub const MAX_SLOTS: u32 = 1 << 24;
/// Slots are allocated this many at a time: 128 KiB.
const GROW_SLOTS: u32 = 256;

/// Tells stores apart.
pub type StoreId = [u8; 16];

/// A seed store in files. Not for two processes at once: the home's lock excludes that.
pub struct FileStore {
    vault: Vault,
    set: CopySet,
    book: Book,
    /// A write failed half-way: the files are the truth, and are read again before anything else.
    stale: bool,
}

impl FileStore {
    /// Makes a new store in `own` (a folder of the home, made if it is not there) and in each of `copies` (folders that exist),
    /// with new KEKs, none of `others`, bound to this node's seed and identity. Nothing is ever overwritten.
    /// Errors: `Exists`, `CopyMissing`, `Io`, `Full`, `KekTaken`, `Token`.
    pub fn create(
        own: &Path,
        copies: &[PathBuf],
        keks: Keks,
        node: &CidBytes,
        others: &[KekEntry],
        entropy: &mut dyn Entropy,
    ) -> Result<Self, SeedError> {
        let folders = folders(own, copies);
        for folder in &folders {
            let file = copies::path_in(folder);
            if file.try_exists().map_err(|error| SeedError::io(folder, error))? {
                return Err(SeedError::Exists { file });
            }
        }
        let vault = Vault::create(keks, node, others, entropy)?;
        files::private_folder(own).map_err(|error| SeedError::io(own, error))?;
        // Home last: a store whose making was interrupted does not look like one.
        for folder in folders.iter().rev() {
            create_copy(folder, &vault, GROW_SLOTS)?;
            reached(CrashPoint::SeedFileMade);
        }
        let mut store = Self { vault, set: CopySet::attach(folders), book: Book::default(), stale: true };
        store.load()?;
        Ok(store)
    }

    /// Finishes what an interrupted [`FileStore::create`] began: what is there is of this node and stays as it is, and the
    /// copies that are missing are made like it, home last.
    /// Errors: `Locked` if what is there is another node's; `Conflict` if nothing is there; as `create` and `open`.
    pub fn finish(own: &Path, copies: &[PathBuf], keks: Keks, node: &CidBytes) -> Result<Self, SeedError> {
        let (made, missing): (Vec<_>, Vec<_>) =
            folders(own, copies).into_iter().partition(|folder| copies::path_in(folder).exists());
        let vault = Vault::unlock(CopySet::attach(made).header()?, keks, node)?;
        files::private_folder(own).map_err(|error| SeedError::io(own, error))?;
        for folder in missing.iter().rev() {
            create_copy(folder, &vault, GROW_SLOTS)?;
        }
        Self::with(vault, own, copies)
    }

    /// Whether a copy of a store is in one of these folders.
    pub fn is_in(folders: &[PathBuf]) -> bool {
        folders.iter().any(|folder| copies::path_in(folder).exists())
    }

    /// Opens a store and repairs each copy from the others. A missing copy does not prevent it.
    /// Errors: `CopyMissing` (all are), `Locked`, `Conflict` (a copy is of another store), `Unreadable`, `Io`.
    pub fn open(own: &Path, copies: &[PathBuf], keks: Keks, node: &CidBytes) -> Result<Self, SeedError> {
        let set = CopySet::attach(folders(own, copies));
        // Of copies of different stores the one that is this node's counts, whichever stands first; of one store's, the newest.
        let mut headers = vec![set.header()?];
        headers.extend(set.headers());
        headers.sort_by_key(|header| std::cmp::Reverse(header.version));
        let header = headers.into_iter().find(|header| Vault::is_of(header, &keks, node));
        Self::with(Vault::unlock(header.ok_or(SeedError::Locked)?, keks, node)?, own, copies)
    }

    fn with(vault: Vault, own: &Path, copies: &[PathBuf]) -> Result<Self, SeedError> {
        let set = CopySet::attach(folders(own, copies));
        Self { vault, set, book: Book::default(), stale: true }.loaded()
    }

    fn loaded(mut self) -> Result<Self, SeedError> {
        self.load()?;
        match self.set.trouble() {
            Some(error @ (SeedError::Conflict { .. } | SeedError::Unreadable { .. })) => Err(error.clone()),
            _ => Ok(self),
        }
    }

    /// Leaves a copy, which has all that the others have since the store was opened with it. A first copy that is gone is put in place
    /// from it, whole or not at all. This is asked for, never done by itself: an unmounted folder looks like an empty one.
    /// Errors: `Io`, `Full`, and those of opening.
    pub fn take_over(mut self, copy: &Path) -> Result<Self, SeedError> {
        if let Some(trouble) = self.set.trouble_at(copy) {
            return Err(trouble.clone());
        }
        let mut folders = self.set.folders();
        folders.retain(|folder| folder != copy);
        if let Some(own) = folders.first().filter(|own| !copies::path_in(own).exists()) {
            let bytes = std::fs::read(copies::path_in(copy)).map_err(|error| SeedError::io(copy, error))?;
            files::private_folder(own)
                .and_then(|()| files::write_new(&copies::path_in(own), &bytes))
                .map_err(|error| SeedError::io(own, error))?;
        }
        self.set = CopySet::attach(folders);
        self.loaded()
    }

    /// The stores that there are copies of in these folders, as far as their headers can be read; needs no key.
    pub fn ids_in(folders: &[PathBuf]) -> Vec<StoreId> {
        let id = |folder: &PathBuf| Some(CopyFile::open_read_only(folder).ok()?.page.ok()?.0.store_id);
        folders.iter().filter_map(id).collect()
    }

    /// Whether the copy in this folder has nothing but slots that were never used; needs no key.
    /// Errors: `CopyMissing`, `Unreadable`, `Io`.
    pub fn is_unused(folder: &Path) -> Result<bool, SeedError> {
        let copy = CopyFile::open_read_only(folder).map_err(|error| SeedError::io(folder, error))?;
        let (header, slots) = copy.page.as_ref().map_err(|error| set::page_error(folder, error))?;
        for number in 0..*slots {
            let slot = copy.read(number, &header.store_id).map_err(|error| SeedError::io(folder, error))?;
            if slot != Slot::Free {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Copies the wrapped seeds of the copy in `from` into `to`, a folder that is made or has none, whether or not somebody works with
    /// them meanwhile; how many seeds it has then. Needs no key, and tells none.
    /// Errors: `Exists`, `CopyMissing`, `Unreadable`, `Damaged` (a slot that stays torn), `Io`, `Full`.
    pub fn export(from: &Path, to: &Path) -> Result<u32, SeedError> {
        let io = |folder: &Path| {
            let folder = folder.to_owned();
            move |error| SeedError::io(&folder, error)
        };
        let read = || -> Result<_, SeedError> {
            let copy = CopyFile::open_read_only(from).map_err(io(from))?;
            let (header, slots) = copy.page.map_err(|error| set::page_error(from, &error))?;
            Ok((header, slots))
        };
        let copy = CopyFile::open_read_only(from).map_err(io(from))?;
        // The KEKs may be changed meanwhile, and seeds wrapped under one that this header does not name.
        let (bytes, seeds) = loop {
            let (header, slots) = read()?;
            let mut bytes = [header.half(slots), header.half(slots)].concat();
            let mut seeds = 0;
            for number in 0..slots {
                let (slot, raw) = copy.read_whole(number, &header.store_id).map_err(io(from))?;
                match slot {
                    Slot::Damaged(_) | Slot::Absent => return Err(SeedError::Damaged { slot: number }),
                    Slot::Used(_) => seeds += 1,
                    Slot::Free | Slot::Shredded(_) => {}
                }
                bytes.extend(raw);
            }
            if read()?.0 == header {
                break (bytes, seeds);
            }
        };
        files::private_folder(to).map_err(io(to))?;
        files::write_new(&copies::path_in(to), &bytes).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => SeedError::Exists { file: copies::path_in(to) },
            _ => SeedError::io(to, error),
        })?;
        Ok(seeds)
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

    /// The slot of an order that is there, or why it has none.
    fn slot_of(&self, placed: &CidBytes) -> Result<u32, SeedError> {
        match self.book.orders.get(placed) {
            Some(Known::Used { slot, .. }) => Ok(*slot),
            Some(Known::Shredded { .. }) => Err(SeedError::Shredded),
            Some(Known::Conflict) => Err(disagree()),
            None => Err(self.absent(placed)),
        }
    }

    /// Makes the seeds of those of these orders that have none and may have one; with their keys, not yet written.
    fn make(
        &mut self,
        orders: &[CidBytes],
        entropy: &mut dyn Entropy,
        batch: &mut Vec<(u32, SlotBytes)>,
    ) -> HashMap<CidBytes, Result<OrderKey, SeedError>> {
        let mut new = Vec::new();
        for placed in orders {
            if !self.knows(placed) && !new.contains(placed) {
                new.push(*placed);
            }
        }
        let made = self.vault.make(&new, entropy);
        let placed_in_slots = new.into_iter().zip(made).map(|(placed, made)| {
            let key = made.and_then(|(wrapped, key)| {
                let slot = self.take_free()?;
                batch.push((slot, wrapped.to_bytes(&self.vault.header.store_id, slot)));
                self.book.know_used(slot, &wrapped);
                Ok(key)
            });
            (placed, key)
        });
        placed_in_slots.collect()
    }

    /// The key of an order that is there already, and what must be written for it: the same bytes again, since an earlier write of
    /// them may not have reached every disk; or, as for a new one, what every KEK in use makes of it.
    fn promised(
        &mut self,
        placed: &CidBytes,
        entropy: &mut dyn Entropy,
        batch: &mut Vec<(u32, SlotBytes)>,
    ) -> Result<OrderKey, SeedError> {
        let slot = self.slot_of(placed)?;
        let store_id = self.vault.header.store_id;
        let waiting = batch.iter().find(|(number, _)| *number == slot);
        if let Some(Slot::Used(wrapped)) = waiting.map(|(_, bytes)| Slot::read(bytes, &store_id, slot)) {
            return self.vault.open_one(&wrapped);
        }
        let mut wrapped = self.read(slot, placed)?;
        if !wrapped.wrappings.iter().map(|wrapping| wrapping.kek).eq(self.vault.in_use()) {
            let anew = self.vault.rewrap(std::slice::from_ref(&wrapped), entropy).pop();
            wrapped = anew.unwrap_or(Err(SeedError::Stopped))?;
            self.book.know_used(slot, &wrapped);
        }
        batch.push((slot, wrapped.to_bytes(&store_id, slot)));
        self.vault.open_one(&wrapped)
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

impl SeedStore for FileStore {
    fn create(&mut self, orders: &[CidBytes], entropy: &mut dyn Entropy) -> Vec<Result<OrderKey, SeedError>> {
        // Without a KEK what is there already may still be opened, but is no reason to promise more.
        if let Err(error) = self.ready() {
            return orders.iter().map(|_| Err(error.clone())).collect();
        }
        let mut batch = Vec::with_capacity(orders.len());
        let mut made = self.make(orders, entropy, &mut batch);
        let answers: Vec<Result<OrderKey, SeedError>> = orders
            .iter()
            .map(|placed| match made.remove(placed) {
                Some(key) => key,
                None => self.promised(placed, entropy, &mut batch),
            })
            .collect();
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

    fn open(&mut self, orders: &[CidBytes]) -> Vec<Result<OrderKey, SeedError>> {
        if let Err(error) = self.refresh() {
            return orders.iter().map(|_| Err(error.clone())).collect();
        }
        let found: Vec<_> = orders
            .iter()
            .map(|placed| self.slot_of(placed).and_then(|slot| self.read(slot, placed)))
            .collect();
        let there: Vec<Wrapped> = found.iter().filter_map(|found| found.as_ref().ok()).cloned().collect();
        let mut opened = self.vault.open(&there).into_iter();
        let answer = |found: Result<Wrapped, SeedError>| match found {
            Ok(_) => opened.next().unwrap_or(Err(SeedError::Stopped)),
            Err(error) => Err(error),
        };
        found.into_iter().map(answer).collect()
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

    fn holds(&mut self, placed: &CidBytes) -> Result<bool, SeedError> {
        self.refresh()?;
        if self.knows(placed) { Ok(true) } else { self.need_every_copy().map(|()| false) }
    }

    fn knows(&self, placed: &CidBytes) -> bool {
        self.book.orders.contains_key(placed) || self.book.damaged_slot_of(placed).is_some()
    }

    fn orders(&self) -> Box<dyn Iterator<Item = &CidBytes> + '_> {
        Box::new(self.book.orders.keys())
    }

    fn ready(&mut self) -> Result<(), SeedError> {
        self.refresh()?;
        self.need_every_copy()?;
        self.vault.ready()
    }

    fn check(&mut self) {
        self.vault.check();
    }

    fn keks(&self) -> &[KekEntry] {
        &self.vault.header.keks
    }

    fn rotate(
        &mut self,
        role: Role,
        label: Option<&str>,
        others: &[KekEntry],
        entropy: &mut dyn Entropy,
    ) -> Result<KekStatus, SeedError> {
        self.rotate_to(role, label, others, entropy)
    }

    fn rewrap(
        &mut self,
        after: Option<u32>,
        limit: usize,
        entropy: &mut dyn Entropy,
    ) -> Result<Rewrapped, SeedError> {
        self.rewrap_some(after, limit, entropy)
    }

    fn verify(&mut self, after: Option<u32>, limit: usize) -> Result<Vec<Verified>, SeedError> {
        self.verify_some(after, limit)
    }

    fn status(&mut self) -> SeedStatus {
        // What cannot be refreshed shows in the copies.
        _ = self.refresh();
        let count =
            |wanted: fn(&Known) -> bool| self.book.orders.values().filter(|known| wanted(known)).count();
        let conflicts = self.book.orders.iter().filter(|(_, known)| matches!(known, Known::Conflict));
        SeedStatus {
            keks: self.kek_status(),
            used: count(|known| matches!(known, Known::Used { .. })) as u32,
            free: self.book.free.len() as u32,
            shredded: count(|known| matches!(known, Known::Shredded { .. })) as u32,
            damaged: self.book.damaged.keys().copied().collect(),
            conflicts: conflicts.map(|(placed, _)| *placed).collect(),
            copies: self.set.status(),
            amiss: self.vault.amiss().map(|role| SeedError::NoKek { role: role.as_str() }.to_string()),
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

fn folders(own: &Path, copies: &[PathBuf]) -> Vec<PathBuf> {
    let mut folders = vec![own.to_owned()];
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
