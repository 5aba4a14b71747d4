//! What is asked of an order that stands: `POST /v1/order/{reference}/cancel`, `/dispute`, `/retry`, `/shred`; and
//! `POST /v1/order/collect`, which fetches what other nodes have for this one.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use dta_events::order::{Delivery, Order, Outcome, Party};
use dta_events::record::Aggregate;
use serde::Serialize;

use super::App;
use super::error::ApiError;
use super::posted::{BY, Posted};
use super::refusal::turned_down;
use crate::actors::orders::{Named, Stands};
use crate::actors::outbox::Brought;
use crate::actors::services::Caller;
use crate::time::rfc3339;

/// Identities hosted here, the newest, for which peers are asked.
const HOSTED_MAX: u64 = 1_000;

/// How far an order is, and what it waits for.
#[derive(Serialize)]
pub(super) struct Standing {
    state: &'static str,
    waiting: Vec<Waiting>,
}

/// A step that a party on another node has not got.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Waiting {
    /// The kind of the step.
    r#for: String,
    /// The party.
    to: &'static str,
    #[serde(rename = "toCID")]
    to_cid: Option<String>,
    since: String,
    /// Tries since the node started.
    attempts: u32,
    /// Given up: `retry` has it tried again, and the party can fetch it.
    stalled: bool,
    /// How it ended, if it was given up: `refused`, `stalled`, `unaddressed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Standing {
    /// Of an order as the read model has it, with what the outbox knows of it.
    pub(super) fn of(app: &App, order: &Order) -> Self {
        let aggregate = order
            .party(Party::Principal)
            .map(|principal| dta_events::ids::order_aggregate(&principal, &order.reference));
        let tried = aggregate.and_then(|aggregate| app.outbox.waiting(&aggregate));
        let waiting = |delivery: Delivery, outcome: Option<&Outcome>| {
            let tried = tried.as_ref().filter(|tried| tried.to == Some(delivery.to));
            let code = outcome.and_then(Outcome::code).map(str::to_owned);
            Waiting {
                r#for: delivery.kind.to_string(),
                to: delivery.to.as_str(),
                to_cid: order.party(delivery.to).map(|cid| cid.to_string()),
                since: rfc3339(delivery.since_ms),
                attempts: tried.map_or(0, |tried| tried.attempts),
                stalled: outcome.is_some(),
                outcome: outcome.map(Outcome::as_str),
                error: code.or_else(|| tried.map(|tried| tried.error.clone())),
            }
        };
        let active = order.outbox().into_iter().map(|delivery| waiting(delivery, None));
        let stalled = order.stalled().map(|(delivery, outcome)| waiting(delivery, Some(outcome)));
        Self { state: order.stage.as_str(), waiting: active.chain(stalled).collect() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    order_reference: String,
    #[serde(rename = "orderCID")]
    cid: Option<String>,
    #[serde(flatten)]
    standing: Standing,
}

/// `POST /v1/order/{reference}/cancel`: 200 once the fiduciary has closed the order, 202 while it has not answered.
pub(super) async fn cancel(
    app: web::Data<App>,
    request: HttpRequest,
    posted: Posted,
) -> Result<HttpResponse, ApiError> {
    let Posted { mut fields, caller } = posted;
    let detail = fields.text("detail")?.unwrap_or_default();
    let order = named(&app, &request)?;
    let stands = app.settled(app.desk.cancel(order, detail, caller).await).await?;
    finished(&app, order, stands).await
}

/// `POST /v1/order/{reference}/dispute`
pub(super) async fn dispute(
    app: web::Data<App>,
    request: HttpRequest,
    posted: Posted,
) -> Result<HttpResponse, ApiError> {
    let order = named(&app, &request)?;
    let stands = app.settled(app.desk.dispute(order, posted.caller).await).await?;
    finished(&app, order, stands).await
}

/// `POST /v1/order/{reference}/retry`: tries again what was given up.
pub(super) async fn retry(
    app: web::Data<App>,
    request: HttpRequest,
    posted: Posted,
) -> Result<HttpResponse, ApiError> {
    let order = named(&app, &request)?;
    let stands = app.settled(app.desk.retry(order, posted.caller).await).await?;
    finished(&app, order, stands).await
}

/// `POST /v1/order/{reference}/shred`: 200 once the seed of an order that has ended is destroyed in all its copies, 202 while it
/// is due.
pub(super) async fn shred(
    app: web::Data<App>,
    request: HttpRequest,
    posted: Posted,
) -> Result<HttpResponse, ApiError> {
    let order = named(&app, &request)?;
    let at_ms = app.services.clock.wall_ms();
    let stands = app.settled(app.desk.shred(order, at_ms, posted.caller).await).await?;
    let status = if stands.order.shredded { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(told(&app, status, &stands).await)
}

/// Has what the order has for others brought, and answers how it stands then.
async fn finished(app: &App, order: Named, before: Stands) -> Result<HttpResponse, ApiError> {
    let mut stands = before;
    if !stands.order.outbox().is_empty() {
        app.brought(order.aggregate).await?;
        let by = Caller { by: BY.to_owned(), trace_id: app.services.random(), request: None };
        let before = stands.sequence;
        stands = app.settled(app.desk.attend(order.aggregate, by).await).await?;
        stands.sequence = stands.sequence.max(before);
    }
    let all_brought = stands.order.outbox().is_empty() && stands.order.stalled().next().is_none();
    let status = if all_brought { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(told(app, status, &stands).await)
}

/// The answer to a command: how the order stands.
async fn told(app: &App, status: StatusCode, stands: &Stands) -> HttpResponse {
    let mut answer = app.answer(status, stands.sequence).await;
    answer.json(Answer {
        order_reference: stands.order.reference.clone(),
        cid: stands.order.placed().map(|cid| cid.to_string()),
        standing: Standing::of(app, &stands.order),
    })
}

fn named(app: &App, request: &HttpRequest) -> Result<Named, ApiError> {
    app.desk.find(request.match_info().query("reference"))?.ok_or_else(ApiError::no_order)
}

impl App {
    /// Has what an order has for other nodes brought to them, and waits for it as long as a command may.
    ///
    /// # Errors
    /// The other node says no.
    pub(super) async fn brought(&self, order: Aggregate) -> Result<(), ApiError> {
        match self.outbox.bring_within(order, self.order_wait).await {
            Brought::Done | Brought::Waiting => Ok(()),
            Brought::Refused { code } => Err(turned_down(code)),
        }
    }
}

#[derive(Serialize)]
struct Collected {
    collected: Vec<Fetched>,
    failed: Vec<Failed>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fetched {
    order_reference: String,
    #[serde(rename = "orderCID")]
    cid: Option<String>,
    state: &'static str,
}

#[derive(Serialize)]
struct Failed {
    peer: String,
    error: String,
}

/// `POST /v1/order/collect`: fetches from the peer in `from`, or from every pinned one that serves somewhere.
pub(super) async fn collect(app: web::Data<App>, posted: Posted) -> Result<HttpResponse, ApiError> {
    let Posted { mut fields, .. } = posted;
    let from = fields.cid("from")?;
    let hosted = app.query(|views| views.identities(0, HOSTED_MAX, false)).await?;
    let hosted: Vec<_> = hosted
        .into_iter()
        .filter(|row| row.hosted && row.known.cid != app.services.node)
        .map(|row| row.known.cid)
        .collect();
    let collected = app.outbox.collect(from, &hosted).await?;
    let sequence = collected.taken.iter().filter_map(|fetched| fetched.sequence).max();
    let mut answer = app.answer(StatusCode::OK, sequence).await;
    Ok(answer.json(Collected {
        collected: collected
            .taken
            .into_iter()
            .map(|fetched| Fetched {
                order_reference: fetched.reference,
                cid: fetched.placed.map(|cid| cid.to_string()),
                state: fetched.stage.as_str(),
            })
            .collect(),
        failed: collected
            .failed
            .into_iter()
            .map(|(peer, error)| Failed { peer: peer.to_string(), error })
            .collect(),
    }))
}
