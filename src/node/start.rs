//! Starts an open node's threads and actors, and stops them: readiness, listener, what is under way, timers, projector, a last
//! checkpoint, copies of other logs, mirror and IPFS node, custody, writer, lock.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Arbiter};
use actix_web::web;
use dta_plugins::{PublicPoint, Registry};
use dta_protocol::Cid;
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, mpsc, watch};

use super::derived::{DerivedError, read_models, unknown_seeds};
use super::open::OpenNode;
use super::publishing::{Publishing, PublishingError};
use crate::actors::checkpoints::{self, Checkpointer};
use crate::actors::clock_watch::ClockWatch;
use crate::actors::crypto_pool::CryptoPool;
use crate::actors::follow::{self, Following};
use crate::actors::identities::Identities;
use crate::actors::keyring::Keyring;
use crate::actors::log::writer::{BATCH_MAX, QUEUE};
use crate::actors::log::{LogReader, LogWriter, ReadError, Uncertain};
use crate::actors::network::Network;
use crate::actors::orders::{Desk, Shard};
use crate::actors::outbox::Outbox;
use crate::actors::peers::book::Book;
use crate::actors::peers::pins::Pins;
use crate::actors::peers::{Incoming, PeerClient};
use crate::actors::plugged::{LIMIT, Plugged};
use crate::actors::projector::{self, Projector, Waited};
use crate::actors::seeds::{SeedKeeper, trouble_of};
use crate::actors::services::{IN_FLIGHT, Services};
use crate::actors::timers;
use crate::actors::unavailable::Unavailable;
use crate::actors::verifier::Verifier;
use crate::actors::witness::{self, Seeker, Witness};
use crate::api::{self, App, HttpSettings, Surface};
use crate::config::{Connector, Trust};
use crate::crash_points::{CrashPoint, reached};
use crate::home::HomeLock;
use crate::ports::{Clock, OsEntropy, SystemClock};
use crate::quota::{Quota, Quotas};

/// Orders that may wait to have something brought; more are found by the timers.
const NUDGES: usize = 1_024;
/// Requests that may wait for custody.
const SEED_QUEUE: usize = 512;
/// How often a start that waits says so.
const REPORT: Duration = Duration::from_secs(10);
/// How long a stop waits for what is under way.
const DRAIN: Duration = Duration::from_secs(30);

