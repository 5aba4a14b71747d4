//! One RFC 9421 signature as this protocol uses it: which components it covers, its parameters, and the signature base.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dta_crypto::{IdentityKeys, VerifyingKeys};
use dta_protocol::Cid;
use sfv::{BareItem, InnerList, ListEntry, Parameters};

use super::PeerCallError;
use super::fields::{self, Header, SIGNATURE, SIGNATURE_INPUT};

/// The name of the signature in both headers.
pub const LABEL: &str = "dta";
/// What the signature is for.
pub const TAG: &str = "milagro-dta-peer";
/// The algorithm: Ed25519 (RFC 8032).
pub const ALGORITHM: &str = "ed25519";
/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 16;
/// Bytes of `Signature-Input`.
const INPUT_BYTES_MAX: usize = 512;
/// Bytes of `Signature`.
const SIGNATURE_BYTES_MAX: usize = 128;

/// A component's identifier as it stands in `Signature-Input`, and its value.
pub type Component<'a> = (&'static str, &'a str);

/// A request's nonce.
pub type Nonce = [u8; NONCE_BYTES];

/// What a signature says of itself: the value of `Signature-Input`.
#[derive(Clone, Debug)]
pub struct Input {
    /// Identifiers of the covered components, in the signer's order.
    components: Vec<String>,
    /// The components and parameters as the signer wrote them, which the signature covers too.
    text: String,
    /// When it was signed: seconds since 1970, UTC.
    pub created_s: u64,
    /// In requests.
    pub nonce: Option<Nonce>,
    /// The identity that signed.
    pub keyid: Cid,
}

impl Input {
    /// Says what will be signed.
    pub fn new(components: &[Component], created_s: u64, nonce: Option<Nonce>, keyid: Cid) -> Self {
        let components: Vec<String> = components.iter().map(|(name, _)| (*name).to_owned()).collect();
        let once = nonce.map(|nonce| format!(";nonce=\"{}\"", STANDARD.encode(nonce))).unwrap_or_default();
        let text = format!(
            r#"({});created={created_s}{once};keyid="{keyid}";alg="{ALGORITHM}";tag="{TAG}""#,
            components.join(" ")
        );
        Self { components, text, created_s, nonce, keyid }
    }

    /// Reads `Signature-Input`: exactly these components and parameters, in any order.
    ///
    /// # Errors
    /// The first thing that is not as prescribed.
    pub fn read(headers: &[Header], prescribed: &[&str], with_nonce: bool) -> Result<Self, PeerCallError> {
        let text = fields::only(headers, SIGNATURE_INPUT, INPUT_BYTES_MAX)?;
        let ListEntry::InnerList(InnerList { items, params }) = fields::member(SIGNATURE_INPUT, text, LABEL)?
        else {
            let rule = "a list of components";
            return Err(PeerCallError::Value { header: SIGNATURE_INPUT, rule });
        };
        let components: Vec<String> = items.iter().map(sfv::FieldType::serialize).collect();
        // As many as prescribed and each of them there: so none twice.
        let all_there = prescribed.iter().all(|name| components.iter().any(|there| there == name));
        if components.len() != prescribed.len() || !all_there {
            return Err(PeerCallError::Components);
        }
        let names: &[&str] = if with_nonce {
            &["created", "nonce", "keyid", "alg", "tag"]
        } else {
            &["created", "keyid", "alg", "tag"]
        };
        if params.len() != names.len() || !names.iter().all(|name| params.contains_key(*name)) {
            return Err(PeerCallError::Parameters);
        }
        let wrong = |name, rule| PeerCallError::Parameter { name, rule };
        if string(&params, "alg") != Some(ALGORITHM) {
            return Err(wrong("alg", ALGORITHM));
        }
        if string(&params, "tag") != Some(TAG) {
            return Err(wrong("tag", TAG));
        }
        let keyid = string(&params, "keyid")
            .and_then(fields::identity)
            .ok_or(wrong("keyid", "the CID of an identity"))?;
        let created_s = match params.get("created") {
            Some(BareItem::Integer(seconds)) => u64::try_from(*seconds).ok(),
            _ => None,
        };
        let created_s = created_s.ok_or(wrong("created", "whole seconds since 1970"))?;
        let read_nonce = || Nonce::try_from(STANDARD.decode(string(&params, "nonce")?).ok()?).ok();
        let nonce = match with_nonce {
            true => Some(read_nonce().ok_or(wrong("nonce", "16 bytes in base64"))?),
            false => None,
        };
        // The member without its name: what was just read as `dta=(…)…`.
        let text = text.get(LABEL.len() + 1..).unwrap_or_default().to_owned();
        Ok(Self { components, text, created_s, nonce, keyid })
    }

    /// The value of `Signature-Input`.
    pub fn header(&self) -> String {
        format!("{LABEL}={}", self.text)
    }

    /// The signature over these components.
    pub fn sign(&self, values: &[Component], keys: &IdentityKeys) -> [u8; 64] {
        keys.ed25519_sign(self.base(values).as_bytes())
    }

    /// Whether the signature is by these keys over these components.
    ///
    /// # Errors
    /// `Signature`.
    pub fn verify(
        &self,
        values: &[Component],
        signature: &[u8; 64],
        keys: &VerifyingKeys,
    ) -> Result<(), PeerCallError> {
        keys.verify_ed25519(self.base(values).as_bytes(), signature).map_err(|_| PeerCallError::Signature)
    }

    fn base(&self, values: &[Component]) -> String {
        let value =
            |name: &str| values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value);
        base(self.components.iter().map(|name| (name.as_str(), value(name))), &self.text)
    }
}

/// The signature base (RFC 9421, section 2.5): a line for each component, the last one for the parameters.
pub(super) fn base<'a>(components: impl Iterator<Item = (&'a str, &'a str)>, parameters: &str) -> String {
    let mut base: String = components.map(|(name, value)| format!("{name}: {value}\n")).collect();
    base.push_str("\"@signature-params\": ");
    base.push_str(parameters);
    base
}

/// Reads `Signature`.
pub(super) fn read(headers: &[Header]) -> Result<[u8; 64], PeerCallError> {
    let text = fields::only(headers, SIGNATURE, SIGNATURE_BYTES_MAX)?;
    fields::bytes(SIGNATURE, text, LABEL, "a signature of 64 bytes")
}

fn string<'a>(params: &'a Parameters, name: &str) -> Option<&'a str> {
    match params.get(name) {
        Some(BareItem::String(text)) => Some(text.as_str()),
        _ => None,
    }
}
