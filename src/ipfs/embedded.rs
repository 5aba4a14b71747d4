//! An IPFS node inside this process (rust-ipfs): bitswap over TCP with explicit peers, in a private network if there is a
//! swarm key. Without DHT, mDNS and bootstrap nodes it dials nobody on its own.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dta_crypto::Secret;
use dta_protocol::Cid;
use rust_ipfs::builder::DefaultIpfsBuilder;
use rust_ipfs::p2p::IdentifyConfiguration;
use rust_ipfs::{Block, Ipfs, Keypair, Multiaddr, Protocol, ping};
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::address::Peer;
use super::lending::{Lending, Source, ask};
use super::{Answer, ExchangeError, Standing, SwarmKey, check, peers};

/// The longest wait for a block: rust-ipfs adds it to the clock, which must not overflow.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);
/// How long a connection without traffic is kept; pings are none. Both ends must agree to keep it.
const IDLE_SECONDS: u64 = 86_400;
/// A dead connection is noticed when a ping finds no way.
const PING: Duration = Duration::from_secs(30);
/// Connections in all, from one peer, and not yet shaken hands.
const CONNECTIONS: u32 = 256;
const CONNECTIONS_OF_ONE: u32 = 4;
const HANDSHAKES: u32 = 32;

/// What a node needs to know.
pub struct Settings {
    /// Where blocks and pins lie; none: in memory, for a node that fetches and goes.
    pub folder: Option<PathBuf>,
    /// Where it listens; nowhere if empty.
    pub listen: Vec<Multiaddr>,
    /// Whom it dials.
    pub peers: Vec<Peer>,
    /// The private network's key; none: a network open to whoever reaches it.
    pub swarm_key: Option<SwarmKey>,
    /// The seed (RFC 8032) of its ed25519 key, which names it.
    pub key: Secret<32>,
    /// Where blocks are that it gives away and need not keep.
    pub source: Option<Arc<dyn Source>>,
}

/// Why a node cannot run with these settings.
#[derive(Debug, Error)]
#[error("ipfs.listen: cannot listen on {address}: {reason}")]
pub struct ListenError {
    /// Which address.
    pub address: Multiaddr,
    /// What the system says.
    pub reason: String,
}

/// The embedded node. It runs on the runtime it was started with, whoever polls its answers.
pub struct Embedded {
    node: Arc<Node>,
    runtime: Handle,
}

struct Node {
    settings: Settings,
    state: Mutex<State>,
    /// Held from storing a block to pinning it.
    storing: Arc<Mutex<()>>,
}

enum State {
    /// Not started yet, or its store could not be opened: the next who needs it tries again.
    Down,
    Up {
        ipfs: Box<Ipfs>,
        /// Dialling and lending.
        _tasks: JoinSet<()>,
    },
    Stopped,
}

/// Why one try to start failed.
enum Begin {
    Listen(ListenError),
    Away(String),
}

/// The peer id of a node with this key seed.
pub fn peer_id(key: &Secret<32>) -> Option<String> {
    Some(keypair(key)?.public().to_peer_id().to_string())
}

/// None for no key at all: every 32 bytes are one.
fn keypair(key: &Secret<32>) -> Option<Keypair> {
    let mut bytes = zeroize::Zeroizing::new(*key.expose());
    Keypair::ed25519_from_bytes(&mut bytes[..]).ok()
}

impl Embedded {
    /// Starts a node; returns once it listens. A store that cannot be opened now is tried again by whoever needs it:
    /// until then they are answered `Away`.
    ///
    /// # Errors
    /// An address that cannot be listened on.
    pub async fn start(settings: Settings, runtime: Handle) -> Result<Self, ListenError> {
        let node = Arc::new(Node { settings, state: Mutex::new(State::Down), storing: Arc::default() });
        let embedded = Self { node, runtime };
        let first = embedded.on_runtime(|node| async move {
            match node.up().await {
                Ok(_) => Ok(Ok(())),
                Err(Begin::Listen(error)) => Ok(Err(error)),
                Err(Begin::Away(reason)) => {
                    tracing::error!(reason, "the IPFS node does not start; it is tried again");
                    Ok(Ok(()))
                }
            }
        });
        // Only a runtime that has stopped does not answer.
        first.await.unwrap_or(Ok(()))?;
        Ok(embedded)
    }

    /// Runs work on the node's own runtime.
    fn on_runtime<T, F>(&self, work: impl FnOnce(Arc<Node>) -> F) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ExchangeError>> + Send + 'static,
    {
        let task = self.runtime.spawn(work(self.node.clone()));
        Box::pin(async move { task.await.unwrap_or(Err(ExchangeError::Stopped)) })
    }
}

