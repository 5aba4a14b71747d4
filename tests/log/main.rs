//! `dta log` on the logs of real homes: what is whole is told, what is false or damaged is named.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod damage;
#[path = "../kit/mod.rs"]
mod kit;
mod replay;
mod story;
mod verify;

use base64::Engine as _;
use kit::Home;

fn deep(home: &Home) -> String {
    home.must(&["log", "verify", "--deep"])
}

fn has(text: &str, line: &str) {
    assert!(text.lines().any(|other| other == line), "no line {line:?} in:\n{text}");
}

#[test]
fn a_real_nodes_log_is_told_and_verified_while_it_serves() {
    let home = Home::initialised();
    // No checkpoint while it is looked at; one at the stop.
    home.settings("[checkpoints]\nrecords = 4096\nafter_ms = 60000\n");
    let node = home.start();
    let carol = node.identity("carol");
    let (whole, commitment) = node.place(&carol);
    node.redeem(&whole, &carol).is(200);
    let (open, _) = node.place("");

    let told = home.must(&["log", "replay"]);
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines.len(), 11, "{told}");
    assert!(lines[0].contains("  local  node  node/initialised  node/initialised "), "{told}");
    assert!(
        lines[7].starts_with("7  20")
            && lines[7].contains("Z  local  order  order/acknowledge  order/received ")
    );
    assert!(lines[7].ends_with(&format!("signed by {carol}, now Received")), "{told}");
    assert!(lines[10].starts_with("10 records replayed, 2 orders, 2 identities; head hash "), "{told}");

    let verified = deep(&home);
    has(&verified, &format!("order {whole}: commitment proof ok, receipt proof ok, secret ok"));
    has(&verified, &format!("order {open}: commitment proof ok, no receipt"));
    has(&verified, "bodies      8 opened and checked, 0 not openable here");
    has(&verified, "envelopes   9 indexed, 9 signatures verified");
    let one = home.must(&["log", "verify", "--deep", "--order", &open]);
    assert!(one.contains(&open) && !one.contains(&whole), "{one}");
    has(&one, "bodies      2 opened and checked, 0 not openable here");

    let state = home.must(&["log", "replay", "--order", &whole]);
    has(&state, &format!("order {whole}: Received"));
    has(&state, &format!("  commitment    {commitment}"));
    assert_eq!(state.lines().filter(|line| line.contains("  order  ")).count(), 5);

    let refused = home.must_fail(&["log", "reindex"]);
    assert!(refused.contains("is in use by process "), "{refused}");
    node.stop();
    has(&home.must(&["log", "reindex"]), "the log is whole");
    let last = home.must(&["log", "replay"]);
    let last: Vec<_> = last.lines().collect();
    assert_eq!(last[..10], lines[..10], "an index changes no record");
    assert!(
        last[10].starts_with("10  20")
            && last[10].contains("Z  timer  log  log/checkpoint  log/checkpointed 0 ")
    );
    assert!(last[10].ends_with(", of 10 records"), "{}", last[10]);
    let digest = home.must(&["log", "replay", "--digest", "--at", "10"]);
    let root = digest.lines().find_map(|line| line.strip_prefix("root ")).unwrap().trim();
    let root = base64::engine::general_purpose::STANDARD.encode(hex::decode(root).unwrap());
    let file = std::fs::read_to_string(home.path().join("checkpoint.json")).unwrap();
    let file: serde_json::Value = serde_json::from_str(&file).unwrap();
    let note: Vec<_> = file["note"].as_str().unwrap().lines().collect();
    assert_eq!((note[1], note[2]), ("10", root.as_str()), "what was published is what the records say");
    let json: serde_json::Value =
        serde_json::from_str(&home.must(&["log", "replay", "--digest", "--at", "10", "--json"])).unwrap();
    assert_eq!(json["digests"].as_object().unwrap().len(), 4);
    assert!(
        home.must_fail(&["log", "replay", "--digest", "--at", "12"])
            .contains("--at 12: the log has 11 records")
    );
}
