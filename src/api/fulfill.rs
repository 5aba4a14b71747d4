//! What other nodes ask: `POST /v1/fulfill/order`, `/v1/fulfill/order/secret`, `/v1/fulfill/order/step`, and
//! `GET /v1/fulfill/order/deliveries?after`, `GET /v1/fulfill/log/note`. CAR both ways, signed both ways; whoever is no party gets one constant 404.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use dta_events::order::{Command, Outcome, Party};
use dta_events::record::{Aggregate, AggregateKind};
use dta_proof::Note;
use dta_protocol::{Cid, Codec, DeliveryPage, Kind, NotePage};

use super::App;
use super::error::ApiError;
use super::peer_call::{PeerCall, nothing_here};
use crate::actors::crypto_pool::Priority;
use crate::actors::orders::{Arrival, OrderError};
use crate::actors::services::Caller;
use crate::actors::unavailable::Unavailable;
use crate::actors::views::ToFetch;
use crate::crash_points::{CrashPoint, reached};

/// What a principal was told is marked so when it fetches on; this many of such steps at once.
const TOLD_MAX: usize = 64;

/// `POST /v1/fulfill/order`
pub(super) async fn order(app: web::Data<App>, call: PeerCall) -> HttpResponse {
    steps(&app, call, &[Kind::Placed]).await
}

/// `POST /v1/fulfill/order/secret`
pub(super) async fn secret(app: web::Data<App>, call: PeerCall) -> HttpResponse {
    steps(&app, call, &[Kind::RedemptionRequested]).await
}

/// `POST /v1/fulfill/order/step`
pub(super) async fn step(app: web::Data<App>, call: PeerCall) -> HttpResponse {
    let all_other =
        [Kind::Released, Kind::Received, Kind::Disputed, Kind::CancellationRequested, Kind::Closed];
    steps(&app, call, &all_other).await
}

async fn steps(app: &App, mut call: PeerCall, kinds: &[Kind]) -> HttpResponse {
    let Some(car) = call.car.take() else { return nothing_here() };
    let (from, to) = (call.caller.clone(), call.to().cid());
    let blocks: HashMap<Cid, Vec<u8>> = car.blocks.into_iter().collect();
    let read = move || Arrival::read(from, to, car.root, blocks);
    let arrival = match app.services.crypto.run(Priority::Interactive, read).await {
        Ok(Ok(arrival)) => arrival,
        Ok(Err(error)) => return call.refuse(ApiError::invalid(error.code(), format!("body: {error}"))),
        Err(busy) => return call.refuse(Unavailable::from(busy)),
    };
    if !arrival.steps.last().is_some_and(|root| kinds.contains(&root.statement().kind)) {
        return call
            .refuse(ApiError::invalid("other-route", "body: its root is of a kind that has another route"));
    }
    reached(CrashPoint::PeerCallReceived);
    match app.desk.arrive(arrival, caller_of(app, &call)).await {
        Ok(arrived) => {
            let answer = call.answer(StatusCode::OK, arrived.car);
            reached(CrashPoint::PeerCallAnswering);
            answer
        }
        Err(OrderError::Outsider) => nothing_here(),
        // The steps are taken; what follows from them is not done yet. That is no refusal, whatever it is.
        Err(error @ OrderError::Unfinished { .. }) => {
            tracing::warn!(%error, "steps of another node are taken, and what follows has to wait");
            call.refuse(ApiError::unavailable("unfinished", "the steps are taken; what follows has to wait"))
        }
        Err(error) => call.refuse(error),
    }
}

/// `GET /v1/fulfill/order/deliveries?after`: the next step that the caller has not got. `after`
/// says up to where it has.
pub(super) async fn deliveries(app: web::Data<App>, request: HttpRequest, call: PeerCall) -> HttpResponse {
    let after = match after_of(request.query_string()) {
        Ok(after) => after,
        Err(error) => return call.refuse(error),
    };
    match fetch(&app, &call, after).await {
        Ok(car) => {
            let answer = call.answer(StatusCode::OK, car);
            reached(CrashPoint::DeliveriesAnswering);
            answer
        }
        Err(error) => call.refuse(error),
    }
}

