//! The file beside the log: a log that lost what was published, or is another, is told from one that is whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use dta_crypto::{IdentityKeys, Secret};
use dta_events::Rules;
use dta_events::ids::{identity_aggregate, log_aggregate};
use dta_events::log::{Checkpoints, Facts, Made};
use dta_events::record::{Aggregate, Effect, Stored};
use dta_proof::{Note, Origin, tree};
use dta_protocol::{Cid, Codec, Identity};

use super::published::{PublishedError, check, write};
use super::{Published, found};
use crate::actors::log::memory::{MemoryLog, MemoryStore};
use crate::actors::log::{Append, EventLog, LogReader as _, Tree};

struct Node {
    keys: IdentityKeys,
    alice: Identity,
    log: MemoryLog,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

fn append(aggregate: Aggregate, expected_version: u64, effect: Effect) -> Append {
    Append {
        aggregate,
        expected_version,
        time_ms: 1,
        by: "timer".into(),
        request: None,
        trace_id: [0; 16],
        command: Stored { name: "test".into(), schema: 1, bytes: Vec::new() },
        effect,
        blocks: Vec::new(),
        drop_held: Vec::new(),
        publish: Vec::new(),
        due_ms: None,
    }
}

/// A log that draws its randomness from this byte: two with different bytes are different logs.
fn node(chance: u8) -> Node {
    // Signing is randomised: two documents would be two identities.
    static ALICE: OnceLock<Identity> = OnceLock::new();
    let keys = IdentityKeys::from_seed(&Secret::from_bytes([9; 32]));
    let alice = ALICE.get_or_init(|| Identity::create(&keys, "alice", None, None, 1).unwrap()).clone();
    let entropy = Box::new(move |bytes: &mut [u8]| {
        bytes.fill(chance);
        Ok(())
    });
    let log = MemoryLog::create(MemoryStore::default(), Arc::new(Rules), entropy).unwrap();
    let folder = tempfile::tempdir().unwrap();
    Node { keys, alice, log, file: folder.path().join("checkpoint.json"), _folder: folder }
}

impl Node {
    fn records(&self, count: u64) {
        let aggregate = identity_aggregate(&self.alice.cid());
        let version = self.log.load(&aggregate).unwrap().len() as u64;
        let batch = (0..count).map(|n| append(aggregate, version + n, Effect::Events(Vec::new())));
        assert!(self.log.commit(batch.collect()).unwrap().iter().all(Result::is_ok));
    }

    /// Commits to the log, in the log alone.
    fn checkpoint(&self) -> Published {
        let (checkpoints, version) = found(&self.log, &self.alice.cid()).unwrap();
        let head = self.log.head().unwrap().count;
        let draft = checkpoints.prepare(&Facts { now_ms: 1, head, models: Vec::new() }).unwrap();
        let root = tree::root(&Tree(&self.log), draft.size).unwrap();
        let origin = Origin { identity: self.alice.cid(), epoch: 0 };
        let note = Note::sign(origin, draft.size, root, &self.keys).unwrap();
        let cid = Cid::of(Codec::DagCbor, note.text().as_bytes());
        let made = Made { cid, note: note.text().into(), epoch: 0, root, sealed: draft.size };
        let event = checkpoints.decide(&draft, made);
        let effect = Effect::Events(vec![event.to_stored().unwrap()]);
        let appended =
            self.log.commit(vec![append(log_aggregate(&self.alice.cid()), version, effect)]).unwrap();
        assert!(appended[0].is_ok());
        Published { cid, number: draft.number, note }
    }

    fn check(&self) -> Result<Option<Published>, PublishedError> {
        check(&self.file, &self.log, &self.alice)
    }

