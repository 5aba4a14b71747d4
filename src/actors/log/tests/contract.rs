//! What every backend must do. Each test ends with a verified log.

use super::*;
use BlockClass::{Held, Published};
use dta_events::codec::STORED_BYTES_MAX;
use dta_events::record::{NO_PREVIOUS, hash_of};
use dta_proof::Leaf;
use dta_proof::tree::{self, Frontier};

macro_rules! contract {
    ($($name:ident)*) => {
        mod in_memory {
            $(#[test] fn $name() {
                let log = super::memory(&super::MemoryStore::default());
                super::$name(&log);
                super::verified(&log);
            })*
        }
        mod on_disk {
            $(#[test] fn $name() {
                let folder = tempfile::tempdir().unwrap();
                let log = super::rocks(folder.path());
                super::$name(&log);
                super::verified(&log);
            })*
        }
    };
}

contract! {
    an_empty_log
    records_are_numbered_and_chained
    what_is_appended_is_loaded
    a_history_is_only_its_own
    refusals_count_as_versions
    a_stale_version_fails_alone
    a_claim_is_taken_once
    a_repeated_request_hears_of_its_record
    a_refused_append_leaves_nothing
    a_timer_replaces_the_former_one
    timers_come_in_order_of_time
    the_later_record_owns_an_envelope
    blocks_are_of_two_classes
    a_held_block_is_published_once
    a_held_block_is_dropped_for_good
    a_published_block_stays
    a_mirror_goes_on_where_it_was
    pages_of_records
    too_large_a_record_fails_alone
    many_batches_stay_whole
    the_newest_record_of_a_history
    the_tree_is_over_every_record
    a_refused_append_is_not_in_the_tree
}

fn an_empty_log(log: &dyn EventLog) {
    assert_eq!(log.head().unwrap(), Head { count: 0, hash: NO_PREVIOUS });
    assert_eq!(log.read(0, 10).unwrap(), []);
    assert_eq!(log.load(&order(1)).unwrap(), []);
    assert_eq!(log.claim(&[1; 32]).unwrap(), None);
    assert_eq!(log.envelope(&[1; 36]).unwrap(), None);
    assert_eq!(log.brought_by(&[1; 36]).unwrap(), None);
    assert_eq!(log.due(u64::MAX, 10).unwrap(), []);
    assert_eq!(log.block(&cid(b"")).unwrap(), None);
    assert_eq!(log.published(None, 10).unwrap(), []);
    assert_eq!(log.commit(vec![]).unwrap(), []);
    assert_eq!(log.head().unwrap().count, 0);
}

fn records_are_numbered_and_chained(log: &dyn EventLog) {
    let batch = vec![append(1, 0), append(2, 0), append(1, 1)];
    let mut appended: Vec<_> = log.commit(batch).unwrap().into_iter().map(Result::unwrap).collect();
    appended.push(taken(log, append(1, 2)));
    let places: Vec<_> = appended.iter().map(|at| (at.sequence, at.version)).collect();
    assert_eq!(places, [(0, 1), (1, 1), (2, 2), (3, 3)]);
    let mut previous = NO_PREVIOUS;
    for ((sequence, stored), at) in log.read(0, 10).unwrap().into_iter().zip(&appended) {
        let record = Record::decode(&stored).unwrap();
        assert_eq!((record.sequence, record.previous), (sequence, previous));
        assert_eq!(at.hash, hash_of(&stored));
        previous = at.hash;
    }
    assert_eq!(log.head().unwrap(), Head { count: 4, hash: previous });
}

fn what_is_appended_is_loaded(log: &dyn EventLog) {
    let said = append(1, 0).keyed(7).claiming([0x11; 32]).due(5);
    taken(log, said.clone());
    let [record] = &log.load(&order(1)).unwrap()[..] else { panic!("one record") };
    assert_eq!((record.aggregate, record.version, record.time_ms), (said.aggregate, 1, said.time_ms));
    assert_eq!((&record.by, record.request, record.trace_id), (&said.by, said.request, said.trace_id));
    assert_eq!((&record.command, &record.effect), (&said.command, &said.effect));
    taken(log, said_again());
    let again = &log.load(&order(1)).unwrap()[1];
    let random = [record.nonce, record.blind, again.nonce, again.blind];
    for (at, one) in random.iter().enumerate() {
        assert_ne!(*one, [0; 32]);
        assert!(!random[..at].contains(one), "drawn twice");
    }
}

