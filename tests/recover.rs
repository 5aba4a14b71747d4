//! A machine is gone with its home; what is left are the words, a mirror, and perhaps a copy of the seeds.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod kit;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use kit::{Home, Node, public_key_of, text};
use serde_json::{Value, json};

/// A node that commits often, so that a test need not wait for it.
const SETTINGS: &str = "[checkpoints]\nrecords = 64\nafter_ms = 200\n[clock]\ntrusted_after_ms = 1\n\
                        [ipfs]\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\n";

fn settled(settings: &str) -> Home {
    let home = Home::in_memory();
    home.must(&["init", "--name", "test"]);
    home.settings(settings);
    home
}

/// Pins a node at another.
fn pin(at: &Node, who: &Node) {
    let (status, document) = who.bytes(&format!("/v1/identity/{}/document", who.cid()));
    assert_eq!(status, 200);
    at.post("/v1/peer", &json!({ "document": hex::encode(document), "url": who.url })).is(200);
}

fn mirror(at: &Home, node: &Node, arguments: &[&str]) -> String {
    at.must(&[&["mirror"], arguments, &["--node", &node.url]].concat())
}

/// What a mirror holds of an identity: the checkpoint and its number.
fn held(mirror: &Node, of: &str) -> Option<(String, u64)> {
    let answer = mirror.get("/v1/mirror").is(200).body;
    let one = answer["following"].as_array().unwrap().iter().find(|one| one["idDocumentCID"] == of)?.clone();
    Some((one["checkpointCID"].as_str()?.to_owned(), one["number"].as_u64()?))
}

/// The newest checkpoint of a node: its CID, and of how many records it is.
fn newest(node: &Node) -> (String, u64) {
    let client = reqwest::blocking::Client::new();
    let answer = client.get(format!("{}/v1/log/checkpoint", node.url)).send().unwrap();
    let cid = answer.headers()["dta-checkpoint"].to_str().unwrap().to_owned();
    let note = answer.text().unwrap();
    (cid, note.lines().nth(1).unwrap().parse().unwrap())
}

/// Waits until the mirror holds a checkpoint that is about all records that tell of anything else than checkpoints.
fn copied(mirror: &Node, node: &Node, of: &str, records: u64) {
    mirror.until("the mirror holds all", |mirror| {
        let (cid, size) = newest(node);
        size >= records && held(mirror, of).is_some_and(|(held, _)| held == cid)
    });
}

fn length(node: &Node) -> u64 {
    node.get("/v1/status").is(200).body["logLength"].as_u64().unwrap()
}

struct Orders {
    /// Reference and commitment.
    open: Vec<(String, String)>,
    done: Vec<(String, String)>,
}

