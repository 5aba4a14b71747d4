//! What a projection is: a name, a schema, the rows it wants to see, and the changes a record makes.

use std::collections::BTreeMap;

use dta_events::codec::{self, CodecError};
use dta_events::record::Record;
use dta_events::stored::StoredError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// The row that counts a projection's ordinals: how many things it lists, u64.
pub const COUNT_KEY: &[u8] = b"c";

/// Why a projection halts at a record. It is said loudly, with the position; nothing is skipped.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProjectionError {
    /// The record holds what newer code wrote.
    #[error(transparent)]
    Stored(#[from] StoredError),
    /// A row is not what this schema writes.
    #[error("row: {0}")]
    Row(#[from] CodecError),
}

/// One row change: a put, or with no value a removal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The row's key.
    pub key: Vec<u8>,
    /// Its new value.
    pub value: Option<Vec<u8>>,
}

impl Change {
    /// A put of a row.
    pub(crate) fn put<T: Serialize>(key: Vec<u8>, row: &T) -> Result<Self, ProjectionError> {
        Ok(Self { key, value: Some(codec::encode(row)?) })
    }

    /// The removal of a row.
    pub(crate) fn delete(key: Vec<u8>) -> Self {
        Self { key, value: None }
    }
}

/// The rows that a projection asked to see; absent ones are not in it.
#[derive(Clone, Debug, Default)]
pub struct Rows(BTreeMap<Vec<u8>, Vec<u8>>);

impl Rows {
    /// Rows by key.
    pub fn new(rows: BTreeMap<Vec<u8>, Vec<u8>>) -> Self {
        Self(rows)
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, ProjectionError> {
        self.0.get(key).map(|bytes| decode_row(bytes)).transpose()
    }

    pub(crate) fn count(&self) -> Result<u64, ProjectionError> {
        Ok(self.get(COUNT_KEY)?.unwrap_or(0))
    }
}

/// Reads a row.
///
/// # Errors
/// The bytes are not of this schema.
pub fn decode_row<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ProjectionError> {
    Ok(codec::decode(bytes)?)
}

/// A read model.
pub trait Projection: Send + Sync {
    /// Its name, in digests, column families and commands.
    fn name(&self) -> &'static str;
    /// The version of its rows; another one means a rebuild.
    fn schema(&self) -> u16;
    /// The rows it wants to see before it applies this record.
    fn reads(&self, record: &Record) -> Vec<Vec<u8>>;
    /// The changes this record makes, in an order of their own that is always the same.
    ///
    /// # Errors
    /// The record or a row was written by other code.
    fn apply(&self, rows: &Rows, record: &Record) -> Result<Vec<Change>, ProjectionError>;
}
