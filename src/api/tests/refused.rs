//! What clients must not do, and what they are told.

use actix_web::http::Method;
use dta_protocol::{Cid, Codec};
use serde_json::{Value, json};

use super::kit::{Node, START_MS, got, posted};
use crate::api::{BODY_BYTES_MAX, HttpSettings};

fn node() -> Node {
    Node::start(HttpSettings::default())
}

fn unknown_cid() -> String {
    Cid::of(Codec::DagCbor, b"nobody").to_string()
}

#[actix_web::test]
async fn routes_and_methods() {
    let node = node();
    let api = node.routes().await;
    for (path, allow) in [
        ("/v1/status", "GET, HEAD"),
        ("/v1/ready", "GET, HEAD"),
        ("/v1/identity", "GET, HEAD, POST"),
        ("/v1/identity/x", "GET, HEAD"),
        ("/v1/identity/x/document", "GET, HEAD"),
        ("/v1/peer", "GET, HEAD, POST"),
        ("/v1/peer/x", "DELETE"),
        ("/v1/order", "GET, HEAD, POST"),
        ("/v1/order/secret", "POST"),
        ("/v1/order/x", "GET, HEAD"),
        ("/v1/order/x/history", "GET, HEAD"),
        ("/v1/order/x/chain", "GET, HEAD"),
    ] {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let answer = api.send(posted(path, "{}").method(method.clone())).await;
            if allow.split(", ").any(|allowed| allowed == method.as_str()) {
                assert_ne!(answer.status, 405, "{method} {path}");
            } else {
                assert_eq!(answer.refused(allow), (405, "method-not-allowed".into()), "{method} {path}");
                assert_eq!(answer.header("allow"), Some(allow));
            }
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    }
    let cid = unknown_cid();
    for (path, code) in [
        ("/".into(), "unknown-route"),
        ("/v1".into(), "unknown-route"),
        ("/v2/status".into(), "unknown-route"),
        ("/V1/status".into(), "unknown-route"),
        ("/v1/status/".into(), "unknown-route"),
        ("//v1/status".into(), "unknown-route"),
        ("/v1/order/x/secret".into(), "unknown-route"),
        ("/v1/order/x/history/y".into(), "unknown-route"),
        ("/v1/identity/x".into(), "unknown-identity"),
        ("/v1/identity/%00%ff".into(), "unknown-identity"),
        (format!("/v1/identity/{cid}"), "unknown-identity"),
        ("/v1/identity/x/document".into(), "unknown-identity"),
        (format!("/v1/identity/{cid}/document"), "unknown-identity"),
        ("/v1/order/x".into(), "unknown-order"),
        ("/v1/order/%2e%2e%2fstatus".into(), "unknown-order"),
        ("/v1/order/018b2f19-e79e-7d6a-a56d-29feb6211b04".into(), "unknown-order"),
        (format!("/v1/order/{cid}"), "unknown-order"),
        (format!("/v1/order/{}", node.identity), "unknown-order"),
        (format!("/v1/order/{cid}/history"), "unknown-order"),
        (format!("/v1/order/{cid}/chain"), "unknown-order"),
        ("/v1/order/x/chain".into(), "unknown-order"),
    ] {
        assert_eq!(api.get(&path).await.refused(""), (404, code.into()), "{path}");
    }
    for path in
        ["/v1/order?perPage=1001", "/v1/identity?perPage=0", "/v1/order?page=-1", "/v1/identity?page=x"]
    {
        assert_eq!(api.get(path).await.refused("integer from").0, 422, "{path}");
    }
}

#[actix_web::test]
async fn bodies() {
    let node = node();
    let api = node.routes().await;
    let padded = |bytes: usize| {
        let body = json!({ "name": "bob" }).to_string();
        format!("{body}{}", " ".repeat(bytes - body.len()))
    };
    assert_eq!(api.send(posted("/v1/identity", padded(BODY_BYTES_MAX))).await.status, 200);
    for path in ["/v1/identity", "/v1/peer", "/v1/order", "/v1/order/secret"] {
        let large = api.send(posted(path, padded(BODY_BYTES_MAX + 1))).await;
        assert_eq!(large.refused("65536"), (413, "body-too-large".into()));
        for body in [
            &b""[..],
            b"[]",
            b"null",
            b"\"x\"",
            b"{",
            b"{}}",
            b"\xff",
            b"{\"name\":\"\xff\"}",
            b"{\"a\":1,\"A\":2}",
        ] {
            assert_eq!(api.send(posted(path, body)).await.status, 400, "{path} {body:?}");
        }
        for media in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"] {
            let request = posted(path, "{}").insert_header(("content-type", media));
            assert_eq!(
                api.send(request).await.refused("Content-Type"),
                (415, "content-type".into()),
                "{media}"
            );
        }
        let bare = got(path).method(Method::POST).set_payload("{}");
        assert_eq!(api.send(bare).await.refused("Content-Type"), (415, "content-type".into()));
        for key in ["", "a b", &"k".repeat(256)] {
            let request = posted(path, "{}").insert_header(("idempotency-key", key));
            assert_eq!(api.send(request).await.refused("Idempotency-Key"), (422, "idempotency-key".into()));
        }
    }
}

