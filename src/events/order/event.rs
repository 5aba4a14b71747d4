//! What can have happened to an order. Stored: names, shapes and the order of variants are frozen (golden bytes in tests).

pub use dta_protocol::body::{ClosedCode, DisputeCode};
use dta_protocol::{Cid, Kind};
use serde::{Deserialize, Serialize};

use super::table::Party;
use crate::codec;
use crate::record::Stored;
use crate::stored::{self, StoredError};

/// The identities of an order, by lineage: the first CID of a chain of `supersedes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parties {
    /// Who ordered.
    pub principal: Cid,
    /// Who keeps the secret.
    pub fiduciary: Cid,
    /// Who is to receive it, once named.
    pub beneficiary: Option<Cid>,
}

/// When the fiduciary may act; judged by its own clock when it appends. Milliseconds since 1970 UTC; 0 is "no such limit".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// No release before this time.
    pub not_before_ms: u64,
    /// The order is closed at this time if nothing was released.
    pub expires_at_ms: u64,
    /// How long after the release the sealed secret is kept for the beneficiary to fetch, in milliseconds; 0: for good.
    pub retention_ms: u64,
}

/// Which parties of the order this node hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosts {
    /// The principal's keys are here.
    pub principal: bool,
    /// The fiduciary's keys, and so custody, are here.
    pub fiduciary: bool,
    /// The beneficiary's keys are here.
    pub beneficiary: bool,
}

/// What of a step's content the rules need again. Never an extension, a plaintext, a content key or a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepFacts {
    /// `order/placed`.
    Placed {
        /// The parties; the beneficiary if the order names one.
        parties: Parties,
        /// The plugin both sides run.
        plugin: String,
        /// 0 or 1.
        coin: u8,
        /// When the fiduciary may act.
        terms: Terms,
    },
    /// `order/committed`.
    Committed {
        /// The public key: 65 bytes, uncompressed SEC1.
        #[serde(with = "stored::array")]
        commitment: [u8; 65],
    },
    /// `order/redemption-requested`.
    RedemptionRequested {
        /// Who is to receive the secret.
        beneficiary: Cid,
    },
    /// `order/released`.
    Released {
        /// Who is to receive the secret.
        beneficiary: Cid,
        /// The block with the sealed secret.
        secret: Cid,
    },
    /// `order/received`.
    Received,
    /// `order/disputed`.
    Disputed {
        /// What is wrong with the release.
        code: DisputeCode,
    },
    /// `order/cancellation-requested`.
    CancellationRequested,
    /// `order/closed`.
    Closed {
        /// Why.
        code: ClosedCode,
    },
}

impl StepFacts {
    /// The kind of envelope these facts come from.
    pub fn kind(&self) -> Kind {
        match self {
            StepFacts::Placed { .. } => Kind::Placed,
            StepFacts::Committed { .. } => Kind::Committed,
            StepFacts::RedemptionRequested { .. } => Kind::RedemptionRequested,
            StepFacts::Released { .. } => Kind::Released,
            StepFacts::Received => Kind::Received,
            StepFacts::Disputed { .. } => Kind::Disputed,
            StepFacts::CancellationRequested => Kind::CancellationRequested,
            StepFacts::Closed { .. } => Kind::Closed,
        }
    }
}

/// Where a step's envelope came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// Signed here.
    Issued,
    /// Signed elsewhere and verified here.
    Received,
}

/// One envelope of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The envelope.
    pub cid: Cid,
    /// SHA-256 of its statement bytes: the same statement may come in another envelope, since signing is randomised.
    pub statement: [u8; 32],
    /// Who signed it (lineage).
    pub signer: Cid,
    /// The envelope it answers.
    pub previous: Option<Cid>,
    /// The signer's time stamp.
    pub issued_at_ms: u64,
    /// The blocks of its sealed bodies.
    pub sealed: Vec<Cid>,
    /// The facts of its kind.
    pub facts: StepFacts,
}

/// A step joined the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepAppended {
    /// The order's reference.
    pub reference: String,
    /// The step.
    pub step: Step,
    /// Signed here or elsewhere.
    pub origin: Origin,
    /// Our own step, which the fiduciary on another node has not settled yet.
    pub pending: bool,
    /// Which parties, as known with this step, this node hosts.
    pub hosts: Hosts,
    /// When it was appended, by this node's clock.
    pub at_ms: u64,
}

/// How bringing a step to a party on another node ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The party has it.
    Delivered,
    /// Its node turned it down; the code is its own, 1 to 64 of `a-z`, `0-9` and `-`.
    Refused(String),
    /// Given up, until somebody has it tried again or the party fetches it.
    Stalled,
    /// No address is known: the party fetches it.
    Unaddressed,
}

impl Outcome {
    /// The name shown to people.
    pub fn as_str(&self) -> &'static str {
        match self {
            Outcome::Delivered => "delivered",
            Outcome::Refused(_) => "refused",
            Outcome::Stalled => "stalled",
            Outcome::Unaddressed => "unaddressed",
        }
    }

    /// Why it was turned down, if it was.
    pub fn code(&self) -> Option<&str> {
        match self {
            Outcome::Refused(code) => Some(code),
            _ => None,
        }
    }
}

