//! A signed answer: by the identity that the request is for, and bound to that very request.

use dta_crypto::{IdentityKeys, VerifyingKeys};

use super::PeerCallError;
use super::fields::{self, CONTENT_DIGEST, Header, SIGNATURE, SIGNATURE_INPUT};
use super::request::SignedRequest;
use super::signature::{self, Component, Input, LABEL};

/// What an answer's signature covers: itself, and the request with its signature (RFC 9421, section 2.4), which holds a
/// nonce: so it answers nothing else.
const STATUS: &str = r#""@status""#;
const DIGEST: &str = r#""content-digest""#;
const METHOD: &str = r#""@method";req"#;
const TARGET: &str = r#""@request-target";req"#;
const TO: &str = r#""dta-to";req"#;
const REQUEST: &str = r#""signature";req;key="dta""#;

/// The headers that sign an answer. The keys are those of the identity the request is for; `created_s`: seconds since
/// 1970, UTC.
pub fn sign(
    request: &SignedRequest,
    keys: &IdentityKeys,
    status: u16,
    body: &[u8],
    created_s: u64,
) -> [(&'static str, String); 3] {
    let digest = fields::content_digest(body);
    let parts = Parts::of(request, status);
    let components = parts.components(request, &digest);
    let input = Input::new(&components, created_s, None, request.to());
    let signature = fields::write_bytes(LABEL, &input.sign(&components, keys));
    [(SIGNATURE_INPUT, input.header()), (SIGNATURE, signature), (CONTENT_DIGEST, digest)]
}

/// Whether an answer is that of the identity the request is for, whose keys these are, to that request. Headers have
/// names in lower case. Its time is not judged: the request it is bound to is of now.
///
/// # Errors
/// What is missing or not as it must be.
pub fn verify(
    request: &SignedRequest,
    keys: &VerifyingKeys,
    status: u16,
    headers: &[Header],
    body: &[u8],
) -> Result<(), PeerCallError> {
    let digest = fields::read_digest(headers)?;
    let input = Input::read(headers, &[STATUS, DIGEST, METHOD, TARGET, TO, REQUEST], false)?;
    let signature = signature::read(headers)?;
    if input.keyid != request.to() {
        return Err(PeerCallError::OtherSigner(input.keyid));
    }
    let parts = Parts::of(request, status);
    input.verify(&parts.components(request, &digest), &signature, keys)?;
    if fields::content_digest(body) == digest { Ok(()) } else { Err(PeerCallError::Digest) }
}

/// Values that have to be written out first.
struct Parts {
    status: String,
    to: String,
    signature: String,
}

impl Parts {
    fn of(request: &SignedRequest, status: u16) -> Self {
        let signature = fields::item(&request.signature);
        Self { status: status.to_string(), to: request.to().to_string(), signature }
    }

    fn components<'a>(&'a self, request: &'a SignedRequest, digest: &'a str) -> [Component<'a>; 6] {
        [
            (STATUS, &self.status),
            (DIGEST, digest),
            (METHOD, &request.method),
            (TARGET, &request.target),
            (TO, &self.to),
            (REQUEST, &self.signature),
        ]
    }
}
