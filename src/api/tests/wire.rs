//! The server on a socket: what a client's library would not send, byte by byte.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

use super::kit::Node;
use crate::api::{HttpSettings, Surface, serve};

/// Sends these bytes and answers all that comes back.
async fn sent(address: SocketAddr, bytes: Vec<u8>) -> String {
    let answered = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        // A server that has refused may have stopped reading.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    actix_web::web::block(answered).await.unwrap()
}

#[actix_web::test]
async fn a_server_holds_to_its_rules_on_the_wire() {
    let node = Node::start(HttpSettings::default());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = serve(node.app(), listener, Surface::All, 1).unwrap();
    let handle = server.handle();
    let served = actix_web::rt::spawn(server);

    let close = "connection: close\r\n\r\n";
    let status = async |request: String| -> String {
        let answer = sent(address, request.into_bytes()).await;
        answer.split(' ').nth(1).unwrap_or("none").to_owned()
    };
    for (head, expected) in [
        (format!("GET /v1/status HTTP/1.1\r\nhost: localhost\r\n{close}"), "200"),
        (format!("GET /v1/status HTTP/1.0\r\nhost: localhost\r\n{close}"), "200"),
        (format!("GET http://{address}/v1/status HTTP/1.1\r\nhost: {address}\r\n{close}"), "200"),
        (format!("GET http://evil.example/v1/status HTTP/1.1\r\nhost: localhost\r\n{close}"), "403"),
        (format!("GET /v1/status HTTP/1.1\r\nhost: evil.example\r\n{close}"), "403"),
        (format!("GET /v1/status HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n{close}"), "400"),
        (format!("GET /v1/status HTTP/1.1\r\n{close}"), "400"),
        (format!("GET /v1/status HTTP/1.0\r\n{close}"), "403"),
        ("nonsense\r\n\r\n".to_owned(), "400"),
        (format!("POST /v1/order HTTP/1.1\r\nhost: localhost\r\ncontent-length: x\r\n{close}"), "400"),
        (
            format!("GET /v1/status HTTP/1.1\r\nhost: localhost\r\nlong: {}\r\n{close}", "x".repeat(200_000)),
            "431 or closed",
        ),
    ] {
        let found = status(head.clone()).await;
        let head = head.get(..80).unwrap_or(&head);
        match expected {
            "431 or closed" => {
                assert!(["400", "413", "431", "none"].contains(&found.as_str()), "{found}: {head}")
            }
            _ => assert_eq!(found, expected, "{head}"),
        }
    }

    let head = format!("HEAD /v1/status HTTP/1.1\r\nhost: localhost\r\n{close}");
    let answer = sent(address, head.into_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n"), "a head only: {answer}");

    // A body in chunks is measured too, and one that is announced as too long is not waited for.
    let posting = "POST /v1/identity HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    let chunk = format!("{:x}\r\n{}\r\n", 8_192, " ".repeat(8_192));
    let chunked = format!("{posting}transfer-encoding: chunked\r\n{close}{}0\r\n\r\n", chunk.repeat(9));
    assert_eq!(status(chunked).await, "413");
    assert_eq!(status(format!("{posting}content-length: 65537\r\n{close}")).await, "413");
    let body = r#"{"name":"bob"}"#;
    let whole = format!("{posting}content-length: {}\r\n{close}{body}", body.len());
    assert!(sent(address, whole.into_bytes()).await.contains("\r\ndta-sequence: 2\r\n"));

    handle.stop(true).await;
    served.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).is_err());
}
