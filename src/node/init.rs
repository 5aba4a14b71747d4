//! Makes a home: the node's seed, its identity, custody, and last the log whose record 0 says whose log it is.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dta_crypto::{Entropy, IdentityKeys, Secret};
use dta_events::Rules;
use dta_events::identity::{self, Event, Known};
use dta_events::ids::{identity_aggregate, node_aggregate};
use dta_events::node;
use dta_events::record::{Effect, Stored};
use dta_events::stored::StoredError;
use dta_protocol::{Cid, Identity, IdentityError};
use thiserror::Error;

use crate::actors::log::OpenError;
use crate::actors::log::{Append, Block, BlockClass, EventLog, NotWritten, RocksLog, Uncertain};
use crate::actors::seeds::{SeedError, SeedStore as _};
use crate::config::{Config, write_new};
use crate::crash_points::{CrashPoint, reached};
use crate::home::{Home, HomeLock, LockError, make_private_folder};
use crate::keystore::{Keystore, KeystoreError, Protection};
use crate::node::copies::{self, CopiesError};
use crate::node::custody::{Configured, reserved};
use crate::node::open::{check_seed, entropy, whose};
use crate::ports::{Clock, OsEntropy};

/// The caller in the records that `dta init` makes.
const BY: &str = "local";

/// What was made.
#[derive(Clone, Copy, Debug)]
pub struct Initialised {
    /// The node's identity.
    pub identity: Cid,
    /// The seed had been brought by `dta identity seed import`.
    pub imported: bool,
}

