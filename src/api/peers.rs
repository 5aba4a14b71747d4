//! Whom this node's operator trusts: `POST /v1/peer`, `GET /v1/peer`, `DELETE /v1/peer/{cid}`.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dta_events::order::Command;
use dta_events::record::{Aggregate, AggregateKind};
use dta_projections::PeerRow;
use dta_protocol::{Cid, Identity};
use serde::Serialize;

use super::App;
use super::error::ApiError;
use super::json::Fields;
use super::paging::page_of;
use super::posted::{BY, Bare, Posted};
use crate::actors::crypto_pool::Priority;
use crate::actors::peers::pins::{Granted, Tell, Wish};
use crate::actors::peers::url::{PeerUrl, PeerUrlError};
use crate::actors::services::Caller;
use crate::actors::unavailable::Unavailable;
use crate::contain::contain;

/// How long an identity is looked for on IPFS.
const LOOKUP: Duration = Duration::from_secs(5);
/// Deliveries that a pin resumes; the timers find none of the others, `dta order retry` and `collect` do.
const RESUMED_MAX: usize = 10_000;
/// Parties that wait for something, among which a pin looks for those who live with the pinned one.
const PARTIES_MAX: usize = 100_000;

#[derive(Serialize)]
struct Named {
    #[serde(rename = "idDocumentCID")]
    cid: String,
}

