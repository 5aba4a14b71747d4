//! Orders between the nodes of alice (principal), bob (fiduciary) and carol (beneficiary), each a process of its own.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod audit;
mod away;
mod ends;
#[path = "../kit/mod.rs"]
mod kit;
mod known;
mod leaks;
mod mallory;
mod mirror;
mod partition;
mod proved;
mod taken_back;
mod types;
mod whole;
mod wire;
// tests/crash uses more of it.
#[allow(dead_code)]
mod world;
