//! Writes tests/vectors/audit.json: `cargo run -p dta-verify --example audit`. It starts from protocol.json, which stays as it
//! is.
//!
//! Each case is an exported chain, what is disclosed of it, whom the auditor trusts and when it is audited, and the first check
//! that does not hold. Signatures are randomised, so each run gives other blocks; run it only when the format or a case changes.

#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

mod custody;
mod export;
mod logs;
mod public;
mod release;
#[path = "../../../src/protocol/tests/story/mod.rs"]
mod story;
mod valid;
#[path = "../../../src/protocol/examples/orders/world.rs"]
mod world;

use std::fs;
use std::path::Path;

use export::Cases;
use world::World;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors");
    let protocol = fs::read(folder.join("protocol.json")).unwrap();
    let world = World::read(&serde_json::from_slice(&protocol).unwrap());
    let mut cases = Cases::default();
    valid::cases(&world, &mut cases);
    public::files(&world, &mut cases);
    public::steps(&world, &mut cases);
    public::signatures(&world, &mut cases);
    logs::cases(&world, &mut cases);
    custody::disclosures(&world, &mut cases);
    custody::readers(&world, &mut cases);
    custody::orders(&world, &mut cases);
    custody::policies(&world, &mut cases);
    release::secrets(&world, &mut cases);
    release::ends(&world, &mut cases);
    let (valid, invalid) = cases.count();
    fs::write(folder.join("audit.json"), cases.file(&world)).unwrap();
    println!("{valid} valid cases, {invalid} invalid ones");
}
