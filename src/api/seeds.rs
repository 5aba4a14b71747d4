//! Custody, for the operator: `GET /v1/seeds`, `/v1/seeds/list` and `/v1/seeds/reconciliation`; `POST /v1/seeds/rotate`,
//! `/v1/seeds/rewrap` and `/v1/seeds/verify`. No answer has a secret.

use std::collections::HashSet;

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use dta_events::order::Custody;
use dta_protocol::Cid;
use serde::Serialize;

use super::App;
use super::error::ApiError;
use super::paging::{only, query_of};
use super::posted::Posted;
use crate::actors::seeds::kek::Role;
use crate::actors::seeds::{CidBytes, CopyStatus, JobKind, JobStatus, KekStatus, SeedError, StoreStatus};
use crate::actors::unavailable::Unavailable;
use crate::actors::views::PAGE_ROWS_MAX;

/// What is told changes.
const FOR_NOW: &str = "no-store";
/// Orders that a reconciliation names on each side; the rest is counted.
const NAMED: usize = 1_000;

#[derive(Serialize)]
struct Seeds {
    /// The default one first.
    stores: Vec<Store>,
    job: Option<Job>,
}

#[derive(Serialize)]
struct Store {
    name: String,
    /// Whether new seeds go there.
    default: bool,
    used: u32,
    free: u32,
    shredded: u32,
    /// Numbers of slots that no copy can read.
    damaged: Vec<u32>,
    /// Orders about whose seed the copies disagree.
    conflicts: Vec<String>,
    /// Orders that a store before this one has a seed of, too.
    doubled: Doubled,
    copies: Vec<Copy>,
    keks: Vec<Kek>,
}

#[derive(Serialize)]
struct Doubled {
    orders: u32,
    /// The first hundred.
    told: Vec<String>,
}

#[derive(Serialize)]
struct Copy {
    folder: String,
    trouble: Option<String>,
}

#[derive(Serialize)]
struct Kek {
    id: String,
    kind: &'static str,
    role: &'static str,
    token: String,
    key: String,
    seeds: u32,
    trouble: Option<String>,
}

#[derive(Serialize)]
struct Job {
    kind: &'static str,
    done: u32,
    left: Option<u32>,
    ended: bool,
    trouble: Option<String>,
    faults: u32,
    told: Vec<Fault>,
}

#[derive(Serialize)]
struct Fault {
    #[serde(rename = "orderCID")]
    order: String,
    fault: String,
}

impl From<StoreStatus> for Store {
    fn from(StoreStatus { name, default, of, doubled }: StoreStatus) -> Self {
        let copy =
            |copy: CopyStatus| Copy { folder: copy.folder.display().to_string(), trouble: copy.trouble };
        Self {
            name,
            default,
            used: of.used,
            free: of.free,
            shredded: of.shredded,
            damaged: of.damaged,
            conflicts: of.conflicts.iter().map(named).collect(),
            doubled: Doubled { orders: doubled.orders, told: doubled.told.iter().map(named).collect() },
            copies: of.copies.into_iter().map(copy).collect(),
            keks: of.keks.into_iter().map(Kek::from).collect(),
        }
    }
}

impl From<KekStatus> for Kek {
    fn from(kek: KekStatus) -> Self {
        let KekStatus { id, kind, role, token, label, seeds, trouble } = kek;
        let (id, kind, role) = (hex::encode(id), kind.as_str(), role.as_str());
        Self { id, kind, role, token, key: label, seeds, trouble }
    }
}

impl From<JobStatus> for Job {
    fn from(job: JobStatus) -> Self {
        let JobStatus { kind, done, left, ended, trouble, faults, told } = job;
        let told = told.into_iter().map(|(placed, fault)| Fault { order: named(&placed), fault });
        Self { kind: kind.as_str(), done, left, ended, trouble, faults, told: told.collect() }
    }
}

