//! Mallory's log does not hold what she signed: bob asks for proofs of it, and raises an alarm where there is none in time.

use std::sync::{Arc, Mutex, MutexGuard};

use dta_proof::{Hash, Leaf, tree};
use dta_protocol::Cid;
use serde_json::json;

use super::notes::{Log, Pages, Scene};
use crate::world::Settings;

/// Where the statement stands in her logs that hold it.
const PLACE: u64 = 5;
const BLIND: [u8; 32] = [7; 32];

type Answer = (u16, String);

/// What her node says to each question, and for which statements it was asked.
struct Says {
    checkpoint: Answer,
    inclusion: Answer,
    consistency: Answer,
    checkpoints: usize,
    asked: Vec<String>,
}

#[derive(Clone)]
struct Server(Arc<Mutex<Says>>);

impl Server {
    /// It cannot answer now.
    fn away() -> Self {
        let no = || (503, "{}".to_owned());
        let (checkpoint, inclusion, consistency) = (no(), no(), no());
        Self(Arc::new(Mutex::new(Says { checkpoint, inclusion, consistency, checkpoints: 0, asked: vec![] })))
    }

    fn says(&self) -> MutexGuard<'_, Says> {
        self.0.lock().unwrap()
    }

    fn asked_for(&self, statement: Cid) -> usize {
        let statement = statement.to_string();
        self.says().asked.iter().filter(|asked| **asked == statement).count()
    }

    fn pages(&self) -> Pages {
        let server = self.clone();
        Arc::new(Mutex::new(move |target: &str| {
            let mut says = server.says();
            if target == "/v1/log/checkpoint" {
                says.checkpoints += 1;
                return says.checkpoint.clone();
            }
            if let Some(query) = target.strip_prefix("/v1/log/proof/inclusion?envelope=") {
                says.asked.push(query.split('&').next().unwrap().to_owned());
                return says.inclusion.clone();
            }
            if target.starts_with("/v1/log/proof/consistency?") {
                return says.consistency.clone();
            }
            (404, "{}".to_owned())
        }))
    }
}

fn impatient(server: &Server) -> Scene {
    Scene::with(&Settings { missing_after_ms: 1_000, ..Settings::default() }, Some(server.pages()))
}

/// A log of hers: others' records, with the statement in its place.
fn log_with(statement: Cid, first: u8) -> Log {
    let mut leaves: Vec<Hash> = (0..9).map(|byte| [first + byte; 32]).collect();
    leaves[PLACE as usize] = leaf(statement).hash();
    Log::with(leaves)
}

fn leaf(statement: Cid) -> Leaf {
    Leaf::of(PLACE, [4; 32], &BLIND, &[statement.to_bytes()])
}

fn inclusion(log: &Log, statement: Cid, size: u64) -> Answer {
    let path = tree::prove_inclusion(log, size, PLACE).unwrap();
    let proof = json!({
        "leaf": hex::encode(leaf(statement).encode()),
        "blind": hex::encode(BLIND),
        "envelopes": [statement.to_string()],
        "path": path.iter().map(hex::encode).collect::<Vec<_>>(),
    });
    (200, proof.to_string())
}

fn consistency(log: &Log, from: u64, to: u64) -> Answer {
    let path = tree::prove_consistency(log, to, from).unwrap();
    (200, json!({ "path": path.iter().map(hex::encode).collect::<Vec<_>>() }).to_string())
}

fn missing() -> Answer {
    (404, json!({ "error": "no", "code": "unknown-envelope" }).to_string())
}

/// The lines of a replay that have this word.
fn told(scene: &Scene, word: &str) -> Vec<String> {
    let told = scene.bob.home.must(&["log", "replay"]);
    told.lines().filter(|line| line.contains(word)).map(str::to_owned).collect()
}

