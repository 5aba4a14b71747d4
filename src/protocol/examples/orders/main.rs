//! Writes tests/vectors/orders.json: `cargo run -p dta-protocol --example orders`. It starts from protocol.json, which
//! stays as it is.
//!
//! Each case is what another node sends about an order, the order as the judge has it, and what the judge must make of it.
//! Signatures are randomised, so each run gives other blocks; run it only when the format or a case changes.

#![allow(clippy::unwrap_used, clippy::panic)]

mod beneficiary;
mod calls;
mod cases;
mod fiduciary;
mod principal;
mod readers;
#[path = "../../tests/story/mod.rs"]
mod story;
mod world;

use std::fs;
use std::path::Path;

use cases::Cases;
use world::World;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors");
    let protocol = fs::read(folder.join("protocol.json")).unwrap();
    let world = World::read(&serde_json::from_slice(&protocol).unwrap());
    let mut cases = Cases::default();
    fiduciary::valid(&world, &mut cases);
    fiduciary::placed(&world, &mut cases);
    fiduciary::redemption(&world, &mut cases);
    fiduciary::ends(&world, &mut cases);
    fiduciary::order_of_steps(&world, &mut cases);
    readers::bodies(&world, &mut cases);
    readers::recipients(&world, &mut cases);
    principal::commitments(&world, &mut cases);
    principal::releases(&world, &mut cases);
    principal::ends(&world, &mut cases);
    beneficiary::releases(&world, &mut cases);
    calls::outsiders(&world, &mut cases);
    calls::shapes(&world, &mut cases);
    calls::replays(&world, &mut cases);
    let (valid, invalid) = cases.count();
    fs::write(folder.join("orders.json"), cases.file(&world)).unwrap();
    println!("{valid} valid cases, {invalid} invalid ones");
}
