//! A whole order, by whoever may be its beneficiary, named early or late.

use serde_json::json;

use crate::world::{Party, Placed, WHOLE, World};

/// Places and redeems at alice's node; the order then ends at the beneficiary's as it should.
fn whole(world: &World, early: &str, giver: &Party, beneficiary: &str) {
    let Placed { reference, order, commitment } = world.place(early, &json!({}));
    world.alice.redeem(&reference, beneficiary).is(200);
    world.ends(&order, giver, &WHOLE);
    world.only_gives(giver, &order, beneficiary, &commitment);
}

#[test]
fn a_beneficiary_elsewhere_named_early_or_late() {
    let world = World::new();
    let carol = &world.carol.cid;
    whole(&world, carol, &world.carol, carol);
    whole(&world, "", &world.carol, carol);
}

#[test]
fn a_beneficiary_on_the_principals_node_on_the_fiduciarys_and_hosted_elsewhere() {
    let world = World::new();
    let hosts = [&world.alice, &world.bob, &world.carol];
    for host in hosts {
        let dave = host.identity("dave");
        if host.name != "alice" {
            world.alice.pin(&host.document(&dave), None);
        }
        for early in [dave.as_str(), ""] {
            whole(&world, early, host, &dave);
        }
    }
    whole(&world, "", &world.alice, &world.alice.cid);
    whole(&world, "", &world.bob, &world.bob.cid);
}

#[test]
fn a_beneficiary_named_late_whom_the_fiduciary_has_never_heard_of() {
    let world = World::new();
    for host in [&world.alice, &world.carol] {
        let erin = host.identity("erin");
        if host.name != "alice" {
            world.alice.pin(&host.document(&erin), None);
        }
        whole(&world, "", host, &erin);
    }
}
