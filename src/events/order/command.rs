//! What an order can be told to do. Commands hold no secret: what is private (extensions, keys) travels beside them to
//! whoever seals it, so a command is its own storable twin.

use dta_protocol::Cid;
use serde::{Deserialize, Serialize};

use super::event::{ClosedCode, DisputeCode, Hosts, Outcome, Parties, Step, Terms};
use super::table::Party;
use crate::codec;
use crate::record::Stored;
use crate::stored::StoredError;

/// The verdict of a beneficiary that opened what was released to it (or failed to).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It opens to the secret of the commitment.
    Genuine,
    /// It is not what was ordered.
    Disputed(DisputeCode),
}

/// An envelope of another node: its signature is verified, its body opened, its recipients checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedStep {
    /// The statement's subject.
    pub reference: String,
    /// The step as its envelope says it.
    pub step: Step,
    /// Policy keys of a placed order that this version does not know how to keep are zero or empty.
    pub reserved_policy_is_empty: bool,
    /// The proof in its body: by the commitment key (committed) or by the secret (received).
    pub proof: Option<Vec<u8>>,
}

/// The commands of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// A principal hosted here orders a key pair.
    Place {
        /// UUIDv7, lower-case text.
        reference: String,
        /// Who orders, who keeps, who receives.
        parties: Parties,
        /// The plugin both sides run.
        plugin: String,
        /// 0 or 1.
        coin: u8,
        /// When the fiduciary may act.
        terms: Terms,
    },
    /// The fiduciary hosted here makes the key pair.
    Commit,
    /// The principal hosted here asks for the release of the secret.
    RequestRedemption {
        /// To whom.
        beneficiary: Cid,
    },
    /// The fiduciary hosted here releases the secret.
    Release,
    /// The beneficiary hosted here has judged what it got.
    Acknowledge(Verdict),
    /// The principal hosted here wants the order closed.
    RequestCancellation {
        /// For people; at most 1,024 bytes.
        detail: String,
    },
    /// The fiduciary hosted here closes the order before release.
    Close(ClosedCode),
    /// The retention of the released secret is over.
    EndRetention,
    /// Steps signed elsewhere, each answering the one before: all of them join the order, or none does.
    Accept(Vec<ReceivedStep>),
    /// The fiduciary's signed refusal of our pending step.
    Refuse {
        /// The step.
        cid: Cid,
        /// Its reason.
        code: String,
    },
    /// What came of bringing a step to a party on another node.
    EndDelivery {
        /// To whom.
        to: Party,
        /// The step.
        step: Cid,
        /// How it ended.
        outcome: Outcome,
    },
    /// Deliveries that were given up or refused are tried again.
    Resume,
    /// A recovery looked for what custody held for this order, and it is nowhere.
    LoseCustody,
    /// What custody held for this order was found.
    FindCustody,
    /// A recovery leaves it to the operator whether the step that is due is made.
    Hold,
    /// The operator of the fiduciary hosted here, or its policy, orders that the seed of an order that has ended be destroyed.
    ShredAt {
        /// When, milliseconds since 1970 UTC.
        at_ms: u64,
    },
    /// The seed is destroyed now.
    Shred,
}

impl Command {
    /// Its name in records.
    pub fn name(&self) -> &'static str {
        match self {
            Command::Place { .. } => "order/place",
            Command::Commit => "order/commit",
            Command::RequestRedemption { .. } => "order/request-redemption",
            Command::Release => "order/release",
            Command::Acknowledge(_) => "order/acknowledge",
            Command::RequestCancellation { .. } => "order/request-cancellation",
            Command::Close(_) => "order/close",
            Command::EndRetention => "order/end-retention",
            Command::Accept(_) => "order/accept",
            Command::Refuse { .. } => "order/refuse",
            Command::EndDelivery { .. } => "order/end-delivery",
            Command::Resume => "order/resume",
            Command::LoseCustody => "order/lose-custody",
            Command::FindCustody => "order/find-custody",
            Command::Hold => "order/hold",
            Command::ShredAt { .. } => "order/shred-at",
            Command::Shred => "order/shred",
        }
    }

    /// The stored form, schema 1.
    pub fn to_stored(&self) -> Result<Stored, StoredError> {
        Ok(Stored { name: self.name().into(), schema: 1, bytes: codec::encode(self)? })
    }
}

/// What the actor finds out before it asks the rules: time and who is who.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// This node's clock, milliseconds since 1970 UTC.
    pub now_ms: u64,
    /// Wall and monotonic clock have run in step long enough for an expiry to be final.
    pub clock_trusted: bool,
    /// The parties that the command or the order names and this node hosts.
    pub hosts: Hosts,
    /// The parties whose identity documents this node does not have.
    pub unknown: Vec<Cid>,
    /// The plugin this node runs.
    pub plugin: String,
    /// The parties that live on the node from which the steps came: they need not be told of them.
    pub told: Hosts,
    /// How long a delivery is tried before it is given up, in milliseconds.
    pub give_up_after_ms: u64,
}

/// What must be signed and sealed before an event can say it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The statement's subject.
    pub reference: String,
    /// Who signs.
    pub signer: Cid,
    /// The envelope it answers.
    pub previous: Option<Cid>,
    /// Its time stamp: max(own clock, that of `previous`).
    pub issued_at_ms: u64,
    /// Who can open the `parties` body, in the table's order, each once.
    pub readers: Vec<Cid>,
    /// What it says.
    pub content: Content,
}

/// What the step says, as far as the rules know it; what is private is added by the one who seals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// An order.
    Placed {
        /// Who is who.
        parties: Parties,
        /// The plugin.
        plugin: String,
        /// 0 or 1.
        coin: u8,
        /// When the fiduciary may act.
        terms: Terms,
    },
    /// A commitment to the key pair that custody keeps (or makes) under this order.
    Committed {
        /// The order.
        placed: Cid,
    },
    /// A request for release.
    RedemptionRequested {
        /// To whom.
        beneficiary: Cid,
        /// The order, whose content key is disclosed to the beneficiary,
        placed: Cid,
        /// and so is the commitment's.
        committed: Cid,
    },
    /// A release.
    Released {
        /// The order.
        placed: Cid,
        /// To whom.
        beneficiary: Cid,
        /// The key that custody must produce.
        commitment: Box<[u8; 65]>,
    },
    /// A receipt.
    Received {
        /// The release.
        released: Cid,
    },
    /// A dispute.
    Disputed {
        /// The release.
        released: Cid,
        /// What is wrong.
        code: DisputeCode,
    },
    /// A wish to cancel.
    CancellationRequested {
        /// For people.
        detail: String,
    },
    /// The end before release.
    Closed {
        /// Why.
        code: ClosedCode,
    },
}

/// What preparing a command leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Sign and seal this, then decide.
    Sign(Box<Draft>),
    /// Nothing to sign: decide at once.
    Record,
    /// It has been done already: answer as then.
    Done,
    /// Destroy the order's seed, then decide.
    Shred,
}

/// What signing and sealing gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The envelope.
    pub cid: Cid,
    /// SHA-256 of its statement bytes.
    pub statement: [u8; 32],
    /// The blocks of its sealed bodies.
    pub sealed: Vec<Cid>,
    /// For `order/committed`: the public key.
    pub commitment: Option<[u8; 65]>,
    /// For `order/released`: the block with the sealed secret.
    pub secret: Option<Cid>,
}
