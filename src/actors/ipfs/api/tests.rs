//! What a node that is away, is none, or lies can do to the connector: nothing but fail it. What it does with a real one is
//! in the suite (contract/kubo.rs).

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use dta_protocol::{Cid, Codec};
use tokio::runtime::Handle;

use super::*;
use crate::actors::ipfs::testing::{published, raw};

const SHORT: Duration = Duration::from_millis(300);

/// A server that answers every call with this, status line and headers included; and the lines of each call's head.
fn liar(answer: Vec<u8>) -> (PeerUrl, mpsc::Receiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(head) = head_of(stream.as_ref().unwrap()) else { continue };
            // Nobody may be interested.
            let _ = tell.send(head);
            let mut stream = stream.unwrap();
            // It may be closed for what it says.
            let _ = stream.write_all(&answer);
            if answer.is_empty() {
                // It keeps the caller waiting for as long as that likes.
                let _ = stream.read(&mut [0; 1]);
            }
        }
    });
    (url, told)
}

fn head_of(stream: &TcpStream) -> std::io::Result<Vec<String>> {
    let mut reader = BufReader::new(stream);
    let (mut lines, mut body) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(bytes) = line.to_lowercase().strip_prefix("content-length:") {
            body = bytes.trim().parse().unwrap();
        }
        lines.push(line.trim().to_owned());
    }
    std::io::copy(&mut reader.take(body), &mut std::io::sink())?;
    Ok(lines)
}

fn ok(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn says(status: &str, body: &str) -> Vec<u8> {
    let bytes = body.len();
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {bytes}\r\n\r\n{body}").into_bytes()
}

fn at(url: PeerUrl) -> Api {
    let mut token = HeaderValue::from_static("Bearer hush");
    token.set_sensitive(true);
    Api::new(url, Some(token), true, Handle::current()).unwrap()
}

fn is_away(error: &ExchangeError, why: &str) -> bool {
    matches!(error, ExchangeError::Away(text) if text.contains(why))
}

#[tokio::test]
async fn nobody_there_is_away() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let api = at(format!("http://{nobody}").parse().unwrap());
    let cid = raw(b"this");
    let errors = [
        api.put(published(b"this")).await.unwrap_err(),
        api.get(cid, SHORT).await.unwrap_err(),
        api.has(cid).await.unwrap_err(),
        api.whole(cid).await.unwrap_err(),
        api.standing().await.unwrap_err(),
    ];
    assert!(errors.iter().all(|error| is_away(error, "onnection refused")), "{errors:?}");
    assert!(errors.iter().all(|error| !error.to_string().contains("hush")));
}

#[tokio::test]
async fn who_is_no_kubo_is_away_and_told_from_one_that_wants_a_token() {
    for (answer, why) in [
        (says("404 Not Found", "404 page not found"), "404: is ipfs.api the RPC"),
        (says("403 Forbidden", "403 - Forbidden"), "403: does it want another ipfs.api_token?"),
        (says("500 Internal Server Error", "<html>"), "500: is ipfs.api the RPC"),
        (says("307 Temporary Redirect", ""), "307: is ipfs.api the RPC"),
        (ok(b"<html>"), "it answers what is not asked for"),
        (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), ""),
    ] {
        let (url, _) = liar(answer);
        let error = at(url).standing().await.unwrap_err();
        assert!(is_away(&error, why), "{error}");
    }
}

#[tokio::test]
async fn what_the_name_does_not_fit_is_never_given() {
    let (url, calls) = liar(ok(b"that"));
    let api = at(url);
    let cid = raw(b"this");
    assert_eq!(api.get(cid, SHORT).await, Err(ExchangeError::NotItsBytes(cid)));
    let head = calls.recv().unwrap();
    assert_eq!(head[0], format!("POST /api/v0/block/get?arg={cid}&offline=true HTTP/1.1"));
    assert!(head.contains(&"authorization: Bearer hush".to_owned()), "{head:?}");
}

#[tokio::test]
async fn a_block_without_end_is_not_read_to_it() {
    for (codec, limit) in [(Codec::DagCbor, 64 << 10), (Codec::Raw, 256 << 10)] {
        let (url, _) = liar([&b"HTTP/1.1 200 OK\r\n\r\n"[..], &vec![7; 8 << 20]].concat());
        let cid = Cid::of(codec, b"this");
        let error = ExchangeError::TooLarge { cid, bytes: limit + 1, limit };
        assert_eq!(at(url).get(cid, SHORT).await, Err(error));
    }
}

#[tokio::test]
async fn another_name_than_the_blocks_is_no_answer_to_a_put() {
    let (url, _) = liar(ok(format!(r#"{{"Key":"{}","Size":4}}"#, raw(b"that")).as_bytes()));
    let cid = raw(b"this");
    let put = at(url).node.rpc.put(&cid, b"this").await.map_err(ExchangeError::from);
    assert_eq!(put, Err(ExchangeError::Store(format!("block {cid}: it was stored under another name"))));
}

#[tokio::test]
async fn a_stop_ends_what_waits_for_a_node_that_does_not_answer() {
    let (url, calls) = liar(Vec::new());
    let api = at(url);
    let waiting = tokio::spawn(api.get(raw(b"this"), Duration::from_secs(60)));
    tokio::task::spawn_blocking(move || calls.recv().unwrap()).await.unwrap();
    let began = Instant::now();
    api.stop().await.unwrap();
    assert_eq!(waiting.await.unwrap(), Err(ExchangeError::Stopped));
    assert!(began.elapsed() < CALL);
}