    fn refused(&self) -> String {
        self.check().unwrap_err().to_string()
    }
}

fn noted(path: &Path) -> Option<Vec<u8>> {
    fs::read(path).ok()
}

#[test]
fn a_log_that_is_what_it_was_opens_and_the_file_is_brought_up_to_date() {
    let node = node(1);
    assert_eq!(node.check().unwrap(), None);
    node.records(3);
    assert_eq!(node.check().unwrap(), None, "nothing published");
    assert_eq!(noted(&node.file), None);
    let first = node.checkpoint();
    assert_eq!(node.check().unwrap(), Some(first), "a crash before it was noted");
    let file = noted(&node.file).unwrap();
    node.records(2);
    let second = node.checkpoint();
    assert_eq!(node.check().unwrap().as_ref(), Some(&second));
    let newer = noted(&node.file).unwrap();
    assert_ne!(newer, file);
    fs::write(&node.file, &file).unwrap();
    assert_eq!(node.check().unwrap().as_ref(), Some(&second), "an older file");
    assert_eq!(noted(&node.file), Some(newer.clone()));
    fs::remove_file(&node.file).unwrap();
    assert_eq!(node.check().unwrap(), Some(second), "no file");
    assert_eq!(noted(&node.file), Some(newer));
}

#[test]
fn a_log_that_lost_its_end_is_refused() {
    let whole = node(1);
    whole.records(3);
    whole.checkpoint();
    whole.records(3);
    let newest = whole.checkpoint();
    let shorter = node(1);
    write(&shorter.file, &newest).unwrap();
    let said = "checkpoint 1 is published, of 7 records; the log has";
    assert_eq!(shorter.refused(), format!("{said} 0"));
    shorter.records(3);
    assert_eq!(shorter.refused(), format!("{said} 3"));
    shorter.checkpoint();
    shorter.records(2);
    assert_eq!(shorter.refused(), format!("{said} 6"));
    shorter.records(1);
    let lost = "checkpoint 1 is published, of 7 records; the log has 7, but not that checkpoint";
    assert_eq!(shorter.refused(), lost, "all that it is about, without its own record");
    assert_eq!(shorter.checkpoint(), newest, "the same chance, the same log");
    assert_eq!(shorter.check().unwrap(), Some(newest));
}

#[test]
fn another_log_is_refused() {
    let whole = node(1);
    whole.records(3);
    let newest = whole.checkpoint();
    for with_its_own in [false, true] {
        let other = node(2);
        write(&other.file, &newest).unwrap();
        other.records(3);
        if with_its_own {
            other.checkpoint();
        }
        other.records(9);
        let conflict =
            "checkpoint 0 is published, of 3 records: the first 3 records of the log are not those";
        assert_eq!(other.refused(), conflict);
    }
}

#[test]
fn two_checkpoints_of_one_number_are_a_conflict() {
    let node = node(1);
    node.records(3);
    let own = node.checkpoint();
    let other = Published { cid: Cid::of(Codec::DagCbor, b"another envelope"), ..own };
    write(&node.file, &other).unwrap();
    assert!(node.refused().starts_with("checkpoint 0 is published, of 3 records: "), "{}", node.refused());
}

#[test]
fn a_file_that_is_damaged_or_anothers_is_not_passed_over() {
    let node = node(1);
    node.records(3);
    let own = node.checkpoint();
    node.check().unwrap();
    let whole = noted(&node.file).unwrap();
    for end in 0..whole.len() {
        fs::write(&node.file, &whole[..end]).unwrap();
        assert!(node.check().is_err(), "cut at {end}");
    }
    let text = String::from_utf8(whole).unwrap();
    for (changed, words) in [
        (text.replace("\"number\"", "\"extra\": 1, \"number\""), "is damaged: unknown field"),
        (text.replace(&own.cid.to_string(), "bafy"), "is damaged:"),
        (text.replace("/0\\n3\\n", "/0\\n2\\n"), "its note: the note has no signature"),
        (text.replace("milagro-dta/", "example/"), "its note: the note's origin"),
    ] {
        assert_ne!(changed, text);
        fs::write(&node.file, &changed).unwrap();
        assert!(node.refused().starts_with(words), "{}", node.refused());
    }
    let (mallory, size, root) = (IdentityKeys::from_seed(&Secret::from_bytes([8; 32])), 1, own.note.root());
    let identity = Identity::create(&mallory, "mallory", None, None, 1).unwrap().cid();
    let theirs = Note::sign(Origin { identity, epoch: 0 }, size, root, &mallory).unwrap();
    write(&node.file, &Published { note: theirs, ..own }).unwrap();
    assert_eq!(node.refused(), "its note: the note is of another identity's log");
}

#[test]
fn a_refusal_in_the_logs_own_history_is_named() {
    let node = node(1);
    let effect = Effect::Refused { code: "no".into(), details: String::new() };
    node.log.commit(vec![append(log_aggregate(&node.alice.cid()), 0, effect)]).unwrap();
    assert!(node.refused().contains("record 0: a checkpoint is never refused"), "{}", node.refused());
    assert_eq!(found(&node.log, &Cid::of(Codec::DagCbor, b"x")).unwrap(), (Checkpoints::default(), 0));
}
