//! Runs the hooks of the node's plugin: on threads of their own, since one may hang; contained, since one may panic; timed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dta_crypto::Secret;
use dta_plugins::{Given, Plugin, PublicPoint, milagro};
use thiserror::Error;
use tokio::sync::Semaphore;

use super::keyring::Keyring;
use super::unavailable::Unavailable;
use crate::contain::contain;
use crate::ports::OsEntropy;

/// How long a hook may take before it is told by name.
const SLOW: Duration = Duration::from_millis(100);
/// How long a hook may take before its command goes on without it.
pub const LIMIT: Duration = Duration::from_secs(5);
/// Hooks that run at once. One that never ends keeps its place; when all do, the plugin is out of work.
const AT_ONCE: usize = 16;

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
    /// All its threads are taken by such hooks.
    #[error("its hook {0} was not run: {AT_ONCE} others have not come to their end")]
    Stuck(&'static str),
}

impl PluginFault {
    /// Stable kebab-case.
    pub fn code(self) -> &'static str {
        match self {
            Self::Panicked(_) => "plugin-panicked",
            Self::Overran { .. } => "plugin-overran",
            Self::Stuck(_) => "plugin-stuck",
        }
    }
}

/// The node's plugin, and what its hooks are given.
pub struct Plugged {
    plugin: Arc<dyn Plugin>,
    node: PublicPoint,
    keyring: Arc<Keyring>,
    places: Arc<Semaphore>,
    limit: Duration,
}

impl Plugged {
    /// `node`: the node's own public key on secp256k1; `limit`: how long a command waits for a hook.
    pub fn new(plugin: Arc<dyn Plugin>, node: PublicPoint, keyring: Arc<Keyring>, limit: Duration) -> Self {
        Self { plugin, node, keyring, places: Arc::new(Semaphore::new(AT_ONCE)), limit }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.plugin.name()
    }

    /// Whether its hooks are to be asked: those of `milagro` add nothing.
    pub fn is_active(&self) -> bool {
        self.plugin.name() != milagro::NAME
    }

    /// Runs a hook. `about`: what its key is derived for.
    ///
    /// # Errors
    /// `Plugin` if it panics, or takes longer than it may; that is told in the log lines.
    pub async fn run<T, F>(&self, hook: &'static str, about: &[u8], call: F) -> Result<T, Unavailable>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Plugin, &mut Given<'_>) -> T + Send + 'static,
    {
        let name = self.name();
        let fault = |fault: PluginFault| {
            tracing::error!(plugin = name, hook, %fault, "a plugin did not do its part");
            Unavailable::Plugin { name, fault }
        };
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            return Err(fault(PluginFault::Stuck(hook)));
        };
        let key: Secret<32> = self.keyring.for_plugin(name, about);
        let (plugin, node) = (self.plugin.clone(), self.node);
        let run = tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            let answer = contain(|| {
                let mut entropy = OsEntropy;
                call(&*plugin, &mut Given { node, key: &key, entropy: &mut entropy })
            });
            let took = began.elapsed();
            if took > SLOW {
                tracing::warn!(plugin = name, hook, ms = took.as_millis() as u64, "a plugin took long");
            }
            drop(place);
            answer
        });
        match tokio::time::timeout(self.limit, run).await {
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
