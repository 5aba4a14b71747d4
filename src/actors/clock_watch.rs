//! Whether the wall clock may decide something final: only after it has run in step with the monotonic clock for a while,
//! so that a wrong clock does not close orders for good.

use std::sync::{Mutex, PoisonError};

use crate::ports::Clock;

/// Wall and monotonic time may drift apart by this much between two looks, in milliseconds; a clock that is stepped
/// moves further.
const STEP_MS: u64 = 2_000;

/// Watches the two clocks.
#[derive(Debug)]
pub struct ClockWatch {
    needed_ms: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    wall_ms: u64,
    monotonic_ms: u64,
    in_step_since_ms: u64,
}

impl ClockWatch {
    /// Starts watching; the clock is trusted after `needed_ms` in step.
    pub fn new(clock: &dyn Clock, needed_ms: u64) -> Self {
        let (wall_ms, monotonic_ms) = (clock.wall_ms(), clock.monotonic_ms());
        Self { needed_ms, state: Mutex::new(State { wall_ms, monotonic_ms, in_step_since_ms: monotonic_ms }) }
    }

    /// Looks at the clocks; true while they have been in step for long enough.
    pub fn look(&self, clock: &dyn Clock) -> bool {
        let (wall_ms, monotonic_ms) = (clock.wall_ms(), clock.monotonic_ms());
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let passed_ms = monotonic_ms.saturating_sub(state.monotonic_ms);
        let expected_ms = state.wall_ms.saturating_add(passed_ms);
        if wall_ms.abs_diff(expected_ms) > STEP_MS {
            tracing::warn!(
                wall_ms,
                expected_ms,
                "the wall clock was stepped: expiry waits until it has run steadily"
            );
            state.in_step_since_ms = monotonic_ms;
        }
        (state.wall_ms, state.monotonic_ms) = (wall_ms, monotonic_ms);
        monotonic_ms.saturating_sub(state.in_step_since_ms) >= self.needed_ms
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[derive(Default)]
    struct Hands {
        wall: AtomicU64,
        monotonic: AtomicU64,
    }

    impl Clock for Hands {
        fn wall_ms(&self) -> u64 {
            self.wall.load(Ordering::Relaxed)
        }
        fn monotonic_ms(&self) -> u64 {
            self.monotonic.load(Ordering::Relaxed)
        }
    }

    impl Hands {
        fn pass(&self, wall: u64, monotonic: u64) {
            self.wall.fetch_add(wall, Ordering::Relaxed);
            self.monotonic.fetch_add(monotonic, Ordering::Relaxed);
        }
    }

    #[test]
    fn trust_takes_time_and_a_step_starts_it_anew() {
        let hands = Hands::default();
        let watch = ClockWatch::new(&hands, 600_000);
        assert!(!watch.look(&hands));
        hands.pass(599_999, 599_999);
        assert!(!watch.look(&hands));
        hands.pass(1, 1);
        assert!(watch.look(&hands));
        hands.pass(90_000_000, 1_000);
        assert!(!watch.look(&hands), "a day ahead within a second");
        hands.pass(600_000, 600_000);
        assert!(watch.look(&hands));
        hands.wall.store(5, Ordering::Relaxed);
        assert!(!watch.look(&hands), "back to 1970");
    }

    #[test]
    fn a_slow_drift_is_no_step() {
        let hands = Hands::default();
        let watch = ClockWatch::new(&hands, 600_000);
        for _ in 0..700 {
            hands.pass(1_001, 1_000);
            watch.look(&hands);
        }
        assert!(watch.look(&hands));
    }
}
