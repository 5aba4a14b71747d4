//! What a caller believes: only what the one he called has signed, for this very call.

use std::io::Write as _;
use std::net::TcpListener;

use super::kit::{ECHO, Proxy, Raw, World, car_of, change, party, url};
use crate::actors::peers::client::BODY_BYTES_MAX;
use crate::actors::peers::{PeerCallError, PeerError};

#[actix_web::test]
async fn an_answer_changed_on_the_way_is_none() {
    let world = World::start().await;
    for (from, to, status, why) in [
        ("HTTP/1.1 200 OK", "HTTP/1.1 201 Created", 201, PeerCallError::Signature),
        ("HTTP/1.1 200 OK", "HTTP/1.1 409 Conflict", 409, PeerCallError::Signature),
        ("HTTP/1.1 200 OK", "HTTP/1.1 302 Found", 302, PeerCallError::Signature),
        ("\"@status\" ", "", 200, PeerCallError::Components),
        ("\"@method\";req", "\"@method\"", 200, PeerCallError::Components),
    ] {
        let answer = world.post_changed(from, to).await.unwrap_err();
        assert_eq!((answer.is_retryable(), answer), (true, PeerError::Unauthentic { status, why }), "{to}");
    }
    for name in ["content-digest", "signature-input", "signature"] {
        let strip = move |raw: &mut Raw| {
            let is_answer = raw.head[0].starts_with("HTTP/");
            raw.head.retain(|line| !is_answer || !line.starts_with(&format!("{name}: ")));
            is_answer
        };
        let proxy = Proxy::start(world.address, Box::new(strip));
        let answer = world.post_by(&proxy.url).await.unwrap_err();
        assert_eq!(answer, PeerError::Unauthentic { status: 200, why: PeerCallError::Missing(name) });
    }
    let spoil = |raw: &mut Raw| {
        let is_answer = raw.head[0].starts_with("HTTP/");
        if is_answer {
            raw.body[0] ^= 1;
        }
        is_answer
    };
    let proxy = Proxy::start(world.address, Box::new(spoil));
    let answer = world.post_by(&proxy.url).await.unwrap_err();
    assert_eq!(answer, PeerError::Unauthentic { status: 200, why: PeerCallError::Digest });
    world.stop().await;
}

#[actix_web::test]
async fn the_answer_to_another_call_is_none() {
    let world = World::start().await;
    let proxy = Proxy::start(world.address, change("\0", ""));
    world.post_by(&proxy.url).await.unwrap();
    let answer = proxy.passed.lock().unwrap()[1].clone();
    // The same request to the eye, signed anew: only its nonce is another.
    let swap = move |raw: &mut Raw| {
        let is_answer = raw.head[0].starts_with("HTTP/");
        if is_answer {
            *raw = answer.clone();
        }
        is_answer
    };
    let proxy = Proxy::start(world.address, Box::new(swap));
    let answer = world.post_by(&proxy.url).await.unwrap_err();
    assert_eq!(answer, PeerError::Unauthentic { status: 200, why: PeerCallError::Signature });
    world.stop().await;
}

#[actix_web::test]
async fn the_answer_of_another_identity_is_none() {
    let world = World::start().await;
    // Alice means Carol; whoever is at that address cannot sign for her.
    let carol = party("carol", 3);
    let car = car_of(&world.alice.document);
    let answer = world.client.post(&world.url, ECHO, &world.alice, &carol.document, car).await.unwrap_err();
    let why = PeerCallError::Missing("content-digest");
    assert_eq!((answer.is_retryable(), answer), (true, PeerError::Unauthentic { status: 404, why }));
    // An answer that Bob signed as himself, for a request that Alice addressed to Carol.
    let (bob, for_carol) = (world.bob.cid().to_string(), carol.cid().to_string());
    let passed = Proxy::start(world.address, change("\0", ""));
    world.post_by(&passed.url).await.unwrap();
    let bobs = passed.passed.lock().unwrap()[1].clone();
    let swap = move |raw: &mut Raw| {
        *raw = if raw.head[0].starts_with("HTTP/") { bobs.clone() } else { raw.clone() };
        true
    };
    let proxy = Proxy::start(world.address, Box::new(swap));
    let car = car_of(&world.alice.document);
    let answer = world.client.post(&proxy.url, ECHO, &world.alice, &carol.document, car).await.unwrap_err();
    let why = PeerCallError::OtherSigner(world.bob.cid());
    assert_eq!(answer, PeerError::Unauthentic { status: 200, why });
    assert_ne!(bob, for_carol);
    world.stop().await;
}

#[actix_web::test]
async fn no_answer_is_said_as_what_it_is() {
    let world = World::start().await;
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = url(closed.local_addr().unwrap());
    drop(closed);
    let answer = world.post_by(&nobody).await.unwrap_err();
    assert!(answer.is_retryable() && matches!(answer, PeerError::Unreachable(_)), "{answer}");

    let answers = [
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", BODY_BYTES_MAX + 1).into_bytes(),
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort".to_vec(),
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_vec(),
        b"nonsense\r\n\r\n".to_vec(),
        b"".to_vec(),
    ];
    let mut seen = Vec::new();
    for (n, bytes) in answers.into_iter().enumerate() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = url(listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            Raw::read(&mut stream).unwrap();
            stream.write_all(&bytes).unwrap();
            if n == 0 {
                // It stops reading at its bound, so this may fail.
                let _ = stream.write_all(&vec![0; BODY_BYTES_MAX + 1]);
            }
        });
        let answer = world.post_by(&url).await.unwrap_err();
        server.join().unwrap();
        assert!(answer.is_retryable(), "{answer}");
        seen.push(answer);
    }
    assert_eq!(seen[0], PeerError::AnswerTooLarge);
    assert!(matches!(seen[1], PeerError::Unreachable(_)), "{:?}", seen[1]);
    let why = PeerCallError::Missing("content-digest");
    assert_eq!(seen[2], PeerError::Unauthentic { status: 302, why }, "not followed");
    assert!(matches!(seen[3], PeerError::Unreachable(_)), "{:?}", seen[3]);
    assert!(matches!(seen[4], PeerError::Unreachable(_)), "{:?}", seen[4]);
    world.stop().await;
}
