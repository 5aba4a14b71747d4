//! Where orders are handed in: it finds the order's shard, bounds what is in flight, and knows requests made before.

use std::sync::Arc;

use actix::Addr;
use dta_events::ids::order_aggregate;
use dta_events::order::{Command, Party};
use dta_events::record::{Aggregate, AggregateKind};
use dta_plugins::Private;
use dta_protocol::Cid;

use super::arrival::Arrival;
use super::arrive::Arrived;
use super::error::OrderError;
use super::message::{Answer, Named, Place, Placed, Redeem, Redeemed, Stands, Task, Tell};
use super::parcel::Parcel;
use super::prior::{Before, Prior, prior, prior_at};
use super::shard::Shard;
use crate::actors::log::NotWritten;
use crate::actors::services::{Caller, Services};
use crate::actors::unavailable::Unavailable;

/// The way to the orders.
pub struct Desk {
    services: Arc<Services>,
    shards: Vec<Addr<Shard>>,
}

impl Desk {
    /// Over these shards, one a core.
    pub fn new(services: Arc<Services>, shards: Vec<Addr<Shard>>) -> Self {
        Self { services, shards }
    }

    /// Places an order for the node's own identity and, if the fiduciary is here, has the key pair made.
    ///
    /// # Errors
    /// By the rules, or not now; see [`OrderError`].
    pub async fn place(&self, place: Place, mut caller: Caller) -> Result<Placed, OrderError> {
        let mut prior = prior(&*self.services.log, &caller)?;
        loop {
            let (aggregate, task, before) = match prior {
                Prior::Other => return Err(OrderError::OtherRequest),
                // The key is taken by this very request: what it led to is answered, and nothing is claimed again.
                Prior::Same(record) => {
                    caller.request = None;
                    (
                        record.aggregate,
                        Task::PlacedBefore(place.extension.clone()),
                        Some(Before::of(&record)?),
                    )
                }
                Prior::None => {
                    let reference = self.new_reference();
                    let aggregate = order_aggregate(&self.services.node, &reference);
                    (aggregate, Task::Place { reference, place: Box::new(place.clone()) }, None)
                }
            };
            match self.tell(aggregate, task, caller.clone(), before).await {
                Ok(Answer::Placed(placed)) => return Ok(placed),
                Ok(_) => return Err(OrderError::OtherRequest),
                Err(error) => prior = self.got_in_first(error, &caller)?,
            }
        }
    }

    /// Asks for the release and answers with the secret if its beneficiary is hosted here.
    ///
    /// # Errors
    /// By the rules, or not now; see [`OrderError`].
    pub async fn redeem(&self, redeem: Redeem, mut caller: Caller) -> Result<Redeemed, OrderError> {
        let order = redeem.order.aggregate;
        let mut prior = prior(&*self.services.log, &caller)?;
        loop {
            let before = match prior {
                Prior::Other => return Err(OrderError::OtherRequest),
                Prior::Same(record) if record.aggregate != order => return Err(OrderError::OtherRequest),
                Prior::Same(record) => {
                    caller.request = None;
                    Some(Before::of(&record)?)
                }
                Prior::None => None,
            };
            match self.tell(order, Task::Redeem(Box::new(redeem.clone())), caller.clone(), before).await {
                Ok(Answer::Redeemed(redeemed)) => return Ok(redeemed),
                Ok(_) => return Err(OrderError::OtherRequest),
                Err(error) => prior = self.got_in_first(error, &caller)?,
            }
        }
    }

    /// Does what is due for an order: after a crash, and when a timer runs out.
    ///
    /// # Errors
    /// Not now; it stays due.
    pub async fn attend(&self, order: Aggregate, caller: Caller) -> Result<Stands, OrderError> {
        self.stands(order, Task::Attend, caller).await
    }

    /// The principal wants an order closed before release.
    ///
    /// # Errors
    /// By the rules, or not now.
    pub async fn cancel(&self, order: Named, detail: String, caller: Caller) -> Result<Stands, OrderError> {
        self.once(order, caller, |placed| Task::Cancel { placed, detail: detail.clone() }).await
    }

