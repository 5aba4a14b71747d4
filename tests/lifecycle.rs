//! The main job on one real node: who may do what, when, and what a repetition answers.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod kit;

use kit::{Home, public_key_of};
use serde_json::json;

const WHOLE: [&str; 5] =
    ["order/placed", "order/committed", "order/redemption-requested", "order/released", "order/received"];

#[test]
fn an_order_is_placed_committed_redeemed_and_received() {
    let home = Home::initialised();
    let node = home.start();
    let carol = node.identity("carol");
    let (reference, commitment) = node.place(&carol);
    assert_eq!(node.state(&reference), "Committed");
    let redeemed = node.redeem(&reference, &carol).is(200);
    assert_eq!(public_key_of(&redeemed.str("secret")), commitment);
    assert_eq!(redeemed.str("commitment"), commitment);
    assert_eq!(node.state(&reference), "Received");
    assert_eq!(node.steps(&reference), WHOLE);
    assert_eq!(node.redeem(&reference, &carol), redeemed, "asked again, answered the same");
    assert_eq!(node.steps(&reference), WHOLE, "and nothing more happened");
}

#[test]
fn the_beneficiary_may_be_named_at_redemption_and_be_the_node_itself() {
    let home = Home::initialised();
    let node = home.start();
    let me = node.cid();
    let (reference, commitment) = node.place("");
    let redeemed = node.redeem(&reference, &me).is(200);
    assert_eq!(public_key_of(&redeemed.str("secret")), commitment);
}

#[test]
fn an_order_is_found_by_the_cid_of_its_first_envelope_too() {
    let home = Home::initialised();
    let node = home.start();
    let (reference, commitment) = node.place(&node.cid());
    let by_reference = node.get(&format!("/v1/order/{reference}")).is(200);
    let placed = by_reference.str("orderCID");
    assert_eq!(node.get(&format!("/v1/order/{placed}")), by_reference);
    assert_eq!(public_key_of(&node.redeem(&placed, &node.cid()).is(200).str("secret")), commitment);
}

#[test]
fn nobody_but_the_named_beneficiary_gets_the_secret() {
    let home = Home::initialised();
    let node = home.start();
    let (carol, mallory) = (node.identity("carol"), node.identity("mallory"));
    let (reference, _) = node.place(&carol);
    node.redeem(&reference, &mallory).refuses(409, "beneficiary-mismatch");
    node.redeem(&reference, &carol).is(200);
    node.redeem(&reference, &mallory).refuses(409, "beneficiary-mismatch");
    let steps = node.steps(&reference);
    assert_eq!(
        steps.iter().filter(|step| *step == "beneficiary-mismatch").count(),
        2,
        "refusals are history: {steps:?}"
    );
    let placed = node.get(&format!("/v1/order/{reference}")).str("orderCID");
    for stranger in [placed.as_str(), "bafyreifcgsm34vrqcwqxhdop3dpbvp7dj6m3ea7rhimew32ypg7puazw5y"] {
        let (open, _) = node.place("");
        node.redeem(&open, stranger).refuses(422, "unknown-identity");
    }
}

#[test]
fn the_policy_is_kept() {
    let home = Home::initialised();
    let node = home.start();
    let me = node.cid();
    let later = 4_000_000_000_000u64;
    let place = |policy| node.post("/v1/order", &json!({ "policy": policy }));
    let early = place(json!({ "notBeforeMs": later })).is(200).str("orderReference");
    node.redeem(&early, &me).refuses(409, "not-before");
    assert_eq!(node.state(&early), "Committed", "a refusal ends nothing: it may come again");
    place(json!({ "expiresAtMs": 1 })).refuses(422, "policy-invalid");
    place(json!({ "notBeforeMs": later, "expiresAtMs": later })).refuses(422, "policy-invalid");
    place(json!({ "retentionMs": u64::pow(2, 53) - 1 })).refuses(422, "policy-invalid");
    assert_eq!(
        node.get("/v1/order").body["orderReference"].as_array().unwrap().len(),
        1,
        "refused orders are none"
    );
}

