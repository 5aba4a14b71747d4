//! One `Idempotency-Key`, used by everybody at the same moment.

use serde_json::json;

use crate::crowd::{at_once, count, home, orders, same, seeds, stopped_whole};

#[test]
fn with_one_body_there_is_one_order_and_one_answer() {
    let home = home("");
    let node = home.start();
    for round in 0..4 {
        let (key, body) = (format!("key-{round}"), json!({ "extension": { "round": round.to_string() } }));
        let answers = at_once(64, |_| node.post_under("/v1/order", &body, Some(&key)));
        let first = same(&answers, 200);
        assert_eq!(orders(&node)[0], first["orderReference"]);
        assert_eq!(seeds(&node), round + 1);
        assert_eq!(orders(&node).len() as u64, round + 1);
    }
    stopped_whole(&home, node);
}

#[test]
fn with_different_bodies_one_wins_and_the_others_are_told() {
    let home = home("");
    let node = home.start();
    let body = |n: usize| json!({ "extension": { "n": n.to_string() } });
    let answers = at_once(64, |n| node.post_under("/v1/order", &body(n), Some("key")));
    assert_eq!((count(&answers, 200), count(&answers, 422)), (1, 63));
    let winner = answers.iter().position(|answer| answer.status == 200).unwrap();
    for answer in answers.iter().filter(|answer| answer.status == 422) {
        assert_eq!(answer.body["code"], "idempotency-key-reused");
    }
    assert_eq!((orders(&node).len(), seeds(&node)), (1, 1));
    // It stays the winner's, also after a crash.
    node.kill();
    let node = home.start();
    assert_eq!(node.post_under("/v1/order", &body(winner), Some("key")), answers[winner]);
    node.post_under("/v1/order", &body(64), Some("key")).refuses(422, "idempotency-key-reused");
    assert_eq!(orders(&node).len(), 1);
    stopped_whole(&home, node);
}

#[test]
fn at_different_routes_one_wins_and_the_others_are_told() {
    let home = home("");
    let node = home.start();
    let me = node.cid();
    let (order, _) = node.place("");
    let redeem = json!({ "orderReference": order, "beneficiaryIDDocumentCID": me });
    let routes = [
        ("/v1/order".to_owned(), json!({})),
        ("/v1/identity".to_owned(), json!({ "name": "carol" })),
        ("/v1/order/secret".to_owned(), redeem),
        (format!("/v1/order/{order}/retry"), json!({})),
    ];
    for round in 0..8 {
        let key = format!("key-{round}");
        let answers = at_once(32, |n| {
            let (route, body) = &routes[n % routes.len()];
            node.post_under(route, body, Some(&key))
        });
        assert_eq!(count(&answers, 200), 8, "{answers:?}");
        let winner = answers.iter().position(|answer| answer.status == 200).unwrap() % routes.len();
        for (n, answer) in answers.into_iter().enumerate() {
            match n % routes.len() == winner {
                true => _ = answer.is(200),
                false => _ = answer.refuses(422, "idempotency-key-reused"),
            }
        }
    }
    stopped_whole(&home, node);
}