#[actix_web::test]
async fn fields() {
    let node = node();
    let api = node.routes().await;
    let before = node.app.services.log.head().unwrap().count;
    let unknown = unknown_cid();
    let many: Value = (0..65).map(|n| (n.to_string(), json!(""))).collect::<serde_json::Map<_, _>>().into();
    let past = START_MS;
    for (path, body, words, code) in [
        ("/v1/identity", json!({}), "name: ", "field-missing"),
        ("/v1/identity", json!({ "name": "" }), "name: ", "field-missing"),
        ("/v1/identity", json!({ "name": 1 }), "name: ", "field-type"),
        ("/v1/identity", json!({ "name": ["a"] }), "name: ", "field-type"),
        ("/v1/identity", json!({ "name": "é".repeat(65) }), "128", "name-length"),
        ("/v1/identity", json!({ "name": "a\u{0}" }), "name: ", "name-character"),
        ("/v1/identity", json!({ "name": "a\u{202e}b" }), "name: ", "name-character"),
        ("/v1/order", json!({ "beneficiaryIDDocumentCID": 1 }), "beneficiaryIDDocumentCID: ", "field-type"),
        ("/v1/order", json!({ "beneficiaryIDDocumentCID": "x" }), "beneficiaryIDDocumentCID: ", "field-cid"),
        ("/v1/order", json!({ "beneficiaryIDDocumentCID": unknown }), "beneficiary: ", "unknown-identity"),
        ("/v1/order", json!({ "extension": "x" }), "extension: ", "field-type"),
        ("/v1/order", json!({ "extension": { "a": 1 } }), "extension: ", "field-type"),
        ("/v1/order", json!({ "extension": many }), "64", "invalid"),
        ("/v1/order", json!({ "extension": { "a": "x".repeat(16_384) } }), "16384", "invalid"),
        ("/v1/order", json!({ "policy": 1 }), "policy: ", "field-type"),
        ("/v1/order", json!({ "policy": { "notBeforeMs": -1 } }), "policy.notBeforeMs: ", "field-type"),
        ("/v1/order", json!({ "policy": { "notBeforeMs": 1u64 << 53 } }), "9007199254740991", "field-type"),
        ("/v1/order", json!({ "policy": { "expiresAtMs": "1" } }), "policy.expiresAtMs: ", "field-type"),
        ("/v1/order", json!({ "policy": { "expiresAtMs": past } }), "policy.expiresAtMs: ", "policy-invalid"),
        (
            "/v1/order",
            json!({ "policy": { "expiresAtMs": past + 1, "notBeforeMs": past + 1 } }),
            "policy.expiresAtMs: ",
            "policy-invalid",
        ),
        ("/v1/order", json!({ "policy": { "retentionMs": 0.5 } }), "policy.retentionMs: ", "field-type"),
        (
            "/v1/order",
            json!({ "policy": { "retentionMs": 316_224_000_001u64 } }),
            "policy.retentionMs: ",
            "policy-invalid",
        ),
        ("/v1/order", json!({ "policy": { "delayMs": 1 } }), "policy.delayMs: ", "policy-unsupported"),
        ("/v1/order", json!({ "policy": { "expiresAt": 1 } }), "policy.expiresAt: ", "policy-unsupported"),
        ("/v1/order/secret", json!({}), "orderReference: ", "field-missing"),
        ("/v1/order/secret", json!({ "orderReference": 1 }), "orderReference: ", "field-type"),
        ("/v1/order/secret", json!({ "orderReference": "x", "extension": [] }), "extension: ", "field-type"),
        (
            "/v1/order/secret",
            json!({ "orderReference": "x", "beneficiaryIDDocumentCID": "x" }),
            "beneficiaryIDDocumentCID: ",
            "field-cid",
        ),
    ] {
        let refused = api.post(path, &body).await.refused(words);
        assert_eq!(refused, (422, code.into()), "{path} {body}");
    }
    for name in ["x", "018b2f19-e79e-7d6a-a56d-29feb6211b04", &unknown, &node.identity.to_string()] {
        for beneficiary in ["", &node.identity.to_string()] {
            let body = json!({ "orderReference": name, "beneficiaryIDDocumentCID": beneficiary });
            assert_eq!(api.post("/v1/order/secret", &body).await.refused("").1, "unknown-order", "{body}");
        }
    }
    let orders = node.app.queries.counts().unwrap().orders;
    assert_eq!(
        orders,
        0,
        "no order came of it; refusals are {}",
        node.app.services.log.head().unwrap().count - before
    );
}

