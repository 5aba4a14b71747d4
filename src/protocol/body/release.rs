//! The plaintexts of a release: asked for, given, received or disputed; and the secret itself.

use std::collections::BTreeMap;

use dta_crypto::{ContentKey, OrderKey, Secret, hkdf};
use ipld_core::ipld::Ipld;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::shape::Shape;
use super::{Extension, Plaintext, read_commitment, read_extension, read_seen, write_extension, write_seen};
use crate::cid::{Cid, Codec};
use crate::fields::{FieldError, Fields, as_bytes};
use crate::kind::{Kind, Role};
use crate::sealed::SealRequest;
use crate::statement::{Descriptor, map};

/// The content keys of a redemption: of the placed body and of the committed one.
const REDEMPTION_KEYS: usize = 2;

/// `order/redemption-requested`: to whom the secret shall go, with the keys to the order so far.
pub struct RedemptionRequested {
    /// Who gets the secret.
    pub beneficiary: Cid,
    /// The content keys of the placed and the committed body, by the CID of the sealed body: exactly 2.
    pub keys: BTreeMap<Cid, ContentKey>,
    /// What plugins and clients add.
    pub extension: Extension,
    /// The newest signed notes of the other parties, at most 3.
    pub seen: Vec<String>,
}

impl Plaintext for RedemptionRequested {
    const KIND: Kind = Kind::RedemptionRequested;
    const ROLE: Role = Role::Parties;
}

impl Shape for RedemptionRequested {
    fn read(fields: &mut Fields) -> Result<Self, FieldError> {
        let keys = fields
            .entries("keys", REDEMPTION_KEYS)?
            .map(|(cid, key)| {
                let cid: Option<Cid> = cid.parse().ok();
                let cid = cid.filter(|cid| cid.codec() == Codec::Raw);
                let rule = "must be keyed by CIDs of raw blocks";
                Ok((cid.ok_or(FieldError::Value { field: "keys", rule })?, content_key("keys", key)?))
            })
            .collect::<Result<BTreeMap<_, _>, FieldError>>()?;
        if keys.len() != REDEMPTION_KEYS {
            let rule = "must hold the keys of the placed and the committed body";
            return Err(FieldError::Value { field: "keys", rule });
        }
        Ok(Self {
            beneficiary: fields.link("beneficiary", Codec::DagCbor)?,
            keys,
            extension: read_extension(fields)?,
            seen: read_seen(fields)?,
        })
    }

    fn write(&self) -> Ipld {
        let keys = self
            .keys
            .iter()
            .map(|(cid, key)| (cid.to_string(), Ipld::Bytes(key.expose().to_vec())))
            .collect();
        map([
            ("beneficiary", self.beneficiary.link()),
            ("keys", Ipld::Map(keys)),
            ("extension", write_extension(&self.extension)),
            ("seen", write_seen(&self.seen)),
        ])
    }
}

/// The second body of `order/redemption-requested`: data that only the beneficiary reads.
pub struct BeneficiaryData {
    /// The data.
    pub extension: Extension,
}

impl Plaintext for BeneficiaryData {
    const KIND: Kind = Kind::RedemptionRequested;
    const ROLE: Role = Role::Beneficiary;
}

impl Shape for BeneficiaryData {
    fn read(fields: &mut Fields) -> Result<Self, FieldError> {
        Ok(Self { extension: read_extension(fields)? })
    }

    fn write(&self) -> Ipld {
        map([("extension", write_extension(&self.extension))])
    }
}

/// `order/released`: that the secret goes to the beneficiary, and how its sealed form is known.
pub struct Released {
    /// Who gets the secret.
    pub beneficiary: Cid,
    /// Of the sealed secret: role `secret`, one recipient. Its block is never published.
    pub secret: Descriptor,
    /// What plugins add.
    pub extension: Extension,
    /// The newest signed notes of the other parties, at most 3.
    pub seen: Vec<String>,
}

impl Plaintext for Released {
    const KIND: Kind = Kind::Released;
    const ROLE: Role = Role::Parties;
}

impl Shape for Released {
    fn read(fields: &mut Fields) -> Result<Self, FieldError> {
        let released = Self {
            beneficiary: fields.link("beneficiary", Codec::DagCbor)?,
            secret: Descriptor::read(fields.map("secret")?)?,
            extension: read_extension(fields)?,
            seen: read_seen(fields)?,
        };
        match released.secret.role {
            Role::Secret => Ok(released),
            _ => Err(FieldError::Value { field: "secret", rule: "must have the role secret" }),
        }
    }

    fn write(&self) -> Ipld {
        map([
            ("beneficiary", self.beneficiary.link()),
            ("secret", self.secret.to_ipld()),
            ("extension", write_extension(&self.extension)),
            ("seen", write_seen(&self.seen)),
        ])
    }
}

/// The released secret itself, sealed to the beneficiary alone.
pub struct SecretBody {
    /// The order.
    pub placed: Cid,
    /// The public half it belongs to, uncompressed SEC1.
    pub commitment: [u8; 65],
    /// The secret half.
    pub secret: Secret<32>,
}

