//! What every actor works with: the log and its writer, custody, keys, clocks, the crypto pool.

use std::sync::{Arc, Mutex, PoisonError};

use dta_crypto::ContentKey;
use dta_events::record::{Aggregate, Effect, Request, Stored};
use dta_protocol::Cid;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::checkpoints::Newest;
use super::clock_watch::ClockWatch;
use super::crypto_pool::{CryptoPool, Priority};
use super::keyring::{Keyring, Known};
use super::log::{Append, EventLog, LogHandle};
use super::peers::Incoming;
use super::peers::book::Book;
use super::plugged::Plugged;
use super::seeds::SeedKeeper;
use super::unavailable::Unavailable;
use super::verifier::Verifier;
use super::witness::Witness;
use crate::ports::{Clock, Entropy};
use crate::quota::{Quota, Quotas};

/// The node's services, shared by all actors.
pub struct Services {
    /// The node's own identity.
    pub node: Cid,
    /// The plugin this node runs.
    pub plugin: Plugged,
    /// Reads of the log; its writer alone appends.
    pub log: Arc<dyn EventLog>,
    /// The one writer of the log.
    pub writer: LogHandle,
    /// Threads for signing, sealing and opening.
    pub crypto: CryptoPool,
    /// Verifies what other nodes signed.
    pub verifier: Arc<Verifier>,
    /// Custody.
    pub seeds: SeedKeeper,
    /// How many of the newest seeds in custody are of orders that the log did not have at the start: it lost its end.
    pub unknown_seeds: usize,
    /// Identities: documents of all known ones, keys of hosted ones.
    pub keyring: Arc<Keyring>,
    /// Whom the operator trusts, and where they serve.
    pub peers: Book,
    /// The newest checkpoint of the node's log.
    pub checkpoint: Newest,
    /// What is known of others' logs.
    pub witness: Witness,
    /// Wall and monotonic clock.
    pub clock: Arc<dyn Clock>,
    /// Whether the wall clock may decide something final.
    pub clock_watch: Arc<ClockWatch>,
    /// How many refusals local callers may have recorded.
    pub refusals: Quota,
    /// How many each peer may have recorded.
    pub peer_refusals: Quotas,
    /// Commands under way, on orders and identities.
    pub in_flight: Arc<Semaphore>,
    /// What is remembered of calls by other nodes.
    pub incoming: Incoming,
    /// How long a delivery is tried before it is given up, in milliseconds.
    pub give_up_after_ms: u64,
    /// How long after an order has ended its seed is destroyed, in milliseconds; none: not unless it is asked for.
    pub shred_after_ms: Option<u64>,
    /// Orders that have something new to deliver; what does not fit is found by the timers.
    pub nudge: mpsc::Sender<Aggregate>,
    /// Random bytes.
    pub entropy: Mutex<Box<dyn Entropy + Send>>,
}

/// Who asks, and in the course of what.
#[derive(Clone, Debug)]
pub struct Caller {
    /// `local`, `timer`, `peer:<CID>`, `oidc:…`.
    pub by: String,
    /// Joins the records of one request.
    pub trace_id: [u8; 16],
    /// The request, if it has an idempotency key.
    pub request: Option<Request>,
}

impl Caller {
    /// Another node, not somebody who is at home here.
    pub fn is_peer(&self) -> bool {
        self.by.starts_with("peer:")
    }
}

/// Commands under way at once; one more is answered 503.
pub const IN_FLIGHT: u32 = 256;

impl Services {
    /// Room for one more command. It travels with the command: a caller that goes away does not make room before the
    /// work is done.
    ///
    /// # Errors
    /// `Busy`.
    pub fn permit(&self) -> Result<OwnedSemaphorePermit, Unavailable> {
        self.in_flight.clone().try_acquire_owned().map_err(|_| Unavailable::Busy)
    }

    /// Waits until nothing is under way, and lets nothing new in.
    pub async fn drained(&self) {
        if let Ok(all) = self.in_flight.acquire_many(IN_FLIGHT).await {
            all.forget();
        }
        self.in_flight.close();
    }

    /// Whether one more refusal of this caller may be recorded.
    pub fn may_record(&self, caller: &Caller) -> bool {
        let now_ms = self.clock.monotonic_ms();
        if caller.is_peer() {
            return self.peer_refusals.take(&caller.by, now_ms);
        }
        self.refusals.take(now_ms)
    }

    /// A content key for one sealed body.
    pub fn content_key(&self) -> ContentKey {
        ContentKey::random(&mut **self.entropy())
    }

    /// The newest signed note of the log that holds what is signed here; none before the first.
    pub fn note(&self) -> Option<String> {
        self.checkpoint.borrow().as_ref().map(|newest| newest.note.text().to_owned())
    }

    /// Random bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy().fill(&mut bytes);
        bytes
    }

    fn entropy(&self) -> std::sync::MutexGuard<'_, Box<dyn Entropy + Send>> {
        self.entropy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The frame of an append: everything but the effect's own blocks and timer.
    pub fn append(
        &self,
        caller: &Caller,
        aggregate: Aggregate,
        expected_version: u64,
        time_ms: u64,
        command: Stored,
        effect: Effect,
    ) -> Append {
        Append::of(aggregate, expected_version, time_ms, &caller.by, caller.trace_id, command, effect)
    }

    /// The identity, if this node knows it.
    ///
    /// # Errors
    /// The log cannot be read or holds something else than it should.
    pub async fn known(&self, cid: &Cid) -> Result<Option<Arc<Known>>, Unavailable> {
        if let Some(known) = self.keyring.cached(cid) {
            return Ok(Some(known));
        }
        let (keyring, cid) = (self.keyring.clone(), *cid);
        self.crypto.run(Priority::Interactive, move || keyring.load(&cid)).await?
    }

    /// An identity that must be known because an accepted step names it.
    pub async fn party(&self, cid: &Cid) -> Result<Arc<Known>, Unavailable> {
        self.known(cid)
            .await?
            .ok_or_else(|| Unavailable::Inconsistent(format!("identity {cid}: is not in the log")))
    }
}
