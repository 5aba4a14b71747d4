//! Reads the files of the original's home, and changes none: they are opened for reading, and what changes meanwhile is refused.

use std::fs::{File, Metadata, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use dta_crypto::SecretBytes;
use thiserror::Error;

use crate::bolt::BoltError;
use crate::store::{Identity, Left, Stored};
use crate::{Original, Settings, keys, store};

/// The settings.
const CONFIG: &str = "config.yaml";
/// The store.
const STORE: &str = "datastore.dat";
/// The node's seed, in the last commits.
const KEYS: &str = "keys";
/// Documents, if the node had its own IPFS store.
const IPFS: &str = "ipfs-data";

const CONFIG_BYTES: u64 = 1 << 18;
const KEYS_BYTES: u64 = 1 << 20;
/// An order takes about a kibibyte, so this is a million of them.
const STORE_BYTES: u64 = 1 << 30;

/// Why a home cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// Nothing of the original's is there.
    #[error("{} is no home of the original D-TA: it has neither {CONFIG} nor {STORE}", .0.display())]
    NoHome(PathBuf),
    /// The original's daemon has the store.
    #[error("{} is in use by the original's daemon: stop that first", .0.display())]
    InUse(PathBuf),
    /// It was written to.
    #[error("{} changed while it was read: stop what writes to it, then run this again", .0.display())]
    Changed(PathBuf),
    /// More than is read.
    #[error("{} has {bytes} bytes; at most {limit} are read: compact it with bbolt's own tool, into a copy", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// What is read.
        limit: u64,
    },
    /// The store is none.
    #[error("{}: {source}; try another copy of it", .path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: BoltError,
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

/// Reads a home of the original. What is damaged is left out and told; what is whole is read.
///
/// # Errors
/// There is no such home, it is in use, or its store has no whole state: see [`ReadError`].
pub fn read(home: &Path) -> Result<Original, ReadError> {
    let config = file(home, CONFIG, CONFIG_BYTES)?;
    let store = file(home, STORE, STORE_BYTES)?;
    if config.is_none() && store.is_none() {
        return Err(ReadError::NoHome(home.to_owned()));
    }
    let mut left = Vec::new();
    let settings = match config {
        Some(bytes) => Settings::parse(bytes.expose()),
        None => {
            left.push(Left::File { name: CONFIG, why: "is not there".into() });
            Settings::default()
        }
    };
    if !settings.unread.is_empty() {
        left.push(Left::Lines(settings.unread.clone()));
    }
    let stored = match &store {
        Some(bytes) => store::read(bytes.expose())
            .map_err(|source| ReadError::Store { path: home.join(STORE), source })?,
        None => {
            left.push(Left::File { name: STORE, why: "is not there: no orders".into() });
            Stored::default()
        }
    };
    let Stored { mut identities, orders, left: in_store } = stored;
    left.extend(in_store);
    for identity in &mut identities {
        identity.of_node = Some(identity.cid.as_str()) == settings.node_id();
    }
    if let Some(bytes) = file(home, KEYS, KEYS_BYTES)? {
        of_keys(bytes.expose(), &settings, &mut identities, &mut left);
    }
    // The node's own first.
    identities.sort_by_key(|identity| !identity.of_node);
    if home.join(IPFS).exists() {
        left.push(Left::Ipfs);
    }
    Ok(Original { settings, identities, orders, left })
}

/// Takes the seed of the file `keys`: the node's, unless the store has that.
fn of_keys(bytes: &[u8], settings: &Settings, identities: &mut Vec<Identity>, left: &mut Vec<Left>) {
    let Some(keys::Keys { seed, others }) = keys::parse(bytes) else {
        left.push(Left::File { name: KEYS, why: "is not JSON with keys in base64".into() });
        return;
    };
    left.extend(others.into_iter().map(Left::Key));
    let Some(seed) = seed else { return };
    let of_node = !identities.iter().any(|identity| identity.of_node);
    let cid = settings.node_id().filter(|_| of_node).unwrap_or(KEYS).to_owned();
    let name = settings.node_name().filter(|_| of_node).unwrap_or_default().to_owned();
    let identity = Identity { cid, name, of_node, seed };
    match identity.ec_key() {
        Some(_) => identities.push(identity),
        None => left.push(Left::File { name: KEYS, why: "its seed is not 16 to 64 bytes".into() }),
    }
}

/// A file's bytes, all of one moment; `None` if it is not there.
fn file(home: &Path, name: &str, limit: u64) -> Result<Option<SecretBytes>, ReadError> {
    let path = home.join(name);
    let io = |source| ReadError::Io { path: path.clone(), source };
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    // bbolt holds a lock on its store as long as that is open. Ours is shared, changes nothing, and goes with the file; where the
    // file system has no locks, the times tell.
    if let Err(TryLockError::WouldBlock) = file.try_lock_shared() {
        return Err(ReadError::InUse(path));
    }
    let before = file.metadata().map_err(io)?;
    if !before.is_file() {
        return Err(io(io::Error::new(io::ErrorKind::InvalidInput, "is not a file")));
    }
    if before.len() > limit {
        return Err(ReadError::TooLarge { path, bytes: before.len(), limit });
    }
    // Room for one byte more shows that nothing was added; a buffer that grew would leave copies of secrets behind.
    let room = usize::try_from(before.len()).unwrap_or(usize::MAX).saturating_add(1);
    let mut bytes = Vec::with_capacity(room);
    let read = file.by_ref().take(before.len().saturating_add(1)).read_to_end(&mut bytes);
    let bytes = SecretBytes::new(bytes);
    read.map_err(io)?;
    let after = file.metadata().map_err(io)?;
    let there = std::fs::metadata(&path).map_err(io)?;
    if bytes.expose().len() as u64 != before.len()
        || moment(&before) != moment(&after)
        || moment(&before) != moment(&there)
    {
        return Err(ReadError::Changed(path));
    }
    Ok(Some(bytes))
}

/// What changes with a file.
fn moment(file: &Metadata) -> [u64; 6] {
    [
        file.dev(),
        file.ino(),
        file.len(),
        file.mtime() as u64,
        file.mtime_nsec() as u64,
        file.ctime_nsec() as u64,
    ]
}
