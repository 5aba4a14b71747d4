//! How long the log was when its last commit was acknowledged, in a file of its own beside the database.
//!
//! RocksDB takes a write-ahead log with a damaged length for one that was being written, and opens without the rest; one
//! that is gone it does not miss at all (measured). This file tells. It is written after the commit it speaks of and is
//! not synced, so it costs nothing and may be behind after a power failure, but is never ahead of the database.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::keys;
use super::port::{Damage, Head, ReadError};
use super::store::{Store, Table};
use dta_events::record::hash_of;

/// Among RocksDB's own files, so that it travels with them.
const FILE: &str = "ACKNOWLEDGED";
/// A head as in the database, then its SHA-256.
const HEAD_BYTES: usize = 40;
const FILE_BYTES: usize = HEAD_BYTES + 32;

/// The file, open to be written.
pub(super) struct Acknowledged {
    file: File,
}

impl Acknowledged {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let file = File::options().create(true).write(true).truncate(false).open(folder.join(FILE))?;
        Ok(Self { file })
    }

    /// Notes a head, as its value stands in the database. One small write at one place: a crash of the process leaves
    /// it whole.
    pub(super) fn note(&self, head: &[u8]) -> io::Result<()> {
        self.file.write_all_at(&[head, &hash_of(head)].concat(), 0)
    }

    /// What the file says. None if there is no such file, or a power failure tore it: then it cannot tell.
    ///
    /// A live log is to be opened after this, since the file is ahead of a database that was opened before it.
    pub(super) fn read(folder: &Path) -> io::Result<Option<Head>> {
        let bytes = match std::fs::read(folder.join(FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        Ok(parse(&bytes))
    }
}

fn parse(bytes: &[u8]) -> Option<Head> {
    let (head, check) = bytes.split_at_checked(HEAD_BYTES)?;
    let whole = bytes.len() == FILE_BYTES && hash_of(head) == check;
    if whole { keys::head_from(Some(head.into())).ok() } else { None }
}

/// Only what has its checksum is believed.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn stands(bytes: &[u8]) {
    if parse(bytes).is_some() {
        assert!(bytes.len() == FILE_BYTES && bytes.ends_with(&hash_of(&bytes[..HEAD_BYTES])));
    }
}

/// Whether the log still has all that was acknowledged.
pub(super) fn check<S: Store>(store: &S, head: &Head, acknowledged: Option<Head>) -> Result<(), ReadError> {
    let Some(acknowledged) = acknowledged else { return Ok(()) };
    if head.count < acknowledged.count {
        let reason = format!("the records end here, {} were acknowledged", acknowledged.count);
        return Err(Damage::Record { sequence: head.count, reason }.into());
    }
    let Some(sequence) = acknowledged.count.checked_sub(1) else { return Ok(()) };
    let stored = store.get(Table::Records, &sequence.to_be_bytes())?;
    if stored.is_none_or(|stored| hash_of(&stored) != acknowledged.hash) {
        let reason = "the record is not the one that was acknowledged".into();
        return Err(Damage::Record { sequence, reason }.into());
    }
    Ok(())
}