    /// The beneficiary wants what was released looked at once more, and disputed if it is not what was ordered.
    ///
    /// # Errors
    /// By the rules, or not now.
    pub async fn dispute(&self, order: Named, caller: Caller) -> Result<Stands, OrderError> {
        self.once(order, caller, |placed| Task::Dispute { placed }).await
    }

    /// What was given up is tried again.
    ///
    /// # Errors
    /// By the rules, or not now.
    pub async fn retry(&self, order: Named, caller: Caller) -> Result<Stands, OrderError> {
        self.once(order, caller, |placed| Task::Retry { placed }).await
    }

    /// The seed of an order that has ended is to be destroyed at this time, milliseconds since 1970 UTC.
    ///
    /// # Errors
    /// By the rules; or not now, and then it stays due.
    pub async fn shred(&self, order: Named, at_ms: u64, caller: Caller) -> Result<Stands, OrderError> {
        self.once(order, caller, |placed| Task::Shred { placed, at_ms }).await
    }

    /// Steps that another node sent: taken, and answered with what stands.
    ///
    /// # Errors
    /// `Outsider` if the caller is no party; by the rules; or not now.
    pub async fn arrive(&self, arrival: Arrival, caller: Caller) -> Result<Arrived, OrderError> {
        let order = self.order_of(&arrival)?;
        match self.tell(order, Task::Arrive(Box::new(arrival)), caller, None).await? {
            Answer::Arrived(arrived) => Ok(arrived),
            _ => Err(mismatched()),
        }
    }

    /// Steps that answered a call of this node about an order, or that it fetched.
    ///
    /// # Errors
    /// As of [`Desk::arrive`].
    pub async fn take(
        &self,
        about: Option<Aggregate>,
        arrival: Arrival,
        caller: Caller,
    ) -> Result<Stands, OrderError> {
        let order = self.order_of(&arrival)?;
        if about.is_some_and(|about| about != order) {
            return Err(OrderError::Invalid("steps: are another order's".to_owned()));
        }
        self.stands(order, Task::Take(Box::new(arrival)), caller).await
    }

    /// What an order has to bring to another node next; to this party, if one is named, also what was given up.
    ///
    /// # Errors
    /// Not now.
    pub async fn pack(
        &self,
        order: Aggregate,
        wanted: Option<Party>,
        caller: Caller,
    ) -> Result<Option<Parcel>, OrderError> {
        match self.tell(order, Task::Pack(wanted), caller, None).await? {
            Answer::Packed(parcel) => Ok(parcel),
            _ => Err(mismatched()),
        }
    }

    /// What came of a delivery.
    ///
    /// # Errors
    /// Not now.
    pub async fn settle(
        &self,
        order: Aggregate,
        command: Command,
        caller: Caller,
    ) -> Result<Stands, OrderError> {
        self.stands(order, Task::Settle(command), caller).await
    }

    /// The order that steps tell of: by its principal and reference, or by the step that the first one answers.
    fn order_of(&self, arrival: &Arrival) -> Result<Aggregate, OrderError> {
        let first = arrival.steps.first().ok_or(OrderError::Outsider)?.statement();
        match (first.signer, first.previous) {
            (Some(signer), None) => Ok(order_aggregate(&signer, &first.subject)),
            (_, Some(previous)) => {
                let found = self.services.log.envelope(&previous.to_bytes())?;
                found.filter(|aggregate| aggregate.kind == AggregateKind::Order).ok_or(OrderError::Outsider)
            }
            (None, None) => Err(OrderError::Outsider),
        }
    }

    /// A command that may carry an idempotency key.
    async fn once(
        &self,
        order: Named,
        mut caller: Caller,
        task: impl Fn(Option<Cid>) -> Task,
    ) -> Result<Stands, OrderError> {
        let mut prior = prior(&*self.services.log, &caller)?;
        loop {
            let before = match prior {
                Prior::Other => return Err(OrderError::OtherRequest),
                Prior::Same(record) if record.aggregate != order.aggregate => {
                    return Err(OrderError::OtherRequest);
                }
                Prior::Same(record) => {
                    let task = Task::Attend;
                    caller.request = None;
                    let before = Some(Before::of(&record)?);
                    let answer = self.tell(order.aggregate, task, caller, before).await?;
                    return stands(answer);
                }
                Prior::None => None,
            };
            match self.tell(order.aggregate, task(order.placed), caller.clone(), before).await {
                Ok(answer) => return stands(answer),
                Err(error) => prior = self.got_in_first(error, &caller)?,
            }
        }
    }