/// Places orders side by side; each third is redeemed.
fn orders(node: &Node, count: usize) -> Orders {
    const WORKERS: usize = 8;
    let me = node.cid();
    let all = std::thread::scope(|scope| {
        let work = |worker: usize| {
            let me = &me;
            move || {
                let mine = (worker..count).step_by(WORKERS);
                let each = mine.map(|n| {
                    let placed = node.place("");
                    let redeemed = n % 3 == 0;
                    if redeemed {
                        node.redeem(&placed.0, me).is(200);
                    }
                    (redeemed, placed)
                });
                each.collect::<Vec<_>>()
            }
        };
        let workers: Vec<_> = (0..WORKERS).map(|worker| scope.spawn(work(worker))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    let (done, open): (Vec<_>, Vec<_>) = all.into_iter().partition(|(redeemed, _)| *redeemed);
    let plain = |all: Vec<(bool, (String, String))>| all.into_iter().map(|(_, placed)| placed).collect();
    Orders { open: plain(open), done: plain(done) }
}

fn order(node: &Node, reference: &str) -> Value {
    serde_json::from_str(&node.get(&format!("/v1/order/{reference}")).is(200).str("order")).unwrap()
}

/// An empty machine that knows the words.
fn empty(words: &str) -> Home {
    let home = Home::in_memory();
    let imported = home.run_with(&["identity", "seed", "import"], words);
    assert!(imported.status.success(), "{}", text(&imported.stderr));
    home.settings(SETTINGS);
    home
}

/// The value of a line of what a recovery says.
fn said<'a>(report: &'a str, name: &str) -> &'a str {
    let line =
        report.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {report}"));
    line[name.len()..].trim()
}

#[test]
fn after_a_thousand_orders_the_home_is_gone_and_comes_back_from_a_mirror() {
    let (alice, mona) = (settled(SETTINGS), settled(SETTINGS));
    let (node, mirror_node) = (alice.start(), mona.start());
    let me = node.cid();
    pin(&mirror_node, &node);
    pin(&node, &mirror_node);
    mirror(&mona, &mirror_node, &["follow", &me]);
    let Orders { open, done } = orders(&node, 1_000);
    let records = length(&node);
    copied(&mirror_node, &node, &me, records);
    assert!(mirror(&alice, &node, &["check", &mirror_node.cid()]).contains("held"));
    let head = newest(&node).0;
    let words = alice.must(&["identity", "seed", "export"]);
    let seeds = alice.folder().join("copy");
    kit::copy_tree(&alice.path().join("seeds"), &seeds);
    node.kill();
    std::fs::remove_dir_all(alice.path()).unwrap();

    // With the copy everything goes on.
    let again = empty(&words);
    let from = ["recover", "--from-ipfs", &mirror_node.url, "--seeds", seeds.to_str().unwrap()];
    let report = again.must(&from);
    assert_eq!(said(&report, "node"), me);
    assert!(said(&report, "epoch").starts_with("1 begins"), "{report}");
    assert!(said(&report, "lost").ends_with("(1 of 1 counterparties answered)"), "{report}");
    assert!(said(&report, "custody ").starts_with("1000 seeds, 1000 orders; 334 released"), "{report}");
    assert!(said(&report, "custody-lost").starts_with("0 open orders without their seed, 0 "), "{report}");
    assert_eq!(report.matches("is what the checkpoint says").count(), 4, "{report}");
    again.must(&["log", "verify", "--deep"]);
    again.must(&["projection", "verify"]);
    assert!(again.must_fail(&from).contains("holds a node already"));
    let node = again.start();
    assert_eq!(node.cid(), me);
    for (reference, commitment) in open.iter().take(5) {
        let secret = node.redeem(reference, &me).is(200).str("secret");
        assert_eq!(public_key_of(&secret), *commitment);
    }
    for (reference, commitment) in done.iter().take(5) {
        assert_eq!(node.state(reference), "Received");
        assert_eq!(public_key_of(&node.redeem(reference, &me).is(200).str("secret")), *commitment);
    }
    node.place("");
    // Who has seen the first epoch is told of the second, for good.
    pin(&mirror_node, &node);
    mirror_node.until("the loss is seen", |mirror| {
        let watched = mirror.get("/v1/log/watched").is(200).body;
        let hers = watched.as_array().unwrap().iter().find(|one| one["idDocumentCID"] == *me).cloned();
        hers.is_some_and(|hers| hers["alarms"][0]["code"] == "lost-records" && hers["proved"]["epoch"] == 1)
    });
    node.stop();

    // Without it each open order is custody-lost. Of the epoch that nobody is to be told of again the mirror tells.
    let poor = empty(&words);
    let address =
        mirror_node.get("/v1/status").is(200).body["ipfs"]["addresses"][0].as_str().unwrap().to_owned();
    let report = poor.must(&["recover", "--from-ipfs", &head, "--peer", &address, "--accept-loss"]);
    assert!(said(&report, "epoch").starts_with("2 begins"), "{report}");
    let lost = format!("{} open orders without their seed, {} sealed secrets", open.len(), done.len());
    assert!(said(&report, "custody-lost").starts_with(&lost), "{report}");
    poor.must(&["log", "verify", "--deep"]);
    let node = poor.start();
    for (reference, _) in open.iter().take(3).chain(done.iter().take(3)) {
        assert_eq!(order(&node, reference)["CustodyLost"], true);
        node.redeem(reference, &me).refuses(410, "custody-lost");
    }
    let cancelled = node.post(&format!("/v1/order/{}/cancel", open[0].0), &json!({}));
    assert!(cancelled.status < 300, "it can be closed: {cancelled:?}");
    let (fresh, commitment) = node.place("");
    assert_eq!(public_key_of(&node.redeem(&fresh, &me).is(200).str("secret")), commitment);
    node.stop();
    poor.must(&["log", "verify", "--deep"]);
    mirror_node.stop();
}

/// Answers `GET /v1/mirror` with this, whoever asks.
fn liar(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length:";
            // Who asked may have gone.
            let _ = write!(stream, "{head} {}\r\n\r\n{answer}", answer.len());
        }
    });
    url
}

fn claims(checkpoint: &str) -> String {
    liar(
        json!({ "ipfs": [], "following": [{ "idDocumentCID": checkpoint, "checkpointCID": checkpoint }] })
            .to_string(),
    )
}

