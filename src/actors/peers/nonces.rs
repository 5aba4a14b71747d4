//! Which signed requests this node has seen, for as long as they could be sent again.
//!
//! A request is forgotten when its time has passed on the monotonic clock. Whatever the wall clock does, nothing signed
//! before the newest request forgotten is taken any more: so a clock that is set back brings no old request back. The same
//! floor keeps out what an earlier process may have seen.

use std::collections::{BTreeMap, HashMap, HashSet};

use dta_protocol::Cid;

use super::PeerCallError;
use super::request::CLOCK_SKEW_S;
use super::signature::Nonce;

/// Requests of one caller that are remembered.
pub const CALLER_MAX: usize = 262_144;
/// Requests of all callers that are remembered: some 100 MiB.
pub const ALL_MAX: usize = 1_048_576;

/// The time now, by both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Milliseconds since 1970, UTC.
    pub wall_ms: u64,
    /// Milliseconds since some moment.
    pub monotonic_ms: u64,
}

/// The memory.
#[derive(Debug)]
pub struct Nonces {
    caller_max: usize,
    all_max: usize,
    /// What was signed before is refused: seconds since 1970, UTC.
    since_s: u64,
    seen: HashMap<Cid, HashSet<Nonce>>,
    /// By the monotonic second in which they are forgotten.
    due: BTreeMap<u64, Vec<(Cid, Nonce, u64)>>,
    count: usize,
}

impl Nonces {
    /// Empty, of a process that starts now: what was signed in an earlier second may have been seen by another.
    pub fn new(now: Now) -> Self {
        Self::with_limits(now, CALLER_MAX, ALL_MAX)
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.seen.values().map(HashSet::len).sum()
    }

    pub(super) fn with_limits(now: Now, caller_max: usize, all_max: usize) -> Self {
        let since_s = now.wall_ms / 1_000;
        Self { caller_max, all_max, since_s, seen: HashMap::new(), due: BTreeMap::new(), count: 0 }
    }

    /// Takes a verified request, once. `created_s` is within [`CLOCK_SKEW_S`] of the wall clock.
    ///
    /// # Errors
    /// `Forgotten`, `Replayed`, `Full`.
    pub fn take(&mut self, caller: Cid, nonce: Nonce, created_s: u64, now: Now) -> Result<(), PeerCallError> {
        self.forget(now.monotonic_ms);
        if created_s < self.since_s {
            return Err(PeerCallError::Forgotten { since_s: self.since_s });
        }
        let of_caller = self.seen.get(&caller);
        if of_caller.is_some_and(|seen| seen.contains(&nonce)) {
            return Err(PeerCallError::Replayed);
        }
        if of_caller.is_some_and(|seen| seen.len() >= self.caller_max) {
            return Err(PeerCallError::Full { limit: self.caller_max });
        }
        if self.count >= self.all_max {
            return Err(PeerCallError::Full { limit: self.all_max });
        }
        // It is good until the end of second `created_s + CLOCK_SKEW_S` of the wall clock.
        let good_until_ms = created_s.saturating_add(CLOCK_SKEW_S + 1).saturating_mul(1_000);
        let left_ms = good_until_ms.saturating_sub(now.wall_ms);
        let due_s = now.monotonic_ms.saturating_add(left_ms).div_ceil(1_000);
        self.seen.entry(caller).or_default().insert(nonce);
        self.due.entry(due_s).or_default().push((caller, nonce, created_s));
        self.count += 1;
        Ok(())
    }

    fn forget(&mut self, monotonic_ms: u64) {
        while let Some(entry) = self.due.first_entry() {
            if entry.key().saturating_mul(1_000) > monotonic_ms {
                break;
            }
            for (caller, nonce, created_s) in entry.remove() {
                self.since_s = self.since_s.max(created_s.saturating_add(1));
                self.count -= 1;
                if let Some(seen) = self.seen.get_mut(&caller) {
                    seen.remove(&nonce);
                    if seen.is_empty() {
                        self.seen.remove(&caller);
                    }
                }
            }
        }
    }
}
