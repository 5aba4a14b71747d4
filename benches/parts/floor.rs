//! The floor: what the primitives alone cost that a whole order cannot do without, on one node and on both ends of two.
//!
//! The counts are of the protocol, read from work.rs, believe.rs, reopen.rs and peers/ in src/actors: they change when an order is
//! made of other steps, sealed to others or checked in another way. On one node whoever orders is fiduciary and beneficiary
//! too, as in `scripts/bench one`; between two the beneficiary is the principal, as in `scripts/bench two`.
//!
//! | step | signed by | sealed to, one node | two | what the other end does (two) |
//! |---|---|---|---|---|
//! | placed | principal | 1 | 2 | verify, open, check 2 |
//! | committed, with the proof of a key that is derived for it | fiduciary | 1 | 2 | verify, open, check 2, proof |
//! | redemption requested, for which two bodies are opened; and a body for the beneficiary | principal | 1 + 1 | 2 + 1 | verify, open, check 2 |
//! | released; and the secret, which custody unwraps | fiduciary | 1 + 1 | 2 + 1 | verify, open, check 2; open both bodies, check 1 |
//! | received, with proof | beneficiary | 1 | 2 | verify, open, check 2, proof |
//!
//! Whoever opens what is sealed to two finds its entry at the first try or at the second.

use std::hint::black_box;

use criterion::Criterion;
use dta_crypto::{IdentityKeys, OrderKey, Secret, bip340};

use crate::bare::{self, Keys};
use crate::pairs::{alone, cpu};

/// CPU milliseconds of a whole order: on one node, and on both ends of two.
const LIMITS_MS: [f64; 2] = [10.0, 15.0];
/// Bytes that are signed: a statement with one body for two.
const MESSAGE: &[u8] = &[7; 2_800];
const TAG: &str = "milagro-dta/v1/commitment";

pub fn run(criterion: &mut Criterion) {
    let seed = Secret::from_bytes([1; 32]);
    let (keys, identity) = (Keys::from_seed(&seed), IdentityKeys::from_seed(&seed));
    let verifying = identity.public().validate().unwrap();
    let order = OrderKey::from_seed(&seed);
    let signed = keys.sign(MESSAGE);
    let entry = bare::wrap(&keys, &[9; 32]);
    let proof = order.sign(TAG, MESSAGE);
    let call = identity.ed25519_sign(MESSAGE);

    let mut measure =
        |name, mut call: Box<dyn FnMut() + '_>| alone(criterion, "floor", name, &mut || cpu(&mut call));
    let operations: [(&str, f64, [f64; 2]); 9] = [
        ("sign: BLS and ML-DSA", measure("sign", Box::new(|| _ = black_box(keys.sign(MESSAGE)))), [5.0, 5.0]),
        ("verify: BLS and ML-DSA", measure("verify", Box::new(|| keys.verify(MESSAGE, &signed))), [0.0, 5.0]),
        // To seal, 7 and 12; to check recipients, none and 11.
        (
            "encapsulate: X-Wing",
            measure("encapsulate", Box::new(|| _ = black_box(bare::wrap(&keys, &[9; 32])))),
            [7.0, 23.0],
        ),
        // Nine bodies, eight of them with two entries.
        (
            "decapsulate: X-Wing",
            measure("decapsulate", Box::new(|| _ = black_box(keys.unwrap(&entry)))),
            [2.0, 13.0],
        ),
        (
            "an order's key: PBKDF2 and BIP32",
            measure("order key", Box::new(|| _ = black_box(OrderKey::from_seed(&seed)))),
            [1.0, 1.0],
        ),
        ("prove: BIP340", measure("prove", Box::new(|| _ = black_box(order.sign(TAG, MESSAGE)))), [2.0, 2.0]),
        (
            "verify a proof: BIP340",
            measure(
                "verify a proof",
                Box::new(|| bip340::verify(&order.commitment(), TAG, MESSAGE, &proof).unwrap()),
            ),
            [0.0, 2.0],
        ),
        // Three calls, with their answers.
        (
            "sign a call: Ed25519",
            measure("sign a call", Box::new(|| _ = black_box(identity.ed25519_sign(MESSAGE)))),
            [0.0, 6.0],
        ),
        (
            "verify a call: Ed25519",
            measure("verify a call", Box::new(|| verifying.verify_ed25519(MESSAGE, &call).unwrap())),
            [0.0, 6.0],
        ),
    ];

    println!(
        "\n| a whole order's primitives | CPU µs | one node: times | ms | two: times | ms |\n|---|---|---|---|---|---|"
    );
    let mut sums = [0.0; 2];
    for (name, seconds, times) in operations {
        let ms = times.map(|times| times * seconds * 1e3);
        sums = [sums[0] + ms[0], sums[1] + ms[1]];
        println!(
            "| {name} | {:.0} | {:.0} | {:.2} | {:.0} | {:.2} |",
            seconds * 1e6,
            times[0],
            ms[0],
            times[1],
            ms[1]
        );
    }
    println!("| together | | | {:.1} | | {:.1} |", sums[0], sums[1]);
    let share = |n: usize| sums[n] / LIMITS_MS[n];
    println!("| of the limit | | {} | {:.2} | {} | {:.2} |", LIMITS_MS[0], share(0), LIMITS_MS[1], share(1));
}
