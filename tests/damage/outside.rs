//! A sample of the same harms against real processes: the daemon, then `dta log verify --deep` and `dta projection verify`.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harm::{Draw, Harm, counterpart, flips};
use crate::inside::{Part, is_clear, part};
use crate::kit::Node;
use crate::specimen::{Specimen, specimens};

/// How a process ends that stops at once.
const SIGABRT: i32 = 6;
/// Harms to each part of a home.
const OF_EACH: usize = 8;

#[test]
fn a_damaged_home_is_refused_or_served_whole_by_the_daemon() {
    let all = specimens();
    let mut draw = Draw(11);
    let (mut refused, mut served) = (0, 0);
    for (of, other) in [(&all.clean, &all.alone), (&all.killed, &all.alone), (&all.alone, &all.clean)] {
        let mut harms: Vec<(PathBuf, Harm)> = Vec::new();
        for file in of.files() {
            let length = std::fs::metadata(of.folder().join(&file)).unwrap().len();
            let swapped = counterpart(&file, of.folder(), other.folder()).map(Harm::Swap);
            let flipped = flips(length, 1, &mut draw).pop();
            let cut = (length > 0).then_some(Harm::Cut(length / 2));
            // Settings of another sort are settings all the same; a read model's files from elsewhere: see `inside`.
            let settings = file.ends_with("config.toml") && of.truth.copies == 1;
            let taken = settings || part(&file) == Part::Views;
            let (swapped, flipped) =
                (swapped.filter(|_| !taken), flipped.filter(|_| !file.ends_with("config.toml")));
            let some = [Some(Harm::Missing), cut, flipped, swapped];
            harms.extend(some.into_iter().flatten().map(|harm| (file.clone(), harm)));
        }
        draw.shuffle(&mut harms);
        for part in [Part::Log, Part::Views, Part::Seeds, Part::Keys, Part::Other, Part::Published] {
            let of_part = harms.iter().filter(|(file, _)| self::part(file) == part);
            for (file, harm) in of_part.take(OF_EACH) {
                match suffers(of, file, harm) {
                    true => served += 1,
                    false => refused += 1,
                }
            }
        }
    }
    println!("real processes: {refused} refused, {served} served");
    assert!(refused >= 10 && served >= 10, "{refused} {served}");
}

/// Whether it is served.
fn suffers(of: &Specimen, file: &Path, harm: &Harm) -> bool {
    let home = of.copied();
    harm.to(&home.folder().join(file));
    let context = format!("{} {harm}", file.display());
    let node = match home.try_start(&[]) {
        Ok(node) => node,
        Err((status, said)) => {
            // Ended by itself, with words.
            assert_eq!(status.code(), Some(1), "{context}: {said}");
            assert!(!said.contains("panicked"), "{context}: {said}");
            let last = said.rsplit_once("dta: ").map(|(_, last)| last);
            assert!(last.is_some_and(|last| is_clear(last, part(file))), "{context}: {said}");
            return false;
        }
    };
    let wrong = asked(of, &node, &context);
    let whole = stopped(node, wrong.is_none(), &context);
    assert!(whole || part(file) == Part::Log, "{context}: {wrong:?}");
    let log = home.run(&["log", "verify", "--deep"]);
    let views = home.run(&["projection", "verify"]);
    let (log, views) = (log.status.success(), views.status.success());
    assert!(log || part(file) == Part::Log, "{context}");
    // What was not answered is found by one of them, or is custody's, which its status tells.
    assert!(
        wrong.is_some_and(|wrong| wrong.is_empty()) || !log || !views || part(file) == Part::Seeds,
        "{context}"
    );
    assert!(whole || !log, "{context}: stopped at once, and its log is said to be whole");
    true
}

/// Ends the node. It may have stopped at once, or does so now, because a commit met the damage: then with the words for it.
/// Whether it ended in good order.
fn stopped(node: Node, broke_off: bool, context: &str) -> bool {
    if !broke_off {
        node.terminate();
    }
    let log = node.log.clone();
    let status = node.ends();
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    let at_once =
        status.signal() == Some(SIGABRT) && said.contains("stopping at once") && !said.contains("panicked");
    assert!(at_once || (status.success() && !broke_off), "{context}: {status}: {said}");
    !at_once
}

/// Asks everything. What is not answered as before is refused with a code; answers which, and nothing if the node broke off.
fn asked(of: &Specimen, node: &Node, context: &str) -> Option<Vec<String>> {
    let mut wrong = Vec::new();
    for ((path, expected), (_, found)) in of.truth.answers.iter().zip(of.truth.asked(node)?) {
        if found != *expected {
            let body = serde_json::from_slice::<Value>(&found.1).unwrap_or_default();
            let code = body["code"].as_str();
            assert!(found.0 >= 500 && code.is_some(), "{context}: {path}: {} {code:?}", found.0);
            wrong.push(format!("{path}: {code:?}"));
        }
    }
    for (order, beneficiary, secret) in &of.truth.secrets {
        let answer = node.try_redeem(order, beneficiary)?;
        match answer.status {
            200 => assert_eq!(answer.str("secret"), *secret, "{context}"),
            status => {
                assert!(status >= 500, "{context}: {answer:?}");
                wrong.push(format!("{order}: {}", answer.str("code")));
            }
        }
    }
    Some(wrong)
}
