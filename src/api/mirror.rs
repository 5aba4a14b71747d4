//! Copies of other nodes' chains: `GET /v1/mirror` and `GET /v1/mirror/proof`, for all to ask; `POST /v1/mirror/follow`,
//! `/v1/mirror/unfollow` and `/v1/mirror/check`, for the operator.

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use dta_protocol::Cid;
use serde::Serialize;

use super::App;
use super::error::ApiError;
use super::json::Fields;
use super::paging::{only, query_of};
use super::peers::granted;
use super::posted::Posted;
use crate::actors::follow::Replica;
use crate::actors::follow::check::{CheckError, Checked, SAMPLES_MAX, Verdict, proof};
use crate::actors::follow::said::SaidError;
use crate::actors::ipfs::ExchangeError;
use crate::actors::peers::PeerUrl;
use crate::actors::peers::pins::Wish;
use crate::actors::unavailable::Unavailable;

/// Bytes of a challenge.
const CHALLENGE_BYTES: std::ops::RangeInclusive<usize> = 16..=64;
/// Blocks that a check asks for, unless it is told.
const SAMPLES: u64 = 64;
/// What is held changes.
const FOR_NOW: &str = "no-store";

#[derive(Serialize)]
struct Mirror {
    /// Where others reach this node's IPFS node.
    ipfs: Vec<String>,
    following: Vec<Followed>,
}

#[derive(Serialize)]
struct Followed {
    #[serde(rename = "idDocumentCID")]
    identity: String,
    /// The newest checkpoint that is held whole, with all before it; null before the first.
    #[serde(rename = "checkpointCID")]
    checkpoint: Option<String>,
    number: Option<u64>,
    epoch: Option<u64>,
    size: Option<u64>,
    /// How many are held, those after the checkpoint too.
    blocks: u64,
    trouble: Option<String>,
}

/// `GET /v1/mirror`: whose chains are held here, and where they can be fetched.
pub(super) async fn mirror(app: web::Data<App>) -> HttpResponse {
    let ipfs = match &app.publishing {
        Some(publishing) => {
            publishing.standing().await.map(|standing| standing.addresses).unwrap_or_default()
        }
        None => Vec::new(),
    };
    let following = app.following.all().into_iter().map(|(identity, replica)| {
        let Replica { held, trouble } = replica;
        let whole = held.whole.as_ref();
        Followed {
            identity: identity.to_string(),
            checkpoint: whole.map(|whole| whole.cid.to_string()),
            number: whole.map(|whole| whole.number),
            epoch: whole.map(|whole| whole.epoch),
            size: whole.map(|whole| whole.size),
            blocks: held.blocks,
            trouble,
        }
    });
    let mirror = Mirror { ipfs, following: following.collect() };
    HttpResponse::Ok().insert_header((CACHE_CONTROL, FOR_NOW)).json(mirror)
}

#[derive(Serialize)]
struct Proof {
    cid: String,
    /// SHA-256(challenge ‖ block).
    sha256: String,
}

/// `GET /v1/mirror/proof?cid=CID&challenge=HEX`: proves that the block is here, whoever's it is. It is read now, from the IPFS
/// node's own store, or from the log that this node has published it with.
pub(super) async fn prove(request: HttpRequest, app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    let query = query_of(&request)?;
    let cid = only(&query, "cid")?.and_then(|text| text.parse::<Cid>().ok());
    let cid = cid.ok_or_else(|| ApiError::invalid("cid", "cid: must be the CID of a block"))?;
    let challenge = only(&query, "challenge")?.and_then(|text| hex::decode(text).ok());
    let challenge = challenge.filter(|bytes| CHALLENGE_BYTES.contains(&bytes.len())).ok_or_else(|| {
        let (least, most) = (CHALLENGE_BYTES.start(), CHALLENGE_BYTES.end());
        ApiError::invalid("challenge", format!("challenge: must be {least} to {most} bytes in hex"))
    })?;
    let block = stored(&app, cid).await?.ok_or_else(|| {
        ApiError::new(StatusCode::NOT_FOUND, "not-held", format!("block {cid} is not held here"))
    })?;
    let sha256 = hex::encode(proof(&challenge, &block));
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, FOR_NOW))
        .json(Proof { cid: cid.to_string(), sha256 }))
}

async fn stored(app: &App, cid: Cid) -> Result<Option<Vec<u8>>, ApiError> {
    if let Some(publishing) = &app.publishing
        && let Some(block) = publishing.exchange.stored(cid).await.map_err(away)?
    {
        return Ok(Some(block));
    }
    let log = app.services.log.clone();
    let read = web::block(move || log.published_block(&cid.to_bytes()));
    let block = read.await.map_err(|_| ApiError::stopping())?.map_err(Unavailable::from)?;
    Ok(block.filter(|block| cid.names(block.bytes())).map(|block| block.bytes().to_vec()))
}

