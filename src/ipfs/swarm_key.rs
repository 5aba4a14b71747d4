//! The swarm key: 32 secret bytes shared by the nodes of a private network; whoever lacks them cannot speak to any of
//! them. As a file it is that of go-ipfs and js-ipfs, `swarm.key`, version 1.0.0 in base16.

use std::io;
use std::path::{Path, PathBuf};

use dta_crypto::{Entropy, Secret};
use thiserror::Error;
use zeroize::Zeroizing;

const HEAD: &str = "/key/swarm/psk/1.0.0/\n/base16/\n";
/// More than any such file has.
const FILE_BYTES_MAX: u64 = 1_024;

/// A private network's key.
pub struct SwarmKey(Secret<32>);

/// Why there is no key in a file; never with a byte of it.
#[derive(Debug, Error)]
pub enum SwarmKeyError {
    /// It cannot be read.
    #[error("swarm key {}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It is something else.
    #[error(
        "swarm key {}: must be the three lines /key/swarm/psk/1.0.0/, /base16/ and 64 hexadecimal digits",
        .0.display()
    )]
    Shape(PathBuf),
}

impl SwarmKey {
    /// A new network's.
    pub fn random(entropy: &mut dyn Entropy) -> Self {
        Self(Secret::random(entropy))
    }

    /// The key in a file.
    ///
    /// # Errors
    /// See [`SwarmKeyError`].
    pub fn read(path: &Path) -> Result<Self, SwarmKeyError> {
        use std::io::Read as _;
        let mut text = Zeroizing::new(Vec::new());
        std::fs::File::open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut text))
            .map_err(|source| SwarmKeyError::Io { path: path.to_owned(), source })?;
        Self::parse(&text).ok_or_else(|| SwarmKeyError::Shape(path.to_owned()))
    }

    /// The key in the text of a file.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let digits = text.strip_prefix(HEAD.as_bytes())?.trim_ascii_end();
        let mut key = Some(());
        let secret = Secret::build(|bytes| key = hex::decode_to_slice(digits, bytes).ok());
        key.map(|()| Self(secret))
    }

    /// The file's text.
    pub fn text(&self) -> Zeroizing<String> {
        let digits = Zeroizing::new(hex::encode(self.0.expose()));
        Zeroizing::new([HEAD, &digits, "\n"].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "8ab6e6aeb73353791b88c3c73e3d9a5111273e6d89edcbfb8be783f1e595617b";

    #[test]
    fn the_text_is_that_of_the_file() {
        for end in ["", "\n", "\r\n", "\n\n"] {
            let text = format!("{HEAD}{DIGITS}{end}");
            let key = SwarmKey::parse(text.as_bytes()).unwrap();
            assert_eq!(*key.text(), format!("{HEAD}{DIGITS}\n"));
        }
        assert!(SwarmKey::parse(format!("{HEAD}{}", DIGITS.to_uppercase()).as_bytes()).is_some());
    }

    #[test]
    fn everything_else_is_refused_without_telling_it() {
        let short = &DIGITS[2..];
        for text in [
            String::new(),
            DIGITS.to_owned(),
            HEAD.to_owned(),
            format!("{HEAD}{short}"),
            format!("{HEAD}{DIGITS}00"),
            format!("{HEAD}{short}zz"),
            format!("{HEAD} {DIGITS}"),
            format!("/key/swarm/psk/1.0.0/\n/base64/\n{DIGITS}"),
            format!("/key/swarm/psk/2.0.0/\n/base16/\n{DIGITS}"),
            format!("{HEAD}{short}é"),
            format!("{HEAD}{DIGITS}{}", "\nx".repeat(2_000)),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("swarm.key");
            std::fs::write(&path, &text).unwrap();
            let error = SwarmKey::read(&path).err().unwrap().to_string();
            assert!(error.contains("64 hexadecimal digits") && !error.contains(&short[..8]), "{error}");
        }
        let missing = SwarmKey::read(Path::new("/nowhere/swarm.key")).err().unwrap();
        assert!(matches!(missing, SwarmKeyError::Io { .. }));
    }
}
