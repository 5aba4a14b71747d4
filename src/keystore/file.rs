//! The seed file's format: JSON, bounded when it is read, with a checksum that tells damage from a wrong key.
//!
//! Keys: `format` (1; 2 if a token protects it), `protection` (`key-file`, `passphrase` or `token`), `kdf` (null or `{name: "argon2id", memory_kib,
//! passes, lanes, salt}`), `nonce` (12 bytes), `fingerprint` (8), `ciphertext` (48), `checksum`: SHA-256 of the
//! associated data and the ciphertext. Bytes are in lower-case hex.
//!
//! With a token there is `token`: `{token, key, algorithm, id, canary, wrapped}`: which key wraps the one of this file.
//!
//! Associated data: `milagro-dta/v1/keystore` ‖ 00 ‖ format (4, little-endian like all) ‖ 0 for a key file, 1 for
//! a passphrase, 2 for a token ‖ memory_kib (4) ‖ passes (4) ‖ lanes (4) ‖ salt (16), all zero without a kdf ‖ nonce ‖ fingerprint.

use super::error::KeystoreError;
use dta_crypto::Entropy;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A seed file has about 500 bytes; more than this is not read.
const MAX_FILE_BYTES: u64 = 4096;
const FORMAT: u32 = 1;
/// Of a file whose key a token wraps: programs that know no tokens refuse it by its format.
const FORMAT_TOKEN: u32 = 2;
const DOMAIN: &[u8] = b"milagro-dta/v1/keystore\0";

/// What opens a seed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProtectionKind {
    /// 32 random bytes in a file kept elsewhere.
    KeyFile,
    /// What a person knows.
    Passphrase,
    /// A key in a PKCS#11 token.
    Token,
}

impl fmt::Display for ProtectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyFile => "key file",
            Self::Passphrase => "passphrase",
            Self::Token => "token",
        })
    }
}

/// The costs of Argon2id (version 0x13) and its salt.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kdf {
    name: KdfName,
    /// KiB of memory.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
    /// Random.
    #[serde(with = "hex_array")]
    pub salt: [u8; 16],
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KdfName {
    Argon2id,
}

/// The key in a token that wraps this file's own key (32 random bytes).
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InToken {
    /// The token, as the settings named it.
    pub token: String,
    /// The key's label there.
    pub key: String,
    /// How it wraps.
    pub algorithm: String,
    /// Its name here.
    #[serde(with = "hex_array")]
    pub id: [u8; 16],
    /// Its canary.
    #[serde(with = "hex_bytes")]
    pub canary: Vec<u8>,
    /// This file's key, wrapped.
    #[serde(with = "hex_bytes")]
    pub wrapped: Vec<u8>,
}

/// The seed file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedFile {
    format: u32,
    pub protection: ProtectionKind,
    pub kdf: Option<Kdf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<InToken>,
    #[serde(with = "hex_array")]
    pub nonce: [u8; 12],
    #[serde(with = "hex_array")]
    pub fingerprint: [u8; 8],
    #[serde(with = "hex_array")]
    pub ciphertext: [u8; 48],
    #[serde(with = "hex_array")]
    checksum: [u8; 32],
}

impl Kdf {
    /// The costs of a new file (RFC 9106 recommends them where memory is short, with 4 lanes): 64 MiB, 3 passes,
    /// 1 lane, since the implementation has one thread.
    pub fn new(entropy: &mut dyn Entropy) -> Self {
        let mut salt = [0; 16];
        entropy.fill(&mut salt);
        Self { name: KdfName::Argon2id, memory_kib: 64 * 1024, passes: 3, lanes: 1, salt }
    }

    /// Holds what a file asks for to what is reasonable, so that no file can eat the memory or the day.
    fn check(&self) -> Result<(), KeystoreError> {
        let bounds = [
            ("memory_kib", self.memory_kib, 8 * 1024, 256 * 1024),
            ("passes", self.passes, 1, 16),
            ("lanes", self.lanes, 1, 8),
        ];
        for (field, value, least, most) in bounds {
            if value < least || value > most {
                return Err(KeystoreError::KdfBounds { field, value, least, most });
            }
        }
        Ok(())
    }
}

impl SeedFile {
    /// A file still without its ciphertext.
    pub fn new(protection: ProtectionKind, kdf: Option<Kdf>, nonce: [u8; 12], fingerprint: [u8; 8]) -> Self {
        let (format, token) = (FORMAT, None);
        let (ciphertext, checksum) = ([0; 48], [0; 32]);
        Self { format, protection, kdf, token, nonce, fingerprint, ciphertext, checksum }
    }

    /// Names the key in a token that wraps this file's own.
    pub fn in_token(&mut self, token: InToken) {
        self.format = FORMAT_TOKEN;
        self.token = Some(token);
    }

    /// Puts the ciphertext in.
    pub fn seal(&mut self, ciphertext: [u8; 48]) {
        self.ciphertext = ciphertext;
        self.checksum = self.sum();
    }

