//! What a node remembers of those who call it, and how many bodies it reads at once.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::PeerCallError;
use super::nonces::{Nonces, Now, Standing};
use super::request::SignedRequest;
use crate::ports::Clock;

/// Bodies of callers that have proved who they are, read at once: 128 MiB at most.
const KNOWN_BODIES: usize = 32;
/// Bodies of callers that bring their identity along, which cannot be verified before the body is there: 32 MiB at most.
const STRANGERS_BODIES: usize = 8;

/// What a node remembers of those who call it.
#[derive(Debug)]
pub struct Incoming {
    nonces: Mutex<Nonces>,
    known: Semaphore,
    strangers: Semaphore,
}

impl Incoming {
    /// Of a process that starts now.
    pub fn new(clock: &dyn Clock) -> Self {
        Self {
            nonces: Mutex::new(Nonces::new(now(clock))),
            known: Semaphore::new(KNOWN_BODIES),
            strangers: Semaphore::new(STRANGERS_BODIES),
        }
    }

    /// Takes a verified request, once.
    ///
    /// # Errors
    /// `Forgotten`, `Replayed`, `Full`.
    pub fn take(
        &self,
        request: &SignedRequest,
        standing: Standing,
        clock: &dyn Clock,
    ) -> Result<(), PeerCallError> {
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        nonces.take(request.caller(), standing, *request.nonce(), request.created_s(), now(clock))
    }

    /// Room for one more body, while the permit is held.
    pub fn room(&self, caller_is_known: bool) -> Option<SemaphorePermit<'_>> {
        let bodies = if caller_is_known { &self.known } else { &self.strangers };
        bodies.try_acquire().ok()
    }
}

fn now(clock: &dyn Clock) -> Now {
    Now { wall_ms: clock.wall_ms(), monotonic_ms: clock.monotonic_ms() }
}
