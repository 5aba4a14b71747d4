//! Mallory keeps the keys and turns things down: the same request under the same key is answered the same, however often it
//! is made and whatever she would say by then.

use std::sync::{Arc, Mutex};

use dta_protocol::Envelope;
use dta_protocol::car::Block;
use serde_json::{Value, json};

use super::forge::new_key;
use super::server::Reply;
use super::{Mallory, ORDER, identity_of, server};
use crate::kit::Answer;
use crate::world::{Party, Settings};

#[test]
fn what_was_turned_down_is_turned_down_again_under_the_same_key() {
    let mallory = Arc::new(Mallory::new("mallory"));
    let mut alice = Party::new("alice");
    alice.home.settings(&Settings::impatient().text("principal", &mallory.cid().to_string()));
    alice.start();
    let (alices, mood) = (identity_of(&alice), Arc::new(Mutex::new(None::<(u16, &str)>)));
    let (signer, says_no) = (mallory.clone(), mood.clone());
    let answers = move |target: &str, root: Envelope, blocks: Vec<Block>| {
        if let Some((status, code)) = *says_no.lock().unwrap() {
            return Some(Reply::No(status, code));
        }
        // She commits well, and of all else she says that she has it.
        if target != ORDER {
            return Some((root.cid(), blocks).into());
        }
        let key = new_key();
        let step = signer.committed(&root, &key, &key, &[&alices, &signer.identity]);
        Some((step.cid(), step.blocks()).into())
    };
    alice.pin(&mallory.document(), Some(&server::serve(mallory.clone(), Arc::new(answers))));
    let under = |path: &str, body: &Value, key: &str| alice.post_under(path, body, Some(key));
    // What is refused, the same again, and again once she would take it.
    let refused_for_good = |path: &str, body: &Value, status: u16, code: &'static str| -> Answer {
        *mood.lock().unwrap() = Some((status, code));
        let first = under(path, body, code).refuses(status, code);
        assert_eq!(under(path, body, code), first);
        *mood.lock().unwrap() = None;
        assert_eq!(under(path, body, code), first, "it asks nobody");
        first
    };

    let refused = refused_for_good("/v1/order", &json!({}), 422, "policy-unsupported");
    assert!(refused.body["error"].as_str().unwrap().contains("turned it down"), "{refused:?}");
    let listed = alice.caught_up().get("/v1/order").is(200).body["orderReference"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 1, "one order was placed, and turned down");
    assert_eq!(alice.state(listed[0].as_str().unwrap()), "Refused");

    let (reference, _) = alice.place("");
    let redeem = json!({ "orderReference": reference, "beneficiaryIDDocumentCID": alice.cid });
    refused_for_good("/v1/order/secret", &redeem, 409, "not-before");
    let cancel = format!("/v1/order/{reference}/cancel");
    refused_for_good(&cancel, &json!({}), 422, "cannot-open");
    // A code that this node does not know says nothing of it.
    *mood.lock().unwrap() = Some((409, "no-such-thing"));
    for _ in 0..2 {
        under(&cancel, &json!({}), "unknown").refuses(502, "no-such-thing");
    }
    assert_eq!(alice.caught_up().state(&reference), "Committed", "refusals end nothing");
    // Another key is another request; after a restart, too, the old ones are answered as they were.
    *mood.lock().unwrap() = None;
    let asked = under(&cancel, &json!({}), "another").is(202);
    assert_eq!(asked.body["waiting"][0]["for"], "order/cancellation-requested");
    alice.kill();
    alice.start();
    alice.post_under(&cancel, &json!({}), Some("cannot-open")).refuses(422, "cannot-open");
    alice.post_under("/v1/order/secret", &redeem, Some("not-before")).refuses(409, "not-before");
    alice.post_under("/v1/order", &json!({}), Some("policy-unsupported")).refuses(422, "policy-unsupported");
}
