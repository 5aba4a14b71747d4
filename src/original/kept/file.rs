//! The format of `original.json`: what was taken over, each seed sealed, and all that is said of it bound to that.
//!
//! Keys: `format` (1); `identities`, each with `cid`, `name`, `ofNode`, `ecPublicKey` (33 bytes) and `seed`; `orders`, each with `reference`,
//! `commitment` (65 bytes), `checked`, `seed`, and, if known, `document`, `changed`, `beneficiary`, `coin`, `promised` (the commitment that the client has: 33
//! or 65 bytes) and `addend` (whose EC key the promised one is a sum with). A `seed` is `nonce` (12 bytes) and `ciphertext`: AES-256-GCM under the 32 bytes of the
//! node's seed for the purpose `original`. Bytes are in lower-case hex.
//!
//! Associated data: `milagro-dta/v1/original` ‖ 00 ‖ the kind of entry and each of its texts in the order of the structs below, each after its
//! length (8, little-endian); what is not known is empty.

use dta_crypto::{Entropy, Secret, SecretBytes, at_rest};
use serde::{Deserialize, Serialize};

use super::KeptError;

const FORMAT: u32 = 1;
const DOMAIN: &[u8] = b"milagro-dta/v1/original\0";
/// A million orders, and more than the original's store may have.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Format1 {
    format: u32,
    pub identities: Vec<KeptIdentity>,
    pub orders: Vec<KeptOrder>,
}

/// An identity.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeptIdentity {
    pub cid: String,
    pub name: String,
    pub of_node: bool,
    pub ec_public_key: String,
    pub seed: Sealed,
}

/// What came of comparing an order's seed with the commitment that its client has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Nobody said what the client has.
    Unchecked,
    /// The seed gives it.
    Matches,
    /// The seed's key and an identity's EC key add up to it.
    Sum,
    /// It is a sum with a key that is not here.
    OtherAddend,
    /// The seed does not give it.
    Differs,
}

impl Check {
    /// As it stands in the file and on the terminal.
    pub fn as_str(self) -> &'static str {
        match self {
            Check::Unchecked => "unchecked",
            Check::Matches => "matches",
            Check::Sum => "sum",
            Check::OtherAddend => "other-addend",
            Check::Differs => "differs",
        }
    }
}

/// An order.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeptOrder {
    pub reference: String,
    pub commitment: String,
    pub checked: Check,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promised: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addend: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beneficiary: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coin: Option<String>,
    pub seed: Sealed,
}

/// A seed, sealed.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    nonce: String,
    ciphertext: String,
}

impl Sealed {
    pub fn seal(key: &Secret<32>, associated: &[u8], seed: &[u8], entropy: &mut dyn Entropy) -> Self {
        let mut nonce = [0; at_rest::NONCE_BYTES];
        entropy.fill(&mut nonce);
        let ciphertext = at_rest::seal_at_rest(key, &nonce, associated, seed);
        Self { nonce: hex::encode(nonce), ciphertext: hex::encode(ciphertext) }
    }

    /// The seed; `None` if it, or anything that it is bound to, is not as it was sealed.
    pub fn open(&self, key: &Secret<32>, associated: &[u8]) -> Option<SecretBytes> {
        let mut nonce = [0; at_rest::NONCE_BYTES];
        hex::decode_to_slice(&self.nonce, &mut nonce).ok()?;
        let ciphertext = hex::decode(&self.ciphertext).ok()?;
        at_rest::open_at_rest(key, &nonce, associated, &ciphertext).ok()
    }
}

impl KeptIdentity {
    pub fn associated_data(&self) -> Vec<u8> {
        let Self { cid, name, of_node, ec_public_key, seed: _ } = self;
        bound(&["identity", cid, name, if *of_node { "node" } else { "" }, ec_public_key])
    }
}

impl KeptOrder {
    pub fn associated_data(&self) -> Vec<u8> {
        let Self {
            reference,
            commitment,
            checked,
            promised,
            addend,
            document,
            changed,
            beneficiary,
            coin,
            seed: _,
        } = self;
        let known = [promised, addend, document, changed, beneficiary, coin];
        let mut texts = vec!["order", reference, commitment, checked.as_str()];
        texts.extend(known.map(|text| text.as_deref().unwrap_or_default()));
        bound(&texts)
    }
}

fn bound(texts: &[&str]) -> Vec<u8> {
    let mut bytes = DOMAIN.to_vec();
    for text in texts {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes
}

impl Format1 {
    pub fn new() -> Self {
        Self { format: FORMAT, identities: Vec::new(), orders: Vec::new() }
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, KeptError> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        match serde_json::from_slice(bytes) {
            Ok(Format { format: FORMAT }) => serde_json::from_slice(bytes).map_err(|_| KeptError::Damaged),
            Ok(Format { format }) => Err(KeptError::Newer(format)),
            Err(_) => Err(KeptError::Damaged),
        }
    }

    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        Ok(json)
    }
}