async fn fetch(app: &App, call: &PeerCall, after: Option<u64>) -> Result<Vec<u8>, ApiError> {
    let caller = call.caller.cid();
    if let Some(after) = after {
        tell(app, call, after).await?;
    }
    let mut after = after;
    loop {
        let next = app.query(move |views| views.outstanding(&caller, after, 1)).await?.pop();
        let Some(next) = next else {
            let page = DeliveryPage { step: None, next: after.unwrap_or(0) };
            let page = page.encode();
            let root = Cid::of(Codec::DagCbor, &page);
            let blocks = [(root, page.as_slice())];
            return dta_protocol::car::encode(root, blocks).map_err(ApiError::internal);
        };
        // The read model may be behind the order.
        if let Some(parcel) = app.desk.pack(order_of(&next), Some(next.to), caller_of(app, call)).await? {
            let page = DeliveryPage { step: Some((parcel.to, parcel.root)), next: next.sequence };
            let page = page.encode();
            let root = (Cid::of(Codec::DagCbor, &page), page.as_slice());
            return parcel.car(Some(root)).map_err(ApiError::internal);
        }
        after = Some(next.sequence);
    }
}

/// A principal that fetches on has what it fetched. A release is answered by its beneficiary.
async fn tell(app: &App, call: &PeerCall, up_to: u64) -> Result<(), ApiError> {
    let caller = call.caller.cid();
    let steps = app.query(move |views| views.outstanding(&caller, None, TOLD_MAX)).await?;
    for step in steps.into_iter().filter(|step| step.sequence <= up_to && step.to == Party::Principal) {
        let Some(parcel) = app.desk.pack(order_of(&step), Some(step.to), caller_of(app, call)).await? else {
            continue;
        };
        let (to, step_cid) = (parcel.delivery.to, parcel.delivery.step);
        let command = Command::EndDelivery { to, step: step_cid, outcome: Outcome::Delivered };
        app.desk.settle(order_of(&step), command, caller_of(app, call)).await?;
    }
    Ok(())
}

/// `GET /v1/fulfill/log/note`: the newest note of the caller's log that was seen here. Who has lost its log asks.
pub(super) async fn note(app: web::Data<App>, call: PeerCall) -> HttpResponse {
    let owner = call.caller.node();
    let copied = app.following.note_of(&owner).await;
    let newer = |note: &Note| {
        let known = app.services.witness.known(&owner);
        known.is_none_or(|known| (note.origin().epoch, note.size()) > known)
    };
    let copied = copied.filter(newer).map(|note| note.text().to_owned());
    let page = NotePage { note: copied.or_else(|| app.services.witness.newest(&owner)) }.encode();
    let root = Cid::of(Codec::DagCbor, &page);
    match dta_protocol::car::encode(root, [(root, page.as_slice())]) {
        Ok(car) => call.answer(StatusCode::OK, car),
        Err(error) => call.refuse(ApiError::internal(error)),
    }
}

fn order_of(step: &ToFetch) -> Aggregate {
    Aggregate { kind: AggregateKind::Order, id: step.order }
}

fn caller_of(app: &App, call: &PeerCall) -> Caller {
    let by = format!("peer:{}", call.caller.cid());
    Caller { by, trace_id: app.services.random(), request: None }
}

pub(super) fn after_of(query: &str) -> Result<Option<u64>, ApiError> {
    if query.is_empty() {
        return Ok(None);
    }
    let number = query.strip_prefix("after=").and_then(|number| number.parse().ok());
    let number = number.filter(|number| *number < 1 << 53);
    number
        .map(Some)
        .ok_or_else(|| ApiError::invalid("after", "after: must be a whole number below 2^53, alone"))
}
