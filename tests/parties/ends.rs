//! Orders that end before their release, or are released only later.

use std::time::{SystemTime, UNIX_EPOCH};

use dta_protocol::Kind;
use serde_json::{Value, json};

use crate::kit::{Answer, Node};
use crate::wire::Mode;
use crate::world::{Placed, Settings, WHOLE, World};

const CANCELLED: [Kind; 4] = [Kind::Placed, Kind::Committed, Kind::CancellationRequested, Kind::Closed];
const EXPIRED: [Kind; 3] = [Kind::Placed, Kind::Committed, Kind::Closed];

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

fn cancel(node: &Node, order: &str) -> Answer {
    node.post(&format!("/v1/order/{order}/cancel"), &json!({ "detail": "no longer needed" }))
}

#[test]
fn a_cancelled_order_is_closed_at_both() {
    let mut world = World::with(&Settings::impatient(), &[]);
    let carol = &world.carol.cid.clone();
    let Placed { reference, order, .. } = world.place("", &json!({}));
    cancel(&world.bob, &order).refuses(404, "unknown-route");
    cancel(&world.carol, &order).refuses(404, "unknown-order");
    assert_eq!(cancel(&world.alice, &reference).is(200).str("state"), "Closed");
    world.ends(&order, &world.bob, &CANCELLED);
    cancel(&world.alice, &reference).refuses(410, "closed");
    world.alice.redeem(&reference, carol).refuses(410, "closed");
    world.carol.redeem(&order, carol).refuses(404, "unknown-order");

    // While the fiduciary is away.
    let Placed { reference, order, .. } = world.place("", &json!({}));
    world.bob.kill();
    assert_eq!(cancel(&world.alice, &reference).is(202).str("state"), "Committed");
    world.alice.redeem(&reference, carol).refuses(409, "step-pending");
    world.bob.start();
    world.ends(&order, &world.bob, &CANCELLED);

    // After the release it is too late.
    let Placed { reference, order, .. } = world.place("", &json!({}));
    world.alice.redeem(&reference, carol);
    world.ends(&order, &world.carol, &WHOLE);
    cancel(&world.alice, &reference).refuses(409, "out-of-state");
}

#[test]
fn what_was_answered_is_what_is_read() {
    let world = World::new();
    for _ in 0..3 {
        let (reference, _) = world.alice.place("");
        assert_eq!(world.alice.state(&reference), "Committed");
        assert_eq!(cancel(&world.alice, &reference).is(200).str("state"), "Closed");
        assert_eq!(world.alice.state(&reference), "Closed");
        let (reference, _) = world.alice.place("");
        world.alice.redeem(&reference, &world.carol.cid).is(200);
        assert!(["Released", "Received"].contains(&world.alice.state(&reference).as_str()));
    }
}

#[test]
fn a_cancellation_that_races_a_redemption_loses_or_wins() {
    let world = World::new();
    let carol = &world.carol.cid;
    for round in 0..8 {
        let Placed { reference, order, .. } = world.place("", &json!({}));
        let (first, second) = std::thread::scope(|scope| {
            let redeem = || world.alice.redeem(&reference, carol);
            let cancel = || cancel(&world.alice, &reference);
            // Each may be the first to be sent.
            if round % 2 == 0 {
                let other = scope.spawn(cancel);
                (redeem(), other.join().unwrap())
            } else {
                let other = scope.spawn(redeem);
                let cancelled = cancel();
                (other.join().unwrap(), cancelled)
            }
        });
        let released = first.status == 200;
        assert!(released || [409, 410].contains(&first.status), "{first:?}");
        assert!(released != (second.status == 200), "one of the two: {first:?} {second:?}");
        if released {
            world.ends(&order, &world.carol, &WHOLE);
        } else {
            world.ends(&order, &world.bob, &CANCELLED);
            world.carol.redeem(&order, carol).refuses(404, "unknown-order");
        }
    }
}

#[test]
fn an_expired_order_is_closed_and_its_principal_learns_it() {
    let world = World::new();
    let carol = &world.carol.cid;
    let expires_at_ms = now_ms() + 4_000;
    let policy = json!({ "expiresAtMs": expires_at_ms });
    let orders = [world.place("", &policy), world.place("", &policy)];
    let in_time = world.place("", &policy);
    world.alice.redeem(&in_time.reference, carol).is(200);
    world.ends(&in_time.order, &world.carol, &WHOLE);
    world.wire("bob", "alice").set(Mode::Cut);
    for Placed { reference, order, .. } in &orders {
        world.until(|| (world.bob.state(order) != "Closed").then(|| "bob does not close it".to_owned()));
        assert_eq!(world.alice.state(reference), "Committed");
    }
    world.until(|| (world.wire("bob", "alice").lost() < 1).then(|| "bob does not say it".to_owned()));
    // Whoever asks is told at once; the others when the net is back.
    world.alice.redeem(&orders[0].reference, carol).refuses(410, "closed");
    world.heal();
    for Placed { reference, order, .. } in &orders {
        world.ends(order, &world.bob, &EXPIRED);
        world.alice.redeem(reference, carol).refuses(410, "closed");
        cancel(&world.alice, reference).refuses(410, "closed");
    }
    assert_eq!(world.alice.state(&in_time.reference), "Received", "what was released in time stays so");
}

#[test]
fn a_redemption_before_its_time_is_refused_and_may_come_again() {
    let world = World::new();
    let carol = &world.carol.cid;
    let policy = json!({ "notBeforeMs": now_ms() + 3_000 });
    let Placed { reference, order, .. } = world.place("", &policy);
    let refused = world.alice.redeem(&reference, carol).refuses(409, "not-before");
    assert_eq!(refused.body["secret"], Value::Null);
    let history = world.bob.get(&format!("/v1/order/{order}/history")).is(200);
    let last = history.body["history"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["actor"], format!("peer:{}", world.alice.cid));
    assert_eq!(last["refused"]["code"], "not-before", "{last}");
    for party in [&world.alice, &world.bob] {
        assert_eq!(party.state(&order), "Committed", "a refusal ends nothing, at {}", party.name);
    }
    world.until(|| {
        let answer = world.alice.redeem(&reference, carol);
        assert!(answer.status == 200 || answer.body["code"] == "not-before", "{answer:?}");
        (answer.status != 200).then(|| "too early".to_owned())
    });
    world.ends(&order, &world.carol, &WHOLE);
}

#[test]
fn a_genuine_secret_cannot_be_disputed() {
    let world = World::new();
    let carol = &world.carol.cid;
    let Placed { reference, order, commitment } = world.place(carol, &json!({}));
    let dispute = |node: &Node| node.post(&format!("/v1/order/{order}/dispute"), &json!({}));
    dispute(&world.carol).refuses(404, "unknown-order");
    dispute(&world.alice).refuses(409, "not-hosted");
    world.alice.redeem(&reference, carol).is(200);
    world.ends(&order, &world.carol, &WHOLE);
    dispute(&world.carol).refuses(409, "out-of-state");
    dispute(&world.bob).refuses(409, "not-hosted");
    world.ends(&order, &world.carol, &WHOLE);
    world.only_gives(&world.carol, &order, carol, &commitment);
}