#[test]
fn an_expired_order_is_closed_and_a_secret_past_its_retention_is_gone() {
    let home = Home::empty();
    home.settings("[clock]\ntrusted_after_ms = 1\n");
    home.must(&["init"]);
    let node = home.start();
    let me = node.cid();
    let policy = json!({ "policy": { "expiresAtMs": now_ms() + 2_000 } });
    let expiring = node.post("/v1/order", &policy).is(200).str("orderReference");
    let fleeting =
        node.post("/v1/order", &json!({ "policy": { "retentionMs": 1 } })).is(200).str("orderReference");
    // However short the retention: what is released is received and answered before it is dropped.
    node.redeem(&fleeting, &me).is(200);
    assert_eq!(node.steps(&fleeting)[..5], WHOLE);
    node.until("the secret goes", |node| node.redeem(&fleeting, &me).status == 410);
    node.redeem(&fleeting, &me).refuses(410, "retention-ended");
    node.until("the order is closed", |node| node.state(&expiring) == "Closed");
    node.redeem(&expiring, &me).refuses(410, "closed");
    assert_eq!(node.steps(&expiring)[2], "order/closed");
}

#[test]
fn a_release_that_did_not_happen_is_never_an_empty_secret_and_a_repetition_finishes_what_began() {
    let home = Home::initialised();
    let node = home.start();
    let me = node.cid();
    let (seeds, away) = (home.path().join("seeds"), home.path().join("away"));
    let soon = node.post("/v1/order", &json!({ "policy": { "expiresAtMs": now_ms() + 2_000 } })).is(200);
    let soon = soon.str("orderReference");
    let (later, commitment) = node.place(&me);
    std::fs::rename(&seeds, &away).unwrap();
    node.redeem(&soon, &me).is(503);
    node.redeem(&later, &me).is(503);
    assert_eq!(node.state(&later), "RedemptionRequested");
    node.until("its time is over", |_| now_ms() > soon_ms(&node, &soon));
    std::fs::rename(&away, &seeds).unwrap();
    node.until("custody is back", |node| node.redeem(&later, &me).status == 200);
    assert_eq!(public_key_of(&node.redeem(&later, &me).is(200).str("secret")), commitment);
    // The clock is not trusted yet, so the order is not closed; it is not released either.
    node.redeem(&soon, &me).refuses(410, "expired");
    node.redeem(&soon, &me).refuses(410, "expired");
    assert_eq!(node.state(&soon), "RedemptionRequested");
    assert!(!node.steps(&soon).contains(&"clock-untrusted".to_owned()), "what only waits is no history");
}

fn now_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64
}

/// When an order expires, as it says itself.
fn soon_ms(node: &kit::Node, reference: &str) -> u64 {
    let order = node.get(&format!("/v1/order/{reference}")).str("order");
    serde_json::from_str::<serde_json::Value>(&order).unwrap()["Policy"]["expiresAtMs"].as_u64().unwrap()
}

#[test]
fn the_same_request_under_one_key_is_one_order() {
    let home = Home::initialised();
    let node = home.start();
    let me = node.cid();
    let body = json!({ "beneficiaryIDDocumentCID": me });
    let first = node.post_under("/v1/order", &body, Some("k1")).is(200);
    assert_eq!(node.post_under("/v1/order", &body, Some("k1")), first);
    node.post_under("/v1/order", &json!({}), Some("k1")).is(422);
    assert_ne!(node.post_under("/v1/order", &body, Some("k2")).is(200), first);
    let redeem = json!({ "orderReference": first.str("orderReference"), "beneficiaryIDDocumentCID": me });
    node.post_under("/v1/order/secret", &redeem, Some("k1")).is(422);
    let secret = node.post_under("/v1/order/secret", &redeem, Some("k3")).is(200);
    assert_eq!(node.post_under("/v1/order/secret", &redeem, Some("k3")), secret);
    let other = json!({ "orderReference": first.str("orderReference"), "beneficiaryIDDocumentCID": me, "extension": { "a": "b" } });
    node.post_under("/v1/order/secret", &other, Some("k3")).is(422);
    let name = json!({ "name": "carol" });
    let carol = node.post_under("/v1/identity", &name, Some("k4")).is(200);
    assert_eq!(node.post_under("/v1/identity", &name, Some("k4")), carol);
    node.post_under("/v1/identity", &json!({ "name": "karol" }), Some("k4")).is(422);
}

