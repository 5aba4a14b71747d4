//! What the queries answer, against the log told by hand.

use dta_events::order::Stage;
use dta_projections::{Entry as Happened, all};

use super::*;

fn views(acts: &[Act]) -> (tempfile::TempDir, Views) {
    let folder = tempfile::tempdir().unwrap();
    let views = Views::open(folder.path(), &all()).unwrap();
    catch_up(&views, &log_of(acts));
    (folder, views)
}

#[test]
fn an_order_is_found_by_each_of_its_names() {
    let (_folder, views) = views(&story());
    let queries = views.queries();
    let row = queries.order_by_id(&order(0).id).unwrap().unwrap();
    assert_eq!((row.ordinal, row.order.reference.as_str()), (0, reference(0).as_str()));
    assert_eq!(row.order.stage, Stage::Received);
    assert_eq!(row.order.commitment(), Some([0; 65]));
    assert_eq!((row.created_at_ms, row.updated_at_ms), (1_700_000_000_002, 1_700_000_000_012));
    assert_eq!(queries.order_by_reference(&reference(0)).unwrap(), Some(row.clone()));
    assert_eq!(queries.order_by_placed(&placed_cid(0)).unwrap(), Some(row));
    // The principal of this one is elsewhere: its reference is not ours to look up.
    assert_eq!(queries.order_by_reference(&reference(1)).unwrap(), None);
    assert_eq!(queries.order_by_placed(&placed_cid(1)).unwrap().unwrap().order.reference, reference(1));
    assert_eq!(queries.order_by_placed(&placed_cid(2)).unwrap().unwrap().order.stage, Stage::Refused);
    assert_eq!(queries.order_by_placed(&cid("alice")).unwrap(), None);
    assert_eq!(queries.order_by_reference("").unwrap(), None);
    assert_eq!(queries.order_by_id(&[0; 32]).unwrap(), None);
}

#[test]
fn identities_are_found_and_listed() {
    let (_folder, views) = views(&story());
    let queries = views.queries();
    let [created, learned] = [0, 1].map(|n| identity_event(n).known().clone());
    let row = queries.identity(&created.cid).unwrap().unwrap();
    assert_eq!((row.ordinal, row.hosted, row.uuid, &row.known), (0, true, Some([0; 16]), &created));
    let second = queries.identity(&learned.cid).unwrap().unwrap();
    assert_eq!((second.ordinal, second.hosted, second.uuid, &second.known), (1, false, None, &learned));
    assert_eq!(queries.identities(0, 10, true).unwrap(), [row.clone(), second.clone()]);
    assert_eq!(queries.identities(0, 10, false).unwrap(), [second, row]);
    assert_eq!(queries.identity(&cid("alice")).unwrap(), None);
    assert_eq!(queries.counts().unwrap(), Counts { orders: 5, identities: 2 });
}

#[test]
fn pins_are_listed_as_they_were_set_with_the_names_of_the_identities() {
    use Act::{Identity, Pinned, Unpinned};
    let acts =
        [Identity(0), Identity(1), Pinned(1, 7), Pinned(0, 0), Pinned(2, 0), Pinned(1, 8), Unpinned(2)];
    let (_folder, views) = views(&acts);
    let queries = views.queries();
    let told = |page, per_page, ascending| -> Vec<(String, Option<String>, u64)> {
        let rows = queries.peers(page, per_page, ascending).unwrap();
        rows.into_iter().map(|(row, name)| (name, row.url, row.since)).collect()
    };
    let first = ("node 1".to_owned(), Some("http://127.0.0.1:8".to_owned()), 2);
    let second = ("node 0".to_owned(), None, 3);
    assert_eq!(told(0, 10, true), [first.clone(), second.clone()]);
    assert_eq!(told(0, u64::MAX, false), [second.clone(), first]);
    assert_eq!(told(0, 1, false), [second]);
    assert!(
        told(2, 1, false).is_empty() && told(u64::MAX, 1, true).is_empty() && told(0, 0, true).is_empty()
    );
}

