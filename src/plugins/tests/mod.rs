//! Held to the original's answers, to the vectors of the BIPs, and to rust-bitcoin.

mod bitcoin;
mod ecies;
mod field;
mod hooks;
mod keys;
mod share;

use dta_crypto::{Entropy, OrderKey, Secret};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::keys::PublicPoint;

/// SHA-256 of a counter: as good as random, and the same in every run. Counts what was drawn.
#[derive(Default)]
struct Repeatable {
    drawn: usize,
    block: u64,
}

impl Entropy for Repeatable {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.drawn += bytes.len();
        for chunk in bytes.chunks_mut(32) {
            self.block += 1;
            chunk.copy_from_slice(&Sha256::digest(self.block.to_be_bytes())[..chunk.len()]);
        }
    }
}

/// The answers of the original D-TA of one plugin.
fn original(plugin: &str) -> Vec<Value> {
    let vectors: Value =
        serde_json::from_str(include_str!("../../../tests/vectors/original-vectors.json")).unwrap();
    vectors[plugin].as_array().unwrap().clone()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn hex<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}

fn secret(text: &str) -> Secret<32> {
    Secret::from_bytes(hex(text))
}

fn point(text: &str) -> PublicPoint {
    PublicPoint::parse(&hex::decode(text).unwrap()).unwrap()
}

/// The key whose secret is 32 times `fill`.
fn key(fill: u8) -> OrderKey {
    OrderKey::from_secret(Secret::from_bytes([fill; 32])).unwrap()
}

/// The order of secp256k1.
const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
/// The generator.
const G: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

/// Bytes that are no public key, each for one reason; the last value says whether it is the form already.
const NO_POINTS: [(&str, &str, bool); 20] = [
    ("nothing", "", true),
    ("infinity", "00", true),
    ("infinity, 33 bytes", "000000000000000000000000000000000000000000000000000000000000000000", true),
    (
        "infinity as 0, 0",
        "0400000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
        false,
    ),
    (
        "y is one less",
        "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b7",
        false,
    ),
    (
        "x and y exchanged",
        "04483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b879be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
        false,
    ),
    (
        "x is the prime, for 0",
        "04fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8",
        false,
    ),
    (
        "x is the prime and 1, for 1",
        "04fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc304218f20ae6c646b363db68605822fb14264ca8d2587fdd6fbc750d587e76a7ee",
        false,
    ),
    ("no y for x = 5", "020000000000000000000000000000000000000000000000000000000000000005", false),
    ("no y for x = 0", "020000000000000000000000000000000000000000000000000000000000000000", false),
    (
        "x is the prime and 1, compressed",
        "02fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc30",
        false,
    ),
    ("x is the greatest", "03ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", false),
    (
        "hybrid, even",
        "0679be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8",
        true,
    ),
    (
        "hybrid, odd",
        "0779be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798b7c52588d95c3b9aa25b0403f1eef75702e84bb7597aabe663b82f6f04ef2777",
        true,
    ),
    ("x alone", "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798", true),
    ("compact", "0579be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798", true),
    (
        "compressed by its length alone",
        "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
        true,
    ),
    ("a byte short", "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f817", true),
    ("a byte long", "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f8179800", true),
    (
        "uncompressed by its length alone",
        "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8",
        true,
    ),
];