/// Why a node does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// No thread, no port.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The address is taken or not this machine's.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The log.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The checkpoints, or the notes of others' logs, cannot be read from the log.
    #[error("checkpoints and notes: {0}")]
    Checkpoints(Unavailable),
    /// A plugin that this program does not have.
    #[error("node.plugin: {name:?} is none of the plugins of this program: {known}")]
    Plugin {
        /// As the settings name it.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// The node's own identity is not readable.
    #[error("the node's identity: {0}")]
    Identity(Unavailable),
    /// The pins cannot be read from the log.
    #[error("pins: {0}")]
    Pins(Unavailable),
    /// The read models, or a log that lacks what they were made of.
    #[error(transparent)]
    Derived(#[from] DerivedError),
    /// The client for calls to other nodes.
    #[error("calls to other nodes: {0}")]
    Client(reqwest::Error),
    /// The projector.
    #[error(transparent)]
    Projector(#[from] projector::StartError),
    /// IPFS.
    #[error(transparent)]
    Publishing(#[from] PublishingError),
}

/// A node that serves.
pub struct Running {
    /// Where the API listens.
    pub address: SocketAddr,
    /// Where it listens for other nodes, if that is another address.
    pub peer_address: Option<SocketAddr>,
    servers: Vec<actix_web::dev::Server>,
    signals: Signals,
    stop_asked: bool,
    stopping: watch::Sender<bool>,
    arbiters: Vec<Arbiter>,
    checkpointer: tokio::task::JoinHandle<Checkpointer>,
    follows: tokio::task::JoinHandle<()>,
    services: Arc<Services>,
    network: Network,
    publishing: Option<Publishing>,
    projector: Projector,
    writer: LogWriter,
    lock: HomeLock,
}

impl Running {
    /// Starts everything; call it on the actix system's thread. `listen` overrides the settings; the plugin is one of `plugins`.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(node: OpenNode, listen: Option<SocketAddr>, plugins: &Registry) -> Result<Self, StartError> {
        let OpenNode { lock, home, config, identity, epoch, checkpoint, log, keyring, mut seeds, libp2p } =
            node;
        let keyring = Arc::new(keyring);
        let plugin = plugged(config.node.plugin.as_str(), plugins, &identity, &keyring, LIMIT)?;
        // Tokens are asked now, and again when they are needed: the rest of the node serves without them.
        seeds.check();
        if let Some(trouble) = trouble_of(&seeds.status()) {
            tracing::error!(trouble, "custody needs its operator");
        }
        let address = listen.unwrap_or(config.http.listen);
        let bind =
            |address| TcpListener::bind(address).map_err(|source| StartError::Listen { address, source });
        let listener = bind(address)?;
        let peer_listener = config.http.peer_listen.map(bind).transpose()?;
        let address = listener.local_addr()?;

        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let (committed, head) = watch::channel(log.head()?.count);
        let views = read_models(&home, &*log)?;
        let queries = views.queries();
        let unknown = unknown_seeds(&mut seeds, &*log)?;
        if let Some(first) = unknown.first() {
            let (orders, first) = (unknown.len(), first.to_string());
            tracing::error!(
                orders,
                first,
                "custody keeps seeds of orders that are not in the log: it is an older copy, or has lost its end"
            );
        }
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let network = Network::start()?;
        let reader = log.clone();
        let publishing =
            Publishing::start(&config, &home, libp2p, reader, head.clone(), clock.clone(), &network)?;
        let projector = Projector::start(log.clone(), views, head.clone())?;
        let writer = LogWriter::start(log.clone(), QUEUE, BATCH_MAX, committed, stop_at_once)?;

        let prover = PeerClient::new(clock.clone(), Box::new(OsEntropy)).map_err(StartError::Client)?;
        let seeker = PeerClient::new(clock.clone(), Box::new(OsEntropy)).map_err(StartError::Client)?;
        let client = PeerClient::new(clock.clone(), Box::new(OsEntropy)).map_err(StartError::Client)?;
        let follower = PeerClient::new(clock.clone(), Box::new(OsEntropy)).map_err(StartError::Client)?;
        let (nudge, nudges) = mpsc::channel(NUDGES);
        let watched = Witness::read(&*log, &identity).map_err(StartError::Checkpoints)?;
        let (publish, newest) = watch::channel(checkpoint.map(Arc::new));
        let services = Arc::new(Services {
            node: identity,
            peers: Book::read(&*log, config.peers.trust == Trust::Open).map_err(StartError::Pins)?,
            plugin,
            log,
            writer: writer.handle(),
            crypto: CryptoPool::start(cores)?,
            unknown_seeds: unknown.len(),
            verifier: Verifier::new(Box::new(OsEntropy)),
            seeds: SeedKeeper::start(seeds, Box::new(OsEntropy), SEED_QUEUE)?,
            keyring,
            checkpoint: newest,
            witness: watched,
            clock_watch: Arc::new(ClockWatch::new(&*clock, config.clock.trusted_after_ms)),
            incoming: Incoming::new(&*clock),
            give_up_after_ms: config.peers.give_up_after_ms,
            shred_after_ms: config.custody.shred_after_ms,
            nudge,
            clock,
            refusals: Quota::new(config.refusals.burst, config.refusals.refill_every_ms),
            peer_refusals: Quotas::new(config.refusals.burst, config.refusals.refill_every_ms),
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT as usize)),
            entropy: Mutex::new(Box::new(OsEntropy)),
        });
        let arbiters: Vec<Arbiter> = (0..cores).map(|_| Arbiter::new()).collect();
        let shards = arbiters
            .iter()
            .map(|arbiter| {
                let services = services.clone();
                Shard::start_in_arbiter(&arbiter.handle(), |_| Shard::new(services))
            })
            .collect();
        let desk = Arc::new(Desk::new(services.clone(), shards));
        let (stopping, stop) = watch::channel(false);
        let outbox = Arc::new(Outbox::new(services.clone(), desk.clone(), client));
        actix::spawn(outbox.clone().run(nudges, stop.clone()));
        actix::spawn(timers::run(services.clone(), desk.clone(), outbox.clone(), stop.clone()));
        actix::spawn(witness::run(services.clone(), prover, stop.clone()));
        let seeker = Seeker::new(services.clone(), seeker, config.peers.missing_after_ms);
        actix::spawn(seeker.run(stop.clone()));
        let checkpointer = Checkpointer::new(checkpoints::Parts {
            services: services.clone(),
            projector: projector.handle(),
            head,
            pace: config.checkpoints.pace(),
            epoch,
            file: home.checkpoint(),
            publish,
        });
        let checkpointer = actix::spawn(checkpointer.map_err(StartError::Checkpoints)?.run(stop.clone()));
        let beside = config.ipfs.connector == Connector::Api;
        let following = Arc::new(Following::new(follow::Parts {
            services: services.clone(),
            client: follower,
            exchange: publishing.as_ref().map(|publishing| publishing.handle().exchange),
            files: Box::new(move |peer| home.followed(&peer.to_string(), beside)),
            pace: follow::Pace::default(),
        }));
        let follows = actix::spawn(following.clone().run(stop));

        let app = web::Data::new(App {
            desk,
            identities: Identities::new(services.clone()).start(),
            pins: Pins::new(services.clone(), publishing.is_some()).start(),
            queries,
            projector: projector.handle(),
            services: services.clone(),
            node_type: config.node.r#type,
            fiduciary: config.node.fiduciary.unwrap_or(identity),
            outbox,
            order_wait: Duration::from_millis(config.http.order_wait_ms),
            publishing: publishing.as_ref().map(Publishing::handle),
            following,
            http: HttpSettings {
                allowed_hosts: config.http.allowed_hosts.clone(),
                cors_allow: config.http.cors_allow.clone(),
            },
        });
        let surface = if peer_listener.is_some() { Surface::Clients } else { Surface::All };
        let mut servers = vec![api::serve(app.clone(), listener, surface, cores)?];
        let mut peer_address = None;
        if let Some(listener) = peer_listener {
            peer_address = Some(listener.local_addr()?);
            servers.push(api::serve(app, listener, Surface::Peers, cores)?);
        }
        // Before anybody can know that it listens: a signal that comes at once stops it in order too.
        let signals = Signals::listen()?;
        Ok(Self {
            address,
            peer_address,
            servers,
            signals,
            stopping,
            arbiters,
            stop_asked: false,
            checkpointer,
            follows,
            services,
            network,
            publishing,
            projector,
            writer,
            lock,
        })
    }

    /// Waits until the read models are where the log is, so that no list is answered short. A signal ends the wait, and
    /// then [`Running::serve`] stops at once.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn caught_up(&mut self) -> Result<(), StartError> {
        let Some(last) = self.services.log.head()?.count.checked_sub(1) else { return Ok(()) };
        let projector = self.projector.handle();
        let catch_up = async {
            while projector.wait_for(last, REPORT).await == Err(Waited::TimedOut) {
                tracing::info!(records = last + 1, "the read models are catching up with the log");
            }
        };
        tokio::select! {
            () = catch_up => {}
            () = self.signals.wait() => self.stop_asked = true,
        }
        Ok(())
    }

    /// Serves until a signal says stop, then stops in order. The home's lock is the caller's to free, once the actix
    /// system and with it the last user of the home is gone.
    ///
    /// # Errors
    /// The server's own.
    pub async fn serve(self) -> std::io::Result<HomeLock> {
        let Self {
            servers,
            mut signals,
            stopping,
            arbiters,
            stop_asked,
            checkpointer,
            follows,
            services,
            network,
            publishing,
            projector,
            writer,
            lock,
            ..
        } = self;
        let handles: Vec<_> = servers.iter().map(actix_web::dev::Server::handle).collect();
        let stopped = actix::spawn(async move {
            if !stop_asked {
                signals.wait().await;
            }
            tracing::info!("stopping: no new requests, what is under way is finished");
            for handle in handles {
                handle.stop(true).await;
            }
        });
        let served: Vec<_> = servers.into_iter().map(actix::spawn).collect();
        for server in served {
            server.await.map_err(std::io::Error::other)??;
        }
        stopped.await.map_err(std::io::Error::other)?;
        // Nobody listens for an error here.
        let _ = stopping.send(true);
        if tokio::time::timeout(DRAIN, services.drained()).await.is_err() {
            tracing::warn!(
                limit = IN_FLIGHT,
                "commands are still under way; they end as a crash would end them"
            );
        }
        for arbiter in arbiters {
            arbiter.stop();
            // It panics only where the process aborts.
            let _ = arbiter.join();
        }
        reached(CrashPoint::StopDrained);
        // About all that is in the log; in the read models too, or the next start would find them behind; and before the mirror
        // ends, which copies it.
        if let Some(last) = services.log.head().ok().and_then(|head| head.count.checked_sub(1))
            && let Err(why) = projector.handle().wait_for(last, DRAIN).await
        {
            tracing::warn!(%why, "the last checkpoint is not about the whole log");
        }
        if let Ok(mut checkpointer) = checkpointer.await {
            checkpointer.finish().await;
        }
        projector.stop();
        // Before the IPFS node in which it keeps blocks. It panics only where the process aborts.
        let _ = follows.await;
        if let Some(publishing) = publishing {
            publishing.stop().await;
        }
        network.stop();
        services.seeds.stop();
        reached(CrashPoint::StopClosed);
        writer.stop();
        if tokio::time::timeout(DRAIN, alone(&services)).await.is_err() {
            tracing::warn!("something still works with the node; the log may not close in order");
        }
        tracing::info!("stopped");
        Ok(lock)
    }
}

