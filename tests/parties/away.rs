//! Somebody is away: killed, not started, or pinned without a URL. The order ends where it would have.

use serde_json::{Value, json};

use crate::kit::{Node, pause};
use crate::world::{Party, Placed, Settings, WHOLE, World, seeds, waiting};

/// Places under an idempotency key; answers the status and the reference.
fn place_under(node: &Node, key: &str) -> (u16, String) {
    let answer = node.post_under("/v1/order", &json!({}), Some(key));
    (answer.status, answer.str("orderReference"))
}

fn waits_for<'a>(world: &World, node: &Party, order: &str, expected: &[(&'a str, &'a str, Value)]) {
    world.until(|| {
        let waits = waiting(node, order);
        let as_expected = waits.len() == expected.len()
            && waits.iter().zip(expected).all(|(waits, (step, to, outcome))| {
                waits["for"] == *step
                    && waits["to"] == *to
                    && waits["outcome"] == *outcome
                    && waits["stalled"] == !outcome.is_null()
            });
        (!as_expected).then(|| format!("{} waits for {waits:?}, not {expected:?}", node.name))
    });
}

#[test]
fn a_fiduciary_that_is_away_finishes_when_it_returns() {
    let mut world = World::with(&Settings::impatient(), &[]);
    world.bob.kill();
    let placed = world.alice.post_under("/v1/order", &json!({}), Some("one")).is(202);
    assert_eq!(placed.body["commitment"], Value::Null);
    let reference = placed.str("orderReference");
    let order = placed.str("orderCID");
    waits_for(&world, &world.alice, &reference, &[("order/placed", "fiduciary", Value::Null)]);
    assert_eq!(world.alice.state(&reference), "New", "the fiduciary's log decides");
    assert_eq!(
        place_under(&world.alice, "one"),
        (202, reference.clone()),
        "the same request, the same order"
    );
    // Away, too, while its principal starts again.
    world.alice.kill();
    world.alice.start();
    world.bob.start();
    world.committed(reference.clone());
    let again = world.alice.post_under("/v1/order", &json!({}), Some("one")).is(200);
    assert_eq!((again.str("orderReference"), again.str("orderCID")), (reference.clone(), order.clone()));

    world.bob.kill();
    let carol = &world.carol.cid;
    let asked = world.alice.redeem(&reference, carol).is(202);
    assert_eq!(asked.str("secret"), "");
    waits_for(&world, &world.alice, &reference, &[("order/redemption-requested", "fiduciary", Value::Null)]);
    assert_eq!(world.alice.redeem(&reference, carol).is(202), asked);
    world.bob.start();
    world.ends(&order, &world.carol, &WHOLE);
    world.only_gives(&world.carol, &order, carol, &again.str("commitment"));
    assert_eq!(seeds(&world.bob), 1);
}

#[test]
fn a_fiduciary_killed_in_the_middle_makes_each_key_pair_once() {
    const ORDERS: usize = 8;
    let mut world = World::with(&Settings::impatient(), &[]);
    let mut references = Vec::new();
    std::thread::scope(|scope| {
        let alice: &Node = &world.alice;
        let placing: Vec<_> = (0..ORDERS)
            .map(|order| scope.spawn(move || place_under(alice, &format!("order-{order}")).1))
            .collect();
        // Some are done, some under way, some not begun.
        while seeds(&world.bob) < 3 {
            pause();
        }
        world.bob.kill();
        references.extend(placing.into_iter().map(|placing| placing.join().unwrap()));
    });
    world.bob.start();
    for reference in &references {
        let order = world.committed(reference.clone()).order;
        world.alice.redeem(reference, &world.carol.cid);
        world.ends(&order, &world.carol, &WHOLE);
    }
    references.sort();
    references.dedup();
    assert_eq!((references.len(), seeds(&world.bob)), (ORDERS, ORDERS as u64));
}

