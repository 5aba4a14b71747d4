//! The plaintexts that make an order: placed and committed.

use ipld_core::ipld::Ipld;

use super::shape::Shape;
use super::{
    Extension, MAX_PLUGIN_BYTES, Plaintext, read_commitment, read_extension, read_seen, write_extension,
    write_seen,
};
use crate::cid::{Cid, Codec};
use crate::fields::{FieldError, Fields, as_link};
use crate::kind::{Kind, Role};
use crate::statement::{is_order_reference, map};
use crate::strict::MAX_INTEGER;

/// The only `type` of order there is.
pub const ORDER_TYPE: &str = "Safeguard_Secret";
/// Identities in `approvers`.
pub const MAX_APPROVERS: usize = 16;

/// `order/placed`: who shall keep a key pair, for whom, until when.
pub struct Placed {
    /// The order's reference, a UUIDv7; the statement's subject must be the same.
    pub reference: String,
    /// Who keeps the key pair.
    pub fiduciary: Cid,
    /// Who gets the secret; `None` until the redemption says.
    pub beneficiary: Option<Cid>,
    /// The plugin both sides run, 1 to 128 bytes.
    pub plugin: String,
    /// 0 or 1.
    pub coin: u8,
    /// When the fiduciary may act.
    pub policy: Policy,
    /// What plugins and clients add.
    pub extension: Extension,
    /// The newest signed notes of the other parties, at most 3.
    pub seen: Vec<String>,
}

/// When the fiduciary may act. The last four are reserved: kept as they came, judged by the rules of orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// No release before, milliseconds since 1970, UTC.
    pub not_before_ms: u64,
    /// No release after, milliseconds since 1970, UTC.
    pub expires_at_ms: u64,
    /// How long the sealed secret is kept after release, milliseconds.
    pub retention_ms: u64,
    /// Reserved: 0.
    pub delay_ms: u64,
    /// Reserved: null.
    pub guardian: Option<Cid>,
    /// Reserved: empty; at most 16.
    pub approvers: Vec<Cid>,
    /// Reserved: 0.
    pub approvals_required: u64,
}

impl Policy {
    /// Whether a reserved key says something, which this version cannot keep.
    pub fn uses_reserved(&self) -> bool {
        self.delay_ms != 0
            || self.guardian.is_some()
            || !self.approvers.is_empty()
            || self.approvals_required != 0
    }

    fn read(mut fields: Fields) -> Result<Self, FieldError> {
        let policy = Self {
            not_before_ms: fields.integer("not_before_ms", MAX_INTEGER)?,
            expires_at_ms: fields.integer("expires_at_ms", MAX_INTEGER)?,
            retention_ms: fields.integer("retention_ms", MAX_INTEGER)?,
            delay_ms: fields.integer("delay_ms", MAX_INTEGER)?,
            guardian: fields.nullable("guardian", |fields, name| fields.link(name, Codec::DagCbor))?,
            approvers: fields
                .list("approvers", MAX_APPROVERS)?
                .into_iter()
                .map(|item| as_link("approvers", item, Codec::DagCbor))
                .collect::<Result<_, _>>()?,
            approvals_required: fields.integer("approvals_required", MAX_INTEGER)?,
        };
        fields.finish()?;
        Ok(policy)
    }

    fn write(&self) -> Ipld {
        map([
            ("not_before_ms", Ipld::Integer(self.not_before_ms.into())),
            ("expires_at_ms", Ipld::Integer(self.expires_at_ms.into())),
            ("retention_ms", Ipld::Integer(self.retention_ms.into())),
            ("delay_ms", Ipld::Integer(self.delay_ms.into())),
            ("guardian", self.guardian.map_or(Ipld::Null, |cid| cid.link())),
            ("approvers", Ipld::List(self.approvers.iter().map(Cid::link).collect())),
            ("approvals_required", Ipld::Integer(self.approvals_required.into())),
        ])
    }
}

impl Plaintext for Placed {
    const KIND: Kind = Kind::Placed;
    const ROLE: Role = Role::Parties;
}

impl Shape for Placed {
    fn read(fields: &mut Fields) -> Result<Self, FieldError> {
        let wrong = |field, rule| Err(FieldError::Value { field, rule });
        if fields.text("type", ORDER_TYPE.len())? != ORDER_TYPE {
            return wrong("type", "must be Safeguard_Secret");
        }
        let placed = Self {
            reference: fields.text("reference", 36)?,
            fiduciary: fields.link("fiduciary", Codec::DagCbor)?,
            beneficiary: fields.nullable("beneficiary", |fields, name| fields.link(name, Codec::DagCbor))?,
            plugin: fields.text("plugin", MAX_PLUGIN_BYTES)?,
            coin: fields.integer("coin", 1)? as u8,
            policy: Policy::read(fields.map("policy")?)?,
            extension: read_extension(fields)?,
            seen: read_seen(fields)?,
        };
        if !is_order_reference(&placed.reference) {
            return wrong("reference", "must be a UUIDv7 in lower case with hyphens");
        }
        if placed.plugin.is_empty() {
            return wrong("plugin", "must not be empty");
        }
        Ok(placed)
    }

    fn write(&self) -> Ipld {
        map([
            ("type", Ipld::String(ORDER_TYPE.into())),
            ("reference", Ipld::String(self.reference.clone())),
            ("fiduciary", self.fiduciary.link()),
            ("beneficiary", self.beneficiary.map_or(Ipld::Null, |cid| cid.link())),
            ("plugin", Ipld::String(self.plugin.clone())),
            ("coin", Ipld::Integer(self.coin.into())),
            ("policy", self.policy.write()),
            ("extension", write_extension(&self.extension)),
            ("seen", write_seen(&self.seen)),
        ])
    }
}

/// `order/committed`: the public half, and that the fiduciary holds the other.
pub struct Committed {
    /// The public half, uncompressed SEC1.
    pub commitment: [u8; 65],
    /// By its key: see [`super::verify_commitment_proof`].
    pub proof: [u8; 64],
    /// What plugins add.
    pub extension: Extension,
    /// The newest signed notes of the other parties, at most 3.
    pub seen: Vec<String>,
}

impl Plaintext for Committed {
    const KIND: Kind = Kind::Committed;
    const ROLE: Role = Role::Parties;
}

impl Shape for Committed {
    fn read(fields: &mut Fields) -> Result<Self, FieldError> {
        Ok(Self {
            commitment: read_commitment(fields)?,
            proof: fields.bytes("proof")?,
            extension: read_extension(fields)?,
            seen: read_seen(fields)?,
        })
    }

    fn write(&self) -> Ipld {
        map([
            ("commitment", Ipld::Bytes(self.commitment.to_vec())),
            ("proof", Ipld::Bytes(self.proof.to_vec())),
            ("extension", write_extension(&self.extension)),
            ("seen", write_seen(&self.seen)),
        ])
    }
}
