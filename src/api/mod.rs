//! HTTP only: reads what comes in, hands it to actors and read models, and maps what they answer. No rules.
//!
//! ```text
//! guard ── Host, Origin, CORS            posted ── a JSON body with its idempotency key and its trace
//! json  ── fields by name                error  ── what a caller is told; refusal ── what the node's errors are as such
//! fulfill ── what other nodes ask        commands ── cancel, dispute, retry, collect
//! peer_call ── a signed call of another node, and the answer it gets
//! log ── the log's proof, for all        mirror, blocks ── copies of chains: those held here, and what they are made of
//! status identities peers orders secret history chain ── one file a resource; paging, time ── how they count
//! ```

mod blocks;
mod chain;
mod commands;
mod error;
mod ext;
mod fulfill;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod guard;
mod history;
mod identities;
mod json;
mod log;
mod mirror;
mod orders;
mod paging;
pub mod peer_call;
mod peers;
mod posted;
mod refusal;
mod secret;
mod seeds;
mod status;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use actix_web::dev::Server;
use actix_web::http::StatusCode;
use actix_web::middleware::from_fn;
use actix_web::{HttpResponse, HttpResponseBuilder, HttpServer, Resource, Route, guard as on, web};

use dta_protocol::Cid;

use crate::actors::follow::Following;
use crate::actors::identities::Identities;
use crate::actors::orders::Desk;
use crate::actors::outbox::Outbox;
use crate::actors::peers::pins::Pins;
use crate::actors::projector::ProjectorHandle;
use crate::actors::services::Services;
use crate::actors::views::{Queries, ViewsError};
use crate::config::NodeType;
use crate::crash_points::{CrashPoint, reached};
use crate::node::PublishingHandle;

pub use error::ApiError;
pub use guard::HttpSettings;
pub use posted::{BODY_BYTES_MAX, KEY_CHARS_MAX};

/// How long a command's answer waits for the read models to have it.
const READ_OWN_WRITES: Duration = Duration::from_secs(2);
/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long a client may take to send the head of a request; the body has as long again (`posted`).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take to go once told to.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long requests under way may take once the server is told to stop.
const SHUTDOWN_SECONDS: u64 = 10;
/// Open connections of one worker.
const CONNECTIONS_MAX: usize = 1_024;
/// Threads of one worker that read the read models.
const READERS: usize = 4;

/// What the handlers work with.
pub struct App {
    /// Where commands on orders are handed in.
    pub desk: Arc<Desk>,
    /// Where commands on identities are handed in.
    pub identities: Addr<Identities>,
    /// Where pins are handed in.
    pub pins: Addr<Pins>,
    /// The read models.
    pub queries: Queries,
    /// How far the read models are.
    pub projector: ProjectorHandle,
    /// The node's services.
    pub services: Arc<Services>,
    /// Decides which routes there are.
    pub node_type: NodeType,
    /// Who keeps the keys of orders placed here.
    pub fiduciary: Cid,
    /// Where what is for other nodes is handed in.
    pub outbox: Arc<Outbox>,
    /// How long a command waits for a fiduciary elsewhere.
    pub order_wait: Duration,
    /// What publishes on IPFS, if anything does.
    pub publishing: Option<PublishingHandle>,
    /// Whose chains are copied here.
    pub following: Arc<Following>,
    /// Who may talk to it.
    pub http: HttpSettings,
}

