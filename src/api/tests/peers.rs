//! Pins over the API: what is taken, refused, recorded and shown, and the book that commands go by.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dta_crypto::{IdentityKeys, Secret};
use dta_events::ids::peer_aggregate;
use dta_events::record::{Effect, Record};
use dta_protocol::{Cid, Codec, Identity};
use serde_json::{Value, json};

use super::kit::{Answer, Node, Routes, got, posted};
use crate::actors::identities::IdentityError;
use crate::actors::peers::book::Book;
use crate::actors::services::Caller;
use crate::api::HttpSettings;

const URL: &str = "http://127.0.0.1:5557";

fn node() -> Node {
    Node::start(HttpSettings::default())
}

/// An identity of another node.
fn stranger(seed: u8, name: &str) -> Identity {
    let keys = IdentityKeys::from_seed(&Secret::from_bytes([seed; 32]));
    Identity::create(&keys, name, None, None, 5_000).unwrap()
}

fn hex_of(document: &Identity) -> String {
    hex::encode(document.envelope().block())
}

async fn pin(api: &Routes, body: Value) -> Answer {
    api.post("/v1/peer", &body).await
}

fn unpinning(cid: impl std::fmt::Display) -> TestRequest {
    got(&format!("/v1/peer/{cid}")).method(Method::DELETE)
}

async fn listed(node: &Node, api: &Routes) -> Vec<Value> {
    node.projected().await;
    api.get("/v1/peer").await.ok()["peerList"].as_array().unwrap().clone()
}

/// The pin's records: the codes of refusals, and the names of events.
fn told(node: &Node, cid: &Cid) -> Vec<String> {
    let name = |record: Record| match record.effect {
        Effect::Refused { code, .. } => vec![code],
        Effect::Events(events) if events.is_empty() => vec!["nothing".into()],
        Effect::Events(events) => events.into_iter().map(|event| event.name).collect(),
    };
    node.app.services.log.load(&peer_aggregate(cid)).unwrap().into_iter().flat_map(name).collect()
}

fn url_of(node: &Node, cid: &Cid) -> Option<Option<String>> {
    node.app.services.peers.pinned(cid).map(|pin| pin.url)
}

#[actix_web::test]
async fn an_identity_is_learned_pinned_moved_and_unpinned() {
    let node = node();
    let api = node.routes().await;
    let bob = stranger(1, "bob");
    let cid = bob.cid();
    let answer = pin(&api, json!({ "document": hex_of(&bob), "url": format!("{URL}/") })).await;
    assert_eq!(answer.ok(), json!({ "idDocumentCID": cid.to_string() }));
    assert_eq!(
        answer.header("dta-sequence"),
        Some("3"),
        "after the node's two first records and the identity"
    );
    let shown = |url: Option<&str>| {
        let mut shown = json!({ "idDocumentCID": cid.to_string(), "authenticationReference": "bob" });
        shown["pinnedAt"] = 1_767_225_600.into();
        if let Some(url) = url {
            shown["url"] = url.into();
        }
        vec![shown]
    };
    assert_eq!(listed(&node, &api).await, shown(Some(URL)));
    assert_eq!(url_of(&node, &cid), Some(Some(URL.into())));
    // It is an identity like any other now, though not hosted.
    let identity = api.get(&format!("/v1/identity/{cid}")).await.ok();
    assert_eq!((&identity["authenticationReference"], &identity["hosted"]), (&json!("bob"), &json!(false)));
    assert!(node.app.services.log.published_block(&cid.to_bytes()).unwrap().is_some());
    // The same again changes nothing; elsewhere, it moves, and is pinned since when it was.
    let again = pin(&api, json!({ "idDocumentCID": cid.to_string(), "url": URL })).await;
    again.ok();
    assert_eq!(again.header("dta-sequence"), Some("3"));
    assert_eq!(told(&node, &cid), ["peer/pinned"]);
    node.clock.set(super::kit::START_MS + 60_000);
    pin(&api, json!({ "idDocumentCID": cid.to_string(), "url": "https://bob.example/dta" })).await.ok();
    assert_eq!(listed(&node, &api).await, shown(Some("https://bob.example/dta")));
    pin(&api, json!({ "idDocumentCID": cid.to_string(), "url": "" })).await.ok();
    assert_eq!(listed(&node, &api).await, shown(None));
    assert_eq!(node.app.services.peers.with_url(), []);
    let gone = api.send(unpinning(cid)).await;
    assert_eq!(gone.ok(), json!({ "idDocumentCID": cid.to_string() }));
    assert_eq!(gone.header("dta-sequence"), Some("6"));
    assert_eq!((listed(&node, &api).await, url_of(&node, &cid)), (vec![], None));
    assert_eq!(api.send(unpinning(cid)).await.refused("not pinned"), (404, "not-pinned".into()));
    let history = ["peer/pinned", "peer/pinned", "peer/pinned", "peer/unpinned", "not-pinned"];
    assert_eq!(told(&node, &cid), history);
    // Known it stays: it can be pinned by its CID again.
    pin(&api, json!({ "idDocumentCID": cid.to_string() })).await.ok();
    assert_eq!(url_of(&node, &cid), Some(None));
}

