//! Where the PIN comes from: a file that only its owner reads, a variable of the environment, or a person. Never the command line,
//! which every user of the machine can read.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use cryptoki::types::AuthPin;
use secrecy::ExposeSecret as _;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, Zeroizing};

use crate::error::TokenError;

/// Longer than any token's PIN.
const MAX_BYTES: usize = 256;
/// Refused PINs that are remembered of a token. Most lock themselves after fewer.
const REMEMBERED: usize = 16;

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

    /// In constant time.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.0.expose_secret().as_bytes().ct_eq(other.0.expose_secret().as_bytes()).into()
    }

    /// For a source that can be read once only.
    fn same(&self) -> Self {
        Self(AuthPin::new(Box::from(self.0.expose_secret())))
    }

    pub(crate) fn as_auth(&self) -> &AuthPin {
        &self.0
    }
}

/// The PINs that a token has refused in this process, from whichever source. None of them is tried again.
#[derive(Default)]
pub(crate) struct RefusedPins(Vec<Refused>);

struct Refused {
    pin: Pin,
    why: String,
    /// None if it is the PIN that is wrong: then for good.
    until: Option<Instant>,
}

impl RefusedPins {
    /// Why this PIN is not to be tried now, if it is not.
    pub fn why(&self, pin: &Pin, now: Instant) -> Option<&str> {
        let same =
            |refused: &&Refused| refused.pin.is_same(pin) && refused.until.is_none_or(|until| now < until);
        self.0.iter().find(same).map(|refused| refused.why.as_str())
    }

    /// It was refused just now.
    pub fn add(&mut self, pin: Pin, why: String, until: Option<Instant>) {
        self.forget(&pin);
        if self.0.len() == REMEMBERED {
            self.0.remove(0);
        }
        self.0.push(Refused { pin, why, until });
    }

    /// It was taken.
    pub fn forget(&mut self, pin: &Pin) {
        self.0.retain(|refused| !refused.pin.is_same(pin));
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

impl PinFrom {
    /// As errors name it.
    pub fn describe(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Environment(name) => format!("${name}"),
            Self::Asked(_) => "the prompt".to_owned(),
        }
    }

    /// The PIN as it is now.
    pub(crate) fn read(&self) -> Result<Pin, TokenError> {
        match self {
            Self::Asked(pin) => Ok(pin.same()),
            Self::Environment(name) => {
                let text = std::env::var(name).map_err(|_| self.trouble("it is not set, or not text"))?;
                Ok(Pin::new(text))
            }
            Self::File(path) => self.read_file(path),
        }
    }

    fn read_file(&self, path: &Path) -> Result<Pin, TokenError> {
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
