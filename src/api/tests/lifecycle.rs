//! What clients do: identities, an order and its redemption, and what is shown of them.

use std::str::FromStr;

use dta_crypto::{OrderKey, Secret};
use dta_protocol::{Cid, Codec, Envelope, Identity, Kind, car};
use serde_json::{Value, json};

use super::kit::{Answer, Node, START_MS, got, posted};
use crate::actors::log::StoredBlock;
use crate::api::HttpSettings;

fn node() -> Node {
    Node::start(HttpSettings::default())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn a_status_has_the_names_that_clients_know() {
    let node = node();
    let api = node.routes().await;
    let status = api.get("/v1/status").await.ok();
    for (name, expected) in [
        ("application", json!("milagro-dta")),
        ("timeStamp", json!("2026-01-01T00:00:00.000Z")),
        ("apiVersion", json!("v1")),
        ("nodeCID", json!(node.identity.to_string())),
        ("extensionVendor", json!("Milagro")),
        ("plugin", json!("milagro")),
        ("nodeType", json!("multi")),
        ("logLength", json!(2)),
    ] {
        assert_eq!(status[name], expected, "{name}");
    }
    assert_eq!(status["custody"], json!({ "state": "ready", "seeds": 0 }));
    let names: Vec<_> =
        status["projections"].as_array().unwrap().iter().map(|one| text(&one["name"])).collect();
    assert_eq!(names, ["orders", "identities", "history", "peers"]);
    assert_eq!(text(&status["projections"][0]["digest"]).len(), 64);
    assert_eq!(api.get("/v1/ready").await.ok(), json!({ "ready": true }));
    let head = api.send(got("/v1/status").method(actix_web::http::Method::HEAD)).await;
    assert_eq!(head.status, 200);
}

#[actix_web::test]
async fn identities_are_made_listed_and_shown() {
    let node = node();
    let api = node.routes().await;
    let made = api.post("/v1/identity", &json!({ "Name": "bob", "unknown": [1] })).await;
    assert_eq!(made.header("dta-sequence"), Some("2"));
    let bob = text(&made.ok()["idDocumentCID"]);
    let carol = api.identity("carol").await;
    let alice = node.identity.to_string();

    let one = api.get(&format!("/v1/identity/{bob}")).await.ok();
    let block = node.app.services.log.block(&Cid::from_str(&bob).unwrap().to_bytes()).unwrap().unwrap();
    let StoredBlock::Published(block) = block else { panic!("an identity is published") };
    let document = Identity::decode(block.bytes()).unwrap();
    let keys = document.public();
    let expected = json!({
        "idDocumentCID": bob,
        "authenticationReference": "bob",
        "beneficiaryECPublicKey": hex::encode(keys.secp256k1),
        "blsPublicKey": hex::encode(keys.bls),
        "kemPublicKey": hex::encode(keys.kem.as_slice()),
        "ed25519PublicKey": hex::encode(keys.ed25519),
        "hosted": true,
        "timestamp": START_MS / 1_000,
    });
    assert_eq!(one, expected);

    let listed = async |query: &str| -> Vec<String> {
        let list = api.get(&format!("/v1/identity{query}")).await.ok();
        list["idDocumentList"].as_array().unwrap().iter().map(|one| text(&one["idDocumentCID"])).collect()
    };
    assert_eq!(listed("").await, [&*carol, &bob, &alice]);
    assert_eq!(listed("?sortBy=dateCreatedAsc").await, [&*alice, &bob, &carol]);
    assert_eq!(listed("?page=1&perPage=2&sortBy=dateCreatedDsc").await, [&*alice]);
    assert_eq!(listed("?page=7").await, [""; 0]);
}

#[actix_web::test]
async fn an_order_is_placed_redeemed_shown_and_proved() {
    let node = node();
    let api = node.routes().await;
    let (alice, bob) = (node.identity.to_string(), api.identity("bob").await);
    let order = json!({
        "beneficiaryIDDocumentCID": bob,
        "extension": { "a": "b" },
        "policy": { "expiresAtMs": START_MS + 3_600_000 },
    });
    let placed = api.post("/v1/order", &order).await;
    let sequence: u64 = placed.header("dta-sequence").unwrap().parse().unwrap();
    let placed = placed.ok();
    let (reference, commitment) = (text(&placed["orderReference"]), text(&placed["commitment"]));
    assert_eq!((commitment.len(), &commitment[..2]), (130, "04"));
    assert_eq!((&placed["createdAt"], &placed["extension"]), (&json!(START_MS / 1_000), &json!({})));

    let shown = async || -> (Value, Value) {
        let one = api.get(&format!("/v1/order/{reference}")).await.ok();
        let document = serde_json::from_str(one["order"].as_str().unwrap()).unwrap();
        (one, document)
    };
    let (one, document) = shown().await;
    assert!(text(&one["order"]).starts_with(r#"{"Type":"Safeguard_Secret","Reference":""#), "{one}");
    assert_eq!(one["timestamp"], json!(START_MS / 1_000));
    for (name, expected) in [
        ("Reference", json!(reference)),
        ("PrincipalCID", json!(alice)),
        ("FiduciaryCID", json!(alice)),
        ("BeneficiaryCID", json!(bob)),
        ("Coin", json!(0)),
        ("Timestamp", json!(START_MS / 1_000)),
        ("State", json!("Committed")),
        ("OrderPart3", Value::Null),
        ("OrderPart4", Value::Null),
    ] {
        assert_eq!(document[name], expected, "{name}");
    }
    let policy =
        json!({ "notBeforeMs": 0, "expiresAtMs": START_MS + 3_600_000, "retentionMs": 2_592_000_000u64 });
    assert_eq!(document["Policy"], policy);
    assert_eq!(document["OrderPart2"]["CommitmentPublicKey"], json!(commitment));
    assert_eq!(document["OrderPart2"]["PreviousOrderCID"], one["orderCID"]);
    // By its placed CID it is the same order.
    let cid = text(&one["orderCID"]);
    assert_eq!(api.get(&format!("/v1/order/{cid}")).await.ok(), one);
    assert_eq!(api.get("/v1/order").await.ok(), json!({ "orderReference": [reference] }));

    let redeem = json!({ "orderReference": cid, "beneficiaryIDDocumentCID": bob });
    let redeemed = api.post("/v1/order/secret", &redeem).await;
    assert!(redeemed.header("dta-sequence").unwrap().parse::<u64>().unwrap() > sequence);
    let redeemed = redeemed.ok();
    let secret: [u8; 32] = hex::decode(text(&redeemed["secret"])).unwrap().try_into().unwrap();
    let key = OrderKey::from_secret(Secret::from_bytes(secret)).unwrap();
    assert_eq!(hex::encode(key.commitment()), commitment);
    assert_eq!(
        (&redeemed["commitment"], &redeemed["orderReference"]),
        (&json!(commitment), &json!(reference))
    );
    // Asked again, by reference and without naming anybody: the same answer.
    let again = api.post("/v1/order/secret", &json!({ "ORDERREFERENCE": reference })).await.ok();
    assert_eq!(again, redeemed);

    let (_, document) = shown().await;
    assert_eq!(document["State"], json!("Received"));
    assert_eq!(document["OrderPart3"]["BeneficiaryCID"], json!(bob));
    assert_eq!(document["OrderPart4"]["PreviousOrderCID"], document["OrderPart3"]["CID"]);
    assert!(!document.to_string().contains(&hex::encode(secret)));

    history_is_told(&api.get(&format!("/v1/order/{reference}/history")).await, &reference, &alice, &bob);
    chain_is_whole(&node, &api.get(&format!("/v1/order/{cid}/chain")).await, &alice, &bob);
}

fn history_is_told(answer: &Answer, reference: &str, alice: &str, bob: &str) {
    let answer = answer.ok();
    assert_eq!(answer["orderReference"], json!(reference));
    let history = answer["history"].as_array().unwrap();
    let told: Vec<_> = history.iter().map(|one| (text(&one["step"]), text(&one["signer"]))).collect();
    let step = |kind: &str, signer: &str| (kind.to_owned(), signer.to_owned());
    let expected = [
        step("order/placed", alice),
        step("order/committed", alice),
        step("order/redemption-requested", alice),
        step("order/released", alice),
        step("order/received", bob),
    ];
    assert_eq!(told, expected);
    for one in history {
        assert_eq!(one["actor"], json!("local"));
        assert_eq!(one["time"], json!("2026-01-01T00:00:00.000Z"));
        assert_eq!(one["timeMs"], json!(START_MS));
    }
    assert!(history.is_sorted_by_key(|one| one["sequence"].as_u64().unwrap()));
}

/// Everything verifies from the file alone, and what must not leave the node is not in it.
fn chain_is_whole(node: &Node, answer: &Answer, alice: &str, bob: &str) {
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (200, Some("application/vnd.ipld.car"))
    );
    let (root, blocks) = car::decode(&answer.body).unwrap();
    let block = |cid: Cid| &blocks.iter().find(|(found, _)| *found == cid).unwrap().1;
    let [alice, bob] = [alice, bob].map(|cid| Identity::decode(block(cid.parse().unwrap())).unwrap());
    let (mut next, mut kinds, mut sealed) = (Some(root), Vec::new(), 0);
    while let Some(cid) = next {
        let envelope = Envelope::decode(block(cid)).unwrap();
        let signer = if envelope.statement().signer == Some(bob.cid()) { &bob } else { &alice };
        let envelope = envelope.verify(signer).unwrap();
        let statement = envelope.statement();
        for descriptor in &statement.sealed {
            assert!(!block(descriptor.cid).is_empty());
            sealed += 1;
        }
        kinds.push(statement.kind);
        next = statement.previous;
    }
    assert_eq!(
        kinds,
        [Kind::Received, Kind::Released, Kind::RedemptionRequested, Kind::Committed, Kind::Placed]
    );
    assert_eq!(blocks.len(), kinds.len() + 2 + sealed);
    for (cid, _) in &blocks {
        let stored = node.app.services.log.block(&cid.to_bytes()).unwrap().unwrap();
        assert!(matches!(stored, StoredBlock::Published(_)), "{cid} is held");
    }
    let placed = node.app.queries.orders(0, 1, false).unwrap().remove(0).order;
    let secret = placed.secret.unwrap().cid;
    assert!(matches!(node.app.services.log.block(&secret.to_bytes()).unwrap(), Some(StoredBlock::Held(_))));
    assert!(secret.codec() == Codec::Raw && !blocks.iter().any(|(cid, _)| *cid == secret));
}

#[actix_web::test]
async fn a_party_that_has_signed_nothing_is_not_in_the_chain() {
    let node = node();
    let api = node.routes().await;
    let bob = api.identity("bob").await;
    let reference = api.order(json!({ "beneficiaryIDDocumentCID": bob })).await;
    let chain = api.get(&format!("/v1/order/{reference}/chain")).await;
    let (_, blocks) = car::decode(&chain.body).unwrap();
    let bob: Cid = bob.parse().unwrap();
    assert!(!blocks.iter().any(|(cid, _)| *cid == bob));
    let contains = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(!contains(&chain.body, &bob.to_bytes()));
}

#[actix_web::test]
async fn the_same_request_has_the_same_answer() {
    let node = node();
    let api = node.routes().await;
    let bob = api.identity("bob").await;
    let keyed = |path: &str, key: &str, body: &Value| {
        posted(path, body.to_string()).insert_header(("idempotency-key", key))
    };
    let order = json!({ "beneficiaryIDDocumentCID": bob, "extension": { "a": "1" } });
    let first = api.send(keyed("/v1/order", "k1", &order)).await;
    let length = node.app.services.log.head().unwrap().count;
    node.clock.set(START_MS + 60_000);
    let again = api.send(keyed("/v1/order", "k1", &order)).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(node.app.services.log.head().unwrap().count, length, "nothing was written");
    // Without the key it is another order.
    assert_ne!(api.post("/v1/order", &order).await.body, first.body);

    let reference = text(&first.ok()["orderReference"]);
    let redeem = json!({ "orderReference": reference });
    let first = api.send(keyed("/v1/order/secret", "k2", &redeem)).await;
    assert_eq!(text(&first.ok()["secret"]).len(), 64);
    assert_eq!(api.send(keyed("/v1/order/secret", "k2", &redeem)).await.body, first.body);

    let dave = keyed("/v1/identity", "k3", &json!({ "name": "dave" }));
    let first = api.send(dave).await;
    let again = api.send(keyed("/v1/identity", "k3", &json!({ "name": "dave" }))).await;
    assert_eq!((first.status.as_u16(), &again.body), (200, &first.body));

    let other = json!({ "extension": { "a": "2" } });
    for (path, key, body) in [
        ("/v1/order", "k1", &other),
        ("/v1/order", "k2", &redeem),
        ("/v1/order", "k3", &order),
        ("/v1/order/secret", "k1", &redeem),
        ("/v1/identity", "k3", &json!({ "name": "erin" })),
        ("/v1/identity", "k1", &json!({ "name": "dave" })),
    ] {
        let refused = api.send(keyed(path, key, body)).await.refused("Idempotency-Key");
        assert_eq!(refused, (422, "idempotency-key-reused".into()), "{path} {key}");
    }
}
