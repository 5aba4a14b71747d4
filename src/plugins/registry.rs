//! The plugins there are, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;

use crate::bitcoinwallet::BitcoinWallet;
use crate::milagro::Milagro;
use crate::plugin::Plugin;
use crate::safeguardsecret::SafeguardSecret;

/// Bytes of a plugin's name.
pub const NAME_MAX: usize = 32;

/// Whether a plugin can be called so: 1 to 32 of `a-z`, `0-9` and `-`.
pub fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(fits)
}

/// Plugins by name. A node runs one of them.
#[derive(Clone)]
pub struct Registry(BTreeMap<&'static str, Arc<dyn Plugin>>);

/// Why a plugin cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RegistryError {
    /// Its name is none.
    #[error("plugin {0:?}: its name must have 1 to {NAME_MAX} of a-z, 0-9 and -")]
    Name(&'static str),
    /// There is one of that name.
    #[error("plugin {0:?}: there is one of that name")]
    Taken(&'static str),
}

impl Registry {
    /// None.
    pub fn empty() -> Self {
        Self(BTreeMap::new())
    }

    /// Those that ship: `milagro`, `safeguardsecret`, `bitcoinwallet`.
    pub fn shipped() -> Self {
        let shipped: [Arc<dyn Plugin>; 3] =
            [Arc::new(Milagro), Arc::new(SafeguardSecret), Arc::new(BitcoinWallet)];
        Self(shipped.into_iter().map(|plugin| (plugin.name(), plugin)).collect())
    }

    /// With one more.
    ///
    /// # Errors
    /// `Name`, `Taken`.
    pub fn with(mut self, plugin: impl Plugin + 'static) -> Result<Self, RegistryError> {
        let name = plugin.name();
        if !is_name(name) {
            return Err(RegistryError::Name(name));
        }
        if self.0.contains_key(name) {
            return Err(RegistryError::Taken(name));
        }
        self.0.insert(name, Arc::new(plugin));
        Ok(self)
    }

    /// The one of this name.
    pub fn get(&self, name: &str) -> Option<Arc<dyn Plugin>> {
        self.0.get(name).cloned()
    }

    /// All of them, in the order of their names.
    pub fn all(&self) -> impl Iterator<Item = &dyn Plugin> {
        self.0.values().map(|plugin| &**plugin)
    }

    /// Their names, as an error tells them.
    pub fn names(&self) -> String {
        self.0.keys().copied().collect::<Vec<_>>().join(", ")
    }
}
