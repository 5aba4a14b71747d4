//! Given a log, when records come, then a checkpoint is due, and says what it must.

use dta_protocol::Cid;
use dta_protocol::checkpoint::levels;

use super::watch::{ALARMS_MAX, PENDING_MAX};
use super::*;
use crate::stored::golden::{check, cid, link, number, text};

mod statements;
mod stored;
mod unsettled;

const PACE: Pace = Pace { records: 10, after_ms: 1_000 };

fn model(label: &str, position: u64, halted: bool) -> Model {
    Model { label: label.into(), position, digest: [position as u8; 32], halted }
}

fn facts(head: u64, models: &[Model]) -> Facts {
    Facts { now_ms: 5_000, head, models: models.to_vec() }
}

fn made(byte: u8, sealed: u64) -> Made {
    Made { cid: cid(byte), note: format!("note {byte}"), epoch: 2, root: [byte; 32], sealed }
}

/// After a checkpoint of `size` records, all sealed, that the next record tells of.
fn after(size: u64) -> Checkpoints {
    let draft = Checkpoints::default().prepare(&facts(size, &[])).unwrap();
    let event = Checkpoints::default().decide(&draft, made(1, size));
    Checkpoints::default().apply(&event, size)
}

#[test]
fn the_event_is_frozen() {
    let event = Event::Checkpointed(Checkpointed {
        cid: cid(1),
        number: 258,
        first: cid(2),
        skip: vec![cid(3), cid(4)],
        issued_at_ms: 259,
        note: "note".into(),
        epoch: 260,
        size: 261,
        root: [5; 32],
        sealed: 262,
    });
    let golden = [
        link(1),
        number(258),
        link(2),
        number(2),
        link(3),
        link(4),
        number(259),
        text("note"),
        number(260),
        number(261),
        "05".repeat(32),
        number(262),
    ];
    check(&event, event.to_stored().unwrap(), "log/checkpointed", &golden, Event::from_stored);
}

fn tip(epoch: u64, size: u64, root: u8) -> Tip {
    Tip { epoch, size, root: [root; 32], note: format!("note {size}"), seen_ms: 7 }
}

fn seen(watched: &Watched, tip: Tip) -> Watched {
    match watched.see(tip) {
        Some(Change::Seen(after)) => after,
        other => panic!("{other:?}"),
    }
}

fn alarmed(change: Option<Change>) -> (AlarmCode, Watched) {
    match change {
        Some(Change::Alarm(code, after)) => (code, after),
        other => panic!("{other:?}"),
    }
}

#[test]
fn notes_are_proved_one_after_the_other_whichever_is_longer() {
    let first = seen(&Watched::default(), tip(0, 10, 1));
    assert_eq!((first.proved.as_ref(), first.question()), (Some(&tip(0, 10, 1)), None), "believed");
    assert_eq!(first.see(tip(0, 10, 1)), None, "nothing new");
    let more = seen(&seen(&first, tip(0, 20, 2)), tip(0, 5, 3));
    assert_eq!(more.newest(), Some(&tip(0, 20, 2)));
    assert_eq!(more.see(tip(0, 5, 3)), None);
    let asked = more.question().unwrap();
    assert_eq!((asked.older.size, asked.newer.size), (10, 20));
    let Some(Change::Proved(longer)) = more.answer(&asked, Answer::Consistent, 8) else { panic!() };
    assert_eq!(longer.proved, Some(tip(0, 20, 2)));
    assert_eq!(longer.answer(&asked, Answer::Consistent, 8), None, "asked before");
    let asked = longer.question().unwrap();
    assert_eq!((asked.older.size, asked.newer.size), (5, 20));
    let Some(Change::Proved(done)) = longer.answer(&asked, Answer::Consistent, 8) else { panic!() };
    assert_eq!((&done.proved, done.pending.len()), (&Some(tip(0, 20, 2)), 0));
    for known in [tip(0, 20, 2), tip(0, 10, 1), tip(0, 5, 3), tip(0, 0, 9)] {
        assert_eq!(done.see(known.clone()), None, "{} says nothing new", known.size);
    }
    assert_eq!(
        alarmed(done.see(tip(0, 10, 9))).0,
        AlarmCode::Fork,
        "what was proved is not forgotten at once"
    );
}

