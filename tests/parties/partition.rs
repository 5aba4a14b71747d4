//! The net between two nodes fails, either way, at each step; healed, the order ends where it would have: one seed, one
//! commitment, one chain.

use serde_json::json;

use crate::wire::Mode;
use crate::world::{Placed, Settings, WHOLE, World, seeds};

/// The wires that an order needs to be placed, and then to be redeemed.
const PLACING: [(&str, &str); 1] = [("alice", "bob")];
const REDEEMING: [(&str, &str); 4] = [("alice", "bob"), ("bob", "carol"), ("bob", "alice"), ("carol", "bob")];

fn through_it(mode: Mode) {
    let world = World::with(&Settings::impatient(), &[]);
    let carol = &world.carol.cid;
    let mut orders = 0;
    for (from, to) in PLACING {
        world.wire(from, to).set(mode);
        let placed = world.alice.post("/v1/order", &json!({})).is(202);
        world.until(|| (world.wire(from, to).lost() < 1).then(|| format!("nothing goes {from} to {to}")));
        world.heal();
        let Placed { reference, order, .. } = world.committed(placed.str("orderReference"));
        world.alice.redeem(&reference, carol);
        world.ends(&order, &world.carol, &WHOLE);
        orders += 1;
    }
    for ((from, to), early) in REDEEMING.into_iter().zip([carol.as_str(), ""].into_iter().cycle()) {
        let Placed { reference, order, commitment } = world.place(early, &json!({}));
        world.wire(from, to).set(mode);
        world.alice.redeem(&reference, carol);
        world.until(|| (world.wire(from, to).lost() < 1).then(|| format!("nothing goes {from} to {to}")));
        world.heal();
        world.ends(&order, &world.carol, &WHOLE);
        world.only_gives(&world.carol, &order, carol, &commitment);
        orders += 1;
    }
    assert_eq!(seeds(&world.bob), orders);
}

#[test]
fn a_net_that_was_cut_changes_nothing() {
    through_it(Mode::Cut);
}

#[test]
fn answers_that_were_lost_change_nothing() {
    through_it(Mode::AnswersLost);
}

#[test]
fn a_node_that_was_alone_for_a_whole_order_catches_up() {
    let world = World::with(&Settings::impatient(), &[]);
    let carol = &world.carol.cid;
    let Placed { reference, order, commitment } = world.place(carol, &json!({}));
    for node in ["alice", "carol"] {
        world.wire("bob", node).set(Mode::Cut);
    }
    world.wire("carol", "bob").set(Mode::AnswersLost);
    world.alice.redeem(&reference, carol);
    // Bob cannot call her, but she can call him.
    world.until(|| (world.wire("bob", "carol").lost() < 2).then(|| "bob does not call".to_owned()));
    world.wire("carol", "bob").set(Mode::Whole);
    world.carol.post("/v1/order/collect", &json!({})).is(200);
    assert_eq!(world.carol.state(&order), "Received");
    world.heal();
    world.ends(&order, &world.carol, &WHOLE);
    world.only_gives(&world.carol, &order, carol, &commitment);
}