#[actix_web::test]
async fn a_document_comes_in_hex_or_base64_and_goes_as_it_came() {
    let node = node();
    let api = node.routes().await;
    let (bob, carol) = (stranger(1, "bob"), stranger(2, "carol"));
    pin(&api, json!({ "document": hex_of(&bob).to_uppercase() })).await.ok();
    let text = STANDARD.encode(carol.envelope().block());
    pin(&api, json!({ "document": text, "idDocumentCID": carol.cid().to_string() })).await.ok();
    let own = node.app.services.known(&node.identity).await.unwrap().unwrap();
    for document in [&bob, &carol, &own.document] {
        let answer = api.get(&format!("/v1/identity/{}/document", document.cid())).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (200, Some("application/vnd.ipld.dag-cbor"))
        );
        assert_eq!(answer.body, document.envelope().block());
    }
}

#[actix_web::test]
async fn what_is_no_pin_is_refused_by_name() {
    let node = node();
    let api = node.routes().await;
    let (bob, nobody) = (stranger(1, "bob"), Cid::of(Codec::DagCbor, b"nobody").to_string());
    let whole = hex_of(&bob);
    let mut forged = bob.envelope().block().to_vec();
    forged[1_000] ^= 1;
    let long = format!("http://b/{}", "x".repeat(2_048));
    let own = node.identity.to_string();
    let before = node.app.services.log.head().unwrap().count;
    for (body, words, status, code) in [
        (json!({}), "idDocumentCID: ", 422, "field-missing"),
        (json!({ "idDocumentCID": "", "document": "" }), "idDocumentCID: ", 422, "field-missing"),
        (json!({ "idDocumentCID": "bob" }), "idDocumentCID: ", 422, "field-cid"),
        (json!({ "idDocumentCID": 7 }), "idDocumentCID: ", 422, "field-type"),
        (json!({ "document": 7 }), "document: ", 422, "field-type"),
        (json!({ "document": "a2é" }), "hex or base64", 422, "field-document"),
        (json!({ "document": format!("{whole}0") }), "hex or base64", 422, "field-document"),
        (json!({ "document": "00" }), "document: ", 422, "envelope-layout"),
        (json!({ "document": &whole[..whole.len() - 2] }), "document: ", 422, "cbor-truncated"),
        (json!({ "document": hex::encode(&forged) }), "document: ", 422, "signature-invalid"),
        (json!({ "document": whole, "idDocumentCID": nobody }), "document: ", 422, "document-mismatch"),
        (json!({ "document": whole, "url": 7 }), "url: ", 422, "field-type"),
        (json!({ "document": whole, "url": "bob" }), "url: must begin with http", 422, "url-scheme"),
        (json!({ "document": whole, "url": "ftp://bob" }), "url: must begin with http", 422, "url-scheme"),
        (json!({ "document": whole, "url": "http://a:b@bob" }), "user", 422, "url-user"),
        (json!({ "document": whole, "url": "http://bob?x" }), "query", 422, "url-query"),
        (json!({ "document": whole, "url": long }), "2048", 422, "url-too-long"),
    ] {
        assert_eq!(pin(&api, body.clone()).await.refused(words), (status, code.into()), "{body}");
    }
    assert_eq!(node.app.services.log.head().unwrap().count, before, "what cannot be read is no history");
    // What the rules refuse is.
    let unknown = pin(&api, json!({ "idDocumentCID": nobody })).await;
    assert_eq!(unknown.refused("pin it by its document"), (422, "unknown-identity".into()));
    assert_eq!(unknown.header("dta-sequence"), Some(before.to_string().as_str()));
    let hosted = pin(&api, json!({ "idDocumentCID": own, "url": URL })).await;
    assert_eq!(hosted.refused("does not call itself"), (409, "hosted-here".into()));
    assert_eq!(told(&node, &node.identity), ["hosted-here"]);
    assert_eq!(told(&node, &nobody.parse().unwrap()), ["unknown-identity"]);
    for strange in ["x", "%00", &nobody] {
        assert_eq!(api.send(unpinning(strange)).await.refused("").0, 404, "{strange}");
    }
    assert_eq!(listed(&node, &api).await, Vec::<Value>::new());
    // One's own without a URL is idle, and no harm.
    pin(&api, json!({ "idDocumentCID": own })).await.ok();
}

