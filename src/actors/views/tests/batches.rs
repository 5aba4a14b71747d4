//! However the log is cut into batches, and wherever the process dies between them, the read models are the same.

use dta_projections::{Orders, all};
use proptest::collection::vec;
use proptest::prelude::*;

use super::rebuild::Garbled;
use super::*;

fn act() -> impl Strategy<Value = Act> {
    (0..18u8, 0..4u8).prop_map(|(act, n)| match act {
        0 => Act::Placed(n),
        1 => Act::Pending(n),
        2 => Act::Committed(n),
        3 => Act::Requested(n),
        4 => Act::Released(n),
        5 => Act::Received(n),
        6 => Act::Disputed(n),
        7 => Act::Closed(n),
        8 => Act::Whole(n),
        9 => Act::Refused(n),
        10 => Act::TurnedDown(n),
        11 => Act::Equivocated(n),
        12 => Act::RetentionEnded(n),
        13 => Act::Nothing(n),
        14 | 15 => Act::Pinned(n, u16::from(act % 2)),
        16 => Act::Unpinned(n),
        _ => Act::Committed(n),
    })
}

/// The same identity twice would be refused by the log: each once, at a random place.
fn history() -> impl Strategy<Value = Vec<Act>> {
    (vec(act(), 0..40), vec(any::<prop::sample::Index>(), 0..4)).prop_map(|(mut acts, places)| {
        for (n, place) in (0u8..).zip(places) {
            acts.insert(place.index(acts.len() + 1), Act::Identity(n));
        }
        acts.insert(0, Act::Initialised);
        acts
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_batches_any_crashes_one_result(
        acts in history(),
        batches in vec((1..12usize, prop::bool::weighted(0.2)), 1..12),
    ) {
        let log = log_of(&acts);
        let entries = entries(&log);
        let (at_once, in_parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let whole = Views::open(at_once.path(), &all()).unwrap();
        catch_up(&whole, &log);

        let mut views = Views::open(in_parts.path(), &all()).unwrap();
        let (mut done, mut batches) = (0, batches.into_iter().cycle());
        while done < entries.len() {
            let (records, dies) = batches.next().unwrap();
            let end = entries.len().min(done + records);
            for projection in all() {
                // It may be given again what it has.
                views.apply(projection, &entries[done.saturating_sub(2)..end]).unwrap();
                if dies {
                    drop(views);
                    views = Views::open(in_parts.path(), &all()).unwrap();
                    prop_assert!(views.reconcile(&log).unwrap().is_empty());
                }
            }
            done = end;
        }
        prop_assert_eq!(all_bytes(&views), all_bytes(&whole));

        for projection in all() {
            let mut replay = Replay::start(projection);
            replay.run(&log, u64::MAX, &mut |_| ()).unwrap();
            let standing = views.apply(projection, &[]).unwrap();
            prop_assert_eq!(standing.position, entries.len() as u64);
            prop_assert_eq!(standing.digest, replay.digest());
            prop_assert_eq!(replay.compare(&views.queries(), &standing).unwrap(), None);
            let rows: Bytes = replay.rows().clone().into_iter().collect();
            prop_assert_eq!(&bytes(&views, projection.name())[1..], &rows);
        }
    }
}

#[test]
fn a_power_cut_takes_rows_position_and_digest_alike() {
    let log = log_of(&story());
    let entries = entries(&log);
    let folder = tempfile::tempdir().unwrap();
    let views = Views::open(folder.path(), &all()).unwrap();
    for entry in &entries {
        for projection in all() {
            views.apply(projection, std::slice::from_ref(entry)).unwrap();
        }
    }
    let expected = all_bytes(&views);
    drop(views);
    let wal = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path());
    let wal = wal.filter(|path| path.extension().is_some_and(|extension| extension == "log")).max().unwrap();
    let whole = std::fs::metadata(&wal).unwrap().len();
    let mut positions = std::collections::BTreeSet::new();
    for cut in (0..=whole).rev().step_by(997) {
        let copy = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
        let file = std::fs::File::options().write(true).open(copy.path().join(wal.file_name().unwrap()));
        file.unwrap().set_len(cut).unwrap();
        let views = Views::open(copy.path(), &all()).unwrap();
        assert!(views.reconcile(&log).unwrap().is_empty(), "cut at {cut}");
        positions.insert(views.apply(&Orders, &[]).unwrap().position);
        catch_up(&views, &log);
        assert_eq!(all_bytes(&views), expected, "cut at {cut}");
    }
    assert!(positions.len() > 5, "{positions:?}");
}

#[test]
fn what_does_not_follow_is_not_applied() {
    let (log, other) = (log_of(&story()), memory(1));
    tell(&other, &story());
    let (entries, others) = (entries(&log), entries(&other));
    let folder = tempfile::tempdir().unwrap();
    let views = Views::open(folder.path(), &all()).unwrap();
    let broken = |sequence| Err(ViewsError::Broken { reader: "orders", sequence });
    assert_eq!(views.apply(&Orders, &entries[1..]), broken(1), "a gap at the start");
    views.apply(&Orders, &entries[..5]).unwrap();
    let before = bytes(&views, "orders");
    assert_eq!(views.apply(&Orders, &entries[6..]), broken(6), "a gap");
    assert_eq!(views.apply(&Orders, &others[5..]), broken(5), "another log");
    let mut forged = entries[5].clone();
    forged.record.previous[0] ^= 1;
    assert_eq!(views.apply(&Orders, &[forged]), broken(5), "another predecessor");
    assert_eq!(bytes(&views, "orders"), before);
    // What came before the gap is applied.
    let gap = [&entries[5..8], &entries[9..]].concat();
    assert_eq!(views.apply(&Orders, &gap), broken(9));
    assert_eq!(views.apply(&Orders, &[]).unwrap().position, 8);
    catch_up(&views, &log);
}

#[test]
fn a_projection_that_halts_has_applied_what_came_before() {
    let log = log_of(&story());
    let entries = entries(&log);
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let halting = Stand { for_: &Orders, schema: Orders.schema(), halts_at: Some(7) }.leak();
    let views = Views::open(folders[0].path(), &[halting]).unwrap();
    let error = views.apply(halting, &entries).unwrap_err();
    assert!(matches!(error, ViewsError::Halted { name: "orders", sequence: 7, .. }), "{error}");
    assert_eq!(views.apply(halting, &entries), Err(error.clone()), "and again");
    let next = |log: &dyn LogReader| views.queries().try_next("orders", log);
    assert_eq!(next(&log), Err(error), "who only reads is told too");
    let garbled = Garbled { log: &log, at: 7 };
    assert!(matches!(next(&garbled), Err(ViewsError::Record { sequence: 7, .. })));
    assert_eq!(next(&log_of(&story()[..7])), Ok(()), "there is none");
    let until = Views::open(folders[1].path(), &[&Orders]).unwrap();
    until.apply(&Orders, &entries[..7]).unwrap();
    assert_eq!(bytes(&views, "orders"), bytes(&until, "orders"));
    // Code that can take the record goes on from there.
    views.apply(&Orders, &entries).unwrap();
    until.apply(&Orders, &entries).unwrap();
    assert_eq!(bytes(&views, "orders"), bytes(&until, "orders"));
}

#[test]
fn a_damaged_row_is_named() {
    let log = log_of(&story());
    let entries = entries(&log);
    let folder = tempfile::tempdir().unwrap();
    let views = Views::open(folder.path(), &all()).unwrap();
    views.apply(&Orders, &entries[..3]).unwrap();
    tamper(&views, "orders", &dta_projections::order_key(&order(0).id), Some(b"nonsense"));
    let error = views.apply(&Orders, &entries[3..]).unwrap_err();
    assert!(matches!(error, ViewsError::Halted { sequence: 3, .. }), "{error}");
    let error = views.queries().order_by_id(&order(0).id).unwrap_err();
    assert!(matches!(error, ViewsError::Row { name: "orders", .. }), "{error}");
    assert!(error.to_string().ends_with("run `dta projection rebuild orders`"), "{error}");
    tamper(&views, "orders", super::super::database::STATE_KEY, Some(b"nonsense"));
    assert!(matches!(views.apply(&Orders, &entries), Err(ViewsError::Row { name: "orders", .. })));
    assert!(matches!(views.queries().standing("orders"), Err(ViewsError::Row { .. })));
    drop(views);
    // The next start makes it anew.
    let views = Views::open(folder.path(), &all()).unwrap();
    assert_eq!(views.queries().standing("orders").unwrap().unwrap().position, 0);
    catch_up(&views, &log);
    assert!(views.queries().order_by_id(&order(0).id).unwrap().is_some());
}
