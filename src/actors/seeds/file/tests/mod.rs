//! The store in files: the contract over one copy and three, and what files can suffer.

mod copies;
mod damage;
mod forgery;
mod format;
mod secrecy;
mod tokens;

use super::FileStore;
use super::header::PAGE_BYTES;
use super::slot::SLOT_BYTES;
use crate::actors::seeds::contract::{Backend, contract_tests};
use crate::actors::seeds::kek::Keks;
use crate::actors::seeds::testing::{TestEntropy, cid, node_seed};
use crate::actors::seeds::{Commitment, SeedError, SeedStore};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

contract_tests!(one_copy, super::Home::new(0));
contract_tests!(three_copies, super::Home::new(2));

/// A node's home and the folders of further copies.
struct Home {
    root: TempDir,
    copies: usize,
}

impl Home {
    /// With a new store.
    fn new(copies: usize) -> Self {
        let home = Self::empty(copies);
        home.create("store").unwrap();
        home
    }

    fn empty(copies: usize) -> Self {
        let home = Self { root: TempDir::new().unwrap(), copies };
        for folder in home.folders() {
            fs::create_dir(folder).unwrap();
        }
        home
    }

    fn path(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// The further copies.
    fn folders(&self) -> Vec<PathBuf> {
        (1..=self.copies).map(|n| self.root.path().join(format!("copy-{n}"))).collect()
    }

    /// Folder `n`, home's being 0.
    fn folder(&self, n: usize) -> PathBuf {
        if n == 0 { self.path().join("seeds") } else { self.folders().remove(n - 1) }
    }

    fn file(&self, n: usize) -> PathBuf {
        self.folder(n).join("seeds.dta")
    }

    fn bytes(&self, n: usize) -> Vec<u8> {
        fs::read(self.file(n)).unwrap()
    }

    fn put(&self, n: usize, bytes: &[u8]) {
        fs::write(self.file(n), bytes).unwrap();
    }

    /// Changes the bytes of a copy.
    fn change(&self, n: usize, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.bytes(n);
        change(&mut bytes);
        self.put(n, &bytes);
    }

    fn own(&self) -> PathBuf {
        self.path().join("seeds")
    }

    fn create(&self, entropy: &'static str) -> Result<FileStore, SeedError> {
        self.create_with(&mut TestEntropy::new(entropy))
    }

    fn create_with(&self, entropy: &mut TestEntropy) -> Result<FileStore, SeedError> {
        fs::create_dir_all(self.path()).unwrap();
        FileStore::create(
            &self.own(),
            &self.folders(),
            Keks::soft(&node_seed("node")),
            &cid("node"),
            &[],
            entropy,
        )
    }

    fn try_open(&self) -> Result<FileStore, SeedError> {
        self.try_open_as("node", "node")
    }

    /// By the seed and the identity of these.
    fn try_open_as(&self, seed: &str, node: &str) -> Result<FileStore, SeedError> {
        FileStore::open(&self.own(), &self.folders(), Keks::soft(&node_seed(seed)), &cid(node))
    }

    fn store(&self) -> FileStore {
        self.try_open().unwrap()
    }

    /// Opens the store and makes the seed of an order.
    fn order(&self, name: &str) -> Commitment {
        order(&mut self.store(), name).unwrap()
    }

    fn assert_copies_equal(&self) {
        for n in 1..=self.copies {
            assert!(self.bytes(n) == self.bytes(0), "copy {n} differs from home's");
        }
    }
}

impl Backend for Home {
    fn open(&self) -> Box<dyn SeedStore> {
        Box::new(self.store())
    }
}

fn order(store: &mut FileStore, name: &str) -> Result<Commitment, SeedError> {
    store.create(&[cid(name)], &mut TestEntropy::new("order")).remove(0).map(|key| key.commitment())
}

fn open(store: &mut FileStore, name: &str) -> Result<Commitment, SeedError> {
    SeedStore::open(store, &[cid(name)]).remove(0).map(|key| key.commitment())
}

fn code<T>(result: Result<T, SeedError>) -> &'static str {
    result.err().map_or("ok", |error| error.code())
}

/// Where a slot begins in a file.
fn at(slot: usize) -> usize {
    PAGE_BYTES + slot * SLOT_BYTES
}
