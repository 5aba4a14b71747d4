//! Requests made by chance: none may be the node's fault.

use dta_protocol::{Cid, Codec};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::kit::{Node, posted};
use crate::api::HttpSettings;

/// Bodies from nonsense to nearly right.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!(Cid::of(Codec::DagCbor, b"nobody").to_string())),
        Just(json!("018b2f19-e79e-7d6a-a56d-29feb6211b04")),
    ];
    let name = prop_oneof![
        "[a-zA-Z]{0,3}",
        proptest::sample::select(vec![
            "name",
            "NAME",
            "extension",
            "policy",
            "notBeforeMs",
            "expiresAtMs",
            "retentionMs",
            "orderReference",
            "beneficiaryIDDocumentCID",
        ])
        .prop_map(str::to_owned),
    ];
    let value = leaf.prop_recursive(3, 16, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::hash_map(name.clone(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    prop_oneof![
        1 => proptest::collection::vec(any::<u8>(), 0..64),
        4 => value.prop_map(|value| value.to_string().into_bytes()),
    ]
}

#[actix_web::test]
async fn no_request_is_the_nodes_fault() {
    let node = Node::start(HttpSettings::default());
    let api = node.routes().await;
    let mut runner = TestRunner::deterministic();
    let segment = r"[a-z0-9%/.?=&{}~:@!-]{0,24}";
    for _ in 0..300 {
        let body = body().new_tree(&mut runner).unwrap().current();
        for path in ["/v1/identity", "/v1/order", "/v1/order/secret"] {
            let answer = api.send(posted(path, body.clone())).await;
            assert!(answer.status.as_u16() < 500, "{path} {:?}: {answer:?}", String::from_utf8_lossy(&body));
            let json = answer.json();
            assert_eq!(answer.status.is_success(), json.get("error").is_none(), "{json}");
        }
        let path = segment.new_tree(&mut runner).unwrap().current();
        for path in [format!("/v1/order/{path}"), format!("/v1/identity?{path}"), format!("/{path}")] {
            let Ok(uri) = path.parse::<actix_web::http::Uri>() else { continue };
            let answer = api.get(&uri.to_string()).await;
            assert!(answer.status.as_u16() < 500, "{path}: {answer:?}");
        }
    }
}
