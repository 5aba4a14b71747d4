//! Orders: `POST /v1/order`, `GET /v1/order`, `GET /v1/order/{reference}`.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use dta_events::order::{Order, Party, Step, StepFacts, Terms};
use dta_plugins::Private;
use dta_projections::OrderRow;
use dta_protocol::body::ORDER_TYPE;
use dta_protocol::{Cid, Extension, Kind};
use serde::Serialize;

use super::App;
use super::commands::Standing;
use super::error::ApiError;
use super::json::Fields;
use super::paging::page_of;
use super::posted::Posted;
use crate::actors::orders::Place;
use crate::actors::views::{Queries, ViewsError};

/// How long a released secret is kept if the order does not say: 30 days, in milliseconds.
const RETENTION_MS: u64 = 30 * 24 * 3_600_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Placed {
    order_reference: String,
    #[serde(rename = "orderCID", skip_serializing_if = "Option::is_none")]
    cid: Option<String>,
    /// Hex, as the plugin tells it: with `milagro` uncompressed SEC1. Absent, as is the extension, while the fiduciary has not answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    commitment: Option<String>,
    /// Unix seconds.
    created_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    extension: Option<Extension>,
}

/// `POST /v1/order`: 200 with the commitment, or 202 while it is not there yet.
pub(super) async fn place(app: web::Data<App>, posted: Posted) -> Result<HttpResponse, ApiError> {
    let Posted { mut fields, caller } = posted;
    let place = Place {
        fiduciary: app.fiduciary,
        beneficiary: fields.cid("beneficiaryIDDocumentCID")?,
        terms: terms(fields.fields("policy")?)?,
        extension: Arc::new(Private::new(fields.texts("extension")?)),
    };
    let asked = place.extension.clone();
    let mut placed = app.settled(app.desk.place(place, caller.clone()).await).await?;
    if placed.commitment.is_none() {
        let order = placed.order.aggregate;
        app.brought(order).await?;
        placed = app.settled(app.desk.placed(order, asked, caller, placed.sequence).await).await?;
    }
    let status = if placed.commitment.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED };
    let mut answer = app.answer(status, placed.sequence).await;
    Ok(answer.json(Placed {
        order_reference: placed.reference,
        cid: placed.order.placed.map(|cid| cid.to_string()),
        extension: placed.commitment.is_some().then_some(placed.extension),
        commitment: placed.commitment,
        created_at: placed.created_at_ms / 1_000,
    }))
}