#[actix_web::test]
async fn who_shares_a_key_with_another_is_not_learned() {
    let node = node();
    let api = node.routes().await;
    let (bob, twin) = (stranger(1, "bob"), stranger(1, "mallory"));
    assert_ne!(bob.cid(), twin.cid());
    pin(&api, json!({ "document": hex_of(&bob) })).await.ok();
    for _ in 0..2 {
        let refused = pin(&api, json!({ "document": hex_of(&twin) })).await;
        assert_eq!(refused.refused("one of its public keys"), (409, "key-taken".into()));
    }
    assert_eq!((told(&node, &twin.cid()), url_of(&node, &twin.cid())), (vec![], None));
    let services = &node.app.services;
    assert!(services.known(&twin.cid()).await.unwrap().is_none());
    let records = |document: &Identity| {
        services.log.load(&dta_events::ids::identity_aggregate(&document.cid())).unwrap()
    };
    let codes: Vec<_> = records(&twin).into_iter().map(|record| record.effect).collect();
    assert!(
        matches!(&codes[..], [Effect::Refused { code, .. }, Effect::Refused { .. }] if code == "key-taken")
    );
    // A peer's document is judged alike, and its refusal fills no log.
    let caller = |by: &str| Caller { by: by.into(), trace_id: [0; 16], request: None };
    let from_peer = services.learn(&twin, &caller("peer:x")).await;
    assert!(matches!(from_peer, Err(IdentityError::Rejected(dta_events::identity::Rejection::KeyTaken))));
    assert_eq!(records(&twin).len(), 2);
    // What is known is not learned again; what is not, once, however many say so at the same time.
    assert_eq!(services.learn(&bob, &caller("local")).await.unwrap(), None);
    let dave = stranger(4, "dave");
    let (peer, local) = (caller("peer:x"), caller("local"));
    let both = tokio::join!(services.learn(&dave, &peer), services.learn(&dave, &local));
    assert_eq!([both.0.unwrap(), both.1.unwrap()].iter().flatten().count(), 1);
    assert_eq!(records(&dave).len(), 1);
    let hosted = api.identity("eve").await.parse().unwrap();
    let hosted = services.known(&hosted).await.unwrap().unwrap();
    assert_eq!(services.learn(&hosted.document, &local).await.unwrap(), None);
    assert!(services.known(&hosted.cid()).await.unwrap().unwrap().keys.is_some());
}

#[actix_web::test]
async fn the_book_is_what_the_log_says_and_trusts_whom_it_should() {
    let node = node();
    let api = node.routes().await;
    let [bob, carol, dave] = [(1, "bob"), (2, "carol"), (3, "dave")].map(|(seed, name)| stranger(seed, name));
    for (document, url) in [(&bob, URL), (&carol, ""), (&dave, "http://dave.example")] {
        pin(&api, json!({ "document": hex_of(document), "url": url })).await.ok();
    }
    pin(&api, json!({ "idDocumentCID": Cid::of(Codec::DagCbor, b"nobody").to_string() })).await;
    api.send(unpinning(dave.cid())).await.ok();
    let hosted: Cid = api.identity("eve").await.parse().unwrap();
    let services = &node.app.services;
    let again = Book::read(&*services.log, false).unwrap();
    for book in [&services.peers, &again] {
        assert_eq!(book.with_url(), [(bob.cid(), URL.to_owned())]);
        assert_eq!(book.pinned(&carol.cid()).map(|pin| pin.url), Some(None));
        assert_eq!(book.pinned(&dave.cid()), None);
        let trusted = [bob.cid(), carol.cid(), dave.cid(), hosted].map(|cid| book.trusts(&cid));
        assert_eq!(trusted, [true, true, false, false]);
    }
    for (cid, trusted) in [(bob.cid(), true), (dave.cid(), false), (hosted, true), (node.identity, true)] {
        assert_eq!(services.trusts(&cid).await.unwrap(), trusted, "{cid}");
    }
    let nobody = Cid::of(Codec::DagCbor, b"nobody");
    assert!(!services.trusts(&nobody).await.unwrap());
    assert!(Book::read(&*services.log, true).unwrap().trusts(&nobody));
}

