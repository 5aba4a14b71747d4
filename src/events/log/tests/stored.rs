//! What is known of others' logs, in bytes: the newest schema, and what older programs wrote.

use super::*;
use crate::codec;
use crate::record::Stored;
use crate::stored::golden::{check_newest, variant};

fn golden_tip(size: u64, root: &str) -> String {
    [number(0), number(size), root.repeat(32), text(format!("note {size}")), number(7)].concat()
}

/// Its alarms, in either schema.
fn golden_alarms() -> String {
    [number(1), variant(1), number(258), golden_tip(5, "05"), golden_tip(6, "06")].concat()
}

fn known() -> Watched {
    let alarm = Alarm { code: AlarmCode::Shortened, at_ms: 258, known: tip(0, 5, 5), other: tip(0, 6, 6) };
    let missing = Missing {
        statement: cid(8),
        sequence: 259,
        accepted_ms: 260,
        at_ms: 261,
        under: Tip { note: "note 7".into(), ..tip(0, 7, 7) },
    };
    Watched {
        proved: Some(tip(0, 3, 3)),
        before: vec![tip(0, 2, 2)],
        pending: vec![tip(0, 4, 4)],
        alarms: vec![alarm],
        statements: Statements { settled: 262, all_settled: 263, missed: 264, missing: vec![missing] },
    }
}

fn golden_known() -> String {
    [
        "01".into(),
        golden_tip(3, "03"),
        number(1),
        golden_tip(2, "02"),
        number(1),
        golden_tip(4, "04"),
        golden_alarms(),
        number(262),
        number(263),
        number(264),
        number(1),
        link(8),
        number(259),
        number(260),
        number(261),
        golden_tip(7, "07"),
    ]
    .concat()
}

#[test]
fn what_is_known_of_others_logs_is_frozen() {
    let (owner, after) = (cid(9), known());
    let two = number(2) + &link(6) + &link(7);
    for (name, schema, change, between) in [
        ("log/note-seen", 2, Change::Seen(after.clone()), String::new()),
        ("log/note-proved", 2, Change::Proved(after.clone()), String::new()),
        ("log/alarm-raised", 2, Change::Alarm(AlarmCode::LostRecords, after.clone()), variant(2)),
        ("log/statements-proved", 1, Change::StatementsProved(after.clone()), String::new()),
        (
            "log/statements-missing",
            1,
            Change::StatementsMissing(vec![cid(6), cid(7)], after.clone()),
            two.clone(),
        ),
    ] {
        let event = Event::of(owner, change);
        assert_eq!(event.watched(), Some((owner, &after)));
        let golden = [link(9), between, golden_known()];
        check_newest(&event, event.to_stored().unwrap(), (name, schema), &golden, Event::from_stored);
    }
    let codes = [AlarmCode::Fork, AlarmCode::Shortened, AlarmCode::LostRecords];
    assert_eq!(codes.map(AlarmCode::as_str), ["fork", "shortened", "lost-records"]);
    assert_eq!(MISSING_STATEMENT, "missing-statement");
}

#[test]
fn what_schema_1_said_is_read_and_written_in_the_newest() {
    let after = Watched { before: vec![], statements: Statements::default(), ..known() };
    let golden = ["01".into(), golden_tip(3, "03"), number(1), golden_tip(4, "04"), golden_alarms()].concat();
    let owner = cid(9);
    for (name, change, code) in [
        ("log/note-seen", Change::Seen(after.clone()), String::new()),
        ("log/note-proved", Change::Proved(after.clone()), String::new()),
        ("log/alarm-raised", Change::Alarm(AlarmCode::LostRecords, after.clone()), variant(2)),
    ] {
        let bytes = hex::decode([link(9), code, golden.clone()].concat()).unwrap();
        let stored = Stored { name: name.into(), schema: 1, bytes };
        let event = Event::of(owner, change);
        assert_eq!(Event::from_stored(&stored).as_ref(), Ok(&event));
        let newer = event.to_stored().unwrap();
        assert_eq!((newer.schema, Event::from_stored(&newer)), (2, Ok(event)));
        for end in 0..stored.bytes.len() {
            let cut = Stored { bytes: stored.bytes[..end].to_vec(), ..stored.clone() };
            assert!(Event::from_stored(&cut).is_err(), "cut at {end}");
        }
        let longer = Stored { bytes: [&stored.bytes[..], &[0]].concat(), ..stored };
        assert!(Event::from_stored(&longer).is_err(), "a trailing byte");
    }
}

#[test]
fn as_much_as_is_ever_known_of_a_log_can_be_stored() {
    let full = Tip { note: "n".repeat(400), ..tip(0, 1, 1) };
    let alarm = Alarm { code: AlarmCode::Fork, at_ms: 0, known: full.clone(), other: full.clone() };
    let missing = Missing { statement: cid(1), sequence: 0, accepted_ms: 0, at_ms: 0, under: full.clone() };
    let after = Watched {
        proved: Some(full.clone()),
        before: vec![full.clone(); super::super::watch::BEFORE_MAX],
        pending: vec![full; PENDING_MAX],
        alarms: vec![alarm; ALARMS_MAX],
        statements: Statements {
            missing: vec![missing; super::super::statements::MISSING_MAX],
            ..Statements::default()
        },
    };
    // A record's statements wait together, so that a few more may be asked for than wait.
    let statements = vec![cid(1); 2 * WAITING_MAX];
    let stored = Event::StatementsMissing { owner: cid(2), statements, after }.to_stored().unwrap();
    assert!((stored.bytes.len() as u64) < codec::STORED_BYTES_MAX / 2);
}
