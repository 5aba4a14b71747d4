//! Custody as the settings want it: where its files are, and where its key encryption keys.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dta_crypto::Secret;
use dta_protocol::Cid;
use dta_token::{Find, Pin, PinFrom, Place, Settings, Token};

use crate::actors::seeds::kek::Keks;
use crate::actors::seeds::{FileStore, SeedError};
use crate::config::{Config, PinSource, SeedsType, TokenKey, TokenName};
use crate::home::Home;
use crate::ports::Entropy;

/// A store of the settings, not opened.
pub struct Configured {
    own: PathBuf,
    copies: Vec<PathBuf>,
    keks: Keks,
    node: Cid,
}

impl Configured {
    /// As the settings name it; a person is asked for a PIN if they say so. No token is asked for anything.
    ///
    /// # Errors
    /// `Pin` if nobody can be asked; the system gives no thread.
    pub fn of(home: &Home, config: &Config, seed: &Secret<32>, node: &Cid) -> Result<Self, SeedError> {
        let mut places = Vec::new();
        if let Some(seeds) = config.seeds.first().filter(|seeds| seeds.r#type == SeedsType::Pkcs11) {
            for key in seeds.token.iter().chain(&seeds.second) {
                places.push(place(home, key)?);
            }
        }
        let keks = Keks::on_tokens(seed, places);
        Ok(Self { own: home.seeds(), copies: config.seed_copies(home), keks, node: *node })
    }

    /// See [`FileStore::create`].
    ///
    /// # Errors
    /// As there.
    pub fn create(self, entropy: &mut dyn Entropy) -> Result<FileStore, SeedError> {
        FileStore::create(&self.own, &self.copies, self.keks, &self.node.to_bytes(), entropy)
    }

    /// See [`FileStore::finish`].
    ///
    /// # Errors
    /// As there.
    pub fn finish(self) -> Result<FileStore, SeedError> {
        FileStore::finish(&self.own, &self.copies, self.keks, &self.node.to_bytes())
    }

    /// See [`FileStore::open`].
    ///
    /// # Errors
    /// As there.
    pub fn open(self) -> Result<FileStore, SeedError> {
        FileStore::open(&self.own, &self.copies, self.keks, &self.node.to_bytes())
    }

    /// With one more copy, as long as it is open.
    #[must_use]
    pub fn with_copy(mut self, folder: PathBuf) -> Self {
        self.copies.push(folder);
        self
    }
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
