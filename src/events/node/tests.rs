//! Record 0 and what begins an epoch are frozen, too.

use crate::node::*;
use crate::stored::golden::{check, cid, link, number, text};

#[test]
fn the_first_event_of_a_log_is_frozen() {
    let event = Event::Initialised(Initialised { home: [0x40; 16], epoch: 258, identity: cid(0xa1) });
    let golden = [hex::encode([0x40; 16]), number(258), link(0xa1)];
    check(&event, event.to_stored().unwrap(), "node/initialised", &golden, Event::from_stored);
    assert_eq!(event.epoch(), 258);
}

#[test]
fn the_first_event_of_an_epoch_is_frozen() {
    for (seen, golden_seen) in
        [(None, "00".to_owned()), (Some("note".to_owned()), format!("01{}", text("note")))]
    {
        let event = Event::Recovered(Recovered {
            home: [0x41; 16],
            epoch: 259,
            records: 260,
            last: [0x42; 32],
            checkpoint: cid(0xa2),
            seen,
        });
        let golden = [
            hex::encode([0x41; 16]),
            number(259),
            number(260),
            hex::encode([0x42; 32]),
            link(0xa2),
            golden_seen,
        ];
        check(&event, event.to_stored().unwrap(), "node/recovered", &golden, Event::from_stored);
        assert_eq!(event.epoch(), 259);
    }
}
