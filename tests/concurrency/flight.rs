//! 256 commands under way, and no more; clients that go in the middle of it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::json;

use crate::crowd::{at_once, count, home, length, orders, seeds, stopped_whole};
use crate::disk::Disk;
use crate::kit::{Home, Node, pause};

/// Commands under way at once, as the manual says.
const IN_FLIGHT: usize = 256;

/// Sends this many more than there is room for while nothing can be synced; answers when the others were let through.
fn too_many(node: &Node, disk: &Disk, more: usize) {
    let (before, syncs) = (length(node), disk.syncs());
    disk.hold();
    std::thread::scope(|scope| {
        let (answered, answers) = channel();
        for _ in 0..IN_FLIGHT + more {
            let answered = answered.clone();
            scope.spawn(move || {
                let client = reqwest::blocking::Client::builder().timeout(None).build().unwrap();
                let response = client.post(format!("{}/v1/order", node.url)).json(&json!({})).send().unwrap();
                let retry =
                    response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
                let status = response.status().as_u16();
                let body: serde_json::Value = response.json().unwrap();
                answered.send((status, retry, body)).unwrap();
            });
        }
        // Those beyond are answered although nobody else is.
        for _ in 0..more {
            let (status, retry, body) = answers.recv().unwrap();
            assert_eq!((status, body["code"].as_str()), (503, Some("busy")), "{body}");
            assert!(retry.unwrap().parse::<u32>().unwrap() >= 1);
        }
        assert!(answers.try_recv().is_err());
        // Queries go on, and what is not synced is not there.
        assert_eq!(length(node), before);
        node.post("/v1/identity", &json!({ "name": "carol" })).refuses(503, "busy");
        disk.let_go();
        for _ in 0..IN_FLIGHT {
            let (status, _, body) = answers.recv().unwrap();
            assert_eq!(status, 200, "{body}");
        }
    });
    let records = length(node) - before;
    assert_eq!(records, 2 * IN_FLIGHT as u64, "placed and committed, each once");
    // One that was alone, then as many as had come by then, then commitments as custody makes them: these may each have a
    // sync of their own, but those that waited shared theirs.
    let syncs = disk.syncs() - syncs;
    println!("{records} records in {syncs} syncs");
    assert!(syncs * 4 <= records * 3, "{records} records in {syncs} syncs");
}

fn on_a_disk() -> (Home, Disk) {
    let home = home("");
    let disk = Disk::of(&home);
    (home, disk)
}

#[test]
fn the_257th_is_told_to_come_again() {
    let (home, disk) = on_a_disk();
    let node = disk.start(&home, 0);
    for round in 1..=2 {
        too_many(&node, &disk, 40);
        assert_eq!(seeds(&node), (round * IN_FLIGHT) as u64);
        assert_eq!(orders(&node).len(), round * IN_FLIGHT);
    }
    stopped_whole(&home, node);
}

#[test]
fn who_hangs_up_leaves_no_room_taken_and_nothing_half_done() {
    let (home, disk) = on_a_disk();
    let node = disk.start(&home, 0);
    let address = node.url.strip_prefix("http://").unwrap().to_owned();
    let request = |key: usize, announced: usize, body: &str| {
        format!(
            "POST /v1/order HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             idempotency-key: key-{key}\r\ncontent-length: {announced}\r\n\r\n{body}"
        )
    };
    // In the middle of a head, of a body, and right after the whole request.
    at_once(96, |n| {
        let mut stream = TcpStream::connect(&address).unwrap();
        let whole = request(n, 2, "{}");
        let sent = match n % 3 {
            0 => &whole[..whole.len() / 2],
            1 => &request(n, 200, "{\"extension\": {"),
            _ => whole.as_str(),
        };
        stream.write_all(sent.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
    });
    // While the log waits: the whole requests of those who are gone are still carried out.
    disk.hold();
    let begin = |key: usize| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(request(key, 2, "{}").as_bytes()).unwrap();
        stream
    };
    let mut streams: Vec<_> = (0..IN_FLIGHT).map(|n| begin(1_000 + n)).collect();
    // Whoever still finds room waits like the others: only a refusal is answered.
    for key in 10_000.. {
        let mut more = begin(key);
        more.set_read_timeout(Some(Duration::from_millis(250))).unwrap();
        let mut status = [0; b"HTTP/1.1 503".len()];
        if more.read_exact(&mut status).is_ok() {
            assert_eq!(&status, b"HTTP/1.1 503");
            break;
        }
        streams.push(more);
    }
    drop(streams);
    disk.let_go();
    node.until("there is room again", |node| {
        node.post_under("/v1/identity", &json!({ "name": "carol" }), Some("carol")).status == 200
    });
    // Each key that was taken answers for its order, and no key has two.
    let answers = at_once(IN_FLIGHT / 4, |n| {
        let again = || node.post_under("/v1/order", &json!({}), Some(&format!("key-{}", 1_000 + 4 * n)));
        // The others may still be under way.
        std::iter::repeat_with(again)
            .find(|answer| {
                answer.status != 503 || {
                    pause();
                    false
                }
            })
            .unwrap()
    });
    assert_eq!(count(&answers, 200), answers.len());
    node.until("every order has its commitment", |node| orders(node).len() as u64 == seeds(node));
    let references: std::collections::BTreeSet<_> =
        answers.iter().map(|answer| answer.str("orderReference")).collect();
    assert_eq!(references.len(), answers.len());
    // All the room is there.
    too_many(&node, &disk, 8);
    stopped_whole(&home, node);
}