/// Why a home was not made. What was made before the error is used by the next try.
#[derive(Debug, Error)]
pub enum InitError {
    /// There is a node already.
    #[error("home {} holds a node already: nothing was changed", .0.display())]
    Exists(PathBuf),
    /// Custody without a log is what is left of a node that lost it.
    #[error(
        "home {} holds seeds in custody but no log: restore the log, or move its seeds away if they belong to no node",
        .0.display()
    )]
    SeedsWithoutLog(PathBuf),
    /// A recovery that was interrupted.
    #[error("home {}: a recovery was interrupted: run `dta recover` again, or remove log.recovering", .0.display())]
    Recovering(PathBuf),
    /// The name.
    #[error(transparent)]
    Name(#[from] identity::Rejection),
    /// Another process works there.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The settings that are there already.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// Settings that leave out seeds that are there, or confuse them.
    #[error(transparent)]
    Copies(#[from] CopiesError),
    /// The seed file.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// The identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Custody.
    #[error(transparent)]
    Seeds(#[from] SeedError),
    /// The log.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// The first records.
    #[error("the first records were not written: {0}")]
    Records(String),
    /// The file system.
    #[error("{}: {source}", .path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What.
        #[source]
        source: io::Error,
    },
}

impl From<StoredError> for InitError {
    fn from(error: StoredError) -> Self {
        InitError::Records(error.to_string())
    }
}

impl From<NotWritten> for InitError {
    fn from(error: NotWritten) -> Self {
        InitError::Records(error.to_string())
    }
}

impl From<Uncertain> for InitError {
    fn from(error: Uncertain) -> Self {
        InitError::Records(error.to_string())
    }
}

/// Makes a node in a home. A seed that is there already is used, and so are settings; everything else must be new. Without
/// settings these are written.
///
/// # Errors
/// Nothing that is there is overwritten; see [`InitError`].
pub fn initialise(
    home: &Home,
    name: &str,
    settings: &str,
    protection: impl FnOnce(&Config) -> Protection,
    clock: &dyn Clock,
) -> Result<Initialised, InitError> {
    identity::check_name(name)?;
    make_private_folder(&home.root).map_err(|source| InitError::Io { path: home.root.clone(), source })?;
    let _lock = HomeLock::acquire(home)?;
    if home.is_initialised() {
        return Err(InitError::Exists(home.root.clone()));
    }
    if home.log_in_recovery().exists() {
        return Err(InitError::Recovering(home.root.clone()));
    }
    let config = Config::read(home)?;
    copies::check(home, &config, &[])?;
    let copies = config.seeds.iter().flat_map(|seeds| &seeds.copies).map(|folder| home.root.join(folder));
    if let Some(missing) = copies.into_iter().find(|folder| !folder.is_dir()) {
        let source = io::Error::new(io::ErrorKind::NotFound, "this folder of [[seeds]] copies is not there");
        return Err(InitError::Io { path: missing, source });
    }
    let protection = protection(&config);
    let imported = home.seed_file().exists();
    if !imported {
        Keystore::create(&home.seed_file(), &Secret::random(&mut OsEntropy), &protection, &mut OsEntropy)?;
    }
    reached(CrashPoint::InitSeedSealed);
    let seed = Keystore::open(&home.seed_file(), &protection)?;
    // Built beside its place and renamed there last: a home has a whole log or none, and the log is what makes it a node.
    // What an interrupted try has built is taken up: custody may be bound to its identity already.
    let building = home.log_in_the_making();
    let io_at = |path: &Path| {
        let path = path.to_owned();
        move |source| InitError::Io { path, source }
    };
    let begun = begun(&building, &seed);
    // Of another try or another node's, a copy without an interrupted try is refused below: nothing is overwritten.
    let interrupted = begun.is_some();
    let identity = match begun {
        Some(identity) => identity,
        None if home.has_custody() => return Err(InitError::SeedsWithoutLog(home.root.clone())),
        None => {
            if building.exists() {
                std::fs::remove_dir_all(&building).map_err(io_at(&building))?;
            }
            begin(&building, &config, &seed, name, clock.wall_ms())?
        }
    };
    reached(CrashPoint::InitLogBuilt);
    let mut taken = reserved(home);
    for store in Configured::of(home, &config, &seed, &identity)? {
        taken.extend_from_slice(store.open_or_make(interrupted, &taken)?.keks());
    }
    reached(CrashPoint::InitCustodyMade);
    write_new(home, settings).map_err(io_at(&home.config()))?;
    reached(CrashPoint::InitBeforeRename);
    std::fs::rename(&building, home.log()).map_err(io_at(&building))?;
    reached(CrashPoint::InitRenamed);
    std::fs::File::open(&home.root).and_then(|folder| folder.sync_all()).map_err(io_at(&home.root))?;
    Ok(Initialised { identity, imported })
}

/// Makes the log with its first records, and with them the node's identity.
fn begin(
    building: &Path,
    config: &Config,
    seed: &Secret<32>,
    name: &str,
    now_ms: u64,
) -> Result<Cid, InitError> {
    let document = Identity::create(&IdentityKeys::from_seed(seed), name, None, None, now_ms)?;
    let log = RocksLog::create(building, Arc::new(Rules), entropy())?
        .with_reserve(building, config.storage.reserve_bytes);
    for written in log.commit(first_records(&document, name, now_ms)?)? {
        written?;
    }
    Ok(document.cid())
}

/// The identity of a log that an interrupted try has finished for this seed.
fn begun(building: &Path, seed: &Secret<32>) -> Option<Cid> {
    let log = RocksLog::open(building, Arc::new(Rules), entropy()).ok()?;
    let identity = whose(&log).ok()?;
    check_seed(&log, seed, &identity).ok()?;
    Some(identity)
}

/// The records a log begins with: whose it is.
pub(crate) fn first_records(document: &Identity, name: &str, now_ms: u64) -> Result<Vec<Append>, InitError> {
    let mut random = [0; 32];
    OsEntropy.fill(&mut random);
    let [home, trace_id]: [[u8; 16]; 2] =
        [std::array::from_fn(|i| random[i]), std::array::from_fn(|i| random[16 + i])];
    let initialised = node::Initialised { home, epoch: 0, identity: document.cid() };
    let initialised = node::Event::Initialised(initialised).to_stored()?;
    let command = identity::Command::Create { name: name.to_owned(), uuid: None };
    let events = identity::Identity::default().decide(&command, Some(Known::of(document)))?;
    let created = events.iter().map(Event::to_stored).collect::<Result<Vec<_>, _>>()?;
    let frame = |aggregate, command, effect: Vec<Stored>, blocks| Append {
        blocks,
        ..Append::of(aggregate, 0, now_ms, BY, trace_id, command, Effect::Events(effect))
    };
    let block = Block {
        cid: document.cid().to_bytes(),
        class: BlockClass::Published,
        bytes: document.envelope().block().to_vec(),
    };
    Ok(vec![
        frame(node_aggregate(), initialised.clone(), vec![initialised], Vec::new()),
        frame(identity_aggregate(&document.cid()), command.to_stored()?, created, vec![block]),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::SystemClock;

    #[test]
    fn seeds_that_the_settings_leave_out_are_not_begun_beside() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().join("home"));
        std::fs::create_dir_all(home.seeds("old")).unwrap();
        std::fs::write(home.seeds("old").join("seeds.dta"), "seeds").unwrap();
        let key = |_: &Config| Protection::KeyFile(folder.path().join("key"));
        let why =
            initialise(&home, "node", crate::config::TEMPLATE, key, &SystemClock::default()).unwrap_err();
        assert!(matches!(why, InitError::Copies(_)) && why.to_string().contains("\"seeds-old\""), "{why}");
        assert!(!home.seed_file().exists());
    }
}
