//! Why an order refuses a command: one name an illegal act. The texts are for people and name field and limit.

use dta_protocol::Cid;
use thiserror::Error;

use super::event::ClosedCode;
use super::table::{Party, Stage};

/// A refusal. `code()` is stable and goes into records and answers.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Rejection {
    /// No such order.
    #[error("there is no such order here")]
    UnknownOrder,
    /// The reference is taken by another order of this principal.
    #[error("reference: this principal has an order under it already")]
    ReferenceTaken,
    /// The command needs keys that another node holds.
    #[error("the {} of this order is not hosted on this node", .0.as_str())]
    NotHosted(Party),
    /// A party's identity document is not known here.
    #[error("{}: {cid} is not an identity known to this node", .party.as_str())]
    UnknownIdentity {
        /// In which role.
        party: Party,
        /// Which.
        cid: Cid,
    },
    /// The step is not legal in this stage.
    #[error("{act}: not possible while the order is {}", .stage.as_str())]
    OutOfState {
        /// What was tried.
        act: &'static str,
        /// How far the order has come.
        stage: Stage,
    },
    /// Signed by somebody whose step it is not.
    #[error("signer: a step of this kind is the {}'s alone", .0.as_str())]
    WrongSigner(Party),
    /// Signed with keys that are here, by somebody else: the key is stolen, or this log is not the newest.
    #[error("signer: the {}'s keys are on this node, which did not make this statement", .0.as_str())]
    NotMadeHere(Party),
    /// It does not answer the last accepted step.
    #[error("previous: is not the last step that the fiduciary accepted")]
    WrongPrevious,
    /// Another statement stands in its slot.
    #[error("its signer has already made another statement in its place: {0}")]
    Equivocation(Cid),
    /// Our own last step waits for the fiduciary.
    #[error("a step of this order waits for the fiduciary's answer")]
    StepPending,
    /// Not the pending step.
    #[error("that is not the step that waits for an answer")]
    NotPending,
    /// Nothing of the kind is to be brought to that party.
    #[error("there is no such step to bring to the {}", .0.as_str())]
    NotOutstanding(Party),
    /// The plugin is not the one this node runs.
    #[error("plugin: this node does not run {0:?}")]
    UnknownPlugin(String),
    /// Coin is neither 0 nor 1.
    #[error("coin: is {0}, must be 0 or 1")]
    CoinUnknown(u8),
    /// A reserved policy key is set.
    #[error(
        "policy: delay_ms, guardian, approvers and approvals_required are reserved and must be 0, null, [] and 0"
    )]
    PolicyUnsupported,
    /// A policy that cannot be kept.
    #[error("policy.{field}: {problem}")]
    PolicyInvalid {
        /// The key.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Before the policy's time.
    #[error("policy: no release before {not_before_ms} ms (now {now_ms})")]
    NotBefore {
        /// The limit.
        not_before_ms: u64,
        /// The fiduciary's clock.
        now_ms: u64,
    },
    /// After the policy's time.
    #[error("policy: the order expired at {expires_at_ms} ms (now {now_ms})")]
    Expired {
        /// The limit.
        expires_at_ms: u64,
        /// The fiduciary's clock.
        now_ms: u64,
    },
    /// Nothing is due yet.
    #[error("not due before {due_at_ms} ms (now {now_ms})")]
    NotDue {
        /// When it is.
        due_at_ms: u64,
        /// This node's clock.
        now_ms: u64,
    },
    /// The clock cannot be relied on for something final.
    #[error("this node's clock has not run steadily for long enough to close an order for good")]
    ClockUntrusted,
    /// The order or an earlier redemption names somebody else.
    #[error("beneficiary: the order names {0}")]
    BeneficiaryMismatch(Cid),
    /// Closed before release.
    #[error("the order is closed: {}", .0.as_str())]
    Closed(ClosedCode),
    /// Taken back by its principal before the fiduciary answered.
    #[error("the order was taken back before its fiduciary answered")]
    Withdrawn,
    /// Turned down by the fiduciary.
    #[error("the fiduciary turned the order down: {0}")]
    Refused(String),
    /// The sealed secret's retention ended.
    #[error("the released secret was kept until {until_ms} ms and is gone")]
    RetentionEnded {
        /// When it ended.
        until_ms: u64,
    },
    /// The seed or the sealed secret was lost with the node that had it.
    #[error("custody: what was kept for this order is lost")]
    CustodyLost,
    /// The time stamp is too far ahead of this node's clock.
    #[error("issued_at_ms: is more than 300 s ahead of this node's clock")]
    IssuedInFuture,
    /// The time stamp is before that of the envelope it answers.
    #[error("issued_at_ms: is before that of the envelope it answers")]
    IssuedBeforePrevious,
    /// A proof in the body does not hold.
    #[error("proof: does not hold")]
    ProofInvalid,
    /// The signature does not hold.
    #[error("signature: does not hold")]
    SignatureInvalid,
    /// The signed note is not of the log that holds what its signer says, or not its owner's.
    #[error("note: is no signed note of the log that holds its signer's statements")]
    NoteInvalid,
    /// A sealed body does not open, or opens to nonsense: the two are not told apart.
    #[error("sealed: does not open, or not to what its kind prescribes")]
    CannotOpen,
    /// A sealed body can be opened by others than those whom its kind prescribes.
    #[error("sealed: is not sealed to exactly those who are to read it")]
    OtherRecipients,
    /// A redemption discloses other keys than those of the order's first two bodies.
    #[error("keys: do not open the placed and the committed body")]
    KeysInvalid,
    /// A party's identity document is refused here.
    #[error("identity {cid}: {why}")]
    IdentityRefused {
        /// Whose.
        cid: Cid,
        /// Why.
        why: String,
    },
    /// Another order has released this sealed secret.
    #[error("secret: its sealed block is another order's")]
    SecretTaken,
    /// A block that the step needs did not come with it.
    #[error("block {0}: is needed and did not come with the step")]
    BlockMissing(Cid),
    /// What was released opens to the secret of the commitment.
    #[error("dispute: what was released is the secret of the commitment")]
    NothingToDispute,
    /// It speaks of another order.
    #[error("subject: is not this order's reference")]
    WrongReference,
    /// A refusal's code is none.
    #[error("code: must be 1 to 64 of a-z, 0-9 and -")]
    CodeMalformed,
    /// A text is too long.
    #[error("{field}: is {bytes} bytes long, at most {limit}")]
    TooLong {
        /// The field.
        field: &'static str,
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The plugin says no.
    #[error("plugin {plugin}: {why}")]
    PluginRefused {
        /// Its name.
        plugin: String,
        /// Its own text.
        why: String,
    },
    /// What was made does not belong to the work that was named.
    #[error("what was signed is not what was prepared")]
    NotAsPrepared,
}

impl Rejection {
    /// Stable kebab-case.
    pub fn code(&self) -> &'static str {
        match self {
            Rejection::UnknownOrder => "unknown-order",
            Rejection::ReferenceTaken => "reference-taken",
            Rejection::NotHosted(_) => "not-hosted",
            Rejection::UnknownIdentity { .. } => "unknown-identity",
            Rejection::OutOfState { .. } => "out-of-state",
            Rejection::WrongSigner(_) => "wrong-signer",
            Rejection::NotMadeHere(_) => "not-made-here",
            Rejection::WrongPrevious => "wrong-previous",
            Rejection::Equivocation(_) => "equivocation",
            Rejection::StepPending => "step-pending",
            Rejection::NotPending => "not-pending",
            Rejection::NotOutstanding(_) => "not-outstanding",
            Rejection::UnknownPlugin(_) => "unknown-plugin",
            Rejection::CoinUnknown(_) => "coin-unknown",
            Rejection::PolicyUnsupported => "policy-unsupported",
            Rejection::PolicyInvalid { .. } => "policy-invalid",
            Rejection::NotBefore { .. } => "not-before",
            Rejection::Expired { .. } => "expired",
            Rejection::NotDue { .. } => "not-due",
            Rejection::ClockUntrusted => "clock-untrusted",
            Rejection::BeneficiaryMismatch(_) => "beneficiary-mismatch",
            Rejection::Closed(_) => "closed",
            Rejection::Withdrawn => "withdrawn",
            Rejection::Refused(_) => "refused",
            Rejection::RetentionEnded { .. } => "retention-ended",
            Rejection::CustodyLost => "custody-lost",
            Rejection::IssuedInFuture => "issued-in-future",
            Rejection::IssuedBeforePrevious => "issued-before-previous",
            Rejection::ProofInvalid => "proof-invalid",
            Rejection::SignatureInvalid => "signature-invalid",
            Rejection::NoteInvalid => "note-invalid",
            Rejection::CannotOpen => "cannot-open",
            Rejection::OtherRecipients => "other-recipients",
            Rejection::KeysInvalid => "keys-invalid",
            Rejection::IdentityRefused { .. } => "identity-refused",
            Rejection::SecretTaken => "secret-taken",
            Rejection::BlockMissing(_) => "block-missing",
            Rejection::NothingToDispute => "nothing-to-dispute",
            Rejection::WrongReference => "wrong-reference",
            Rejection::CodeMalformed => "code-malformed",
            Rejection::TooLong { .. } => "too-long",
            Rejection::PluginRefused { .. } => "plugin-refused",
            Rejection::NotAsPrepared => "not-as-prepared",
        }
    }
}
