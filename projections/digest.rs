//! The digest of a projection: a SHA-256 chain over its row changes, so that a replay of the log reproduces it and two
//! nodes can compare what they show.

use sha2::{Digest as _, Sha256};

use crate::projection::{Change, Projection};

/// 32 bytes that stand for everything a projection has ever changed.
pub type Digest = [u8; 32];

/// The digest of an empty projection: SHA-256 of `milagro-dta/v1/projection`, a zero byte, its name, a zero byte and its
/// schema (u16, big-endian).
pub fn genesis(projection: &dyn Projection) -> Digest {
    let mut hash = Sha256::new();
    hash.update(b"milagro-dta/v1/projection\0");
    hash.update(projection.name().as_bytes());
    hash.update([0]);
    hash.update(projection.schema().to_be_bytes());
    hash.finalize().into()
}

/// The digest after the changes of the record with this sequence; a record that changes nothing leaves it as it is.
/// SHA-256 of the digest before, the sequence, and each change as length and bytes of its key, 1 or 0, length and bytes of
/// its value (numbers u64, big-endian).
pub fn advance(before: Digest, sequence: u64, changes: &[Change]) -> Digest {
    if changes.is_empty() {
        return before;
    }
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(sequence.to_be_bytes());
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    for change in changes {
        part(&change.key);
        part(&[u8::from(change.value.is_some())]);
        part(change.value.as_deref().unwrap_or_default());
    }
    hash.finalize().into()
}
