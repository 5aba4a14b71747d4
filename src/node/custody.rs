//! Custody as the settings want it: where its files are, and where its key encryption keys.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dta_crypto::Secret;
use dta_protocol::Cid;
use dta_token::{Find, Pin, PinFrom, Place, Settings, Token};
use thiserror::Error;

use super::copies::knew;
use crate::actors::seeds::kek::{KekEntry, Keks, Role};
use crate::actors::seeds::{FileStore, Named, SeedError, Stores};
use crate::config::{Config, MAIN, PinSource, Seeds, TokenKey, TokenName};
use crate::home::{Home, seeds_folder};
use crate::keystore::Keystore;
use crate::ports::OsEntropy;

/// A store of the settings, not opened.
pub struct Configured {
    /// Its name.
    pub name: String,
    /// The first copy's folder.
    pub own: PathBuf,
    copies: Vec<PathBuf>,
    keks: Keks,
    node: Cid,
}

/// Why the stores of the settings do not open.
#[derive(Debug, Error)]
pub enum CustodyError {
    /// One that the settings name anew, or that a restore forgot.
    #[error(
        "there is no store {0:?}: restore {folder}/ if it was there before, or make it with `dta seeds init --new {0}`",
        folder = seeds_folder(.0)
    )]
    NotMade(String),
    /// What the settings say cannot be prepared.
    #[error("custody: {0}")]
    Settings(SeedError),
    /// One of them.
    #[error(
        "custody in {} and its copies: {source}; keep every copy as it is, and mount or restore the right ones",
        .folder.display()
    )]
    Store {
        /// The first copy's folder.
        folder: PathBuf,
        /// What is wrong.
        #[source]
        source: SeedError,
    },
}

impl Configured {
    /// As the settings name them, the default one first; a person is asked for a PIN if they say so. No token is asked for anything.
    ///
    /// # Errors
    /// `Pin` if nobody can be asked; the system gives no thread.
    pub fn of(home: &Home, config: &Config, seed: &Secret<32>, node: &Cid) -> Result<Vec<Self>, SeedError> {
        config.stores().into_iter().map(|store| Self::one(home, store, seed, node)).collect()
    }

    /// One of them, as [`Configured::of`].
    ///
    /// # Errors
    /// As there.
    pub fn one(home: &Home, store: Seeds, seed: &Secret<32>, node: &Cid) -> Result<Self, SeedError> {
        let Seeds { name, copies, token, second, .. } = store;
        let mut places = Vec::new();
        for key in token.iter().chain(&second) {
            places.push(place(home, key)?);
        }
        let keks = Keks::on_tokens(seed, places);
        let keks = if name == MAIN { keks } else { keks.of_store(&name) };
        let copies = copies.iter().map(|folder| home.root.join(folder)).collect();
        Ok(Self { own: home.seeds(&name), name, copies, keks, node: *node })
    }

    /// Opens all of them.
    ///
    /// # Errors
    /// The first that does not open.
    pub fn open_all(
        home: &Home,
        config: &Config,
        seed: &Secret<32>,
        node: &Cid,
    ) -> Result<Stores, CustodyError> {
        let mut opened = Vec::new();
        for store in Self::of(home, config, seed, node).map_err(CustodyError::Settings)? {
            let Self { name, own: folder, .. } = &store;
            let (name, folder) = (name.clone(), folder.clone());
            // Else it is one that has lost its folder, and that is for its operator to restore.
            if home.has_custody() && store.is_unknown(home) {
                return Err(CustodyError::NotMade(name));
            }
            let opened_one = store.open().map_err(|source| CustodyError::Store { folder, source })?;
            opened.push(Named { name, store: Box::new(opened_one) });
        }
        let default = opened.remove(0); // there is one at least
        Ok(Stores::new(default, opened).reserving(reserved(home)))
    }

    /// Whether its first copy is there.
    pub fn has_own(&self) -> bool {
        FileStore::is_in(std::slice::from_ref(&self.own))
    }

    /// Whether no start has seen it, as far as is noted, and its first copy is not there.
    pub fn is_unknown(&self, home: &Home) -> bool {
        !self.has_own() && matches!(knew(home, &self.name), Ok(false))
    }

    /// Opens it if it is there, or else makes it, with none of the keys of `others`; one whose making was interrupted is finished, if
    /// it may be that.
    ///
    /// # Errors
    /// As [`FileStore::open`], [`FileStore::finish`], [`FileStore::create`].
    pub fn open_or_make(self, interrupted: bool, others: &[KekEntry]) -> Result<FileStore, SeedError> {
        if self.has_own() {
            self.open()
        } else if interrupted && FileStore::is_in(&self.copies) {
            FileStore::finish(&self.own, &self.copies, self.keks, &self.node.to_bytes())
        } else {
            let node = self.node.to_bytes();
            FileStore::create(&self.own, &self.copies, self.keks, &node, others, &mut OsEntropy)
        }
    }

    /// See [`FileStore::open`].
    ///
    /// # Errors
    /// As there.
    pub fn open(self) -> Result<FileStore, SeedError> {
        FileStore::open(&self.own, &self.copies, self.keks, &self.node.to_bytes())
    }

    /// The first of its further copies whose folder is not there.
    pub fn missing_folder(&self) -> Option<&PathBuf> {
        self.copies.iter().find(|folder| !folder.is_dir())
    }

    /// With one more copy, as long as it is open.
    #[must_use]
    pub fn with_copy(mut self, folder: PathBuf) -> Self {
        self.copies.push(folder);
        self
    }
}

/// The key in a token that opens the node's seed, if one does: it is none of custody's.
pub fn reserved(home: &Home) -> Vec<KekEntry> {
    let keystore = Keystore::read(&home.seed_file()).ok();
    let in_token = keystore.as_ref().and_then(Keystore::in_token);
    let entry = |(token, kek): (String, dta_token::Kek)| KekEntry {
        id: kek.id,
        kind: kek.algorithm.into(),
        role: Role::Retired,
        token,
        label: kek.label,
        material: kek.canary,
    };
    in_token.map(entry).into_iter().collect()
}

/// A token that the settings name, with its key; nothing is asked of it yet.
///
/// # Errors
/// As [`Configured::of`].
pub fn place(home: &Home, key: &TokenKey) -> Result<Place, SeedError> {
    let token = token(home, key)?;
    Ok(Place { token: Arc::new(token), label: key.key.clone(), algorithm: key.algorithm })
}

fn token(home: &Home, key: &TokenKey) -> Result<Token, SeedError> {
    let find = match &key.name {
        TokenName::Label(label) => Find::Label(label.clone()),
        TokenName::Serial(serial) => Find::Serial(serial.clone()),
        TokenName::Slot(slot) => Find::Slot(*slot),
    };
    let pin = match &key.pin {
        PinSource::File(file) => PinFrom::File(home.root.join(file)),
        PinSource::Environment(name) => PinFrom::Environment(name.clone()),
        PinSource::Prompt => {
            let typed = rpassword::prompt_password(format!("PIN of the token with {find}: "));
            let typed = typed
                .map_err(|error| SeedError::NoPin { token: find.to_string(), why: error.to_string() })?;
            PinFrom::Asked(Pin::new(typed))
        }
    };
    let settings = Settings {
        library: key.library.clone(),
        token: find,
        sessions: key.sessions,
        limit: Duration::from_millis(key.time_limit_ms),
    };
    Token::new(settings, pin).map_err(|error| SeedError::io(&home.root, error))
}
