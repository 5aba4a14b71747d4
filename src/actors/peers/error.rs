//! Why a signed request or answer is not believed.

use dta_protocol::Cid;
use thiserror::Error;

use super::request::CLOCK_SKEW_S;

/// Why a signed request or answer is not believed: the header or parameter, and what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PeerCallError {
    /// A header that must be there once is not.
    #[error("header {0}: is missing")]
    Missing(&'static str),
    /// A header that must be there once is there again.
    #[error("header {0}: must be there once only")]
    Doubled(&'static str),
    /// A header or the request's target is too long.
    #[error("{part}: at most {limit} bytes")]
    TooLong {
        /// `header …` or `target`.
        part: &'static str,
        /// Bytes.
        limit: usize,
    },
    /// A header is not a structured field, or not in its one canonical spelling; a member or parameter that is there twice
    /// is such a case.
    #[error("header {0}: must be a structured field (RFC 9651) in its canonical spelling")]
    NotCanonical(&'static str),
    /// A header that must have one member has others or another.
    #[error("header {header}: must have the member {member} and no other")]
    Member {
        /// The header.
        header: &'static str,
        /// The only member it may have.
        member: &'static str,
    },
    /// A header's value is of another kind or length.
    #[error("header {header}: must be {rule}")]
    Value {
        /// The header.
        header: &'static str,
        /// What its value must be.
        rule: &'static str,
    },
    /// A component is missing, doubled or too much.
    #[error("header signature-input: must cover exactly the components that the protocol names")]
    Components,
    /// A parameter is missing or too much.
    #[error("header signature-input: must have exactly the parameters that the protocol names")]
    Parameters,
    /// A parameter's value is not what it must be.
    #[error("header signature-input: parameter {name} must be {rule}")]
    Parameter {
        /// Its name.
        name: &'static str,
        /// What its value must be.
        rule: &'static str,
    },
    /// Signed too long ago, or in the future.
    #[error("parameter created: {created_s} is more than {CLOCK_SKEW_S} s from {now_s}, the time here")]
    Created {
        /// Seconds since 1970, UTC.
        created_s: u64,
        /// Seconds since 1970, UTC.
        now_s: u64,
    },
    /// Signed before the time of which this node remembers all requests: before it started, or before its clock was set back.
    #[error("parameter created: is before {since_s}, since when this node remembers what it has seen")]
    Forgotten {
        /// Seconds since 1970, UTC.
        since_s: u64,
    },
    /// An answer is signed by another identity than the request is for.
    #[error("parameter keyid: {0} is not whom the request is for")]
    OtherSigner(Cid),
    /// The signature is not by this key over this message.
    #[error("header signature: is not by keyid over this message")]
    Signature,
    /// The body is not the one that was signed.
    #[error("header content-digest: is not that of the body")]
    Digest,
    /// The same request came before.
    #[error("parameter nonce: was seen before")]
    Replayed,
    /// More requests in five minutes than are remembered.
    #[error("too many calls within {CLOCK_SKEW_S} s: at most {limit}")]
    Full {
        /// Requests remembered, of this caller or of all.
        limit: usize,
    },
}

impl PeerCallError {
    /// A stable name for this error.
    pub const fn code(&self) -> &'static str {
        match self {
            PeerCallError::Missing(_) => "peer-header-missing",
            PeerCallError::Doubled(_) => "peer-header-doubled",
            PeerCallError::TooLong { .. } => "peer-too-long",
            PeerCallError::NotCanonical(_) => "peer-header-not-canonical",
            PeerCallError::Member { .. } => "peer-header-member",
            PeerCallError::Value { .. } => "peer-header-value",
            PeerCallError::Components => "peer-components",
            PeerCallError::Parameters => "peer-parameters",
            PeerCallError::Parameter { .. } => "peer-parameter",
            PeerCallError::Created { .. } => "peer-created",
            PeerCallError::Forgotten { .. } => "peer-forgotten",
            PeerCallError::OtherSigner(_) => "peer-other-signer",
            PeerCallError::Signature => "peer-signature",
            PeerCallError::Digest => "peer-digest",
            PeerCallError::Replayed => "peer-replayed",
            PeerCallError::Full { .. } => "peer-too-many-calls",
        }
    }
}
