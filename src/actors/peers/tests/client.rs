//! What a caller makes of answers; over real HTTP: `api::peer_call`.

use crate::actors::peers::client::refusal_code;
use crate::actors::peers::{PeerCallError, PeerError};

#[test]
fn a_code_is_a_short_plain_name_or_none() {
    let longest = "x".repeat(64);
    for code in ["out-of-state", "a", "0-9", &longest] {
        assert_eq!(refusal_code(format!(r#"{{"error":"no","code":"{code}","more":1}}"#).as_bytes()), code);
    }
    let long = format!(r#"{{"code":"{longest}x"}}"#);
    let wrong = [
        &b""[..],
        b"{}",
        b"null",
        b"\xff",
        br#"{"code":""}"#,
        br#"{"code":7}"#,
        br#"{"code":null}"#,
        br#"{"code":"Out-Of-State"}"#,
        br#"{"code":"out of state"}"#,
        br#"{"code":"\u001b[2J"}"#,
        br#"{"code":"out\nof"}"#,
        br#"{"code":"a","code":"b"}"#,
        br#"{"code":"a"} {"#,
        long.as_bytes(),
    ];
    for body in wrong {
        assert_eq!(refusal_code(body), "unnamed", "{}", String::from_utf8_lossy(body));
    }
    let deep = "[".repeat(100_000);
    assert_eq!(refusal_code(format!(r#"{{"more":{deep}"#).as_bytes()), "unnamed");
}

#[test]
fn what_may_be_sent_again() {
    let refused = |status| PeerError::Refused { status, code: "x".into() }.is_retryable();
    for status in [301, 302, 401, 404, 408, 429, 500, 502, 503, 504, 599] {
        assert!(refused(status), "{status}");
    }
    for status in [400, 402, 403, 405, 409, 410, 413, 415, 422, 451, 499] {
        assert!(!refused(status), "{status}");
    }
    // Not the peer's: whatever it says, somebody else may have said it.
    for status in [200, 400, 403, 409, 410, 422] {
        assert!(PeerError::Unauthentic { status, why: PeerCallError::Signature }.is_retryable());
    }
    assert!(PeerError::Timeout.is_retryable() && PeerError::Unreachable(String::new()).is_retryable());
    assert!(!PeerError::Target.is_retryable() && !PeerError::BodyTooLarge(1).is_retryable());
}
