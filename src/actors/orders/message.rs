//! What is asked of an order, and what is answered.

use std::sync::Arc;

use actix::Message;
use dta_crypto::OrderKey;
use dta_events::order::{Command, Order, Party, Terms};
use dta_events::record::Aggregate;
use dta_plugins::Private;
use dta_protocol::{Cid, Extension};
use tokio::sync::OwnedSemaphorePermit;

use super::arrival::Arrival;
use super::arrive::Arrived;
use super::error::OrderError;
use super::parcel::Parcel;
use super::prior::Before;
use crate::actors::services::Caller;

/// Order a key pair.
#[derive(Clone)]
pub struct Place {
    /// Who keeps it.
    pub fiduciary: Cid,
    /// Who gets the secret; may be named at redemption.
    pub beneficiary: Option<Cid>,
    /// When the fiduciary may act.
    pub terms: Terms,
    /// For the plugin.
    pub extension: Arc<Private>,
}

/// An order stands.
pub struct Placed {
    /// Where it is.
    pub order: Named,
    /// Its reference.
    pub reference: String,
    /// Its public key in hex, as the plugin tells it; none while the fiduciary has not answered.
    pub commitment: Option<String>,
    /// When it was placed, milliseconds since 1970 UTC.
    pub created_at_ms: u64,
    /// What the plugin adds.
    pub extension: Extension,
    /// The newest record behind this answer.
    pub sequence: Option<u64>,
}

/// Ask for the release of a secret.
#[derive(Clone)]
pub struct Redeem {
    /// Which order.
    pub order: Named,
    /// Who gets the secret; none: the one the order names.
    pub beneficiary: Option<Cid>,
    /// For the plugin.
    pub extension: Arc<Private>,
}

/// An order as clients name it.
#[derive(Clone, Copy)]
pub struct Named {
    /// Where it is.
    pub aggregate: Aggregate,
    /// The CID it was named by, which must be that of its `placed` envelope; none if by its reference.
    pub placed: Option<Cid>,
}

/// A secret was released.
pub struct Redeemed {
    /// The order's reference.
    pub reference: String,
    /// The public key in hex, as the plugin tells it.
    pub commitment: String,
    /// The secret, if its beneficiary is hosted here.
    pub secret: Option<Arc<OrderKey>>,
    /// What the plugin adds.
    pub extension: Private,
    /// The release is here. If it is not, the fiduciary has not answered yet.
    pub released: bool,
    /// The newest record behind this answer.
    pub sequence: Option<u64>,
}

/// One command for one order.
#[derive(Message)]
#[rtype(result = "Result<Answer, OrderError>")]
pub(super) struct Tell {
    pub(super) order: Aggregate,
    pub(super) task: Task,
    pub(super) caller: Caller,
    /// What this request led to already, if it was made before.
    pub(super) before: Option<Before>,
    /// Counts it among those under way until it is answered.
    pub(super) permit: OwnedSemaphorePermit,
}

/// What to do.
pub(super) enum Task {
    Place {
        reference: String,
        place: Box<Place>,
    },
    PlacedBefore(Arc<Private>),
    Redeem(Box<Redeem>),
    RedeemedBefore(Arc<Private>),
    /// Close the order before release.
    Cancel {
        placed: Option<Cid>,
        detail: String,
    },
    /// Look at what was released once more, and dispute it if it is not what was ordered.
    Dispute {
        placed: Option<Cid>,
    },
    /// Try again what was given up, and do what is due.
    Retry {
        placed: Option<Cid>,
    },
    /// Have the seed of the order destroyed, at this time.
    Shred {
        placed: Option<Cid>,
        at_ms: u64,
    },
    Attend,
    /// Steps from another node, whose caller waits.
    Arrive(Box<Arrival>),
    /// Steps that were answered or fetched.
    Take(Box<Arrival>),
    /// What to bring to another node; to a party, if one is named, also what was given up.
    Pack(Option<Party>),
    /// What came of bringing it.
    Settle(Command),
}

/// What came of it.
pub(super) enum Answer {
    Placed(Placed),
    Redeemed(Redeemed),
    Stands(Box<Stands>),
    Arrived(Arrived),
    Packed(Option<Parcel>),
}

/// How an order stands after a command.
pub struct Stands {
    /// The order.
    pub order: Order,
    /// The newest record behind this answer.
    pub sequence: Option<u64>,
}
