//! The actor that owns a share of the orders: one queue for each order, so that commands on one order come one after the
//! other and commands on different orders do not wait for each other.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Context, Handler, ResponseFuture};
use dta_events::order::Order;
use dta_events::record::Aggregate;
use tokio::sync::Mutex;

use super::course::Course;
use super::error::OrderError;
use super::message::{Answer, Task, Tell};
use super::prior::still_new;
use super::slot::Slot;
use crate::actors::services::Services;

/// Orders kept in memory by one shard; idle ones beyond are evicted and read from the log again.
const CACHED: usize = 4_096;

/// The actor.
pub struct Shard {
    services: Arc<Services>,
    orders: HashMap<Aggregate, Rc<Mutex<Slot>>>,
}

impl Shard {
    /// A shard over the node's services.
    pub fn new(services: Arc<Services>) -> Self {
        Self { services, orders: HashMap::new() }
    }

    fn slot(&mut self, order: Aggregate) -> Rc<Mutex<Slot>> {
        if self.orders.len() >= CACHED {
            // In use means somebody else holds it too; those stay.
            self.orders.retain(|_, slot| Rc::strong_count(slot) > 1);
        }
        self.orders.entry(order).or_default().clone()
    }
}

impl Actor for Shard {
    type Context = Context<Self>;
}

impl Handler<Tell> for Shard {
    // Runs to its end even if the caller has gone: a dropped connection drops only the wait.
    type Result = ResponseFuture<Result<Answer, OrderError>>;

    fn handle(&mut self, tell: Tell, _: &mut Context<Self>) -> Self::Result {
        let services = self.services.clone();
        let slot = self.slot(tell.order);
        Box::pin(async move {
            let _under_way = tell.permit;
            let mut slot = slot.lock().await;
            // Who waited behind the same request is answered as that was, and not judged by what it led to.
            still_new(&*services.log, &tell.caller)?;
            let sequence = tell.before.map(|before| before.sequence);
            let mut course = Course::begin(&services, tell.order, &mut slot, tell.caller, sequence)?;
            if let Some(step) = tell.before.and_then(|before| before.step) {
                course.not_turned_down(&step)?;
            }
            let to_deliver = course.order()?.outbox();
            let answer = match tell.task {
                Task::Place { reference, place } => course.place(reference, *place).await.map(Answer::Placed),
                Task::PlacedBefore(asked) => course.placed_before(asked).await.map(Answer::Placed),
                Task::Redeem(redeem) => course.redeem(*redeem).await.map(Answer::Redeemed),
                Task::RedeemedBefore(asked) => course.redeemed_before(asked).await.map(Answer::Redeemed),
                Task::Cancel { placed, detail } => {
                    course.cancel(placed, detail).await.map(Box::new).map(Answer::Stands)
                }
                Task::Dispute { placed } => course.dispute(placed).await.map(Box::new).map(Answer::Stands),
                Task::Retry { placed } => course.retry(placed).await.map(Box::new).map(Answer::Stands),
                Task::Shred { placed, at_ms } => {
                    course.shred(placed, at_ms).await.map(Box::new).map(Answer::Stands)
                }
                Task::Attend => course.attend().await.map(Box::new).map(Answer::Stands),
                Task::Arrive(arrival) => course.arrive(*arrival).await.map(Answer::Arrived),
                Task::Take(arrival) => course.take(*arrival).await.map(Box::new).map(Answer::Stands),
                Task::Pack(wanted) => course.pack(wanted).await.map(Answer::Packed),
                Task::Settle(command) => course.settle(&command).await.map(Box::new).map(Answer::Stands),
            };
            // What there is to deliver is found by the timers too; this only spares the wait. Whoever makes a pending
            // step has it brought, and waits for what comes of it.
            let new = |order: &Order| {
                order.pending.is_none() && order.outbox().iter().any(|new| !to_deliver.contains(new))
            };
            if course.order().is_ok_and(new) {
                let _ = services.nudge.try_send(tell.order);
            }
            answer.map_err(|error| course.told(error))
        })
    }
}
