//! Which signed requests this node has seen, for as long as they could be sent again.
//!
//! A request is forgotten when its time has passed on the monotonic clock. Whatever the wall clock does, nothing signed
//! before the newest request forgotten is taken any more: so a clock that is set back brings no old request back. The same
//! floor keeps out what an earlier process may have seen.
//!
//! Nobody's calls take another's room: whom the operator has pinned has a share of its own, whose sum the operator decides;
//! those who are known without a pin, and those who bring their identity along, have a pool each, and in it a share.

use std::collections::{BTreeMap, HashMap, HashSet};

use dta_protocol::Cid;

use super::PeerCallError;
use super::request::CLOCK_SKEW_S;
use super::signature::Nonce;

/// What is known of a caller, and so whose room its requests take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// The operator has pinned it, or it is hosted here.
    Pinned,
    /// It is in the log without a pin: a party of some order, or pinned once.
    Known,
    /// Its identity came with the request.
    Stranger,
}

/// How many requests are remembered; each takes some 100 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of one caller.
    pub caller: usize,
    /// Of all callers of that standing together.
    pub all: usize,
}

impl Standing {
    /// The limits of this standing: 25 MiB a pinned peer, 50 MiB for the known, 6 MiB for strangers.
    pub fn limits(self) -> Limits {
        match self {
            Standing::Pinned => Limits { caller: 262_144, all: usize::MAX },
            Standing::Known => Limits { caller: 16_384, all: 524_288 },
            Standing::Stranger => Limits { caller: 1_024, all: 65_536 },
        }
    }
}

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
    limits: fn(Standing) -> Limits,
    /// What was signed before is refused: seconds since 1970, UTC.
    since_s: u64,
    seen: HashMap<Cid, HashSet<Nonce>>,
    /// By the monotonic second in which they are forgotten.
    due: BTreeMap<u64, Vec<Seen>>,
    /// How many of each standing are remembered, by what their callers were when they called.
    counts: BTreeMap<Standing, usize>,
}

#[derive(Debug)]
struct Seen {
    caller: Cid,
    standing: Standing,
    nonce: Nonce,
    created_s: u64,
}

impl Nonces {
    /// Empty, of a process that starts now: what was signed in an earlier second may have been seen by another.
    pub fn new(now: Now) -> Self {
        Self::with_limits(now, Standing::limits)
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.seen.values().map(HashSet::len).sum()
    }

    pub(super) fn with_limits(now: Now, limits: fn(Standing) -> Limits) -> Self {
        let since_s = now.wall_ms / 1_000;
        Self { limits, since_s, seen: HashMap::new(), due: BTreeMap::new(), counts: BTreeMap::new() }
    }

    /// Takes a verified request, once. `created_s` is within [`CLOCK_SKEW_S`] of the wall clock.
    ///
    /// # Errors
    /// `Forgotten`, `Replayed`, `Full`.
    pub fn take(
        &mut self,
        caller: Cid,
        standing: Standing,
        nonce: Nonce,
        created_s: u64,
        now: Now,
    ) -> Result<(), PeerCallError> {
        self.forget(now.monotonic_ms);
        if created_s < self.since_s {
            return Err(PeerCallError::Forgotten { since_s: self.since_s });
        }
        let of_caller = self.seen.get(&caller);
        if of_caller.is_some_and(|seen| seen.contains(&nonce)) {
            return Err(PeerCallError::Replayed);
        }
        let limits = (self.limits)(standing);
        if of_caller.is_some_and(|seen| seen.len() >= limits.caller) {
            return Err(PeerCallError::Full { limit: limits.caller });
        }
        let count = self.counts.entry(standing).or_default();
        if *count >= limits.all {
            return Err(PeerCallError::Full { limit: limits.all });
        }
        *count += 1;
        // It is good until the end of second `created_s + CLOCK_SKEW_S` of the wall clock.
        let good_until_ms = created_s.saturating_add(CLOCK_SKEW_S + 1).saturating_mul(1_000);
        let left_ms = good_until_ms.saturating_sub(now.wall_ms);
        let due_s = now.monotonic_ms.saturating_add(left_ms).div_ceil(1_000);
        self.seen.entry(caller).or_default().insert(nonce);
        self.due.entry(due_s).or_default().push(Seen { caller, standing, nonce, created_s });
        Ok(())
    }

    fn forget(&mut self, monotonic_ms: u64) {
        while let Some(entry) = self.due.first_entry() {
            if entry.key().saturating_mul(1_000) > monotonic_ms {
                break;
            }
            for Seen { caller, standing, nonce, created_s } in entry.remove() {
                self.since_s = self.since_s.max(created_s.saturating_add(1));
                if let Some(count) = self.counts.get_mut(&standing) {
                    *count = count.saturating_sub(1);
                }
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
