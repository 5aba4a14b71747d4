//! Finished orders leave no secret behind: not in the homes of the three, not on IPFS, not in a log line at trace level.

use std::collections::BTreeSet;
use std::path::PathBuf;

use dta_protocol::Cid;
use serde_json::{Value, json};

use crate::kit::leaks::{Search, Secrets};
use crate::kit::{Home, files, token};
use crate::known::Known;
use crate::world::{Party, WHOLE, World};

/// What an order is placed and redeemed with; sealed, it is nobody else's to read.
const EXTENSION: &str = "for the eyes of plugins only, not of those who read log lines";

fn ipfs(party: &Party) -> Value {
    party.get("/v1/status").is(200).body["ipfs"].clone()
}

/// The three at trace level, in a private IPFS network; the fiduciary's custody as it says.
fn world(swarm_key: &str, custody: &str) -> World {
    let [mut alice, mut carol] = ["alice", "carol"].map(Party::new);
    let home = Home::empty();
    home.settings(custody);
    let mut bob = Party::at("bob", home);
    let fiduciary = bob.cid.clone();
    let mut peers: Vec<String> = Vec::new();
    for (party, node_type) in [(&mut bob, "fiduciary"), (&mut alice, "principal"), (&mut carol, "principal")]
    {
        std::fs::write(party.home.path().join("swarm.key"), swarm_key).unwrap();
        party.home.settings(&format!(
            "[node]\ntype = \"{node_type}\"\nfiduciary = \"{fiduciary}\"\n\
             [http]\norder_wait_ms = 30000\n\
             [ipfs]\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\nswarm_key = \"swarm.key\"\npeers = {peers:?}\n\
             [log]\nlevel = \"trace\"\n{}",
            if node_type == "fiduciary" { custody } else { "" }
        ));
        party.start();
        peers.push(ipfs(party)["addresses"][0].as_str().unwrap().to_owned());
    }
    World::of(alice, bob, carol, &[])
}

/// Every file of a home, and its log lines.
fn left_behind(party: &Party) -> Vec<PathBuf> {
    files(&party.home.path()).into_iter().chain([party.home.log()]).collect()
}

/// A whole order; answers its CID and the secret that its beneficiary was given.
fn order(world: &World, early: &str, giver: &Party, beneficiary: &str) -> (Cid, Vec<u8>) {
    let extension = json!({ "purpose": EXTENSION });
    let placed =
        world.alice.post("/v1/order", &json!({ "beneficiaryIDDocumentCID": early, "extension": extension }));
    let placed = world.committed(placed.str("orderReference"));
    let redeem = json!({
        "orderReference": placed.reference, "beneficiaryIDDocumentCID": beneficiary, "extension": extension
    });
    world.alice.post("/v1/order/secret", &redeem).is(200);
    world.ends(&placed.order, giver, &WHOLE);
    world.only_gives(giver, &placed.order, beneficiary, &placed.commitment);
    let secret = giver.redeem(&placed.order, beneficiary).is(200).str("secret");
    (placed.order.parse().unwrap(), hex::decode(secret).unwrap())
}

/// The last step over IPFS, from each who has the order, back to the first.
fn followed(world: &World, order: &Cid) {
    let chain_at = |party: &Party| crate::world::chain(party, &order.to_string());
    let last = chain_at(&world.bob).pop().unwrap().1.to_string();
    let key = world.bob.home.path().join("swarm.key");
    let parties = [&world.alice, &world.bob, &world.carol];
    for party in parties.into_iter().filter(|party| !chain_at(party).is_empty()) {
        party
            .until("all is published", |_| ipfs(party)["backlog"] == 0 && ipfs(party)["lastError"].is_null());
        let address = ipfs(party)["addresses"][0].as_str().unwrap().to_owned();
        let get =
            ["ipfs", "get", &last, "--peer", &address, "--swarm-key", key.to_str().unwrap(), "--follow"];
        assert_eq!(Home::empty().must(&get).lines().count(), WHOLE.len());
    }
}

#[test]
fn no_secret_is_left_behind_by_three_parties() {
    nothing_is_left_behind("");
}