/// The plugin of this name.
///
/// # Errors
/// `Plugin` if there is none; `Identity`.
pub(crate) fn plugged(
    name: &str,
    plugins: &Registry,
    node: &Cid,
    keyring: &Arc<Keyring>,
    limit: Duration,
) -> Result<Plugged, StartError> {
    let unknown = || StartError::Plugin { name: name.to_owned(), known: plugins.names() };
    let name = plugins.get(name).ok_or_else(unknown)?.name();
    let inconsistent = |what: String| StartError::Identity(Unavailable::Inconsistent(what));
    let known = keyring.get(node).map_err(StartError::Identity)?;
    let known = known.ok_or_else(|| inconsistent(format!("{node} is not in the log")))?;
    let key = PublicPoint::parse(&known.document.public().secp256k1);
    let key = key.map_err(|error| inconsistent(error.to_string()))?;
    Ok(Plugged::new(name, plugins.clone(), key, keyring.clone(), limit))
}

/// Waits until nobody else works with the node. The server's threads are not joined, and one that is a moment late would hold
/// the log while the process tears down what RocksDB works with.
async fn alone(services: &Arc<Services>) {
    while Arc::strong_count(services) > 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The signals that stop a node.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// An error of the engine while writing: whether the batch is stored, only the next start can tell.
fn stop_at_once(uncertain: Uncertain) {
    tracing::error!(%uncertain, "stopping at once: the next start will find out what was written, and `dta log verify --deep` what is damaged");
    std::process::abort();
}
