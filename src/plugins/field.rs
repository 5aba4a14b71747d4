//! Bytes in an order's extension: hexadecimal, written in lower case, read in any.

/// Why the text of a field is not what the field holds. Never has the text, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// Not hexadecimal, or of another length.
    #[error("{field}: not {bytes} bytes in hexadecimal")]
    Bytes {
        /// The field's name.
        field: &'static str,
        /// How many bytes it has.
        bytes: usize,
    },
    /// Not hexadecimal, not whole blocks of the cipher, or too long.
    #[error("{field}: not whole blocks of {block} bytes in hexadecimal, at most {limit} bytes in all")]
    Blocks {
        /// The field's name.
        field: &'static str,
        /// Bytes of a block.
        block: usize,
        /// How many bytes it has at most.
        limit: usize,
    },
    /// Its bytes are no public key.
    #[error("{field}: not a point of secp256k1, compressed (33 bytes) or not (65), in hexadecimal")]
    Point {
        /// The field's name.
        field: &'static str,
    },
}

/// The `N` bytes that `text` writes in hexadecimal; `field` is what an error calls it.
///
/// # Errors
/// [`FieldError::Bytes`].
pub fn read<const N: usize>(field: &'static str, text: &str) -> Result<[u8; N], FieldError> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| FieldError::Bytes { field, bytes: N })?;
    Ok(bytes)
}

/// `bytes` as a field has them.
pub fn write(bytes: &[u8]) -> String {
    hex::encode(bytes)
}