fn said_again() -> Append {
    append(1, 1)
}

fn a_history_is_only_its_own(log: &dyn EventLog) {
    let of = |kind, id: [u8; 32], expected| {
        let aggregate = Aggregate { kind, id };
        taken(log, Append { aggregate, ..append(0, expected) });
        aggregate
    };
    let mut above = [0xff; 32];
    let ends = [
        of(AggregateKind::Identity, [0xff; 32], 0),
        of(AggregateKind::Order, [0; 32], 0),
        of(AggregateKind::Order, above, 0),
        of(AggregateKind::Peer, [0; 32], 0),
    ];
    above[31] = 0xfe;
    of(AggregateKind::Order, above, 0);
    of(AggregateKind::Order, [0; 32], 1);
    let versions = |aggregate| log.load(aggregate).unwrap().iter().map(|record| record.version).max();
    assert_eq!(ends.each_ref().map(versions), [Some(1), Some(2), Some(1), Some(1)]);
    assert_eq!(versions(&Aggregate { kind: AggregateKind::Seed, id: [0; 32] }), None);
    let all = |kind| log.aggregates(kind).unwrap();
    assert_eq!(all(AggregateKind::Order), [ends[1], Aggregate { id: above, ..ends[1] }, ends[2]]);
    assert_eq!((all(AggregateKind::Identity), all(AggregateKind::Peer)), (vec![ends[0]], vec![ends[3]]));
    assert!(all(AggregateKind::Node).is_empty() && all(AggregateKind::Seed).is_empty());
}

fn the_newest_record_of_a_history(log: &dyn EventLog) {
    assert_eq!(log.newest(&order(1)).unwrap(), None);
    taken(log, append(1, 0));
    taken(log, append(3, 0));
    assert_eq!(log.newest(&order(2)).unwrap(), None, "between two that there are");
    taken(log, append(1, 1).refused());
    let newest = log.newest(&order(1)).unwrap();
    assert_eq!(newest.as_ref(), log.load(&order(1)).unwrap().last());
    assert_eq!(newest.map(|record| (record.sequence, record.version)), Some((2, 2)));
    assert_eq!(log.newest(&order(3)).unwrap().map(|record| record.sequence), Some(1));
}

/// The root, from the records alone.
fn expected_root(log: &dyn EventLog) -> dta_proof::Hash {
    let mut tree = Frontier::empty();
    for (sequence, stored) in log.read(0, usize::MAX).unwrap() {
        let record = Record::decode(&stored).unwrap();
        let leaf = Leaf::of(sequence, hash_of(&stored), &record.blind, &Spelt.envelopes(&record));
        tree.push(leaf.hash());
    }
    tree.root()
}

fn the_tree_is_over_every_record(log: &dyn EventLog) {
    assert_eq!(tree::root(&Tree(log), 0), Ok(tree::EMPTY_ROOT));
    fill(log);
    let mut roots = vec![tree::EMPTY_ROOT];
    for more in 0..40 {
        let batch = (0..more % 7).map(|_| append(9, u64::MAX).refused());
        assert!(log.commit(batch.collect()).unwrap().iter().all(Result::is_err));
        taken(log, append(4, more).bringing(cid(&[more as u8])));
        let size = log.head().unwrap().count;
        roots.push(tree::root(&Tree(log), size).unwrap());
        assert_eq!(roots.last(), Some(&expected_root(log)));
    }
    let size = log.head().unwrap().count;
    assert_eq!(size, 46);
    for (old, root) in (6..).zip(roots).skip(1) {
        let path = tree::prove_consistency(&Tree(log), size, old).unwrap();
        tree::check_consistency(&path, size, expected_root(log), old, root).unwrap();
    }
    assert!(log.hashes(&[tree::stored(size)]).is_err(), "a place that is not there yet");
}

