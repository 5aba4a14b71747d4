//! One order, and everybody wants something of it.

use serde_json::json;

use crate::crowd::{at_once, count, home, length, same, seeds, stopped_whole};
use crate::kit::{Answer, Node, public_key_of};

const WHOLE: [&str; 5] =
    ["order/placed", "order/committed", "order/redemption-requested", "order/released", "order/received"];

#[test]
fn sixty_four_redeem_it() {
    let home = home("");
    let node = home.start();
    let carol = node.identity("carol");
    for named in [carol.as_str(), ""] {
        let (order, commitment) = node.place(named);
        let answers = at_once(64, |_| node.redeem(&order, &carol));
        let body = same(&answers, 200);
        assert_eq!(public_key_of(body["secret"].as_str().unwrap()), commitment);
        assert_eq!(node.steps(&order), WHOLE, "one redemption, one release, one receipt, nothing refused");
    }
    assert_eq!(seeds(&node), 2);
    stopped_whole(&home, node);
}

#[test]
fn sixty_four_redeem_it_for_different_beneficiaries() {
    let home = home("");
    let node = home.start();
    let named: Vec<_> = ["carol", "dave", "erin", "frank"].map(|name| node.identity(name)).into();
    let (order, commitment) = node.place("");
    let answers = at_once(64, |n| node.redeem(&order, &named[n % 4]));
    let winners: Vec<_> = answers.iter().enumerate().filter(|(_, answer)| answer.status == 200).collect();
    assert_eq!(winners.len(), 16);
    let winner = winners[0].0 % 4;
    for (n, answer) in answers.iter().enumerate() {
        match n % 4 == winner {
            true => assert_eq!(public_key_of(&answer.str("secret")), commitment),
            false => assert!([409, 410].contains(&answer.status), "{answer:?}"),
        }
    }
    let document = node.get(&format!("/v1/order/{order}")).is(200).str("order");
    assert!(document.contains(&format!("\"BeneficiaryCID\":\"{}\"", named[winner])), "{document}");
    stopped_whole(&home, node);
}

#[test]
fn the_same_request_a_hundred_times() {
    let home = home("");
    let node = home.start();
    let me = node.cid();
    // Without a key: what is done is not done again.
    let (order, _) = node.place("");
    let answers = at_once(100, |_| cancel(&node, &order, None));
    one_cancelled_it(&node, &order, &answers);
    // With one: all are answered as the first.
    let (order, _) = node.place("");
    let body = same(&at_once(100, |_| cancel(&node, &order, Some("cancel"))), 200);
    assert_eq!(body["state"], "Closed");
    assert_eq!(node.steps(&order).len(), 4);
    let (order, _) = node.place("");
    let redeem = json!({ "orderReference": order, "beneficiaryIDDocumentCID": me });
    same(&at_once(100, |_| node.post_under("/v1/order/secret", &redeem, Some("redeem"))), 200);
    assert_eq!(node.steps(&order), WHOLE);
    let identity = json!({ "name": "carol" });
    let before = length(&node);
    same(&at_once(100, |_| node.post_under("/v1/identity", &identity, Some("identity"))), 200);
    assert_eq!(length(&node), before + 1);
    stopped_whole(&home, node);
}

fn cancel(node: &Node, order: &str, key: Option<&str>) -> Answer {
    node.post_under(&format!("/v1/order/{order}/cancel"), &json!({}), key)
}

/// One closed it; whoever came later heard that it is closed.
fn one_cancelled_it(node: &Node, order: &str, answers: &[Answer]) {
    for answer in answers {
        match answer.status {
            200 => assert_eq!(answer.body["state"], "Closed"),
            status => assert!([409, 410].contains(&status), "{answer:?}"),
        }
    }
    assert!(count(answers, 200) >= 1);
    let steps = node.steps(order);
    let times = |name: &str| steps.iter().filter(|step| *step == name).count();
    assert_eq!((times("order/cancellation-requested"), times("order/closed")), (1, 1), "{steps:?}");
    assert_eq!(node.state(order), "Closed");
}

/// What one of a crowd wants.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Want {
    Redeem,
    Cancel,
    Dispute,
    Retry,
    Look,
}

#[test]
fn races_of_redemption_cancellation_and_dispute_have_one_outcome() {
    use Want::{Cancel, Dispute, Look, Redeem, Retry};
    let home = home("");
    let node = home.start();
    let carol = node.identity("carol");
    let mut outcomes = [0; 2];
    for round in 0..16 {
        let (order, commitment) = node.place(&carol);
        let wants = [Redeem, Cancel, Redeem, Cancel, Dispute, Retry, Look];
        // Who stands first in line differs from round to round.
        let want = |n: usize| wants[(n + round) % wants.len()];
        let answers = at_once(28, |n| match want(n) {
            Redeem => node.redeem(&order, &carol),
            Cancel => cancel(&node, &order, None),
            Dispute => node.post(&format!("/v1/order/{order}/dispute"), &json!({})),
            Retry => node.post(&format!("/v1/order/{order}/retry"), &json!({})),
            Look => node.get(&format!("/v1/order/{order}")),
        });
        let state = node.state(&order);
        let steps = node.steps(&order);
        let done: Vec<_> =
            steps.iter().filter(|step| step.starts_with("order/")).map(String::as_str).collect();
        let released = match state.as_str() {
            "Received" => {
                assert_eq!(done, WHOLE);
                true
            }
            "Closed" => {
                let cancelled =
                    ["order/placed", "order/committed", "order/cancellation-requested", "order/closed"];
                assert_eq!(done, cancelled);
                false
            }
            other => panic!("{other}: {steps:?}"),
        };
        outcomes[usize::from(released)] += 1;
        for (n, answer) in answers.iter().enumerate() {
            let context = || format!("{:?} of an order that is {state}: {answer:?}", want(n));
            match (want(n), answer.status) {
                (Redeem, 200) => {
                    assert!(released, "{}", context());
                    assert_eq!(public_key_of(&answer.str("secret")), commitment);
                }
                (Cancel, 200) => assert!(!released && answer.body["state"] == "Closed", "{}", context()),
                (Redeem, 409 | 410) => assert!(!released, "{}", context()),
                (Cancel, 409 | 410) => {}
                (Dispute, 409 | 410) | (Retry, 200 | 409 | 410) | (Look, 200) => {}
                _ => panic!("{}", context()),
            }
        }
        // Whoever asks later hears the same.
        match released {
            true => _ = node.redeem(&order, &carol).is(200),
            false => assert!([409, 410].contains(&node.redeem(&order, &carol).status)),
        }
    }
    println!("{} closed, {} received", outcomes[0], outcomes[1]);
    assert!(outcomes[0] > 0 && outcomes[1] > 0, "{outcomes:?}");
    stopped_whole(&home, node);
}
