//! Decoders of bytes from outside, each as a function that takes any bytes and panics only if a promise is broken; and a
//! mutator that tries them on stable Rust, seeded, from valid samples.
//!
//! `scripts/fuzz` calls the same functions under libFuzzer. Those of the node itself are in `milagro_dta::fuzzing`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a harness says what is wrong by panicking")]

mod audit;
mod log;
mod mutate;
mod protocol;
mod samples;
mod stored;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use mutate::Chance;

/// A decoder of outside bytes.
pub struct Decoder {
    /// Its name, as `scripts/fuzz` takes it.
    pub name: &'static str,
    /// Decodes, and holds what comes out to what was promised: that it is written as it was read, within its limits.
    pub run: fn(&[u8]),
    /// Valid inputs, and some that are nearly valid.
    pub samples: fn() -> Vec<Vec<u8>>,
}

/// Those of dta-protocol, dta-proof, dta-events and dta-verify.
pub const DECODERS: &[Decoder] = &[
    Decoder { name: "cbor", run: protocol::cbor, samples: samples::cbor },
    Decoder { name: "cid", run: protocol::cid, samples: samples::cids },
    Decoder { name: "cid-text", run: protocol::cid_text, samples: samples::cid_texts },
    Decoder { name: "statement", run: protocol::statement, samples: samples::statements },
    Decoder { name: "envelope", run: protocol::envelope, samples: samples::envelopes },
    Decoder { name: "identity", run: protocol::identity, samples: samples::identities },
    Decoder { name: "keys", run: protocol::keys, samples: samples::keys },
    Decoder { name: "plaintext", run: protocol::plaintext, samples: samples::plaintexts },
    Decoder { name: "sealed", run: protocol::sealed_body, samples: samples::sealed },
    Decoder { name: "car", run: protocol::car_file, samples: samples::cars },
    Decoder { name: "page", run: protocol::page, samples: samples::pages },
    Decoder { name: "block-page", run: protocol::block_page, samples: samples::block_pages },
    Decoder { name: "leaf", run: log::leaf, samples: samples::leaves },
    Decoder { name: "note", run: log::note, samples: samples::notes },
    Decoder { name: "tile-path", run: log::tile_path, samples: samples::tile_paths },
    Decoder { name: "log-proof", run: log::proof, samples: samples::log_proofs },
    Decoder { name: "manifest", run: audit::manifest, samples: audit::manifests },
    Decoder { name: "disclosure", run: audit::disclosure, samples: audit::disclosures },
    Decoder { name: "chain", run: audit::chain, samples: audit::chains },
    Decoder { name: "record", run: stored::record, samples: stored::records },
    Decoder { name: "event", run: stored::event, samples: stored::events },
    Decoder { name: "history", run: stored::history, samples: stored::histories },
];

/// Runs each decoder on its samples, then on `iterations` inputs made from them. The same seed makes the same inputs.
///
/// # Panics
/// A decoder broke a promise: the text has decoder, seed and the input in hex.
pub fn run(decoders: &[Decoder], seed: u64, iterations: u32) {
    for decoder in decoders {
        let samples = (decoder.samples)();
        assert!(!samples.is_empty(), "{} has no samples", decoder.name);
        let mut chance = Chance::new(seed, decoder.name);
        samples.iter().for_each(|sample| stands(decoder, sample, seed));
        for _ in 0..iterations {
            stands(decoder, &chance.mutated(&samples), seed);
        }
    }
}

fn stands(decoder: &Decoder, input: &[u8], seed: u64) {
    if catch_unwind(AssertUnwindSafe(|| (decoder.run)(input))).is_err() {
        panic!("decoder {}, seed {seed}: breaks its promise on {}", decoder.name, hex::encode(input));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(name: &str, otherwise: u64) -> u64 {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    }

    /// `DTA_FUZZ_SEED` repeats a run, `DTA_FUZZ_ITERATIONS` makes it longer.
    #[test]
    fn every_decoder_stands() {
        let seed = setting("DTA_FUZZ_SEED", 1);
        run(DECODERS, seed, setting("DTA_FUZZ_ITERATIONS", 3_000) as u32);
    }

    #[test]
    fn a_broken_promise_is_told_with_its_input() {
        fn fragile(bytes: &[u8]) {
            assert!(bytes.len() < 5);
        }
        let decoder = Decoder { name: "fragile", run: fragile, samples: || vec![b"abcd".to_vec()] };
        let told = catch_unwind(|| run(&[decoder], 7, 1_000)).unwrap_err();
        let told = told.downcast_ref::<String>().unwrap();
        assert!(told.starts_with("decoder fragile, seed 7: breaks its promise on "), "{told}");
    }

    #[test]
    fn a_seed_makes_the_same_inputs() {
        let samples = samples::cars();
        let inputs = |seed| {
            let mut chance = Chance::new(seed, "car");
            (0..50).map(|_| chance.mutated(&samples)).collect::<Vec<_>>()
        };
        assert!(inputs(1) == inputs(1) && inputs(1) != inputs(2));
    }
}
