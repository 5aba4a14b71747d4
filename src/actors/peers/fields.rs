//! The headers of a signed message, read strictly: each there once, short, and in its one canonical spelling.
//!
//! The library takes the last of two members of one name in silence and is lenient about base64, as RFC 9651 asks of a
//! parser. Here a field must be written as the library itself writes what it read, so that one message has one spelling.

use dta_protocol::Cid;
use sfv::{BareItem, Dictionary, FieldType, Item, ListEntry, Parser};
use sha2::{Digest, Sha256};

use super::PeerCallError;

/// A header as it came: its name in lower case, and its bytes.
pub type Header<'a> = (&'a str, &'a [u8]);

/// The digest of the body (RFC 9530).
pub const CONTENT_DIGEST: &str = "content-digest";
/// The identity that a request is for: its CID as text.
pub const DTA_TO: &str = "dta-to";
/// The signature (RFC 9421).
pub const SIGNATURE: &str = "signature";
/// What the signature covers (RFC 9421).
pub const SIGNATURE_INPUT: &str = "signature-input";

const SHA_256: &str = "sha-256";

/// The one value of a header, of at most `limit` bytes, all of them visible ASCII or spaces.
pub(super) fn only<'a>(
    headers: &[Header<'a>],
    header: &'static str,
    limit: usize,
) -> Result<&'a str, PeerCallError> {
    let mut values = headers.iter().filter(|(name, _)| *name == header).map(|(_, value)| *value);
    let value = values.next().ok_or(PeerCallError::Missing(header))?;
    if values.next().is_some() {
        return Err(PeerCallError::Doubled(header));
    }
    if value.len() > limit {
        return Err(PeerCallError::TooLong { part: header, limit });
    }
    let text = str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    text.ok_or(PeerCallError::NotCanonical(header))
}

/// The value of a dictionary that has this one member.
pub(super) fn member(
    header: &'static str,
    text: &str,
    name: &'static str,
) -> Result<ListEntry, PeerCallError> {
    let parsed = Parser::new(text).parse::<Dictionary>().ok();
    let mut members = parsed
        .filter(|members| members.serialize().as_deref() == Some(text))
        .ok_or(PeerCallError::NotCanonical(header))?;
    match (members.pop(), members.is_empty()) {
        (Some((key, value)), true) if key.as_str() == name => Ok(value),
        _ => Err(PeerCallError::Member { header, member: name }),
    }
}

/// The bytes of a dictionary that has this one member, which has no parameters.
pub(super) fn bytes<const N: usize>(
    header: &'static str,
    text: &str,
    name: &'static str,
    rule: &'static str,
) -> Result<[u8; N], PeerCallError> {
    let bytes = match member(header, text, name)? {
        ListEntry::Item(Item { bare_item: BareItem::ByteSequence(bytes), params }) if params.is_empty() => {
            bytes.try_into().ok()
        }
        _ => None,
    };
    bytes.ok_or(PeerCallError::Value { header, rule })
}

/// A dictionary with this one member.
pub(super) fn write_bytes(name: &str, bytes: &[u8]) -> String {
    format!("{name}={}", item(bytes))
}

/// Bytes as an item: base64 between colons.
pub(super) fn item(bytes: &[u8]) -> String {
    sfv::ItemSerializer::new().bare_item(bytes).finish()
}

/// The value of `Content-Digest` for a body.
pub fn content_digest(body: &[u8]) -> String {
    write_bytes(SHA_256, &Sha256::digest(body))
}

/// The value of `Content-Digest`; whether it is that of the body is [`content_digest`]'s to say, since the spelling is one.
pub(super) fn read_digest(headers: &[Header]) -> Result<String, PeerCallError> {
    let text = only(headers, CONTENT_DIGEST, 128)?;
    bytes::<32>(CONTENT_DIGEST, text, SHA_256, "a SHA-256 of 32 bytes")?;
    Ok(text.to_owned())
}

/// The value of `Dta-To`.
pub(super) fn read_to(headers: &[Header]) -> Result<Cid, PeerCallError> {
    let text = only(headers, DTA_TO, 64)?;
    identity(text).ok_or(PeerCallError::Value { header: DTA_TO, rule: "the CID of an identity" })
}

/// The CID of an identity, from its text.
pub(super) fn identity(text: &str) -> Option<Cid> {
    text.parse::<Cid>().ok().filter(|cid| cid.codec() == dta_protocol::Codec::DagCbor)
}
