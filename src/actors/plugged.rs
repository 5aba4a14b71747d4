//! Runs the hooks of plugins: on threads of their own, since one may hang; contained, since one may panic; timed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dta_crypto::Secret;
use dta_plugins::{Given, Plugin, PublicPoint, Registry, milagro};
use thiserror::Error;
use tokio::sync::{Semaphore, oneshot};

use super::keyring::Keyring;
use super::unavailable::Unavailable;
use crate::contain::contain;
use crate::ports::OsEntropy;

/// How long a hook may take before it is told by name.
const SLOW: Duration = Duration::from_millis(100);
/// How long a hook may take before its command goes on without it.
pub const LIMIT: Duration = Duration::from_secs(5);
/// Hooks that run at once; others wait. One that never ends keeps its place.
const AT_ONCE: usize = 16;
/// The hook of routes.
pub const SERVE: &str = "serve";

/// What became of a hook that gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PluginFault {
    /// It panicked.
    #[error("its hook {0} panicked; the node's log lines say where")]
    Panicked(&'static str),
    /// It took too long.
    #[error("its hook {hook} took longer than {limit_ms} ms")]
    Overran {
        /// Which.
        hook: &'static str,
        /// The limit.
        limit_ms: u64,
    },
    /// All places were taken, and none became free in time.
    #[error("its hook {0} was not run: {AT_ONCE} others have not come to their end")]
    Stuck(&'static str),
    /// An order is of a plugin that this program does not have.
    #[error("this program does not have it, and the order was placed with it")]
    Missing,
}

impl PluginFault {
    /// Stable kebab-case.
    pub fn code(self) -> &'static str {
        match self {
            Self::Panicked(_) => "plugin-panicked",
            Self::Overran { .. } => "plugin-overran",
            Self::Stuck(_) => "plugin-stuck",
            Self::Missing => "plugin-missing",
        }
    }
}

/// The plugins of this program, which of them new orders have, and what hooks are given.
pub struct Plugged {
    name: &'static str,
    all: Registry,
    node: PublicPoint,
    keyring: Arc<Keyring>,
    places: Arc<Semaphore>,
    /// Of calls to routes: they do not keep orders waiting.
    serving: Arc<Semaphore>,
    limit: Duration,
}

impl Plugged {
    /// `name`: the plugin of new orders; `node`: the node's own public key on secp256k1; `limit`: how long a command waits for a hook.
    pub fn new(
        name: &'static str,
        all: Registry,
        node: PublicPoint,
        keyring: Arc<Keyring>,
        limit: Duration,
    ) -> Self {
        let [places, serving] = [AT_ONCE, AT_ONCE].map(|at_once| Arc::new(Semaphore::new(at_once)));
        Self { name, all, node, keyring, places, serving, limit }
    }

    /// The plugin of new orders.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether the hooks of a plugin are to be asked: those of `milagro` add nothing.
    pub fn is_active(name: &str) -> bool {
        name != milagro::NAME
    }

    /// Runs a hook of the plugin of this name. `about`: what its key is derived for.
    ///
    /// # Errors
    /// `Plugin` if there is none, or it panics, or takes longer than it may; that is told in the log lines.
    pub async fn run<T, F>(
        &self,
        name: &str,
        hook: &'static str,
        about: &[u8],
        call: F,
    ) -> Result<T, Unavailable>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Plugin, &mut Given<'_>) -> T + Send + 'static,
    {
        let fault = |fault: PluginFault| {
            tracing::error!(plugin = name, hook, %fault, "a plugin did not do its part");
            Unavailable::Plugin { name: name.to_owned(), fault }
        };
        let plugin = self.all.get(name).ok_or_else(|| fault(PluginFault::Missing))?;
        let places = if hook == SERVE { &self.serving } else { &self.places };
        let place = tokio::time::timeout(self.limit, places.clone().acquire_owned()).await;
        let Ok(Ok(place)) = place else { return Err(fault(PluginFault::Stuck(hook))) };
        let key: Secret<32> = self.keyring.for_plugin(name, about);
        let (node, told) = (self.node, name.to_owned());
        let (reply, answered) = oneshot::channel();
        // A thread of its own: a runtime that ends waits for those that it lends, and one that hangs would keep the node from stopping.
        let thread = std::thread::Builder::new().name("plugin".to_owned()).spawn(move || {
            let began = Instant::now();
            let answer = contain(|| {
                let mut entropy = OsEntropy;
                call(&*plugin, &mut Given { node, key: &key, entropy: &mut entropy })
            });
            let took = began.elapsed();
            if took > SLOW {
                tracing::warn!(plugin = told, hook, ms = took.as_millis() as u64, "a plugin took long");
            }
            drop(place);
            // Nobody waits any more if it took too long.
            let _ = reply.send(answer);
        });
        if thread.is_err() {
            return Err(Unavailable::Busy);
        }
        match tokio::time::timeout(self.limit, answered).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(_))) => Err(fault(PluginFault::Panicked(hook))),
            Ok(Err(_)) => Err(Unavailable::Stopping),
            Err(_) => {
                let limit_ms = u64::try_from(self.limit.as_millis()).unwrap_or(u64::MAX);
                Err(fault(PluginFault::Overran { hook, limit_ms }))
            }
        }
    }
}
