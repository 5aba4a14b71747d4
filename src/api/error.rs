//! What a caller is told when there is no answer: a status, a text that names field and limit, and a stable code.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

/// Names the newest record behind an answer: the read models have it.
pub(super) const SEQUENCE: &str = "Dta-Sequence";
/// When to try again what cannot be done now, in seconds.
const RETRY_AFTER_SECONDS: u64 = 1;

/// An answer that says why there is none.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    /// The code of another node, which stands in the answer instead.
    peer_code: Option<String>,
    text: String,
    /// The record that tells of the refusal.
    pub(super) sequence: Option<u64>,
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    code: &'a str,
}

impl ApiError {
    /// With this status; `code` is kebab-case and stable, `text` for people.
    pub fn new(status: StatusCode, code: &'static str, text: impl Into<String>) -> Self {
        Self { status, code, peer_code: None, text: text.into(), sequence: None }
    }

    /// With a code that another node gave: 1 to 64 of `a-z`, `0-9` and `-`.
    pub(super) fn of_peer(status: StatusCode, code: String, text: String) -> Self {
        Self { peer_code: Some(code), ..Self::new(status, "refused-by-peer", text) }
    }

    /// A refusal that is recorded in the log.
    pub(super) fn recorded(self, sequence: u64) -> Self {
        Self { sequence: Some(sequence), ..self }
    }

    /// A value that may not be.
    pub fn invalid(code: &'static str, text: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, text)
    }

    /// What the node cannot do now; it may be asked again.
    pub fn unavailable(code: &'static str, text: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, text)
    }

    pub(super) fn stopping() -> Self {
        Self::unavailable("stopping", "the node is stopping")
    }

    pub(super) fn no_order() -> Self {
        Self::new(StatusCode::NOT_FOUND, "unknown-order", "there is no such order here")
    }

    pub(super) fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "unknown-route", "there is no such route")
    }

    /// The node's own fault: told to the log, not to the caller.
    pub(super) fn internal(why: impl fmt::Display) -> Self {
        tracing::error!(%why, "a request failed through the node's own fault");
        let text = "the node cannot answer because of a fault of its own; its log says more";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", text)
    }

    /// Its stable name.
    pub fn code(&self) -> &'static str {
        self.code
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status);
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            answer.insert_header((RETRY_AFTER, RETRY_AFTER_SECONDS.to_string()));
        }
        if let Some(sequence) = self.sequence {
            answer.insert_header((SEQUENCE, sequence.to_string()));
        }
        answer.json(Body { error: &self.text, code: self.peer_code.as_deref().unwrap_or(self.code) })
    }
}

/// The route is there, the method is not.
pub(super) fn method_not_allowed(allow: &'static str) -> HttpResponse {
    let error = format!("the methods of this route are {allow}");
    HttpResponse::MethodNotAllowed()
        .insert_header((ALLOW, allow))
        .json(Body { error: &error, code: "method-not-allowed" })
}
