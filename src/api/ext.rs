//! Routes of the node's plugin: `GET` and `POST /v1/ext/<its name>/…`. They are clients' routes, guarded as all of those.

use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{CACHE_CONTROL, ContentType};
use actix_web::http::{Method, StatusCode};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use dta_plugins::Call;

use super::App;
use super::error::ApiError;
use super::posted::{BODY_BYTES_MAX, is_json, read};
use crate::actors::plugged::SERVE;

/// What a plugin answers is its own affair, also how long it holds.
const FOR_NOW: &str = "no-store";

/// The body of a call: JSON, if there is any.
pub(super) struct Body(Vec<u8>);

impl FromRequest for Body {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (payload, request) = (web::Payload::from_request(request, payload), request.clone());
        Box::pin(async move {
            if request.method() == Method::POST {
                is_json(request.headers())?;
            }
            Ok(Self(read(payload, request.headers(), BODY_BYTES_MAX).await?.to_vec()))
        })
    }
}

/// Hands a call to the plugin.
pub(super) async fn call(
    app: web::Data<App>,
    request: HttpRequest,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let plugin = &app.services.plugin;
    let no_route = || ApiError::new(StatusCode::NOT_FOUND, "not-found", "the plugin has no such route");
    if request.match_info().query("plugin") != plugin.name() {
        return Err(no_route());
    }
    let call = Call {
        method: request.method().as_str().to_owned(),
        path: request.match_info().query("path").to_owned(),
        query: request.query_string().to_owned(),
        body: body.0,
    };
    let reply =
        plugin.run(plugin.name(), SERVE, b"serve", move |plugin, given| plugin.serve(&call, given)).await?;
    let reply = reply.ok_or_else(no_route)?;
    let status = StatusCode::from_u16(reply.status).ok().filter(|status| status.as_u16() >= 200);
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Ok(HttpResponse::build(status)
        .insert_header((CACHE_CONTROL, FOR_NOW))
        .content_type(ContentType::json())
        .body(reply.body))
}
