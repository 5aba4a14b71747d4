//! The Merkle tree over the leaves (RFC 6962): what an append stores, roots, and proofs.
//!
//! Hashes are stored in the order of Crosby and Wallach (Efficient Data Structures for Tamper-Evident Logging, 3.3): each has a
//! place, a number that never changes as the tree grows; a leaf and the subtrees it completes stand one after the other.

use std::cell::RefCell;

use thiserror::Error;
use tlog_tiles::HashReader;

/// A node of the tree: SHA-256(`00` ‖ leaf) or SHA-256(`01` ‖ left ‖ right).
pub type Hash = [u8; 32];

/// The root of the tree without leaves: SHA-256 of nothing.
pub const EMPTY_ROOT: Hash = tlog_tiles::EMPTY_HASH.0;

/// Where stored hashes are read.
pub trait Hashes {
    /// Why it cannot.
    type Error;

    /// The hashes at these places, as many and in their order.
    ///
    /// # Errors
    /// Its own; also if one of them is not there.
    fn hashes(&self, places: &[u64]) -> Result<Vec<Hash>, Self::Error>;
}

/// Why a tree does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TreeError<E> {
    /// The hashes cannot be read.
    #[error(transparent)]
    Read(#[from] E),
    /// A leaf or a size that the tree does not have.
    #[error("the tree has no such leaf or size")]
    Range,
}

/// A proof that proves nothing of the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the proof does not hold")]
pub struct NotProved;

/// How many hashes a tree of this many leaves stores; the place of the next leaf.
pub fn stored(size: u64) -> u64 {
    tlog_tiles::stored_hash_count(size)
}

/// The place of a node: the `n`th, from 0, of a level; leaves are level 0.
pub fn place(level: u8, n: u64) -> u64 {
    tlog_tiles::stored_hash_index(level, n)
}

/// What leaf `n`, the next, adds: its own hash and those of the subtrees it completes, from place [`stored`]`(n)` on.
///
/// # Errors
/// The reader's.
pub fn append<H: Hashes>(hashes: &H, n: u64, leaf: Hash) -> Result<Vec<Hash>, TreeError<H::Error>> {
    let reader = Reader::over(hashes);
    let new = tlog_tiles::stored_hashes_for_record_hash(n, tlog_tiles::Hash(leaf), &reader);
    Ok(reader.told(new)?.into_iter().map(|hash| hash.0).collect())
}

/// The root of the tree over the first `size` leaves.
///
/// # Errors
/// The reader's.
pub fn root<H: Hashes>(hashes: &H, size: u64) -> Result<Hash, TreeError<H::Error>> {
    let reader = Reader::over(hashes);
    let root = tlog_tiles::tree_hash(size, &reader);
    Ok(reader.told(root)?.0)
}

/// Proves to whom has the root of `size` leaves that leaf `n` is one of them: the audit path of RFC 6962, from the leaf up.
///
/// # Errors
/// `Range` unless `n < size`; the reader's.
pub fn prove_inclusion<H: Hashes>(hashes: &H, size: u64, n: u64) -> Result<Vec<Hash>, TreeError<H::Error>> {
    if n >= size {
        return Err(TreeError::Range);
    }
    let reader = Reader::over(hashes);
    let proof = tlog_tiles::prove_record(size, n, &reader);
    Ok(reader.told(proof)?.into_iter().map(|hash| hash.0).collect())
}

/// Proves to whom has the roots of `old` and of `size` leaves that the second tree begins with the first.
///
/// # Errors
/// `Range` unless `1 <= old <= size`; the reader's.
pub fn prove_consistency<H: Hashes>(
    hashes: &H,
    size: u64,
    old: u64,
) -> Result<Vec<Hash>, TreeError<H::Error>> {
    if old == 0 || old > size {
        return Err(TreeError::Range);
    }
    let reader = Reader::over(hashes);
    let proof = tlog_tiles::prove_tree(size, old, &reader);
    Ok(reader.told(proof)?.into_iter().map(|hash| hash.0).collect())
}

/// Whether `path` proves that a tree with this size and root has this leaf at `n`.
///
/// # Errors
/// [`NotProved`].
pub fn check_inclusion(path: &[Hash], size: u64, root: Hash, n: u64, leaf: Hash) -> Result<(), NotProved> {
    let path = path.iter().copied().map(tlog_tiles::Hash).collect();
    tlog_tiles::check_record(&path, size, tlog_tiles::Hash(root), n, tlog_tiles::Hash(leaf))
        .map_err(|_| NotProved)
}

/// Whether `path` proves that the tree with this size and root begins with that of `old` leaves.
///
/// # Errors
/// [`NotProved`]; also for an `old` of 0, which nothing is said about.
pub fn check_consistency(
    path: &[Hash],
    size: u64,
    root: Hash,
    old: u64,
    old_root: Hash,
) -> Result<(), NotProved> {
    if old == 0 || old > size {
        return Err(NotProved);
    }
    let path = path.iter().copied().map(tlog_tiles::Hash).collect();
    tlog_tiles::check_tree(&path, size, tlog_tiles::Hash(root), old, tlog_tiles::Hash(old_root))
        .map_err(|_| NotProved)
}

/// The library's reader over ours, which keeps our error while the library has only its own.
pub(crate) struct Reader<'a, H: Hashes> {
    hashes: &'a H,
    failed: RefCell<Option<H::Error>>,
}

impl<'a, H: Hashes> Reader<'a, H> {
    pub(crate) fn over(hashes: &'a H) -> Self {
        Self { hashes, failed: RefCell::new(None) }
    }

    /// What the library answered, with our error in place of its own.
    pub(crate) fn told<T>(self, answer: Result<T, tlog_tiles::Error>) -> Result<T, TreeError<H::Error>> {
        match (answer, self.failed.into_inner()) {
            (_, Some(failed)) => Err(TreeError::Read(failed)),
            (Ok(answer), None) => Ok(answer),
            (Err(_), None) => Err(TreeError::Range),
        }
    }
}

impl<H: Hashes> HashReader for Reader<'_, H> {
    fn read_hashes(&self, places: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        match self.hashes.hashes(places) {
            // The library counts on it, and panics.
            Ok(hashes) if hashes.len() == places.len() => {
                Ok(hashes.into_iter().map(tlog_tiles::Hash).collect())
            }
            Ok(_) => Err(tlog_tiles::Error::BadMath),
            Err(error) => {
                self.failed.replace(Some(error));
                Err(tlog_tiles::Error::BadMath)
            }
        }
    }
}