#[test]
fn pages_are_cut_by_ordinal() {
    let acts: Vec<Act> = (0..23).map(Act::Placed).chain((0..23).rev().map(Act::Committed)).collect();
    let (_folder, views) = views(&acts);
    let queries = views.queries();
    let ordinals = |page, per_page, ascending| -> Vec<u64> {
        let rows = queries.orders(page, per_page, ascending).unwrap();
        rows.iter().map(|row| row.ordinal).collect()
    };
    for per_page in [1, 2, 5, 22, 23, 24, 1_000, 1_001, u64::MAX] {
        for ascending in [true, false] {
            let mut all: Vec<u64> = (0..23).flat_map(|page| ordinals(page, per_page, ascending)).collect();
            if !ascending {
                all.reverse();
            }
            assert_eq!(all, (0..23).collect::<Vec<_>>(), "{per_page} a page, {ascending}");
        }
    }
    assert_eq!(ordinals(1, 10, true), (10..20).collect::<Vec<_>>());
    assert_eq!(ordinals(1, 10, false), (3..13).rev().collect::<Vec<_>>());
    assert_eq!(ordinals(2, 10, false), [2, 1, 0]);
    for (page, per_page) in [(3, 10), (u64::MAX, 10), (u64::MAX, u64::MAX), (0, 0), (u64::MAX, 0), (1, 23)] {
        assert_eq!(ordinals(page, per_page, true), [0; 0], "{page}, {per_page}");
        assert_eq!(ordinals(page, per_page, false), [0; 0], "{page}, {per_page}");
    }
}

#[test]
fn nothing_is_answered_from_nothing() {
    let (_folder, views) = views(&[]);
    let queries = views.queries();
    assert_eq!(queries.counts().unwrap(), Counts { orders: 0, identities: 0 });
    for ascending in [true, false] {
        assert!(queries.orders(0, 10, ascending).unwrap().is_empty());
        assert!(queries.identities(0, 10, ascending).unwrap().is_empty());
    }
    assert!(queries.history(&order(0).id, None, 10).unwrap().is_empty());
}

#[test]
fn a_history_is_its_orders_alone_and_goes_on_where_it_was_left() {
    let mut acts = story();
    acts.extend([Act::Refused(3), Act::Whole(3)]);
    let (_folder, views) = views(&acts);
    let queries = views.queries();
    let whole = queries.history(&order(3).id, None, u64::MAX).unwrap();
    let places: Vec<HistoryPlace> = whole.iter().map(|(place, _)| *place).collect();
    let record = |sequence| (0..5).map(move |position| (sequence, position));
    let expected: Vec<_> = record(15).chain([(17, 0), (20, 0)]).chain(record(21)).collect();
    assert_eq!(places, expected);
    assert!(whole.iter().all(|((sequence, _), row)| row.sequence == *sequence));
    assert!(
        matches!(&whole[5].1.entry, Happened::Refused { code, details } if code == "policy-expired" && details == "order 3")
    );
    for limit in 1..14 {
        let (mut told, mut after) = (Vec::new(), None);
        loop {
            let part = queries.history(&order(3).id, after, limit).unwrap();
            assert!(part.len() as u64 <= limit);
            let Some((place, _)) = part.last() else { break };
            after = Some(*place);
            told.extend(part);
            assert!(told.len() <= whole.len(), "{limit} at a time");
        }
        assert_eq!(told, whole, "{limit} at a time");
    }
    let between = queries.history(&order(3).id, Some((16, 3)), 1).unwrap();
    assert_eq!(between[0].0, (17, 0), "a place that holds nothing");
    assert!(queries.history(&order(3).id, Some((u64::MAX, u16::MAX)), 9).unwrap().is_empty());
    assert!(queries.history(&order(3).id, None, 0).unwrap().is_empty());
    // Neighbours of the key do not show.
    for neighbour in [[0; 32], [0xff; 32]] {
        assert!(queries.history(&neighbour, None, 9).unwrap().is_empty());
    }
    let all: usize = (0..6).map(|n| queries.history(&order(n).id, None, 100).unwrap().len()).sum();
    assert_eq!(all, bytes(&views, "history").len() - 1);
}

#[test]
fn queries_see_whole_batches_while_others_are_written() {
    let acts: Vec<Act> = (0..60).flat_map(|n| [Act::Placed(n), Act::Committed(n)]).collect();
    let log = log_of(&acts);
    let entries = entries(&log);
    let folder = tempfile::tempdir().unwrap();
    let views = Views::open(folder.path(), &all()).unwrap();
    let queries = views.queries();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Two records a batch: an order is seen committed or not at all, on each side of a rebuild too.
            for pair in entries.chunks(2) {
                views.apply(all()[0], pair).unwrap();
            }
            views.rebuild("orders", &log, &mut |_, _| ()).unwrap();
            done.store(true, std::sync::atomic::Ordering::SeqCst);
        });
        let mut seen = 0;
        while !done.load(std::sync::atomic::Ordering::SeqCst) {
            let rows = queries.orders(0, 100, true).unwrap();
            assert!(rows.len() >= seen, "{} after {seen}", rows.len());
            seen = rows.len();
            assert!(rows.iter().all(|row| row.order.stage == Stage::Committed));
        }
    });
    assert_eq!(queries.orders(0, 100, true).unwrap().len(), 60);
}
