//! What every stored shape shares: byte arrays longer than serde knows, and the refusal of names from newer code.

use thiserror::Error;

use crate::codec::CodecError;

/// Why a stored command or event cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoredError {
    /// Written by newer code, or not by this program at all.
    #[error("stored shape {name:?} schema {schema} is not one this version knows; run a newer one")]
    Unknown {
        /// The name.
        name: String,
        /// The schema.
        schema: u16,
    },
    /// The bytes are not the shape.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

impl StoredError {
    pub(crate) fn unknown(stored: &crate::record::Stored) -> Self {
        StoredError::Unknown { name: stored.name.clone(), schema: stored.schema }
    }
}

/// `#[serde(with = "stored::array")]`: `[u8; N]` as its N bytes, without a length (serde itself stops at 32).
pub mod array {
    use serde::de::{Error, SeqAccess, Visitor};
    use serde::ser::SerializeTuple;
    use serde::{Deserializer, Serializer};

    /// Writes the bytes.
    pub fn serialize<S: Serializer, const N: usize>(
        bytes: &[u8; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(N)?;
        for byte in bytes {
            tuple.serialize_element(byte)?;
        }
        tuple.end()
    }

    /// Reads exactly N bytes.
    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<[u8; N], D::Error> {
        struct Bytes<const N: usize>;
        impl<'de, const N: usize> Visitor<'de> for Bytes<N> {
            type Value = [u8; N];

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{N} bytes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<[u8; N], A::Error> {
                let mut bytes = [0; N];
                for (at, byte) in bytes.iter_mut().enumerate() {
                    *byte = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(at, &self))?;
                }
                Ok(bytes)
            }
        }
        deserializer.deserialize_tuple(N, Bytes::<N>)
    }
}
