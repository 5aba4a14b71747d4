use std::path::PathBuf;

use actix_web::ResponseError;
use dta_events::order::{ClosedCode, Party, Rejection as R, Stage};
use dta_protocol::{Cid, Codec};

use super::*;
use crate::actors::log::Damage;

fn answered(error: impl Into<ApiError>) -> (u16, &'static str, Option<String>) {
    let error = error.into();
    let retry =
        error.error_response().headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    (error.status_code().as_u16(), error.code(), retry)
}

#[test]
fn rejections_of_orders() {
    let cid = Cid::of(Codec::DagCbor, b"x");
    for (rejection, status) in [
        (R::UnknownOrder, 404),
        (R::ReferenceTaken, 409),
        (R::NotHosted(Party::Principal), 409),
        (R::NotMadeHere(Party::Principal), 409),
        (R::UnknownIdentity { party: Party::Beneficiary, cid }, 422),
        (R::OutOfState { act: "redeem", stage: Stage::Disputed }, 409),
        (R::WrongSigner(Party::Fiduciary), 422),
        (R::WrongPrevious, 409),
        (R::Equivocation(cid), 409),
        (R::StepPending, 409),
        (R::NotPending, 409),
        (R::UnknownPlugin("x".into()), 422),
        (R::CoinUnknown(2), 422),
        (R::PolicyUnsupported, 422),
        (R::PolicyInvalid { field: "expiresAtMs", problem: "is in the past" }, 422),
        (R::NotBefore { not_before_ms: 2, now_ms: 1 }, 409),
        (R::Expired { expires_at_ms: 1, now_ms: 2 }, 410),
        (R::NotDue { due_at_ms: 2, now_ms: 1 }, 409),
        (R::ClockUntrusted, 503),
        (R::BeneficiaryMismatch(cid), 409),
        (R::Closed(ClosedCode::Expired), 410),
        (R::Withdrawn, 410),
        (R::Refused("x".into()), 410),
        (R::RetentionEnded { until_ms: 1 }, 410),
        (R::IssuedInFuture, 503),
        (R::IssuedBeforePrevious, 422),
        (R::ProofInvalid, 422),
        (R::WrongReference, 422),
        (R::TooLong { field: "detail", bytes: 2, limit: 1 }, 422),
        (R::NotOutstanding(Party::Principal), 409),
        (R::NothingToDispute, 409),
        (R::SignatureInvalid, 422),
        (R::NoteInvalid, 422),
        (R::CannotOpen, 422),
        (R::OtherRecipients, 422),
        (R::BlockMissing(cid), 422),
        (R::KeysInvalid, 422),
        (R::SecretTaken, 422),
        (R::IdentityRefused { cid, why: "x".into() }, 422),
        (R::CodeMalformed, 422),
    ] {
        let (code, text) = (rejection.code(), rejection.to_string());
        // Said by another node, it is the same: that its state is not ours is in the text.
        let of_peer = turned_down(code.to_owned());
        let expected = if [404, 503].contains(&status) { 502 } else { status };
        assert_eq!(of_peer.status_code().as_u16(), expected, "{code}");
        let answer: ApiError = OrderError::from(rejection).into();
        assert_eq!(answer.to_string(), text);
        assert_eq!(answered(answer), (status, code, (status == 503).then(|| "1".into())));
    }
    assert_eq!(answered(R::NotAsPrepared), (500, "internal", None));
}

#[test]
fn rejections_of_identities() {
    use identity::Rejection as R;
    for (rejection, status) in [
        (R::Exists, 409),
        (R::NameLength { bytes: 129, limit: 128 }, 422),
        (R::NameCharacter, 422),
        (R::KeyTaken, 409),
    ] {
        let code = rejection.code();
        assert_eq!(answered(IdentityError::from(rejection)), (status, code, None));
    }
    assert_eq!(answered(R::NotAsPrepared), (500, "internal", None));
}

