//! Thousands of harms, each to one file of a home, judged in this process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use milagro_dta::home::Home as Layout;

use crate::harm::{Draw, Harm, counterpart, cuts, flips};
use crate::judge::{DIFFERS, Troubles, Verdict, judge};
use crate::kit::Home;
use crate::specimen::{Specimen, specimens};

/// Changed bits of one long file.
const FLIPS: u64 = 5;
/// How many judge at a time.
const JUDGES: usize = 3;

/// What is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Log,
    Views,
    Seeds,
    Keys,
    Other,
    Published,
}

pub fn part(file: &Path) -> Part {
    let mut names = file.iter().map(|name| name.to_str().unwrap());
    match (names.next(), names.next()) {
        (Some("copy"), _) | (_, Some("seeds")) => Part::Seeds,
        (_, Some("log")) => Part::Log,
        (_, Some("views")) => Part::Views,
        (_, Some("ipfs")) => Part::Published,
        (_, Some("seed.json" | "seed.key")) => Part::Keys,
        _ => Part::Other,
    }
}

/// Counts what became of homes, for a test to see that its harms did something.
#[derive(Default)]
pub struct Tally {
    pub refused: usize,
    pub troubled: usize,
    pub whole: usize,
    told: BTreeMap<String, usize>,
}

impl Tally {
    fn of(&mut self, part: Part, harm: &Harm, verdict: &Verdict) {
        let told = match verdict {
            Verdict::Refused(why) => {
                self.refused += 1;
                format!("refused: {why}")
            }
            Verdict::Stands(troubles) if troubles.none() => {
                self.whole += 1;
                "whole".to_owned()
            }
            Verdict::Stands(troubles) => {
                self.troubled += 1;
                format!("{troubles:?}")
            }
        };
        // One line a kind of outcome: without numbers and the names of folders made for the test.
        let told = told.split(' ').map(|word| if word.contains('/') { "…" } else { word });
        let told: Vec<_> =
            told.filter(|word| !word.contains(|c: char| c.is_ascii_digit())).take(24).collect();
        *self.told.entry(format!("{part:?} {}: {}", harm.kind(), told.join(" "))).or_default() += 1;
    }

    pub fn print(&self, title: &str) {
        println!("{title}: {} refused, {} with trouble, {} whole", self.refused, self.troubled, self.whole);
        self.told.iter().for_each(|(told, times)| println!("{times:>6} {told}"));
    }
}

/// Each harm to a copy of its own.
fn all_suffer(of: &Specimen, harms: &[(PathBuf, Harm)], tally: &Mutex<Tally>) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..JUDGES {
            scope.spawn(|| {
                while let Some((file, harm)) = harms.get(next.fetch_add(1, SeqCst)) {
                    suffers(of, file, harm, tally);
                }
            });
        }
    });
}

/// Does one harm to a copy and judges it, twice: what the first opening repairs or leaves must be right for the second.
fn suffers(of: &Specimen, file: &Path, harm: &Harm, tally: &Mutex<Tally>) {
    let home = of.copied_unpublished();
    harm.to(&home.folder().join(file));
    let layout = Layout::new(home.path());
    for _ in 0..2 {
        let verdict = judge(&layout, &of.truth);
        let context = || format!("{} {harm}: {verdict:?}", file.display());
        match &verdict {
            Verdict::Refused(why) => assert!(is_clear(why, part(file)), "{}", context()),
            Verdict::Stands(troubles) => {
                assert!(is_of(part(file), troubles), "{}", context());
                // RocksDB takes an older file of its own for its own: only a comparison with the log tells.
                let known = part(file) == Part::Views && matches!(harm, Harm::Swap(_));
                let differs = troubles.views.iter().any(|view| view.starts_with(DIFFERS));
                assert!(known || !differs, "{}", context());
            }
        }
        tally.lock().unwrap().of(part(file), harm, &verdict);
        // An opening that was refused changed nothing; of the many changed bits every fourth must do.
        if matches!(verdict, Verdict::Refused(_)) || matches!(harm, Harm::Flip(at, _) if at % 4 != 0) {
            break;
        }
    }
}

