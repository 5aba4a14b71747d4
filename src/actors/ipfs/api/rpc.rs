//! The HTTP RPC of Kubo as far as blocks need it: every call is a POST with a time limit, and no answer is read further than
//! what it may have.

use std::time::Duration;

use dta_protocol::{Cid, Codec};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::actors::ipfs::ExchangeError;
use crate::actors::peers::PeerUrl;
use crate::http_client;

/// How long a call may take that waits for nobody else.
pub(super) const CALL: Duration = Duration::from_secs(20);
/// Bytes of an answer in JSON: who is connected is the longest.
const JSON_BYTES_MAX: usize = 1 << 20;
/// Bytes of a refusal that are looked at.
const REFUSAL_BYTES_MAX: usize = 2_048;

/// Where it is, and how it is spoken to.
pub(super) struct Rpc {
    http: Client,
    url: PeerUrl,
    authorization: Option<HeaderValue>,
}

/// What it answered instead of what was asked for.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The block is not in its store, and it was told to look nowhere else.
    NotHere,
    /// A block with more bytes than it may have; the rest was not read.
    TooLarge(usize),
    /// Anything else.
    Failed(ExchangeError),
}

impl From<Refusal> for ExchangeError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotHere => ExchangeError::Store("it does not have what it was asked for".into()),
            Refusal::TooLarge(bytes) => ExchangeError::Store(format!("it answered more than {bytes} bytes")),
            Refusal::Failed(error) => error,
        }
    }
}

impl Rpc {
    /// Without redirects, proxies or cookies.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub(super) fn new(url: PeerUrl, authorization: Option<HeaderValue>) -> Result<Self, reqwest::Error> {
        // Each call has a limit of its own.
        Ok(Self { http: http_client::client(|builder| builder)?, url, authorization })
    }

    /// An answer in JSON.
    pub(super) async fn json<T: DeserializeOwned>(&self, target: &str) -> Result<T, Refusal> {
        parsed(&self.call(target, None, CALL, JSON_BYTES_MAX).await?)
    }

    /// A call whose answer says nothing but that it was done.
    pub(super) async fn done(&self, target: &str) -> Result<(), Refusal> {
        self.call(target, None, CALL, JSON_BYTES_MAX).await.map(drop)
    }

    /// A block's bytes, at most this many.
    pub(super) async fn block(
        &self,
        target: &str,
        within: Duration,
        bytes_max: usize,
    ) -> Result<Vec<u8>, Refusal> {
        self.call(target, None, within, bytes_max).await
    }

    /// Stores a block; what it is stored under is checked. A block that is there stays.
    pub(super) async fn put(&self, cid: &Cid, bytes: &[u8]) -> Result<(), Refusal> {
        #[derive(Deserialize)]
        struct Put {
            #[serde(rename = "Key")]
            key: String,
        }
        let codec = match cid.codec() {
            Codec::DagCbor => "dag-cbor",
            Codec::Raw => "raw",
        };
        let target = format!("block/put?cid-codec={codec}&mhtype=sha2-256");
        let put: Put = parsed(&self.call(&target, Some((cid, bytes)), CALL, JSON_BYTES_MAX).await?)?;
        if put.key.parse::<Cid>().ok().as_ref() == Some(cid) {
            return Ok(());
        }
        Err(Refusal::Failed(ExchangeError::Store(format!("block {cid}: it was stored under another name"))))
    }

    async fn call(
        &self,
        target: &str,
        file: Option<(&Cid, &[u8])>,
        within: Duration,
        bytes_max: usize,
    ) -> Result<Vec<u8>, Refusal> {
        let address = self.url.join(&format!("/api/v0/{target}"));
        let address = address.ok_or_else(|| away(&"its address is none"))?;
        let mut request = self.http.post(address).timeout(within);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some((cid, bytes)) = file {
            let kind = format!("multipart/form-data; boundary={cid}");
            request = request.header(CONTENT_TYPE, kind).body(one_file(cid, bytes));
        }
        let response = request.send().await.map_err(|error| failed(error, within))?;
        match response.status() {
            StatusCode::OK => read(response, within, bytes_max).await,
            status => Err(refused(status, response, within).await),
        }
    }
}

/// A form with one file. Its boundary is the block's own CID, which no block can contain.
fn one_file(cid: &Cid, bytes: &[u8]) -> Vec<u8> {
    let head = format!(
        "--{cid}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"block\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    [head.as_bytes(), bytes, format!("\r\n--{cid}--\r\n").as_bytes()].concat()
}

/// Reads a body, and stops where it is too long.
async fn read(mut response: Response, within: Duration, bytes_max: usize) -> Result<Vec<u8>, Refusal> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(error, within))? {
        if body.len() + chunk.len() > bytes_max {
            return Err(Refusal::TooLarge(bytes_max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What a status other than 200 means. 500 with a message in JSON is how a command fails.
async fn refused(status: StatusCode, mut response: Response, within: Duration) -> Refusal {
    #[derive(Deserialize)]
    struct Said {
        #[serde(rename = "Message")]
        message: String,
    }
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await.map_err(|error| failed(error, within)) {
        body.extend_from_slice(&chunk);
        if body.len() > REFUSAL_BYTES_MAX {
            break;
        }
    }
    match (status, serde_json::from_slice::<Said>(&body)) {
        (StatusCode::INTERNAL_SERVER_ERROR, Ok(Said { message })) => judged(message),
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => {
            away(&format!("it answers {}: does it want another ipfs.api_token?", status.as_u16()))
        }
        _ => away(&format!("it answers {}: is ipfs.api the RPC of an IPFS node?", status.as_u16())),
    }
}

fn judged(message: String) -> Refusal {
    if message.contains("ipld: could not find") {
        return Refusal::NotHere;
    }
    Refusal::Failed(ExchangeError::Store(message))
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| away(&format!("it answers what is not asked for: {error}")))
}

fn failed(error: reqwest::Error, within: Duration) -> Refusal {
    if error.is_timeout() {
        return away(&format!("no answer within {} s", within.as_secs()));
    }
    away(&http_client::cause(error))
}

fn away(why: &dyn std::fmt::Display) -> Refusal {
    Refusal::Failed(ExchangeError::Away(why.to_string()))
}
