//! The log's proof, for all to ask: `GET /v1/log/…`. Its paths are those of C2SP tlog-tiles under `/v1/log`, and two for
//! those who would rather have a proof than compute it. Nothing here is about more than the newest checkpoint says.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use dta_events::log::{Alarm, MISSING_STATEMENT, Missing, Tip};
use dta_proof::tile::Tile;
use dta_proof::{Hash, verifier_key};
use dta_protocol::Cid;
use serde::Serialize;

use super::App;
use super::error::ApiError;
use super::paging::{number, only, query_of};
use crate::actors::checkpoints::Published;
use crate::actors::log::{LogReader, ReadError};
use crate::actors::proofs::{self, Inclusion};
use crate::actors::unavailable::Unavailable;
use crate::time::rfc3339;

const TEXT: (&str, &str) = ("content-type", "text/plain; charset=utf-8");
/// Names the envelope of the checkpoint behind an answer.
const CHECKPOINT: &str = "Dta-Checkpoint";
/// A tile that is full never changes; the newest checkpoint does.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const FOR_NOW: &str = "no-store";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InclusionOf {
    sequence: u64,
    size: u64,
    root: String,
    /// DAG-CBOR.
    leaf: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    blind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    envelopes: Option<Vec<String>>,
    path: Vec<String>,
    #[serde(rename = "checkpointCID")]
    checkpoint: String,
}

#[derive(Serialize)]
struct Consistency {
    from: u64,
    to: u64,
    path: Vec<String>,
}

/// `GET /v1/log/checkpoint`: the newest signed note.
pub(super) async fn checkpoint(app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    let newest = newest(&app)?;
    Ok(HttpResponse::Ok()
        .insert_header(TEXT)
        .insert_header((CACHE_CONTROL, FOR_NOW))
        .insert_header((CHECKPOINT, newest.cid.to_string()))
        .body(newest.note.text().to_owned()))
}

/// `GET /v1/log/key`: the verifier key of the newest note (C2SP signed-note).
pub(super) async fn key(app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    let newest = newest(&app)?;
    let node = app.services.party(&app.services.node).await?;
    let key = verifier_key(&newest.note.origin(), &node.document);
    Ok(HttpResponse::Ok().insert_header(TEXT).body(key + "\n"))
}

/// `GET /v1/log/proof/inclusion?envelope=CID` or `?sequence=N`, and `&size=S`.
pub(super) async fn inclusion(request: HttpRequest, app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    let query = query_of(&request)?;
    let newest = newest(&app)?;
    let size = match only(&query, "size")? {
        None => newest.note.size(),
        Some(size) => upto(size, "size", 1, &newest)?,
    };
    let not_yet = || {
        let text = format!("the record is not in the tree of {size} records; a later checkpoint may have it");
        ApiError::new(StatusCode::NOT_FOUND, "not-in-tree", text)
    };
    let proof = match (only(&query, "envelope")?, only(&query, "sequence")?) {
        (Some(envelope), None) => {
            let envelope: Cid = envelope.parse().map_err(|error| {
                ApiError::invalid("envelope", format!("envelope: must be the CID of an envelope: {error}"))
            })?;
            let found = read(&app, move |log| proofs::of_envelope(log, &envelope, size)).await?;
            found.map_err(|later| if later { not_yet() } else { no_envelope() })?
        }
        (None, Some(sequence)) => {
            let sequence = number(sequence).ok_or_else(|| {
                ApiError::invalid("sequence", "sequence: must be that of a record, an integer from 0")
            })?;
            read(&app, move |log| proofs::of_record(log, sequence, size)).await?.ok_or_else(not_yet)?
        }
        _ => return Err(ApiError::invalid("query", "give one of envelope and sequence")),
    };
    let root = read(&app, move |log| proofs::root(log, size)).await?.ok_or_else(not_yet)?;
    let Inclusion { size, leaf, brought, path } = proof;
    let (blind, envelopes) = brought.map(|brought| (brought.blind, brought.envelopes)).unzip();
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, FOR_NOW)).json(InclusionOf {
        sequence: leaf.sequence,
        size,
        root: hex::encode(root),
        leaf: hex::encode(leaf.encode()),
        blind: blind.map(hex::encode),
        envelopes: envelopes.map(|all: Vec<Cid>| all.iter().map(Cid::to_string).collect()),
        path: in_hex(&path),
        checkpoint: newest.cid.to_string(),
    }))
}

/// `GET /v1/log/proof/consistency?from=A&to=B`; `to` is the newest checkpoint's size if it is not given.
pub(super) async fn consistency(request: HttpRequest, app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    let query = query_of(&request)?;
    let newest = newest(&app)?;
    let to = match only(&query, "to")? {
        None => newest.note.size(),
        Some(to) => upto(to, "to", 1, &newest)?,
    };
    let from = only(&query, "from")?.ok_or_else(|| ApiError::invalid("from", "from: is missing"))?;
    let from = upto(from, "from", 1, &newest)?;
    let wrong = || ApiError::invalid("from", format!("from: must be at most `to`, {to}, not {from}"));
    let path = read(&app, move |log| proofs::consistency(log, to, from)).await?.ok_or_else(wrong)?;
    Ok(HttpResponse::Ok().json(Consistency { from, to, path: in_hex(&path) }))
}

