//! A CID in stored shapes: its 36 bytes, without a length.

use serde::de::{Error, SeqAccess, Visitor};
use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cid::{CID_BYTES, Cid};

impl Serialize for Cid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(CID_BYTES)?;
        for byte in self.to_bytes() {
            tuple.serialize_element(&byte)?;
        }
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for Cid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Cid;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "the {CID_BYTES} bytes of a CID")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Cid, A::Error> {
                let mut bytes = [0; CID_BYTES];
                for (at, byte) in bytes.iter_mut().enumerate() {
                    *byte = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(at, &self))?;
                }
                Cid::from_bytes(&bytes).map_err(A::Error::custom)
            }
        }
        deserializer.deserialize_tuple(CID_BYTES, Bytes)
    }
}
