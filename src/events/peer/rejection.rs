//! Why a pin refuses a command: one name an illegal act.

use dta_protocol::Cid;
use thiserror::Error;

/// A refusal. `code()` is stable.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Rejection {
    /// Its document has never been seen here.
    #[error("idDocumentCID: {0} is not an identity known to this node; pin it by its document")]
    UnknownIdentity(Cid),
    /// One's own identity has no URL.
    #[error("url: {0} is hosted on this node, which does not call itself")]
    HostedHere(Cid),
    /// There is no pin to take away.
    #[error("{0} is not pinned")]
    NotPinned(Cid),
}

impl Rejection {
    /// Stable kebab-case.
    pub fn code(&self) -> &'static str {
        match self {
            Rejection::UnknownIdentity(_) => "unknown-identity",
            Rejection::HostedHere(_) => "hosted-here",
            Rejection::NotPinned(_) => "not-pinned",
        }
    }
}