#[actix_web::test]
async fn a_request_under_one_key_is_made_once() {
    let node = node();
    let api = node.routes().await;
    let bob = stranger(1, "bob");
    let body = |url: &str| json!({ "document": hex_of(&bob), "url": url }).to_string();
    let keyed = |request: TestRequest, key: &str| request.insert_header(("idempotency-key", key));
    let send = async |request: TestRequest| api.send(request).await;
    let first = send(keyed(posted("/v1/peer", body(URL)), "k1")).await;
    first.ok();
    let gone = send(keyed(unpinning(bob.cid()), "k2")).await;
    gone.ok();
    // Both are answered as they were, and nothing happens any more.
    for (request, answer) in
        [(keyed(posted("/v1/peer", body(URL)), "k1"), &first), (keyed(unpinning(bob.cid()), "k2"), &gone)]
    {
        let again = send(request).await;
        assert_eq!((again.ok(), again.header("dta-sequence")), (answer.ok(), answer.header("dta-sequence")));
    }
    assert_eq!(told(&node, &bob.cid()), ["peer/pinned", "peer/unpinned"]);
    for request in [
        keyed(posted("/v1/peer", body("")), "k1"),
        keyed(unpinning(bob.cid()), "k1"),
        keyed(unpinning(node.identity), "k2"),
        keyed(posted("/v1/identity", r#"{"name":"carol"}"#), "k2"),
    ] {
        assert_eq!(send(request).await.refused("Idempotency-Key"), (422, "idempotency-key-reused".into()));
    }
    assert_eq!(send(keyed(unpinning(bob.cid()), "a b")).await.refused("Idempotency-Key").0, 422);
    // A pin that changes nothing takes its key too; a refusal takes none.
    pin(&api, json!({ "document": hex_of(&bob) })).await.ok();
    send(keyed(posted("/v1/peer", body("")), "k3")).await.ok();
    assert_eq!(send(keyed(posted("/v1/peer", body(URL)), "k3")).await.refused("").0, 422);
    let carol = stranger(2, "carol");
    assert_eq!(send(keyed(unpinning(carol.cid()), "k4")).await.refused("").0, 404);
    pin(&api, json!({ "document": hex_of(&carol) })).await.ok();
    send(keyed(unpinning(carol.cid()), "k4")).await.ok();
}

#[actix_web::test]
async fn a_list_is_in_the_order_of_pinning() {
    let node = node();
    let api = node.routes().await;
    let all: Vec<Identity> =
        (1..).zip(["a", "b", "c", "d", "e"]).map(|(seed, name)| stranger(seed, name)).collect();
    for document in &all {
        pin(&api, json!({ "document": hex_of(document) })).await.ok();
    }
    api.send(unpinning(all[1].cid())).await.ok();
    // Moved, not set anew.
    pin(&api, json!({ "document": hex_of(&all[0]), "url": URL })).await.ok();
    node.projected().await;
    for (query, expected) in [
        ("", "edca"),
        ("?sortBy=dateCreatedAsc", "acde"),
        ("?perPage=3", "edc"),
        ("?perPage=3&page=1", "a"),
        ("?perPage=3&page=2", ""),
        ("?perPage=1&page=18446744073709551615", ""),
        ("?perPage=1000&sortBy=dateCreatedAsc", "acde"),
    ] {
        let list = api.get(&format!("/v1/peer{query}")).await.ok()["peerList"].as_array().unwrap().clone();
        let names: String =
            list.iter().map(|peer| peer["authenticationReference"].as_str().unwrap()).collect();
        assert_eq!(names, expected, "{query}");
    }
    assert_eq!(api.get("/v1/peer?perPage=1001").await.refused("integer from").0, 422);
}
