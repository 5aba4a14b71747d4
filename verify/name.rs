//! The checks by name, in the order in which they build on each other.

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// The file is an exported chain: every block is what its CID says, none is missing, none is there for nothing.
    File,
    /// Of several files: they are of one order, and tell the same of it.
    SameOrder,
    /// The disclosure is of this order, and each key in it of a body in this chain.
    Disclosure,
    /// The document's keys are valid, its signatures and proofs hold.
    Identity,
    /// The signer is one of those whom the auditor trusts.
    TrustedSigner,
    /// Both signatures are the signer's.
    Signature,
    /// The step answers the one before, under the same reference.
    Link,
    /// The step may follow what stands before it.
    Sequence,
    /// All steps that belong to one party are signed by one identity.
    OneSigner,
    /// The step is not from before what it answers, nor from after the audit.
    Time,
    /// The checkpoint is its log's owner's, and commits to one tree.
    Checkpoint,
    /// The record stands in the log to which the checkpoint commits, and brought those envelopes.
    Inclusion,
    /// A record that brought the step stands in its signer's log.
    Logged,
    /// The sealed body opens and says what its kind says.
    Body,
    /// The signer is the party that the order names.
    Party,
    /// The sealed body can be read by exactly those who are to read it.
    Recipients,
    /// The fiduciary acted when the policy allows it, by its own stamps.
    Policy,
    /// The fiduciary held the key of the commitment.
    Commitment,
    /// The redemption discloses the keys of the order's first two bodies to its beneficiary.
    Keys,
    /// The step is for the beneficiary whom the order names.
    Beneficiary,
    /// The released secret is sealed to the beneficiary and to nobody else.
    SecretRecipients,
    /// What was released is the secret of the commitment.
    Secret,
    /// The beneficiary has the secret of the commitment.
    Receipt,
    /// The dispute is right: what was released is not the secret of the commitment.
    Dispute,
    /// A node that applies the rules of orders accepts the step.
    Rules,
}

impl Name {
    /// All there are, in the order of a report.
    pub const ALL: [Name; 25] = [
        Name::File,
        Name::SameOrder,
        Name::Disclosure,
        Name::Identity,
        Name::TrustedSigner,
        Name::Signature,
        Name::Link,
        Name::Sequence,
        Name::OneSigner,
        Name::Time,
        Name::Checkpoint,
        Name::Inclusion,
        Name::Logged,
        Name::Body,
        Name::Party,
        Name::Recipients,
        Name::Policy,
        Name::Commitment,
        Name::Keys,
        Name::Beneficiary,
        Name::SecretRecipients,
        Name::Secret,
        Name::Receipt,
        Name::Dispute,
        Name::Rules,
    ];

    /// Its stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Name::File => "file",
            Name::SameOrder => "same-order",
            Name::Disclosure => "disclosure",
            Name::Identity => "identity",
            Name::TrustedSigner => "trusted-signer",
            Name::Signature => "signature",
            Name::Link => "link",
            Name::Sequence => "sequence",
            Name::OneSigner => "one-signer",
            Name::Time => "time",
            Name::Checkpoint => "checkpoint",
            Name::Inclusion => "inclusion",
            Name::Logged => "logged",
            Name::Body => "body",
            Name::Party => "party",
            Name::Recipients => "recipients",
            Name::Policy => "policy",
            Name::Commitment => "commitment",
            Name::Keys => "keys",
            Name::Beneficiary => "beneficiary",
            Name::SecretRecipients => "secret-recipients",
            Name::Secret => "secret",
            Name::Receipt => "receipt",
            Name::Dispute => "dispute",
            Name::Rules => "rules",
        }
    }
}
