//! What is wrong with the settings: where it stands, which key, and why; all of it at once.

use std::fmt::{self, Display};
use std::path::PathBuf;

use thiserror::Error;

/// Why the settings cannot be used: each trouble on a line. There is at least one.
#[derive(Debug, Error)]
#[error("{}", lines(.0))]
pub struct ConfigError(pub Vec<Trouble>);

fn lines(troubles: &[Trouble]) -> String {
    troubles.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Where it stands.
    pub place: Place,
    /// Which key, and why. Never a value that may be a secret.
    pub what: String,
}

impl Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Where a setting can stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In this file.
    File(PathBuf),
    /// In this variable.
    Environment(String),
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path) => path.display().fmt(f),
            Place::Environment(name) => write!(f, "environment variable {name}"),
        }
    }
}

/// What a type finds wrong with its own values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The key, with its tables.
    pub key: String,
    /// Why.
    pub why: String,
}

impl Fault {
    pub(super) fn new(key: impl Into<String>, why: impl Into<String>) -> Self {
        Self { key: key.into(), why: why.into() }
    }
}