#[derive(Serialize)]
struct List {
    #[serde(rename = "peerList")]
    list: Vec<Peer>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Peer {
    #[serde(rename = "idDocumentCID")]
    cid: String,
    /// What the identity calls itself.
    #[serde(rename = "authenticationReference")]
    name: String,
    /// Where its node serves peer calls; absent if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Unix seconds.
    pinned_at: u64,
    /// Whether a copy of its log is kept here; absent if not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    followed: bool,
}

/// `POST /v1/peer`: pins an identity by its document, or by its CID alone if it is known here or found on IPFS. What is
/// outstanding for it is then brought to where it serves.
pub(super) async fn pin(app: web::Data<App>, posted: Posted) -> Result<HttpResponse, ApiError> {
    let Posted { mut fields, caller } = posted;
    let url = url_of(&mut fields)?;
    let named = fields.cid("idDocumentCID")?;
    let document = fields.text("document")?.filter(|text| !text.is_empty());
    let wish = match (document, named) {
        (Some(document), named) => {
            let document = verified(&app, document).await?;
            if named.is_some_and(|named| named != document.cid()) {
                let text = format!("document: is not the one of idDocumentCID but {}", document.cid());
                return Err(ApiError::invalid("document-mismatch", text));
            }
            Wish::PinDocument(Box::new(document), url)
        }
        // The operator names it, so it is looked for; what a CID names cannot be anything else.
        (None, Some(named)) => match found_on_ipfs(&app, named).await? {
            Some(document) => Wish::PinDocument(Box::new(document), url),
            None => Wish::Pin(named, url),
        },
        (None, None) => {
            let text = "idDocumentCID: must not be empty, unless there is a document";
            return Err(ApiError::invalid("field-missing", text));
        }
    };
    let (identity, answer) = granted(&app, wish, caller).await?;
    if app.services.peers.pinned(&identity).is_some_and(|pin| pin.url.is_some()) {
        actix_web::rt::spawn(resume(app, identity));
    }
    Ok(answer)
}

/// `DELETE /v1/peer/{cid}`
pub(super) async fn unpin(
    app: web::Data<App>,
    request: HttpRequest,
    bare: Bare,
) -> Result<HttpResponse, ApiError> {
    // What is no CID is not pinned either.
    let cid: Cid = request.match_info().query("cid").parse().map_err(|_| {
        ApiError::new(StatusCode::NOT_FOUND, "not-pinned", "there is no such identity among the pinned")
    })?;
    granted(&app, Wish::Unpin(cid), bare.caller).await.map(|(_, answer)| answer)
}

/// `GET /v1/peer?page&perPage&sortBy`
pub(super) async fn list(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let page = page_of(&request)?;
    let rows = app.query(move |views| views.peers(page.page, page.per_page, page.ascending)).await?;
    let peer = |(row, name): (PeerRow, String)| Peer {
        cid: row.identity.to_string(),
        name,
        url: row.url,
        pinned_at: row.since_ms / 1_000,
        followed: row.followed,
    };
    Ok(HttpResponse::Ok().json(List { list: rows.into_iter().map(peer).collect() }))
}

/// Hands in a wish; whose pin it is about, and the answer once it is granted.
pub(super) async fn granted(app: &App, wish: Wish, caller: Caller) -> Result<(Cid, HttpResponse), ApiError> {
    let permit = app.services.permit()?;
    let told = app.pins.send(Tell { wish, caller, permit }).await.map_err(|_| ApiError::stopping())?;
    let Granted { identity, sequence } = app.settled(told).await?;
    let mut answer = app.answer(StatusCode::OK, sequence).await;
    Ok((identity, answer.json(Named { cid: identity.to_string() })))
}

/// Has what waits for an address brought to a peer that now has one: what is for itself, and for those who live there.
async fn resume(app: web::Data<App>, peer: Cid) {
    let parties = match app.query(move |views| views.waiting_parties(PARTIES_MAX)).await {
        Ok(parties) => parties,
        Err(error) => return tracing::warn!(%error, "the pin of a peer resumes nothing"),
    };
    let mut left = RESUMED_MAX;
    for party in parties {
        if left == 0 {
            return;
        }
        let lives_there = match app.services.known(&party).await {
            Ok(known) => known.is_some_and(|known| known.document.lives_with(&peer)),
            Err(error) => {
                tracing::debug!(%error, %party, "whether deliveries go to a new pin is not known");
                false
            }
        };
        if lives_there {
            left -= resume_for(&app, party, left).await;
        }
    }
}

/// Answers how many deliveries it resumed, or tried to.
async fn resume_for(app: &App, party: Cid, limit: usize) -> usize {
    let steps = app.query(move |views| views.outstanding(&party, None, limit)).await.unwrap_or_default();
    for step in &steps {
        let order = Aggregate { kind: AggregateKind::Order, id: step.order };
        let caller = Caller { by: BY.to_owned(), trace_id: app.services.random(), request: None };
        match app.desk.settle(order, Command::Resume, caller).await {
            Ok(_) => app.outbox.consider(order),
            Err(error) => tracing::debug!(%error, "a delivery is not resumed by the pin of its party"),
        }
    }
    steps.len()
}

/// The document of an identity that is not known here, from a connected IPFS peer.
async fn found_on_ipfs(app: &App, cid: Cid) -> Result<Option<Identity>, ApiError> {
    let (None, Some(publishing)) = (app.services.known(&cid).await?, &app.publishing) else {
        return Ok(None);
    };
    match publishing.exchange.get(cid, LOOKUP).await {
        Ok(block) => decoded(app, block).await.map(Some),
        Err(error) => {
            tracing::debug!(%error, %cid, "an identity is not found on IPFS");
            Ok(None)
        }
    }
}

fn url_of(fields: &mut Fields) -> Result<Option<PeerUrl>, ApiError> {
    let Some(text) = fields.text("url")?.filter(|text| !text.is_empty()) else { return Ok(None) };
    text.parse().map(Some).map_err(|error: PeerUrlError| ApiError::invalid(error.code(), error.to_string()))
}

/// The identity in a document as it is posted; a few milliseconds of arithmetic on bytes from outside.
async fn verified(app: &App, text: String) -> Result<Identity, ApiError> {
    decoded(app, block_of(&text)?).await
}

async fn decoded(app: &App, block: Vec<u8>) -> Result<Identity, ApiError> {
    let verified = move || contain(|| Identity::decode(&block));
    let decoded =
        app.services.crypto.run(Priority::Interactive, verified).await.map_err(Unavailable::from)?;
    decoded
        .map_err(ApiError::internal)?
        .map_err(|error| ApiError::invalid(error.code(), format!("document: {error}")))
}

/// In hex or in base64 (RFC 4648, section 4). No document is both: its first byte is a2, and base64 of that is `o`.
fn block_of(text: &str) -> Result<Vec<u8>, ApiError> {
    hex::decode(text).or_else(|_| STANDARD.decode(text)).map_err(|_| {
        let text = "document: must be the bytes of an identity's block in hex or base64";
        ApiError::invalid("field-document", text)
    })
}
