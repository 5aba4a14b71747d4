//! Whom a secret is given to, and how much a node takes on at once.

use dta_crypto::{IdentityKeys, Secret};
use dta_protocol::{Cid, Identity};
use serde_json::json;

use super::kit::{Node, START_MS};
use crate::actors::services::IN_FLIGHT;
use crate::api::HttpSettings;

/// An identity whose keys are elsewhere, as this node will know it from its document.
async fn learn(node: &Node, name: &str) -> Cid {
    let keys = IdentityKeys::from_seed(&Secret::from_bytes([7; 32]));
    let document = Identity::create(&keys, name, None, None, START_MS).unwrap();
    node.learn(&document).await;
    document.cid()
}

#[actix_web::test]
async fn the_secret_of_a_beneficiary_elsewhere_is_released_and_not_answered() {
    let node = Node::start(HttpSettings::default());
    let api = node.routes().await;
    let dave = learn(&node, "dave").await.to_string();
    let placed = api.post("/v1/order", &json!({ "beneficiaryIDDocumentCID": dave })).await.ok();
    let body = json!({ "orderReference": placed["orderReference"], "beneficiaryIDDocumentCID": dave });
    for _ in 0..2 {
        let redeemed = api.post("/v1/order/secret", &body).await.ok();
        assert_eq!((&redeemed["secret"], &redeemed["commitment"]), (&json!(""), &placed["commitment"]));
    }
    let path = format!("/v1/order/{}/history", placed["orderReference"].as_str().unwrap());
    let history = api.get(&path).await.ok();
    let steps: Vec<_> = history["history"].as_array().unwrap().iter().map(|entry| &entry["step"]).collect();
    assert_eq!(steps, ["order/placed", "order/committed", "order/redemption-requested", "order/released"]);
}

#[actix_web::test]
async fn one_command_too_many_is_told_to_come_again() {
    let node = Node::start(HttpSettings::default());
    let api = node.routes().await;
    let all = node.app.services.in_flight.clone().acquire_many_owned(IN_FLIGHT).await.unwrap();
    let order = json!({ "orderReference": "01a20487-03da-7504-b190-f82273434844" });
    for (path, body) in
        [("/v1/order", json!({})), ("/v1/order/secret", order), ("/v1/identity", json!({ "name": "x" }))]
    {
        let mut body = body;
        if path == "/v1/order/secret" {
            body["beneficiaryIDDocumentCID"] = json!(node.identity.to_string());
        }
        let refused = api.post(path, &body).await;
        assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, Some("1")), "{path}");
    }
    assert_eq!(api.get("/v1/order").await.status, 200, "queries go on");
    drop(all);
    api.post("/v1/order", &json!({})).await.ok();
}
