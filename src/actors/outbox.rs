//! Brings what orders have for other nodes, and takes the answers: one call at a time for an order, many orders at once, and
//! none held up by another's peer. What there is to bring follows from the orders' states; only the pauses are kept here.

mod collect;
mod pauses;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dta_events::order::{Answered, Delivery, Outcome, Party};
use dta_events::record::Aggregate;
use dta_protocol::{Cid, Kind, car};
use tokio::sync::{Semaphore, mpsc, watch};

use super::crypto_pool::Priority;
use super::keyring::Known;
use super::orders::{Arrival, Desk, OrderError, Parcel};
use super::peers::{PeerClient, PeerError, PeerUrl};
use super::services::{Caller, Services};
use super::unavailable::Unavailable;
use crate::contain::contain;
use crate::crash_points::{CrashPoint, reached};

pub use collect::{Collected, Fetched};
use pauses::Pauses;
pub use pauses::Waiting;

/// Calls that the timers have under way at once.
const AT_ONCE: usize = 32;
/// How long somebody who waits pauses before the next try.
const AGAIN: Duration = Duration::from_millis(250);
/// A step of a principal here is left to the command that made it for so long: that is told what comes of it.
const MAKERS_GRACE_MS: u64 = 2_000;
/// A release is not brought at once to a beneficiary that lives where the principal does, whose answer has it.
const ANSWER_GRACE_MS: u64 = 5_000;

/// The outbox.
pub struct Outbox {
    services: Arc<Services>,
    desk: Arc<Desk>,
    client: PeerClient,
    pauses: Mutex<Pauses>,
    /// One call at a time for an order.
    turns: Mutex<HashMap<Aggregate, Arc<tokio::sync::Mutex<()>>>>,
    room: Arc<Semaphore>,
}

/// What came of bringing what an order has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Brought {
    /// There is nothing left to bring.
    Done,
    /// The peer is away or not ready; it is tried again.
    Waiting,
    /// The peer says no.
    Refused {
        /// Its reason.
        code: String,
    },
}

/// Whether somebody waits: then a peer that was away a moment ago is called all the same.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pressing {
    Yes,
    No,
}

/// What came of one call.
enum Call {
    Progress,
    End(Brought),
}

