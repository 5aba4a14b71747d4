//! Publishing, wired: the block exchange the settings name, and the mirror that feeds it.

mod token;

use std::sync::Arc;
use std::time::Duration;

use dta_crypto::Secret;
use thiserror::Error;
use tokio::sync::watch;

use crate::actors::ipfs::{Api, BlockExchange, Embedded, ExchangeError, Published, Standing, SwarmKey};
use crate::actors::log::LogReader;
use crate::actors::mirror::{self, Mirror, MirrorHandle};
use crate::actors::network::Network;
use crate::config::{Config, Connector};
use crate::home::Home;
use crate::ports::Clock;
use dta_ipfs::address::{AddressError, peer};
use dta_ipfs::embedded::{ListenError, Settings};
use dta_ipfs::swarm_key::SwarmKeyError;
use token::TokenError;

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
    /// `ipfs.api_token`.
    #[error("ipfs.api_token: {0}")]
    Token(#[from] TokenError),
    /// TLS cannot be set up.
    #[error("ipfs.api: {0}")]
    Api(#[from] reqwest::Error),
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
    /// Which one the settings name.
    pub connector: Connector,
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
        let connector = config.ipfs.connector;
        let exchange = match connector {
            Connector::None => None,
            Connector::Embedded => embedded(config, home, key, log.clone(), network)?,
            Connector::Api => Some(api(config, home, network)?),
        };
        let Some(exchange) = exchange else { return Ok(None) };
        let parts = mirror::Parts {
            log,
            exchange: exchange.clone(),
            head,
            // What one of them has, the other may not.
            position: match connector {
                Connector::Api => home.mirror_position_beside(),
                _ => home.mirror_position(),
            },
            clock,
            backoff: mirror::BACKOFF,
            // Another node has room as its operator sees fit, and cannot read the log.
            keep_blocks: (connector == Connector::Embedded).then(|| config.ipfs.keep_blocks()),
        };
        let mirror = Mirror::start(parts, network.handle());
        let handle = PublishingHandle { exchange, mirror: mirror.handle(), connector };
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

/// None if the network threads have stopped.
fn embedded(
    config: &Config,
    home: &Home,
    key: Secret<32>,
    log: Arc<dyn LogReader>,
    network: &Network,
) -> Result<Option<Arc<dyn BlockExchange>>, PublishingError> {
    let settings = Settings {
        folder: Some(home.ipfs()),
        listen: config.ipfs.listen(),
        peers: config.ipfs.peers.iter().map(peer).collect::<Result<_, _>>()?,
        swarm_key: config.swarm_key(home).map(|path| SwarmKey::read(&path)).transpose()?,
        key,
        source: Some(Arc::new(Published(log))),
    };
    let Some(embedded) = network.wait(Embedded::start(settings, network.handle().clone())) else {
        return Ok(None);
    };
    Ok(Some(Arc::new(embedded?)))
}

/// The connector to the node that the settings name, which need not be there yet.
///
/// # Errors
/// Unusable settings.
pub(crate) fn api(
    config: &Config,
    home: &Home,
    network: &Network,
) -> Result<Arc<dyn BlockExchange>, PublishingError> {
    let authorization = config.api_token(home).map(|path| token::authorization(&path)).transpose()?;
    let pin = config.ipfs.pin.unwrap_or(true);
    Ok(Arc::new(Api::new(config.ipfs.api(), authorization, pin, network.handle().clone())?))
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
