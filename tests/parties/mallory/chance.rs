//! Bytes that were right once.

use std::collections::BTreeSet;

use dta_protocol::Cid;
use dta_protocol::car::{self, Block};

use super::{Mallory, identity_of};
use crate::world::Party;

/// Calls a node with that many mutations of a CAR, its root first; the node must judge each of them and go on. Answers the
/// codes of its refusals.
pub fn call_with_mutations(
    mallory: &Mallory,
    node: &Party,
    target: &str,
    blocks: &[Block],
    rounds: usize,
) -> BTreeSet<String> {
    let to = identity_of(node).cid();
    let mut chance = Chance(1);
    let mut codes = BTreeSet::new();
    for round in 0..rounds {
        let car = if round % 2 == 0 {
            let mut car = encode(blocks);
            chance.mutate(&mut car);
            car
        } else {
            // Deeper: a block is changed and named anew.
            let mut blocks = blocks.to_vec();
            let at = if round % 4 == 1 { 0 } else { chance.below(blocks.len()) };
            chance.mutate(&mut blocks[at].1);
            blocks[at].0 = Cid::of(blocks[at].0.codec(), &blocks[at].1);
            encode(&blocks)
        };
        let heard = mallory.request("POST", target, &to, &car).send_to(node);
        assert!(heard.status < 500, "round {round}: {}", heard.timeless());
        codes.insert(heard.code());
    }
    assert_eq!(node.get("/v1/ready").is(200).body["ready"], true);
    codes
}

fn encode(blocks: &[Block]) -> Vec<u8> {
    car::encode(blocks[0].0, blocks.iter().map(|(cid, block)| (*cid, block.as_slice()))).unwrap()
}

/// The same in every run: a linear congruential generator (Knuth's constants).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len());
        match self.below(5) {
            0 => bytes[at] ^= 1 << self.below(8),
            1 => bytes[at] = self.below(256) as u8,
            2 => bytes.truncate(at),
            3 => bytes.insert(at, self.below(256) as u8),
            _ => drop(bytes.drain(at..(at + 1 + self.below(8)).min(bytes.len()))),
        }
    }
}
