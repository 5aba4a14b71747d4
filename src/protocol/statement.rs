//! A statement: the signed tail of an envelope, and the descriptors of what is sealed beside it.

use std::collections::BTreeMap;

use ipld_core::ipld::Ipld;
use thiserror::Error;

use crate::canonical;
use crate::checkpoint::CheckpointBody;
use crate::cid::{Cid, Codec};
use crate::fields::{FieldError, Fields, as_bytes};
use crate::identity::IdentityBody;
use crate::kind::{Kind, Role};
use crate::strict::{self, CborError, MAX_INTEGER};

/// The format version in `v`; every other is refused.
pub const VERSION: u64 = 1;
/// The only suite of sealed bodies there is.
pub const SUITE: u8 = 1;
/// Bytes of a recipient's entry: encapsulated key (1,120), encrypted content key (32), tag (16).
pub const ENTRY_BYTES: usize = 1168;
/// Sealed bodies of one statement.
pub const MAX_SEALED: usize = 2;
/// Recipients of one sealed body.
pub const MAX_RECIPIENTS: usize = 4;
/// Bytes of a signed note.
pub const MAX_NOTE_BYTES: usize = 4096;

/// What a signer says, about what, in answer to what, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What is said.
    pub kind: Kind,
    /// The public part.
    pub body: Body,
    /// Descriptors of the sealed bodies: `parties`, and after it in a redemption request optionally `beneficiary`; in a
    /// checkpoint `log`.
    pub sealed: Vec<Descriptor>,
    /// The signer's identity; `None` only in an identity, which the keys inside it sign.
    pub signer: Option<Cid>,
    /// The order's reference, a UUIDv7 in lower case with hyphens; empty in an identity and a checkpoint.
    pub subject: String,
    /// The envelope this one answers; `None` exactly in `identity`, `order/placed` and a log's first checkpoint.
    pub previous: Option<Cid>,
    /// Milliseconds since 1970, UTC; at most 2^53 - 1.
    pub issued_at_ms: u64,
}

/// The public part of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Of kind `identity`.
    Identity(Box<IdentityBody>),
    /// Of every step of an order.
    Order {
        /// The sender's newest signed note, at most 4,096 bytes; `None` before its first.
        note: Option<String>,
    },
    /// Of kind `log/checkpoint`.
    Checkpoint(CheckpointBody),
}

/// Where a sealed body is and who can open it, without naming them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The raw block of the ciphertext.
    pub cid: Cid,
    /// Commits to the content key, which the cipher alone does not.
    pub commit: [u8; 32],
    /// Whom it is for.
    pub role: Role,
    /// How it is sealed: 1.
    pub suite: u8,
    /// One entry for each recipient, rising by bytes: 1 to 4, exactly 1 unless the role is `parties`.
    pub to: Vec<Box<[u8; ENTRY_BYTES]>>,
}

/// Why bytes are not a statement.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StatementError {
    /// Not canonical DAG-CBOR.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// A field is missing, unknown or out of bounds.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A version other than 1.
    #[error("field `v` is {0}; this version reads 1")]
    Version(u64),
    /// A kind this version does not know.
    #[error("field `kind` names a kind that is not known")]
    UnknownKind,
    /// No signer, and not an identity.
    #[error("field `signer` is null, which only an identity may have")]
    SignerMissing,
    /// An identity that names a signer.
    #[error("field `signer` must be null in an identity")]
    SignerNotAllowed,
    /// Nothing is answered, though this kind answers something.
    #[error("field `previous` is null, which only identity, order/placed and checkpoint 0 may have")]
    PreviousMissing,
    /// Something is answered, though this kind begins something.
    #[error("field `previous` must be null in identity, order/placed and checkpoint 0")]
    PreviousNotAllowed,
    /// The subject of a step is not an order's reference.
    #[error("field `subject` must be a UUIDv7 in lower case with hyphens")]
    SubjectInvalid,
    /// An identity or a checkpoint with a subject.
    #[error("field `subject` must be empty in an identity and a checkpoint")]
    SubjectNotAllowed,
    /// Sealed bodies that this kind does not have, or in another order.
    #[error("field `sealed` does not hold the roles that {0} has")]
    SealedRoles(Kind),
    /// The links of a checkpoint are not those that its number calls for.
    #[error("field `skip` must hold a link for each power of 16 up to `number`, `previous` first")]
    CheckpointLinks,
}

