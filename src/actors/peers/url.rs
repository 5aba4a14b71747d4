//! Where a peer serves: the base of the URLs it is called under.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use url::{Position, Url};

/// Bytes of a peer's URL.
pub const URL_BYTES_MAX: usize = 2_048;

/// `http` or `https`, a host, optionally a port and a path that goes before the routes; in normal form (WHATWG URL), without
/// a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerUrl(String);

/// Why a text is no peer's URL. The texts follow the name of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PeerUrlError {
    /// Too long.
    #[error("is {bytes} bytes long, must be at most {URL_BYTES_MAX}")]
    Length {
        /// Its length.
        bytes: usize,
    },
    /// Not a URL at all.
    #[error("must be a URL in visible ASCII characters, as https://bob.example or http://10.0.0.7:5557/dta")]
    Syntax,
    /// Another scheme.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// Who calls is said by signatures.
    #[error("must not hold a user name or password")]
    UserInfo,
    /// Routes are put at its end.
    #[error("must not hold a query or fragment")]
    Query,
}

impl PeerUrl {
    /// Its normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PeerUrl {
    type Err = PeerUrlError;

    fn from_str(text: &str) -> Result<Self, PeerUrlError> {
        if text.len() > URL_BYTES_MAX {
            return Err(PeerUrlError::Length { bytes: text.len() });
        }
        // The parser passes over blanks, line ends and backslashes: what is not meant is not taken.
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return Err(PeerUrlError::Syntax);
        }
        let url = Url::parse(text).map_err(|_| PeerUrlError::Syntax)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(PeerUrlError::Scheme);
        }
        // It also takes `http:bob` and `http:///bob` for `http://bob`, and forgets an empty user name.
        let authority = text.split_once("://").map(|(_, rest)| rest).ok_or(PeerUrlError::Syntax)?;
        let authority = authority.split(['/', '?', '#']).next().filter(|authority| !authority.is_empty());
        if authority.ok_or(PeerUrlError::Syntax)?.contains('@') {
            return Err(PeerUrlError::UserInfo);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(PeerUrlError::Query);
        }
        let normal = url[..Position::AfterPath].trim_end_matches('/');
        match normal.len() {
            bytes if bytes > URL_BYTES_MAX => Err(PeerUrlError::Length { bytes }),
            _ => Ok(Self(normal.to_owned())),
        }
    }
}

impl fmt::Display for PeerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_peers_serve() {
        for (text, normal) in [
            ("https://bob.example", "https://bob.example"),
            ("https://bob.example/", "https://bob.example"),
            ("HTTPS://Bob.Example:443", "https://bob.example"),
            ("http://127.0.0.1:5557", "http://127.0.0.1:5557"),
            ("http://[::1]:5557/dta/", "http://[::1]:5557/dta"),
            ("http://bob.example/a/../b", "http://bob.example/b"),
        ] {
            let url: PeerUrl = text.parse().unwrap();
            assert_eq!(url.as_str(), normal, "{text}");
            assert_eq!(url.as_str().parse(), Ok(url), "the normal form is its own");
        }
    }

    #[test]
    fn others_are_refused_by_name() {
        use PeerUrlError::{Length, Query, Scheme, Syntax, UserInfo};
        let long = format!("http://bob.example/{}", "x".repeat(URL_BYTES_MAX));
        // Each of these is three bytes in normal form.
        let grows = format!("http://bob.example/{}", "\"".repeat(URL_BYTES_MAX - 19));
        for (text, error) in [
            ("", Syntax),
            ("bob.example", Syntax),
            ("//bob.example", Syntax),
            ("http:", Syntax),
            ("http://", Syntax),
            ("http:///bob.example", Syntax),
            ("http:bob.example", Syntax),
            ("http:/bob.example", Syntax),
            ("http://bob example", Syntax),
            (" http://bob.example", Syntax),
            ("http://bob.example\n", Syntax),
            ("http://bob.exam\tple", Syntax),
            ("http:\\\\bob.example", Syntax),
            ("http://bób.example", Syntax),
            ("http://bob.example:65536", Syntax),
            ("http://bob.example:port", Syntax),
            ("http://[::1", Syntax),
            ("http://256.0.0.1", Syntax),
            ("ftp://bob.example", Scheme),
            ("file:///etc/passwd", Scheme),
            ("unix:/run/dta", Scheme),
            ("http://alice@bob.example", UserInfo),
            ("http://alice:secret@bob.example", UserInfo),
            ("http://@bob.example", UserInfo),
            ("http://bob.example?", Query),
            ("http://bob.example/?to=carol", Query),
            ("http://bob.example/#", Query),
            ("http://bob.example#top", Query),
            (long.as_str(), Length { bytes: long.len() }),
            (grows.as_str(), Length { bytes: 19 + 3 * (URL_BYTES_MAX - 19) }),
        ] {
            assert_eq!(text.parse::<PeerUrl>(), Err(error), "{text}");
        }
    }
}