#[test]
fn rejections_of_pins() {
    use peer::Rejection as R;
    let cid = Cid::of(Codec::DagCbor, b"x");
    for (rejection, status) in [
        (R::UnknownIdentity(cid), 422),
        (R::HostedHere(cid), 409),
        (R::NotPinned(cid), 404),
        (R::OwnLog(cid), 409),
        (R::LogElsewhere { identity: cid, owner: cid }, 409),
        (R::NotAddressed(cid), 409),
        (R::KeepsNoBlocks, 409),
        (R::NotFollowed(cid), 404),
    ] {
        let code = rejection.code();
        assert_eq!(answered(PinError::from(rejection.clone())), (status, code, None));
        let recorded: ApiError = PinError::Recorded { rejection, sequence: 7 }.into();
        assert_eq!((recorded.sequence, recorded.code()), (Some(7), code));
    }
    let taken = PinError::Document(IdentityError::Rejected(identity::Rejection::KeyTaken));
    assert_eq!(answered(taken), (409, "key-taken", None));
    assert_eq!(answered(PinError::OtherRequest), (422, "idempotency-key-reused", None));
    assert_eq!(answered(PinError::Unavailable(Unavailable::Busy)), (503, "busy", Some("1".into())));
}

#[test]
fn what_cannot_be_now_may_come_again_and_our_own_faults_are_not_told() {
    let written = Unavailable::NotWritten;
    let folder = PathBuf::from("/copy");
    let damage = Damage::Record { sequence: 7, reason: "secret detail".into() };
    let missing = SeedError::CopyMissing { folder, why: "x" };
    for (why, status, code) in [
        (Unavailable::Busy, 503, "busy"),
        (Unavailable::Stopping, 503, "stopping"),
        (written(NotWritten::Version { expected: 1, actual: 2 }), 409, "version"),
        (written(NotWritten::ClaimTaken { claim: [0; 32], sequence: 1 }), 409, "claim-taken"),
        (written(NotWritten::NotHeld { cid: [0; 36] }), 500, "internal"),
        (written(NotWritten::TooLarge), 500, "internal"),
        (written(NotWritten::Busy), 503, "log-busy"),
        (written(NotWritten::SpaceReserve), 503, "log-space"),
        (written(NotWritten::Stopped), 503, "log-stopped"),
        (Unavailable::Read(ReadError::Damaged(damage)), 500, "internal"),
        (Unavailable::Custody(missing), 503, "custody-copy-missing"),
        (Unavailable::Custody(SeedError::Locked), 503, "custody-locked"),
        (Unavailable::Custody(SeedError::Full { limit: 1 }), 503, "custody-full"),
        (Unavailable::Custody(SeedError::Busy { queue: 1 }), 503, "custody-busy"),
        (Unavailable::Custody(SeedError::Stopped), 503, "custody-stopped"),
        (Unavailable::Custody(SeedError::NotFound), 410, "custody-not-found"),
        (Unavailable::Custody(SeedError::Shredded), 410, "custody-shredded"),
        (Unavailable::Custody(SeedError::Damaged { slot: 1 }), 500, "custody-damaged"),
        (Unavailable::Custody(SeedError::Conflict { what: "x".into() }), 500, "custody-conflict"),
        (Unavailable::Inconsistent("secret detail".into()), 500, "internal"),
    ] {
        let error = ApiError::from(why);
        assert!(!error.to_string().contains("secret detail"), "{error}");
        assert_eq!(answered(error), (status, code, (status == 503).then(|| "1".into())));
    }
    assert_eq!(answered(ViewsError::Engine("x".into())), (503, "read-model", Some("1".into())));
    assert_eq!(answered(OrderError::Invalid("f: x".into())), (422, "invalid", None));
    assert_eq!(answered(OrderError::OtherRequest), (422, "idempotency-key-reused", None));
    assert_eq!(answered(IdentityError::OtherRequest), (422, "idempotency-key-reused", None));
}
