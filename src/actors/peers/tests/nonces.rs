//! What is remembered, for how long, and what the clocks may do meanwhile.

use dta_protocol::{Cid, Codec};

use crate::actors::peers::PeerCallError;
use crate::actors::peers::nonces::{Limits, Nonces, Now, Standing};

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
    assert_eq!(nonces.take(who(1), Standing::Pinned, [1; 16], created_s, at(10, 0)), Ok(()));
    for now_s in [10, 11, 100, 310] {
        assert_eq!(
            nonces.take(who(1), Standing::Pinned, [1; 16], created_s, at(now_s, 0)),
            Err(PeerCallError::Replayed)
        );
    }
    // Its time is part of no identity: the nonce counts.
    assert_eq!(
        nonces.take(who(1), Standing::Pinned, [1; 16], created_s + 1, at(11, 0)),
        Err(PeerCallError::Replayed)
    );
    assert_eq!(nonces.take(who(2), Standing::Pinned, [1; 16], created_s, at(10, 0)), Ok(()));
    assert_eq!(nonces.take(who(1), Standing::Pinned, [2; 16], created_s, at(10, 0)), Ok(()));
    assert_eq!(nonces.len(), 3);
    // Forgotten, and so too old, even for who does not look at its time.
    let since_s = created_s + 1;
    assert_eq!(
        nonces.take(who(1), Standing::Pinned, [1; 16], created_s, at(311, 0)),
        Err(PeerCallError::Forgotten { since_s })
    );
    assert_eq!(nonces.len(), 0);
    assert_eq!(nonces.take(who(1), Standing::Pinned, [1; 16], START_S + 311, at(311, 0)), Ok(()));
}

#[test]
fn one_signed_in_the_future_is_remembered_until_it_is_past() {
    let mut nonces = Nonces::new(at(0, 0));
    let created_s = START_S + 300;
    assert_eq!(nonces.take(who(1), Standing::Pinned, [1; 16], created_s, at(0, 0)), Ok(()));
    assert_eq!(
        nonces.take(who(1), Standing::Pinned, [1; 16], created_s, at(600, 0)),
        Err(PeerCallError::Replayed)
    );
}

#[test]
fn what_an_earlier_process_may_have_seen_is_refused() {
    let mut nonces = Nonces::new(Now { wall_ms: START_S * 1_000 + 999, monotonic_ms: 0 });
    let since_s = START_S;
    for created_s in [0, START_S - 300, START_S - 1] {
        let taken = nonces.take(who(1), Standing::Pinned, [1; 16], created_s, at(0, 0));
        assert_eq!(taken, Err(PeerCallError::Forgotten { since_s }));
    }
    assert_eq!(nonces.take(who(1), Standing::Pinned, [1; 16], START_S, at(0, 0)), Ok(()));
}

#[test]
fn a_clock_set_forward_and_back_brings_nothing_back() {
    let mut nonces = Nonces::new(at(0, 0));
    let created_s = START_S + 1;
    assert_eq!(nonces.take(who(1), Standing::Pinned, [1; 16], created_s, at(1, 0)), Ok(()));
    // An hour ahead: a call by that clock, and nothing is forgotten before its time.
    assert_eq!(nonces.take(who(1), Standing::Pinned, [2; 16], START_S + 3_602, at(2, 3_600)), Ok(()));
    assert_eq!(
        nonces.take(who(1), Standing::Pinned, [1; 16], created_s, at(3, 0)),
        Err(PeerCallError::Replayed)
    );
    // An hour later, and back again by one: both are long forgotten, and neither is taken.
    assert_eq!(nonces.take(who(3), Standing::Pinned, [3; 16], START_S + 7_200, at(7_200, 0)), Ok(()));
    for (nonce, created_s) in [([1; 16], created_s), ([2; 16], START_S + 3_602)] {
        let taken = nonces.take(who(1), Standing::Pinned, nonce, created_s, at(7_201, -3_600));
        assert_eq!(taken, Err(PeerCallError::Forgotten { since_s: START_S + 3_603 }));
    }
}

/// Small, so that a test can reach them.
fn small(standing: Standing) -> Limits {
    match standing {
        Standing::Pinned => Limits { caller: 4, all: usize::MAX },
        Standing::Known => Limits { caller: 3, all: 5 },
        Standing::Stranger => Limits { caller: 1, all: 2 },
    }
}

#[test]
fn each_has_a_share_of_its_own_and_room_comes_with_time() {
    for (standing, share) in [(Standing::Pinned, 4), (Standing::Known, 3), (Standing::Stranger, 1)] {
        let mut nonces = Nonces::with_limits(at(0, 0), small);
        let mut take =
            |nonce, now_s| nonces.take(who(1), standing, [nonce; 16], START_S + now_s, at(now_s, 0));
        for nonce in 0..share {
            assert_eq!(take(nonce, 0), Ok(()));
        }
        let limit = usize::from(share);
        assert_eq!(take(share, 0), Err(PeerCallError::Full { limit }), "{standing:?}");
        // What was seen is said first.
        assert_eq!(take(0, 0), Err(PeerCallError::Replayed));
        assert_eq!(take(share, 301), Ok(()));
    }
}

#[test]
fn no_number_of_callers_fills_the_room_of_a_pinned_one() {
    let mut nonces = Nonces::with_limits(at(0, 0), small);
    let mut take =
        |caller, standing, nonce| nonces.take(who(caller), standing, [nonce; 16], START_S, at(0, 0)).is_ok();
    // Strangers, known ones and other pinned ones call until they are told to stop.
    let mut taken = Vec::new();
    for (standing, callers) in
        [(Standing::Stranger, 10..40), (Standing::Known, 40..70), (Standing::Pinned, 70..80)]
    {
        let calls = callers.flat_map(|caller| (0..9).map(move |nonce| (caller, nonce)));
        taken.push(calls.filter(|(caller, nonce)| take(*caller, standing, *nonce)).count());
    }
    assert_eq!(taken, [2, 5, 40], "strangers in all, the known in all, each pinned one its own");
    for nonce in 0..4 {
        assert!(take(1, Standing::Pinned, nonce), "{nonce}: as if nobody else had called");
    }
    assert!(!take(1, Standing::Pinned, 4));
}

#[test]
fn whoever_is_pinned_after_it_called_has_a_pinned_ones_share() {
    let mut nonces = Nonces::with_limits(at(0, 0), small);
    let mut take =
        |standing, nonce, now_s| nonces.take(who(1), standing, [nonce; 16], START_S + now_s, at(now_s, 0));
    assert_eq!(take(Standing::Stranger, 0, 0), Ok(()));
    assert_eq!(take(Standing::Stranger, 1, 0), Err(PeerCallError::Full { limit: 1 }));
    for nonce in 1..4 {
        assert_eq!(take(Standing::Pinned, nonce, 0), Ok(()));
    }
    assert_eq!(take(Standing::Pinned, 0, 0), Err(PeerCallError::Replayed), "whatever it was then");
    assert_eq!(take(Standing::Pinned, 4, 0), Err(PeerCallError::Full { limit: 4 }));
    // Each made room in what it had taken from.
    for (caller, nonce) in [(2, 5), (3, 6)] {
        let taken = nonces.take(who(caller), Standing::Stranger, [nonce; 16], START_S + 301, at(301, 0));
        assert_eq!(taken, Ok(()));
    }
}
