//! Settings: the only reader of `config.toml` and of the environment. Every key has a default; unknown keys are refused,
//! so that a typing error is not a silent default.

mod custody;
mod ipfs;
mod settings;

use std::path::PathBuf;

use config::{Config as Source, File, FileFormat};
use thiserror::Error;

use crate::home::Home;

pub use custody::*;
pub use ipfs::*;
pub use settings::*;

/// The longest that an order may wait for its fiduciary, in milliseconds.
const ORDER_WAIT_MS_MAX: u64 = 60_000;

/// What a new home's `config.toml` says.
pub const TEMPLATE: &str = include_str!("config/template.toml");

/// Why the settings cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file is not TOML, or holds a key or value that is none of ours.
    #[error("{}: {source}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<config::ConfigError>,
    },
    /// An origin that no browser sends.
    #[error("{}: http.cors_allow: {origin:?} is no origin, as \"https://desk.example\" is; there is no wildcard", .path.display())]
    Origin {
        /// The file.
        path: PathBuf,
        /// What it says.
        origin: String,
    },
    /// Longer than a client waits.
    #[error("{}: http.order_wait_ms: is {ms}, must be at most {ORDER_WAIT_MS_MAX}", .path.display())]
    OrderWait {
        /// The file.
        path: PathBuf,
        /// What it says.
        ms: u64,
    },
    /// An IPFS address that is of no use or unsafe.
    #[error("{}: {what}", .path.display())]
    Ipfs {
        /// The file.
        path: PathBuf,
        /// Which key, and why.
        what: String,
    },
    /// A pace of checkpoints that is none, or too little time for others'.
    #[error("{}: {what}", .path.display())]
    Pace {
        /// The file.
        path: PathBuf,
        /// Which key, and why.
        what: String,
    },
    /// A seed store that contradicts itself, or another one.
    #[error("{}: [[seeds]]: {what}", .path.display())]
    Seeds {
        /// The file.
        path: PathBuf,
        /// Which key, and why.
        what: String,
    },
}

impl Config {
    /// The settings of a home; a home without `config.toml` has the defaults.
    ///
    /// # Errors
    /// The file names the key or value that is wrong.
    pub fn read(home: &Home) -> Result<Self, ConfigError> {
        let path = home.config();
        let file = File::from(path.clone()).format(FileFormat::Toml).required(false);
        let settings: Self = Source::builder()
            .add_source(file)
            .build()
            .and_then(Source::try_deserialize)
            .map_err(|source| ConfigError::Unusable { path: path.clone(), source: source.into() })?;
        for origin in &settings.http.cors_allow {
            let named = ["http://", "https://"].iter().find_map(|scheme| origin.strip_prefix(scheme));
            if !named.is_some_and(|host| !host.is_empty() && !host.contains(['*', '/', ' '])) {
                return Err(ConfigError::Origin { path, origin: origin.clone() });
            }
        }
        if settings.http.order_wait_ms > ORDER_WAIT_MS_MAX {
            return Err(ConfigError::OrderWait { path, ms: settings.http.order_wait_ms });
        }
        if let Some(what) = settings.ipfs.trouble() {
            return Err(ConfigError::Ipfs { path, what });
        }
        if let Some(what) = settings.checkpoints.trouble().or_else(|| settings.peers.trouble()) {
            return Err(ConfigError::Pace { path, what });
        }
        if let Some(what) = Seeds::trouble_of(&settings, home) {
            return Err(ConfigError::Seeds { path, what });
        }
        Ok(settings)
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

/// The template with every setting in it in force.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn uncommented_template() -> String {
    TEMPLATE
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.starts_with('[') || line.contains(" = "))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[cfg(test)]
mod tests;