#[actix_web::test]
async fn orders_out_of_time_and_out_of_state() {
    let node = node();
    let api = node.routes().await;
    let [bob, carol] = [api.identity("bob").await, api.identity("carol").await];
    let minute = 60_000;
    let redeem = async |reference: &str, beneficiary: &str| {
        let body = json!({ "orderReference": reference, "beneficiaryIDDocumentCID": beneficiary });
        api.post("/v1/order/secret", &body).await
    };

    let nobody = api.order(json!({})).await;
    assert_eq!(redeem(&nobody, "").await.refused("beneficiaryIDDocumentCID: "), (422, "invalid".into()));
    assert_eq!(
        redeem(&nobody, &unknown_cid()).await.refused("beneficiary: "),
        (422, "unknown-identity".into())
    );
    assert_eq!(redeem(&nobody, &bob).await.status, 200);
    assert_eq!(redeem(&nobody, &carol).await.refused("beneficiary: "), (409, "beneficiary-mismatch".into()));

    let later = api
        .order(json!({ "beneficiaryIDDocumentCID": bob, "policy": { "notBeforeMs": START_MS + minute } }))
        .await;
    let soon = api
        .order(json!({ "beneficiaryIDDocumentCID": bob, "policy": { "expiresAtMs": START_MS + minute } }))
        .await;
    let short =
        api.order(json!({ "beneficiaryIDDocumentCID": bob, "policy": { "retentionMs": minute } })).await;
    assert_eq!(redeem(&short, "").await.status, 200);
    assert_eq!(redeem(&later, "").await.refused("policy: "), (409, "not-before".into()));
    node.projected().await;
    let history = api.get(&format!("/v1/order/{later}/history")).await.ok();
    let last = history["history"].as_array().unwrap().last().unwrap();
    assert_eq!(last["refused"]["code"], json!("not-before"), "{last}");
    assert_eq!(last["command"].as_str().unwrap().split('/').next(), Some("order"));

    node.clock.set(START_MS + minute);
    assert_eq!(redeem(&later, "").await.status, 200);
    assert_eq!(redeem(&soon, "").await.status, 410);
    // What the timers do, they do here when the order is next attended to.
    let order = node.app.desk.find(&short).unwrap().unwrap();
    let caller = crate::actors::services::Caller { by: "timer".into(), trace_id: [0; 16], request: None };
    node.app.desk.attend(order.aggregate, caller).await.unwrap();
    assert_eq!(redeem(&short, "").await.refused("is gone"), (410, "retention-ended".into()));
}

#[actix_web::test]
async fn foreign_hosts_and_pages_get_nothing() {
    let http = HttpSettings {
        allowed_hosts: vec!["dta.example".into()],
        cors_allow: vec!["https://wallet.example".into()],
    };
    let node = Node::start(http);
    let api = node.routes().await;
    let before = node.app.services.log.head().unwrap().count;
    for (name, value, code) in [
        ("host", "evil.example", "host-not-allowed"),
        ("origin", "https://evil.example", "origin-not-allowed"),
        ("origin", "null", "origin-not-allowed"),
        ("sec-fetch-site", "cross-site", "origin-not-allowed"),
    ] {
        for request in [
            got("/v1/status"),
            got("/nowhere"),
            posted("/v1/identity", r#"{"name":"mallory"}"#),
            got("/v1/order").method(Method::OPTIONS).insert_header(("access-control-request-method", "POST")),
        ] {
            let answer = api.send(request.insert_header((name, value))).await;
            assert_eq!(answer.refused(""), (403, code.into()), "{name}: {value}");
            assert_eq!(answer.header("access-control-allow-origin"), None);
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    }
    assert_eq!(node.app.services.log.head().unwrap().count, before);

    let wallet = ("origin", "https://wallet.example");
    let preflight = got("/v1/order").method(Method::OPTIONS).insert_header(wallet);
    let preflight = api.send(preflight.insert_header(("access-control-request-method", "POST"))).await;
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("https://wallet.example"));
    assert_eq!(preflight.header("access-control-allow-methods"), Some("GET, HEAD, POST, DELETE"));
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("content-type"));
    assert_eq!(preflight.header("access-control-allow-credentials"), None);
    let answer = api.send(got("/v1/status").insert_header(wallet)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://wallet.example"));
    assert_eq!(answer.header("vary"), Some("origin"));
    // Also on a refusal, so that the page can read it.
    let answer = api.send(got("/nowhere").insert_header(wallet)).await;
    assert_eq!((answer.status.as_u16(), answer.header("vary")), (404, Some("origin")));
    let own = got("/v1/status").insert_header(("host", "dta.example"));
    let own = api.send(own.insert_header(("origin", "https://dta.example"))).await;
    assert_eq!((own.status.as_u16(), own.header("access-control-allow-origin")), (200, None));
}
