//! Where the mirror is: a small file, written whole or not at all, and believed only if the log bears it out.

use std::io::{self, Read as _};
use std::path::Path;

use dta_protocol::Cid;
use serde::{Deserialize, Serialize};

use crate::actors::log::{CidBytes, LogReader, PublishedAt, ReadError};
use crate::keystore::files;

/// More than the file ever has.
const FILE_BYTES_MAX: u64 = 1_024;

/// The last block that was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) at: PublishedAt,
    pub(super) cid: CidBytes,
    /// All up to this place is not kept any more.
    pub(super) forgotten: Option<PublishedAt>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    sequence: u64,
    n: u32,
    /// Tells another log, or one that lost its end and grew another.
    cid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forgotten: Option<Forgotten>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Forgotten {
    sequence: u64,
    n: u32,
}

/// The position in the file, if that block stands there in this log; else none: all is copied again.
pub(super) fn find(path: &Path, log: &dyn LogReader) -> Result<Option<Position>, ReadError> {
    let found = match read(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "the mirror's position is unreadable: it begins anew");
            return Ok(None);
        }
    };
    let there = log.published(just_before(found.at), 1)?;
    if there.first().is_some_and(|(at, block)| *at == found.at && *block.cid() == found.cid) {
        return Ok(Some(found));
    }
    let sequence = found.at.sequence;
    tracing::warn!(sequence, "the mirror's position is not one in this log: it begins anew");
    Ok(None)
}

/// A place right before this one; whether anything stands there does not matter.
fn just_before(at: PublishedAt) -> Option<PublishedAt> {
    match (at.sequence.checked_sub(1), at.n.checked_sub(1)) {
        (_, Some(n)) => Some(PublishedAt { n, ..at }),
        (Some(sequence), None) => Some(PublishedAt { sequence, n: u32::MAX }),
        (None, None) => None,
    }
}

fn read(path: &Path) -> io::Result<Position> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> io::Result<Position> {
    let Stored { sequence, n, cid, forgotten } = serde_json::from_slice(bytes)?;
    let cid: Cid = cid.parse().map_err(io::Error::other)?;
    let at = PublishedAt { sequence, n };
    let forgotten = forgotten.map(|Forgotten { sequence, n }| PublishedAt { sequence, n });
    if forgotten.is_some_and(|forgotten| forgotten > at) {
        return Err(io::Error::other("forgotten: is after what was copied last"));
    }
    Ok(Position { at, cid: cid.to_bytes(), forgotten })
}

/// Writes the file, synced, and its folder if there is none.
pub(super) fn write(path: &Path, position: &Position) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
        files::private_folder(folder)?;
    }
    files::replace(path, &text(position)?)
}

fn text(position: &Position) -> io::Result<Vec<u8>> {
    let cid = Cid::from_bytes(&position.cid).map_err(io::Error::other)?.to_string();
    let forgotten = position.forgotten.map(|PublishedAt { sequence, n }| Forgotten { sequence, n });
    let stored = Stored { sequence: position.at.sequence, n: position.at.n, cid, forgotten };
    Ok(serde_json::to_vec(&stored)?)
}

/// What is read is written so that it is read the same.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn stands(bytes: &[u8]) {
    if let Ok(position) = parse(bytes) {
        let again = text(&position).and_then(|text| parse(&text));
        assert!(again.is_ok_and(|again| again == position));
    }
}
