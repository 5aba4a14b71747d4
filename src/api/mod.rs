//! HTTP only: reads what comes in, hands it to actors and read models, and maps what they answer. No rules.
//!
//! ```text
//! guard ── Host, Origin, CORS            posted ── a JSON body with its idempotency key and its trace
//! json  ── fields by name                error  ── what a caller is told; refusal ── what the node's errors are as such
//! status identities orders secret history chain ── one file a resource; paging, time ── how they count
//! ```

mod chain;
mod error;
mod guard;
mod history;
mod identities;
mod json;
mod orders;
mod paging;
mod posted;
mod refusal;
mod secret;
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

use crate::actors::identities::Identities;
use crate::actors::orders::Desk;
use crate::actors::projector::ProjectorHandle;
use crate::actors::services::Services;
use crate::actors::views::{Queries, ViewsError};
use crate::node::PublishingHandle;

pub use error::ApiError;
pub use guard::HttpSettings;
pub use posted::BODY_BYTES_MAX;

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
    /// The read models.
    pub queries: Queries,
    /// How far the read models are.
    pub projector: ProjectorHandle,
    /// The node's services.
    pub services: Arc<Services>,
    /// What publishes on IPFS, if anything does.
    pub publishing: Option<PublishingHandle>,
    /// `multi`, `principal` or `fiduciary`.
    pub node_type: String,
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

/// The routes; they need a `web::Data<App>`.
pub fn configure(cfg: &mut web::ServiceConfig) {
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
        .service(resource("/v1/order", Some(get().to(orders::list)), Some(web::post().to(orders::place))))
        .service(resource("/v1/order/secret", None, Some(web::post().to(secret::redeem))))
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
    let routes = read.into_iter().chain(write);
    let other = web::to(move || async move { error::method_not_allowed(allow) });
    routes.fold(web::resource(path), Resource::route).default_service(other)
}

/// Serves the API on a listener that is bound already; the server runs when it is awaited or spawned. Signals are the
/// caller's.
///
/// # Errors
/// The listener cannot be used.
pub fn serve(app: App, listener: TcpListener, workers: usize) -> io::Result<Server> {
    let app = web::Data::new(app);
    let server = HttpServer::new(move || actix_web::App::new().app_data(app.clone()).configure(configure))
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
mod tests;
