//! Clock and entropy: the two things the rules never touch, so that tests can inject both.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

pub use dta_crypto::Entropy;

/// A clock.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970 UTC, as the machine believes.
    fn wall_ms(&self) -> u64;
    /// Milliseconds since some moment, never going back.
    fn monotonic_ms(&self) -> u64;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn wall_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The operating system's random numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            // A key made without randomness would be worse than no answer at all.
            tracing::error!(%error, "the operating system gives no random numbers");
            std::process::abort();
        }
    }
}
