//! What those are told who cannot be verified: nothing, always in the same bytes; and what is wrong with a head.

use std::collections::BTreeSet;

use super::kit::{Raw, World, car_of, party};
use crate::actors::peers::PeerError;
use crate::actors::peers::request::Draft;

const JSON: &str = "content-type: application/json";

#[actix_web::test]
async fn every_outsider_is_told_the_same() {
    let world = World::start().await;
    let (body, theirs) = (car_of(&world.alice.document), car_of(&world.mallory.document));
    let good = world.draft("POST", &body, 1);
    let edit = |raw: &Raw, from: &str, to: &str| {
        let mut raw = raw.clone();
        let head = raw.head.join("\n");
        assert!(head.contains(from), "{from} is not in {head}");
        raw.head = head.replace(from, to).split('\n').map(str::to_owned).collect();
        raw
    };
    let mut forged = theirs.clone();
    *forged.last_mut().unwrap() ^= 1;
    let carol = party("carol", 3);
    let known = world.signed(good, &world.alice);
    let get = world.signed(world.draft("GET", b"", 2), &world.alice);
    let stranger = Draft { from: world.mallory.cid(), body: &theirs, ..good };
    let (bob, created) = (world.bob.cid().to_string(), good.created_s);
    let mut changed = world.signed(stranger, &world.mallory);
    changed.body = forged;
    let cases = [
        ("for an identity that is not here", world.signed(Draft { to: carol.cid(), ..good }, &world.alice)),
        ("for one that is known and not here", world.signed(Draft { to: good.from, ..good }, &world.alice)),
        ("Dta-To of another", edit(&known, &format!("dta-to: {bob}"), &format!("dta-to: {}", carol.cid()))),
        ("by a stranger without identity", world.signed(Draft { body: &body, ..stranger }, &world.mallory)),
        (
            "by a stranger who asks",
            world.signed(Draft { method: "GET", body: b"", ..stranger }, &world.mallory),
        ),
        ("by a stranger with no CAR", world.signed(Draft { body: b"nonsense", ..stranger }, &world.mallory)),
        ("by a stranger, body changed", changed),
        ("as Alice, by Mallory", world.signed(good, &world.mallory)),
        ("as Mallory, by Carol", world.signed(stranger, &carol)),
        ("target changed", edit(&known, "/v1/fulfill/echo", "/v1/fulfill/refuse")),
        ("query added", edit(&known, "/v1/fulfill/echo", "/v1/fulfill/echo?x")),
        ("method changed", edit(&get, "GET ", "POST ")),
        ("time changed", edit(&known, &format!("created={created}"), &format!("created={}", created + 1))),
        ("digest changed", edit(&known, "sha-256=:", "sha-256=:AAAA").cut_digest()),
        (
            "as Alice, long ago, by Mallory",
            world.signed(Draft { created_s: created - 999, ..good }, &world.mallory),
        ),
    ];
    let mut told = BTreeSet::new();
    for (what, mut raw) in cases {
        if what == "method changed" {
            raw.head.push("content-type: application/vnd.ipld.car".into());
        }
        let answer = world.send(&raw).await;
        assert_eq!((answer.refusal(), answer.is_signed()), ((404, "not-found".into()), false), "{what}");
        told.insert(answer.timeless());
    }
    assert_eq!(told.len(), 1, "{:?}", told.iter().map(|bytes| String::from_utf8_lossy(bytes)));
    // Nothing of it was remembered against Alice.
    assert_eq!(world.send(&known).await.status(), 200);
    world.stop().await;
}

#[actix_web::test]
async fn a_bad_head_is_told_without_looking_who_is_here() {
    let world = World::start().await;
    let body = car_of(&world.alice.document);
    let carol = party("carol", 3);
    for to in [world.bob.cid(), carol.cid()] {
        let good = world.signed(Draft { to, ..world.draft("POST", &body, 1) }, &world.alice);
        let with = |line: String| {
            let mut raw = good.clone();
            raw.head.push(line);
            raw
        };
        let without = |name: &str| {
            let mut raw = good.clone();
            raw.head.retain(|line| !line.starts_with(&format!("{name}: ")));
            raw
        };
        let mut cases = vec![
            (without("content-type"), 415, "content-type"),
            (with("content-type: application/vnd.ipld.car".into()), 415, "content-type"),
            (with("content-type: text/plain".into()), 415, "content-type"),
        ];
        let mut json = without("content-type");
        json.head.push(JSON.into());
        cases.push((json, 415, "content-type"));
        for name in ["content-digest", "dta-to", "signature-input", "signature"] {
            cases.push((without(name), 400, "peer-header-missing"));
            let line = good.head.iter().find(|line| line.starts_with(&format!("{name}: "))).unwrap();
            cases.push((with(line.clone()), 400, "peer-header-doubled"));
            let mut raw = without(name);
            raw.head.push(format!("{name}: {}", "a".repeat(600)));
            cases.push((raw, 400, "peer-too-long"));
        }
        let mut raw = good.clone();
        raw.head[0] = format!("POST /v1/fulfill/echo?{} HTTP/1.1", "x".repeat(2_048));
        cases.push((raw, 400, "peer-too-long"));
        for (raw, status, code) in cases {
            let answer = world.send(&raw).await;
            assert_eq!((answer.refusal(), answer.is_signed()), ((status, code.into()), false), "{raw:?}");
        }
    }
    let mut raw = world.signed(world.draft("POST", &body, 1), &world.alice);
    raw.head.retain(|line| !line.starts_with("content-length"));
    raw.head.push("content-length: 4194305".into());
    raw.body.clear();
    let answer = world.send(&raw).await;
    assert_eq!((answer.refusal(), answer.is_signed()), ((413, "body-too-large".into()), false));
    world.stop().await;
}

#[actix_web::test]
async fn what_a_proxy_changes_is_never_final() {
    let world = World::start().await;
    let bob = world.bob.cid().to_string();
    for (from, to, status) in [
        ("application/vnd.ipld.car", "application/json", 415),
        ("/v1/fulfill/echo", "/v1/fulfill/refuse", 404),
        ("milagro-dta-peer", "milagro-dta-pear", 400),
        (&bob, &world.alice.cid().to_string(), 404),
    ] {
        let answer = world.post_changed(from, to).await.unwrap_err();
        assert!(answer.is_retryable(), "{from}: {answer}");
        assert!(
            matches!(answer, PeerError::Unauthentic { status: found, .. } if found == status),
            "{from}: {answer}"
        );
    }
    world.stop().await;
}

impl Raw {
    /// A digest of the right form that is another.
    fn cut_digest(mut self) -> Self {
        for line in &mut self.head {
            if line.starts_with("content-digest: ") {
                *line = format!("content-digest: sha-256=:{}=:", "A".repeat(43));
            }
        }
        self
    }
}
