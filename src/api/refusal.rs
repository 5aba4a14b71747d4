//! What the node's errors are in HTTP: every one of them, in one table a kind.

use actix_web::http::StatusCode;
use dta_events::{identity, order, peer};

use super::error::ApiError;
use crate::actors::identities::IdentityError;
use crate::actors::log::{NotWritten, ReadError};
use crate::actors::orders::OrderError;
use crate::actors::peers::PeerCallError;
use crate::actors::peers::pins::PinError;
use crate::actors::plugged::PluginFault;
use crate::actors::seeds::SeedError;
use crate::actors::unavailable::Unavailable;
use crate::actors::views::ViewsError;

impl From<OrderError> for ApiError {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::Rejected(rejection) => rejection.into(),
            OrderError::Recorded { rejection, sequence } => ApiError::from(rejection).recorded(sequence),
            OrderError::Invalid(text) => ApiError::invalid("invalid", text),
            OrderError::Outsider => ApiError::no_order(),
            OrderError::TurnedDown { code } => turned_down(code),
            OrderError::OtherRequest => other_request(),
            OrderError::Unfinished { why, sequence } => ApiError::from(why).recorded(sequence),
            OrderError::Unavailable(why) => why.into(),
        }
    }
}

/// What another node's signed refusal is to the client of this one. It follows from the code alone, which is recorded: so
/// the same request again is answered the same. A code that says nothing here would mislead with a status of its own.
pub(super) fn turned_down(code: String) -> ApiError {
    let status = match code.as_str() {
        "expired" | "closed" | "withdrawn" | "refused" | "retention-ended" | "custody-lost" => {
            StatusCode::GONE
        }
        "reference-taken"
        | "not-outstanding"
        | "nothing-to-dispute"
        | "not-hosted"
        | "not-made-here"
        | "out-of-state"
        | "wrong-previous"
        | "equivocation"
        | "step-pending"
        | "not-pending"
        | "not-before"
        | "not-due"
        | "beneficiary-mismatch" => StatusCode::CONFLICT,
        "unknown-identity"
        | "wrong-signer"
        | "unknown-plugin"
        | "plugin-refused"
        | "coin-unknown"
        | "policy-unsupported"
        | "policy-invalid"
        | "issued-before-previous"
        | "proof-invalid"
        | "wrong-reference"
        | "signature-invalid"
        | "note-invalid"
        | "cannot-open"
        | "other-recipients"
        | "block-missing"
        | "keys-invalid"
        | "secret-taken"
        | "identity-refused"
        | "code-malformed"
        | "too-long" => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::BAD_GATEWAY,
    };
    let text = format!("the other party's node turned it down: {code}");
    ApiError::of_peer(status, code, text)
}

impl From<IdentityError> for ApiError {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Rejected(rejection) => rejection.into(),
            IdentityError::OtherRequest => other_request(),
            IdentityError::Unavailable(why) => why.into(),
        }
    }
}

impl From<PinError> for ApiError {
    fn from(error: PinError) -> Self {
        match error {
            PinError::Rejected(rejection) => rejection.into(),
            PinError::Recorded { rejection, sequence } => ApiError::from(rejection).recorded(sequence),
            PinError::Document(error) => error.into(),
            PinError::OtherRequest => other_request(),
            PinError::Unavailable(why) => why.into(),
        }
    }
}

fn other_request() -> ApiError {
    let text = "Idempotency-Key: was used before, for a request with another body or to another route";
    ApiError::invalid("idempotency-key-reused", text)
}