impl Node {
    /// The running node, started if it does not run.
    async fn up(self: &Arc<Self>) -> Result<Ipfs, Begin> {
        let mut state = self.state.lock().await;
        match &*state {
            State::Up { ipfs, .. } => return Ok((**ipfs).clone()),
            State::Stopped => return Err(Begin::Away("it was stopped".into())),
            State::Down => {}
        }
        // Its start is not `Send`, so one thread sees it through.
        let (node, runtime) = (self.clone(), Handle::current());
        let begun = tokio::task::spawn_blocking(move || runtime.block_on(begin(&node.settings)));
        let ipfs = begun.await.map_err(|error| Begin::Away(error.to_string()))??;
        let mut _tasks = peers::keep(&ipfs, &self.settings.peers);
        if let Some(source) = &self.settings.source {
            _tasks.spawn(Lending::new(ipfs.clone(), source.clone(), self.storing.clone()).run());
        }
        *state = State::Up { ipfs: Box::new(ipfs.clone()), _tasks };
        Ok(ipfs)
    }

    async fn running(self: &Arc<Self>) -> Result<Ipfs, ExchangeError> {
        if matches!(*self.state.lock().await, State::Stopped) {
            return Err(ExchangeError::Stopped);
        }
        self.up().await.map_err(|begin| match begin {
            Begin::Listen(error) => ExchangeError::Away(error.to_string()),
            Begin::Away(reason) => ExchangeError::Away(reason),
        })
    }
}

async fn begin(settings: &Settings) -> Result<Ipfs, Begin> {
    let away = |error: &dyn Display| Begin::Away(error.to_string());
    let keypair = keypair(&settings.key).ok_or_else(|| away(&"its key is none"))?;
    let identify = IdentifyConfiguration {
        agent_version: format!("dta/{}", env!("CARGO_PKG_VERSION")),
        ..IdentifyConfiguration::default()
    };
    let mut builder = DefaultIpfsBuilder::with_keypair(&keypair)
        .map_err(|error| away(&error))?
        .enable_tcp()
        .with_bitswap()
        // Others learn from it that this node speaks bitswap.
        .with_identify(identify)
        .with_ping(ping::Config::new().with_interval(PING))
        .set_idle_connection_timeout(IDLE_SECONDS)
        .set_connection_limits(|limits| {
            limits
                .with_max_established(Some(CONNECTIONS))
                .with_max_established_per_peer(Some(CONNECTIONS_OF_ONE))
                .with_max_pending_incoming(Some(HANDSHAKES))
        });
    if let Some(folder) = &settings.folder {
        private(folder).map_err(|error| away(&error))?;
        builder = builder.set_path(folder);
    }
    if let Some(key) = &settings.swarm_key {
        builder = builder.enable_pnet(key.text().parse().map_err(|_| away(&"its swarm key is none"))?);
    }
    let ipfs = builder.start().await.map_err(|error| away(&error))?;
    for address in &settings.listen {
        if let Err(error) = ipfs.add_listening_address(address.clone()).await {
            ipfs.exit_daemon().await;
            let reason = format!("{error:#}");
            return Err(Begin::Listen(ListenError { address: address.clone(), reason }));
        }
    }
    Ok(ipfs)
}

impl Embedded {
    /// Stores a block, pins it, and offers it to whoever asks; a damaged one in its place is replaced. Once answered, it is
    /// there after a crash too. Errors: `Store`; `NotItsBytes` or `TooLarge`, and nothing is stored.
    pub fn put(&self, cid: Cid, bytes: Vec<u8>) -> Answer<()> {
        self.on_runtime(move |node| async move {
            check(&cid, &bytes)?;
            let ipfs = node.running().await?;
            let name = foreign(&cid)?;
            let block = Block::new(name, bytes).map_err(store)?;
            let _storing = node.storing.lock().await;
            // What is there and damaged would stay, and could not be pinned.
            kept(&ipfs, &cid, name).await?;
            ipfs.put_block(&block).await.map_err(store)?;
            ipfs.insert_pin(name).local().await.map_err(store)
        })
    }