#[test]
fn mirrors_that_lag_lie_or_serve_an_old_head() {
    let [alice, mona, carol] = [(); 3].map(|()| settled(SETTINGS));
    let (node, mona_node, carol_node) = (alice.start(), mona.start(), carol.start());
    let me = node.cid();
    for (home, mirror_node) in [(&mona, &mona_node), (&carol, &carol_node)] {
        pin(mirror_node, &node);
        pin(&node, mirror_node);
        mirror(home, mirror_node, &["follow", &me]);
    }
    orders(&node, 6);
    copied(&mona_node, &node, &me, length(&node));
    // Mona lags: she is away while alice goes on.
    mona_node.stop();
    orders(&node, 6);
    copied(&carol_node, &node, &me, length(&node));
    let words = alice.must(&["identity", "seed", "export"]);
    let later = newest(&node).0;
    node.stop();
    let mona_node = mona.start();
    mona_node.until("she knows what she has", |node| held(node, &me).is_some());
    let old = held(&mona_node, &me).unwrap().0;
    assert_ne!(old, later);
    let own = newest(&mona_node).0;

    // Somebody else has seen more, and says so.
    let home = empty(&words);
    let why = home.must_fail(&["recover", "--from-ipfs", &mona_node.url]);
    assert!(why.contains("connect to another mirror, or say --accept-loss"), "{why}");
    assert!(!home.path().join("log").exists() && !home.path().join("log.recovering").exists());
    let report = home.must(&["recover", "--from-ipfs", &mona_node.url, "--accept-loss"]);
    assert!(said(&report, "checkpoint").ends_with(&old), "{report}");
    assert!(said(&report, "lost").contains("records at least: somebody has a note of"), "{report}");
    let report =
        empty(&words).must(&["recover", "--from-ipfs", &mona_node.url, "--from-ipfs", &carol_node.url]);
    assert!(!said(&report, "checkpoint").ends_with(&old), "the newer one counts: {report}");
    assert!(said(&report, "lost").starts_with("what was written after that, if anything was"), "{report}");

    let address =
        mona_node.get("/v1/status").is(200).body["ipfs"]["addresses"][0].as_str().unwrap().to_owned();
    let recover = |home: &Home, from: &[&str]| {
        let mut arguments = vec!["recover", "--timeout-ms", "300", "--peer", &address];
        from.iter().for_each(|from| arguments.extend(["--from-ipfs", from]));
        home.run(&arguments)
    };
    let nobodys = "bafyreifcgsm34vrqcwqxhdop3dpbvp7dj6m3ea7rhimew32ypg7puazw5y";
    for (from, why) in [
        (claims(&own), "whose keys this seed does not make"),
        (claims(nobodys), "nobody connected gave it"),
        (claims(&later), "nobody connected gave it"),
        (claims("a checkpoint"), "none of those named has a checkpoint"),
        (liar("no JSON".into()), "none of those named has a checkpoint"),
        ("http://127.0.0.1:1".into(), "none of those named has a checkpoint"),
        ("what is this".into(), "neither a CID nor a URL"),
    ] {
        let home = empty(&words);
        let output = recover(&home, &[&from]);
        assert!(!output.status.success() && text(&output.stderr).contains(why), "{}", text(&output.stderr));
        assert!(!home.path().join("log").exists() && !home.path().join("seeds").exists(), "{from}");
    }
    // Beside an honest one they change nothing, and an old head is outdone by a newer one.
    let home = empty(&words);
    let lies = [claims(&own), claims(nobodys), claims(&old)];
    let output = recover(&home, &[&lies[0], &lies[1], &lies[2], "http://127.0.0.1:1", &carol_node.url]);
    let lines = text(&output.stderr);
    assert!(output.status.success(), "{lines}");
    assert!(
        lines.contains("whose keys this seed does not make") && lines.contains("this mirror is passed over"),
        "{lines}"
    );
    assert!(!said(&text(&output.stdout), "checkpoint").contains(&old));
    assert_eq!(said(&text(&output.stdout), "node"), me);
    mona_node.stop();
    carol_node.stop();
}

#[test]
fn what_is_missing_is_said_before_anything_is_done() {
    let nowhere = Home::empty();
    let why = nowhere.must_fail(&["recover", "--from-ipfs", "http://127.0.0.1:1"]);
    assert!(why.contains("has no seed: run `dta identity seed import`"), "{why}");
    let alice = Home::initialised();
    let why = alice.must_fail(&["recover", "--from-ipfs", "http://127.0.0.1:1"]);
    assert!(why.contains("holds a node already: nothing was changed"), "{why}");
    let words = alice.must(&["identity", "seed", "export"]);
    let cid = "bafyreifcgsm34vrqcwqxhdop3dpbvp7dj6m3ea7rhimew32ypg7puazw5y";
    let why = empty(&words).must_fail(&["recover", "--from-ipfs", cid]);
    assert!(why.contains("name one with --peer"), "{why}");
    let why = empty(&words).must_fail(&["recover", "--from-ipfs", cid, "--peer", "/ip4/127.0.0.1/tcp/1"]);
    assert!(why.contains("--peer: must end in /p2p/"), "{why}");
}
