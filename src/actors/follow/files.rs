//! What is held of a followed log, beside the blocks: a small file that says how far, written whole or not at all, and a list
//! of the blocks, which is only appended to and never believed beyond what the small file says.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use dta_protocol::cid::CID_BYTES;
use dta_protocol::{Cid, Place};
use serde::{Deserialize, Serialize};

use super::chain::{Checkpoint, Held};
use crate::keystore::files;

/// More than the small file ever has.
const FILE_BYTES_MAX: u64 = 4_096;
/// Bytes of the list for each block: sequence and n, big-endian, and the CID.
const ENTRY_BYTES: usize = 8 + 4 + CID_BYTES;

/// The two files of one followed log.
#[derive(Clone, Debug)]
pub(super) struct Files {
    base: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    last: Option<StoredPlace>,
    blocks: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    newest: Option<StoredCheckpoint>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    whole: Option<StoredCheckpoint>,
    #[serde(skip_serializing_if = "is_first", default)]
    epoch: u64,
}

fn is_first(epoch: &u64) -> bool {
    *epoch == 0
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredPlace {
    sequence: u64,
    n: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredCheckpoint {
    cid: String,
    number: u64,
    epoch: u64,
    size: u64,
    sequence: u64,
}

impl Files {
    pub(super) fn new(base: PathBuf) -> Self {
        Self { base }
    }

    /// What is held; nothing, if the files do not say so together: then all is copied again, which changes nothing.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn read(&self) -> io::Result<Held> {
        let path = self.state();
        let mut bytes = Vec::new();
        match File::open(&path) {
            Ok(file) => file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Held::default()),
            Err(error) => return Err(error),
        };
        let held = parse(&bytes).and_then(|held| match held.last {
            Some(last) => match self.entries(held.blocks.saturating_sub(1), 1)?.pop() {
                Some((at, _)) if at == last => Ok(held),
                _ => Err(io::Error::other("the list of blocks is another")),
            },
            None => Ok(held),
        });
        Ok(held.unwrap_or_else(|error| {
            tracing::warn!(%error, path = %path.display(), "what is held of a followed log is not known: it is copied anew");
            Held::default()
        }))
    }

    /// Notes durably that these blocks are held too, and how far that is. Lost between the two files, the list's end is not
    /// believed, and written again.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn write(&self, before: &Held, blocks: &[(Place, Cid)], held: &Held) -> io::Result<()> {
        if let Some(folder) = self.base.parent().filter(|folder| !folder.exists()) {
            files::private_folder(folder)?;
        }
        let mut options = OpenOptions::new();
        let list =
            options.read(true).write(true).create(true).truncate(false).mode(0o600).open(self.list())?;
        let end = before.blocks.saturating_mul(ENTRY_BYTES as u64);
        let mut entries = Vec::with_capacity(blocks.len().saturating_mul(ENTRY_BYTES));
        for (Place { sequence, n }, cid) in blocks {
            entries.write_all(&sequence.to_be_bytes())?;
            entries.write_all(&n.to_be_bytes())?;
            entries.write_all(&cid.to_bytes())?;
        }
        list.set_len(end)?;
        list.write_all_at(&entries, end)?;
        list.sync_all()?;
        files::replace(&self.state(), &text(held)?)
    }

    /// At most `limit` of the blocks that are held, in order, from the one of this number on.
    ///
    /// # Errors
    /// The file system's, or an entry that is none.
    pub(super) fn entries(&self, from: u64, limit: usize) -> io::Result<Vec<(Place, Cid)>> {
        let list = match File::open(self.list()) {
            Ok(list) => list,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut entries = Vec::new();
        let mut at = from.saturating_mul(ENTRY_BYTES as u64);
        while entries.len() < limit {
            let mut entry = [0; ENTRY_BYTES];
            match list.read_exact_at(&mut entry, at) {
                Ok(()) => entries.push(parse_entry(&entry)?),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(error),
            }
            at = at.saturating_add(ENTRY_BYTES as u64);
        }
        Ok(entries)
    }

    /// Forgets how far it is. The blocks stay.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn remove(&self) -> io::Result<()> {
        for path in [self.state(), self.list()] {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn state(&self) -> PathBuf {
        ending(&self.base, ".json")
    }

    fn list(&self) -> PathBuf {
        ending(&self.base, ".list")
    }
}

fn ending(base: &Path, ending: &str) -> PathBuf {
    let mut name = base.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn parse_entry(entry: &[u8; ENTRY_BYTES]) -> io::Result<(Place, Cid)> {
    let wrong = || io::Error::other("the list of blocks is damaged");
    let (sequence, rest) = entry.split_first_chunk().ok_or_else(wrong)?;
    let (n, cid) = rest.split_first_chunk().ok_or_else(wrong)?;
    let place = Place { sequence: u64::from_be_bytes(*sequence), n: u32::from_be_bytes(*n) };
    Ok((place, Cid::from_bytes(cid).map_err(io::Error::other)?))
}

fn parse(bytes: &[u8]) -> io::Result<Held> {
    let Stored { last, blocks, newest, whole, epoch } = serde_json::from_slice(bytes)?;
    let checkpoint = |stored: StoredCheckpoint| {
        let StoredCheckpoint { cid, number, epoch, size, sequence } = stored;
        let cid = cid.parse().map_err(io::Error::other)?;
        Ok::<_, io::Error>(Checkpoint { cid, number, epoch, size, sequence })
    };
    let last = last.map(|StoredPlace { sequence, n }| Place { sequence, n });
    if last.is_some() != (blocks > 0) {
        return Err(io::Error::other("blocks: must be there exactly if `last` is"));
    }
    Ok(Held {
        last,
        blocks,
        newest: newest.map(checkpoint).transpose()?,
        whole: whole.map(checkpoint).transpose()?,
        epoch,
    })
}

fn text(held: &Held) -> io::Result<Vec<u8>> {
    let checkpoint = |checkpoint: &Checkpoint| {
        let Checkpoint { cid, number, epoch, size, sequence } = checkpoint;
        let (number, epoch, size, sequence) = (*number, *epoch, *size, *sequence);
        StoredCheckpoint { cid: cid.to_string(), number, epoch, size, sequence }
    };
    Ok(serde_json::to_vec(&Stored {
        last: held.last.map(|Place { sequence, n }| StoredPlace { sequence, n }),
        blocks: held.blocks,
        newest: held.newest.as_ref().map(checkpoint),
        whole: held.whole.as_ref().map(checkpoint),
        epoch: held.epoch,
    })?)
}

/// What is read is written so that it is read the same.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn stands(bytes: &[u8]) {
    if let Ok(held) = parse(bytes) {
        let again = text(&held).and_then(|text| parse(&text));
        assert!(again.is_ok_and(|again| again == held));
    }
}
