//! What was taken over from a node of the original: its orders' seeds and its EC keys, sealed in the home's `original.json`.
//!
//! They are not in the log, since no step of theirs can be verified: a person releases their secrets, or a plugin uses the keys.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

use dta_crypto::Secret;
use dta_original::kept::{MAX_FILE_BYTES, list as list_of};
use dta_original::{Kept, KeptError, Listed};
use thiserror::Error;

use crate::home::Home;
use crate::keystore::files;

/// Why what was taken over cannot be read or written.
#[derive(Debug, Error)]
pub enum OriginalError {
    /// Nothing was taken over.
    #[error("there is no {}: `dta import-original` makes it from a home of the original", .0.display())]
    Missing(PathBuf),
    /// The file is none.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: KeptError,
    },
    /// The file system.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// Opens what was taken over into a home, with the node's seed; nothing is unsealed yet.
///
/// # Errors
/// Nothing was taken over, or the file is none: see [`OriginalError`].
pub fn open(home: &Home, seed: &Secret<32>) -> Result<Kept, OriginalError> {
    let bytes = read(home)?.ok_or_else(|| OriginalError::Missing(home.original()))?;
    Kept::parse(&bytes, seed).map_err(|source| OriginalError::File { path: home.original(), source })
}

/// As [`open`], and nothing yet if nothing was taken over.
///
/// # Errors
/// As there.
pub fn open_or_new(home: &Home, seed: &Secret<32>) -> Result<Kept, OriginalError> {
    match open(home, seed) {
        Err(OriginalError::Missing(_)) => Ok(Kept::new(seed)),
        opened => opened,
    }
}

/// The orders that were taken over, without opening anything.
///
/// # Errors
/// As [`open`].
pub fn list(home: &Home) -> Result<Vec<Listed>, OriginalError> {
    let bytes = read(home)?.ok_or_else(|| OriginalError::Missing(home.original()))?;
    list_of(&bytes).map_err(|source| OriginalError::File { path: home.original(), source })
}

/// Writes what was taken over: after a crash it is as it was or as it is now. The home must be locked.
///
/// # Errors
/// The file system's.
pub fn save(home: &Home, kept: &Kept) -> Result<(), OriginalError> {
    let path = home.original();
    let written = kept.to_json().map_err(io::Error::from).and_then(|json| files::replace(&path, &json));
    written.map_err(|source| OriginalError::Io { path, source })
}

fn read(home: &Home) -> Result<Option<Vec<u8>>, OriginalError> {
    let path = home.original();
    let mut bytes = Vec::new();
    // One byte more than any file has is no JSON of ours.
    let read = File::open(&path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(OriginalError::Io { path, source }),
    }
}
