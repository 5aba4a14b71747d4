//! HTTP clients for calls out of this node, to other nodes and to an IPFS node beside it: set up once, and what went wrong with a
//! call in the system's own words.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long an idle connection is kept: shorter than a node keeps it, so that no call goes into one that is closing.
const IDLE: Duration = Duration::from_secs(15);

/// A client without redirects, proxies or cookies, that tries once; `more` sets what is its user's own. On a machine without
/// certificates of authorities nobody with `https` can be verified; those with `http` are called all the same.
///
/// # Errors
/// TLS cannot be set up.
pub(crate) fn client(more: impl Fn(ClientBuilder) -> ClientBuilder) -> Result<Client, reqwest::Error> {
    let plain = || {
        more(Client::builder())
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
    };
    plain().build().or_else(|error| {
        tracing::warn!(%error, "this machine trusts no certificate authority: nobody with https can be called");
        plain().tls_certs_only([]).build()
    })
}

/// The last cause of an error: what the system said, where the library's own text says little.
pub(crate) fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