fn a_refused_append_is_not_in_the_tree(log: &dyn EventLog) {
    let big = Append {
        command: Stored { name: "do".into(), schema: 1, bytes: vec![0; STORED_BYTES_MAX as usize] },
        ..append(2, 0)
    };
    let batch = vec![append(1, 0), append(1, 0), big, append(2, 0).publishing(b"nothing"), append(3, 0)];
    let taken = log.commit(batch).unwrap().iter().filter(|result| result.is_ok()).count();
    assert_eq!((taken, log.head().unwrap().count), (2, 2));
    assert_eq!(tree::root(&Tree(log), 2), Ok(expected_root(log)));
}

fn refusals_count_as_versions(log: &dyn EventLog) {
    taken(log, append(1, 0).refused());
    assert_eq!(one(log, append(1, 0)), Err(NotWritten::Version { expected: 0, actual: 1 }));
    assert_eq!(taken(log, append(1, 1)).version, 2);
    assert!(matches!(log.load(&order(1)).unwrap()[0].effect, Effect::Refused { .. }));
}

fn a_stale_version_fails_alone(log: &dyn EventLog) {
    let batch = vec![append(1, 0), append(1, 0), append(2, 0), append(2, 5), append(1, 1)];
    let results = log.commit(batch).unwrap();
    let stale = |expected| Some(NotWritten::Version { expected, actual: 1 });
    let refused: Vec<_> = results.iter().map(|result| result.err()).collect();
    assert_eq!(refused, [None, stale(0), None, stale(5), None]);
    assert_eq!(log.head().unwrap().count, 3);
    assert_eq!(results[4].unwrap().sequence, 2);
}

fn a_claim_is_taken_once(log: &dyn EventLog) {
    let claim = [0xcc; 32];
    let taken_at = |sequence| Err(NotWritten::ClaimTaken { claim, sequence });
    let batch = vec![append(9, 0), append(1, 0).claiming(claim), append(2, 0).claiming(claim)];
    let results = log.commit(batch).unwrap();
    assert_eq!(results[2], taken_at(1));
    assert_eq!(one(log, append(3, 0).claiming([1; 32]).claiming(claim)), taken_at(1));
    assert_eq!(log.claim(&claim).unwrap(), Some(1));
    assert_eq!(log.claim(&[1; 32]).unwrap(), None, "a refused append claims nothing");
    taken(log, append(3, 0).claiming([1; 32]).claiming([1; 32]));
}

fn a_repeated_request_hears_of_its_record(log: &dyn EventLog) {
    let first = taken(log, append(1, 0).keyed(7));
    let again = one(log, append(1, 0).keyed(7));
    assert_eq!(again, Err(NotWritten::ClaimTaken { claim: [7; 32], sequence: first.sequence }));
    assert_eq!(log.claim(&[7; 32]).unwrap(), Some(first.sequence));
}

fn a_refused_append_leaves_nothing(log: &dyn EventLog) {
    taken(log, append(1, 0).with(Held, b"kept").due(10));
    let everything = || append(1, 5).claiming([1; 32]).bringing(cid(b"e")).with(Published, b"new");
    assert!(one(log, everything().publishing(b"kept").due(99)).is_err());
    let missing = everything().publishing(b"kept").dropping(b"kept");
    let missing = Append { expected_version: 1, ..missing }.publishing(b"missing").due(99);
    let results = log.commit(vec![missing, append(2, 0)]).unwrap();
    assert_eq!(results[0], Err(NotWritten::NotHeld { cid: cid(b"missing") }));
    assert!(results[1].is_ok());
    assert_eq!(log.claim(&[1; 32]).unwrap(), None);
    assert_eq!(log.envelope(&cid(b"e")).unwrap(), None);
    assert_eq!(log.block(&cid(b"new")).unwrap(), None);
    assert!(matches!(log.block(&cid(b"kept")).unwrap(), Some(StoredBlock::Held(_))));
    assert_eq!(log.published(None, 10).unwrap(), []);
    assert_eq!(log.due(u64::MAX, 10).unwrap(), [(10, order(1))]);
}

