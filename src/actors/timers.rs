//! Timers: looks at the log's own index of what is due and sends each order there to be attended, at start-up too, which is
//! how work that a crash interrupted is found again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use dta_events::record::Aggregate;
use tokio::sync::watch;

use super::orders::{Desk, OrderError};
use super::outbox::Outbox;
use super::services::{Caller, Services};
use super::unavailable::Unavailable;

/// Who causes what a timer causes.
pub const BY: &str = "timer";
/// How often the index is looked at.
const TICK: Duration = Duration::from_millis(500);
/// Orders attended in one look.
const AT_ONCE: usize = 64;
/// The first pause after an order could not be attended; it doubles up to the last.
const PAUSE_MS: u64 = 1_000;
const LONGEST_PAUSE_MS: u64 = 300_000;

#[derive(Clone, Copy)]
struct Pause {
    until_ms: u64,
    length_ms: u64,
}

/// Runs until `stopping` says so. Pauses are kept on the monotonic clock: a stepped wall clock does not stop them.
pub async fn run(
    services: Arc<Services>,
    desk: Arc<Desk>,
    outbox: Arc<Outbox>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut pauses: HashMap<Aggregate, Pause> = HashMap::new();
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        services.clock_watch.look(&*services.clock);
        let now_ms = services.clock.monotonic_ms();
        // Those that pause stand in the way of none that do not.
        let limit = AT_ONCE + pauses.len();
        let due = match services.log.due(services.clock.wall_ms(), limit) {
            Ok(due) => due,
            Err(error) => {
                tracing::error!(%error, "the timers cannot be read");
                continue;
            }
        };
        let still_due: HashSet<Aggregate> = due.iter().map(|(_, order)| *order).collect();
        pauses.retain(|order, _| still_due.contains(order));
        for (_, order) in due {
            let paused = pauses.get(&order);
            // One that has been attended and is due all the same may have something to deliver, which has its own pauses.
            if paused.is_some() {
                outbox.consider(order);
            }
            if paused.is_some_and(|pause| pause.until_ms > now_ms) {
                continue;
            }
            let caller = Caller { by: BY.to_owned(), trace_id: services.random(), request: None };
            match desk.attend(order, caller).await {
                Ok(stands) if !stands.order.outbox().is_empty() => outbox.consider(order),
                Ok(_) => {}
                // Somebody's request is being served instead; this one's turn comes.
                Err(OrderError::Unavailable(Unavailable::Busy)) => {}
                Err(error) => {
                    let order = hex::encode(order.id);
                    tracing::warn!(%error, order, "an order that is due cannot be attended now");
                }
            }
            // Still due after this: a rule or a fault holds it back, and asking again at once would not help.
            let length_ms = pauses
                .get(&order)
                .map_or(PAUSE_MS, |pause| pause.length_ms.saturating_mul(2).min(LONGEST_PAUSE_MS));
            pauses.insert(order, Pause { until_ms: now_ms.saturating_add(length_ms), length_ms });
        }
    }
}