impl SecretBody {
    /// The secret of an order's key.
    pub fn of(key: &OrderKey, placed: &Cid) -> Self {
        let secret = Secret::build(|secret| secret.copy_from_slice(key.secret().expose()));
        Self { placed: *placed, commitment: key.commitment(), secret }
    }

    /// The content key under which this is sealed to its beneficiary: HKDF(secret, info `milagro-dta/v1/release` ‖ 00 ‖
    /// beneficiary CID ‖ associated data, 32 bytes). It follows from what is sealed, so that whoever has the seed, and nobody
    /// else, makes the same block again; and each statement has another.
    pub fn content_key(&self, request: &SealRequest<'_>, beneficiary: &Cid) -> ContentKey {
        let aad = request.aad();
        let info = [b"milagro-dta/v1/release\0".as_slice(), &beneficiary.to_bytes(), &aad];
        let key: Secret<32> = hkdf(self.secret.expose(), &info);
        ContentKey::from_bytes(*key.expose())
    }
}

impl Plaintext for SecretBody {
    const KIND: Kind = Kind::Released;
    const ROLE: Role = Role::Secret;
}

impl Shape for SecretBody {
    fn read(fields: &mut Fields) -> Result<Self, FieldError> {
        Ok(Self {
            placed: fields.link("placed", Codec::DagCbor)?,
            commitment: read_commitment(fields)?,
            secret: secret("secret", fields.any("secret")?)?,
        })
    }

    fn write(&self) -> Ipld {
        map([
            ("placed", self.placed.link()),
            ("commitment", Ipld::Bytes(self.commitment.to_vec())),
            ("secret", Ipld::Bytes(self.secret.expose().to_vec())),
        ])
    }
}

/// `order/received`: that the beneficiary has the secret.
pub struct Received {
    /// By the released secret: see [`super::verify_received_proof`].
    pub proof: [u8; 64],
    /// The newest signed notes of the other parties, at most 3.
    pub seen: Vec<String>,
}

impl Plaintext for Received {
    const KIND: Kind = Kind::Received;
    const ROLE: Role = Role::Parties;
}

impl Shape for Received {
    fn read(fields: &mut Fields) -> Result<Self, FieldError> {
        Ok(Self { proof: fields.bytes("proof")?, seen: read_seen(fields)? })
    }

    fn write(&self) -> Ipld {
        map([("proof", Ipld::Bytes(self.proof.to_vec())), ("seen", write_seen(&self.seen))])
    }
}

/// What is wrong with a release.
/// Stored by its position: the order of the variants is frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DisputeCode {
    /// `cannot-open`: the sealed secret does not open, or opens to nonsense.
    CannotOpen,
    /// `wrong-secret`: it opens, and is not the secret of the commitment.
    WrongSecret,
}

impl DisputeCode {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            DisputeCode::CannotOpen => "cannot-open",
            DisputeCode::WrongSecret => "wrong-secret",
        }
    }
}

/// `order/disputed`: that the beneficiary has not got the secret. Anyone with the block and the key can judge.
pub struct Disputed {
    /// What is wrong.
    pub code: DisputeCode,
    /// Opens the sealed secret; `None` if no entry opened, so only with `cannot-open`.
    pub content_key: Option<ContentKey>,
    /// The newest signed notes of the other parties, at most 3.
    pub seen: Vec<String>,
}

impl Plaintext for Disputed {
    const KIND: Kind = Kind::Disputed;
    const ROLE: Role = Role::Parties;
}

impl Shape for Disputed {
    fn read(fields: &mut Fields) -> Result<Self, FieldError> {
        let code = match fields.text("code", usize::MAX)?.as_str() {
            "cannot-open" => DisputeCode::CannotOpen,
            "wrong-secret" => DisputeCode::WrongSecret,
            _ => {
                return Err(FieldError::Value { field: "code", rule: "must be cannot-open or wrong-secret" });
            }
        };
        let content_key =
            fields.nullable("content_key", |fields, name| content_key(name, fields.any(name)?))?;
        if code == DisputeCode::WrongSecret && content_key.is_none() {
            let rule = "must not be null with the code wrong-secret";
            return Err(FieldError::Value { field: "content_key", rule });
        }
        Ok(Self { code, content_key, seen: read_seen(fields)? })
    }

    fn write(&self) -> Ipld {
        let key = |key: &ContentKey| Ipld::Bytes(key.expose().to_vec());
        map([
            ("code", Ipld::String(self.code.as_str().into())),
            ("content_key", self.content_key.as_ref().map_or(Ipld::Null, key)),
            ("seen", write_seen(&self.seen)),
        ])
    }
}

fn secret(field: &'static str, value: Ipld) -> Result<Secret<32>, FieldError> {
    let mut bytes: Box<[u8; 32]> = as_bytes(field, value)?;
    let secret = Secret::build(|buffer| buffer.copy_from_slice(bytes.as_slice()));
    bytes.zeroize();
    Ok(secret)
}

fn content_key(field: &'static str, value: Ipld) -> Result<ContentKey, FieldError> {
    Ok(ContentKey::from_bytes(*secret(field, value)?.expose()))
}
