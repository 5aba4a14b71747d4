//! An order's chain to hand on: `GET /v1/order/{reference}/chain`, a CAR of its envelopes, the identities that signed
//! them, and their sealed bodies.
//!
//! Only what is published is in it, so that it can be given to anyone: not the sealed secret, and not the identities of
//! parties that have signed nothing, which the envelopes keep to themselves.

use std::collections::BTreeSet;

use actix_web::{HttpRequest, HttpResponse, web};
use dta_events::order::Order;
use dta_protocol::{Cid, Envelope, car};

use super::App;
use super::error::ApiError;
use super::orders::order_named;
use crate::actors::log::LogReader;
use crate::actors::peers::client::CAR;
use crate::actors::unavailable::Unavailable;

/// `GET /v1/order/{reference}/chain`. The root is the order's newest step: links lead from it to all the others.
pub(super) async fn chain(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let name = request.match_info().query("reference").to_owned();
    let row = app.query(move |views| order_named(views, &name)).await?.ok_or_else(ApiError::no_order)?;
    let log = app.services.log.clone();
    let car = web::block(move || collect(&*log, &row.order)).await.map_err(|_| ApiError::stopping())??;
    Ok(HttpResponse::Ok().content_type(CAR).body(car))
}

fn collect(log: &dyn LogReader, order: &Order) -> Result<Vec<u8>, ApiError> {
    // Our own steps that the fiduciary has not answered are signed and published too.
    let steps: Vec<Cid> =
        order.steps.iter().chain(order.unsettled()).map(|accepted| accepted.step.cid).collect();
    let root = *steps.last().ok_or_else(ApiError::no_order)?;
    let (mut envelopes, mut signers, mut bodies) = (Vec::new(), BTreeSet::new(), Vec::new());
    for cid in steps.into_iter().rev() {
        let block = needed(log, cid)?;
        let envelope = Envelope::decode(&block).map_err(ApiError::internal)?;
        let statement = envelope.statement();
        signers.extend(statement.signer);
        for descriptor in &statement.sealed {
            // One that was withheld is missed by nobody: its descriptor stays in the envelope.
            bodies.extend(published(log, descriptor.cid)?.map(|block| (descriptor.cid, block)));
        }
        envelopes.push((cid, block));
    }
    let mut blocks = envelopes;
    for signer in signers {
        blocks.push((signer, needed(log, signer)?));
    }
    blocks.extend(bodies);
    let blocks = blocks.iter().map(|(cid, block)| (*cid, block.as_slice()));
    car::encode(root, blocks).map_err(ApiError::internal)
}

fn needed(log: &dyn LogReader, cid: Cid) -> Result<Vec<u8>, ApiError> {
    let missing = || ApiError::internal(format!("block {cid} of a chain is not published in the log"));
    published(log, cid)?.ok_or_else(missing)
}

fn published(log: &dyn LogReader, cid: Cid) -> Result<Option<Vec<u8>>, ApiError> {
    let Some(block) = log.published_block(&cid.to_bytes()).map_err(Unavailable::from)? else {
        return Ok(None);
    };
    let damaged = || ApiError::internal(format!("block {cid} of a chain is damaged"));
    if cid.names(block.bytes()) { Ok(Some(block.bytes().to_vec())) } else { Err(damaged()) }
}