#[test]
fn nor_with_the_fiduciarys_seeds_under_a_key_in_a_token() {
    nothing_is_left_behind(&token::seeds_in("dta-test", ""));
}

fn nothing_is_left_behind(custody: &str) {
    let swarm_key = Home::empty().must(&["ipfs", "swarm-key"]);
    let mut world = world(&swarm_key, custody);
    let (alice, carol) = (world.alice.cid.clone(), world.carol.cid.clone());
    let orders = [
        order(&world, &carol, &world.carol, &carol),
        order(&world, "", &world.carol, &carol),
        order(&world, "", &world.alice, &alice),
    ];
    orders.iter().for_each(|(order, _)| followed(&world, order));
    for party in [&mut world.alice, &mut world.bob, &mut world.carol] {
        party.stop();
    }

    let parties = [&world.alice, &world.bob, &world.carol];
    let known = parties.map(Known::by);
    let [at_alice, at_bob, at_carol] = &known;
    assert_eq!([at_alice, at_bob, at_carol].map(Known::seeds), [0, orders.len(), 0]);
    let given: BTreeSet<&[u8]> = orders.iter().map(|(_, secret)| secret.as_slice()).collect();
    let released =
        |known: &Known| known.released.values().map(|(secret, _)| secret.to_vec()).collect::<Vec<_>>();
    let opened = [released(at_alice), released(at_carol)].concat();
    assert_eq!(opened.iter().map(Vec::as_slice).collect::<BTreeSet<_>>(), given);
    // Placed, committed, requested (for all and for the beneficiary alone), released, received, and the secret itself.
    let bodies: BTreeSet<_> = known.iter().flat_map(|known| known.content_keys.keys()).collect();
    // And what each node seals to itself with each checkpoint of its log.
    let checkpoints = parties.map(|party| {
        let file = std::fs::read(party.home.path().join("checkpoint.json")).unwrap();
        let file: serde_json::Value = serde_json::from_slice(&file).unwrap();
        file["number"].as_u64().unwrap() as usize + 1
    });
    assert_eq!(bodies.len(), 7 * orders.len() + checkpoints.iter().sum::<usize>());

    let mut unwanted = Secrets::default();
    unwanted.bytes("the extension", EXTENSION.as_bytes());
    unwanted.bytes("swarm.key", &hex::decode(swarm_key.lines().nth(2).unwrap()).unwrap());
    for (order, secret) in &orders {
        unwanted.bytes(&format!("the secret of {order}"), secret);
    }
    known.iter().for_each(|known| known.tell(&mut unwanted));
    let search = unwanted.search();
    for party in parties {
        let lines = std::fs::read_to_string(party.home.log()).unwrap();
        assert!(lines.contains(" TRACE "), "{} logs all that there is to log", party.name);
        let searched = search.finds_nothing_in(&left_behind(party));
        assert!(searched > 1_000_000, "{} has left little to search: {searched} bytes", party.name);
        search.finds_each_planted_in(&party.home.path().join("seeds/seeds.dta"));
    }
    the_sealed_secrets_are_held_where_they_belong(parties, &known);
}

/// Where they are is the log of the fiduciary and of the beneficiary; nowhere is it IPFS.
fn the_sealed_secrets_are_held_where_they_belong(parties: [&Party; 3], known: &[Known; 3]) {
    for (cid, (_, block)) in known.iter().flat_map(|known| &known.released) {
        let mut sealed = Secrets::default();
        sealed.bytes("sealed", &block[..64]);
        let sealed: Search = sealed.search();
        for (party, known) in parties.iter().zip(known) {
            let has = |path: &PathBuf| !sealed.finds(&std::fs::read(path).unwrap()).is_empty();
            let mut left = left_behind(party);
            let holds = party.name == "bob" || known.released.contains_key(cid);
            assert_eq!(left.iter().any(has), holds, "{cid} at {}", party.name);
            left.retain(|path| path.starts_with(party.home.path().join("ipfs")));
            assert!(left.len() > 10 && !left.iter().any(has), "{cid} is on IPFS at {}", party.name);
        }
    }
}