fn a_timer_replaces_the_former_one(log: &dyn EventLog) {
    taken(log, append(1, 0).due(500));
    log.commit(vec![append(1, 1).due(300), append(1, 2).due(400)]).unwrap();
    assert_eq!(log.due(u64::MAX, 10).unwrap(), [(400, order(1))]);
    taken(log, append(1, 3).due(400));
    assert_eq!(log.due(u64::MAX, 10).unwrap(), [(400, order(1))]);
    taken(log, append(1, 4));
    assert_eq!(log.due(u64::MAX, 10).unwrap(), []);
}

fn timers_come_in_order_of_time(log: &dyn EventLog) {
    for (id, due_ms) in [(1, 256), (2, 255), (3, u64::MAX), (4, 0), (5, 256)] {
        taken(log, append(id, 0).due(due_ms));
    }
    let ids = |until_ms, limit| {
        let due = log.due(until_ms, limit).unwrap();
        due.into_iter().map(|(_, aggregate)| aggregate.id[0]).collect::<Vec<_>>()
    };
    assert_eq!(ids(u64::MAX, 10), [4, 2, 1, 5, 3]);
    assert_eq!(ids(256, 10), [4, 2, 1, 5]);
    assert_eq!(ids(255, 10), [4, 2]);
    assert_eq!(ids(254, 10), [4]);
    assert_eq!(ids(u64::MAX, 2), [4, 2]);
    assert!(ids(u64::MAX, 0).is_empty());
}

fn the_later_record_owns_an_envelope(log: &dyn EventLog) {
    taken(log, append(1, 0).bringing(cid(b"a")).bringing(cid(b"a")));
    assert_eq!(log.envelope(&cid(b"a")).unwrap(), Some(order(1)));
    taken(log, append(2, 0).bringing(cid(b"a")).bringing(cid(b"b")));
    assert_eq!(log.envelope(&cid(b"a")).unwrap(), Some(order(2)));
    assert_eq!(log.envelope(&cid(b"b")).unwrap(), Some(order(2)));
}

fn blocks_are_of_two_classes(log: &dyn EventLog) {
    taken(log, append(1, 0).with(Published, b"open").with(Held, b"kept").with(Published, b""));
    let open = log.published_block(&cid(b"open")).unwrap().unwrap();
    assert_eq!((open.cid(), open.bytes()), (&cid(b"open"), b"open".as_slice()));
    assert_eq!(log.block(&cid(b"open")).unwrap(), Some(StoredBlock::Published(open)));
    let Some(StoredBlock::Held(kept)) = log.block(&cid(b"kept")).unwrap() else { panic!("held") };
    assert_eq!((kept.cid(), kept.bytes()), (&cid(b"kept"), b"kept".as_slice()));
    assert_eq!(log.published_block(&cid(b"kept")).unwrap(), None);
    assert_eq!(published(log), [(0, 0, b"open".to_vec()), (0, 1, b"".to_vec())]);
}

fn published(log: &dyn EventLog) -> Vec<(u64, u32, Vec<u8>)> {
    let blocks = log.published(None, 100).unwrap();
    blocks.into_iter().map(|(at, block)| (at.sequence, at.n, block.bytes().to_vec())).collect()
}

fn a_held_block_is_published_once(log: &dyn EventLog) {
    taken(log, append(1, 0).with(Held, b"a").with(Held, b"b"));
    taken(log, append(1, 1).with(Published, b"new").publishing(b"a"));
    taken(log, append(1, 2).with(Published, b"b").with(Published, b"a").publishing(b"a").publishing(b"b"));
    taken(log, append(1, 3).with(Held, b"c").publishing(b"c").publishing(b"c"));
    let expected = [(1, 0, "new"), (1, 1, "a"), (2, 0, "b"), (3, 0, "c")];
    assert_eq!(published(log), expected.map(|(sequence, n, bytes)| (sequence, n, bytes.into())));
}