impl StatementError {
    /// A stable name for this error.
    pub const fn code(&self) -> &'static str {
        match self {
            StatementError::Cbor(error) => error.code(),
            StatementError::Field(error) => error.code(),
            StatementError::Version(_) => "version-unsupported",
            StatementError::UnknownKind => "kind-unknown",
            StatementError::SignerMissing => "signer-missing",
            StatementError::SignerNotAllowed => "signer-not-allowed",
            StatementError::PreviousMissing => "previous-missing",
            StatementError::PreviousNotAllowed => "previous-not-allowed",
            StatementError::SubjectInvalid => "subject-invalid",
            StatementError::SubjectNotAllowed => "subject-not-allowed",
            StatementError::SealedRoles(_) => "sealed-roles",
            StatementError::CheckpointLinks => "checkpoint-links",
        }
    }
}

impl Statement {
    /// Reads the bytes of a statement; refuses every other spelling, shape and combination.
    pub fn decode(bytes: &[u8]) -> Result<Self, StatementError> {
        let mut fields = Fields::new("statement", strict::decode(bytes)?)?;
        let version = fields.integer("v", MAX_INTEGER)?;
        if version != VERSION {
            return Err(StatementError::Version(version));
        }
        let kind: Kind = fields.text("kind", usize::MAX)?.parse().map_err(|_| StatementError::UnknownKind)?;
        let body = Body::read(kind, fields.map("body")?)?;
        let sealed = fields
            .list("sealed", MAX_SEALED)?
            .into_iter()
            .map(|item| Descriptor::read(Fields::new("sealed", item)?))
            .collect::<Result<_, _>>()?;
        let statement = Self {
            kind,
            body,
            sealed,
            signer: fields.nullable("signer", |fields, name| fields.link(name, Codec::DagCbor))?,
            subject: fields.text("subject", 36)?,
            previous: fields.nullable("previous", |fields, name| fields.link(name, Codec::DagCbor))?,
            issued_at_ms: fields.integer("issued_at_ms", MAX_INTEGER)?,
        };
        fields.finish()?;
        statement.check()?;
        Ok(statement)
    }

    /// The canonical bytes. Fails where [`Statement::decode`] would refuse them: nothing is signed that others refuse.
    pub fn encode(&self) -> Result<Vec<u8>, StatementError> {
        let link = |cid: Option<Cid>| cid.map_or(Ipld::Null, |cid| cid.link());
        let bytes = canonical::encode(&map([
            ("v", Ipld::Integer(VERSION.into())),
            ("body", self.body.to_ipld()),
            ("kind", Ipld::String(self.kind.as_str().into())),
            ("sealed", Ipld::List(self.sealed.iter().map(Descriptor::to_ipld).collect())),
            ("signer", link(self.signer)),
            ("subject", Ipld::String(self.subject.clone())),
            ("previous", link(self.previous)),
            ("issued_at_ms", Ipld::Integer(self.issued_at_ms.into())),
        ]));
        Self::decode(&bytes)?;
        Ok(bytes)
    }

    /// The descriptor of the sealed body with this role.
    pub fn sealed_for(&self, role: Role) -> Option<&Descriptor> {
        self.sealed.iter().find(|descriptor| descriptor.role == role)
    }

