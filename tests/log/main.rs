//! `dta log` on the logs of real homes: what is whole is told, what is false or damaged is named.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod damage;
#[path = "../kit/mod.rs"]
mod kit;
mod replay;
mod story;
mod verify;

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
    assert_eq!(home.must(&["log", "replay"]), told, "an index changes no record");
}
