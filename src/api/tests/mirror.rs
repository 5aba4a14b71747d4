//! What is held of others' chains, asked for and proved over the API; and what is refused.

use dta_crypto::{IdentityKeys, Secret};
use dta_protocol::{Cid, Codec, Identity};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::kit::{Node, Routes};
use crate::actors::log::StoredBlock;
use crate::api::HttpSettings;

const URL: &str = "http://127.0.0.1:1";

fn node() -> Node {
    Node::start(HttpSettings::default())
}

fn stranger(seed: u8, name: &str, log: Option<Cid>) -> Identity {
    let keys = IdentityKeys::from_seed(&Secret::from_bytes([seed; 32]));
    Identity::create(&keys, name, None, log, 5_000).unwrap()
}

async fn pin(api: &Routes, document: &Identity, url: &str) {
    let document = hex::encode(document.envelope().block());
    api.post("/v1/peer", &json!({ "document": document, "url": url })).await.ok();
}

#[actix_web::test]
async fn only_nodes_that_are_pinned_where_they_serve_are_followed() {
    let node = node();
    let api = node.routes().await;
    let bob = stranger(1, "bob", None);
    let carol = stranger(2, "carol", Some(bob.cid()));
    let follow = async |peer: &str| api.post("/v1/mirror/follow", &json!({ "peer": peer })).await;
    let unfollow = async |peer: &str| api.post("/v1/mirror/unfollow", &json!({ "peer": peer })).await;
    let (bobs, carols) = (bob.cid().to_string(), carol.cid().to_string());
    assert_eq!(follow(&bobs).await.refused("is not pinned"), (404, "not-pinned".into()));
    pin(&api, &bob, "").await;
    assert_eq!(follow(&bobs).await.refused("without a URL"), (409, "not-addressed".into()));
    pin(&api, &bob, URL).await;
    pin(&api, &carol, URL).await;
    assert_eq!(follow(&carols).await.refused(&bobs), (409, "log-elsewhere".into()));
    let own = node.identity.to_string();
    api.post("/v1/peer", &json!({ "idDocumentCID": own })).await.ok();
    assert_eq!(follow(&own).await.refused("hosted on this node"), (409, "own-log".into()));
    assert_eq!(unfollow(&bobs).await.refused("is not followed"), (404, "not-followed".into()));
    // By its URL, which carol has too: but the log is his.
    assert_eq!(follow(&format!("{URL}/")).await.ok(), json!({ "idDocumentCID": bobs }));
    let again = follow(&bobs).await;
    again.ok();
    let listed = api.get("/v1/peer").await.ok();
    let followed = |cid: &str| {
        let list = listed["peerList"].as_array().unwrap().clone();
        list.into_iter().find(|peer| peer["idDocumentCID"] == cid).unwrap()["followed"].clone()
    };
    assert_eq!((followed(&bobs), followed(&carols)), (json!(true), json!(null)));
    assert_eq!(node.app.services.peers.followed(), [bob.cid()]);
    let shown = api.get("/v1/mirror").await.ok();
    let expected = json!({ "ipfs": [], "following": [{
        "idDocumentCID": bobs, "checkpointCID": null, "number": null, "epoch": null, "size": null,
        "blocks": 0, "trouble": "ipfs.connector is \"none\"",
    }] });
    assert_eq!(shown, expected);
    unfollow(URL).await.ok();
    assert_eq!(api.get("/v1/mirror").await.ok(), json!({ "ipfs": [], "following": [] }));
    let refused = |answer: super::kit::Answer| answer.refused("peer:");
    assert_eq!(refused(follow("").await), (422, "field-missing".into()));
    assert_eq!(refused(follow("bob").await), (422, "peer".into()));
    assert_eq!(refused(follow("http://127.0.0.1:2").await), (404, "not-pinned".into()));
    pin(&api, &stranger(3, "dave", None), URL).await;
    assert_eq!(refused(follow(URL).await), (409, "peer-ambiguous".into()));
}

#[actix_web::test]
async fn what_is_here_is_proved_and_what_must_not_leave_is_not_here() {
    let node = node();
    let api = node.routes().await;
    let me = node.identity.to_string();
    let order = api.order(json!({ "beneficiaryIDDocumentCID": me })).await;
    api.post("/v1/order/secret", &json!({ "orderReference": order, "beneficiaryIDDocumentCID": me }))
        .await
        .ok();
    let prove = async |cid: &str, challenge: &str| {
        api.get(&format!("/v1/mirror/proof?cid={cid}&challenge={challenge}")).await
    };
    let log = &node.app.services.log;
    for (_, block) in log.published(None, 1_000).unwrap() {
        let cid = Cid::from_bytes(block.cid()).unwrap().to_string();
        for challenge in [vec![7; 16], vec![0; 32], (0..64).collect()] {
            let expected = Sha256::new().chain_update(&challenge).chain_update(block.bytes()).finalize();
            let answer = prove(&cid, &hex::encode(&challenge)).await.ok();
            assert_eq!(answer, json!({ "cid": cid, "sha256": hex::encode(expected) }));
        }
    }
    // The sealed secret is in the log, for nobody.
    node.projected().await;
    let held = node.app.queries.orders(0, 1, false).unwrap().remove(0).order.secret.unwrap().cid;
    assert!(matches!(log.block(&held.to_bytes()).unwrap(), Some(StoredBlock::Held(_))));
    let nobody = Cid::of(Codec::Raw, b"nobody has it");
    for cid in [held, nobody] {
        let refused = prove(&cid.to_string(), &"00".repeat(32)).await.refused("is not held here");
        assert_eq!(refused, (404, "not-held".into()));
    }
    for challenge in ["", "00", &"00".repeat(15), &"00".repeat(65), &"zz".repeat(32), &"0".repeat(33)] {
        assert_eq!(prove(&me, challenge).await.refused("16 to 64 bytes"), (422, "challenge".into()));
    }
    assert_eq!(prove("x", &"00".repeat(32)).await.refused("cid:"), (422, "cid".into()));
    assert_eq!(api.get("/v1/mirror/proof").await.refused("cid:"), (422, "cid".into()));
}

#[actix_web::test]
async fn a_check_says_what_there_is_not_to_check() {
    let node = node();
    let api = node.routes().await;
    let check = async |body| api.post("/v1/mirror/check", &body).await;
    let bob = stranger(1, "bob", None);
    let bobs = bob.cid().to_string();
    assert_eq!(check(json!({ "peer": bobs })).await.refused(&bobs), (409, "not-addressed".into()));
    pin(&api, &bob, URL).await;
    let refused = check(json!({ "peer": bobs })).await.refused("cannot be reached");
    assert_eq!(refused, (502, "mirror-unreachable".into()));
    for samples in [0, 1_001] {
        let refused = check(json!({ "peer": bobs, "samples": samples })).await.refused("samples:");
        assert_eq!(refused, (422, "samples".into()));
    }
}
