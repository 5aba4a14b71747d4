//! Identities: `POST /v1/identity`, `GET /v1/identity`, `GET /v1/identity/{cid}`, `GET /v1/identity/{cid}/document`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use dta_projections::IdentityRow;
use dta_protocol::Cid;
use serde::Serialize;

use super::App;
use super::error::ApiError;
use super::paging::page_of;
use super::posted::Posted;
use crate::actors::identities::Create;

#[derive(Serialize)]
struct Created {
    #[serde(rename = "idDocumentCID")]
    cid: String,
}

#[derive(Serialize)]
struct List {
    #[serde(rename = "idDocumentList")]
    list: Vec<Identity>,
}

/// Keys in lower-case hex.
#[derive(Serialize)]
struct Identity {
    #[serde(rename = "idDocumentCID")]
    cid: String,
    /// Its name.
    #[serde(rename = "authenticationReference")]
    name: String,
    /// Compressed SEC1, 33 bytes.
    #[serde(rename = "beneficiaryECPublicKey")]
    secp256k1: String,
    #[serde(rename = "blsPublicKey")]
    bls: String,
    #[serde(rename = "kemPublicKey")]
    kem: String,
    #[serde(rename = "ed25519PublicKey")]
    ed25519: String,
    /// Whether its keys are on this node.
    hosted: bool,
    /// Unix seconds.
    timestamp: u64,
}

impl From<IdentityRow> for Identity {
    fn from(row: IdentityRow) -> Self {
        let known = row.known;
        Self {
            cid: known.cid.to_string(),
            name: known.name,
            secp256k1: hex::encode(known.secp256k1),
            bls: hex::encode(known.bls),
            kem: hex::encode(known.kem),
            ed25519: hex::encode(known.ed25519),
            hosted: row.hosted,
            timestamp: known.issued_at_ms / 1_000,
        }
    }
}

/// `POST /v1/identity`
pub(super) async fn create(app: web::Data<App>, posted: Posted) -> Result<HttpResponse, ApiError> {
    let Posted { mut fields, caller } = posted;
    let name = fields.required("name")?;
    let permit = app.services.permit()?;
    let created =
        app.identities.send(Create { name, caller, permit }).await.map_err(|_| ApiError::stopping())??;
    let mut answer = app.answer(StatusCode::OK, Some(created.sequence)).await;
    Ok(answer.json(Created { cid: created.cid.to_string() }))
}

/// `GET /v1/identity?page&perPage&sortBy`
pub(super) async fn list(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let page = page_of(&request)?;
    let rows = app.query(move |views| views.identities(page.page, page.per_page, page.ascending)).await?;
    Ok(HttpResponse::Ok().json(List { list: rows.into_iter().map(Identity::from).collect() }))
}

/// The media type of a block in DAG-CBOR.
const DAG_CBOR: &str = "application/vnd.ipld.dag-cbor";

/// `GET /v1/identity/{cid}/document`: the block itself, for the operators of other nodes to pin.
pub(super) async fn document(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let known = app.services.known(&named(&request)?).await?.ok_or_else(unknown)?;
    let block = known.document.envelope().block().to_vec();
    Ok(HttpResponse::Ok().content_type(DAG_CBOR).body(block))
}

fn unknown() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "unknown-identity", "there is no such identity here")
}

/// What is no CID names no identity either.
fn named(request: &HttpRequest) -> Result<Cid, ApiError> {
    request.match_info().query("cid").parse().map_err(|_| unknown())
}

/// `GET /v1/identity/{cid}`
pub(super) async fn one(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let cid = named(&request)?;
    let row = app.query(move |views| views.identity(&cid)).await?.ok_or_else(unknown)?;
    Ok(HttpResponse::Ok().json(Identity::from(row)))
}
