//! Where orders are handed in: it finds the order's shard, bounds what is in flight, and knows requests made before.

use std::sync::Arc;

use actix::Addr;
use dta_events::ids::order_aggregate;
use dta_events::record::{Aggregate, AggregateKind};
use dta_protocol::Cid;

use super::error::OrderError;
use super::message::{Answer, Named, Place, Placed, Redeem, Redeemed, Task, Tell};
use super::prior::{Prior, prior, prior_at};
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
                    (record.aggregate, Task::PlacedBefore, Some(record.sequence))
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
                    Some(record.sequence)
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
    pub async fn attend(&self, order: Aggregate, caller: Caller) -> Result<(), OrderError> {
        self.tell(order, Task::Attend, caller, None).await.map(|_| ())
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
        before: Option<u64>,
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
