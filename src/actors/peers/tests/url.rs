//! What is a peer's URL.

use crate::actors::peers::PeerUrl;

#[test]
fn a_url_is_kept_in_its_normal_form() {
    for (text, normal) in [
        ("http://bob.example", "http://bob.example"),
        ("https://bob.example/", "https://bob.example"),
        ("https://bob.example:443/", "https://bob.example"),
        ("http://Bob.Example:5556", "http://bob.example:5556"),
        ("http://127.0.0.1:5556", "http://127.0.0.1:5556"),
        ("http://[::1]:5556/", "http://[::1]:5556"),
        ("https://gate.example/dta/bob/", "https://gate.example/dta/bob"),
        ("https://gate.example/a/../b", "https://gate.example/b"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("http://h/user@home", "http://h/user@home"),
    ] {
        let url: PeerUrl = text.parse().unwrap();
        assert_eq!(url.as_str(), normal);
        assert_eq!(url.as_str().parse(), Ok(url), "normal once, normal for good");
    }
}

#[test]
fn anything_else_is_refused_by_name() {
    for (text, code) in [
        ("", "url-scheme"),
        ("bob.example", "url-scheme"),
        ("//bob.example", "url-scheme"),
        ("http:bob.example", "url-scheme"),
        ("http:/bob.example", "url-scheme"),
        ("HTTP://bob.example", "url-scheme"),
        ("ftp://bob.example", "url-scheme"),
        ("file:///etc/passwd", "url-scheme"),
        ("unix:///run/dta", "url-scheme"),
        ("javascript:alert(1)", "url-scheme"),
        (" http://bob.example", "url-character"),
        ("http://bob.example\n", "url-character"),
        ("http://bob.example\t/x", "url-character"),
        ("http://b\u{f6}b.example", "url-character"),
        ("http:\\\\bob.example", "url-character"),
        ("http://bob.example\\@evil.example", "url-character"),
        ("http://alice@bob.example", "url-user"),
        ("http://alice:secret@bob.example", "url-user"),
        ("http://@bob.example", "url-user"),
        ("http://:@bob.example", "url-user"),
        ("http://bob.example?x", "url-query"),
        ("http://bob.example/?", "url-query"),
        ("http://bob.example/#", "url-query"),
        ("http://bob.example#x@y", "url-query"),
        ("http://", "url-malformed"),
        ("http:///path", "url-malformed"),
        ("http:////bob.example", "url-malformed"),
        ("http://:5556", "url-malformed"),
        ("http://bob.example:0", "url-malformed"),
        ("http://bob.example:65536", "url-malformed"),
        ("http://bob.example:-1", "url-malformed"),
        ("http://bob.example:5556x", "url-malformed"),
        ("http://[::1", "url-malformed"),
        ("http://[::g]", "url-malformed"),
        ("http://300.1.1.1", "url-malformed"),
        ("http://bob<.example", "url-malformed"),
        ("http://%00.example", "url-malformed"),
    ] {
        assert_eq!(text.parse::<PeerUrl>().map_err(|error| error.code()), Err(code), "{text:?}");
    }
    let long = format!("http://bob.example/{}", "x".repeat(2_048 - 19));
    assert!(long.parse::<PeerUrl>().is_ok());
    assert_eq!(format!("{long}x").parse::<PeerUrl>().map_err(|error| error.code()), Err("url-too-long"));
    // Short as it is written, long in its normal form.
    let wide = format!("http://bob.example/{}", "\"".repeat(1_000));
    assert_eq!(wide.parse::<PeerUrl>().map_err(|error| error.code()), Err("url-too-long"));
}

#[test]
fn a_target_is_sent_as_it_is_written_or_not_at_all() {
    let url: PeerUrl = "https://gate.example/bob".parse().unwrap();
    let joined = url.join("/v1/fulfill/order?after=a%20b").unwrap();
    assert_eq!(joined.as_str(), "https://gate.example/bob/v1/fulfill/order?after=a%20b");
    for target in ["", "v1", "/a b", "/a#", "/./a", "/a/../b", "/%2e/a", "/\u{e9}", "/a\\b", "/a\n", "/<"] {
        assert!(url.join(target).is_none(), "{target:?}");
    }
}
