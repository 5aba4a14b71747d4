//! Calls another node: signs, sends, and believes only an answer that is signed by the one called.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dta_protocol::{Cid, Identity, car};
use reqwest::{Client, Method, Response, StatusCode};
use serde::Deserialize;
use thiserror::Error;

use super::fields::Header;
use super::request::{Draft, SignedRequest, TARGET_BYTES_MAX};
use super::signature::NONCE_BYTES;
use super::{PeerCallError, PeerUrl, answer};
use crate::actors::keyring::Known;
use crate::http_client;
use crate::ports::{Clock, Entropy};

/// The media type of what nodes send each other.
pub const CAR: &str = "application/vnd.ipld.car";
/// How long a call may take, its answer's body included.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes of a body, either way.
pub const BODY_BYTES_MAX: usize = car::MAX_CAR_BYTES;
/// Bytes of a refusal's code.
const CODE_BYTES_MAX: usize = 64;

/// Calls other nodes. One for the whole node: it keeps connections.
pub struct PeerClient {
    http: Client,
    clock: Arc<dyn Clock>,
    entropy: Mutex<Box<dyn Entropy + Send>>,
}

/// What a peer answered, signed: its status is 200 to 299.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAnswer {
    /// 200 to 299.
    pub status: u16,
    /// A CAR, or empty; not yet decoded.
    pub body: Vec<u8>,
}

/// Why there is no answer that counts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PeerError {
    /// The caller's keys are not here.
    #[error("from: {0} is not hosted here")]
    NotHosted(Cid),
    /// What is to be sent is larger than what a peer takes.
    #[error("body: at most {BODY_BYTES_MAX} bytes, not {0}")]
    BodyTooLarge(usize),
    /// The target would not be sent as it is written.
    #[error("target: must be a path and query of at most {TARGET_BYTES_MAX} bytes, written as they are sent")]
    Target,
    /// No connection, or it broke.
    #[error("the peer cannot be reached: {0}")]
    Unreachable(String),
    /// No whole answer in time.
    #[error("the peer did not answer within {} s", CALL_TIMEOUT.as_secs())]
    Timeout,
    /// More came than is taken; the rest was not read.
    #[error("the peer's answer has more bytes than are taken")]
    AnswerTooLarge,
    /// The answer is not signed by the one called, or not to this call: it counts as none.
    #[error("the answer (status {status}) is not the peer's: {why}")]
    Unauthentic {
        /// What it says its status is; anybody on the way may have written it.
        status: u16,
        /// What is wrong.
        #[source]
        why: PeerCallError,
    },
    /// The peer says no, signed.
    #[error("the peer refused: {status} {code}")]
    Refused {
        /// The status of its answer.
        status: u16,
        /// Its reason: at most 64 characters of a-z, 0-9 and hyphen; `unnamed` if it gave none such.
        code: String,
    },
}

impl PeerError {
    /// Whether the same may be sent again later. A refusal is final except where only the way there or the time was
    /// wrong: 401 (the call could not be verified or came twice), 404, 408, 429 and 5xx.
    pub fn is_retryable(&self) -> bool {
        match self {
            PeerError::NotHosted(_) | PeerError::BodyTooLarge(_) | PeerError::Target => false,
            PeerError::Unreachable(_)
            | PeerError::Timeout
            | PeerError::AnswerTooLarge
            | PeerError::Unauthentic { .. } => true,
            PeerError::Refused { status, .. } => {
                !(400..500).contains(status) || matches!(status, 401 | 404 | 408 | 429)
            }
        }
    }
}

