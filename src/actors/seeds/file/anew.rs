//! What goes through a whole store: its KEKs are changed, its seeds wrapped anew under those in use now, or each opened and its key
//! derived again.

use dta_crypto::Entropy;

use super::book::Known;
use super::header::Header;
use super::slot::Wrapped;
use super::{CidBytes, FileStore, KekStatus, Rewrapped, SeedError, Verified};
use crate::actors::seeds::kek::{KekEntry, KekId, Role};

impl FileStore {
    /// Makes the KEKs that the settings want and this store lacks, and retires those that they no longer want; whether
    /// anything changed. None of them is a key of `others`.
    /// Errors: those of [`SeedStore::rotate`](super::SeedStore::rotate).
    pub fn complete(&mut self, others: &[KekEntry], entropy: &mut dyn Entropy) -> Result<bool, SeedError> {
        self.refresh()?;
        self.need_every_copy()?;
        let changed = self.vault.complete(others, entropy)?;
        changed.map_or(Ok(false), |header| self.change(header).map(|()| true))
    }

    /// Every KEK, with how many seeds it opens.
    pub(super) fn kek_status(&self) -> Vec<KekStatus> {
        let seeds = |id: &KekId| {
            let opens = |known: &&Known| matches!(known, Known::Used { keks, .. } if keks.contains(id));
            self.book.orders.values().filter(opens).count() as u32
        };
        let status = |kek: &KekEntry| KekStatus {
            id: kek.id,
            kind: kek.kind,
            role: kek.role,
            token: kek.token.clone(),
            label: kek.label.clone(),
            seeds: seeds(&kek.id),
            trouble: self.vault.trouble(&kek.id).map(ToString::to_string),
        };
        self.vault.header.keks.iter().map(status).collect()
    }

    pub(super) fn rotate_to(
        &mut self,
        role: Role,
        label: Option<&str>,
        others: &[KekEntry],
        entropy: &mut dyn Entropy,
    ) -> Result<KekStatus, SeedError> {
        self.refresh()?;
        self.need_every_copy()?;
        let header = self.vault.rotate(role, label, others, entropy)?;
        self.change(header)?;
        let made = self.kek_status().into_iter().find(|kek| kek.role == role);
        made.ok_or_else(|| SeedError::conflict("a KEK was made and is not in the header"))
    }

    pub(super) fn rewrap_some(
        &mut self,
        after: Option<u32>,
        limit: usize,
        entropy: &mut dyn Entropy,
    ) -> Result<Rewrapped, SeedError> {
        self.refresh()?;
        self.need_every_copy()?;
        self.vault.ready()?;
        let in_use = self.vault.in_use();
        let mut behind: Vec<(u32, CidBytes)> = Vec::new();
        for (placed, known) in &self.book.orders {
            if let Known::Used { slot, keks, .. } = known
                && *keks != in_use
            {
                behind.push((*slot, *placed));
            }
        }
        let mut left = behind.len();
        behind.retain(|(slot, _)| after.is_none_or(|after| *slot > after));
        behind.sort_unstable();
        behind.truncate(limit);
        let last = behind.last().map(|(slot, _)| *slot);
        // One that cannot be wrapped anew keeps its KEK alive, and does not keep the others from going on.
        let mut failed = Vec::new();
        let mut old: Vec<(u32, Wrapped)> = Vec::new();
        for (slot, placed) in behind {
            match self.read(slot, &placed) {
                Ok(wrapped) => old.push((slot, wrapped)),
                Err(error) => failed.push((placed, error)),
            }
        }
        let wrapped: Vec<Wrapped> = old.iter().map(|(_, wrapped)| wrapped.clone()).collect();
        let mut batch = Vec::with_capacity(old.len());
        let mut anew = Vec::with_capacity(old.len());
        for ((slot, old), made) in old.iter().zip(self.vault.rewrap(&wrapped, entropy)) {
            match made {
                Ok(made) => {
                    batch.push((*slot, made.to_bytes(&self.vault.header.store_id, *slot)));
                    anew.push((*slot, made));
                }
                Err(error) => failed.push((old.placed, error)),
            }
        }
        if let Err(error) = self.set.write(&batch) {
            self.stale = true;
            return Err(error);
        }
        for (slot, made) in &anew {
            self.book.know_used(*slot, made);
        }
        left -= anew.len();
        if left == 0 {
            self.forget_empty(entropy)?;
        }
        Ok(Rewrapped { done: anew.len() as u32, left: left as u32, last, failed })
    }

    /// Takes retired KEKs that open nothing any more out of the header. A slot that nobody can read might be wrapped under them.
    fn forget_empty(&mut self, entropy: &mut dyn Entropy) -> Result<(), SeedError> {
        let whole = self.book.damaged.is_empty()
            && !self.book.orders.values().any(|known| matches!(known, Known::Conflict));
        let keks = self.kek_status();
        let empty = keks.iter().filter(|kek| kek.role == Role::Retired && kek.seeds == 0);
        let gone: Vec<KekId> = empty.map(|kek| kek.id).collect();
        if gone.is_empty() || !whole {
            return Ok(());
        }
        self.write_again()?;
        let header = self.vault.without(&gone, entropy)?;
        self.change(header)
    }

    /// Writes and syncs every seed once more. A sync that failed may have left in memory what no disk has, and it reads as if it were
    /// there: before a key is forgotten, nothing may still need it anywhere.
    fn write_again(&mut self) -> Result<(), SeedError> {
        let used = |(placed, known): (&CidBytes, &Known)| match known {
            Known::Used { slot, .. } => Some((*slot, *placed)),
            _ => None,
        };
        let used: Vec<(u32, CidBytes)> = self.book.orders.iter().filter_map(used).collect();
        for some in used.chunks(1_024) {
            let mut batch = Vec::with_capacity(some.len());
            for (slot, placed) in some {
                batch.push((*slot, self.read(*slot, placed)?.to_bytes(&self.vault.header.store_id, *slot)));
            }
            if let Err(error) = self.set.write(&batch) {
                self.stale = true;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Writes a header to every copy, then works with it. If a copy fails, what was written is found again by its version.
    fn change(&mut self, header: Header) -> Result<(), SeedError> {
        self.vault.take(header.clone())?;
        let written = self.set.write_header(&header, self.book.slots);
        self.stale |= written.is_err();
        written
    }

    pub(super) fn verify_some(
        &mut self,
        after: Option<u32>,
        limit: usize,
    ) -> Result<Vec<Verified>, SeedError> {
        self.refresh()?;
        let mut ahead: Vec<(u32, CidBytes)> = Vec::new();
        for (placed, known) in &self.book.orders {
            if let Known::Used { slot, .. } = known
                && after.is_none_or(|after| *slot > after)
            {
                ahead.push((*slot, *placed));
            }
        }
        ahead.sort_unstable();
        ahead.truncate(limit);
        let mut found = Vec::with_capacity(ahead.len());
        for (slot, placed) in &ahead {
            found.push(self.read(*slot, placed));
        }
        let there: Vec<Wrapped> = found.iter().filter_map(|found| found.as_ref().ok()).cloned().collect();
        let mut checked = self.vault.verify(&there).into_iter();
        let verified = |((slot, placed), found): ((u32, CidBytes), Result<Wrapped, SeedError>)| Verified {
            slot,
            placed,
            result: found.and_then(|_| checked.next().unwrap_or(Err(SeedError::Stopped))),
        };
        Ok(ahead.into_iter().zip(found).map(verified).collect())
    }
}
