//! What is remembered, for how long, and what the clocks may do meanwhile.

use dta_protocol::{Cid, Codec};

use crate::actors::peers::PeerCallError;
use crate::actors::peers::nonces::{Nonces, Now};

const START_S: u64 = 1_767_225_600;

/// Both clocks so many seconds after the start; the wall clock off by so much.
fn at(seconds: u64, off_s: i64) -> Now {
    let wall_ms = (START_S + seconds).checked_add_signed(off_s).unwrap() * 1_000;
    Now { wall_ms, monotonic_ms: 5_000 + seconds * 1_000 }
}

fn who(n: u8) -> Cid {
    Cid::of(Codec::DagCbor, &[n])
}

#[test]
fn once_within_the_time_in_which_it_is_good() {
    let mut nonces = Nonces::new(at(0, 0));
    let created_s = START_S + 10;
    assert_eq!(nonces.take(who(1), [1; 16], created_s, at(10, 0)), Ok(()));
    for now_s in [10, 11, 100, 310] {
        assert_eq!(nonces.take(who(1), [1; 16], created_s, at(now_s, 0)), Err(PeerCallError::Replayed));
    }
    // Its time is part of no identity: the nonce counts.
    assert_eq!(nonces.take(who(1), [1; 16], created_s + 1, at(11, 0)), Err(PeerCallError::Replayed));
    assert_eq!(nonces.take(who(2), [1; 16], created_s, at(10, 0)), Ok(()));
    assert_eq!(nonces.take(who(1), [2; 16], created_s, at(10, 0)), Ok(()));
    assert_eq!(nonces.len(), 3);
    // Forgotten, and so too old, even for who does not look at its time.
    let since_s = created_s + 1;
    assert_eq!(
        nonces.take(who(1), [1; 16], created_s, at(311, 0)),
        Err(PeerCallError::Forgotten { since_s })
    );
    assert_eq!(nonces.len(), 0);
    assert_eq!(nonces.take(who(1), [1; 16], START_S + 311, at(311, 0)), Ok(()));
}

#[test]
fn one_signed_in_the_future_is_remembered_until_it_is_past() {
    let mut nonces = Nonces::new(at(0, 0));
    let created_s = START_S + 300;
    assert_eq!(nonces.take(who(1), [1; 16], created_s, at(0, 0)), Ok(()));
    assert_eq!(nonces.take(who(1), [1; 16], created_s, at(600, 0)), Err(PeerCallError::Replayed));
}

#[test]
fn what_an_earlier_process_may_have_seen_is_refused() {
    let mut nonces = Nonces::new(Now { wall_ms: START_S * 1_000 + 999, monotonic_ms: 0 });
    let since_s = START_S;
    for created_s in [0, START_S - 300, START_S - 1] {
        let taken = nonces.take(who(1), [1; 16], created_s, at(0, 0));
        assert_eq!(taken, Err(PeerCallError::Forgotten { since_s }));
    }
    assert_eq!(nonces.take(who(1), [1; 16], START_S, at(0, 0)), Ok(()));
}

#[test]
fn a_clock_set_forward_and_back_brings_nothing_back() {
    let mut nonces = Nonces::new(at(0, 0));
    let created_s = START_S + 1;
    assert_eq!(nonces.take(who(1), [1; 16], created_s, at(1, 0)), Ok(()));
    // An hour ahead: a call by that clock, and nothing is forgotten before its time.
    assert_eq!(nonces.take(who(1), [2; 16], START_S + 3_602, at(2, 3_600)), Ok(()));
    assert_eq!(nonces.take(who(1), [1; 16], created_s, at(3, 0)), Err(PeerCallError::Replayed));
    // An hour later, and back again by one: both are long forgotten, and neither is taken.
    assert_eq!(nonces.take(who(3), [3; 16], START_S + 7_200, at(7_200, 0)), Ok(()));
    for (nonce, created_s) in [([1; 16], created_s), ([2; 16], START_S + 3_602)] {
        let taken = nonces.take(who(1), nonce, created_s, at(7_201, -3_600));
        assert_eq!(taken, Err(PeerCallError::Forgotten { since_s: START_S + 3_603 }));
    }
}

#[test]
fn it_is_bounded_for_each_and_for_all() {
    let mut nonces = Nonces::with_limits(at(0, 0), 3, 5);
    let mut take =
        |caller, nonce, now_s| nonces.take(who(caller), [nonce; 16], START_S + now_s, at(now_s, 0));
    for nonce in 0..3 {
        assert_eq!(take(1, nonce, 0), Ok(()));
    }
    assert_eq!(take(1, 3, 0), Err(PeerCallError::Full { limit: 3 }));
    assert_eq!((take(2, 0, 0), take(2, 1, 0)), (Ok(()), Ok(())));
    assert_eq!(take(2, 2, 0), Err(PeerCallError::Full { limit: 5 }));
    assert_eq!(take(3, 0, 300), Err(PeerCallError::Full { limit: 5 }));
    // What was seen is said first; and room comes with time.
    assert_eq!(take(1, 0, 0), Err(PeerCallError::Replayed));
    assert_eq!(take(3, 0, 301), Ok(()));
}
