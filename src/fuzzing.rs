//! The node's own decoders of outside bytes, for fuzz/ and for the same mutator on stable Rust: calls between nodes, the
//! requests of clients, and what lies in a home. Compiled for tests and with the feature `fuzzing` alone.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a harness says what is wrong by panicking")]

mod calls;
mod files;

use dta_fuzzing::Decoder;

use crate::actors::follow::files as followed;
use crate::actors::log::acknowledged;
use crate::actors::mirror::position;
use crate::actors::seeds::file::fuzzing as seeds;
use crate::api::fuzzing as api;
use crate::keystore::file;

/// Those of the node.
pub const DECODERS: &[Decoder] = &[
    Decoder { name: "arrival", run: calls::arrival, samples: calls::arrivals },
    Decoder { name: "call", run: calls::request, samples: calls::requests },
    Decoder { name: "answer", run: calls::answer, samples: calls::answers },
    Decoder { name: "url", run: calls::url, samples: calls::urls },
    Decoder { name: "json", run: api::json, samples: api::jsons },
    Decoder { name: "headers", run: api::headers, samples: api::header_samples },
    Decoder { name: "query", run: api::query, samples: api::queries },
    Decoder { name: "seed-slot", run: seeds::slot, samples: seeds::slots },
    Decoder { name: "seed-header", run: seeds::page, samples: seeds::pages },
    Decoder { name: "keystore", run: file::stands, samples: file::samples },
    Decoder { name: "words", run: files::words, samples: files::words_samples },
    Decoder { name: "swarm-key", run: files::swarm_key, samples: files::swarm_keys },
    Decoder { name: "multiaddr", run: files::multiaddr, samples: files::multiaddrs },
    Decoder { name: "config", run: files::config, samples: files::configs },
    Decoder { name: "followed", run: followed::stands, samples: files::followed },
    Decoder { name: "mirror-position", run: position::stands, samples: files::positions },
    Decoder { name: "acknowledged", run: acknowledged::stands, samples: files::acknowledged },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// `DTA_FUZZ_SEED` repeats a run, `DTA_FUZZ_ITERATIONS` makes it longer.
    #[test]
    fn every_decoder_stands() {
        let setting = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
        let seed = setting("DTA_FUZZ_SEED").unwrap_or(1);
        let iterations = setting("DTA_FUZZ_ITERATIONS").unwrap_or(3_000);
        dta_fuzzing::run(DECODERS, seed, iterations as u32);
    }

    #[test]
    fn no_two_decoders_have_one_name() {
        let all = DECODERS.iter().chain(dta_fuzzing::DECODERS).map(|decoder| decoder.name);
        let names: std::collections::BTreeSet<_> = all.clone().collect();
        assert_eq!(names.len(), all.count());
    }
}
