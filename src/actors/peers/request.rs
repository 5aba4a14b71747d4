//! A signed request: signed by the caller, read and judged by the one it is for.

use dta_crypto::{IdentityKeys, VerifyingKeys};
use dta_protocol::Cid;

use super::PeerCallError;
use super::fields::{self, CONTENT_DIGEST, DTA_TO, Header, SIGNATURE, SIGNATURE_INPUT};
use super::signature::{self, Component, Input, LABEL, Nonce};

/// How far the clocks of two nodes may be apart, in seconds, either way; a request is remembered as long.
pub const CLOCK_SKEW_S: u64 = 300;
/// Bytes of a request's target.
pub const TARGET_BYTES_MAX: usize = 2_048;

/// What a request's signature covers.
const METHOD: &str = r#""@method""#;
const TARGET: &str = r#""@request-target""#;
const DIGEST: &str = r#""content-digest""#;
const TO: &str = r#""dta-to""#;

/// The head of a signed request. One that was read is not verified before [`SignedRequest::verify`] says so.
#[derive(Clone, Debug)]
pub struct SignedRequest {
    pub(super) method: String,
    pub(super) target: String,
    digest: String,
    to: Cid,
    input: Input,
    nonce: Nonce,
    pub(super) signature: [u8; 64],
}

/// What is to be signed.
#[derive(Clone, Copy)]
pub struct Draft<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// Path and query as the addressee will see them.
    pub target: &'a str,
    /// The body; empty in a GET.
    pub body: &'a [u8],
    /// Whose keys sign.
    pub from: Cid,
    /// Whom it is for.
    pub to: Cid,
    /// Seconds since 1970, UTC.
    pub created_s: u64,
    /// Random.
    pub nonce: Nonce,
}

impl SignedRequest {
    /// Signs a request.
    pub fn sign(draft: Draft, keys: &IdentityKeys) -> Self {
        let Draft { method, target, body, from, to, created_s, nonce } = draft;
        let digest = fields::content_digest(body);
        let to_text = to.to_string();
        let components = components(method, target, &digest, &to_text);
        let input = Input::new(&components, created_s, Some(nonce), from);
        let signature = input.sign(&components, keys);
        Self { method: method.to_owned(), target: target.to_owned(), digest, to, input, nonce, signature }
    }

    /// Reads the head of a request: method, target (path and query), headers with names in lower case.
    ///
    /// # Errors
    /// What is missing, doubled, too long or not as prescribed.
    pub fn read(method: &str, target: &str, headers: &[Header]) -> Result<Self, PeerCallError> {
        if target.len() > TARGET_BYTES_MAX {
            return Err(PeerCallError::TooLong { part: "target", limit: TARGET_BYTES_MAX });
        }
        let digest = fields::read_digest(headers)?;
        let to = fields::read_to(headers)?;
        let input = Input::read(headers, &[METHOD, TARGET, DIGEST, TO], true)?;
        let nonce = input.nonce.ok_or(PeerCallError::Parameters)?;
        let signature = signature::read(headers)?;
        Ok(Self { method: method.to_owned(), target: target.to_owned(), digest, to, input, nonce, signature })
    }

    /// The headers to send.
    pub fn headers(&self) -> [(&'static str, String); 4] {
        [
            (CONTENT_DIGEST, self.digest.clone()),
            (DTA_TO, self.to.to_string()),
            (SIGNATURE_INPUT, self.input.header()),
            (SIGNATURE, fields::write_bytes(LABEL, &self.signature)),
        ]
    }

    /// Who calls, if it verifies.
    pub fn caller(&self) -> Cid {
        self.input.keyid
    }

    /// Whom it is for.
    pub fn to(&self) -> Cid {
        self.to
    }

    /// When it was signed: seconds since 1970, UTC.
    pub fn created_s(&self) -> u64 {
        self.input.created_s
    }

    /// What makes it one of its kind.
    pub fn nonce(&self) -> &Nonce {
        &self.nonce
    }

    /// Whether the caller, whose keys these are, signed it, and not too long ago. `now_s`: seconds since 1970, UTC.
    ///
    /// # Errors
    /// `Signature`, else `Created`: only what is authentic is judged by its time.
    pub fn verify(&self, keys: &VerifyingKeys, now_s: u64) -> Result<(), PeerCallError> {
        let to = self.to.to_string();
        let components = components(&self.method, &self.target, &self.digest, &to);
        self.input.verify(&components, &self.signature, keys)?;
        let created_s = self.created_s();
        if created_s.abs_diff(now_s) > CLOCK_SKEW_S {
            return Err(PeerCallError::Created { created_s, now_s });
        }
        Ok(())
    }

    /// Whether this is the body that was signed.
    ///
    /// # Errors
    /// `Digest`.
    pub fn check_body(&self, body: &[u8]) -> Result<(), PeerCallError> {
        if fields::content_digest(body) == self.digest { Ok(()) } else { Err(PeerCallError::Digest) }
    }
}

fn components<'a>(method: &'a str, target: &'a str, digest: &'a str, to: &'a str) -> [Component<'a>; 4] {
    [(METHOD, method), (TARGET, target), (DIGEST, digest), (TO, to)]
}