fn a_held_block_is_dropped_for_good(log: &dyn EventLog) {
    taken(log, append(1, 0).with(Held, b"a").with(Held, b"b"));
    taken(log, append(1, 1).dropping(b"a").dropping(b"never was"));
    assert_eq!(log.block(&cid(b"a")).unwrap(), None);
    assert!(log.block(&cid(b"b")).unwrap().is_some());
    taken(log, append(1, 2).dropping(b"a"));
    let gone = NotWritten::NotHeld { cid: cid(b"a") };
    assert_eq!(one(log, append(1, 3).publishing(b"a")), Err(gone));
    let results = log.commit(vec![append(1, 3).dropping(b"b"), append(1, 4).publishing(b"b")]).unwrap();
    assert_eq!(results[1], Err(NotWritten::NotHeld { cid: cid(b"b") }), "in the same batch too");
    taken(log, append(1, 4).with(Held, b"a"));
    assert!(log.block(&cid(b"a")).unwrap().is_some(), "unless it is given again");
}

fn a_published_block_stays(log: &dyn EventLog) {
    taken(log, append(1, 0).with(Published, b"a"));
    taken(log, append(1, 1).with(Held, b"a"));
    assert!(log.published_block(&cid(b"a")).unwrap().is_some());
    assert_eq!(one(log, append(1, 2).dropping(b"a")), Err(NotWritten::NotHeld { cid: cid(b"a") }));
    let both = append(1, 2).with(Held, b"b").publishing(b"b").dropping(b"b");
    assert_eq!(one(log, both), Err(NotWritten::NotHeld { cid: cid(b"b") }));
    assert_eq!(published(log), [(0, 0, b"a".to_vec())]);
}

fn a_mirror_goes_on_where_it_was(log: &dyn EventLog) {
    let bytes: Vec<_> = (0..7u8).map(|byte| [byte]).collect();
    taken(log, append(1, 0).with(Published, &bytes[0]).with(Published, &bytes[1]).with(Published, &bytes[2]));
    taken(log, append(2, 0).with(Published, &bytes[3]));
    taken(log, append(2, 1).with(Published, &bytes[4]).with(Published, &bytes[5]).with(Published, &bytes[6]));
    for limit in 1..8 {
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = log.published(cursor, limit).unwrap();
            assert!(page.len() <= limit);
            let Some((last, _)) = page.last() else { break };
            cursor = Some(*last);
            seen.extend(page.iter().map(|(_, block)| block.bytes()[0]));
        }
        assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6], "{limit} at a time");
    }
}

fn pages_of_records(log: &dyn EventLog) {
    let batch = (0..10).map(|id| append(id, 0)).collect();
    log.commit(batch).unwrap();
    let sequences = |from, limit| {
        let page = log.read(from, limit).unwrap();
        page.into_iter().map(|(sequence, _)| sequence).collect::<Vec<_>>()
    };
    assert_eq!(sequences(0, 100), (0..10).collect::<Vec<_>>());
    assert_eq!(sequences(3, 4), [3, 4, 5, 6]);
    assert_eq!(sequences(9, 4), [9]);
    assert!(sequences(10, 4).is_empty());
    assert!(sequences(u64::MAX, 4).is_empty());
    assert!(sequences(0, 0).is_empty());
}

fn too_large_a_record_fails_alone(log: &dyn EventLog) {
    let mut large = append(1, 0).claiming([1; 32]).with(Published, b"a");
    large.command.bytes = vec![0; dta_events::codec::STORED_BYTES_MAX as usize];
    let results = log.commit(vec![large, append(1, 0).claiming([1; 32])]).unwrap();
    assert_eq!(results[0], Err(NotWritten::TooLarge));
    assert!(results[1].is_ok());
    assert_eq!(log.block(&cid(b"a")).unwrap(), None);
}

fn many_batches_stay_whole(log: &dyn EventLog) {
    let mut version = [0u64; 16];
    for round in 0..40u64 {
        let mut batch = Vec::new();
        for id in (0..16u8).filter(|id| (round * 7 + u64::from(*id) * 5) % 3 == 0) {
            let slot = &mut version[usize::from(id)];
            let text = [round.to_be_bytes().as_slice(), &[id]].concat();
            batch.push(append(id, *slot).bringing(cid(&text)).with(Published, &text).due(round % 5));
            *slot += 1;
        }
        assert!(log.commit(batch).unwrap().iter().all(Result::is_ok));
    }
    for id in 0..16u8 {
        assert_eq!(log.load(&order(id)).unwrap().len() as u64, version[usize::from(id)]);
    }
    assert_eq!(log.head().unwrap().count, version.iter().sum::<u64>());
}
