//! Why an identity refuses a command: one name an illegal act.

use thiserror::Error;

/// A refusal. `code()` is stable.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Rejection {
    /// It has been made before.
    #[error("this identity exists already")]
    Exists,
    /// The name's length.
    #[error("name: is {bytes} bytes long, must be 1 to {limit}")]
    NameLength {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A character that could deceive a reader.
    #[error("name: control and bidirectional characters are not allowed")]
    NameCharacter,
    /// One of its keys belongs to another known identity.
    #[error("one of its public keys belongs to another identity")]
    KeyTaken,
    /// The document is not the one that was asked for.
    #[error("the document is not what was prepared")]
    NotAsPrepared,
}

impl Rejection {
    /// Stable kebab-case.
    pub fn code(&self) -> &'static str {
        match self {
            Rejection::Exists => "identity-exists",
            Rejection::NameLength { .. } => "name-length",
            Rejection::NameCharacter => "name-character",
            Rejection::KeyTaken => "key-taken",
            Rejection::NotAsPrepared => "not-as-prepared",
        }
    }
}
