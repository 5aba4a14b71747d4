//! How a stored shape looks in bytes: the one file that names bincode.
//!
//! Fixed-size little-endian integers; a text or list is its length as u64, then its elements; an array is its elements;
//! an option is one byte 0 or 1; an enum is its variant's position as u32. One value has one encoding and one
//! encoding one value, so a hash of the bytes is a hash of the value.
//!
//! A shape is frozen once released: bincode reads an inserted field or variant as something else, in silence. Stored
//! shapes therefore hold no map without order, no float and no `usize`, and a changed shape gets a new schema number.

use bincode::Options;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Largest stored shape, in bytes: many times what any record or event needs, small enough to refuse early, and to be sealed
/// into a checkpoint (256 KiB) whole.
pub const STORED_BYTES_MAX: u64 = 192 << 10;

/// Why bytes are not the stored shape that was asked for, or a value cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// More bytes than any stored shape may have.
    #[error("stored shape: more than {STORED_BYTES_MAX} bytes")]
    TooLarge,
    /// The bytes end early, go on too long, or hold a value the shape does not have.
    #[error("stored shape: {0}")]
    Malformed(String),
}

/// Encodes a stored shape.
///
/// # Errors
/// `TooLarge` above [`STORED_BYTES_MAX`]; `Malformed` if the shape is one that cannot be stored (a sequence of
/// unknown length, say).
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError> {
    options().serialize(value).map_err(cause)
}

/// Decodes a stored shape from exactly these bytes.
///
/// # Errors
/// `TooLarge` above [`STORED_BYTES_MAX`]; `Malformed` if the bytes end early (a length inside that claims more than
/// there is allocates nothing for it), trail, or hold a value that the shape does not have.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    // bincode keeps its own limit when it writes, but not when it reads a slice.
    if bytes.len() as u64 > STORED_BYTES_MAX {
        return Err(CodecError::TooLarge);
    }
    options().deserialize(bytes).map_err(cause)
}

fn options() -> impl Options {
    bincode::DefaultOptions::new().with_fixint_encoding().reject_trailing_bytes().with_limit(STORED_BYTES_MAX)
}

fn cause(error: bincode::Error) -> CodecError {
    if matches!(*error, bincode::ErrorKind::SizeLimit) {
        return CodecError::TooLarge;
    }
    CodecError::Malformed(error.to_string())
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Shape {
        Point(u16, u64),
        Named { text: String, list: Vec<u16>, maybe: Option<u8>, sure: bool },
    }

    #[test]
    fn the_layout_is_frozen() {
        let golden = |shape: &Shape| hex::encode(encode(shape).unwrap());
        assert_eq!(golden(&Shape::Point(1, 2)), "00000000".to_owned() + "0100" + "0200000000000000");
        let named = Shape::Named { text: "ab".into(), list: vec![3], maybe: Some(4), sure: true };
        let expected = ["01000000", "0200000000000000", "6162", "0100000000000000", "0300", "01", "04", "01"];
        assert_eq!(golden(&named), expected.concat());
        assert_eq!(decode::<Shape>(&encode(&named).unwrap()).unwrap(), named);
    }

    #[test]
    fn what_is_not_exactly_the_shape_is_refused() {
        let bytes =
            encode(&Shape::Named { text: "ab".into(), list: vec![3], maybe: Some(4), sure: true }).unwrap();
        for end in 0..bytes.len() {
            assert!(decode::<Shape>(&bytes[..end]).is_err(), "cut at {end}");
        }
        let changed = |at: usize, byte: u8| {
            let mut other = bytes.clone();
            other[at] = byte;
            decode::<Shape>(&other)
        };
        assert!(decode::<Shape>(&[bytes.as_slice(), &[0]].concat()).is_err(), "a trailing byte");
        assert!(changed(0, 2).is_err(), "an unknown variant");
        assert!(changed(12, 0xff).is_err(), "text that is not UTF-8");
        assert!(changed(24, 2).is_err(), "an option that is neither");
        assert!(changed(26, 2).is_err(), "a truth that is neither");
    }

    #[test]
    fn a_length_that_lies_allocates_nothing() {
        for length in [STORED_BYTES_MAX, u64::MAX >> 1, u64::MAX] {
            let lie = length.to_le_bytes();
            assert!(decode::<Vec<u8>>(&lie).is_err());
            assert!(decode::<Vec<u64>>(&lie).is_err());
            assert!(decode::<String>(&lie).is_err());
        }
    }

    #[test]
    fn too_much_is_refused_both_ways() {
        let most = vec![7u8; STORED_BYTES_MAX as usize - 8];
        let bytes = encode(&most).unwrap();
        assert!(decode::<Vec<u8>>(&bytes).unwrap() == most);
        let longer = vec![7u8; most.len() + 1];
        assert!(matches!(encode(&longer), Err(CodecError::TooLarge)));
        let longer = [(longer.len() as u64).to_le_bytes().as_slice(), &longer].concat();
        assert!(matches!(decode::<Vec<u8>>(&longer), Err(CodecError::TooLarge)));
    }
}
