//! The key that seals the node's seed: from a passphrase, or from a key file.

use super::error::KeystoreError;
use super::file::{InToken, Kdf, ProtectionKind};
use super::files;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use dta_crypto::{Entropy, Secret, SecretBytes, derive};
use dta_token::{Kek, Place, TokenError, Unwrap, Wrap};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::{Zeroize, Zeroizing};

/// The fewest bytes of a passphrase for a new file.
pub const PASSPHRASE_LEAST_BYTES: usize = 8;

/// A passphrase; wiped on drop. Its bytes are used as given, without Unicode normalisation.
pub struct Passphrase(SecretBytes);

impl Passphrase {
    /// Takes over the text that was typed.
    pub fn new(text: String) -> Self {
        Self(SecretBytes::new(text.into_bytes()))
    }

    pub(super) fn check_length(&self) -> Result<(), KeystoreError> {
        if self.0.expose().len() < PASSPHRASE_LEAST_BYTES {
            return Err(KeystoreError::PassphraseShort { least: PASSPHRASE_LEAST_BYTES });
        }
        Ok(())
    }
}

/// What seals or opens a seed file.
pub enum Protection {
    /// What a person knows.
    Passphrase(Passphrase),
    /// The path of 32 random bytes in hex, readable by its owner alone; better not beside the seed file.
    KeyFile(PathBuf),
    /// A key in a PKCS#11 token.
    Token(Place),
}

impl Protection {
    /// Without the secret.
    pub fn kind(&self) -> ProtectionKind {
        match self {
            Self::Passphrase(_) => ProtectionKind::Passphrase,
            Self::KeyFile(_) => ProtectionKind::KeyFile,
            Self::Token(_) => ProtectionKind::Token,
        }
    }
}

/// Argon2id version 0x13, 32 bytes, with these costs, which the caller has held to their bounds.
pub fn from_passphrase(passphrase: &Passphrase, kdf: &Kdf) -> Result<Secret<32>, KeystoreError> {
    let params =
        Params::new(kdf.memory_kib, kdf.passes, kdf.lanes, Some(32)).map_err(|_| KeystoreError::Kdf)?;
    let mut memory = Vec::<Block>::new();
    memory.try_reserve_exact(params.block_count()).map_err(|_| KeystoreError::Kdf)?;
    memory.resize(params.block_count(), Block::new());
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut done = Ok(());
    let key = Secret::build(|key: &mut [u8; 32]| {
        done = argon2.hash_password_into_with_memory(passphrase.0.expose(), &kdf.salt, key, &mut memory);
    });
    // What Argon2id leaves behind is as good as the key.
    memory.iter_mut().for_each(|block| block.as_mut().zeroize());
    done.map(|()| key).map_err(|_| KeystoreError::Kdf)
}

/// A new key for a seed file, and how the token of `place` wraps it.
pub fn wrap_new(
    place: &Place,
    bound_to: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<(Secret<32>, InToken), TokenError> {
    let mut id = [0; 16];
    entropy.fill(&mut id);
    let (kek, _) = place.token.make_or_adopt(&place.label, &id, place.algorithm, Vec::new(), entropy)?;
    let key = Secret::<32>::random(entropy);
    let job = Wrap { aad: aad(bound_to), plain: SecretBytes::new(key.expose().to_vec()) };
    let kek = Arc::new(kek);
    let wrapped = place.token.wrap(&kek, vec![job], entropy).pop().unwrap_or(Err(TokenError::Stopped))?;
    let token = place.name();
    let (key_label, algorithm) = (kek.label.clone(), kek.algorithm.to_string());
    Ok((key, InToken { token, key: key_label, algorithm, id, canary: kek.canary.clone(), wrapped }))
}

/// The key of a seed file, opened by the token that wrapped it.
pub fn unwrap(place: &Place, of: &InToken, bound_to: &[u8]) -> Result<Secret<32>, TokenError> {
    let kek = kek(of)?;
    let job = Unwrap { aad: aad(bound_to), wrapped: of.wrapped.clone() };
    let opened = place.token.unwrap(&Arc::new(kek), vec![job]).pop().unwrap_or(Err(TokenError::Stopped))?;
    let key: &[u8; 32] = opened.expose().try_into().map_err(|_| TokenError::Refused)?;
    Ok(Secret::build(|to| to.copy_from_slice(key)))
}

/// The key in the token.
pub fn kek(of: &InToken) -> Result<Kek, TokenError> {
    let algorithm = of.algorithm.parse().map_err(|what| TokenError::Failed { what })?;
    Ok(Kek { id: of.id, label: of.key.clone(), algorithm, canary: of.canary.clone() })
}

fn aad(bound_to: &[u8]) -> Vec<u8> {
    [b"milagro-dta/v1/keystore-key\0", bound_to].concat()
}

/// The key of a key file, which is made if it is not there.
pub fn make_or_read(path: &Path, entropy: &mut dyn Entropy) -> Result<Secret<32>, KeystoreError> {
    if !path.try_exists().map_err(|error| KeystoreError::io(path, error))? {
        let bytes = Secret::<32>::random(entropy);
        let mut text = Zeroizing::new([b'\n'; 65]);
        // The length fits: 64 digits for 32 bytes.
        _ = hex::encode_to_slice(bytes.expose(), &mut text[..64]);
        files::write_new(path, &*text).map_err(|error| KeystoreError::io(path, error))?;
    }
    read(path)
}

/// The key of a key file: refused if others may read it.
pub fn read(path: &Path) -> Result<Secret<32>, KeystoreError> {
    let io = |error| KeystoreError::io(path, error);
    let form = || KeystoreError::KeyFileForm { path: path.to_owned() };
    let file = File::open(path).map_err(io)?;
    let mode = file.metadata().map_err(io)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeystoreError::KeyFileMode { path: path.to_owned(), mode });
    }
    // A fixed buffer: a growing one would leave unwiped copies. One byte more than the longest, to notice excess.
    let mut text = Zeroizing::new([0; 67]);
    let mut len = 0;
    while len < text.len() {
        match (&file).read(&mut text[len..]).map_err(io)? {
            0 => break,
            more => len += more,
        }
    }
    let mut valid = true;
    let bytes = Secret::build(|bytes: &mut [u8; 32]| {
        valid = len <= 66 && hex::decode_to_slice(text[..len].trim_ascii_end(), bytes).is_ok();
    });
    if !valid {
        return Err(form());
    }
    Ok(derive::purpose(&bytes, "keystore"))
}
