//! Where a peer is: the URL that a pin names.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;
use thiserror::Error;

/// Bytes of a peer's URL.
pub const URL_BYTES_MAX: usize = 2_048;

/// A peer's URL: `http` or `https`, a host, perhaps a port and a path before that of the routes; nothing else. Kept
/// in its normal form, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PeerUrl(String);

/// Why text is not a peer's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PeerUrlError {
    /// Longer than 2,048 bytes.
    #[error("url: at most {URL_BYTES_MAX} bytes")]
    TooLong,
    /// A space, a control character, or not ASCII.
    #[error("url: must be visible ASCII; a host name in other letters is written in its xn-- form")]
    Character,
    /// Another scheme, or none.
    #[error("url: must begin with http:// or https://")]
    Scheme,
    /// A name or password.
    #[error("url: must not name a user")]
    User,
    /// A query or fragment.
    #[error("url: must have no query and no fragment")]
    Query,
    /// Not a URL for another reason: no host, a port that is none.
    #[error("url: is not one of a host, perhaps with a port from 1 to 65535 and a path")]
    Malformed,
}

impl PeerUrlError {
    /// A stable name for this error.
    pub const fn code(&self) -> &'static str {
        match self {
            PeerUrlError::TooLong => "url-too-long",
            PeerUrlError::Character => "url-character",
            PeerUrlError::Scheme => "url-scheme",
            PeerUrlError::User => "url-user",
            PeerUrlError::Query => "url-query",
            PeerUrlError::Malformed => "url-malformed",
        }
    }
}

impl PeerUrl {
    /// Its normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether what is sent there can be read by nobody on the way: TLS, or this machine.
    pub fn is_private(&self) -> bool {
        let Ok(url) = Url::parse(&self.0) else { return false };
        let loopback = match url.host_str() {
            Some("localhost") => true,
            Some(host) => {
                host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
            }
            None => false,
        };
        loopback || url.scheme() == "https"
    }

    /// The URL of a target (path and query, from its slash on), if no character of the target would be sent otherwise
    /// than it is written.
    pub(in crate::actors) fn join(&self, target: &str) -> Option<Url> {
        let text = format!("{}{target}", self.0);
        let url = Url::parse(&text).ok()?;
        (target.starts_with('/') && url.fragment().is_none() && url.as_str() == text).then_some(url)
    }
}

impl FromStr for PeerUrl {
    type Err = PeerUrlError;

    // The library reads what browsers read: it trims, takes backslashes, and needs no slashes after the scheme. The
    // checks before it leave it only what everybody reads alike.
    fn from_str(text: &str) -> Result<Self, PeerUrlError> {
        if text.len() > URL_BYTES_MAX {
            return Err(PeerUrlError::TooLong);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return Err(PeerUrlError::Character);
        }
        let rest = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        let rest = rest.ok_or(PeerUrlError::Scheme)?;
        if rest.contains(['?', '#']) {
            return Err(PeerUrlError::Query);
        }
        if rest.split('/').next().is_some_and(|authority| authority.contains('@')) {
            return Err(PeerUrlError::User);
        }
        let url = Url::parse(text).ok().filter(|url| !rest.starts_with('/') && url.port() != Some(0));
        let url = url.ok_or(PeerUrlError::Malformed)?;
        let normal = url.as_str().trim_end_matches('/');
        if normal.len() > URL_BYTES_MAX { Err(PeerUrlError::TooLong) } else { Ok(Self(normal.to_owned())) }
    }
}

impl fmt::Display for PeerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