#[test]
fn a_hundred_at_once_under_one_key_are_one_order_and_many_orders_do_not_wait_for_each_other() {
    let home = Home::initialised();
    let node = home.start();
    let me = node.cid();
    let body = json!({ "beneficiaryIDDocumentCID": me });
    let answers: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..100).map(|_| scope.spawn(|| node.post_under("/v1/order", &body, Some("same")))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.status == 200));
    let references: std::collections::BTreeSet<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..32)
            .map(|_| {
                scope.spawn(|| {
                    let (reference, commitment) = node.place(&me);
                    assert_eq!(
                        public_key_of(&node.redeem(&reference, &me).is(200).str("secret")),
                        commitment
                    );
                    reference
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(references.len(), 32);
    let listed = node.get("/v1/order?perPage=1000").body["orderReference"].as_array().unwrap().len();
    assert_eq!(listed, 33);
}

#[test]
fn the_same_redemption_sixteen_times_at_once_is_one_release() {
    let home = Home::initialised();
    let node = home.start();
    let me = node.cid();
    let (reference, _) = node.place(&me);
    let body = json!({ "orderReference": reference, "beneficiaryIDDocumentCID": me });
    // Half of them under one key, half under none.
    let redeem = &|n: u32| node.post_under("/v1/order/secret", &body, n.is_multiple_of(2).then_some("same"));
    let answers: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|n| scope.spawn(move || redeem(n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.status == 200));
    assert_eq!(node.steps(&reference), WHOLE);
}

fn seeds(node: &kit::Node) -> u64 {
    node.get("/v1/status").is(200).body["custody"]["seeds"].as_u64().unwrap()
}

/// What the history of an order says of its seed.
fn said_of_the_seed(node: &kit::Node, reference: &str) -> Vec<&'static str> {
    let history = node.get(&format!("/v1/order/{reference}/history")).is(200).body["history"].clone();
    let of_one = |entry: &serde_json::Value| {
        ["shredOrdered", "shredded"].into_iter().find(|news| !entry[*news].is_null())
    };
    history.as_array().unwrap().iter().filter_map(of_one).collect()
}

#[test]
fn the_seed_of_an_order_that_has_ended_is_destroyed_when_its_keeper_says_so() {
    let home = Home::initialised();
    let node = home.start();
    let carol = node.identity("carol");
    let shred = |order: &str, key| node.post_under(&format!("/v1/order/{order}/shred"), &json!({}), key);
    let (first, _) = node.place(&carol);
    shred(&first, None).refuses(409, "out-of-state");
    shred("nobodys", None).refuses(404, "unknown-order");
    let redeemed = node.redeem(&first, &carol).is(200);
    assert_eq!(seeds(&node), 1);
    let answer = shred(&first, Some("k1")).is(200);
    assert_eq!((answer.str("state").as_str(), seeds(&node)), ("Received", 0));
    let order = node.get(&format!("/v1/order/{first}")).str("order");
    assert!(order.contains(r#""SeedShredded":true"#), "{order}");
    assert_eq!(shred(&first, Some("k1")).is(200).body, answer.body);
    assert_eq!(shred(&first, None).is(200).body, answer.body);
    assert_eq!(said_of_the_seed(&node, &first), ["shredOrdered", "shredded"]);
    assert_eq!(node.redeem(&first, &carol), redeemed, "the sealed secret is its beneficiary's still");

    // While custody is away it is due, and done once it is back.
    let (second, _) = node.place(&carol);
    node.redeem(&second, &carol).is(200);
    let (folder, away) = (home.path().join("seeds"), home.path().join("away"));
    std::fs::rename(&folder, &away).unwrap();
    shred(&second, None).is(503);
    assert_eq!(said_of_the_seed(&node, &second), ["shredOrdered"]);
    node.redeem(&second, &carol).is(200);
    std::fs::rename(&away, &folder).unwrap();
    node.until("the seed goes", |node| said_of_the_seed(node, &second).len() == 2);
    assert_eq!(seeds(&node), 0);
}

#[test]
fn the_seeds_of_orders_that_have_ended_are_destroyed_by_policy() {
    let home = Home::empty();
    home.settings("[custody]\nshred_after_ms = 500\n");
    home.must(&["init"]);
    let node = home.start();
    let me = node.cid();
    let [received, cancelled, open] = [(); 3].map(|()| node.place(&me).0);
    node.redeem(&received, &me).is(200);
    node.post(&format!("/v1/order/{cancelled}/cancel"), &json!({})).is(200);
    node.until("their seeds go", |node| seeds(node) == 1);
    for ended in [&received, &cancelled] {
        node.until("the log says so", |node| said_of_the_seed(node, ended) == ["shredOrdered", "shredded"]);
    }
    node.redeem(&received, &me).is(200);
    assert!(said_of_the_seed(&node, &open).is_empty());
    node.redeem(&open, &me).is(200);
    node.until("the last goes, too", |node| seeds(node) == 0);
}
