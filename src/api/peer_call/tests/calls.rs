//! What is let in, and what a caller who is known is told when he is not.

use super::kit::{ECHO, Proxy, REFUSE, World, car_of, change, party};
use crate::actors::keyring::Known;
use crate::actors::peers::client::BODY_BYTES_MAX;
use crate::actors::peers::request::Draft;
use crate::actors::peers::{PeerClient, PeerError};
use crate::api::tests::kit::START_MS;
use crate::ports::Entropy;

/// Always the same.
struct Constant;

impl Entropy for Constant {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(9);
    }
}

fn refused(status: u16, code: &str) -> PeerError {
    PeerError::Refused { status, code: code.into() }
}

#[actix_web::test]
async fn a_known_caller_posts_and_gets() {
    let world = World::start().await;
    let answer = world.post().await.unwrap();
    assert_eq!((answer.status, answer.body), (200, car_of(&world.alice.document)));
    let answer = world.client.get(&world.url, ECHO, &world.alice, &world.bob).await.unwrap();
    assert_eq!((answer.status, answer.body), (202, car_of(&world.bob)));
    let target = format!("{ECHO}?after=a%20b&x=%2F");
    world.client.get(&world.url, &target, &world.alice, &world.bob).await.unwrap();
    world.stop().await;
}

#[actix_web::test]
async fn a_stranger_brings_his_identity_along() {
    let world = World::start().await;
    let with = |identity| world.client.post(&world.url, ECHO, &world.mallory, &world.bob, car_of(identity));
    assert_eq!(with(&world.mallory.document).await.unwrap().status, 200);
    // Somebody else's identity is no introduction.
    assert!(matches!(with(&world.alice.document).await, Err(PeerError::Unauthentic { status: 404, .. })));
    let body = car_of(&world.mallory.document);
    let draft = Draft { from: world.mallory.cid(), ..world.draft("POST", &body, 1) };
    let raw = world.signed(draft, &world.mallory);
    let first = world.send(&raw).await;
    assert_eq!((first.status(), first.header("seen-as")), (200, Some("a stranger")));
    let again = world.send(&raw).await;
    assert_eq!((again.refusal(), again.is_signed()), ((401, "peer-replayed".into()), true));
    world.stop().await;
}

#[actix_web::test]
async fn a_refusal_of_a_route_is_signed_and_final() {
    let world = World::start().await;
    let car = car_of(&world.alice.document);
    let answer = world.client.post(&world.url, REFUSE, &world.alice, &world.bob, car).await.unwrap_err();
    assert_eq!((answer.is_retryable(), answer), (false, refused(409, "out-of-state")));
    // A body that is none, signed as it is.
    let answer = world.client.post(&world.url, ECHO, &world.alice, &world.bob, b"{}".to_vec()).await;
    let answer = answer.unwrap_err();
    assert!(!answer.is_retryable() && matches!(answer, PeerError::Refused { status: 422, .. }), "{answer}");
    world.stop().await;
}

#[actix_web::test]
async fn the_same_bytes_are_taken_once() {
    let world = World::start().await;
    let proxy = Proxy::start(world.address, change("\0", ""));
    world.post_by(&proxy.url).await.unwrap();
    let request = proxy.passed.lock().unwrap()[0].clone();
    for _ in 0..2 {
        let again = world.send(&request).await;
        assert_eq!(again.refusal(), (401, "peer-replayed".into()));
        assert!(again.is_signed() && again.header("www-authenticate").is_some(), "{again:?}");
    }
    // The same nonce over another target, by the real client: said under Bob's signature, and it may be sent again.
    let client = PeerClient::new(world.clock.clone(), Box::new(Constant)).unwrap();
    client.get(&world.url, ECHO, &world.alice, &world.bob).await.unwrap();
    let target = format!("{ECHO}?after=1");
    let again = client.get(&world.url, &target, &world.alice, &world.bob).await.unwrap_err();
    assert_eq!((again.is_retryable(), again), (true, refused(401, "peer-replayed")));
    // After the time in which it would be good, its time is what is wrong.
    world.node.clock.set(START_MS + 301_000);
    assert_eq!(world.send(&request).await.refusal(), (401, "peer-created".into()));
    world.stop().await;
}

#[actix_web::test]
async fn a_clock_may_be_300_seconds_off() {
    let world = World::start().await;
    let base = START_MS + 1_000_000;
    world.node.clock.set(base);
    for (off_ms, is_good) in [(300_999, true), (301_000, false), (-300_000, true), (-300_001, false)] {
        world.clock.set(base.checked_add_signed(off_ms).unwrap());
        match world.post().await {
            Ok(_) => assert!(is_good, "{off_ms}"),
            Err(error) => {
                assert!(!is_good && error.is_retryable(), "{off_ms}");
                assert_eq!(error, refused(401, "peer-created"), "{off_ms}");
            }
        }
    }
    // Before Bob's node started: it cannot know what an earlier process took.
    world.node.clock.set(START_MS);
    world.clock.set(START_MS - 1);
    assert_eq!(world.post().await.unwrap_err(), refused(401, "peer-forgotten"));
    world.stop().await;
}

#[actix_web::test]
async fn a_body_changed_on_the_way_is_told_and_may_come_again() {
    let world = World::start().await;
    let proxy = Proxy::start(
        world.address,
        Box::new(|raw| {
            let is_request = raw.head[0].starts_with("POST");
            if is_request {
                *raw.body.last_mut().unwrap() ^= 1;
            }
            is_request
        }),
    );
    let answer = world.post_by(&proxy.url).await.unwrap_err();
    assert_eq!((answer.is_retryable(), answer), (true, refused(401, "peer-digest")));
    // A GET has none.
    let mut raw = world.signed(world.draft("GET", b"", 3), &world.alice);
    raw.head.retain(|line| !line.starts_with("content-length"));
    raw.head.push("content-length: 1".into());
    raw.body = b"x".to_vec();
    let answer = world.send(&raw).await;
    assert_eq!((answer.refusal(), answer.is_signed()), ((413, "body-too-large".into()), false));
    world.stop().await;
}

#[actix_web::test]
async fn what_cannot_be_sent_is_not_sent() {
    let world = World::start().await;
    let call = async |target: &str, body: Vec<u8>| {
        world.client.post(&world.url, target, &world.alice, &world.bob, body).await.unwrap_err()
    };
    for target in ["v1", "/a b", "/a#b", "/../a", "/ä", "/a\"b", &format!("/{}", "x".repeat(2_048))] {
        assert_eq!(call(target, vec![]).await, PeerError::Target, "{target}");
    }
    let large = vec![0; BODY_BYTES_MAX + 1];
    assert_eq!(call("/", large).await, PeerError::BodyTooLarge(BODY_BYTES_MAX + 1));
    let keyless = Known { keys: None, ..party("dave", 4) };
    let answer = world.client.get(&world.url, "/", &keyless, &world.bob).await.unwrap_err();
    assert_eq!((answer.is_retryable(), answer), (false, PeerError::NotHosted(keyless.cid())));
    world.stop().await;
}