/// Names what is damaged, and says what to do.
pub fn is_clear(why: &str, part: Part) -> bool {
    let named: &[&str] = match part {
        Part::Log => &["log"],
        Part::Views => &["views"],
        Part::Seeds => &["seeds"],
        Part::Keys => &["seed.json", "seed.key"],
        Part::Other => &["config.toml", "lock", "checkpoint.json"],
        Part::Published => &["ipfs"],
    };
    let done = [
        "name it again",
        "restore",
        "run `dta",
        "`dta projection rebuild`",
        "run a newer",
        "must be",
        "unknown",
        "TOML",
    ];
    named.iter().any(|name| why.contains(name)) && done.iter().any(|word| why.contains(word))
}

/// Only what is damaged is in trouble.
fn is_of(part: Part, troubles: &Troubles) -> bool {
    let Troubles { log, custody, views, unknown_seeds } = troubles;
    let log_and_views = log.is_empty() && views.is_empty();
    match part {
        // Read models that cannot read the log say so.
        Part::Log => custody.is_empty() && (views.is_empty() || !log.is_empty()),
        Part::Views => log.is_empty() && custody.is_empty() && *unknown_seeds == 0,
        Part::Seeds => log_and_views && *unknown_seeds == 0,
        Part::Keys | Part::Other | Part::Published => troubles.none(),
    }
}

/// Files of a home that its opening reads: what is published has tests of its own.
fn opened(of: &Specimen) -> Vec<PathBuf> {
    of.files().into_iter().filter(|file| part(file) != Part::Published).collect()
}

fn length(of: &Specimen, file: &Path) -> u64 {
    std::fs::metadata(of.folder().join(file)).unwrap().len()
}

#[test]
fn a_home_that_was_not_damaged_is_whole() {
    let all = specimens();
    for of in [&all.clean, &all.killed, &all.alone] {
        let home = of.copied();
        for _ in 0..3 {
            let verdict = judge(&Layout::new(home.path()), &of.truth);
            assert!(matches!(&verdict, Verdict::Stands(troubles) if troubles.none()), "{verdict:?}");
        }
        assert!(of.truth.seeds.len() >= 5 && of.truth.records.len() > 20);
    }
}

#[test]
fn each_file_missing_or_cut() {
    let all = specimens();
    let tally = Mutex::default();
    for of in [&all.clean, &all.killed, &all.alone] {
        let mut harms = Vec::new();
        for file in opened(of) {
            let every = [vec![Harm::Missing], cuts(length(of, &file))].concat();
            harms.extend(every.into_iter().map(|harm| (file.clone(), harm)));
        }
        all_suffer(of, &harms, &tally);
    }
    let tally = tally.into_inner().unwrap();
    tally.print("missing or cut");
    assert!(tally.refused > 50 && tally.whole > 50, "{} {}", tally.refused, tally.whole);
}

#[test]
fn each_file_with_changed_bits() {
    let all = specimens();
    let tally = Mutex::default();
    for (n, of) in [&all.clean, &all.killed, &all.alone].into_iter().enumerate() {
        let mut draw = Draw(n as u64);
        let mut harms = Vec::new();
        for file in opened(of) {
            // A changed letter of a setting is a setting all the same.
            if !file.ends_with("config.toml") {
                let every = flips(length(of, &file), FLIPS, &mut draw);
                harms.extend(every.into_iter().map(|harm| (file.clone(), harm)));
            }
        }
        all_suffer(of, &harms, &tally);
    }
    let tally = tally.into_inner().unwrap();
    tally.print("flipped");
    assert!(tally.refused > 100 && tally.whole > 100, "{} {}", tally.refused, tally.whole);
}

