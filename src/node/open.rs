//! Opens a home: lock, settings, seed, log, custody. Everything is checked before anything is served.

use std::path::PathBuf;
use std::sync::Arc;

use dta_crypto::{IdentityKeys, Secret};
use dta_events::Rules;
use dta_events::ids::node_aggregate;
use dta_events::node::{Event, Initialised};
use dta_events::record::{Effect, Record};
use dta_protocol::Cid;
use thiserror::Error;

use crate::actors::checkpoints::Published;
use crate::actors::checkpoints::published::{self, PublishedError};
use crate::actors::keyring::Keyring;
use crate::actors::log::{self, Damage, LogReader, OpenError, ReadError, RocksLog, StoredBlock};
use crate::actors::seeds::Stores;
use crate::config::{Config, ConfigError, is_there};
use crate::home::{Home, HomeLock, LockError};
use crate::keystore::{Keystore, KeystoreError, Protection};
use crate::node::copies::{self, CopiesError};
use crate::node::custody::{Configured, CustodyError};
use crate::ports::{Entropy, OsEntropy};

/// A home that is open and whole, and nobody else's.
pub struct OpenNode {
    /// Keeps others out; dropped last.
    pub lock: HomeLock,
    /// Where it is.
    pub home: Home,
    /// Its settings.
    pub config: Config,
    /// The node's identity.
    pub identity: Cid,
    /// The epoch of its log.
    pub epoch: u64,
    /// The newest checkpoint that it has published.
    pub checkpoint: Option<Published>,
    /// Its log.
    pub log: Arc<RocksLog>,
    /// Its identities.
    pub keyring: Keyring,
    /// Custody.
    pub seeds: Stores,
    /// The key seed of its IPFS node.
    pub libp2p: Secret<32>,
}

/// Why a home does not open.
#[derive(Debug, Error)]
pub enum OpenNodeError {
    /// Nothing there.
    #[error("home {0} holds no node: run `dta init` first")]
    NotInitialised(String),
    /// A home that has lost its log.
    #[error(
        "home {0} holds seeds in custody but no log/: restore its newest copy, or run `dta recover`; \
         `dta init` would make another node"
    )]
    LogMissing(String),
    /// A recovery that was interrupted.
    #[error("home {0}: a recovery was interrupted: run `dta recover` again")]
    Recovering(String),
    /// A home that has lost its settings: to start with the defaults would leave out copies of the seeds in silence.
    #[error(
        "there is no {} (nor the original's config.yaml), which `dta init` made: restore it; an empty one says that every setting is the default, \
         without further copies of the seeds",
        .0.display()
    )]
    ConfigMissing(PathBuf),
    /// Another process works there.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The seed.
    #[error(
        "the node's seed: {0}; restore that file, or move seed.json aside and run `dta identity seed import`"
    )]
    Keystore(#[from] KeystoreError),
    /// Nothing to open the seed with.
    #[error("{0:#}")]
    Locked(anyhow::Error),
    /// The log.
    #[error("the log at {}: {source}{}", .path.display(), remedy(.source))]
    Log {
        /// Its folder.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: OpenError,
    },
    /// The log's beginning.
    #[error("log/: {0}{RESTORE_LOG}")]
    Read(#[from] ReadError),
    /// Record 0 is not what it must be.
    #[error("the log's first record does not say whose log it is: {0}{RESTORE_LOG}")]
    Beginning(String),
    /// The seed and the log are of different nodes.
    #[error(
        "the seed in seed.json is not the one of {0}, whose log this is: restore the seed.json and log/ that belong \
         together"
    )]
    OtherSeed(Cid),
    /// The log is not the one that the node has committed to before others.
    #[error(
        "{}: {source}; a node must not go on with another log than it has published: restore its newest copy",
        .path.display()
    )]
    Checkpoint {
        /// The file beside the log.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: PublishedError,
    },
    /// Settings that name fewer copies of the seeds than there are.
    #[error(transparent)]
    Copies(#[from] CopiesError),
    /// Custody.
    #[error(transparent)]
    Custody(#[from] CustodyError),
}

/// What to do about a damaged log.
const RESTORE_LOG: &str = "; keep the folder as it is and restore its newest copy (docs/operate.md)";

/// What to do, where the error does not say it itself.
fn remedy(error: &OpenError) -> &'static str {
    match error {
        OpenError::Newer { .. } | OpenError::Interrupted => "",
        OpenError::Read(ReadError::Damaged(Damage::Index { .. })) => "",
        _ => RESTORE_LOG,
    }
}

