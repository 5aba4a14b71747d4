//! The plaintexts of sealed bodies: what each kind must say, read and written by one set of rules.
//!
//! They may hold secrets, so none has `Debug`, `Clone` or `PartialEq`, and they are written into bytes that wipe
//! themselves.

mod end;
mod order;
mod proof;
mod release;

use std::collections::BTreeMap;

use dta_crypto::SecretBytes;
use ipld_core::ipld::Ipld;
use thiserror::Error;

pub use end::{CancellationRequested, Closed, ClosedCode};
pub use order::{Committed, MAX_APPROVERS, ORDER_TYPE, Placed, Policy};
pub use proof::{
    COMMITMENT_TAG, RECEIVED_TAG, commitment_proof_message, received_proof_message, sign_commitment_proof,
    sign_received_proof, verify_commitment_proof, verify_received_proof,
};
pub use release::{
    BeneficiaryData, DisputeCode, Disputed, Received, RedemptionRequested, Released, SecretBody,
};

use crate::canonical;
use crate::fields::{FieldError, Fields, as_text, wipe};
use crate::kind::{Kind, Role};
use crate::statement::MAX_NOTE_BYTES;
use crate::strict::{self, CborError};
use shape::Shape;

/// Entries of an extension.
pub const MAX_EXTENSION_ENTRIES: usize = 64;
/// Bytes over all keys and values of an extension.
pub const MAX_EXTENSION_BYTES: usize = 16 * 1024;
/// Notes in `seen`.
pub const MAX_SEEN: usize = 3;
/// Bytes of a plugin's name, at most; at least 1.
pub const MAX_PLUGIN_BYTES: usize = 128;
/// Bytes of `detail`.
pub const MAX_DETAIL_BYTES: usize = 1024;

/// What plugins and clients add to a step: at most 64 entries, and 16 KiB over all keys and values.
pub type Extension = BTreeMap<String, String>;

/// Why bytes are not the plaintext of this kind.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BodyError {
    /// Not canonical DAG-CBOR.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// A field is missing, unknown or out of bounds.
    #[error(transparent)]
    Field(#[from] FieldError),
}

impl BodyError {
    /// A stable name for this error.
    pub const fn code(&self) -> &'static str {
        match self {
            BodyError::Cbor(error) => error.code(),
            BodyError::Field(error) => error.code(),
        }
    }
}

/// The plaintext of a sealed body.
pub trait Plaintext: Shape + Sized {
    /// The kind of statement it stands in.
    const KIND: Kind;
    /// The role of the body it is sealed in.
    const ROLE: Role;

    /// The canonical bytes. Fails where [`Plaintext::decode`] would refuse them: nothing is sealed that others refuse.
    fn encode(&self) -> Result<SecretBytes, BodyError> {
        let mut value = self.write();
        let bytes = SecretBytes::new(canonical::encode(&value));
        wipe(&mut value);
        Self::decode(bytes.expose())?;
        Ok(bytes)
    }

    /// Reads the bytes; refuses every other spelling and shape.
    fn decode(bytes: &[u8]) -> Result<Self, BodyError> {
        let mut fields = Fields::new("plaintext", strict::decode(bytes)?)?;
        let body = Self::read(&mut fields)?;
        fields.finish()?;
        Ok(body)
    }
}

/// How a plaintext is laid out; not to be called from outside.
pub(crate) mod shape {
    use ipld_core::ipld::Ipld;

    use crate::fields::{FieldError, Fields};

    pub trait Shape: Sized {
        fn read(fields: &mut Fields) -> Result<Self, FieldError>;
        fn write(&self) -> Ipld;
    }
}

fn read_extension(fields: &mut Fields) -> Result<Extension, FieldError> {
    let field = "extension";
    let mut bytes_left = MAX_EXTENSION_BYTES;
    let over = FieldError::Limit {
        field,
        limit: MAX_EXTENSION_BYTES as u64,
        unit: "bytes over all keys and values",
    };
    fields
        .entries(field, MAX_EXTENSION_ENTRIES)?
        .map(|(key, value)| {
            let value = as_text(field, value, MAX_EXTENSION_BYTES)?;
            bytes_left = bytes_left.checked_sub(key.len() + value.len()).ok_or(over.clone())?;
            Ok((key, value))
        })
        .collect()
}

fn write_extension(extension: &Extension) -> Ipld {
    Ipld::Map(extension.iter().map(|(key, value)| (key.clone(), Ipld::String(value.clone()))).collect())
}

fn read_seen(fields: &mut Fields) -> Result<Vec<String>, FieldError> {
    fields.list("seen", MAX_SEEN)?.into_iter().map(|note| as_text("seen", note, MAX_NOTE_BYTES)).collect()
}

fn write_seen(seen: &[String]) -> Ipld {
    Ipld::List(seen.iter().cloned().map(Ipld::String).collect())
}

fn read_commitment(fields: &mut Fields) -> Result<[u8; 65], FieldError> {
    let commitment = fields.bytes("commitment")?;
    match dta_crypto::commitment_is_valid(&commitment) {
        Ok(()) => Ok(commitment),
        Err(_) => Err(FieldError::Value {
            field: "commitment",
            rule: "must be an uncompressed SEC1 point of secp256k1",
        }),
    }
}