#[test]
fn two_trees_of_one_size_are_a_fork_and_the_notes_show_it() {
    let known = seen(&seen(&Watched::default(), tip(0, 10, 1)), tip(0, 20, 2));
    for other in [tip(0, 10, 9), tip(0, 20, 9)] {
        let (code, after) = alarmed(known.see(other.clone()));
        assert_eq!((code, after.alarms.len()), (AlarmCode::Fork, 1));
        assert_eq!((&after.alarms[0].other, after.alarms[0].known.size), (&other, other.size));
        assert_eq!((&after.proved, &after.pending), (&known.proved, &known.pending), "what was known stays");
        assert_eq!(after.see(other), None, "said once");
    }
}

#[test]
fn what_cannot_be_proved_is_a_fork_or_a_shortened_log() {
    let known = seen(&seen(&Watched::default(), tip(0, 10, 1)), tip(0, 20, 2));
    let asked = known.question().unwrap();
    for (answer, expected, sizes) in [
        (Answer::Inconsistent, AlarmCode::Fork, (10, 20)),
        (Answer::Shorter(tip(0, 15, 5)), AlarmCode::Shortened, (20, 15)),
    ] {
        let (code, after) = alarmed(known.answer(&asked, answer, 99));
        assert_eq!((code, after.question()), (expected, None));
        let alarm = &after.alarms[0];
        assert_eq!((alarm.code, alarm.at_ms), (expected, 99));
        assert_eq!((alarm.known.size, alarm.other.size), sizes, "the two that do not go together");
        assert_eq!(after.proved, known.proved, "the tree that was proved stays the one to prove from");
        assert_eq!(after.see(tip(0, 20, 2)), None, "it is not asked for again");
    }
}

#[test]
fn a_new_epoch_is_a_declared_loss_for_good() {
    let mut known = seen(&seen(&Watched::default(), tip(0, 10, 1)), tip(0, 20, 2));
    known.statements.settled = 7;
    let (code, after) = alarmed(known.see(tip(1, 6, 3)));
    assert_eq!(after.statements, known.statements, "what was settled stays so");
    assert_eq!((code, after.pending.len()), (AlarmCode::LostRecords, 0));
    assert_eq!((after.newest(), after.proved.as_ref()), (Some(&tip(1, 6, 3)), Some(&tip(1, 6, 3))));
    assert_eq!(after.see(tip(0, 30, 4)), None, "of an epoch that was left");
    assert_eq!(seen(&after, tip(1, 9, 5)).alarms, after.alarms);
}

#[test]
fn nobody_fills_the_state() {
    let mut watched = seen(&Watched::default(), tip(0, 1, 1));
    for size in 0..PENDING_MAX as u64 {
        watched = seen(&watched, tip(0, 2 + size, 1));
    }
    // A new one makes way for none: the first that waits does.
    watched = seen(&watched, tip(0, 99, 1));
    assert_eq!((watched.pending.len(), watched.pending[0].size), (PENDING_MAX, 3));
    assert_eq!(watched.newest().map(|tip| tip.size), Some(99));
    assert_eq!(alarmed(watched.see(tip(0, 99, 2))).0, AlarmCode::Fork);
    for root in 0..ALARMS_MAX as u8 {
        watched = alarmed(watched.see(tip(0, 1, 100 + root))).1;
    }
    assert_eq!(watched.see(tip(0, 1, 99)), None, "as many as are kept");
    assert_eq!(watched.alarms.len(), ALARMS_MAX);
}

