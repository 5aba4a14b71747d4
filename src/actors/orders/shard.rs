//! The actor that owns a share of the orders: one queue for each order, so that commands on one order come one after the
//! other and commands on different orders do not wait for each other.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Context, Handler, Message, ResponseFuture};
use dta_events::order::Order;
use dta_events::record::Aggregate;
use tokio::sync::Mutex;

use super::course::{Course, OrderError};
use super::desk::{Place, Placed, Redeem, Redeemed};
use crate::actors::services::{Caller, Services};

/// Orders kept in memory by one shard; idle ones beyond are evicted and read from the log again.
const CACHED: usize = 4_096;

/// The actor.
pub struct Shard {
    services: Arc<Services>,
    orders: HashMap<Aggregate, Rc<Mutex<Slot>>>,
}

/// An order in memory. The lock is fair, so it is the order's queue.
#[derive(Default)]
pub(super) struct Slot {
    /// What the log says, once it was read; none again after a write that did not go as expected.
    pub(super) loaded: Option<Loaded>,
}

/// An order as the log has it.
pub(super) struct Loaded {
    pub(super) order: Order,
    /// How many records it has, refusals included.
    pub(super) version: u64,
}

/// One command for one order.
#[derive(Message)]
#[rtype(result = "Result<Answer, OrderError>")]
pub(super) struct Tell {
    pub(super) order: Aggregate,
    pub(super) task: Task,
    pub(super) caller: Caller,
}

/// What to do.
pub(super) enum Task {
    Place { reference: String, place: Box<Place> },
    PlacedBefore,
    Redeem(Box<Redeem>),
    Attend,
}

/// What came of it.
pub(super) enum Answer {
    Placed(Placed),
    Redeemed(Redeemed),
    Attended,
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
            let mut slot = slot.lock().await;
            let mut course = Course::begin(&services, tell.order, &mut slot, tell.caller)?;
            match tell.task {
                Task::Place { reference, place } => course.place(reference, *place).await.map(Answer::Placed),
                Task::PlacedBefore => course.placed_before().await.map(Answer::Placed),
                Task::Redeem(redeem) => course.redeem(*redeem).await.map(Answer::Redeemed),
                Task::Attend => course.follow().await.map(|()| Answer::Attended),
            }
        })
    }
}