#[test]
fn a_beneficiary_that_is_away_gets_its_secret_when_it_returns() {
    let mut world = World::new();
    let carol = world.carol.cid.clone();
    world.carol.kill();
    let Placed { reference, order, commitment } = world.place(&carol, &json!({}));
    assert_eq!(world.alice.redeem(&reference, &carol).is(200).str("secret"), "");
    waits_for(&world, &world.bob, &order, &[("order/released", "beneficiary", Value::Null)]);
    world.bob.kill();
    world.bob.start();
    world.carol.start();
    world.ends(&order, &world.carol, &WHOLE);
    world.only_gives(&world.carol, &order, &carol, &commitment);
}

#[test]
fn those_whom_nobody_can_call_collect() {
    let world = World::with(&Settings::default(), &[("bob", "carol"), ("bob", "alice")]);
    let carol = &world.carol.cid;
    let Placed { reference, order, commitment } = world.place(carol, &json!({}));
    world.alice.redeem(&reference, carol).is(200);
    waits_for(&world, &world.bob, &order, &[("order/released", "beneficiary", json!("unaddressed"))]);
    world.carol.redeem(&order, carol).refuses(404, "unknown-order");

    let collect = |party: &Party| party.home.must(&["order", "--node", &party.url, "collect"]);
    let collected = collect(&world.carol);
    assert!(collected.contains(&order), "{collected}");
    assert_eq!(world.carol.state(&order), "Received");
    waits_for(&world, &world.bob, &order, &[("order/received", "principal", json!("unaddressed"))]);
    assert_eq!(world.alice.state(&reference), "Released");

    let collected = world.alice.post("/v1/order/collect", &json!({ "from": world.bob.cid })).is(200);
    assert_eq!(collected.body["collected"][0]["state"], "Received", "{collected:?}");
    assert_eq!(collected.body["failed"], json!([]));
    assert_eq!(world.alice.state(&reference), "Received");
    world.ends(&order, &world.carol, &WHOLE);
    world.only_gives(&world.carol, &order, carol, &commitment);
    for party in [&world.alice, &world.carol] {
        let nothing = party.post("/v1/order/collect", &json!({})).is(200);
        assert_eq!(nothing.body, json!({ "collected": [], "failed": [] }), "{}", party.name);
    }
    // A principal has nothing to fetch: named, it is told; among all others, it is passed over.
    let named = world.carol.post("/v1/order/collect", &json!({ "from": world.alice.cid })).is(200);
    assert_eq!(named.body["failed"][0]["peer"], world.alice.cid, "{named:?}");
    let bob = world.bob.post("/v1/order/collect", &json!({ "from": carol })).is(200);
    assert_eq!(bob.body["failed"][0]["peer"], *carol, "not pinned with a URL: {bob:?}");
}

#[test]
fn what_is_given_up_is_shown_and_retried() {
    let settings = Settings { give_up_after_ms: 1, ..Settings::impatient() };
    let mut world = World::with(&settings, &[]);
    world.bob.kill();
    let placed = world.alice.post("/v1/order", &json!({})).is(202);
    let (reference, order) = (placed.str("orderReference"), placed.str("orderCID"));
    let stalled = [("order/placed", "fiduciary", json!("stalled"))];
    waits_for(&world, &world.alice, &reference, &stalled);
    let retry = |node: &Node, order: &str| node.post(&format!("/v1/order/{order}/retry"), &json!({}));
    retry(&world.alice, &reference).is(202);
    waits_for(&world, &world.alice, &reference, &stalled);
    world.bob.start();
    retry(&world.alice, &reference);
    world.committed(reference.clone());

    world.carol.kill();
    world.alice.redeem(&reference, &world.carol.cid);
    waits_for(&world, &world.bob, &order, &[("order/released", "beneficiary", json!("stalled"))]);
    world.carol.start();
    retry(&world.bob, &order);
    world.ends(&order, &world.carol, &WHOLE);
}
