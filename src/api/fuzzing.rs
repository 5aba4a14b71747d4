//! What clients send, for fuzzing: bodies, headers, queries.

#![allow(clippy::unwrap_used, reason = "a harness says what is wrong by panicking")]

use actix_web::http::Uri;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::test::TestRequest;

use super::json::Fields;
use super::{fulfill, paging, posted};

/// A body is taken only if it is JSON, whatever fields are read of it.
pub(crate) fn json(bytes: &[u8]) {
    let Ok(mut fields) = Fields::read(bytes) else { return };
    assert!(serde_json::from_slice::<serde_json::Value>(bytes).is_ok_and(|value| value.is_object()));
    if let Ok(Some(integer)) = fields.integer("notBeforeMs") {
        assert!(integer < 1 << 53);
    }
    if let Ok(Some(cid)) = fields.cid("beneficiaryIDDocumentCID") {
        assert!(String::from_utf8_lossy(bytes).contains("bafy") || bytes.contains(&b'\\'), "{cid}");
    }
    let _ = (fields.text("name"), fields.required("orderReference"), fields.texts("extension"));
    if let Ok(mut policy) = fields.fields("policy") {
        let _ =
            (policy.integer("expiresAtMs"), policy.integer("retentionMs"), policy.finish("policy-unknown"));
    }
}

pub(crate) fn jsons() -> Vec<Vec<u8>> {
    let cid = dta_protocol::Cid::of(dta_protocol::Codec::DagCbor, b"carol");
    let order = format!(
        r#"{{"beneficiaryIDDocumentCID":"{cid}","extension":{{"purpose":"test","a":""}},"policy":{{"notBeforeMs":1,"expiresAtMs":9007199254740991,"retentionMs":0}}}}"#
    );
    let others = [
        r#"{"name":"c\u0061rol \ud83d\ude00","unknown":[1,-2.5e3,true,null,{"x":[]}]}"#,
        r#"{"orderReference":"0192f5a0-5b1e-7c3a-8f00-0123456789ab"}"#,
        "{}",
    ];
    std::iter::once(order.as_str()).chain(others).map(|text| text.as_bytes().to_vec()).collect()
}

/// A line for each header, as `name: value`.
pub(crate) fn headers(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let value = line[colon + 1..].trim_ascii_start();
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(value))
        {
            headers.append(name, value);
        }
    }
    let request = |body| posted::request_of("POST", "/v1/order", &headers, body);
    if let Ok(Some(found)) = request(b"a body") {
        let mut keys = headers.get_all("idempotency-key");
        let key = keys.next().unwrap();
        assert!(keys.next().is_none() && (1..=posted::KEY_CHARS_MAX).contains(&key.len()));
        let other = request(b"another").ok().flatten().unwrap();
        assert!(other.idempotency_key == found.idempotency_key && other.body != found.body);
    }
    if let Some(trace) = posted::trace_of(&headers) {
        let value = headers.get("traceparent").unwrap().to_str().unwrap();
        assert!(value[3..].starts_with(&hex::encode(trace)) && trace != [0; 16]);
    }
}

pub(crate) fn header_samples() -> Vec<Vec<u8>> {
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    vec![
        format!("idempotency-key: order-1\ntraceparent: {trace}").into_bytes(),
        format!("traceparent: 01{}-more\nidempotency-key: {}", &trace[2..], "k".repeat(255)).into_bytes(),
    ]
}

/// The part of a target after its question mark.
pub(crate) fn query(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(Some(after)) = fulfill::after_of(text) {
        assert!(after < 1 << 53);
    }
    let target = format!("/v1/order?{text}");
    if target.parse::<Uri>().is_err() {
        return;
    }
    let request = TestRequest::with_uri(&target).to_http_request();
    if let Ok(page) = paging::page_of(&request) {
        assert!((1..=1_000).contains(&page.per_page));
    }
    let _ = paging::after_of(&request);
}

pub(crate) fn queries() -> Vec<Vec<u8>> {
    let all = [
        "after=7",
        "page=0&perPage=10&sortBy=dateCreatedAsc",
        "page=%31&perPage=1000",
        "after=9007199254740991",
    ];
    all.map(|text| text.as_bytes().to_vec()).into()
}
