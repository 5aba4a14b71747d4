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
    /// One's own log needs no following.
    #[error("{0} is hosted on this node, whose own log holds what it signs")]
    OwnLog(Cid),
    /// Its log is that of the node it lives on.
    #[error("{identity} lives on the node {owner}, whose log holds what it signs: pin and follow that")]
    LogElsewhere {
        /// Who was to be followed.
        identity: Cid,
        /// The identity of its node.
        owner: Cid,
    },
    /// There is nowhere to fetch from.
    #[error("{0} is pinned without a URL: pin it with the one where its node serves")]
    NotAddressed(Cid),
    /// There is nowhere to keep a copy.
    #[error("this node keeps no blocks for others: ipfs.connector is \"none\"")]
    KeepsNoBlocks,
    /// There is no following to end.
    #[error("{0} is not followed")]
    NotFollowed(Cid),
}

impl Rejection {
    /// Stable kebab-case.
    pub fn code(&self) -> &'static str {
        match self {
            Rejection::UnknownIdentity(_) => "unknown-identity",
            Rejection::HostedHere(_) => "hosted-here",
            Rejection::NotPinned(_) => "not-pinned",
            Rejection::OwnLog(_) => "own-log",
            Rejection::LogElsewhere { .. } => "log-elsewhere",
            Rejection::NotAddressed(_) => "not-addressed",
            Rejection::KeepsNoBlocks => "keeps-no-blocks",
            Rejection::NotFollowed(_) => "not-followed",
        }
    }
}