    /// What a kind demands of the other fields.
    fn check(&self) -> Result<(), StatementError> {
        let begins = match &self.body {
            Body::Checkpoint(body) => body.number == 0,
            _ => matches!(self.kind, Kind::Identity | Kind::Placed),
        };
        match self.previous {
            Some(_) if begins => return Err(StatementError::PreviousNotAllowed),
            None if !begins => return Err(StatementError::PreviousMissing),
            _ => {}
        }
        let is_order = self.kind.is_order();
        match self.signer {
            Some(_) if self.kind == Kind::Identity => return Err(StatementError::SignerNotAllowed),
            None if self.kind != Kind::Identity => return Err(StatementError::SignerMissing),
            _ => {}
        }
        if is_order && !is_order_reference(&self.subject) {
            return Err(StatementError::SubjectInvalid);
        }
        if !is_order && !self.subject.is_empty() {
            return Err(StatementError::SubjectNotAllowed);
        }
        if let Body::Checkpoint(body) = &self.body
            && !body.links_fit(self.previous)
        {
            return Err(StatementError::CheckpointLinks);
        }
        let roles: Vec<Role> = self.sealed.iter().map(|descriptor| descriptor.role).collect();
        match (self.kind, roles.as_slice()) {
            (Kind::Identity, []) | (Kind::Checkpoint, [Role::Log]) => Ok(()),
            (Kind::RedemptionRequested, [Role::Parties, Role::Beneficiary]) => Ok(()),
            (kind, [Role::Parties]) if kind.is_order() => Ok(()),
            (kind, _) => Err(StatementError::SealedRoles(kind)),
        }
    }
}

impl Body {
    fn read(kind: Kind, mut fields: Fields) -> Result<Self, FieldError> {
        match kind {
            Kind::Identity => return IdentityBody::read(fields).map(|body| Body::Identity(Box::new(body))),
            Kind::Checkpoint => return CheckpointBody::read(fields).map(Body::Checkpoint),
            _ => {}
        }
        let note = fields.nullable("note", |fields, name| fields.text(name, MAX_NOTE_BYTES))?;
        fields.finish()?;
        Ok(Body::Order { note })
    }

    fn to_ipld(&self) -> Ipld {
        match self {
            Body::Identity(body) => body.to_ipld(),
            Body::Checkpoint(body) => body.to_ipld(),
            Body::Order { note } => map([("note", note.clone().map_or(Ipld::Null, Ipld::String))]),
        }
    }
}

impl Descriptor {
    pub(crate) fn read(mut fields: Fields) -> Result<Self, FieldError> {
        let descriptor = Self {
            cid: fields.link("cid", Codec::Raw)?,
            commit: fields.bytes("commit")?,
            role: fields
                .text("role", usize::MAX)?
                .parse()
                .map_err(|_| FieldError::Value { field: "role", rule: "names a role that is not known" })?,
            suite: match fields.integer("suite", MAX_INTEGER)? {
                1 => SUITE,
                _ => return Err(FieldError::Value { field: "suite", rule: "must be 1" }),
            },
            to: fields
                .list("to", MAX_RECIPIENTS)?
                .into_iter()
                .map(|entry| as_bytes("to", entry))
                .collect::<Result<_, _>>()?,
        };
        fields.finish()?;
        descriptor.check_recipients()?;
        Ok(descriptor)
    }

    pub(crate) fn to_ipld(&self) -> Ipld {
        map([
            ("cid", self.cid.link()),
            ("commit", Ipld::Bytes(self.commit.to_vec())),
            ("role", Ipld::String(self.role.as_str().into())),
            ("suite", Ipld::Integer(self.suite.into())),
            ("to", Ipld::List(self.to.iter().map(|entry| Ipld::Bytes(entry.to_vec())).collect())),
        ])
    }

    fn check_recipients(&self) -> Result<(), FieldError> {
        let wrong = |rule| Err(FieldError::Value { field: "to", rule });
        if self.to.is_empty() {
            return wrong("must hold an entry");
        }
        if self.role != Role::Parties && self.to.len() > 1 {
            return wrong("must hold one entry unless the role is parties");
        }
        if !self.to.is_sorted_by(|before, after| before < after) {
            return wrong("must rise by bytes, without duplicates");
        }
        Ok(())
    }
}

/// Whether `text` is an order's reference: a UUIDv7 (RFC 9562) in lower case with hyphens, 36 bytes.
pub fn is_order_reference(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            14 => byte == b'7',
            19 => matches!(byte, b'8' | b'9' | b'a' | b'b'),
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// A map from its fields.
pub(crate) fn map<const N: usize>(fields: [(&str, Ipld); N]) -> Ipld {
    Ipld::Map(BTreeMap::from(fields.map(|(name, value)| (name.to_owned(), value))))
}