fn away(error: ExchangeError) -> ApiError {
    tracing::warn!(%error, "a block is not read from the IPFS node");
    ApiError::unavailable("ipfs", "this node's IPFS node does not answer now")
}

/// `POST /v1/mirror/follow`
pub(super) async fn follow(app: web::Data<App>, posted: Posted) -> Result<HttpResponse, ApiError> {
    let Posted { mut fields, caller } = posted;
    let peer = peer_of(&app, &mut fields).await?;
    granted(&app, Wish::Follow(peer), caller).await.map(|(_, answer)| answer)
}

/// `POST /v1/mirror/unfollow`
pub(super) async fn unfollow(app: web::Data<App>, posted: Posted) -> Result<HttpResponse, ApiError> {
    let Posted { mut fields, caller } = posted;
    let peer = peer_of(&app, &mut fields).await?;
    granted(&app, Wish::Unfollow(peer), caller).await.map(|(_, answer)| answer)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CheckedOf {
    #[serde(rename = "idDocumentCID")]
    peer: String,
    #[serde(rename = "checkpointCID")]
    checkpoint: String,
    number: u64,
    /// The newest checkpoint of this node.
    newest: Option<u64>,
    held: usize,
    missing: Vec<String>,
    lying: Vec<String>,
    unanswered: Vec<String>,
}

/// `POST /v1/mirror/check`: has another node prove that it holds what this one has published.
pub(super) async fn check(app: web::Data<App>, posted: Posted) -> Result<HttpResponse, ApiError> {
    let Posted { mut fields, .. } = posted;
    let peer = peer_of(&app, &mut fields).await?;
    let samples = fields.integer("samples")?.unwrap_or(SAMPLES);
    if !(1..=SAMPLES_MAX).contains(&samples) {
        let text = format!("samples: must be an integer from 1 to {SAMPLES_MAX}");
        return Err(ApiError::invalid("samples", text));
    }
    let Checked { checkpoint, number, verdicts } = app.following.check(peer, samples).await?;
    let all = |wanted: Verdict| {
        let found = verdicts.iter().filter(move |(_, verdict)| **verdict == wanted);
        found.map(|(cid, _)| cid.to_string()).collect::<Vec<_>>()
    };
    Ok(HttpResponse::Ok().json(CheckedOf {
        peer: peer.to_string(),
        checkpoint: checkpoint.to_string(),
        number,
        newest: app.services.checkpoint.borrow().as_ref().map(|newest| newest.number),
        held: all(Verdict::Held).len(),
        missing: all(Verdict::Missing),
        lying: all(Verdict::Lying),
        unanswered: all(Verdict::Unanswered),
    }))
}

/// The peer in `peer`: the CID of an identity, or the URL that one is pinned with; if several are, the one whose log it is.
async fn peer_of(app: &App, fields: &mut Fields) -> Result<Cid, ApiError> {
    let text = fields.required("peer")?;
    if let Ok(cid) = text.parse::<Cid>() {
        return Ok(cid);
    }
    let url: PeerUrl = text.parse().map_err(|_| {
        ApiError::invalid("peer", "peer: must be the CID of an identity, or the URL that one is pinned with")
    })?;
    let pinned = app.services.peers.with_url().into_iter().filter(|(_, at)| at == url.as_str());
    let mut owners = Vec::new();
    for (peer, _) in pinned {
        if app.services.known(&peer).await?.is_some_and(|known| known.document.node() == peer) {
            owners.push(peer);
        }
    }
    match owners[..] {
        [peer] => Ok(peer),
        [] => Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "not-pinned",
            format!("peer: no identity that owns a log is pinned with the URL {}", url.as_str()),
        )),
        _ => Err(ApiError::new(
            StatusCode::CONFLICT,
            "peer-ambiguous",
            format!("peer: {} identities are pinned with the URL {}: give a CID", owners.len(), url.as_str()),
        )),
    }
}

impl From<CheckError> for ApiError {
    fn from(error: CheckError) -> Self {
        let text = error.to_string();
        match error {
            CheckError::NotAddressed(_) => ApiError::new(StatusCode::CONFLICT, "not-addressed", text),
            CheckError::Said(SaidError::Peer(_)) => {
                ApiError::new(StatusCode::BAD_GATEWAY, "mirror-unreachable", text)
            }
            CheckError::Said(SaidError::NoAnswer(_)) | CheckError::NoCheckpoint => {
                ApiError::new(StatusCode::BAD_GATEWAY, "mirror-malformed", text)
            }
            CheckError::NotFollowing => ApiError::new(StatusCode::CONFLICT, "mirror-not-following", text),
            CheckError::NothingYet => ApiError::new(StatusCode::CONFLICT, "mirror-empty", text),
            CheckError::UnknownCheckpoint(_) => {
                ApiError::new(StatusCode::BAD_GATEWAY, "mirror-unknown-checkpoint", text)
            }
            CheckError::Unavailable(why) => why.into(),
        }
    }
}
