//! What the node says of itself: `GET /v1/status`, and whether it takes commands: `GET /v1/ready`.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::App;
use super::error::ApiError;
use crate::actors::ipfs::Standing;
use crate::actors::seeds::trouble_of;
use crate::actors::unavailable::Unavailable;
use crate::config::Connector;
use crate::time::rfc3339;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    application: &'static str,
    time_stamp: String,
    api_version: &'static str,
    #[serde(rename = "nodeCID")]
    node_cid: String,
    extension_vendor: &'static str,
    plugin: &'a str,
    node_type: &'a str,
    log_length: u64,
    projections: Vec<Projection>,
    custody: Custody,
    ipfs: Ipfs,
    checkpoint: Option<Checkpoint>,
    /// How many logs of others are watched, and what was found wrong with them: `GET /v1/log/watched` says more.
    watched: Watched,
}

#[derive(Serialize)]
struct Checkpoint {
    cid: String,
    number: u64,
    /// How many records it is about.
    size: u64,
}

#[derive(Serialize)]
struct Watched {
    logs: usize,
    alarms: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Projection {
    name: &'static str,
    /// The sequence of the record it takes next.
    position: u64,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    halted: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Custody {
    /// `ready`; `degraded`: a copy is away, so that no order is taken, or the log lacks orders that have seeds; `unavailable`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seeds: Option<u32>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Ipfs {
    /// `embedded` or `api`; or `none`: then the rest is not there.
    connector: &'static str,
    /// None while the node is away.
    #[serde(flatten)]
    standing: Option<StandingOf>,
    /// How many records' blocks are not copied there yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    backlog: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StandingOf {
    peer_id: String,
    /// Where others reach it, as they give it in their `ipfs.peers`.
    addresses: Vec<String>,
    connected_peers: Vec<String>,
}

impl From<Standing> for StandingOf {
    fn from(standing: Standing) -> Self {
        let Standing { peer_id, addresses, connected: connected_peers } = standing;
        Self { peer_id, addresses, connected_peers }
    }
}

/// `GET /v1/status`
pub(super) async fn status(app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    let services = &app.services;
    let head = services.log.head().map_err(Unavailable::from)?;
    let checkpoint = services.checkpoint.borrow().clone();
    let projections = app.projector.status().into_iter().map(|one| Projection {
        name: one.name,
        position: one.position,
        digest: hex::encode(one.digest),
        halted: one.halted,
    });
    Ok(HttpResponse::Ok().json(Status {
        application: "milagro-dta",
        time_stamp: rfc3339(services.clock.wall_ms()),
        api_version: "v1",
        node_cid: services.node.to_string(),
        extension_vendor: "Milagro",
        plugin: services.plugin.name(),
        node_type: app.node_type.as_str(),
        log_length: head.count,
        projections: projections.collect(),
        custody: custody(&app).await,
        ipfs: ipfs(&app, head.count).await,
        checkpoint: checkpoint.map(|newest| Checkpoint {
            cid: newest.cid.to_string(),
            number: newest.number,
            size: newest.note.size(),
        }),
        watched: Watched { logs: services.witness.all().len(), alarms: services.witness.alarms() },
    }))
}

async fn ipfs(app: &App, records: u64) -> Ipfs {
    let Some(publishing) = &app.publishing else {
        return Ipfs { connector: Connector::None.as_str(), ..Ipfs::default() };
    };
    let mirror = publishing.mirror.status();
    let (standing, away) = match publishing.standing().await {
        Ok(standing) => (Some(standing), None),
        Err(error) => (None, Some(error.to_string())),
    };
    Ipfs {
        connector: publishing.connector.as_str(),
        standing: standing.map(StandingOf::from),
        backlog: Some(records.saturating_sub(mirror.mirrored)),
        failing_since: mirror.trouble.as_ref().map(|trouble| rfc3339(trouble.since_ms)),
        last_error: mirror.trouble.map(|trouble| trouble.error).or(away),
    }
}

async fn custody(app: &App) -> Custody {
    match app.services.seeds.status().await {
        Ok(stores) => {
            let lost = app.services.unknown_seeds;
            let lost =
                (lost > 0).then(|| format!("{lost} of the newest seeds are of orders that the log lacks"));
            let trouble: Vec<_> = trouble_of(&stores).into_iter().chain(lost).collect();
            let trouble = (!trouble.is_empty()).then(|| trouble.join("; "));
            let state = if trouble.is_some() { "degraded" } else { "ready" };
            Custody { state, trouble, seeds: Some(stores.iter().map(|store| store.of.used).sum()) }
        }
        Err(error) => Custody { state: "unavailable", trouble: Some(error.code().to_owned()), seeds: None },
    }
}

/// `GET /v1/ready`: 200 while the log can be read and appended to, else 503; a node that stops no longer listens. A custody or a read model
/// in trouble is told by the status and by those requests that need it; the rest works.
pub(super) async fn ready(app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    // It waits for a commit under way: not on a thread that serves others.
    let log = app.services.log.clone();
    let ready = web::block(move || {
        log.head().map_err(Unavailable::from)?;
        log.writable().map_err(Unavailable::NotWritten)
    });
    ready.await.map_err(|_| ApiError::stopping())??;
    Ok(HttpResponse::Ok().json(serde_json::json!({ "ready": true })))
}