    /// A block's bytes, from here or from a connected peer, waiting at most this long for one to have it. They are those
    /// the CID names, and within [`limit`](crate::limit). Errors: `TimedOut`, `NotItsBytes`, `TooLarge`, `Store`.
    pub fn get(&self, cid: Cid, timeout: Duration) -> Answer<Vec<u8>> {
        self.on_runtime(move |node| async move {
            let ipfs = node.running().await?;
            let timeout = timeout.min(LONGEST_WAIT);
            let name = foreign(&cid)?;
            let stored = ipfs.repo().get_block_now(name).await.map_err(store)?;
            if stored.is_none()
                && let Some(source) = &node.settings.source
                && let Some(bytes) = ask(source, cid).await.map_err(ExchangeError::Store)?
            {
                return Ok(bytes);
            }
            // What is here and broken is said so: fetching would not replace it.
            let block = match stored {
                Some(block) => block,
                // Its own limit is left behind ours: the answer is the same whichever clock is faster.
                None => tokio::time::timeout(timeout, ipfs.get_block(name).timeout(LONGEST_WAIT * 2))
                    .await
                    .map_err(|_| ExchangeError::TimedOut {
                        cid,
                        timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
                    })?
                    .map_err(store)?,
            };
            let checked = check(&cid, block.data());
            if checked.is_err() {
                // Nobody here asks for it again, so it must not stay; if it does, it is only bytes on the disk.
                let _ = ipfs.remove_block(name, false).await;
            }
            checked.map(|()| block.data().to_vec())
        })
    }

    /// A block's bytes as they are in the store here; none if they are not here, or not whole. Errors: `Store`.
    pub fn stored(&self, cid: Cid) -> Answer<Option<Vec<u8>>> {
        self.on_runtime(move |node| async move {
            let ipfs = node.running().await?;
            // The library names no reason: whatever it cannot read as that block is none.
            let stored = ipfs.repo().get_block_now(foreign(&cid)?).await.ok().flatten();
            Ok(stored.filter(|block| check(&cid, block.data()).is_ok()).map(|block| block.data().to_vec()))
        })
    }

    /// Whether the block is stored here. Errors: `Store`.
    pub fn has(&self, cid: Cid) -> Answer<bool> {
        self.on_runtime(move |node| async move {
            let ipfs = node.running().await?;
            ipfs.repo().contains(foreign(&cid)?).await.map_err(store)
        })
    }

    /// Whether the block is stored here with the bytes its CID names. One with others is removed. Errors: `Store`.
    pub fn whole(&self, cid: Cid) -> Answer<bool> {
        self.on_runtime(move |node| async move {
            let ipfs = node.running().await?;
            let name = foreign(&cid)?;
            kept(&ipfs, &cid, name).await
        })
    }

    /// Removes a block from the store; whoever wants it gets it from the source, if that has it. Errors: `Store`.
    pub fn forget(&self, cid: Cid) -> Answer<()> {
        self.on_runtime(move |node| async move {
            let ipfs = node.running().await?;
            let name = foreign(&cid)?;
            // A pin keeps what it pins. There may be none, nor a block.
            let _ = ipfs.remove_pin(name).await;
            ipfs.remove_block(name, false).await.map_err(store).map(drop)
        })
    }

    /// Who it is and whom it is connected to.
    pub fn standing(&self) -> Answer<Standing> {
        self.on_runtime(|node| async move {
            let ipfs = node.running().await?;
            let away = |error: rust_ipfs::Error| ExchangeError::Away(error.to_string());
            let id = ipfs.keypair().public().to_peer_id();
            let addresses = ipfs.listening_addresses().await.map_err(away)?;
            let mut connected: Vec<String> =
                ipfs.connected().await.map_err(away)?.iter().map(ToString::to_string).collect();
            connected.sort();
            Ok(Standing {
                peer_id: id.to_string(),
                addresses: addresses
                    .into_iter()
                    .map(|address| address.with(Protocol::P2p(id)).to_string())
                    .collect(),
                connected,
            })
        })
    }

    /// Closes connections and store. It may be repeated.
    pub fn stop(&self) -> Answer<()> {
        self.on_runtime(|node| async move {
            let before = std::mem::replace(&mut *node.state.lock().await, State::Stopped);
            if let State::Up { ipfs, .. } = before {
                ipfs.exit_daemon().await;
            }
            Ok(())
        })
    }
}

/// Whether the block is in the store and whole; one that is not whole is removed.
async fn kept(ipfs: &Ipfs, cid: &Cid, name: ipld_core::cid::Cid) -> Result<bool, ExchangeError> {
    match ipfs.repo().get_block_now(name).await {
        Ok(None) => Ok(false),
        Ok(Some(block)) if check(cid, block.data()).is_ok() => Ok(true),
        // The library names no reason: whatever it cannot read as that block is none.
        _ => {
            // A pin keeps what it pins. It may be damaged too, or gone.
            let _ = ipfs.remove_pin(name).await;
            ipfs.remove_block(name, false).await.map_err(store)?;
            Ok(false)
        }
    }
}

fn store(error: impl Display) -> ExchangeError {
    ExchangeError::Store(format!("{error:#}"))
}

/// The CID in rust-ipfs's words.
fn foreign(cid: &Cid) -> Result<ipld_core::cid::Cid, ExchangeError> {
    ipld_core::cid::Cid::try_from(&cid.to_bytes()[..]).map_err(store)
}

/// Makes the folder, readable to nobody else.
fn private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
}
