//! Settings: the only reader of `config.toml`, of the original's `config.yaml` and of the environment. Every key has a
//! default; unknown keys are refused, so that a typing error is not a silent default.

mod custody;
mod environment;
mod gather;
mod ipfs;
mod original;
mod plugin;
mod schema;
mod settings;
mod shown;
mod sift;
mod trouble;
mod written;

use std::path::PathBuf;

use crate::home::Home;

pub use custody::*;
pub use gather::*;
pub use ipfs::*;
pub use plugin::*;
pub use settings::*;
pub use shown::*;
pub use trouble::{ConfigError, Place, Trouble};
pub use written::*;

impl Config {
    /// The settings of a home, and of this process's environment; a home without a file has the defaults.
    ///
    /// # Errors
    /// Every trouble, with the key and where it stands.
    pub fn read(home: &Home) -> Result<Self, ConfigError> {
        Settings::gather(home, std::env::vars_os()).map(|settings| settings.config)
    }

    /// The key file, found from the home.
    pub fn key_file(&self, home: &Home) -> PathBuf {
        match &self.keystore.key_file {
            Some(path) => home.root.join(path),
            None => home.key_file(),
        }
    }

    /// The private network's key, found from the home.
    pub fn swarm_key(&self, home: &Home) -> Option<PathBuf> {
        self.ipfs.swarm_key.as_ref().map(|path| home.root.join(path))
    }

    /// The token of the other IPFS node's RPC, found from the home.
    pub fn api_token(&self, home: &Home) -> Option<PathBuf> {
        self.ipfs.api_token.as_ref().map(|path| home.root.join(path))
    }

    /// The seed stores, the default one first; without a block, one of the defaults.
    pub fn stores(&self) -> Vec<Seeds> {
        let mut stores = self.seeds.clone();
        if stores.is_empty() {
            stores.push(Seeds::default());
        }
        stores.sort_by_key(|store| !store.default);
        stores
    }
}

/// The home to use: the one named, else `MILAGRO_HOME` as the original had it, else `~/.milagro`.
///
/// # Errors
/// Neither is set and there is no `HOME`.
pub fn find_home(named: Option<PathBuf>) -> Result<Home, &'static str> {
    let from_environment = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let root = named
        .or_else(|| from_environment("MILAGRO_HOME").map(PathBuf::from))
        .or_else(|| from_environment("HOME").map(|home| PathBuf::from(home).join(".milagro")))
        .ok_or("no home: give --home, or set MILAGRO_HOME or HOME")?;
    Ok(Home::new(root))
}

#[cfg(test)]
mod tests;
