//! A quota that fills up again: how often something may be done in a row, and how often over time.

use std::sync::{Mutex, PoisonError};

/// A token bucket.
#[derive(Debug)]
pub struct Quota {
    burst: u64,
    refill_every_ms: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    left: u64,
    counted_at_ms: u64,
}

impl Quota {
    /// `burst` in a row, and one more every `refill_every_ms`.
    pub fn new(burst: u64, refill_every_ms: u64) -> Self {
        let state = Mutex::new(State { left: burst, counted_at_ms: 0 });
        Self { burst, refill_every_ms: refill_every_ms.max(1), state }
    }

    /// Takes one, if there is one; `now_ms` is a monotonic clock.
    pub fn take(&self, now_ms: u64) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let gained = now_ms.saturating_sub(state.counted_at_ms) / self.refill_every_ms;
        state.counted_at_ms = state.counted_at_ms.saturating_add(gained * self.refill_every_ms).min(now_ms);
        state.left = state.left.saturating_add(gained).min(self.burst);
        if state.left == 0 {
            return false;
        }
        state.left -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_for_each_interval() {
        let quota = Quota::new(2, 100);
        assert!(quota.take(0) && quota.take(0));
        assert!(!quota.take(99));
        assert!(quota.take(100));
        assert!(!quota.take(150));
        assert!(quota.take(200));
        assert!(quota.take(100_000) && quota.take(100_000) && !quota.take(100_000));
    }
}