/// `GET /v1/log/tile/…`
pub(super) async fn tile(path: web::Path<String>, app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    let size = newest(&app)?.note.size();
    let none = || {
        let text = format!("there is no such tile of a tree of {size} records");
        ApiError::new(StatusCode::NOT_FOUND, "unknown-tile", text)
    };
    let tile = Tile::from_path(&path).ok_or_else(none)?;
    let bytes = read(&app, move |log| proofs::tile(log, &tile, size)).await?.ok_or_else(none)?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/octet-stream"))
        .insert_header((CACHE_CONTROL, FOR_EVER))
        .body(bytes))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WatchedOf {
    #[serde(rename = "idDocumentCID")]
    owner: String,
    /// The longest tree that all proved ones are the beginning of.
    proved: Option<TipOf>,
    /// Seen, and not proved yet.
    pending: Vec<TipOf>,
    /// What its notes show, then statements that it does not hold: of each the first ones, oldest first.
    alarms: Vec<AlarmOf>,
    statements: StatementsOf,
}

/// Of what those who live with its owner signed.
#[derive(Serialize)]
struct StatementsOf {
    /// What records of this node's log before this one brought is proved to stand there, or missing.
    settled: u64,
    /// How many are missing.
    missing: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TipOf {
    epoch: u64,
    size: u64,
    root: String,
    note: String,
    seen: String,
}

#[derive(Serialize)]
struct AlarmOf {
    code: &'static str,
    at: String,
    #[serde(flatten)]
    evidence: Evidence,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Evidence {
    /// Two notes that do not go together.
    Notes { known: TipOf, other: TipOf },
    /// A statement, and the note under which it is missing.
    Statement {
        #[serde(rename = "statementCID")]
        statement: String,
        accepted: String,
        under: TipOf,
    },
}

/// `GET /v1/log/watched`: what is known of the logs of others, and what is wrong with them.
pub(super) async fn watched(app: web::Data<App>) -> HttpResponse {
    let all = app.services.witness.all().into_iter().map(|(owner, watched)| WatchedOf {
        owner: owner.to_string(),
        proved: watched.proved.map(tip),
        pending: watched.pending.into_iter().map(tip).collect(),
        statements: StatementsOf { settled: watched.statements.settled, missing: watched.statements.missed },
        alarms: {
            let missing = watched.statements.missing.into_iter().map(missing);
            watched.alarms.into_iter().map(alarm).chain(missing).collect()
        },
    });
    HttpResponse::Ok().json(all.collect::<Vec<_>>())
}

fn tip(tip: Tip) -> TipOf {
    let Tip { epoch, size, root, note, seen_ms } = tip;
    TipOf { epoch, size, root: hex::encode(root), note, seen: rfc3339(seen_ms) }
}

fn alarm(alarm: Alarm) -> AlarmOf {
    let Alarm { code, at_ms, known, other } = alarm;
    let evidence = Evidence::Notes { known: tip(known), other: tip(other) };
    AlarmOf { code: code.as_str(), at: rfc3339(at_ms), evidence }
}

fn missing(missing: Missing) -> AlarmOf {
    let Missing { statement, accepted_ms, at_ms, under, .. } = missing;
    let (statement, accepted) = (statement.to_string(), rfc3339(accepted_ms));
    let evidence = Evidence::Statement { statement, accepted, under: tip(under) };
    AlarmOf { code: MISSING_STATEMENT, at: rfc3339(at_ms), evidence }
}

fn newest(app: &App) -> Result<Arc<Published>, ApiError> {
    let none = || ApiError::new(StatusCode::NOT_FOUND, "no-checkpoint", "there is no checkpoint yet");
    app.services.checkpoint.borrow().clone().ok_or_else(none)
}

fn no_envelope() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "unknown-envelope", "there is no such envelope in this log")
}

/// A size that the newest checkpoint covers.
fn upto(text: &str, name: &'static str, least: u64, newest: &Published) -> Result<u64, ApiError> {
    let most = newest.note.size();
    number(text).filter(|size| (least..=most).contains(size)).ok_or_else(|| {
        let text = format!("{name}: must be an integer from {least} to {most}, the newest checkpoint's size");
        ApiError::invalid(name, text)
    })
}

/// Reads the log off the worker's own thread.
async fn read<T: Send + 'static>(
    app: &App,
    ask: impl FnOnce(&dyn LogReader) -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ApiError> {
    let log = app.services.log.clone();
    let answer = web::block(move || ask(&*log)).await.map_err(|_| ApiError::stopping())?;
    Ok(answer.map_err(Unavailable::from)?)
}

fn in_hex(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(hex::encode).collect()
}
