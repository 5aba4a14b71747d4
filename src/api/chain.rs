//! An order's chain to hand on: `GET /v1/order/{reference}/chain`, a CAR of its envelopes, the identities that signed
//! them, and their sealed bodies.

use actix_web::{HttpRequest, HttpResponse, web};
use dta_events::order::Order;
use dta_protocol::car;

use super::App;
use super::error::ApiError;
use super::orders::order_named;
use crate::actors::log::LogReader;
use crate::actors::order_chain::order_chain;
use crate::actors::peers::client::CAR;

/// `GET /v1/order/{reference}/chain`. The root is the order's newest step: links lead from it to all the others.
pub(super) async fn chain(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let name = request.match_info().query("reference").to_owned();
    let row = app.query(move |views| order_named(views, &name)).await?.ok_or_else(ApiError::no_order)?;
    let log = app.services.log.clone();
    let car = web::block(move || collect(&*log, &row.order)).await.map_err(|_| ApiError::stopping())??;
    Ok(HttpResponse::Ok().content_type(CAR).body(car))
}

fn collect(log: &dyn LogReader, order: &Order) -> Result<Vec<u8>, ApiError> {
    let all = order_chain(log, order)?;
    let root = all.steps.last().ok_or_else(ApiError::no_order)?.cid();
    let steps = all.steps.iter().rev().map(|step| (step.cid(), step.block()));
    let blocks = all.identities.iter().map(|(cid, block)| (*cid, block.as_slice()));
    let bodies = all.bodies.iter().map(|(cid, block)| (*cid, block.as_slice()));
    car::encode(root, steps.chain(blocks).chain(bodies)).map_err(ApiError::internal)
}