/// The events of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly every event is the large one")]
pub enum Event {
    /// A step joined the order.
    StepAppended(StepAppended),
    /// The fiduciary turned down our pending step.
    StepRefused {
        /// The step.
        cid: Cid,
        /// The fiduciary's reason.
        code: String,
    },
    /// A signer made two statements for one slot. Recorded once a slot; both blocks are kept as evidence.
    EquivocationSeen {
        /// The accepted envelope.
        first: Cid,
        /// The other one.
        second: Cid,
    },
    /// The sealed secret's retention ended; its block is dropped.
    RetentionEnded {
        /// The block.
        secret: Cid,
        /// When, by this node's clock.
        at_ms: u64,
    },
    /// Bringing a step to a party on another node ended.
    DeliveryEnded {
        /// To whom.
        to: Party,
        /// The step.
        step: Cid,
        /// How.
        outcome: Outcome,
    },
    /// Deliveries that were given up or refused are tried again.
    DeliveriesResumed {
        /// When, by this node's clock.
        at_ms: u64,
    },
    /// A recovery found neither the seed of the order nor, once that was released, the sealed secret.
    CustodyLost {
        /// When, by this node's clock.
        at_ms: u64,
    },
    /// What was lost is here after all.
    CustodyFound {
        /// When, by this node's clock.
        at_ms: u64,
    },
    /// A recovery cannot tell whether the step that is due was made before: it waits for the operator.
    Held {
        /// When, by this node's clock.
        at_ms: u64,
    },
    /// The seed is to be destroyed. Recorded before it is touched: a crash between the two is made good by the timers.
    ShredOrdered {
        /// From when on, milliseconds since 1970 UTC.
        due_ms: u64,
        /// When it was ordered, by this node's clock.
        at_ms: u64,
    },
    /// The seed is destroyed.
    Shredded {
        /// When, by this node's clock.
        at_ms: u64,
    },
}

const STEP_APPENDED: &str = "order/step-appended";
const STEP_REFUSED: &str = "order/step-refused";
const EQUIVOCATION_SEEN: &str = "order/equivocation-seen";
const RETENTION_ENDED: &str = "order/retention-ended";
const DELIVERY_ENDED: &str = "order/delivery-ended";
const DELIVERIES_RESUMED: &str = "order/deliveries-resumed";
const CUSTODY_LOST: &str = "order/custody-lost";
const CUSTODY_FOUND: &str = "order/custody-found";
const HELD: &str = "order/held";
const SHRED_ORDERED: &str = "order/shred-ordered";
const SHREDDED: &str = "order/shredded";

impl Event {
    /// The stored form, schema 1.
    pub fn to_stored(&self) -> Result<Stored, StoredError> {
        let (name, bytes) = match self {
            Event::StepAppended(step) => (STEP_APPENDED, codec::encode(step)?),
            Event::StepRefused { cid, code } => (STEP_REFUSED, codec::encode(&(cid, code))?),
            Event::EquivocationSeen { first, second } => {
                (EQUIVOCATION_SEEN, codec::encode(&(first, second))?)
            }
            Event::RetentionEnded { secret, at_ms } => (RETENTION_ENDED, codec::encode(&(secret, at_ms))?),
            Event::DeliveryEnded { to, step, outcome } => {
                (DELIVERY_ENDED, codec::encode(&(to, step, outcome))?)
            }
            Event::DeliveriesResumed { at_ms } => (DELIVERIES_RESUMED, codec::encode(at_ms)?),
            Event::CustodyLost { at_ms } => (CUSTODY_LOST, codec::encode(at_ms)?),
            Event::CustodyFound { at_ms } => (CUSTODY_FOUND, codec::encode(at_ms)?),
            Event::Held { at_ms } => (HELD, codec::encode(at_ms)?),
            Event::ShredOrdered { due_ms, at_ms } => (SHRED_ORDERED, codec::encode(&(due_ms, at_ms))?),
            Event::Shredded { at_ms } => (SHREDDED, codec::encode(at_ms)?),
        };
        Ok(Stored { name: name.into(), schema: 1, bytes })
    }

    /// Reads a stored event; a name or schema newer than this code is refused.
    pub fn from_stored(stored: &Stored) -> Result<Self, StoredError> {
        match (stored.name.as_str(), stored.schema) {
            (STEP_APPENDED, 1) => Ok(Event::StepAppended(codec::decode(&stored.bytes)?)),
            (STEP_REFUSED, 1) => {
                let (cid, code) = codec::decode(&stored.bytes)?;
                Ok(Event::StepRefused { cid, code })
            }
            (EQUIVOCATION_SEEN, 1) => {
                let (first, second) = codec::decode(&stored.bytes)?;
                Ok(Event::EquivocationSeen { first, second })
            }
            (RETENTION_ENDED, 1) => {
                let (secret, at_ms) = codec::decode(&stored.bytes)?;
                Ok(Event::RetentionEnded { secret, at_ms })
            }
            (DELIVERY_ENDED, 1) => {
                let (to, step, outcome) = codec::decode(&stored.bytes)?;
                Ok(Event::DeliveryEnded { to, step, outcome })
            }
            (DELIVERIES_RESUMED, 1) => Ok(Event::DeliveriesResumed { at_ms: codec::decode(&stored.bytes)? }),
            (CUSTODY_FOUND, 1) => Ok(Event::CustodyFound { at_ms: codec::decode(&stored.bytes)? }),
            (HELD, 1) => Ok(Event::Held { at_ms: codec::decode(&stored.bytes)? }),
            (CUSTODY_LOST, 1) => Ok(Event::CustodyLost { at_ms: codec::decode(&stored.bytes)? }),
            (SHRED_ORDERED, 1) => {
                let (due_ms, at_ms) = codec::decode(&stored.bytes)?;
                Ok(Event::ShredOrdered { due_ms, at_ms })
            }
            (SHREDDED, 1) => Ok(Event::Shredded { at_ms: codec::decode(&stored.bytes)? }),
            _ => Err(StoredError::unknown(stored)),
        }
    }
}
