//! The parts, each beside what it cannot do without, in turns and in the same run: appends beside RocksDB, rebuilds beside a scan
//! of the log, envelopes beside the primitives under them. What it prints at the end of each part are tables in Markdown.
//! `scripts/bench parts` runs it; arguments choose among its own parts.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod append;
#[path = "../whole/archive.rs"]
mod archive;
mod bare;
mod envelopes;
mod floor;
#[path = "../../tests/kit/mod.rs"]
mod kit;
mod pairs;
mod rebuild;
#[path = "../template/mod.rs"]
mod template;

use criterion::Criterion;

type Part = fn(&mut Criterion);

fn main() {
    // `cargo bench` adds arguments of its own.
    let chosen: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let parts: [(&str, Part); 4] = [
        ("append", append::run),
        ("rebuild", rebuild::run),
        ("envelopes", envelopes::run),
        ("floor", floor::run),
    ];
    if let Some(unknown) = chosen.iter().find(|chosen| parts.iter().all(|(name, _)| name != chosen)) {
        panic!("no part {unknown}; there are: {:?}", parts.map(|(name, _)| name));
    }
    let mut criterion = Criterion::default().without_plots();
    for (name, part) in parts {
        if chosen.is_empty() || chosen.iter().any(|chosen| chosen == name) {
            part(&mut criterion);
        }
    }
}
