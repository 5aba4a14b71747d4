//! Leaves, trees, tiles and notes, against implementations by others and against everything that is none.

#![allow(clippy::unwrap_used)]

mod checkpoints;
mod leaf;
mod note;
mod tile;
mod tree;
mod vectors;

use std::cell::RefCell;
use std::convert::Infallible;

use crate::tree::{Hash, Hashes, append, stored};

/// Stored hashes in memory.
#[derive(Default)]
struct Memory(RefCell<Vec<Hash>>);

impl Hashes for Memory {
    type Error = Infallible;

    fn hashes(&self, places: &[u64]) -> Result<Vec<Hash>, Infallible> {
        Ok(places.iter().map(|place| self.0.borrow()[*place as usize]).collect())
    }
}

impl Memory {
    /// With leaves `leaf 0`, `leaf 1` and so on.
    fn of(size: u64) -> Self {
        let memory = Self::default();
        for n in 0..size {
            let new = append(&memory, n, leaf_hash(n)).unwrap();
            assert_eq!(memory.0.borrow().len() as u64, stored(n));
            memory.0.borrow_mut().extend(new);
        }
        memory
    }
}

fn leaf(n: u64) -> Vec<u8> {
    format!("leaf {n}").into_bytes()
}

fn leaf_hash(n: u64) -> Hash {
    tlog_tiles::record_hash(&leaf(n)).0
}
