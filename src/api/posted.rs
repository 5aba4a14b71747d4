//! A command as it is posted: one JSON object, whoever sends it, and under which idempotency key and trace.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use actix_web::{FromRequest, HttpRequest, web};
use dta_events::record::Request;
use sha2::{Digest, Sha256};

use super::App;
use super::error::ApiError;
use super::json::Fields;
use crate::actors::services::Caller;
use crate::contain::contain;
use crate::crash_points::{CrashPoint, reached};

/// Bytes of a JSON body.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Characters of an idempotency key.
pub const KEY_CHARS_MAX: usize = 255;
/// How long a client may take to send the body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Who calls, as long as nobody has to say.
pub(super) const BY: &str = "local";

/// A command.
pub(super) struct Posted {
    /// What its body says.
    pub(super) fields: Fields,
    /// Who sends it.
    pub(super) caller: Caller,
}

/// A command that is all in its method and path.
pub(super) struct Bare {
    /// Who sends it.
    pub(super) caller: Caller,
}

impl FromRequest for Bare {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(caller_of(request, &[]).map(|caller| Self { caller }))
    }
}

impl FromRequest for Posted {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (payload, request) = (web::Payload::from_request(request, payload), request.clone());
        Box::pin(async move {
            is_json(request.headers())?;
            let body = read(payload, request.headers(), BODY_BYTES_MAX).await?;
            let caller = caller_of(&request, &body)?;
            let fields = contain(|| Fields::read(&body)).map_err(ApiError::internal)??;
            reached(CrashPoint::CommandReceived);
            Ok(Self { fields, caller })
        })
    }
}

fn caller_of(request: &HttpRequest, body: &[u8]) -> Result<Caller, ApiError> {
    let app = request.app_data::<web::Data<App>>().ok_or_else(ApiError::stopping)?;
    let (method, path, headers) = (request.method().as_str(), request.path(), request.headers());
    Ok(Caller {
        by: BY.to_owned(),
        trace_id: trace_of(headers).unwrap_or_else(|| app.services.random()),
        request: request_of(method, path, headers, body)?
            .map(|request| Request { body: app.services.keyring.of_request(&request.body), ..request }),
    })
}

/// Reads a body of at most `bytes_max`, within 10 s.
///
/// # Errors
/// 413 `body-too-large`, 408 `body-timeout`, 400 `body-incomplete`.
pub(super) async fn read(
    payload: <web::Payload as FromRequest>::Future,
    headers: &HeaderMap,
    bytes_max: usize,
) -> Result<web::Bytes, ApiError> {
    let too_large = || {
        let text = format!("body: at most {bytes_max} bytes");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", text)
    };
    // A body that is announced as too long is not waited for.
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > bytes_max) {
        return Err(too_large());
    }
    let payload = payload.await.map_err(ApiError::internal)?;
    let body = tokio::time::timeout(BODY_TIMEOUT, payload.to_bytes_limited(bytes_max)).await;
    match body {
        Ok(Ok(Ok(body))) => Ok(body),
        Ok(Ok(Err(error))) => {
            Err(ApiError::new(StatusCode::BAD_REQUEST, "body-incomplete", format!("body: {error}")))
        }
        Ok(Err(_)) => Err(too_large()),
        Err(_) => {
            let text = format!("body: did not come within {} s", BODY_TIMEOUT.as_secs());
            Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "body-timeout", text))
        }
    }
}

/// `application/json`, with no charset or UTF-8. A page can send anything else across origins without being asked.
pub(super) fn is_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let is_json = |value: &str| {
        let mut parts = value.split(';').map(str::trim);
        let is_utf8 = |parameter: &str| match parameter.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        };
        parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/json")) && parts.all(is_utf8)
    };
    let mut values = headers.get_all(CONTENT_TYPE);
    let one = values.next().filter(|_| values.next().is_none());
    match one.and_then(|value| value.to_str().ok()).is_some_and(is_json) {
        true => Ok(()),
        false => {
            let text = "Content-Type: must be application/json in UTF-8";
            Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-type", text))
        }
    }
}

/// The request by its idempotency key, if it has one.
pub(super) fn request_of(
    method: &str,
    path: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Option<Request>, ApiError> {
    let mut keys = headers.get_all("idempotency-key");
    let Some(key) = keys.next() else { return Ok(None) };
    let key = key.as_bytes();
    let well_formed = (1..=KEY_CHARS_MAX).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic);
    if keys.next().is_some() || !well_formed {
        let text = format!("Idempotency-Key: must be one, of 1 to {KEY_CHARS_MAX} visible ASCII characters");
        return Err(ApiError::invalid("idempotency-key", text));
    }
    // No method holds a slash and no path an opening brace, so the three parts cannot be confused.
    let parts = [method.as_bytes(), path.as_bytes(), body];
    let body = parts.into_iter().fold(Sha256::new(), Sha256::chain_update).finalize();
    Ok(Some(Request { idempotency_key: Sha256::digest(key).into(), body: body.into() }))
}

/// The trace id of a valid `traceparent` (W3C Trace Context, level 1 and what later versions keep of it).
pub(super) fn trace_of(headers: &HeaderMap) -> Option<[u8; 16]> {
    let mut values = headers.get_all("traceparent");
    let value = values.next().filter(|_| values.next().is_none())?.to_str().ok()?;
    let (known, rest) = value.split_at_checked(55)?;
    let mut parts = known.split('-');
    let version: [u8; 1] = hex_of(parts.next()?)?;
    let trace: [u8; 16] = hex_of(parts.next()?)?;
    let parent: [u8; 8] = hex_of(parts.next()?)?;
    let _flags: [u8; 1] = hex_of(parts.next()?)?;
    let ends = match version {
        [0] => rest.is_empty(),
        [0xff] => false,
        _ => rest.is_empty() || rest.starts_with('-'),
    };
    (ends && parts.next().is_none() && trace != [0; 16] && parent != [0; 8]).then_some(trace)
}

fn hex_of<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    (lower && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}

#[cfg(test)]
mod tests;
