//! Publishing, wired: the block exchange the settings name, and the mirror that feeds it.

use std::sync::Arc;
use std::time::Duration;

use dta_crypto::Secret;
use thiserror::Error;
use tokio::sync::watch;

use crate::actors::ipfs::{BlockExchange, Embedded, ExchangeError, Standing, SwarmKey};
use crate::actors::log::LogReader;
use crate::actors::mirror::{self, Mirror, MirrorHandle};
use crate::actors::network::Network;
use crate::config::{Config, Connector};
use crate::home::Home;
use crate::ports::Clock;
use dta_ipfs::address::{AddressError, peer};
use dta_ipfs::embedded::{ListenError, Settings};
use dta_ipfs::swarm_key::SwarmKeyError;

/// How long the status waits for the exchange.
const STANDING: Duration = Duration::from_secs(2);

/// Why publishing cannot start with these settings.
#[derive(Debug, Error)]
pub enum PublishingError {
    /// `ipfs.swarm_key`.
    #[error("ipfs.swarm_key: {0}")]
    SwarmKey(#[from] SwarmKeyError),
    /// `ipfs.peers`.
    #[error("ipfs.peers: {0}")]
    Peers(#[from] AddressError),
    /// `ipfs.listen`.
    #[error(transparent)]
    Listen(#[from] ListenError),
}

/// What publishes, while it does.
pub struct Publishing {
    handle: PublishingHandle,
    mirror: Mirror,
}

/// What others see of it; clones see the same.
#[derive(Clone)]
pub struct PublishingHandle {
    /// Where blocks are offered and fetched.
    pub exchange: Arc<dyn BlockExchange>,
    /// What is copied there.
    pub mirror: MirrorHandle,
}

impl Publishing {
    /// Starts what the settings name; none, if they say `none`. Blocks until it listens.
    ///
    /// # Errors
    /// Unusable settings; a store that fails is none, for it may work later.
    pub fn start(
        config: &Config,
        home: &Home,
        key: Secret<32>,
        log: Arc<dyn LogReader>,
        head: watch::Receiver<u64>,
        clock: Arc<dyn Clock>,
        network: &Network,
    ) -> Result<Option<Self>, PublishingError> {
        if config.ipfs.connector == Connector::None {
            return Ok(None);
        }
        let settings = Settings {
            folder: Some(home.ipfs()),
            listen: config.ipfs.listen.clone(),
            peers: config.ipfs.peers.iter().map(peer).collect::<Result<_, _>>()?,
            swarm_key: config.swarm_key(home).map(|path| SwarmKey::read(&path)).transpose()?,
            key,
        };
        let Some(embedded) = network.wait(Embedded::start(settings, network.handle().clone())) else {
            return Ok(None);
        };
        let exchange: Arc<dyn BlockExchange> = Arc::new(embedded?);
        let parts = mirror::Parts {
            log,
            exchange: exchange.clone(),
            head,
            position: home.mirror_position(),
            clock,
            backoff: mirror::BACKOFF,
        };
        let mirror = Mirror::start(parts, network.handle());
        let handle = PublishingHandle { exchange, mirror: mirror.handle() };
        Ok(Some(Self { handle, mirror }))
    }

    /// What others see of it.
    pub fn handle(&self) -> PublishingHandle {
        self.handle.clone()
    }

    /// Copies what is left, briefly, then closes the exchange.
    pub async fn stop(self) {
        self.mirror.stop().await;
        // It only fails if it has stopped.
        let _ = self.handle.exchange.stop().await;
    }
}

impl PublishingHandle {
    /// Who the exchange is and whom it is connected to.
    ///
    /// # Errors
    /// `Away` if it does not say so within two seconds, too.
    pub async fn standing(&self) -> Result<Standing, ExchangeError> {
        tokio::time::timeout(STANDING, self.exchange.standing())
            .await
            .unwrap_or_else(|_| Err(ExchangeError::Away("it does not answer".into())))
    }
}
