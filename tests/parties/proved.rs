//! What nodes accepted of each other is proved to stand in the logs of those who signed it.

use serde_json::{Value, json};

use crate::world::{Party, Placed, Settings, WHOLE, World};

/// How far the statements of the nodes that a party watches are settled.
fn settled(party: &Party) -> Vec<u64> {
    let all = party.get("/v1/log/watched").is(200).body;
    all.as_array().unwrap().iter().map(|one| one["statements"]["settled"].as_u64().unwrap()).collect()
}

fn is_well(party: &Party) {
    let watched = &party.get("/v1/status").is(200).body["watched"];
    assert_eq!(watched["alarms"], Value::from(0), "{} {watched}", party.name);
}

fn whole(world: &World) {
    let carol = &world.carol.cid;
    let Placed { reference, order, .. } = world.place(carol, &json!({}));
    world.alice.redeem(&reference, carol);
    world.ends(&order, &world.carol, &WHOLE);
}

#[test]
fn the_steps_of_an_order_are_proved_and_a_restart_goes_on() {
    let mut world = World::with(&Settings { missing_after_ms: 30_000, ..Settings::default() }, &[]);
    whole(&world);
    // Each has accepted steps of both others.
    let all = |world: &World, from: [u64; 3]| {
        world.until(|| {
            let mut parties = [&world.alice, &world.bob, &world.carol].into_iter().zip(from);
            parties.find_map(|(party, from)| {
                let settled = settled(party);
                let is_done = settled.len() == 2 && settled.iter().all(|settled| *settled > from);
                (!is_done).then(|| format!("{} has settled {settled:?}", party.name))
            })
        });
    };
    all(&world, [0; 3]);
    let length = |party: &Party| party.get("/v1/status").is(200).body["logLength"].as_u64().unwrap();
    let before = [&world.alice, &world.bob, &world.carol].map(length);
    for party in [&mut world.alice, &mut world.bob, &mut world.carol] {
        party.stop();
        party.start();
    }
    whole(&world);
    all(&world, before);
    for party in [&world.alice, &world.bob, &world.carol] {
        is_well(party);
        let told = party.home.must(&["log", "replay"]);
        assert!(told.contains("log/statements-proved"), "{told}");
        party.home.must(&["log", "verify", "--deep"]);
    }
}
