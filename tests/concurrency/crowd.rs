//! Many at the same moment.

use std::sync::Barrier;

use serde_json::Value;

use crate::kit::{Answer, Home, Node};

/// Does the same from this many threads, none before all are there; the answers in the order of their numbers.
pub fn at_once<T: Send>(many: usize, act: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (barrier, act) = (Barrier::new(many), &act);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..many)
            .map(|n| {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    act(n)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// A home for these tests: nothing of it is on a disk, nothing is published.
pub fn home(settings: &str) -> Home {
    let home = Home::in_memory();
    home.settings(&format!(
        "[ipfs]\nconnector = \"none\"\n[clock]\ntrusted_after_ms = 1\n\
         [checkpoints]\nrecords = 4096\nafter_ms = 60000\n[refusals]\nburst = 100000\n{settings}"
    ));
    home.must(&["init", "--name", "bob"]);
    home
}

/// Every order there is, by reference.
pub fn orders(node: &Node) -> Vec<String> {
    let list = node.get("/v1/order?perPage=1000").is(200).body;
    list["orderReference"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

pub fn seeds(node: &Node) -> u64 {
    node.get("/v1/status").is(200).body["custody"]["seeds"].as_u64().unwrap()
}

pub fn length(node: &Node) -> u64 {
    node.get("/v1/status").is(200).body["logLength"].as_u64().unwrap()
}

/// How many answers had this status.
pub fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

/// All of them the same; that one.
pub fn same(answers: &[Answer], status: u16) -> Value {
    for answer in answers {
        assert_eq!(answer.status, status, "{}", answer.body);
        assert_eq!(answer.body, answers[0].body);
    }
    answers[0].body.clone()
}

/// Stopped in order, and all of its log, index entries, envelopes and bodies are right.
pub fn stopped_whole(home: &Home, node: Node) {
    node.stop();
    home.must(&["log", "verify", "--deep"]);
    home.must(&["projection", "verify"]);
}