#[test]
fn a_statement_that_its_log_does_not_hold_is_an_alarm_once_and_for_good() {
    let server = Server::away();
    let mut scene = impatient(&server);
    let log = Log::with((1..5).map(|byte| [byte; 32]));
    let note = log.note(&scene.mallory, 0, 4);
    server.says().checkpoint = (200, note.text().to_owned());
    server.says().inclusion = missing();
    let first = scene.taken(&note);
    scene.until("the statement is missing", || scene.alarms() == ["missing-statement"]);
    for _ in 0..2 {
        let known = scene.watched(scene.mallory.cid());
        let alarm = &known["alarms"][0];
        assert_eq!(alarm["statementCID"], first.to_string());
        assert_eq!(alarm["under"]["note"], note.text());
        assert_eq!(known["statements"]["missing"], 1);
        assert_eq!(scene.bob.get("/v1/status").is(200).body["watched"], json!({ "logs": 1, "alarms": 1 }));
        scene.bob.stop();
        scene.bob.start();
    }
    let lines = std::fs::read_to_string(scene.bob.home.log()).unwrap();
    assert!(lines.lines().any(|line| line.contains("ERROR") && line.contains(&first.to_string())), "{lines}");
    // The record stays: nobody asks for it again, whatever she would say.
    let asked = server.asked_for(first);
    server.says().inclusion = inclusion(&log_with(first, 1), first, 9);
    let second = scene.taken(&note);
    scene.until("the second is missing", || scene.alarms() == ["missing-statement"; 2]);
    assert_eq!((server.asked_for(first), server.asked_for(second) > 0), (asked, true));
    let lines = told(&scene, "log/statements-missing");
    assert_eq!(lines.len(), 2, "{lines:?}");
    for (line, statement) in lines.iter().zip([first, second]) {
        assert!(line.contains(&statement.to_string()), "{line}");
    }
    let json = scene.bob.home.must(&["log", "replay", "--json"]);
    assert!(json.contains(&format!("\"statements\":[\"{second}\"]")), "{json}");
    scene.bob.home.must(&["log", "verify", "--deep"]);
}

#[test]
fn an_owner_that_is_away_raises_no_alarm_and_is_asked_again_after_a_restart() {
    let server = Server::away();
    let mut scene = impatient(&server);
    let first = Log::with((0..4).map(|byte| [1 + byte; 32])).note(&scene.mallory, 0, 4);
    let statement = scene.taken(&first);
    scene.until("she was called twice in vain", || server.says().checkpoints >= 2);
    // Her note and nothing else.
    server.says().checkpoint = (200, first.text().to_owned());
    scene.until("she was asked for it", || server.asked_for(statement) >= 1);
    assert_eq!(scene.alarms(), [""; 0]);
    assert_eq!(scene.watched(scene.mallory.cid())["statements"], json!({ "settled": 0, "missing": 0 }));
    scene.bob.stop();
    let log = log_with(statement, 1);
    {
        let mut says = server.says();
        says.checkpoint = (200, log.note(&scene.mallory, 0, 9).text().to_owned());
        says.inclusion = inclusion(&log, statement, 9);
        says.consistency = consistency(&log, 4, 9);
    }
    scene.bob.start();
    scene.until("it is proved", || scene.watched(scene.mallory.cid())["statements"]["settled"] != 0);
    assert_eq!(scene.alarms(), [""; 0]);
    assert_eq!(told(&scene, "log/statements-proved").len(), 1);
    scene.bob.home.must(&["log", "verify", "--deep"]);
}

#[test]
fn a_proof_in_a_log_that_was_rewritten_is_worth_nothing() {
    let server = Server::away();
    let scene = impatient(&server);
    let first = Log::with((0..4).map(|byte| [1 + byte; 32])).note(&scene.mallory, 0, 4);
    let statement = scene.taken(&first);
    let (log, rewritten) = (log_with(statement, 1), log_with(statement, 101));
    {
        let mut says = server.says();
        says.checkpoint = (200, rewritten.note(&scene.mallory, 0, 9).text().to_owned());
        says.inclusion = inclusion(&rewritten, statement, 9);
        says.consistency = consistency(&rewritten, 4, 9);
    }
    scene.until("the rewritten log is found", || scene.alarms() == ["fork"]);
    let asked = server.asked_for(statement);
    scene.until("she is asked again", || server.asked_for(statement) > asked + 1);
    assert_eq!(scene.watched(scene.mallory.cid())["statements"]["settled"], 0);
    {
        let mut says = server.says();
        says.checkpoint = (200, log.note(&scene.mallory, 0, 8).text().to_owned());
        says.inclusion = inclusion(&log, statement, 8);
        says.consistency = consistency(&log, 4, 8);
    }
    scene.until("it is proved", || scene.watched(scene.mallory.cid())["statements"]["settled"] != 0);
    assert_eq!(scene.alarms(), ["fork"]);
}

#[test]
fn one_who_serves_nowhere_raises_no_alarm_and_keeps_nobody_waiting() {
    let server = Server::away();
    let scene = impatient(&server);
    let eve = super::Mallory::new("eve");
    scene.bob.pin(&eve.document(), None);
    let note = Log::with((1..5).map(|byte| [byte; 32])).note(&scene.mallory, 0, 4);
    let eves = scene.taken_from(&eve, &Log::with([[9; 32]]).note(&eve, 0, 1));
    server.says().checkpoint = (200, note.text().to_owned());
    server.says().inclusion = missing();
    scene.taken(&note);
    scene.until("hers is missing", || scene.alarms() == ["missing-statement"]);
    assert_eq!(scene.watched(eve.cid())["alarms"], json!([]), "{eves}");
}
