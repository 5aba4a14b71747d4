//! A principal takes back an order that its fiduciary has not answered: it is away, gone, or its answer was lost. What the
//! fiduciary says in the end stands at both, and is that the order is closed.

use dta_protocol::Kind;
use serde_json::{Value, json};

use crate::kit::{Answer, Node};
use crate::wire::Mode;
use crate::world::{Settings, World, seeds, waiting};

/// The fiduciary heard of the order and of its end at once.
const UNHEARD: [Kind; 3] = [Kind::Placed, Kind::CancellationRequested, Kind::Closed];
/// It had committed, and nobody knew.
const COMMITTED: [Kind; 4] = [Kind::Placed, Kind::Committed, Kind::CancellationRequested, Kind::Closed];

fn cancel(node: &Node, order: &str) -> Answer {
    node.post(&format!("/v1/order/{order}/cancel"), &json!({ "detail": "never mind" }))
}

/// Places an order that gets no answer; its reference and CID.
fn unanswered(world: &World) -> (String, String) {
    let placed = world.alice.post("/v1/order", &json!({})).is(202);
    (placed.str("orderReference"), placed.str("orderCID"))
}

/// What an order that is taken back waits for.
fn waits(world: &World, reference: &str, outcome: &Value) {
    world.until(|| match waiting(&world.alice, reference).as_slice() {
        [one]
            if one["for"] == "order/cancellation-requested"
                && one["to"] == "fiduciary"
                && one["outcome"] == *outcome =>
        {
            None
        }
        other => Some(format!("{reference} waits for {other:?}")),
    });
}

#[test]
fn from_a_fiduciary_that_is_away() {
    let mut world = World::with(&Settings::impatient(), &[]);
    world.bob.kill();
    let (reference, order) = unanswered(&world);
    let cancelled = cancel(&world.alice, &reference).is(202);
    assert_eq!((cancelled.str("state"), cancelled.str("orderCID")), ("Withdrawn".into(), order.clone()));
    for _ in 0..2 {
        waits(&world, &reference, &Value::Null);
        world.alice.redeem(&reference, &world.carol.cid).refuses(410, "withdrawn");
        assert_eq!(cancel(&world.alice, &order).is(202).str("state"), "Withdrawn");
        assert_eq!(world.alice.caught_up().state(&reference), "Withdrawn");
        // So it is after a crash.
        world.alice.kill();
        world.alice.start();
    }
    world.bob.start();
    world.ends(&order, &world.bob, &UNHEARD);
    assert_eq!(seeds(&world.bob), 0, "no key was made for it");
    world.alice.redeem(&reference, &world.carol.cid).refuses(410, "closed");
    cancel(&world.alice, &reference).refuses(410, "closed");
    world.alice.stop();
    assert!(world.alice.home.must(&["log", "verify", "--deep"]).contains("the log is whole"));
    world.bob.stop();
    assert!(world.bob.home.must(&["log", "verify", "--deep"]).contains("the log is whole"));
}

#[test]
fn from_a_fiduciary_whose_commitment_was_lost_on_the_way() {
    let world = World::with(&Settings::impatient(), &[]);
    let wire = world.wire("alice", "bob");
    wire.set(Mode::AnswersLost);
    let (reference, order) = unanswered(&world);
    let committed_at_bob = || {
        let answer = world.bob.get(&format!("/v1/order/{order}"));
        (answer.status != 200 || answer.body["state"] != "Committed").then(|| format!("{answer:?}"))
    };
    world.until(committed_at_bob);
    assert_eq!(cancel(&world.alice, &reference).is(202).str("state"), "Withdrawn");
    world.until(|| (wire.lost() < 3).then(|| "alice does not tell".to_owned()));
    // Neither is wrong: bob has an order, and alice knows that he may.
    assert_eq!((committed_at_bob(), world.alice.state(&reference)), (None, "Withdrawn".to_owned()));
    world.heal();
    world.ends(&order, &world.bob, &COMMITTED);
    assert_eq!(seeds(&world.bob), 1, "one key was made, and is nobody's");
    world.alice.redeem(&reference, &world.carol.cid).refuses(410, "closed");
}

#[test]
fn from_a_fiduciary_that_closed_it_and_was_not_heard() {
    let world = World::with(&Settings::impatient(), &[]);
    world.wire("alice", "bob").set(Mode::Cut);
    let (reference, order) = unanswered(&world);
    cancel(&world.alice, &reference).is(202);
    world.wire("alice", "bob").set(Mode::AnswersLost);
    world.until(|| {
        let answer = world.bob.get(&format!("/v1/order/{order}"));
        (answer.status != 200 || answer.body["state"] != "Closed").then(|| format!("{answer:?}"))
    });
    assert_eq!(world.alice.state(&reference), "Withdrawn");
    world.heal();
    world.ends(&order, &world.bob, &UNHEARD);
    assert_eq!(seeds(&world.bob), 0);
}

#[test]
fn from_a_fiduciary_that_is_gone_until_it_is_not() {
    let mut world = World::with(&Settings { give_up_after_ms: 1, ..Settings::impatient() }, &[]);
    world.bob.kill();
    let (reference, order) = unanswered(&world);
    cancel(&world.alice, &reference).is(202);
    waits(&world, &reference, &json!("stalled"));
    assert_eq!(world.alice.state(&reference), "Withdrawn", "for good, as far as anybody here can tell");
    let retry = || world.alice.post(&format!("/v1/order/{reference}/retry"), &json!({}));
    retry().is(202);
    waits(&world, &reference, &json!("stalled"));
    world.bob.start();
    world.alice.post(&format!("/v1/order/{reference}/retry"), &json!({}));
    world.ends(&order, &world.bob, &UNHEARD);
}

#[test]
fn while_it_is_being_placed() {
    const ORDERS: usize = 6;
    let world = World::with(&Settings { order_wait_ms: 30_000, ..Settings::default() }, &[]);
    let mut ends = Vec::new();
    for _ in 0..ORDERS {
        let known = || {
            let list = world.alice.get("/v1/order?perPage=1000").is(200).body["orderReference"].clone();
            list.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let before = known();
        let (reference, placed) = std::thread::scope(|scope| {
            let placing = scope.spawn(|| world.alice.post("/v1/order", &json!({})));
            let reference = loop {
                if let Some(new) = known().into_iter().find(|one| !before.contains(one)) {
                    break new;
                }
            };
            cancel(&world.alice, &reference);
            (reference, placing.join().unwrap())
        });
        assert!([200, 202, 410].contains(&placed.status), "{placed:?}");
        world.until(|| {
            let state = world.alice.state(&reference);
            (state != "Closed").then(|| format!("{reference} is {state}"))
        });
        let order = world.alice.get(&format!("/v1/order/{reference}")).str("orderCID");
        let chain: Vec<Kind> = crate::world::chain(&world.bob, &order).iter().map(|step| step.0).collect();
        world.ends(&order, &world.bob, &chain);
        ends.push(chain);
    }
    assert!(ends.iter().all(|chain| *chain == UNHEARD || *chain == COMMITTED), "{ends:?}");
    let made = ends.iter().filter(|chain| **chain == COMMITTED).count();
    assert_eq!(seeds(&world.bob), made as u64);
}