impl App {
    /// Asks the read models, off the worker's own thread: each answer may come from the disk.
    async fn query<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Queries) -> Result<T, ViewsError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let queries = self.queries.clone();
        Ok(web::block(move || ask(&queries)).await.map_err(|_| ApiError::stopping())??)
    }

    /// Begins the answer to a command once its caller would read its own writes, or has waited long enough.
    async fn answer(&self, status: StatusCode, sequence: Option<u64>) -> HttpResponseBuilder {
        let mut answer = HttpResponse::build(status);
        if let Some(sequence) = sequence {
            self.wait_for(sequence).await;
            answer.insert_header((error::SEQUENCE, sequence.to_string()));
        }
        reached(CrashPoint::CommandAnswering);
        answer
    }

    /// What a command led to; a refusal that was recorded is in the read models before it is answered, too.
    async fn settled<T, E: Into<ApiError>>(&self, result: Result<T, E>) -> Result<T, ApiError> {
        let error = match result {
            Ok(done) => return Ok(done),
            Err(error) => error.into(),
        };
        if let Some(sequence) = error.sequence {
            self.wait_for(sequence).await;
        }
        Err(error)
    }

    async fn wait_for(&self, sequence: u64) {
        if let Err(why) = self.projector.wait_for(sequence, READ_OWN_WRITES).await {
            tracing::warn!(sequence, %why, "an answer does not wait for the read models");
        }
    }
}

/// Which routes an address serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// Those for people and programs.
    Clients,
    /// Those for other nodes.
    Peers,
    /// Both.
    All,
}

/// The routes of a node; they need a `web::Data<App>`.
pub fn configure(node_type: NodeType, surface: Surface) -> impl FnOnce(&mut web::ServiceConfig) {
    move |cfg| {
        proof_routes(cfg);
        if surface != Surface::Clients {
            peers_routes(cfg, node_type);
        }
        if surface != Surface::Peers {
            clients_routes(cfg, node_type);
        } else {
            cfg.default_service(web::to(async || peer_call::nothing_here()));
        }
    }
}

/// What everybody may know: what others verify the log by, and what is held of other nodes' chains. No Host or Origin is looked at.
fn proof_routes(cfg: &mut web::ServiceConfig) {
    cfg.service(resource("/v1/log/checkpoint", Some(get().to(log::checkpoint)), None))
        .service(resource("/v1/log/key", Some(get().to(log::key)), None))
        .service(resource("/v1/log/proof/inclusion", Some(get().to(log::inclusion)), None))
        .service(resource("/v1/log/proof/consistency", Some(get().to(log::consistency)), None))
        .service(resource("/v1/log/tile/{tile:.*}", Some(get().to(log::tile)), None))
        .service(resource("/v1/mirror", Some(get().to(mirror::mirror)), None))
        .service(resource("/v1/mirror/proof", Some(get().to(mirror::prove)), None));
}

/// What other nodes ask. No Host or Origin is looked at: a signature says who calls.
fn peers_routes(cfg: &mut web::ServiceConfig, node_type: NodeType) {
    // Every type may be a beneficiary, and is told how its orders go on.
    cfg.service(resource("/v1/fulfill/order/step", None, Some(web::post().to(fulfill::step))))
        .service(only("/v1/fulfill/log/note", [web::get().to(fulfill::note)], "GET"))
        .service(only("/v1/fulfill/log/blocks", [web::get().to(blocks::blocks)], "GET"));
    if node_type != NodeType::Principal {
        cfg.service(resource("/v1/fulfill/order", None, Some(web::post().to(fulfill::order))))
            .service(resource("/v1/fulfill/order/secret", None, Some(web::post().to(fulfill::secret))))
            .service(only("/v1/fulfill/order/deliveries", [web::get().to(fulfill::deliveries)], "GET"));
    }
}