impl OpenNode {
    /// Opens a home for a daemon; `unlock` is asked only once the rest is there.
    ///
    /// # Errors
    /// See [`OpenNodeError`].
    pub fn open(
        home: Home,
        unlock: impl FnOnce(&Config, &Keystore) -> anyhow::Result<Protection>,
    ) -> Result<Self, OpenNodeError> {
        if !home.is_initialised() {
            let root = home.root.display().to_string();
            if home.log_in_recovery().exists() {
                return Err(OpenNodeError::Recovering(root));
            }
            // An init that was interrupted between making custody and putting the log into its place is to be run again.
            let lost = home.has_custody() && !home.log_in_the_making().exists();
            return Err(if lost {
                OpenNodeError::LogMissing(root)
            } else {
                OpenNodeError::NotInitialised(root)
            });
        }
        let lock = HomeLock::acquire(&home)?;
        if !is_there(&home) {
            return Err(OpenNodeError::ConfigMissing(home.config()));
        }
        let config = Config::read(&home)?;
        copies::check(&home, &config, &[])?;
        let keystore = Keystore::read(&home.seed_file())?;
        let seed = keystore.unlock(&unlock(&config, &keystore).map_err(OpenNodeError::Locked)?)?;
        let log = RocksLog::open(&home.log(), Arc::new(Rules), entropy())
            .map_err(|source| OpenNodeError::Log { path: home.log(), source })?
            .with_reserve(&home.log(), config.storage.reserve_bytes);
        let log = Arc::new(log);
        let identity = whose(&*log)?;
        let epoch = epoch(&*log)?;
        let document = check_seed(&*log, &seed, &identity)?;
        let checkpoint = published::check(&home.checkpoint(), &*log, &document)
            .map_err(|source| OpenNodeError::Checkpoint { path: home.checkpoint(), source })?;
        let seeds = Configured::open_all(&home, &config, &seed, &identity)?;
        copies::note(&home, &config)?;
        let libp2p = libp2p_key(&seed);
        let keyring = Keyring::new(seed, log.clone());
        Ok(Self { lock, home, config, identity, epoch, checkpoint, log, keyring, seeds, libp2p })
    }
}

/// The key seed of the IPFS node, and with it its peer id, from the node's seed (docs/protocol.md, section 3).
pub fn libp2p_key(seed: &Secret<32>) -> Secret<32> {
    dta_crypto::purpose(seed, "libp2p")
}

/// The identity of the node in a home, whether or not its daemon runs.
///
/// # Errors
/// The log cannot be read, or does not say so.
pub fn identity_of(home: &Home) -> Result<Cid, OpenNodeError> {
    let log = RocksLog::open_read_only(&home.log(), Arc::new(Rules))
        .map_err(|source| OpenNodeError::Log { path: home.log(), source })?;
    whose(&log)
}

/// The identity whose log this is: what record 0 says.
///
/// # Errors
/// `Beginning` if it says anything else.
pub fn whose(log: &dyn LogReader) -> Result<Cid, OpenNodeError> {
    beginning(log).map(|initialised| initialised.identity)
}

/// The epoch of a log: 0, until records of it were lost in a recovery.
///
/// # Errors
/// The log cannot be read, or newer code wrote it.
pub fn epoch(log: &dyn LogReader) -> Result<u64, OpenNodeError> {
    let Some(Record { sequence, effect: Effect::Events(events), .. }) = log.newest(&node_aggregate())? else {
        return Ok(0);
    };
    let newest = events.last().map(Event::from_stored).transpose();
    let newest = newest.map_err(|error| Damage::Record { sequence, reason: error.to_string() });
    Ok(newest.map_err(ReadError::from)?.map_or(0, |event| event.epoch()))
}

fn beginning(log: &dyn LogReader) -> Result<Initialised, OpenNodeError> {
    let beginning = |what: String| OpenNodeError::Beginning(what);
    let (_, bytes) =
        log.read(0, 1)?.into_iter().next().ok_or_else(|| beginning("there is none".to_owned()))?;
    let record = Record::decode(&bytes).map_err(|error| beginning(error.to_string()))?;
    match record.effect {
        Effect::Events(events) => match events.first() {
            Some(stored) => match Event::from_stored(stored).map_err(|error| beginning(error.to_string()))? {
                Event::Initialised(initialised) => Ok(initialised),
                Event::Recovered(_) => Err(beginning("it is a recovery".to_owned())),
            },
            None => Err(beginning("it is empty".to_owned())),
        },
        Effect::Refused { .. } => Err(beginning("it is a refusal".to_owned())),
    }
}

/// A seed that does not make the node's keys is another node's. The node's document.
///
/// # Errors
/// `OtherSeed`, or the log cannot be read.
pub fn check_seed(
    log: &dyn LogReader,
    seed: &Secret<32>,
    identity: &Cid,
) -> Result<dta_protocol::Identity, OpenNodeError> {
    let block = match log.block(&identity.to_bytes())? {
        Some(StoredBlock::Published(block)) => block,
        _ => return Err(OpenNodeError::Beginning("its identity document is not there".to_owned())),
    };
    let document = dta_protocol::Identity::decode(block.bytes())
        .map_err(|error| OpenNodeError::Beginning(error.to_string()))?;
    if IdentityKeys::from_seed(seed).public() == document.public() {
        Ok(document)
    } else {
        Err(OpenNodeError::OtherSeed(*identity))
    }
}

/// The log's randomness: the operating system's.
pub fn entropy() -> log::Entropy {
    Box::new(|bytes| {
        OsEntropy.fill(bytes);
        Ok(())
    })
}
