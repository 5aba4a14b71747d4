//! Whom not to call for a while: a peer that could not be reached, an order whose peer had no answer for it. In memory only:
//! after a start everything is tried at once.

use std::collections::HashMap;

use dta_events::order::{Delivery, Party};
use dta_events::record::Aggregate;
use dta_protocol::Cid;

/// The first pause; each further one is twice as long, up to the longest.
const FIRST_MS: u64 = 500;
const LONGEST_MS: u64 = 60_000;
/// A peer that is away is called this often at least: whoever heals a partition does not want to wait.
const LONGEST_FOR_PEER_MS: u64 = 15_000;
/// No call takes longer.
const PROBE_MS: u64 = 25_000;

/// What an order waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// For whom.
    pub to: Option<Party>,
    /// How often it was tried since the start.
    pub attempts: u32,
    /// What went wrong last.
    pub error: String,
}

#[derive(Clone, Copy, Default)]
struct Pause {
    until_ms: u64,
    length_ms: u64,
    /// One call is out to see whether the peer is back; the others wait for it.
    probing: bool,
}

impl Pause {
    fn next(self, now_ms: u64, longest_ms: u64) -> Self {
        let length_ms = self.length_ms.saturating_mul(2).clamp(FIRST_MS, longest_ms);
        Self { until_ms: now_ms.saturating_add(length_ms), length_ms, probing: false }
    }
}

struct Order {
    pause: Pause,
    peer: Option<Cid>,
    waiting: Waiting,
}

/// The pauses, by the monotonic clock.
#[derive(Default)]
pub(super) struct Pauses {
    orders: HashMap<Aggregate, Order>,
    peers: HashMap<Cid, Pause>,
}

impl Pauses {
    /// Whether anything speaks against bringing what an order has.
    pub(super) fn is_ready(&self, order: &Aggregate, now_ms: u64) -> bool {
        match self.orders.get(order) {
            None => true,
            Some(Order { peer: Some(peer), .. }) => self.peer_is_ready(peer, now_ms),
            Some(Order { pause, .. }) => pause.until_ms <= now_ms,
        }
    }

    /// Whether a peer may be called.
    pub(super) fn peer_is_ready(&self, peer: &Cid, now_ms: u64) -> bool {
        self.peers.get(peer).is_none_or(|pause| pause.until_ms <= now_ms)
    }

    /// A call goes out to a peer that failed before: until it comes back, no other does.
    pub(super) fn peer_is_called(&mut self, peer: &Cid, now_ms: u64) {
        if let Some(pause) = self.peers.get_mut(peer) {
            pause.probing = true;
            pause.until_ms = now_ms.saturating_add(PROBE_MS);
        }
    }

    /// The peer answers.
    pub(super) fn peer_answered(&mut self, peer: &Cid) {
        self.peers.remove(peer);
    }

    /// The peer does not.
    pub(super) fn peer_failed(&mut self, peer: &Cid, now_ms: u64) {
        let pause = self.peers.get(peer).copied().unwrap_or_default();
        // Calls that failed together are one failure.
        if pause.until_ms > now_ms && !pause.probing {
            return;
        }
        self.peers.insert(*peer, pause.next(now_ms, LONGEST_FOR_PEER_MS));
    }

    /// An order waits for a peer that is paused.
    pub(super) fn wait_for_peer(&mut self, order: &Aggregate, delivery: &Delivery, peer: Cid) {
        let waits = self.orders.entry(*order).or_insert_with(|| Order {
            pause: Pause::default(),
            peer: None,
            waiting: Waiting { to: None, attempts: 0, error: "the peer was away a moment ago".to_owned() },
        });
        waits.peer = Some(peer);
        waits.waiting.to = Some(delivery.to);
    }

    /// A call for an order came to nothing.
    pub(super) fn order_waits(
        &mut self,
        order: &Aggregate,
        delivery: Option<&Delivery>,
        error: String,
        now_ms: u64,
    ) {
        let before = self.orders.remove(order);
        let (pause, attempts) =
            before.map_or((Pause::default(), 0), |before| (before.pause, before.waiting.attempts));
        let waiting =
            Waiting { to: delivery.map(|delivery| delivery.to), attempts: attempts.saturating_add(1), error };
        self.orders.insert(*order, Order { pause: pause.next(now_ms, LONGEST_MS), peer: None, waiting });
    }

    /// Nothing of an order waits any more.
    pub(super) fn forget(&mut self, order: &Aggregate) {
        self.orders.remove(order);
    }

    pub(super) fn waiting(&self, order: &Aggregate) -> Option<Waiting> {
        self.orders.get(order).map(|order| order.waiting.clone())
    }
}
