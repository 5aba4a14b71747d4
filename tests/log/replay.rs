//! The log as a story: in words, in JSON, of one order.

use std::process::Stdio;

use dta_events::record::{Effect, Stored};
use dta_protocol::Kind;
use serde_json::Value;

use crate::kit::{Home, text};
use crate::story::{REFERENCE, START_MS, Story, WHOLE};

#[test]
fn json_holds_every_field_of_every_record() {
    let story = Story::begin();
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| story.hosted(name));
    let tale = story.order(&alice, &bob, &carol).tell(&WHOLE);
    let refusal = Effect::Refused { code: "out-of-state".into(), details: "clear\u{1b}[2J\u{202e}".into() };
    let command = Stored { name: "order/redeem".into(), schema: 1, bytes: vec![1, 2] };
    story.append(tale.aggregate(), command, refusal, vec![], vec![]);

    let json = story.home.must(&["log", "replay", "--json"]);
    let rows: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 12);
    let placed = &rows[5];
    for key in [
        "sequence",
        "time_ms",
        "time",
        "aggregate",
        "version",
        "by",
        "request",
        "trace_id",
        "command",
        "effect",
        "previous",
        "nonce",
        "blind",
        "hash",
    ] {
        assert!(placed.get(key).is_some(), "{key}");
    }
    assert_eq!(placed["time"], "2026-09-21T14:13:20.000Z");
    assert_eq!(placed["time_ms"], START_MS);
    let event = &placed["effect"]["events"][0];
    assert_eq!(event["name"], "order/step-appended");
    assert_eq!(event["stage"], "Placed");
    assert_eq!(event["event"]["reference"], REFERENCE);
    assert_eq!(event["event"]["kind"], "order/placed");
    assert_eq!(event["event"]["signer"], alice.cid.to_string());
    assert_eq!(event["event"]["facts"]["parties"]["fiduciary"], bob.cid.to_string());
    assert_eq!(event["event"]["facts"]["terms"]["not_before_ms"], START_MS);
    assert_eq!(rows[6]["effect"]["events"][0]["event"]["facts"]["commitment"].as_str().unwrap().len(), 130);
    for pair in rows[..11].windows(2) {
        assert_eq!(pair[0]["hash"], pair[1]["previous"]);
    }
    assert_eq!(rows[10]["effect"]["refused"]["code"], "out-of-state");
    assert_eq!(rows[10]["command"]["bytes"], "0102");
    assert_eq!(rows[11]["summary"]["head"], rows[10]["hash"]);
    assert_eq!(rows[11]["summary"]["records"], 11);

    let words = story.home.must(&["log", "replay", "--from", "10"]);
    assert!(
        words.contains("order  order/redeem  refused out-of-state: clear\\u{1b}[2J\\u{202e}\n"),
        "{words}"
    );
    assert!(!words.contains('\u{1b}') && words.lines().count() == 2);

    let placed = event["event"]["cid"].as_str().unwrap();
    let one = story.home.must(&["log", "replay", "--order", placed, "--to", "7", "--json"]);
    let last: Value = serde_json::from_str(one.lines().last().unwrap()).unwrap();
    assert_eq!(one.lines().count(), 4);
    assert_eq!(last["summary"]["stage"], "RedemptionRequested");
    assert_eq!(last["summary"]["placed"], placed);
    assert_eq!(last["summary"]["steps"].as_array().unwrap().len(), 3);
}

#[test]
fn what_is_not_there_is_said() {
    let story = Story::begin();
    let [alice, bob] = ["alice", "bob"].map(|name| story.hosted(name));
    let home = &story.home;
    for (arguments, expected) in [
        (
            &["replay", "--order", REFERENCE][..],
            "there is no order \"0192f5a0-5b1e-7c3a-8f00-0123456789ab\" in this log",
        ),
        (&["replay", "--order", &alice.cid.to_string()], "no order in this log has an envelope bafy"),
        (&["replay", "--from", "3", "--to", "2"], "--from 3 is after --to 2"),
        (&["verify", "--deep", "--order", "x"], "there is no order \"x\" in this log"),
        (&["verify", "--order", "x"], "--deep"),
    ] {
        let said = home.must_fail(&[&["log"], arguments].concat());
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    // The same reference of another principal is another order.
    let first = story.order(&alice, &bob, &alice).tell(&[Kind::Placed]).order.placed().unwrap();
    let second = story.order(&bob, &alice, &alice).tell(&[Kind::Placed]).order.placed().unwrap();
    let said = home.must_fail(&["log", "replay", "--order", REFERENCE]);
    assert!(said.contains(&first.to_string()) && said.contains(&second.to_string()), "{said}");
    home.must(&["log", "replay", "--order", &second.to_string()]);
    let early = home.must_fail(&["log", "replay", "--order", &second.to_string(), "--to", "3"]);
    assert!(early.contains("has no record up to there"), "{early}");
    let nowhere = Home::empty();
    for command in ["replay", "verify", "reindex"] {
        assert!(nowhere.must_fail(&["log", command]).contains("there is no log at "), "{command}");
    }
    assert!(!nowhere.path().exists());
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let home = Home::initialised();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let child = home.command(&["log", "replay"]).stdout(writer).stderr(Stdio::piped()).spawn();
    let output = child.unwrap().wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(text(&output.stderr), "");
}