    async fn stands(&self, order: Aggregate, task: Task, caller: Caller) -> Result<Stands, OrderError> {
        stands(self.tell(order, task, caller, None).await?)
    }

    /// The answer to [`Desk::place`] once more, after the fiduciary was called.
    ///
    /// # Errors
    /// As of [`Desk::place`].
    pub async fn placed(
        &self,
        order: Aggregate,
        asked: Arc<Private>,
        caller: Caller,
        before: Option<u64>,
    ) -> Result<Placed, OrderError> {
        let caller = Caller { request: None, ..caller };
        let before = before.map(|sequence| Before { sequence, step: None });
        match self.tell(order, Task::PlacedBefore(asked), caller, before).await? {
            Answer::Placed(placed) => Ok(placed),
            _ => Err(mismatched()),
        }
    }

    /// The answer to [`Desk::redeem`] once more, after the fiduciary was called: if it turned the redemption down
    /// meanwhile, there is no second one.
    ///
    /// # Errors
    /// As of [`Desk::redeem`].
    pub async fn redeemed(
        &self,
        order: Named,
        asked: Arc<Private>,
        caller: Caller,
        before: Option<u64>,
    ) -> Result<Redeemed, OrderError> {
        let caller = Caller { request: None, ..caller };
        let before = before.map(|sequence| Before { sequence, step: None });
        match self.tell(order.aggregate, Task::RedeemedBefore(asked), caller, before).await? {
            Answer::Redeemed(redeemed) => Ok(redeemed),
            _ => Err(mismatched()),
        }
    }

    /// The aggregate of an order named as clients do: the reference of an order of the node's own principal, or the CID
    /// of any order's `placed` envelope.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn find(&self, named: &str) -> Result<Option<Named>, OrderError> {
        match named.parse::<Cid>() {
            Ok(placed) => {
                let found = self.services.log.envelope(&placed.to_bytes()).map_err(Unavailable::from)?;
                let order = found.filter(|aggregate| aggregate.kind == AggregateKind::Order);
                Ok(order.map(|aggregate| Named { aggregate, placed: Some(placed) }))
            }
            Err(_) => {
                let aggregate = order_aggregate(&self.services.node, named);
                Ok(Some(Named { aggregate, placed: None }))
            }
        }
    }

    /// The same request may have been written between our look and our write: then its record answers this one.
    fn got_in_first(&self, error: OrderError, caller: &Caller) -> Result<Prior, OrderError> {
        match error {
            OrderError::Unavailable(Unavailable::NotWritten(NotWritten::ClaimTaken { sequence, .. })) => {
                Ok(prior_at(&*self.services.log, caller, sequence)?)
            }
            error => Err(error),
        }
    }

    async fn tell(
        &self,
        order: Aggregate,
        task: Task,
        caller: Caller,
        before: Option<Before>,
    ) -> Result<Answer, OrderError> {
        let [a, b, ..] = order.id;
        let shard = usize::from(u16::from_be_bytes([a, b])) % self.shards.len().max(1);
        let shard = self.shards.get(shard).ok_or(Unavailable::Stopping)?;
        let permit = self.services.permit()?;
        shard.send(Tell { order, task, caller, before, permit }).await.map_err(|_| Unavailable::Stopping)?
    }

    /// A UUIDv7 (RFC 9562): 48 bits of time, then randomness.
    fn new_reference(&self) -> String {
        let random: [u8; 10] = self.services.random();
        uuid::Builder::from_unix_timestamp_millis(self.services.clock.wall_ms(), &random)
            .into_uuid()
            .hyphenated()
            .to_string()
    }
}

fn stands(answer: Answer) -> Result<Stands, OrderError> {
    match answer {
        Answer::Stands(stands) => Ok(*stands),
        _ => Err(mismatched()),
    }
}

fn mismatched() -> OrderError {
    Unavailable::Inconsistent("an order answered another question".to_owned()).into()
}
