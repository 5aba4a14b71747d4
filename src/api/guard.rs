//! Who may talk to the API. A node on loopback is in reach of every web page its user opens, so a request must name this
//! host, and if a page of another origin sent it, that origin must be listed.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL,
    HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{Method, StatusCode, Uri};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, ResponseError, web};

use super::App;
use super::error::ApiError;

/// The hosts a request may always name, with any port.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];
/// Set by browsers, not by pages (W3C Fetch Metadata).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Who may talk to the API.
#[derive(Clone, Debug, Default)]
pub struct HttpSettings {
    /// Hosts a request may name besides loopback, as `dta.example` (any port) or `dta.example:5556`.
    pub allowed_hosts: Vec<String>,
    /// Origins whose pages may use the API, as `https://wallet.example`. There is no wildcard.
    pub cors_allow: Vec<String>,
}

/// Lets through what may come in, and puts the headers on every answer that all have.
pub(super) async fn guard<B: MessageBody + 'static>(
    app: web::Data<App>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let judged = judge(&app.http, request.uri(), request.headers());
    let (mut answer, origin) = match judged {
        Err(refused) => (request.into_response(refused.error_response()).map_into_right_body(), None),
        Ok(Some(origin)) if is_preflight(request.method(), request.headers()) => {
            (request.into_response(preflight()).map_into_right_body(), Some(origin))
        }
        Ok(origin) => (next.call(request).await?.map_into_left_body(), origin),
    };
    let headers = answer.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("dta-sequence, retry-after"));
        headers.insert(VARY, HeaderValue::from_static("origin"));
    }
    Ok(answer)
}

/// The listed origin that asks, if one does.
///
/// # Errors
/// 403 `host-not-allowed` or `origin-not-allowed`.
fn judge(settings: &HttpSettings, uri: &Uri, headers: &HeaderMap) -> Result<Option<HeaderValue>, ApiError> {
    let host = only(headers, &HOST).filter(|host| host_is_allowed(settings, host)).ok_or_else(|| {
        let text = "Host: must be localhost, 127.0.0.1, [::1] or one of the allowed hosts of this node";
        ApiError::new(StatusCode::FORBIDDEN, "host-not-allowed", text)
    })?;
    // A request target in absolute form names a host too, and goes before the header (RFC 9112, section 3.2.2).
    if uri.authority().is_some_and(|authority| !authority.as_str().eq_ignore_ascii_case(host)) {
        let text = "Host: is not the host of the request's target";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "host-not-allowed", text));
    }
    let foreign = || {
        let text = "Origin: pages of other origins must be listed in this node's settings (http.cors_allow)";
        ApiError::new(StatusCode::FORBIDDEN, "origin-not-allowed", text)
    };
    if headers.contains_key(ORIGIN) {
        let origin = only(headers, &ORIGIN).ok_or_else(foreign)?;
        if settings.cors_allow.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)) {
            return Ok(headers.get(ORIGIN).cloned());
        }
        if !is_origin_of(host, origin) {
            return Err(foreign());
        }
    }
    // A page's request without Origin (an image, a link) still says where the page is from.
    let from_here = |value: &HeaderValue| value == "same-origin" || value == "none";
    if headers.get_all(SEC_FETCH_SITE).all(from_here) { Ok(None) } else { Err(foreign()) }
}

/// The one value of a header; none if there are none, several, or it is not visible ASCII.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name);
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

fn host_is_allowed(settings: &HttpSettings, host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) => name,
        _ => host,
    };
    let is = |allowed: &str| allowed.eq_ignore_ascii_case(name) || allowed.eq_ignore_ascii_case(host);
    LOOPBACK.into_iter().any(|loopback| loopback.eq_ignore_ascii_case(name))
        || settings.allowed_hosts.iter().any(|allowed| is(allowed))
}

fn is_port(text: &str) -> bool {
    (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_origin_of(host: &str, origin: &str) -> bool {
    ["http://", "https://"]
        .into_iter()
        .filter_map(|scheme| origin.strip_prefix(scheme))
        .any(|authority| authority.eq_ignore_ascii_case(host))
}

fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, DELETE"))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, "content-type, idempotency-key, traceparent"))
        .insert_header((ACCESS_CONTROL_MAX_AGE, "600"))
        .finish()
}

#[cfg(test)]
mod tests;
