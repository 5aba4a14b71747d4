//! Why the node's seed could not be kept or opened. No message holds a secret.

use super::file::ProtectionKind;
use std::io;
use std::path::{Path, PathBuf};

/// One refusal of the keystore.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeystoreError {
    /// A seed is never overwritten.
    #[error("{} is there already and is not overwritten", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// There is no such file.
    #[error("there is no {}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file system failed.
    #[error("{}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's own error.
        #[source]
        source: io::Error,
    },
    /// The seed file is not as it was written.
    #[error("the seed file {} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The seed file was written by a later program.
    #[error("the seed file {} has format {format}; this program knows formats 1 and 2", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// The costs in the file are beyond what this program will spend, or below what protects.
    #[error("the seed file asks for Argon2id with {field} = {value}; allowed are {least} to {most}")]
    KdfBounds {
        /// `memory_kib`, `passes` or `lanes`.
        field: &'static str,
        /// What the file says.
        value: u32,
        /// The least allowed.
        least: u32,
        /// The most allowed.
        most: u32,
    },
    /// Argon2id could not run: not enough memory.
    #[error("the passphrase could not be processed: Argon2id failed")]
    Kdf,
    /// The seed is sealed in the other way.
    #[error("this seed is opened by a {needs}")]
    OtherProtection {
        /// What it needs.
        needs: ProtectionKind,
    },
    /// The token with the key that opens it.
    #[error(transparent)]
    Token(#[from] dta_token::TokenError),
    /// The file is whole and does not open.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// The file is whole and does not open.
    #[error("the key in {} is not the one of this seed", path.display())]
    WrongKey {
        /// The key file.
        path: PathBuf,
    },
    /// Too easily guessed.
    #[error("the passphrase has fewer than {least} bytes")]
    PassphraseShort {
        /// The least number of bytes.
        least: usize,
    },
    /// Others can read the key.
    #[error("the key file {} has mode {mode:04o}: others may read it; set it to 0600", path.display())]
    KeyFileMode {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file is not one.
    #[error("the key file {} does not hold 64 hex digits", path.display())]
    KeyFileForm {
        /// The key file.
        path: PathBuf,
    },
}

impl KeystoreError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { path: path.to_owned() },
            _ => Self::Io { path: path.to_owned(), source },
        }
    }

    pub(super) fn damaged(path: &Path, why: &'static str) -> Self {
        Self::Damaged { path: path.to_owned(), why }
    }
}
