//! Where the PIN comes from: a file that only its owner reads, a variable of the environment, or a person. Never the command line,
//! which every user of the machine can read.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use cryptoki::types::AuthPin;
use zeroize::{Zeroize, Zeroizing};

use crate::error::TokenError;

/// Longer than any token's PIN.
const MAX_BYTES: usize = 256;

/// A PIN; wiped on drop.
pub struct Pin(AuthPin);

impl Pin {
    /// Takes over what was typed.
    pub fn new(mut text: String) -> Self {
        // Of its exact length: to shrink the text in place would leave an unwiped copy.
        let pin = Self(AuthPin::new(Box::from(text.as_str())));
        text.zeroize();
        pin
    }

    pub(crate) fn as_auth(&self) -> &AuthPin {
        &self.0
    }
}

/// Where a PIN comes from.
pub enum PinFrom {
    /// A file of mode 0600 or less; read again at each login, without the line's end.
    File(PathBuf),
    /// A variable of the environment.
    Environment(String),
    /// A person was asked, once, when the process started.
    Asked(Pin),
}

/// Tells whether a source has changed since a PIN from it was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stamp {
    File { inode: u64, changed: (i64, i64), bytes: u64 },
    Fixed,
}

impl PinFrom {
    /// As errors name it.
    pub fn describe(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Environment(name) => format!("${name}"),
            Self::Asked(_) => "the prompt".to_owned(),
        }
    }

    pub(crate) fn stamp(&self) -> Result<Stamp, TokenError> {
        let Self::File(path) = self else { return Ok(Stamp::Fixed) };
        let metadata = std::fs::metadata(path).map_err(|error| self.trouble(error.to_string()))?;
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        Ok(Stamp::File { inode: metadata.ino(), changed, bytes: metadata.len() })
    }

    /// Hands the PIN to `login`.
    pub(crate) fn with<T>(&self, login: impl FnOnce(&Pin) -> T) -> Result<T, TokenError> {
        match self {
            Self::Asked(pin) => Ok(login(pin)),
            Self::Environment(name) => {
                let text = std::env::var(name).map_err(|_| self.trouble("it is not set, or not text"))?;
                Ok(login(&Pin::new(text)))
            }
            Self::File(path) => self.read(path).map(|pin| login(&pin)),
        }
    }

    fn read(&self, path: &PathBuf) -> Result<Pin, TokenError> {
        let io = |error: std::io::Error| self.trouble(error.to_string());
        let file = File::open(path).map_err(io)?;
        let mode = file.metadata().map_err(io)?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(self.trouble(format!("others may read it (mode {mode:o}): chmod 600")));
        }
        // A fixed buffer: a growing one would leave unwiped copies. Room for a line's end and one byte more, to notice excess.
        let mut buffer = Zeroizing::new([0; MAX_BYTES + 3]);
        let mut len = 0;
        while len < buffer.len() {
            match (&file).read(&mut buffer[len..]).map_err(io)? {
                0 => break,
                more => len += more,
            }
        }
        let text = std::str::from_utf8(&buffer[..len]).map_err(|_| self.trouble("it is not text"))?;
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() || text.len() > MAX_BYTES {
            return Err(self.trouble(format!("a PIN has 1 to {MAX_BYTES} bytes")));
        }
        Ok(Pin(AuthPin::new(Box::from(text))))
    }

    fn trouble(&self, why: impl Into<String>) -> TokenError {
        TokenError::PinSource { source_of_pin: self.describe(), why: why.into() }
    }
}
