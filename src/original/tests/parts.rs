//! Values, settings, keys, answers, and the comparison with commitments.

use dta_crypto::{OrderKey, Secret};

use crate::answers::{self, AnswersError};
use crate::check::{Checked, check};
use crate::{Settings, gob, keys};

#[test]
fn texts_in_gob() {
    assert_eq!(gob::text(b"\x06\x0c\x00\x03abc"), Ok("abc"));
    assert_eq!(gob::text(b"\x03\x0c\x00\x00"), Ok(""));
    // Torn, too long, of another type, no UTF-8, a length of more bytes than there are.
    for wrong in [
        &b""[..],
        b"\x06\x0c\x00\x03ab",
        b"\x06\x0c\x00\x03abcd",
        b"\x06\x0c\x00\x02abc",
        b"\x06\x04\x00\x03abc",
        b"\x06\x0c\x01\x03abc",
        b"\x06\x0c\x00\x03\xff\xfe\xfd",
        b"\xf8\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x80",
        b"\xf0",
    ] {
        assert!(gob::text(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn settings_as_yaml_v2_writes_them_and_by_hand() {
    let text = "# by hand\n---\nhttp:\n  listenAddr: :5556 # all\n  corsAllow: \"http://a:1\"\n  oidcClientKey: hush\nnode:\n    nodeName: \
                'it''s # \"a\" name'\n    nodeID: \"\"\nipfs:\n  bootstrap:\n  - /ip4/1\n  - /ip4/2\n  connector: api\n";
    let settings = Settings::parse(text.as_bytes());
    assert_eq!(settings.unread, [0; 0]);
    assert_eq!(settings.get("http.listenAddr"), Some(":5556"));
    assert_eq!(settings.get("http.corsAllow"), Some("http://a:1"));
    assert_eq!(settings.get("http.oidcClientKey"), Some("a secret"));
    assert_eq!(settings.node_name(), Some("it's # \"a\" name"));
    assert_eq!(settings.node_id(), None);
    assert_eq!(settings.get("ipfs.bootstrap"), Some("a list"));
    assert_eq!(settings.get("ipfs.connector"), Some("api"));
    let escaped = Settings::parse("a:\n  b: \"\\u263A\\x41\\U0001F600\\\\\\\"\"\n".as_bytes());
    assert_eq!(escaped.get("a.b"), Some("☺A😀\\\""));
}

#[test]
fn settings_in_other_forms_are_told_by_their_lines() {
    for (text, line) in [
        ("a: 1\n", 1),
        ("  b: 1\n", 1),
        ("a:\n  b: |\n", 2),
        ("a:\n  b: &x 1\n", 2),
        ("a:\n  b: {c: d}\n", 2),
        ("a:\n  b: \"open\n", 2),
        ("a:\n  b: 'open\n", 2),
        ("a:\n  b: \"\\q\"\n", 2),
        ("a:\n  b: \"\\uZZZZ\"\n", 2),
        ("a:\n  nothing\n", 2),
    ] {
        assert_eq!(Settings::parse(text.as_bytes()).unread, [line], "{text}");
    }
    // A long name is folded, and half of it would be another one.
    let folded = Settings::parse(b"node:\n  nodeName: one two\n    three\n  nodeID: Q\n");
    assert_eq!((folded.node_name(), folded.node_id(), &folded.unread[..]), (None, Some("Q"), &[3][..]));
}

#[test]
fn the_file_of_keys() {
    let read = keys::parse(br#"{"seed":"AAEC","other":"AA=="}"#).unwrap();
    assert_eq!(read.seed.unwrap().expose(), [0, 1, 2]);
    assert_eq!(read.others, ["other"]);
    assert!(keys::parse(b"{}").unwrap().seed.is_none());
    for wrong in [&b""[..], b"[]", br#"{"seed":"!"}"#, br#"{"seed":1}"#, br#"{"seed":"AAEC""#] {
        assert!(keys::parse(wrong).is_none());
    }
}

#[test]
fn answers_one_by_one_or_in_an_array() {
    let point = format!("02{}", "11".repeat(32));
    let one = format!(
        r#"{{"orderReference":"r1","commitment":"{point}","createdAt":1,"extension":{{"coin":"1","address":"x"}}}}"#
    );
    let two = one.replace("r1", "r2").replace("\"createdAt\":1", "\"beneficiaryIDDocumentCID\":\"Qm\"");
    for text in [format!("{one}\n{two}"), format!("[{one},{two}]")] {
        let answers = answers::parse(text.as_bytes()).unwrap();
        assert_eq!(answers["r1"].coin.as_deref(), Some("1"));
        assert_eq!(
            (answers["r1"].beneficiary.as_deref(), answers["r2"].beneficiary.as_deref()),
            (None, Some("Qm"))
        );
        assert_eq!(answers["r2"].commitment.len(), 33);
    }
    assert!(answers::parse(b"").unwrap().is_empty());
    let other = one.replace(&point, &"04".repeat(65));
    assert!(matches!(answers::parse(format!("{one}{other}").as_bytes()), Err(AnswersError::Twice(_))));
    assert!(matches!(answers::parse(b"{}"), Err(AnswersError::Form(1))));
    assert!(matches!(answers::parse(b"[{}"), Err(AnswersError::Json(_))));
    let short = one.replace(&point, "02");
    assert!(matches!(answers::parse(short.as_bytes()), Err(AnswersError::Commitment(_))));
}

#[test]
fn commitments_are_compared_in_either_form_and_with_sums() {
    let key = |fill| OrderKey::from_seed(&Secret::from_bytes([fill; 32]));
    let (order, alice, bob) = (key(1), key(2), key(3));
    assert_eq!(check(&order, None, &[]), Checked::Unchecked);
    assert_eq!(check(&order, Some(&order.commitment()), &[]), Checked::Matches);
    assert_eq!(check(&order, Some(&order.compressed()), &[]), Checked::Matches);
    assert_eq!(check(&order, Some(&alice.commitment()), &[]), Checked::Differs);
    assert_eq!(check(&order, Some(&alice.compressed()), &[]), Checked::OtherAddend);
    assert_eq!(check(&order, Some(&[4; 65]), &[]), Checked::Differs);
    let point = dta_plugins::keys::PublicPoint::of;
    let sum = dta_plugins::keys::add_points(&point(&order), &point(&bob)).unwrap();
    let identities = [alice, bob];
    assert_eq!(check(&order, Some(&sum.compressed()), &identities), Checked::Sum { identity: 1 });
}
