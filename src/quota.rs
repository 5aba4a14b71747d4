//! A quota that fills up again: how often something may be done in a row, and how often over time.

use std::collections::HashMap;
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

/// Callers that are counted apart; those beyond share one quota.
const CALLERS_MAX: usize = 1_024;

/// A quota for each caller: one that uses up its own leaves the others theirs.
#[derive(Debug)]
pub struct Quotas {
    burst: u64,
    refill_every_ms: u64,
    each: Mutex<HashMap<String, Quota>>,
}

impl Quotas {
    /// Each as [`Quota::new`].
    pub fn new(burst: u64, refill_every_ms: u64) -> Self {
        Self { burst, refill_every_ms, each: Mutex::default() }
    }

    /// Takes one of this caller's, if there is one; `now_ms` is a monotonic clock.
    pub fn take(&self, caller: &str, now_ms: u64) -> bool {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        let known = each.len() < CALLERS_MAX || each.contains_key(caller);
        let caller = if known { caller } else { "" };
        let new = || Quota::new(self.burst, self.refill_every_ms);
        each.entry(caller.to_owned()).or_insert_with(new).take(now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_caller_has_its_own_and_the_many_share_one() {
        let quotas = Quotas::new(1, 100);
        assert!(quotas.take("mallory", 0) && !quotas.take("mallory", 0));
        assert!(quotas.take("alice", 0));
        for n in 2..CALLERS_MAX {
            assert!(quotas.take(&n.to_string(), 0));
        }
        assert!(quotas.take("one more", 0) && !quotas.take("and another", 0));
        assert!(!quotas.take("alice", 99) && quotas.take("alice", 100));
    }

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
