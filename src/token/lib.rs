//! Key encryption keys (KEKs) that never leave a PKCS#11 token (OASIS PKCS #11 v2.40 and later): an HSM, a TPM, a smart card.
//!
//! `library` is the vendor's module, loaded once a process; `session` one login to a token and what is done in it; `pool`
//! the threads that own sessions, with a time limit for every call; `key` what a KEK is, how it is made, adopted and told
//! from another; `algorithm` how it wraps; `pin` where the PIN comes from. No call of a module is ever made from a caller's
//! thread, since any of them may hang.

mod algorithm;
mod error;
mod key;
mod library;
mod pin;
mod pool;
mod session;

#[cfg(test)]
mod tests;

pub use algorithm::{Algorithm, WRAPPED_MAX_BYTES};
pub use error::TokenError;
pub use key::{Kek, KekId};
pub use pin::{Pin, PinFrom};
pub use pool::{Place, Token, Unwrap, Wrap};
pub use session::TokenInfo;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Which token, and how it is worked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The vendor's module.
    pub library: PathBuf,
    /// Which of the tokens it shows.
    pub token: Find,
    /// Sessions that work side by side, each on a thread of its own; at least 1.
    pub sessions: usize,
    /// How long one call may take before its caller is answered without it.
    pub limit: Duration,
}

/// How a token is named. None of it proves that it is the same token: a re-initialised one has them all. That is what
/// the canary of each KEK is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Find {
    /// `CK_TOKEN_INFO.label`, without its padding.
    Label(String),
    /// `CK_TOKEN_INFO.serialNumber`, without its padding.
    Serial(String),
    /// The number of its slot; not stable with every module.
    Slot(u64),
}

impl fmt::Display for Find {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(label) => write!(f, "label {label:?}"),
            Self::Serial(serial) => write!(f, "serial {serial:?}"),
            Self::Slot(slot) => write!(f, "slot {slot}"),
        }
    }
}
