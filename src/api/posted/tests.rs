use actix_web::ResponseError;
use actix_web::http::header::{HeaderName, HeaderValue};

use super::*;

fn headers(name: &'static str, values: &[&[u8]]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
    }
    headers
}

#[test]
fn a_body_is_json_in_utf8_and_says_so() {
    let judged = |values: &[&[u8]]| is_json(&headers("content-type", values));
    for good in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
        "application/json ; Charset = utf-8",
        "application/json; version=1",
    ] {
        assert!(judged(&[good.as_bytes()]).is_ok(), "{good}");
    }
    for bad in [
        &b""[..],
        b"text/plain",
        b"application/x-www-form-urlencoded",
        b"multipart/form-data; boundary=application/json",
        b"application/jsonp",
        b"application/json+x",
        b"application/ld+json",
        b"application/vnd.ipld.car",
        b"text/plain; application/json",
        b"application/json, text/plain",
        b"application/json; charset=latin1",
        b"application/json; charset=utf-16",
        b"application/json; charset=utf-8; charset=utf-7",
        b"application/json\xff",
        b"*/*",
    ] {
        assert_eq!(judged(&[bad]).unwrap_err().status_code(), 415, "{bad:?}");
    }
    assert_eq!(judged(&[]).unwrap_err().status_code(), 415);
    assert_eq!(judged(&[b"application/json", b"application/json"]).unwrap_err().status_code(), 415);
}

#[test]
fn an_idempotency_key_is_one_visible_text_of_255_characters_at_most() {
    let asked =
        |values: &[&[u8]]| request_of("POST", "/v1/order", &headers("idempotency-key", values), b"{}");
    assert_eq!(asked(&[]).unwrap(), None);
    let longest = [b'~'; 255];
    for good in [&b"!"[..], b"8e03978e-40d5-43e8-bc93-6894a57f9324", &longest] {
        assert_eq!(asked(&[good]).unwrap().unwrap().idempotency_key, <[u8; 32]>::from(Sha256::digest(good)));
    }
    let longer = [b'a'; 256];
    for bad in [
        &[&b""[..]][..],
        &[b"a b"],
        &[b"a\tb"],
        &[b"\xc3\xa9"],
        &[b"\xff"],
        &[&longer],
        &[b"a", b"a"],
        &[b"a", b"b"],
    ] {
        let error = asked(bad).unwrap_err();
        assert_eq!((error.status_code().as_u16(), error.code()), (422, "idempotency-key"), "{bad:?}");
        assert!(error.to_string().contains("255"), "{error}");
    }
}

#[test]
fn another_body_path_or_method_is_another_request() {
    let key = headers("idempotency-key", &[b"k"]);
    let hash = |method, path, body: &[u8]| request_of(method, path, &key, body).unwrap().unwrap().body;
    let first = hash("POST", "/v1/order", b"{}");
    assert_eq!(first, <[u8; 32]>::from(Sha256::digest(b"POST/v1/order{}")));
    assert_eq!(first, hash("POST", "/v1/order", b"{}"));
    for other in [
        hash("PUT", "/v1/order", b"{}"),
        hash("POST", "/v1/order/secret", b"{}"),
        hash("POST", "/v1/order", b"{ }"),
    ] {
        assert_ne!(first, other);
    }
}

#[test]
fn a_trace_is_taken_over_from_a_valid_traceparent() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let trace = |value: &str| trace_of(&headers("traceparent", &[value.as_bytes()]));
    let expected = hex::decode(TRACE).unwrap();
    for good in [
        format!("00-{TRACE}-00f067aa0ba902b7-01"),
        format!("00-{TRACE}-00f067aa0ba902b7-ff"),
        format!("cc-{TRACE}-00f067aa0ba902b7-01"),
        format!("cc-{TRACE}-00f067aa0ba902b7-01-what-will-be"),
    ] {
        assert_eq!(trace(&good).unwrap().as_slice(), expected, "{good}");
    }
    for bad in [
        String::new(),
        "é".repeat(40),
        format!("00-{TRACE}-00f067aa0ba902b7"),
        format!("00-{TRACE}-00f067aa0ba902b7-0"),
        format!("00-{TRACE}-00f067aa0ba902b7-01-"),
        format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
        format!("cc-{TRACE}-00f067aa0ba902b7-01.more"),
        format!("ff-{TRACE}-00f067aa0ba902b7-01"),
        format!("0-{TRACE}-00f067aa0ba902b7-011"),
        format!("00-{TRACE}-00f067aa0ba902b7-0g"),
        format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
        format!("00-{TRACE}-{}-01", "0".repeat(16)),
        format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
        format!("00_{TRACE}_00f067aa0ba902b7_01"),
        format!("00-{}-00f067aa0ba902b7-0011", &TRACE[2..]),
    ] {
        assert_eq!(trace(&bad), None, "{bad}");
    }
    let good = format!("00-{TRACE}-00f067aa0ba902b7-01");
    assert_eq!(trace_of(&headers("traceparent", &[good.as_bytes(), good.as_bytes()])), None);
    assert_eq!(trace_of(&HeaderMap::new()), None);
}