fn clients_routes(cfg: &mut web::ServiceConfig, node_type: NodeType) {
    let orders = node_type != NodeType::Fiduciary;
    let routes = web::scope("")
        .wrap(from_fn(guard::guard))
        .service(resource("/v1/status", Some(get().to(status::status)), None))
        .service(resource("/v1/ready", Some(get().to(status::ready)), None))
        .service(resource(
            "/v1/identity",
            Some(get().to(identities::list)),
            Some(web::post().to(identities::create)),
        ))
        .service(resource("/v1/identity/{cid}", Some(get().to(identities::one)), None))
        .service(resource("/v1/identity/{cid}/document", Some(get().to(identities::document)), None))
        .service(resource("/v1/log/watched", Some(get().to(log::watched)), None))
        .service(resource("/v1/peer", Some(get().to(peers::list)), Some(web::post().to(peers::pin))))
        .service(taken_away("/v1/peer/{cid}", web::delete().to(peers::unpin)))
        .service(resource("/v1/seeds", Some(get().to(seeds::status)), None))
        .service(resource("/v1/seeds/list", Some(get().to(seeds::list)), None))
        .service(resource("/v1/seeds/reconciliation", Some(get().to(seeds::reconciliation)), None))
        .service(resource("/v1/seeds/rotate", None, Some(web::post().to(seeds::rotate))))
        .service(resource("/v1/seeds/rewrap", None, Some(web::post().to(seeds::rewrap))))
        .service(resource("/v1/seeds/verify", None, Some(web::post().to(seeds::verify))))
        .service(resource(
            "/v1/ext/{plugin}/{path:.*}",
            Some(get().to(ext::call)),
            Some(web::post().to(ext::call)),
        ))
        .service(resource("/v1/mirror/follow", None, Some(web::post().to(mirror::follow))))
        .service(resource("/v1/mirror/unfollow", None, Some(web::post().to(mirror::unfollow))))
        .service(resource("/v1/mirror/check", None, Some(web::post().to(mirror::check))))
        .service(resource(
            "/v1/order",
            Some(get().to(orders::list)),
            orders.then(|| web::post().to(orders::place)),
        ))
        // Every type may be a beneficiary.
        .service(resource("/v1/order/secret", None, Some(web::post().to(secret::redeem))))
        .service(resource("/v1/order/collect", None, Some(web::post().to(commands::collect))))
        .service(resource("/v1/order/{reference}/dispute", None, Some(web::post().to(commands::dispute))))
        .service(resource("/v1/order/{reference}/retry", None, Some(web::post().to(commands::retry))))
        .service(resource("/v1/order/{reference}/shred", None, Some(web::post().to(commands::shred))))
        .configure(|cfg| {
            if orders {
                let cancel = web::post().to(commands::cancel);
                cfg.service(resource("/v1/order/{reference}/cancel", None, Some(cancel)));
            }
        })
        .service(resource("/v1/order/{reference}", Some(get().to(orders::one)), None))
        .service(resource("/v1/order/{reference}/history", Some(get().to(history::history)), None))
        .service(resource("/v1/order/{reference}/chain", Some(get().to(chain::chain)), None))
        .default_service(web::to(async || Err::<HttpResponse, _>(ApiError::no_route())));
    cfg.service(routes);
}

fn get() -> Route {
    web::route().guard(on::Any(on::Get()).or(on::Head()))
}

fn resource(path: &str, read: Option<Route>, write: Option<Route>) -> Resource {
    let allow = match (&read, &write) {
        (Some(_), Some(_)) => "GET, HEAD, POST",
        (Some(_), None) => "GET, HEAD",
        _ => "POST",
    };
    only(path, read.into_iter().chain(write), allow)
}

/// A resource that is only deleted.
fn taken_away(path: &str, delete: Route) -> Resource {
    only(path, [delete], "DELETE")
}

fn only(path: &str, routes: impl IntoIterator<Item = Route>, allow: &'static str) -> Resource {
    let other = web::to(move || async move { error::method_not_allowed(allow) });
    routes.into_iter().fold(web::resource(path), Resource::route).default_service(other)
}

/// Serves routes on a listener that is bound already; the server runs when it is awaited or spawned. Signals are the
/// caller's.
///
/// # Errors
/// The listener cannot be used.
pub fn serve(
    app: web::Data<App>,
    listener: TcpListener,
    surface: Surface,
    workers: usize,
) -> io::Result<Server> {
    let server = HttpServer::new(move || {
        actix_web::App::new().app_data(app.clone()).configure(configure(app.node_type, surface))
    })
    .workers(workers.max(1))
    .worker_max_blocking_threads(READERS)
    .max_connections(CONNECTIONS_MAX)
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(REQUEST_TIMEOUT)
    .client_disconnect_timeout(DISCONNECT_TIMEOUT)
    .shutdown_timeout(SHUTDOWN_SECONDS)
    .disable_signals()
    .listen(listener)?;
    Ok(server.run())
}

#[cfg(test)]
pub(crate) mod tests;
