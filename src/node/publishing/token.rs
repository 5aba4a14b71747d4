//! The token of another IPFS node's RPC: the first line of a file.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use reqwest::header::HeaderValue;
use thiserror::Error;
use zeroize::Zeroizing;

/// Bytes of a token, its line's end included.
const TOKEN_BYTES_MAX: u64 = 1_024;

/// Why there is no token in a file; never with a byte of it.
#[derive(Debug, Error)]
pub enum TokenError {
    /// It cannot be read.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Empty, too long, or not what a header may hold.
    #[error("{}: must be one line of 1 to {} visible ASCII characters", .0.display(), TOKEN_BYTES_MAX - 1)]
    Shape(PathBuf),
}

/// The header `Authorization` for the token in this file: a bearer token, unless the line names another scheme, as
/// `Basic …` does.
///
/// # Errors
/// See [`TokenError`].
pub(super) fn authorization(path: &Path) -> Result<HeaderValue, TokenError> {
    let mut bytes = Zeroizing::new(Vec::new());
    std::fs::File::open(path)
        .and_then(|file| file.take(TOKEN_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|source| TokenError::Io { path: path.to_owned(), source })?;
    header(&bytes).ok_or_else(|| TokenError::Shape(path.to_owned()))
}

fn header(bytes: &[u8]) -> Option<HeaderValue> {
    let line = std::str::from_utf8(bytes).ok()?.trim_end_matches(['\r', '\n']);
    let visible = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    let fits = bytes.len() as u64 <= TOKEN_BYTES_MAX;
    let value = match line.split_once(' ') {
        Some(("Basic" | "Bearer", rest)) if visible(rest) => Zeroizing::new(line.to_owned()),
        None if visible(line) => Zeroizing::new(format!("Bearer {line}")),
        _ => return None,
    };
    let mut value = HeaderValue::from_str(&value).ok().filter(|_| fits)?;
    // Nothing that prints headers prints this one.
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_line() {
        for (text, expected) in [
            ("secret", "Bearer secret"),
            ("secret\n", "Bearer secret"),
            ("secret\r\n", "Bearer secret"),
            ("Basic YTpi\n", "Basic YTpi"),
            ("Bearer x", "Bearer x"),
        ] {
            let value = header(text.as_bytes()).unwrap();
            assert_eq!(value.to_str().unwrap(), expected);
            assert!(value.is_sensitive() && !format!("{value:?}").contains("YTpi"));
        }
        let longest = "x".repeat(TOKEN_BYTES_MAX as usize);
        assert!(header(longest.as_bytes()).is_some());
        let longer = format!("{longest}x");
        for text in ["", "\n", "two words", "two\nlines", "Basic ", "Basic a b", "sécret", " x", &longer] {
            assert!(header(text.as_bytes()).is_none(), "{text:?}");
        }
    }

    #[test]
    fn what_is_none_is_refused_without_telling_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubo.token");
        assert!(matches!(authorization(&path), Err(TokenError::Io { .. })));
        std::fs::write(&path, "hush hush").unwrap();
        let error = authorization(&path).unwrap_err().to_string();
        assert!(error.contains("kubo.token") && !error.contains("hush"), "{error}");
    }
}
