//! What must be so when an order has ended, whatever happened on the way.

use std::path::Path;

use dta_protocol::Kind;

use crate::client::{Cast, Told};
use crate::kit::public_key_of;
use crate::stage::{Scene, Stage};
use crate::world::{Party, WHOLE, chain, seeds};

/// Where the slots of a seed file begin, and how long each is; its first byte says whether it is used.
const SLOTS_AT: usize = 4096;
const SLOT_BYTES: usize = 512;
const USED: u8 = 2;

/// The order ended as without a crash: one order, one seed, and everything as it was answered.
pub fn ended(stage: &Stage, cast: &Cast, told: &Told) {
    let commitment = told.placed.str("commitment");
    assert_eq!(public_key_of(&told.secret), commitment);
    assert_eq!(told.redeemed.str("commitment"), commitment);
    cast.remembers(told);

    let mut chains = Vec::new();
    for party in stage.parties() {
        party.caught_up();
        let all = party.get("/v1/order").is(200).body["orderReference"].clone();
        assert_eq!(all.as_array().map(Vec::len), Some(1), "{}: {all}", party.name);
        assert_eq!(steps(party, &told.order), WHOLE, "{}", party.name);
        chains.push(chain(party, &told.order));
        let kept = usize::from(keeps_keys(party) && !told.shredded);
        assert_eq!(seeds(party), kept as u64, "{}", party.name);
        for folder in ["seeds", "copy"] {
            let file = party.home.path().join(folder).join("seeds.dta");
            assert_eq!(used_slots(&file), kept, "{}", file.display());
        }
    }
    assert!(chains.windows(2).all(|two| two[0] == two[1]), "{chains:?}");

    for party in stage.parties() {
        let daves = party.get("/v1/identity?perPage=1000").is(200).body.to_string();
        let daves = daves.matches("\"dave\"").count();
        assert!(daves <= 1, "{}: {daves} identities of one request", party.name);
        if stage.scene == Scene::Published {
            party.until("everything is published", |node| {
                let status = node.get("/v1/status").is(200).body;
                status["ipfs"]["backlog"] == 0
            });
        }
        party.home.must(&["log", "verify", "--deep"]);
        party.home.must(&["projection", "verify"]);
    }
}

fn keeps_keys(party: &Party) -> bool {
    matches!(party.name, "bob" | "multi")
}

/// The steps in an order's history. Nothing was refused; that something was delivered stands there, too.
fn steps(party: &Party, order: &str) -> Vec<Kind> {
    let history = party.get(&format!("/v1/order/{order}/history")).is(200).body["history"].clone();
    let entries = history.as_array().unwrap();
    assert!(entries.iter().all(|entry| entry["refused"].is_null()), "{}: {history}", party.name);
    entries.iter().filter_map(|entry| entry["step"].as_str()).map(|step| step.parse().unwrap()).collect()
}

/// How many slots of a seed file hold a seed; none if there is no such copy.
fn used_slots(file: &Path) -> usize {
    let bytes = std::fs::read(file).unwrap_or_default();
    bytes.get(SLOTS_AT..).unwrap_or_default().chunks(SLOT_BYTES).filter(|slot| slot[0] == USED).count()
}
