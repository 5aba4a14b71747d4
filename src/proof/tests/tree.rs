//! The tree, against ct-merkle, which others wrote.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::{Memory, leaf, leaf_hash};
use crate::tree::*;

const SIZE: u64 = 70;

fn oracle(size: u64) -> MemoryBackedTree<Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    (0..size).for_each(|n| tree.push(leaf(n)));
    tree
}

#[test]
fn roots_are_those_of_rfc_6962() {
    let memory = Memory::of(SIZE);
    assert_eq!(root(&memory, 0), Ok(EMPTY_ROOT));
    assert_eq!(EMPTY_ROOT, <[u8; 32]>::from(Sha256::digest([])));
    for size in 1..=SIZE {
        assert_eq!(
            root(&memory, size).unwrap().as_slice(),
            oracle(size).root().as_bytes().as_slice(),
            "{size}"
        );
    }
}

#[test]
fn audit_paths_are_those_of_rfc_6962_and_prove_only_their_leaf() {
    let memory = Memory::of(SIZE);
    for size in 1..=SIZE {
        let (oracle, root) = (oracle(size), root(&memory, size).unwrap());
        for n in 0..size {
            let path = prove_inclusion(&memory, size, n).unwrap();
            assert_eq!(path.concat(), oracle.prove_inclusion(n as usize).as_bytes(), "{n} of {size}");
            check_inclusion(&path, size, root, n, leaf_hash(n)).unwrap();
            for wrong in (0..size + 2).filter(|wrong| *wrong != n) {
                assert!(check_inclusion(&path, size, root, wrong, leaf_hash(n)).is_err());
                assert!(check_inclusion(&path, size, root, n, leaf_hash(wrong)).is_err());
            }
            assert!(check_inclusion(&path, size, [7; 32], n, leaf_hash(n)).is_err());
        }
        assert_eq!(prove_inclusion(&memory, size, size), Err(TreeError::Range));
    }
}

#[test]
fn consistency_proofs_are_those_of_rfc_6962_and_prove_only_their_sizes() {
    let memory = Memory::of(SIZE);
    for size in 1..=SIZE {
        let (oracle, new) = (oracle(size), root(&memory, size).unwrap());
        for old in 1..=size {
            let path = prove_consistency(&memory, size, old).unwrap();
            assert_eq!(
                path.concat(),
                oracle.prove_consistency((size - old) as usize).as_bytes(),
                "{old} of {size}"
            );
            let old_root = root(&memory, old).unwrap();
            check_consistency(&path, size, new, old, old_root).unwrap();
            assert!(check_consistency(&path, size, new, old, [7; 32]).is_err());
            for wrong in (0..size + 2).filter(|wrong| *wrong != old) {
                assert!(check_consistency(&path, size, new, wrong, old_root).is_err());
            }
        }
        assert_eq!(prove_consistency(&memory, size, 0), Err(TreeError::Range));
        assert_eq!(prove_consistency(&memory, size, size + 1), Err(TreeError::Range));
    }
}

#[test]
fn a_path_that_is_changed_proves_nothing() {
    let memory = Memory::of(SIZE);
    let top = root(&memory, SIZE).unwrap();
    let path = prove_inclusion(&memory, SIZE, 11).unwrap();
    let consistent = prove_consistency(&memory, SIZE, 11).unwrap();
    let old = root(&memory, 11).unwrap();
    for changed in changes(&path) {
        assert!(check_inclusion(&changed, SIZE, top, 11, leaf_hash(11)).is_err());
    }
    for changed in changes(&consistent) {
        assert!(check_consistency(&changed, SIZE, top, 11, old).is_err());
    }
}

/// Flipped, cut, swapped, doubled, made longer.
fn changes(path: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = Vec::new();
    for at in 0..path.len() {
        for byte in 0..32 {
            let mut flipped = path.to_vec();
            flipped[at][byte] ^= 1;
            all.push(flipped);
        }
        let mut cut = path.to_vec();
        cut.remove(at);
        all.push(cut);
        let mut doubled = path.to_vec();
        doubled.insert(at, path[at]);
        all.push(doubled);
        for other in 0..at {
            let mut swapped = path.to_vec();
            swapped.swap(at, other);
            all.push(swapped);
        }
    }
    all.push([path, &[[0; 32]]].concat());
    all.push(Vec::new());
    all
}

#[test]
fn an_error_of_the_store_comes_through() {
    struct Broken(usize);
    impl Hashes for Broken {
        type Error = &'static str;

        fn hashes(&self, places: &[u64]) -> Result<Vec<Hash>, &'static str> {
            if self.0 == 0 { Err("the disk") } else { Ok(vec![[0; 32]; places.len() + self.0]) }
        }
    }
    assert_eq!(root(&Broken(0), 3), Err(TreeError::Read("the disk")));
    assert_eq!(append(&Broken(0), 3, [0; 32]), Err(TreeError::Read("the disk")));
    assert_eq!(prove_inclusion(&Broken(0), 3, 1), Err(TreeError::Read("the disk")));
    assert_eq!(prove_consistency(&Broken(0), 3, 1), Err(TreeError::Read("the disk")));
    assert_eq!(root(&Broken(1), 3), Err(TreeError::Range), "a store that gives more than was asked for");
}

proptest! {
    #[test]
    fn no_proof_of_strangers_panics(
        path in proptest::collection::vec(any::<Hash>(), 0..70),
        size: u64, n: u64, root: Hash, leaf: Hash,
    ) {
        prop_assert!(check_inclusion(&path, size, root, n, leaf).is_err());
        prop_assert!(check_consistency(&path, size, root, n, leaf).is_err());
    }
}
