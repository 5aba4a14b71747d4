//! The decoders of dta-proof, and proofs as strangers send them.

use std::sync::LazyLock;

use dta_proof::tile::Tile;
use dta_proof::tree::{check_consistency, check_inclusion};
use dta_proof::{Hash, Leaf, Note, Origin};
use dta_protocol::Identity;

use crate::samples;

static BOB: LazyLock<Identity> = LazyLock::new(|| Identity::decode(&samples::log_owner()).unwrap());

pub fn leaf(bytes: &[u8]) {
    if let Ok(leaf) = Leaf::decode(bytes) {
        assert!(leaf.encode() == bytes, "one leaf, one spelling");
    }
}

pub fn note(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(origin) = Origin::claimed(text) {
        assert!(text.starts_with(&origin.to_string()));
    }
    if let Ok(note) = Note::verify(text, &BOB) {
        assert!(text.len() <= 4_096 && note.text() == text);
        let said = text.split_once("\n\n").unwrap().0;
        assert!(
            samples::notes().iter().any(|known| known.starts_with(said.as_bytes())),
            "a forgery is believed"
        );
    }
}

pub fn tile_path(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(tile) = Tile::from_path(text) {
        assert!(tile.path() == text, "one tile, one path");
        let _ = tile.leaves();
    }
}

/// Size (8 bytes, big-endian), index (8), root (32), leaf (32), then the path.
pub fn proof(bytes: &[u8]) {
    let Some((numbers, rest)) = bytes.split_first_chunk::<16>() else { return };
    let (size, n) = numbers.split_at(8);
    let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap());
    let (hashes, _) = rest.as_chunks::<32>();
    let [root, leaf, path @ ..] = hashes else { return };
    // Whatever it says of these, only the tree's own hash leads to its root.
    if check_inclusion(path, number(size), *root, number(n), *leaf).is_ok() {
        let other: Hash = std::array::from_fn(|at| leaf[at] ^ 1);
        assert!(check_inclusion(path, number(size), *root, number(n), other).is_err());
    }
    let _ = check_consistency(path, number(size), *root, number(n), *leaf);
}