#[test]
fn each_file_exchanged_for_another_homes_or_an_older_one() {
    let all = specimens();
    let tally = Mutex::default();
    for (of, other) in [(&all.clean, &all.alone), (&all.killed, &all.alone), (&all.alone, &all.clean)] {
        let mut harms = Vec::new();
        for file in opened(of) {
            let from = [other.folder(), of.older(), other.older()];
            let with = from.into_iter().filter_map(|from| counterpart(&file, of.folder(), from));
            harms.extend(with.map(|with| (file.clone(), Harm::Swap(with))));
        }
        // Another's settings are settings all the same, and name fewer copies or none.
        harms.retain(|(file, _)| !file.ends_with("config.toml") || of.truth.copies > 1);
        all_suffer(of, &harms, &tally);
    }
    let tally = tally.into_inner().unwrap();
    tally.print("swapped");
    assert!(tally.refused > 30 && tally.whole > 30, "{} {}", tally.refused, tally.whole);
}

/// Where the slots of a seed file begin, and how long one is (its format is frozen).
const SLOTS_AT: u64 = 4_096;
const SLOT: u64 = 512;

#[test]
fn a_seed_whose_slot_is_hit_is_missed_by_its_order_alone() {
    let all = specimens();
    let of = &all.alone;
    let file = Path::new("home/seeds/seeds.dta");
    let mut draw = Draw(4);
    let orders = of.truth.seeds.len();
    let mut hit = 0;
    for slot in 0..orders as u64 + 2 {
        for _ in 0..6 {
            let home = of.copied_unpublished();
            let at = SLOTS_AT + slot * SLOT + draw.below(SLOT);
            Harm::Flip(at, 3).to(&home.folder().join(file));
            let Verdict::Stands(troubles) = judge(&Layout::new(home.path()), &of.truth) else {
                panic!("{at}")
            };
            assert!(troubles.log.is_empty() && troubles.views.is_empty());
            let said: Vec<_> = troubles.custody.values().collect();
            // Orders get slots one after the other, and the log names orders by their hashes.
            assert_eq!(said.len(), usize::from(slot < orders as u64), "slot {slot}: {said:?}");
            hit += said.len();
            for said in said {
                assert_eq!(*said, format!("slot {slot} of the seed store is damaged in every copy"));
            }
        }
    }
    assert_eq!(hit, orders * 6);
}

#[test]
fn each_folder_missing() {
    let all = specimens();
    for of in [&all.clean, &all.alone] {
        let home = of.copied();
        for folder in folders(&home) {
            let home = of.copied();
            let inside = folder.strip_prefix("home").unwrap_or(&folder);
            std::fs::remove_dir_all(home.folder().join(&folder)).unwrap();
            let verdict = judge(&Layout::new(home.path()), &of.truth);
            match (part(&folder), &verdict) {
                (Part::Log, Verdict::Refused(why)) => assert!(is_clear(why, Part::Log), "{why}"),
                (Part::Seeds, Verdict::Refused(why)) if of.older() == all.alone.older() => {
                    assert!(is_clear(why, Part::Seeds), "{why}");
                }
                (Part::Seeds | Part::Views | Part::Published, Verdict::Stands(troubles)) => {
                    assert!(troubles.none(), "{}: {troubles:?}", inside.display());
                }
                _ => panic!("{}: {verdict:?}", folder.display()),
            }
        }
    }
}

/// Every folder below home and copy.
fn folders(home: &Home) -> Vec<PathBuf> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.push(path.clone());
                below(&path, found);
            }
        }
    }
    let mut found = Vec::new();
    below(home.folder(), &mut found);
    let root = home.folder();
    let mut found: Vec<_> =
        found.into_iter().map(|path| path.strip_prefix(root).unwrap().to_owned()).collect();
    found.retain(|folder| folder != Path::new("home"));
    found
}
