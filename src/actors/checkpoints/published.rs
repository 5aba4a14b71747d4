//! The newest checkpoint in a file of its own, outside the log: a log that is shorter than it, or another, is not this node's
//! any more, whatever it says of itself.

use std::io::{self, Read as _};
use std::path::Path;

use dta_events::log::Last;
use dta_proof::{Note, NoteError, tree};
use dta_protocol::{Cid, CidError, Identity};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Published, found};
use crate::actors::log::{LogReader, ReadError, Tree};
use crate::actors::unavailable::Unavailable;
use crate::keystore::files;

/// More than the file ever has.
const FILE_BYTES_MAX: u64 = 16 << 10;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    number: u64,
    cid: String,
    note: String,
}

/// Why the log is not the one that this node has committed to, or that cannot be told.
#[derive(Debug, Error)]
pub enum PublishedError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file is not one.
    #[error("is damaged: {0}")]
    Malformed(String),
    /// Its note is not this node's.
    #[error("its note: {0}")]
    Note(#[from] NoteError),
    /// The log lost its end.
    #[error("checkpoint {number} is published, of {published} records; the log has {found}{}", lacks(*.found, *.published))]
    Shorter {
        /// Which checkpoint.
        number: u64,
        /// How many records it is of.
        published: u64,
        /// How many there are.
        found: u64,
    },
    /// The log is another.
    #[error(
        "checkpoint {number} is published, of {size} records: the first {size} records of the log are not those"
    )]
    Conflict {
        /// Which checkpoint.
        number: u64,
        /// How many records it is of.
        size: u64,
    },
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] Unavailable),
}

impl From<ReadError> for PublishedError {
    fn from(error: ReadError) -> Self {
        Self::Log(error.into())
    }
}

fn lacks(found: u64, published: u64) -> &'static str {
    if found < published { "" } else { ", but not that checkpoint" }
}

/// Checks that the log is what the newest checkpoint says, the one in the file as well as the log's own, and brings the file
/// up to date. The newest, if there is one.
///
/// # Errors
/// See [`PublishedError`].
pub fn check(
    path: &Path,
    log: &dyn LogReader,
    owner: &Identity,
) -> Result<Option<Published>, PublishedError> {
    let (own, is_noted) = compare(read(path)?, log, owner)?;
    if let (Some(own), false) = (&own, is_noted) {
        write(path, own)?;
    }
    Ok(own)
}

/// As [`check`], from the file's content, which was read before the log was opened if that is being appended to. Changes nothing;
/// says whether the file has the newest.
///
/// # Errors
/// See [`PublishedError`].
pub fn compare(
    noted: Option<Vec<u8>>,
    log: &dyn LogReader,
    owner: &Identity,
) -> Result<(Option<Published>, bool), PublishedError> {
    let own = match found(log, &owner.cid())?.0.last {
        None => None,
        Some(Last { checkpointed, .. }) => {
            let note = Note::verify(&checkpointed.note, owner)?;
            Some(Published { cid: checkpointed.cid, number: checkpointed.number, note })
        }
    };
    let noted = noted.map(|bytes| parse(&bytes, owner)).transpose()?;
    for published in noted.iter().chain(&own) {
        holds(published, log)?;
    }
    let number = own.as_ref().map(|own| own.number);
    match noted {
        // It was noted after its record was synced, so a log without the record has lost it.
        Some(noted) if number.is_none_or(|number| number < noted.number) => Err(PublishedError::Shorter {
            number: noted.number,
            published: noted.note.size(),
            found: log.head()?.count,
        }),
        Some(noted) if own.as_ref().is_some_and(|own| own.number == noted.number && own.cid != noted.cid) => {
            Err(PublishedError::Conflict { number: noted.number, size: noted.note.size() })
        }
        Some(noted) => Ok((own, number == Some(noted.number))),
        None => Ok((own, false)),
    }
}

/// Whether the log begins with what was published.
fn holds(published: &Published, log: &dyn LogReader) -> Result<(), PublishedError> {
    let Published { number, note, .. } = published;
    let found = log.head()?.count;
    if found < note.size() {
        return Err(PublishedError::Shorter { number: *number, published: note.size(), found });
    }
    let root = tree::root(&Tree(log), note.size());
    match root {
        Ok(root) if root == note.root() => Ok(()),
        Ok(_) => Err(PublishedError::Conflict { number: *number, size: note.size() }),
        Err(tree::TreeError::Read(error)) => Err(error.into()),
        Err(tree::TreeError::Range) => Err(PublishedError::Conflict { number: *number, size: note.size() }),
    }
}

/// The file's content; none if there is no file.
///
/// # Errors
/// The file system's.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    match std::fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?,
    };
    Ok(Some(bytes))
}

/// What the file says, if there is one; nothing is compared with any log.
///
/// # Errors
/// It cannot be read, is damaged, or is not of this node.
pub fn noted(path: &Path, owner: &Identity) -> Result<Option<Published>, PublishedError> {
    read(path)?.map(|bytes| parse(&bytes, owner)).transpose()
}

fn parse(bytes: &[u8], owner: &Identity) -> Result<Published, PublishedError> {
    let malformed = |error: &dyn std::fmt::Display| PublishedError::Malformed(error.to_string());
    let stored: Stored = serde_json::from_slice(bytes).map_err(|error| malformed(&error))?;
    let cid: Cid = stored.cid.parse().map_err(|error: CidError| malformed(&error))?;
    Ok(Published { cid, number: stored.number, note: Note::verify(&stored.note, owner)? })
}

/// Writes the file, synced, whole or not at all.
///
/// # Errors
/// The file system's.
pub fn write(path: &Path, published: &Published) -> io::Result<()> {
    let Published { cid, number, note } = published;
    let stored = Stored { number: *number, cid: cid.to_string(), note: note.text().to_owned() };
    files::replace(path, &serde_json::to_vec_pretty(&stored)?)
}
