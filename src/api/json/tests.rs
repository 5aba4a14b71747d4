use actix_web::ResponseError;
use proptest::prelude::*;

use super::*;

fn read(body: &str) -> Result<Fields, ApiError> {
    Fields::read(body.as_bytes())
}

fn refused<T>(result: Result<T, ApiError>) -> (u16, &'static str, String) {
    let error = result.err().expect("refused");
    (error.status_code().as_u16(), error.code(), error.to_string())
}

#[test]
fn names_are_read_in_any_case_and_null_is_absent() {
    let mut fields =
        read(r#"{"NAME":"a","orderreference":null,"Policy":{"NotBeforeMS":7},"other":[{"x":1,"x":2}]}"#)
            .unwrap();
    assert_eq!(fields.required("name").unwrap(), "a");
    assert_eq!(fields.text("orderReference").unwrap(), None);
    assert_eq!(fields.text("absent").unwrap(), None);
    assert!(fields.texts("extension").unwrap().is_empty());
    assert_eq!(fields.cid("beneficiaryIDDocumentCID").unwrap(), None);
    assert_eq!(fields.fields("policy").unwrap().integer("notBeforeMs").unwrap(), Some(7));
    fields.fields("absent").unwrap().finish("policy-unsupported").unwrap();
}

#[test]
fn an_extension_tells_its_names_apart_by_case() {
    let texts = read(r#"{"extension":{"a":"1","A":"2","":""}}"#).unwrap().texts("extension").unwrap();
    let expected = [("a", "1"), ("A", "2"), ("", "")].map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(texts, expected.into());
}

#[test]
fn what_is_no_object_is_a_bad_request() {
    let deep = |levels: usize| format!(r#"{{"x":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    assert!(read(&deep(126)).is_ok());
    for body in [
        "",
        " ",
        "nonsense",
        "{",
        "{}x",
        "{} {}",
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        "{'a':1}",
        r#"{a:1}"#,
        r#"{"a":"\ud800"}"#,
        r#"{"a":"\x"}"#,
        "{\"a\":\"\n\"}",
        r#"{"a":01}"#,
        r#"{"a":1e999}"#,
        r#"{"a":NaN}"#,
        "\u{feff}{}",
        r#"{"a":1/**/}"#,
        &deep(127),
        &deep(30_000),
    ] {
        assert_eq!(refused(read(body)).0, 400, "{body}");
        assert_eq!(refused(read(body)).1, "json-invalid", "{body}");
    }
    for body in ["null", "true", "1", "\"text\"", "[]", "[{}]"] {
        assert_eq!(refused(read(body)).1, "json-not-object", "{body}");
    }
    for body in [
        &b"{\"a\":\"\xff\"}"[..],
        b"{\"\xc3\":1}",
        b"\xff",
        b"{\"a\":\"\xed\xa0\x80\"}",
        b"{\"a\":\"\xc0\x80\"}",
    ] {
        assert_eq!(refused(Fields::read(body)), (400, "json-invalid", refused(Fields::read(body)).2));
    }
}

#[test]
fn a_name_that_is_there_twice_is_a_bad_request() {
    for body in [
        r#"{"name":"a","name":"a"}"#,
        r#"{"name":"a","NAME":"b"}"#,
        r#"{"name":"a","n\u0061me":"b"}"#,
        r#"{"unknown":1,"Unknown":2}"#,
        r#"{"name":null,"name":null}"#,
    ] {
        let (status, code, text) = refused(read(body));
        assert_eq!((status, code), (400, "json-duplicate-name"), "{body}");
        assert!(text.contains("name: ") || text.contains("unknown: "), "{text}");
    }
    let nested = |body| read(body).unwrap();
    let extension = refused(nested(r#"{"extension":{"a":"1","a":"1"}}"#).texts("extension"));
    assert_eq!((extension.0, extension.1), (400, "json-duplicate-name"));
    assert!(extension.2.starts_with("extension.a: "), "{}", extension.2);
    let policy = refused(nested(r#"{"policy":{"notBeforeMs":1,"NOTBEFOREMS":2}}"#).fields("policy"));
    assert_eq!((policy.0, policy.1), (400, "json-duplicate-name"));
    assert!(policy.2.starts_with("policy.notbeforems: "), "{}", policy.2);
    // What is shown of a client's name is short and plain.
    let long = format!(r#"{{"\u0007{0}":1,"\u0007{0}":2}}"#, "é".repeat(10_000));
    let text = refused(read(&long)).2;
    assert!(text.is_ascii() && text.len() < 1_000, "{text}");
}

#[test]
fn a_wrong_type_is_named() {
    type Ask = fn(&mut Fields) -> Result<(), ApiError>;
    let text: Ask = |fields| fields.text("f").map(drop);
    let required: Ask = |fields| fields.required("f").map(drop);
    let cid: Ask = |fields| fields.cid("f").map(drop);
    let integer: Ask = |fields| fields.integer("f").map(drop);
    let texts: Ask = |fields| fields.texts("f").map(drop);
    let object: Ask = |fields| fields.fields("f").map(drop);
    let raw_upper = "BAFYREIFZJUT3TE2NHYEKKLSS27NH3K72YSCO7Y32KOAO5EEI66WOF36N5E";
    for (asks, values) in [
        (&[text, required, cid][..], &["1", "true", "[]", "{}", "0.5", "-1"][..]),
        (&[required], &["null", r#""""#]),
        (
            &[cid],
            &[
                r#""x""#,
                r#"" ""#,
                r#""Qm""#,
                r#""QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG""#,
                &format!("{raw_upper:?}"),
            ],
        ),
        (
            &[integer],
            &[
                "-1",
                "0.5",
                "1.0",
                "1e3",
                "9007199254740992",
                "18446744073709551616",
                r#""1""#,
                "true",
                "[1]",
                "{}",
            ],
        ),
        (
            &[texts],
            &["1", r#""x""#, "[]", r#"{"a":1}"#, r#"{"a":null}"#, r#"{"a":{}}"#, r#"{"a":["b"]}"#, "true"],
        ),
        (&[object], &["1", r#""x""#, "[]", "false"]),
    ] {
        for (ask, value) in asks.iter().flat_map(|ask| values.iter().map(move |value| (ask, value))) {
            let (status, _, text) = refused(ask(&mut read(&format!(r#"{{"F":{value}}}"#)).unwrap()));
            assert_eq!(status, 422, "{value}");
            assert!(text.starts_with("f: "), "{value}: {text}");
        }
    }
    let mut most = read(r#"{"f":9007199254740991,"g":0}"#).unwrap();
    assert_eq!((most.integer("f").unwrap(), most.integer("g").unwrap()), (Some((1 << 53) - 1), Some(0)));
    let mut policy = read(r#"{"policy":{"expiresAtMs":"1","delayMs":1}}"#).unwrap().fields("policy").unwrap();
    assert!(refused(policy.integer("expiresAtMs")).2.starts_with("policy.expiresAtMs: "));
    let (status, code, text) = refused(policy.finish("policy-unsupported"));
    assert_eq!((status, code), (422, "policy-unsupported"));
    assert!(text.starts_with("policy.delayMs: "), "{text}");
}

proptest! {
    #[test]
    fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Fields::read(&body);
    }

    #[test]
    fn it_agrees_with_another_reader_about_what_is_json(body in r#"[\[\]{}:,"a0-2.e\\ -]{0,24}"#) {
        let other = serde_json::from_str::<serde_json::Value>(&body);
        match Fields::read(body.as_bytes()) {
            Ok(_) => prop_assert!(other.unwrap().is_object()),
            Err(error) if error.code() == "json-invalid" => prop_assert!(other.is_err()),
            Err(error) if error.code() == "json-not-object" => prop_assert!(!other.unwrap().is_object()),
            Err(error) => prop_assert_eq!(error.code(), "json-duplicate-name"),
        }
    }
}
