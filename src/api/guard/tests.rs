use actix_web::test::TestRequest;

use super::*;

fn settings() -> HttpSettings {
    HttpSettings {
        allowed_hosts: vec!["dta.example".into(), "ported.example:8443".into()],
        cors_allow: vec!["https://wallet.example".into()],
    }
}

/// The listed origin that asked, or the code of the refusal.
fn judged(headers: &[(&'static str, &str)]) -> Result<Option<String>, &'static str> {
    let mut request = TestRequest::with_uri("/v1/status");
    for (name, value) in headers {
        request = request.append_header((*name, *value));
    }
    let request = request.to_http_request();
    match judge(&settings(), request.uri(), request.headers()) {
        Ok(origin) => Ok(origin.map(|origin| origin.to_str().unwrap().to_owned())),
        Err(error) => {
            assert_eq!(error.status_code(), 403);
            Err(error.code())
        }
    }
}

#[test]
fn a_request_names_this_host() {
    for host in [
        "localhost",
        "LocalHost:5556",
        "127.0.0.1",
        "127.0.0.1:1",
        "[::1]",
        "[::1]:65535",
        "dta.example",
        "DTA.example:5556",
        "ported.example:8443",
    ] {
        assert_eq!(judged(&[("host", host)]), Ok(None), "{host}");
    }
    for host in [
        "",
        "evil.example",
        "localhost.evil.example",
        "evil.localhost",
        "localhost.",
        "127.0.0.1.evil.example",
        "127.0.0.2",
        "127.1",
        "0.0.0.0",
        "2130706433",
        "::1",
        "::1:5556",
        "[::1",
        "[::ffff:127.0.0.1]",
        "localhost:",
        "localhost:port",
        "localhost:+1",
        "localhost:123456",
        "localhost:1:1",
        "user@localhost",
        "localhost/",
        " localhost",
        "localhost,evil.example",
        "ported.example",
        "ported.example:8444",
        "sub.dta.example",
        "dta.example.evil",
        "lôcalhost",
    ] {
        assert_eq!(judged(&[("host", host)]), Err("host-not-allowed"), "{host}");
    }
    assert_eq!(judged(&[]), Err("host-not-allowed"), "none");
    assert_eq!(judged(&[("host", "localhost"), ("host", "localhost")]), Err("host-not-allowed"), "two");
}

#[test]
fn a_target_that_names_a_host_names_the_same() {
    let target = |uri: &str| {
        let request = TestRequest::with_uri(uri).insert_header(("host", "localhost:5556")).to_http_request();
        judge(&settings(), request.uri(), request.headers()).map(drop).map_err(|error| error.code())
    };
    assert_eq!(target("/v1/status"), Ok(()));
    assert_eq!(target("http://LOCALHOST:5556/v1/status"), Ok(()));
    for uri in ["http://evil.example/v1/status", "http://localhost/v1/status", "http://dta.example/v1/status"]
    {
        assert_eq!(target(uri), Err("host-not-allowed"), "{uri}");
    }
}

#[test]
fn a_page_of_another_origin_must_be_listed() {
    let from = |origin: &str| judged(&[("host", "localhost:5556"), ("origin", origin)]);
    for own in ["http://localhost:5556", "https://localhost:5556", "http://LOCALHOST:5556"] {
        assert_eq!(from(own), Ok(None), "{own}");
    }
    assert_eq!(from("https://wallet.example"), Ok(Some("https://wallet.example".into())));
    for foreign in [
        "null",
        "",
        "*",
        "http://localhost",
        "http://localhost:5557",
        "http://127.0.0.1:5556",
        "localhost:5556",
        "ftp://localhost:5556",
        "HTTP://localhost:5556",
        "http://localhost:5556/",
        "http://localhost:5556.evil.example",
        "http://evil.example",
        "http://wallet.example",
        "https://wallet.example:443",
        "https://wallet.example.evil",
        "https://evil.example?https://wallet.example",
        "https://wallet.example/",
        "chrome-extension://abc",
        "https://wallet.example, https://evil.example",
    ] {
        assert_eq!(from(foreign), Err("origin-not-allowed"), "{foreign}");
    }
    let two =
        [("host", "localhost"), ("origin", "https://wallet.example"), ("origin", "https://wallet.example")];
    assert_eq!(judged(&two), Err("origin-not-allowed"));
}

#[test]
fn a_browser_says_where_a_request_comes_from() {
    let from = |site: &str| judged(&[("host", "localhost"), ("sec-fetch-site", site)]);
    for own in ["same-origin", "none"] {
        assert_eq!(from(own), Ok(None), "{own}");
    }
    for foreign in ["cross-site", "same-site", "", "unknown", "None"] {
        assert_eq!(from(foreign), Err("origin-not-allowed"), "{foreign}");
    }
    let mixed = [("host", "localhost"), ("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")];
    assert_eq!(judged(&mixed), Err("origin-not-allowed"));
    let listed =
        [("host", "localhost"), ("origin", "https://wallet.example"), ("sec-fetch-site", "cross-site")];
    assert_eq!(judged(&listed), Ok(Some("https://wallet.example".into())));
    // An own origin does not outweigh what the browser says.
    let lying = [("host", "localhost"), ("origin", "http://localhost"), ("sec-fetch-site", "cross-site")];
    assert_eq!(judged(&lying), Err("origin-not-allowed"));
}