/// A policy that is not understood must not be accepted as if it were kept.
fn terms(mut policy: Fields) -> Result<Terms, ApiError> {
    let terms = Terms {
        not_before_ms: policy.integer("notBeforeMs")?.unwrap_or(0),
        expires_at_ms: policy.integer("expiresAtMs")?.unwrap_or(0),
        retention_ms: policy.integer("retentionMs")?.unwrap_or(RETENTION_MS),
    };
    policy.finish("policy-unsupported")?;
    Ok(terms)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List {
    order_reference: Vec<String>,
}

/// `GET /v1/order?page&perPage&sortBy`: each by the name it is found under.
pub(super) async fn list(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let page = page_of(&request)?;
    let rows = app.query(move |views| views.orders(page.page, page.per_page, page.ascending)).await?;
    Ok(HttpResponse::Ok()
        .json(List { order_reference: rows.iter().map(|row| name_of(&row.order)).collect() }))
}

/// The reference, which is unique among the orders of the principal hosted here; or else the `placed` CID.
fn name_of(order: &Order) -> String {
    match order.placed() {
        Some(placed) if !order.hosts(Party::Principal) => placed.to_string(),
        _ => order.reference.clone(),
    }
}

/// The order that a client names: see [`name_of`].
pub(super) fn order_named(views: &Queries, name: &str) -> Result<Option<OrderRow>, ViewsError> {
    match name.parse() {
        Ok(placed) => views.order_by_placed(&placed),
        Err(_) => views.order_by_reference(name),
    }
}

#[derive(Serialize)]
struct One {
    #[serde(rename = "orderCID")]
    cid: String,
    /// A JSON document of its own.
    order: String,
    /// Unix seconds.
    timestamp: u64,
    #[serde(flatten)]
    standing: Standing,
}

/// `GET /v1/order/{reference}`
pub(super) async fn one(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let name = request.match_info().query("reference").to_owned();
    let row = app.query(move |views| order_named(views, &name)).await?.ok_or_else(ApiError::no_order)?;
    let placed = row.order.placed().ok_or_else(|| ApiError::internal("a row of an order never placed"))?;
    let order = serde_json::to_string(&Document::of(&row)).map_err(ApiError::internal)?;
    let (cid, timestamp) = (placed.to_string(), row.created_at_ms / 1_000);
    let standing = Standing::of(&app, &row.order);
    Ok(HttpResponse::Ok().json(One { cid, order, timestamp, standing }))
}

/// What the read model shows of an order, in a fixed order of keys; no secret is in it. Times in Unix seconds, policy in
/// milliseconds.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    r#type: &'static str,
    reference: String,
    #[serde(rename = "PrincipalCID")]
    principal: Option<String>,
    #[serde(rename = "FiduciaryCID")]
    fiduciary: Option<String>,
    #[serde(rename = "BeneficiaryCID")]
    beneficiary: Option<String>,
    coin: u8,
    timestamp: u64,
    state: &'static str,
    /// There only if it is so.
    #[serde(rename = "CustodyLost", skip_serializing_if = "std::ops::Not::not")]
    custody_lost: bool,
    /// There only if it is so.
    #[serde(rename = "Held", skip_serializing_if = "std::ops::Not::not")]
    held: bool,
    /// There only if it is so.
    #[serde(rename = "SeedShredded", skip_serializing_if = "std::ops::Not::not")]
    seed_shredded: bool,
    policy: Policy,
    order_part2: Option<Part>,
    order_part3: Option<Part>,
    order_part4: Option<Part>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    not_before_ms: u64,
    expires_at_ms: u64,
    retention_ms: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Part {
    #[serde(rename = "CID")]
    cid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    commitment_public_key: Option<String>,
    #[serde(rename = "BeneficiaryCID", skip_serializing_if = "Option::is_none")]
    beneficiary: Option<String>,
    #[serde(rename = "PreviousOrderCID")]
    previous: Option<String>,
    timestamp: u64,
}

impl Document {
    fn of(row: &OrderRow) -> Self {
        let order = &row.order;
        let text = |cid: Option<Cid>| cid.map(|cid| cid.to_string());
        let first = order.steps.first().or(order.pending.as_ref());
        let coin = match first.map(|first| &first.step.facts) {
            Some(StepFacts::Placed { coin, .. }) => *coin,
            _ => 0,
        };
        let part = |kind| order.step(kind).map(|accepted| Part::of(&accepted.step));
        Self {
            r#type: ORDER_TYPE,
            reference: order.reference.clone(),
            principal: text(order.party(Party::Principal)),
            fiduciary: text(order.party(Party::Fiduciary)),
            beneficiary: text(order.party(Party::Beneficiary)),
            coin,
            timestamp: row.created_at_ms / 1_000,
            state: order.stage.as_str(),
            custody_lost: order.custody_lost,
            held: order.held,
            seed_shredded: order.shredded,
            policy: Policy {
                not_before_ms: order.terms.not_before_ms,
                expires_at_ms: order.terms.expires_at_ms,
                retention_ms: order.terms.retention_ms,
            },
            order_part2: part(Kind::Committed),
            order_part3: part(Kind::RedemptionRequested),
            order_part4: part(Kind::Released),
        }
    }
}

impl Part {
    fn of(step: &Step) -> Self {
        let (commitment, beneficiary) = match &step.facts {
            StepFacts::Committed { commitment } => (Some(hex::encode(commitment)), None),
            StepFacts::RedemptionRequested { beneficiary } | StepFacts::Released { beneficiary, .. } => {
                (None, Some(beneficiary.to_string()))
            }
            _ => (None, None),
        };
        Self {
            cid: step.cid.to_string(),
            commitment_public_key: commitment,
            beneficiary,
            previous: step.previous.map(|cid| cid.to_string()),
            timestamp: step.issued_at_ms / 1_000,
        }
    }
}
