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

#[test]
fn a_beneficiary_on_a_node_that_the_fiduciary_does_not_know_collects() {
    let [mut alice, mut bob, mut carol] = ["alice", "bob", "carol"].map(Party::new);
    alice.home.settings(&Settings::default().text("principal", &bob.cid));
    bob.home.settings(&Settings::default().text("fiduciary", ""));
    carol.home.settings(&Settings::default().text("principal", &bob.cid));
    for party in [&mut alice, &mut bob, &mut carol] {
        party.start();
    }
    alice.pin(&bob.document(&bob.cid), Some(&bob.url));
    bob.pin(&alice.document(&alice.cid), Some(&alice.url));
    carol.pin(&bob.document(&bob.cid), Some(&bob.url));
    let dave = carol.identity("dave");
    alice.pin(&carol.document(&dave), None);
    let (reference, _) = alice.place(&dave);
    alice.redeem(&reference, &dave).is(200);
    bob.caught_up();
    let collected = carol.post("/v1/order/collect", &json!({})).is(200);
    assert_eq!(collected.body["collected"][0]["state"], "Received", "{collected:?}");
}

#[test]
fn the_pin_of_a_node_resumes_what_waits_for_those_who_live_there() {
    let [mut alice, mut bob, mut carol] = ["alice", "bob", "carol"].map(Party::new);
    alice.home.settings(&Settings::default().text("principal", &bob.cid));
    bob.home.settings(&Settings::default().text("fiduciary", ""));
    carol.home.settings(&Settings::default().text("principal", &bob.cid));
    for party in [&mut alice, &mut bob, &mut carol] {
        party.start();
    }
    alice.pin(&bob.document(&bob.cid), Some(&bob.url));
    bob.pin(&alice.document(&alice.cid), Some(&alice.url));
    carol.pin(&bob.document(&bob.cid), Some(&bob.url));
    let (dave, erin) = (carol.identity("dave"), carol.identity("erin"));
    let mut orders = Vec::new();
    for hosted in [&dave, &erin] {
        alice.pin(&carol.document(hosted), None);
        let (reference, _) = alice.place(hosted);
        let order = alice.get(&format!("/v1/order/{reference}")).is(200).str("orderCID");
        alice.redeem(&reference, hosted).is(200);
        bob.until("nobody can be called", |bob| {
            waiting(bob, &order).first().is_some_and(|waits| waits["outcome"] == "unaddressed")
        });
        orders.push(order);
    }
    // Neither of them is pinned at bob's: the node is, on which they live, and its URL is where they are called.
    bob.caught_up().pin(&carol.document(&carol.cid), Some(&carol.url));
    for order in &orders {
        carol.until("the release is brought", |carol| {
            let answer = carol.get(&format!("/v1/order/{order}"));
            answer.status == 200 && answer.body["state"] == "Received"
        });
    }
}

#[test]
fn a_redemption_that_was_taken_is_not_refused_because_custody_has_lost_the_seed() {
    let mut world = World::with(&Settings::impatient(), &[]);
    let seeds = world.bob.home.path().join("seeds");
    let [before, after] = ["before", "after"].map(|name| world.bob.home.path().with_file_name(name));
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        let _ = std::fs::remove_dir_all(to);
        let copied = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
        assert!(copied.success());
    };
    world.bob.kill();
    copy(&seeds, &before);
    world.bob.start();
    let Placed { reference, order, .. } = world.place("", &json!({}));
    world.bob.kill();
    copy(&seeds, &after);
    copy(&before, &seeds);
    world.bob.start();
    let asked = world.alice.redeem(&reference, &world.carol.cid);
    assert_eq!((asked.status, world.alice.state(&reference)), (202, "Committed".to_owned()), "{asked:?}");
    assert_eq!(world.bob.caught_up().state(&order), "RedemptionRequested", "bob has taken it");
    // The backup is found.
    world.bob.kill();
    copy(&after, &seeds);
    world.bob.start();
    world.ends(&order, &world.carol, &WHOLE);
}

#[test]
fn what_could_not_be_taken_now_is_there_for_the_next_collect() {
    let mut world = World::with(&Settings::default(), &[("bob", "alice")]);
    let carol = world.carol.cid.clone();
    let Placed { reference, order, .. } = world.place(&carol, &json!({}));
    world.alice.redeem(&reference, &carol).is(200);
    waits_for(&world, &world.bob, &order, &[("order/received", "principal", json!("unaddressed"))]);
    // Alice's disk is full for a while.
    let settings = Settings::default().text("principal", &world.bob.cid);
    world.alice.kill();
    world.alice.home.settings(&format!("{settings}[storage]\nreserve_bytes = {}\n", 1_u64 << 50));
    world.alice.start();
    let collected = world.alice.post("/v1/order/collect", &json!({ "from": world.bob.cid })).is(200);
    assert_eq!(collected.body["failed"].as_array().unwrap().len(), 1, "{collected:?}");
    world.alice.kill();
    world.alice.home.settings(&settings);
    world.alice.start();
    world.alice.post("/v1/order/collect", &json!({ "from": world.bob.cid })).is(200);
    assert_eq!(world.alice.caught_up().state(&reference), "Received");
}