impl PeerClient {
    /// Without redirects, proxies or cookies.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(clock: Arc<dyn Clock>, entropy: Box<dyn Entropy + Send>) -> Result<Self, reqwest::Error> {
        let http = http_client::client(|builder| builder.timeout(CALL_TIMEOUT))?;
        Ok(Self { http, clock, entropy: Mutex::new(entropy) })
    }

    /// Asks `to`, who is at `url`, in the name of `from`. `target`: path and query, as `/v1/fulfill/…`.
    ///
    /// # Errors
    /// No answer that counts, or a refusal.
    pub async fn get(
        &self,
        url: &PeerUrl,
        target: &str,
        from: &Known,
        to: &Identity,
    ) -> Result<PeerAnswer, PeerError> {
        self.call(Method::GET, url, target, from, to, Vec::new()).await
    }

    /// Sends a CAR to `to`, who is at `url`, in the name of `from`. `target`: path and query, as `/v1/fulfill/…`.
    ///
    /// # Errors
    /// No answer that counts, or a refusal.
    pub async fn post(
        &self,
        url: &PeerUrl,
        target: &str,
        from: &Known,
        to: &Identity,
        car: Vec<u8>,
    ) -> Result<PeerAnswer, PeerError> {
        self.call(Method::POST, url, target, from, to, car).await
    }

    /// Asks what everybody may know, unsigned: status and body, of at most `bytes_max`. Only what proves itself is to be believed.
    ///
    /// # Errors
    /// No whole answer.
    pub async fn fetch(
        &self,
        url: &PeerUrl,
        target: &str,
        bytes_max: usize,
    ) -> Result<(u16, Vec<u8>), PeerError> {
        let address = url.join(target).ok_or(PeerError::Target)?;
        let response = self.http.get(address).send().await.map_err(failed)?;
        let status = response.status().as_u16();
        Ok((status, read(response, bytes_max).await?))
    }

    async fn call(
        &self,
        method: Method,
        url: &PeerUrl,
        target: &str,
        from: &Known,
        to: &Identity,
        body: Vec<u8>,
    ) -> Result<PeerAnswer, PeerError> {
        let keys = from.keys.as_ref().ok_or(PeerError::NotHosted(from.cid()))?;
        if body.len() > BODY_BYTES_MAX {
            return Err(PeerError::BodyTooLarge(body.len()));
        }
        let address = url.join(target).filter(|_| target.len() <= TARGET_BYTES_MAX);
        let address = address.ok_or(PeerError::Target)?;
        let mut nonce = [0; NONCE_BYTES];
        self.entropy.lock().unwrap_or_else(PoisonError::into_inner).fill(&mut nonce);
        let created_s = self.clock.wall_ms() / 1_000;
        let (from, method_name) = (from.cid(), method.as_str());
        let draft = Draft { method: method_name, target, body: &body, from, to: to.cid(), created_s, nonce };
        let signed = SignedRequest::sign(draft, keys);

        let mut request = self.http.request(method, address);
        for (name, value) in signed.headers() {
            request = request.header(name, value);
        }
        if !body.is_empty() {
            request = request.header(reqwest::header::CONTENT_TYPE, CAR).body(body);
        }
        let response = request.send().await.map_err(failed)?;
        let status = response.status();
        let headers = response.headers().clone();
        let body = read(response, BODY_BYTES_MAX).await?;
        let headers: Vec<Header> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        answer::verify(&signed, to.verifying(), status.as_u16(), &headers, &body)
            .map_err(|why| PeerError::Unauthentic { status: status.as_u16(), why })?;
        judge(status, body)
    }
}

/// What a signed answer means.
fn judge(status: StatusCode, body: Vec<u8>) -> Result<PeerAnswer, PeerError> {
    let (is_success, status) = (status.is_success(), status.as_u16());
    if is_success {
        return Ok(PeerAnswer { status, body });
    }
    Err(PeerError::Refused { status, code: refusal_code(&body) })
}

/// The code of a refusal's body. The rest of it is a stranger's prose and is not kept.
pub(super) fn refusal_code(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        code: String,
    }
    let is_code = |code: &String| {
        (1..=CODE_BYTES_MAX).contains(&code.len())
            && code.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    };
    let refusal = serde_json::from_slice(body).ok();
    refusal.map(|refusal: Refusal| refusal.code).filter(is_code).unwrap_or_else(|| "unnamed".to_owned())
}

/// Reads a body, and stops where it is too long.
async fn read(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, PeerError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > bytes_max {
            return Err(PeerError::AnswerTooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn failed(error: reqwest::Error) -> PeerError {
    if error.is_timeout() {
        return PeerError::Timeout;
    }
    PeerError::Unreachable(http_client::cause(error))
}
