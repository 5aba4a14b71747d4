//! The node's own seed at rest: `seed.json`, sealed under a passphrase, under a key file kept elsewhere, or under a key in a token.
//!
//! The seed (32 bytes) is sealed by AES-256-GCM. The key is Argon2id(passphrase), or HKDF(key file's 32 bytes,
//! `milagro-dta/v1/keystore`), or 32 random bytes that stand in the file, wrapped by a key that never leaves its PKCS#11 token. The associated data is all that stands in the file before the ciphertext.

mod error;
pub(crate) mod file;
pub(crate) mod files;
mod key;
#[cfg(test)]
mod tests;
pub mod words;

pub use error::KeystoreError;
pub use file::ProtectionKind;
pub use key::{Passphrase, Protection};

use dta_crypto::{Entropy, Secret, at_rest, derive};
use file::{Kdf, SeedFile};
use std::path::{Path, PathBuf};

/// A seed file that was read and is whole; still sealed.
pub struct Keystore {
    path: PathBuf,
    file: SeedFile,
}

impl Keystore {
    /// Seals a node's seed in a new file of mode 0600, whole and synced or not there; an existing file stays.
    /// With a key file that does not exist yet, that is made first (mode 0600, 64 hex digits).
    /// Errors: `Exists`, `PassphraseShort`, `Io`, `Token`, and those of reading an existing key file.
    pub fn create(
        path: &Path,
        seed: &Secret<32>,
        protection: &Protection,
        entropy: &mut dyn Entropy,
    ) -> Result<(), KeystoreError> {
        if path.try_exists().map_err(|error| KeystoreError::io(path, error))? {
            return Err(KeystoreError::Exists { path: path.to_owned() });
        }
        let fingerprint = fingerprint(seed);
        let mut in_token = None;
        let (kdf, key) = match protection {
            Protection::Passphrase(passphrase) => {
                passphrase.check_length()?;
                let kdf = Kdf::new(entropy);
                let key = key::from_passphrase(passphrase, &kdf)?;
                (Some(kdf), key)
            }
            Protection::KeyFile(file) => (None, key::make_or_read(file, entropy)?),
            Protection::Token(place) => {
                let (key, wrapped) = key::wrap_new(place, &fingerprint, entropy)?;
                in_token = Some(wrapped);
                (None, key)
            }
        };
        let mut nonce = [0; 12];
        entropy.fill(&mut nonce);
        let mut file = SeedFile::new(protection.kind(), kdf, nonce, fingerprint);
        if let Some(in_token) = in_token {
            file.in_token(in_token);
        }
        let sealed = at_rest::seal_at_rest(&key, &nonce, &file.associated_data(), seed.expose());
        file.seal(std::array::from_fn(|i| sealed[i])); // 32 bytes sealed are 48
        files::write_new(path, &file.to_json()).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => KeystoreError::Exists { path: path.to_owned() },
            _ => KeystoreError::io(path, error),
        })
    }

    /// Reads a seed file without opening it.
    /// Errors: `Missing`, `Damaged`, `Newer`, `KdfBounds`, `Io`.
    pub fn read(path: &Path) -> Result<Self, KeystoreError> {
        Ok(Self { path: path.to_owned(), file: file::read(path)? })
    }

    /// What opens it: whether to ask for a passphrase.
    pub fn kind(&self) -> ProtectionKind {
        self.file.protection
    }

    /// Names the seed inside without telling it: the first 8 bytes of HKDF(seed, `milagro-dta/v1/fingerprint`).
    pub fn fingerprint(&self) -> [u8; 8] {
        self.file.fingerprint
    }

    /// The key in a token that opens it, if one does, and that token as the settings named it.
    pub fn in_token(&self) -> Option<(String, dta_token::Kek)> {
        let of = self.file.token.as_ref()?;
        Some((of.token.clone(), key::kek(of).ok()?))
    }

    /// Opens it. With a passphrase this takes about half a second and 64 MiB, by design.
    /// Errors: `OtherProtection`, `WrongPassphrase`, `WrongKey`, `Damaged`, `Token`, and those of reading the key file.
    pub fn unlock(&self, protection: &Protection) -> Result<Secret<32>, KeystoreError> {
        let (key, wrong) = match (protection, &self.file.kdf) {
            (Protection::Passphrase(passphrase), Some(kdf)) => {
                (key::from_passphrase(passphrase, kdf)?, KeystoreError::WrongPassphrase)
            }
            (Protection::KeyFile(file), None) if self.file.token.is_none() => {
                (key::read(file)?, KeystoreError::WrongKey { path: file.clone() })
            }
            (Protection::Token(place), None) => match &self.file.token {
                Some(of) => {
                    let key = key::unwrap(place, of, &self.file.fingerprint)?;
                    (key, KeystoreError::damaged(&self.path, "its token's key does not open it"))
                }
                None => return Err(KeystoreError::OtherProtection { needs: self.file.protection }),
            },
            _ => return Err(KeystoreError::OtherProtection { needs: self.file.protection }),
        };
        let aad = self.file.associated_data();
        let Ok(opened) = at_rest::open_at_rest(&key, &self.file.nonce, &aad, &self.file.ciphertext) else {
            return Err(wrong);
        };
        let seed = Secret::build(|seed: &mut [u8; 32]| {
            seed.iter_mut().zip(opened.expose()).for_each(|(to, from)| *to = *from);
        });
        if opened.expose().len() != 32 || fingerprint(&seed) != self.file.fingerprint {
            return Err(KeystoreError::damaged(
                &self.path,
                "it holds another seed than its fingerprint names",
            ));
        }
        Ok(seed)
    }

    /// `read`, then `unlock`.
    pub fn open(path: &Path, protection: &Protection) -> Result<Secret<32>, KeystoreError> {
        Self::read(path)?.unlock(protection)
    }
}

fn fingerprint(seed: &Secret<32>) -> [u8; 8] {
    let derived = derive::purpose(seed, "fingerprint");
    std::array::from_fn(|i| derived.expose()[i])
}
