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

/// The layout of codec.rs in hexadecimal, written without it: what the golden bytes of the tests are made of.
#[cfg(test)]
pub(crate) mod golden {
    use dta_protocol::Cid;

    use crate::record::Stored;
    use crate::stored::StoredError;

    /// An integer of 8 bytes.
    pub fn number(value: u64) -> String {
        hex::encode(value.to_le_bytes())
    }

    /// The position of a variant.
    pub fn variant(position: u32) -> String {
        hex::encode(position.to_le_bytes())
    }

    /// A text, or a list of bytes.
    pub fn text(value: impl AsRef<[u8]>) -> String {
        number(value.as_ref().len() as u64) + &hex::encode(value)
    }

    /// The CID of an envelope whose digest is this byte 32 times, in hexadecimal.
    pub fn link(byte: u8) -> String {
        "01711220".to_owned() + &hex::encode([byte; 32])
    }

    /// The same as a CID.
    pub fn cid(byte: u8) -> Cid {
        Cid::from_bytes(&hex::decode(link(byte)).unwrap()).unwrap()
    }

    /// Holds a stored shape of schema 1 to its golden bytes, and refuses every other spelling, schema and name.
    #[track_caller]
    pub fn check<T: PartialEq + std::fmt::Debug>(
        value: &T,
        stored: Stored,
        name: &str,
        golden: &[String],
        read: impl Fn(&Stored) -> Result<T, StoredError>,
    ) {
        check_newest(value, stored, (name, 1), golden, read);
    }

    /// The same of a shape in its newest schema.
    #[track_caller]
    pub fn check_newest<T: PartialEq + std::fmt::Debug>(
        value: &T,
        stored: Stored,
        (name, schema): (&str, u16),
        golden: &[String],
        read: impl Fn(&Stored) -> Result<T, StoredError>,
    ) {
        assert_eq!((stored.name.as_str(), stored.schema), (name, schema));
        assert_eq!(hex::encode(&stored.bytes), golden.concat(), "{value:?}");
        assert_eq!(read(&stored).as_ref(), Ok(value));
        let with = |bytes: &[u8]| read(&Stored { bytes: bytes.to_vec(), ..stored.clone() });
        for end in 0..stored.bytes.len() {
            assert!(matches!(with(&stored.bytes[..end]), Err(StoredError::Codec(_))), "cut at {end}");
        }
        let longer = [stored.bytes.as_slice(), &[0]].concat();
        assert!(matches!(with(&longer), Err(StoredError::Codec(_))), "a trailing byte");
        for schema in [0, schema + 1, u16::MAX] {
            let newer = Stored { schema, ..stored.clone() };
            assert_eq!(read(&newer), Err(StoredError::unknown(&newer)));
        }
        for other in ["", "order/", &name.to_uppercase(), &format!("{name} "), &name[1..]] {
            let other = Stored { name: other.into(), ..stored.clone() };
            assert_eq!(read(&other), Err(StoredError::unknown(&other)));
        }
    }
}