    /// All that stands in the file besides ciphertext and checksum.
    pub fn associated_data(&self) -> Vec<u8> {
        let (costs, salt) = match &self.kdf {
            Some(kdf) => ([kdf.memory_kib, kdf.passes, kdf.lanes], kdf.salt),
            None => ([0; 3], [0; 16]),
        };
        let mut bytes = DOMAIN.to_vec();
        bytes.extend(self.format.to_le_bytes());
        bytes.push(self.protection as u8);
        bytes.extend(costs.iter().flat_map(|cost| cost.to_le_bytes()));
        bytes.extend(salt);
        bytes.extend(self.nonce);
        bytes.extend(self.fingerprint);
        if let Some(InToken { token, key, algorithm, id, canary, wrapped }) = &self.token {
            for field in [token.as_bytes(), key.as_bytes(), algorithm.as_bytes(), id, canary, wrapped] {
                bytes.extend((field.len() as u32).to_le_bytes());
                bytes.extend(field);
            }
        }
        bytes
    }

    /// The file's text.
    pub fn to_json(&self) -> Vec<u8> {
        // Numbers, texts and a null: there is nothing in it that JSON could refuse.
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        text
    }

    fn sum(&self) -> [u8; 32] {
        Sha256::new().chain_update(self.associated_data()).chain_update(self.ciphertext).finalize().into()
    }
}

/// Reads a seed file and checks all that can be checked without a key.
pub fn read(path: &Path) -> Result<SeedFile, KeystoreError> {
    let io = |error| KeystoreError::io(path, error);
    let mut text = Vec::new();
    File::open(path).map_err(io)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut text).map_err(io)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(KeystoreError::damaged(path, "it has more than 4096 bytes"));
    }
    parse(path, &text)
}

/// The text of the seed file at `path`.
fn parse(path: &Path, text: &[u8]) -> Result<SeedFile, KeystoreError> {
    if let Ok(Format { format }) = serde_json::from_slice(text)
        && format != FORMAT
        && format != FORMAT_TOKEN
    {
        return Err(KeystoreError::Newer { path: path.to_owned(), format });
    }
    let file: SeedFile = serde_json::from_slice(text)
        .map_err(|_| KeystoreError::damaged(path, "it is not the JSON of a seed file"))?;
    if let Some(kdf) = &file.kdf {
        kdf.check()?;
    }
    if file.checksum != file.sum() {
        return Err(KeystoreError::damaged(path, "its checksum is another"));
    }
    if file.kdf.is_some() != (file.protection == ProtectionKind::Passphrase) {
        return Err(KeystoreError::damaged(path, "its kdf does not fit its protection"));
    }
    let in_token = file.protection == ProtectionKind::Token;
    if file.token.is_some() != in_token || (file.format == FORMAT_TOKEN) != in_token {
        return Err(KeystoreError::damaged(path, "its format or token does not fit its protection"));
    }
    Ok(file)
}

/// What is read has its checksum and bounded costs, and is written so that it is read the same.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn stands(bytes: &[u8]) {
    let path = Path::new("seed.json");
    let Ok(file) = parse(path, bytes) else { return };
    assert!(file.checksum == file.sum());
    assert!(file.kdf.as_ref().is_none_or(|kdf| kdf.check().is_ok()));
    let again = parse(path, &file.to_json());
    assert!(again.is_ok_and(|again| again.associated_data() == file.associated_data()));
}

/// Seed files of both kinds.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn samples() -> Vec<Vec<u8>> {
    let kdf = Kdf { name: KdfName::Argon2id, memory_kib: 64 * 1024, passes: 3, lanes: 1, salt: [1; 16] };
    let file = |protection, kdf| {
        let mut file = SeedFile::new(protection, kdf, [2; 12], [3; 8]);
        file.seal([4; 48]);
        file.to_json()
    };
    let mut in_token = SeedFile::new(ProtectionKind::Token, None, [2; 12], [3; 8]);
    let text = |text: &str| text.to_owned();
    let (token, key, algorithm) = (text("label \"a\""), text("key"), text("aes-gcm"));
    in_token.in_token(InToken {
        token,
        key,
        algorithm,
        id: [5; 16],
        canary: vec![6; 61],
        wrapped: vec![7; 61],
    });
    in_token.seal([4; 48]);
    vec![file(ProtectionKind::KeyFile, None), file(ProtectionKind::Passphrase, Some(kdf)), in_token.to_json()]
}

/// Read first, since a later format may have other keys.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

mod hex_bytes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        hex::decode(String::deserialize(deserializer)?).map_err(|_| D::Error::custom("wrong hex"))
    }
}

mod hex_array {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer, const N: usize>(
        bytes: &[u8; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<[u8; N], D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; N];
        hex::decode_to_slice(&text, &mut bytes).map_err(|_| D::Error::custom("wrong hex"))?;
        Ok(bytes)
    }
}