impl Outbox {
    /// Over the node's orders.
    pub fn new(services: Arc<Services>, desk: Arc<Desk>, client: PeerClient) -> Self {
        Self {
            services,
            desk,
            client,
            pauses: Mutex::default(),
            turns: Mutex::default(),
            room: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Brings what orders say they newly have, until `stopping` says so.
    pub async fn run(
        self: Arc<Self>,
        mut nudges: mpsc::Receiver<Aggregate>,
        mut stopping: watch::Receiver<bool>,
    ) {
        loop {
            let order = tokio::select! {
                order = nudges.recv() => order,
                _ = stopping.wait_for(|stopping| *stopping) => return,
            };
            let Some(order) = order else { return };
            let outbox = self.clone();
            actix::spawn(async move { outbox.bring(order, Pressing::No).await });
        }
    }

    /// Brings what an order has, unless it or its peer is paused or much is under way: what the timers call.
    pub fn consider(self: &Arc<Self>, order: Aggregate) {
        if !self.pauses().is_ready(&order, self.services.clock.monotonic_ms()) {
            return;
        }
        let Ok(permit) = self.room.clone().try_acquire_owned() else { return };
        let outbox = self.clone();
        actix::spawn(async move {
            outbox.bring(order, Pressing::No).await;
            drop(permit);
        });
    }

    /// What an order waits for, if a call for it has failed.
    pub fn waiting(&self, order: &Aggregate) -> Option<Waiting> {
        self.pauses().waiting(order)
    }

    /// Brings what there is, whatever is paused, and waits for what comes of it as long as this; then it goes on alone.
    pub async fn bring_within(self: &Arc<Self>, order: Aggregate, wait: Duration) -> Brought {
        let end = tokio::time::Instant::now() + wait;
        loop {
            let outbox = self.clone();
            let brought = actix::spawn(async move { outbox.bring(order, Pressing::Yes).await });
            match tokio::time::timeout_at(end, brought).await {
                Ok(Ok(Brought::Waiting)) if tokio::time::Instant::now() + AGAIN < end => {
                    tokio::time::sleep(AGAIN).await;
                }
                Ok(Ok(brought)) => return brought,
                Ok(Err(_)) | Err(_) => return Brought::Waiting,
            }
        }
    }

    /// Brings what an order has, one step after the other, and takes the answers.
    async fn bring(&self, order: Aggregate, pressing: Pressing) -> Brought {
        let turn = self.turn(order);
        let brought = {
            let _turn = turn.lock().await;
            loop {
                match self.bring_next(order, pressing).await {
                    Ok(Call::Progress) => {}
                    Ok(Call::End(brought)) => break brought,
                    Err(error) => {
                        tracing::warn!(%error, order = hex::encode(order.id), "a delivery cannot be made now");
                        self.pause_order(&order, None, error.to_string());
                        break Brought::Waiting;
                    }
                }
            }
        };
        drop(turn);
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.get(&order).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            turns.remove(&order);
        }
        brought
    }

    async fn bring_next(&self, order: Aggregate, pressing: Pressing) -> Result<Call, OrderError> {
        let by_timer = self.caller(super::timers::BY.to_owned());
        let Some(parcel) = self.desk.pack(order, None, by_timer.clone()).await? else {
            self.pauses().forget(&order);
            return Ok(Call::End(Brought::Done));
        };
        let delivery = parcel.delivery.clone();
        let to = self.services.party(&parcel.to).await?;
        let age_ms = delivery.age_ms(self.services.clock.wall_ms());
        if pressing == Pressing::No && delivery.is_principals() && age_ms < MAKERS_GRACE_MS {
            return Ok(Call::End(Brought::Waiting));
        }
        if self.answer_has_it(order, &delivery, &to).await? {
            self.pause_order(&order, Some(&parcel), "the principal's answer has it".to_owned());
            return Ok(Call::End(Brought::Waiting));
        }
        let Some(url) = self.url_of(&to) else {
            self.end(order, &delivery, Outcome::Unaddressed, by_timer).await?;
            self.pauses().forget(&order);
            return Ok(Call::End(Brought::Waiting));
        };
        let pressing = pressing == Pressing::Yes;
        if !pressing && !self.pauses().peer_is_ready(&to.cid(), self.services.clock.monotonic_ms()) {
            self.pauses().wait_for_peer(&order, &parcel.delivery, to.cid());
            return Ok(Call::End(Brought::Waiting));
        }
        self.pauses().peer_is_called(&to.cid(), self.services.clock.monotonic_ms());
        reached(CrashPoint::OutboxSending);
        let answer = self.call(&url, &parcel, &to).await?;
        reached(CrashPoint::OutboxAnswered);
        let by_peer = self.caller(format!("peer:{}", to.cid()));
        match answer {
            Ok(body) => {
                self.pauses().peer_answered(&to.cid());
                let call = self.take(order, parcel, &to, body, by_peer).await;
                reached(CrashPoint::OutboxTaken);
                call
            }
            Err(error) if error.is_retryable() => {
                let call = self.not_now(order, &parcel, error.to_string(), by_timer).await;
                if matches!(error, PeerError::Refused { .. }) {
                    self.pauses().peer_answered(&to.cid());
                } else {
                    let now_ms = self.services.clock.monotonic_ms();
                    self.pauses().peer_failed(&to.cid(), now_ms);
                    self.pauses().wait_for_peer(&order, &delivery, to.cid());
                }
                call
            }
            Err(error) => {
                let code = match error {
                    PeerError::Refused { code, .. } => code,
                    other => {
                        tracing::error!(error = %other, "what an order has for a peer cannot be sent");
                        "not-sendable".to_owned()
                    }
                };
                self.pauses().forget(&order);
                self.desk.settle(order, delivery.refused(code.clone()), by_peer).await?;
                Ok(Call::End(Brought::Refused { code }))
            }
        }
    }

    async fn call(
        &self,
        url: &PeerUrl,
        parcel: &Parcel,
        to: &Known,
    ) -> Result<Result<Vec<u8>, PeerError>, OrderError> {
        let target = match parcel.delivery.kind {
            Kind::Placed => "/v1/fulfill/order",
            Kind::RedemptionRequested => "/v1/fulfill/order/secret",
            _ => "/v1/fulfill/order/step",
        };
        let from = self.services.party(&self.services.node).await?;
        let car = parcel.car(None).map_err(|error| OrderError::Invalid(error.to_string()))?;
        let answer = self.client.post(url, target, &from, &to.document, car).await;
        Ok(answer.map(|answer| answer.body))
    }

    /// Takes the answer to a delivery.
    async fn take(
        &self,
        order: Aggregate,
        parcel: Parcel,
        to: &Known,
        body: Vec<u8>,
        caller: Caller,
    ) -> Result<Call, OrderError> {
        let arrival = match self.read(to, parcel.reader, body).await? {
            Ok(arrival) => arrival,
            Err(why) => return self.not_now(order, &parcel, format!("the answer: {why}"), caller).await,
        };
        let stands = match self.desk.take(Some(order), arrival, caller.clone()).await {
            Ok(stands) => stands,
            Err(OrderError::Unavailable(why)) => return Err(why.into()),
            // What it says is not believed: it may say something better later.
            Err(why) => return self.not_now(order, &parcel, format!("the answer: {why}"), caller).await,
        };
        match stands.order.answered(&parcel.delivery) {
            Answered::Over => {}
            Answered::Delivered => self.end(order, &parcel.delivery, Outcome::Delivered, caller).await?,
            Answered::NotYet => {
                return self.not_now(order, &parcel, "the peer has not finished".to_owned(), caller).await;
            }
        }
        Ok(Call::Progress)
    }

    /// Reads a peer's CAR of steps.
    async fn read(
        &self,
        from: &Known,
        reader: Cid,
        body: Vec<u8>,
    ) -> Result<Result<Arrival, String>, OrderError> {
        let from = from.document.clone();
        let read = move || {
            let decoded = contain(|| car::decode(&body)).map_err(|error| error.to_string())?;
            let (root, blocks) = decoded.map_err(|error| error.to_string())?;
            let blocks = blocks.into_iter().collect();
            Arrival::read(from, reader, root, blocks).map_err(|error| error.to_string())
        };
        Ok(self.services.crypto.run(Priority::Interactive, read).await.map_err(Unavailable::from)?)
    }

    /// It is tried again, unless that has been done for long enough.
    async fn not_now(
        &self,
        order: Aggregate,
        parcel: &Parcel,
        why: String,
        caller: Caller,
    ) -> Result<Call, OrderError> {
        tracing::debug!(%why, to = %parcel.to, kind = %parcel.delivery.kind, "a delivery has to wait");
        let now_ms = self.services.clock.wall_ms();
        if parcel.delivery.is_given_up(now_ms, self.services.give_up_after_ms) {
            self.end(order, &parcel.delivery, Outcome::Stalled, caller).await?;
        }
        self.pause_order(&order, Some(parcel), why);
        Ok(Call::End(Brought::Waiting))
    }

    async fn end(
        &self,
        order: Aggregate,
        delivery: &Delivery,
        outcome: Outcome,
        caller: Caller,
    ) -> Result<(), OrderError> {
        self.desk.settle(order, delivery.ended(outcome), caller).await.map(|_| ())
    }

    /// Whether the beneficiary lives where the principal does, whose redemption was answered a moment ago.
    async fn answer_has_it(
        &self,
        order: Aggregate,
        delivery: &Delivery,
        to: &Known,
    ) -> Result<bool, OrderError> {
        let age_ms = delivery.age_ms(self.services.clock.wall_ms());
        if delivery.to != Party::Beneficiary || age_ms >= ANSWER_GRACE_MS {
            return Ok(false);
        }
        let stands = self.desk.attend(order, self.caller(super::timers::BY.to_owned())).await?;
        if stands.order.hosts(Party::Principal) {
            return Ok(false);
        }
        match stands.order.party(Party::Principal) {
            Some(principal) => {
                Ok(self.services.party(&principal).await?.document.node() == to.document.node())
            }
            None => Ok(false),
        }
    }

    /// Where a party is called: its own pin, or that of the node it lives on.
    fn url_of(&self, to: &Known) -> Option<PeerUrl> {
        let url = |cid: &Cid| self.services.peers.pinned(cid)?.url?.parse().ok();
        url(&to.cid()).or_else(|| url(&to.document.node()))
    }

    fn caller(&self, by: String) -> Caller {
        Caller { by, trace_id: self.services.random(), request: None }
    }

    fn turn(&self, order: Aggregate) -> Arc<tokio::sync::Mutex<()>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).entry(order).or_default().clone()
    }

    fn pause_order(&self, order: &Aggregate, parcel: Option<&Parcel>, why: String) {
        let now_ms = self.services.clock.monotonic_ms();
        self.pauses().order_waits(order, parcel.map(|parcel| &parcel.delivery), why, now_ms);
    }

    fn pauses(&self) -> std::sync::MutexGuard<'_, Pauses> {
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