fn named(placed: &CidBytes) -> String {
    Cid::from_bytes(placed).map_or_else(|_| hex::encode(placed), |cid| cid.to_string())
}

fn now(answer: impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, FOR_NOW)).json(answer)
}

/// `GET /v1/seeds`: each store, its copies, its key encryption keys, and the job under way or done last.
pub(super) async fn status(app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    let stores = app.services.seeds.status().await.map_err(Unavailable::Custody)?;
    let job = app.services.seeds.job().await.map_err(Unavailable::Custody)?;
    Ok(now(Seeds { stores: stores.into_iter().map(Store::from).collect(), job: job.map(Job::from) }))
}

#[derive(Serialize)]
struct List {
    seeds: Vec<Listed>,
    /// Where `?after=` goes on.
    next: Option<String>,
}

#[derive(Serialize)]
struct Listed {
    #[serde(rename = "orderCID")]
    order: String,
    /// Uncompressed SEC1 in hex.
    commitment: String,
}

/// `GET /v1/seeds/list?after=CID`: the orders whose seeds are here, in the order of their binary CIDs, 1,000 a page.
pub(super) async fn list(request: HttpRequest, app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    let query = query_of(&request)?;
    let after = match only(&query, "after")? {
        None => None,
        Some(text) => match text.parse::<Cid>() {
            Ok(cid) => Some(cid.to_bytes()),
            Err(error) => return Err(ApiError::invalid("after", format!("after: {error}"))),
        },
    };
    let mut seeds = app.services.seeds.list().await.map_err(Unavailable::Custody)?;
    seeds.retain(|seed| after.is_none_or(|after| seed.placed > after));
    seeds.sort_unstable_by_key(|seed| seed.placed);
    let more = seeds.len() > PAGE_ROWS_MAX as usize;
    seeds.truncate(PAGE_ROWS_MAX as usize);
    let next = seeds.last().filter(|_| more).map(|seed| named(&seed.placed));
    let listed = seeds
        .iter()
        .map(|seed| Listed { order: named(&seed.placed), commitment: hex::encode(seed.commitment) });
    Ok(now(List { seeds: listed.collect(), next }))
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Reconciliation {
    /// Seeds of orders that the log does not have.
    seeds_without_order: u64,
    /// Orders that cannot be released, since their seed is not here.
    orders_without_seed: u64,
    /// The first thousand of each.
    named: Vec<Odd>,
}

#[derive(Serialize)]
struct Odd {
    #[serde(rename = "orderCID")]
    order: String,
    lacks: &'static str,
}

/// `GET /v1/seeds/reconciliation`: what custody has and the log does not, and the other way round.
pub(super) async fn reconciliation(app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    // The log first: an order whose seed is made meanwhile is in the second and not needed by the first.
    let wanted = app.query(wanting_seeds).await?;
    let seeds = app.services.seeds.list().await.map_err(Unavailable::Custody)?;
    let here: HashSet<CidBytes> = seeds.iter().map(|seed| seed.placed).collect();
    let log = app.services.log.clone();
    let unknown = web::block(move || {
        let mut unknown = Vec::new();
        for seed in &seeds {
            if log.envelope(&seed.placed)?.is_none() {
                unknown.push(seed.placed);
            }
        }
        Ok::<_, crate::actors::log::ReadError>(unknown)
    });
    let unknown = unknown.await.map_err(|_| ApiError::stopping())?.map_err(Unavailable::from)?;
    let missing: Vec<CidBytes> = wanted.into_iter().filter(|placed| !here.contains(placed)).collect();
    let odd = |lacks| move |placed: &CidBytes| Odd { order: named(placed), lacks };
    let named = unknown.iter().take(NAMED).map(odd("order"));
    Ok(now(Reconciliation {
        seeds_without_order: unknown.len() as u64,
        orders_without_seed: missing.len() as u64,
        named: named.chain(missing.iter().take(NAMED).map(odd("seed"))).collect(),
    }))
}

/// Every order that needs its seed to go on: it has a commitment of ours, and was not released.
fn wanting_seeds(
    views: &crate::actors::views::Queries,
) -> Result<Vec<CidBytes>, crate::actors::views::ViewsError> {
    let mut wanted = Vec::new();
    for page in 0.. {
        let rows = views.orders(page, PAGE_ROWS_MAX, true)?;
        let needs = |order: &dta_events::order::Order| {
            order.custody() == Some(Custody::Seed) && order.commitment().is_some()
        };
        wanted.extend(
            rows.iter()
                .filter(|row| needs(&row.order))
                .filter_map(|row| Some(row.order.placed()?.to_bytes())),
        );
        if rows.len() < PAGE_ROWS_MAX as usize {
            break;
        }
    }
    Ok(wanted)
}

#[derive(Serialize)]
struct Rotated {
    store: String,
    #[serde(flatten)]
    kek: Kek,
}

/// `POST /v1/seeds/rotate` {`store`: its name, if there are several, `role`: `first` or `second`, `key`: a label}: a new key encryption key for new seeds.
pub(super) async fn rotate(app: web::Data<App>, posted: Posted) -> Result<HttpResponse, ApiError> {
    let Posted { mut fields, caller } = posted;
    let role = match fields.text("role")?.as_deref() {
        None | Some("first") => Role::First,
        Some("second") => Role::Second,
        Some(_) => return Err(ApiError::invalid("role", "role: must be first or second")),
    };
    let (store, key) = (fields.text("store")?, fields.text("key")?);
    let (store, made) = app.services.seeds.rotate(store, role, key).await.map_err(refused)?;
    tracing::warn!(
        by = caller.by,
        store,
        kek = hex::encode(made.id),
        role = role.as_str(),
        "a new key encryption key"
    );
    Ok(now(Rotated { store, kek: Kek::from(made) }))
}

/// `POST /v1/seeds/rewrap`: brings every seed under the key encryption keys in use, in the background; goes on where it was.
pub(super) async fn rewrap(app: web::Data<App>, posted: Posted) -> Result<HttpResponse, ApiError> {
    start(&app, posted, JobKind::Rewrap).await
}

/// `POST /v1/seeds/verify`: opens every seed and derives its key again, in the background.
pub(super) async fn verify(app: web::Data<App>, posted: Posted) -> Result<HttpResponse, ApiError> {
    start(&app, posted, JobKind::Verify).await
}

async fn start(app: &App, posted: Posted, kind: JobKind) -> Result<HttpResponse, ApiError> {
    tracing::info!(by = posted.caller.by, kind = kind.as_str(), "a job over all seeds");
    let job = app.services.seeds.start_job(kind).await.map_err(Unavailable::Custody)?;
    let answer = serde_json::to_value(Job::from(job)).map_err(ApiError::internal)?;
    Ok(HttpResponse::build(StatusCode::ACCEPTED).insert_header((CACHE_CONTROL, FOR_NOW)).json(answer))
}

/// What the caller can mend is said as it is; what only waiting mends, as custody always says it.
fn refused(error: SeedError) -> ApiError {
    let (text, code) = (error.to_string(), error.code());
    match error.cause() {
        SeedError::ManyKeks { .. } | SeedError::NoKek { .. } | SeedError::KekTaken { .. } => {
            ApiError::new(StatusCode::CONFLICT, code, text)
        }
        SeedError::LabelLong { .. } => ApiError::invalid("key", text),
        SeedError::NoStore { .. } | SeedError::WhichStore { .. } => ApiError::invalid("store", text),
        SeedError::Token(token) if is_of_the_key(token) => ApiError::new(StatusCode::CONFLICT, code, text),
        _ => Unavailable::Custody(error).into(),
    }
}

fn is_of_the_key(error: &dta_token::TokenError) -> bool {
    use dta_token::TokenError::{KeyAmbiguous, KeyUnfit};
    matches!(error, KeyAmbiguous { .. } | KeyUnfit { .. })
}