impl From<order::Rejection> for ApiError {
    fn from(rejection: order::Rejection) -> Self {
        use order::Rejection as R;
        let status = match &rejection {
            R::UnknownOrder => StatusCode::NOT_FOUND,
            // The state of the order, or what this node hosts, forbids it.
            R::ReferenceTaken
            | R::NotOutstanding(_)
            | R::NothingToDispute
            | R::NotHosted(_)
            | R::NotMadeHere(_)
            | R::OutOfState { .. }
            | R::WrongPrevious
            | R::Equivocation(_)
            | R::StepPending
            | R::NotPending
            | R::NotBefore { .. }
            | R::NotDue { .. }
            | R::BeneficiaryMismatch(_) => StatusCode::CONFLICT,
            // It was possible once and never will be again.
            R::Expired { .. }
            | R::Closed(_)
            | R::Withdrawn
            | R::Refused(_)
            | R::RetentionEnded { .. }
            | R::CustodyLost => StatusCode::GONE,
            R::UnknownIdentity { .. }
            | R::WrongSigner(_)
            | R::UnknownPlugin(_)
            | R::PluginRefused { .. }
            | R::CoinUnknown(_)
            | R::PolicyUnsupported
            | R::PolicyInvalid { .. }
            | R::IssuedBeforePrevious
            | R::ProofInvalid
            | R::WrongReference
            | R::SignatureInvalid
            | R::NoteInvalid
            | R::CannotOpen
            | R::OtherRecipients
            | R::BlockMissing(_)
            | R::KeysInvalid
            | R::SecretTaken
            | R::IdentityRefused { .. }
            | R::CodeMalformed
            | R::TooLong { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            R::ClockUntrusted | R::IssuedInFuture => StatusCode::SERVICE_UNAVAILABLE,
            R::NotAsPrepared => return ApiError::internal(rejection),
        };
        ApiError::new(status, rejection.code(), rejection.to_string())
    }
}

impl From<identity::Rejection> for ApiError {
    fn from(rejection: identity::Rejection) -> Self {
        use identity::Rejection as R;
        let status = match &rejection {
            R::Exists | R::KeyTaken => StatusCode::CONFLICT,
            R::NameLength { .. } | R::NameCharacter => StatusCode::UNPROCESSABLE_ENTITY,
            R::NotAsPrepared => return ApiError::internal(rejection),
        };
        ApiError::new(status, rejection.code(), rejection.to_string())
    }
}

impl From<peer::Rejection> for ApiError {
    fn from(rejection: peer::Rejection) -> Self {
        use peer::Rejection as R;
        let status = match &rejection {
            R::UnknownIdentity(_) => StatusCode::UNPROCESSABLE_ENTITY,
            R::HostedHere(_)
            | R::OwnLog(_)
            | R::LogElsewhere { .. }
            | R::NotAddressed(_)
            | R::KeepsNoBlocks => StatusCode::CONFLICT,
            R::NotPinned(_) | R::NotFollowed(_) => StatusCode::NOT_FOUND,
        };
        ApiError::new(status, rejection.code(), rejection.to_string())
    }
}

impl From<Unavailable> for ApiError {
    fn from(why: Unavailable) -> Self {
        let text = why.to_string();
        match why {
            Unavailable::Busy => ApiError::unavailable("busy", text),
            Unavailable::Stopping => ApiError::unavailable("stopping", text),
            Unavailable::NotWritten(error) => match error {
                NotWritten::Version { .. } => ApiError::new(StatusCode::CONFLICT, "version", text),
                NotWritten::ClaimTaken { .. } => ApiError::new(StatusCode::CONFLICT, "claim-taken", text),
                NotWritten::Busy => ApiError::unavailable("log-busy", text),
                NotWritten::SpaceReserve => ApiError::unavailable("log-space", text),
                NotWritten::Stopped => ApiError::unavailable("log-stopped", text),
                NotWritten::NotHeld { .. } | NotWritten::TooLarge => ApiError::internal(text),
            },
            Unavailable::Read(ReadError::Engine(_)) => ApiError::unavailable("log-unreadable", text),
            Unavailable::Read(ReadError::Damaged(_)) => ApiError::internal(text),
            Unavailable::Custody(error) => custody(&error, text),
            Unavailable::Plugin { fault: fault @ PluginFault::Stuck(_), .. } => {
                ApiError::unavailable(fault.code(), text)
            }
            Unavailable::Plugin { fault, .. } => {
                ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, fault.code(), text)
            }
            Unavailable::Inconsistent(_) => ApiError::internal(text),
        }
    }
}

fn custody(error: &SeedError, text: String) -> ApiError {
    match error {
        // The secret of this order is gone for good.
        SeedError::NotFound | SeedError::Shredded => ApiError::new(StatusCode::GONE, error.code(), text),
        error if error.is_temporary() => ApiError::unavailable(error.code(), text),
        _ => {
            tracing::error!(code = error.code(), %text, "custody needs its operator");
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.code(), text)
        }
    }
}

impl From<PeerCallError> for ApiError {
    fn from(error: PeerCallError) -> Self {
        use PeerCallError as E;
        let status = match &error {
            // Sent again with another nonce, or once the clocks agree, it may be taken.
            E::Created { .. } | E::Forgotten { .. } | E::Replayed | E::Digest | E::Signature => {
                StatusCode::UNAUTHORIZED
            }
            E::Full { .. } => StatusCode::SERVICE_UNAVAILABLE,
            E::Missing(_)
            | E::Doubled(_)
            | E::TooLong { .. }
            | E::NotCanonical(_)
            | E::Member { .. }
            | E::Value { .. }
            | E::Components
            | E::Parameters
            | E::Parameter { .. }
            | E::OtherSigner(_) => StatusCode::BAD_REQUEST,
        };
        ApiError::new(status, error.code(), error.to_string())
    }
}

impl From<ViewsError> for ApiError {
    fn from(error: ViewsError) -> Self {
        tracing::error!(%error, "a read model has no answer");
        ApiError::unavailable("read-model", "the read models have no answer now; the node's log says why")
    }
}

#[cfg(test)]
mod tests;