#[test]
fn a_checkpoint_is_due_after_so_many_records_or_so_long() {
    let new = Checkpoints::default();
    assert_eq!(new.due_in_ms(0, 0, &PACE), None, "an empty log");
    assert_eq!(new.due_in_ms(1, 0, &PACE), Some(1_000));
    assert_eq!(new.due_in_ms(9, 400, &PACE), Some(600));
    assert_eq!(new.due_in_ms(9, 4_000, &PACE), Some(0));
    assert_eq!(new.due_in_ms(10, 0, &PACE), Some(0));
    let later = after(10);
    assert_eq!(later.due_in_ms(10, u64::MAX, &PACE), None);
    assert_eq!(
        later.due_in_ms(11, u64::MAX, &PACE),
        None,
        "only the record that tells of the checkpoint itself"
    );
    assert_eq!(later.due_in_ms(12, 0, &PACE), Some(1_000));
    assert_eq!(later.due_in_ms(20, 0, &PACE), Some(1_000));
    assert_eq!(later.due_in_ms(21, 0, &PACE), Some(0));
}

#[test]
fn a_checkpoint_whose_record_came_late_still_does_not_call_for_another() {
    let draft = Checkpoints::default().prepare(&facts(10, &[])).unwrap();
    let event = Checkpoints::default().decide(&draft, made(1, 10));
    // Records 10 and 11 came while it was made.
    let later = Checkpoints::default().apply(&event, 12);
    assert_eq!((later.unsaid(12), later.unsaid(13)), (2, 2));
}

#[test]
fn what_did_not_fit_does_not_wait() {
    let draft = Checkpoints::default().prepare(&facts(10, &[])).unwrap();
    let event = Checkpoints::default().decide(&draft, made(1, 7));
    let later = Checkpoints::default().apply(&event, 10);
    assert_eq!((later.unsealed(), later.due_in_ms(11, 0, &PACE)), (3, Some(0)));
    let next = later.prepare(&facts(11, &[])).unwrap();
    assert_eq!((next.from, next.size), (7, 11));
    let done = later.clone().apply(&later.decide(&next, made(2, 11)), 11);
    assert_eq!(done.prepare(&facts(12, &[])), None);
}

#[test]
fn it_says_what_the_read_models_are_and_waits_for_none() {
    let models = [model("orders/1", 20, false), model("peers/1", 20, false), model("history/1", 4, true)];
    let draft = after(10).prepare(&facts(25, &models)).unwrap();
    assert_eq!((draft.size, draft.from), (20, 10));
    let digests: Vec<_> = draft.digests.iter().map(|(label, digest)| (label.as_str(), digest[0])).collect();
    assert_eq!(digests, [("history/1@4", 4), ("orders/1", 20), ("peers/1", 20)]);
    let halted = models.map(|model| Model { halted: true, ..model });
    assert_eq!(after(10).prepare(&facts(25, &halted)).map(|draft| draft.size), Some(25), "none goes on");
    let slow = [model("orders/1", 9, false)];
    assert_eq!(after(10).prepare(&facts(25, &slow)), None, "shorter than the one before it");
    let ahead = [model("orders/1", 30, false)];
    assert_eq!(
        after(10).prepare(&facts(25, &ahead)).map(|draft| draft.size),
        Some(25),
        "a head that was read before"
    );
}

#[test]
fn time_does_not_go_back() {
    let mut later = after(10);
    later.last.as_mut().unwrap().checkpointed.issued_at_ms = 9_000;
    assert_eq!(later.prepare(&facts(20, &[])).map(|draft| draft.issued_at_ms), Some(9_000));
}

#[test]
fn checkpoints_are_a_chain_with_links_that_leap() {
    let mut checkpoints = Checkpoints::default();
    let mut cids: Vec<Cid> = Vec::new();
    for n in 0..40_u8 {
        let size = 2 * u64::from(n) + 1;
        let draft = checkpoints.prepare(&facts(size, &[])).unwrap();
        assert_eq!((draft.number, draft.previous), (n.into(), cids.last().copied()));
        assert_eq!(draft.skip.len(), levels(n.into()));
        assert_eq!(draft.skip.first().copied(), draft.previous);
        if n >= 16 {
            assert_eq!(draft.skip[1], cids[usize::from((n - 1) / 16 * 16)]);
        }
        let event = checkpoints.decide(&draft, made(n, size));
        checkpoints = checkpoints.apply(&event, size);
        cids.push(cid(n));
        assert_eq!(checkpoints.last.as_ref().map(|last| last.checkpointed.first), Some(cids[0]));
    }
}
