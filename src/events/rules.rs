//! How the log's indexes follow from its records: which claims a record takes, which envelopes it brings, and when its
//! aggregate has something to do by itself. `dta log reindex` derives them again with the same functions.

use crate::identity;
use crate::ids::{request_claim, secret_claim};
use crate::index::Indexing;
use crate::log;
use crate::node;
use crate::order::{self, Order};
use crate::peer::{self, Peer};
use crate::record::{Aggregate, AggregateKind, Effect, Record, Stored};
use crate::stored::StoredError;

/// The rules of this program.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules;

impl Indexing for Rules {
    fn claims(&self, record: &Record) -> Vec<[u8; 32]> {
        // A refused request takes nothing: it may come again.
        let Effect::Events(events) = &record.effect else { return Vec::new() };
        let request =
            record.request.iter().map(|request| request_claim(&record.by, &request.idempotency_key));
        let keys = identity_events(record, events).flat_map(|event| event.known().key_claims.clone());
        // A sealed secret is dropped with its order's retention: no two orders share one.
        let secrets = order_events(record, events).filter_map(|event| match event {
            order::Event::StepAppended(appended) => match appended.step.facts {
                order::StepFacts::Released { secret, .. } => Some(secret_claim(&secret)),
                _ => None,
            },
            _ => None,
        });
        request.chain(keys).chain(secrets).collect()
    }

    // Frozen for every event there is: the leaves of the log's tree follow from it, and others have its root.
    fn envelopes(&self, record: &Record) -> Vec<[u8; 36]> {
        let Effect::Events(events) = &record.effect else { return Vec::new() };
        let steps = order_events(record, events).filter_map(|event| match event {
            order::Event::StepAppended(appended) => Some(appended.step.cid.to_bytes()),
            order::Event::EquivocationSeen { second, .. } => Some(second.to_bytes()),
            _ => None,
        });
        let identities = identity_events(record, events).map(|event| event.known().cid.to_bytes());
        let checkpoints = log_events(record, events).filter_map(|event| match event {
            log::Event::Checkpointed(checkpointed) => Some(checkpointed.cid.to_bytes()),
            _ => None,
        });
        steps.chain(identities).chain(checkpoints).collect()
    }

    fn understands(&self, record: &Record) -> Result<(), String> {
        let Effect::Events(events) = &record.effect else { return Ok(()) };
        let unknown = || match record.aggregate.kind {
            AggregateKind::Order => events.iter().find_map(|stored| order::Event::from_stored(stored).err()),
            AggregateKind::Identity => {
                events.iter().find_map(|stored| identity::Event::from_stored(stored).err())
            }
            AggregateKind::Node => events.iter().find_map(|stored| node::Event::from_stored(stored).err()),
            AggregateKind::Peer => events.iter().find_map(|stored| peer::Event::from_stored(stored).err()),
            AggregateKind::Log => events.iter().find_map(|stored| log::Event::from_stored(stored).err()),
            AggregateKind::Seed => events.first().map(StoredError::unknown),
        };
        unknown().map_or(Ok(()), |error| Err(error.to_string()))
    }

    fn due(&self, aggregate: &Aggregate, records: &[Record]) -> Option<u64> {
        if aggregate.kind != AggregateKind::Order {
            return None;
        }
        replay_order(records).ok()?.next_due_ms()
    }
}

/// The order that these records, in version order, tell of. Refusals change nothing.
///
/// # Errors
/// A record holds an event that newer code wrote.
pub fn replay_order(records: &[Record]) -> Result<Order, crate::stored::StoredError> {
    let mut order = Order::default();
    for record in records {
        if let Effect::Events(events) = &record.effect {
            for stored in events {
                order = order.apply(&order::Event::from_stored(stored)?);
            }
        }
    }
    Ok(order)
}

/// The identity that these records tell of.
///
/// # Errors
/// A record holds an event that newer code wrote.
pub fn replay_identity(records: &[Record]) -> Result<identity::Identity, crate::stored::StoredError> {
    let mut identity = identity::Identity::default();
    for record in records {
        if let Effect::Events(events) = &record.effect {
            for stored in events {
                identity = identity.apply(&identity::Event::from_stored(stored)?);
            }
        }
    }
    Ok(identity)
}

/// The pin that these records tell of.
///
/// # Errors
/// A record holds an event that newer code wrote.
pub fn replay_peer(records: &[Record]) -> Result<Peer, crate::stored::StoredError> {
    let mut peer = Peer::default();
    for record in records {
        if let Effect::Events(events) = &record.effect {
            for stored in events {
                peer = peer.apply(&peer::Event::from_stored(stored)?);
            }
        }
    }
    Ok(peer)
}

fn order_events<'a>(record: &Record, events: &'a [Stored]) -> impl Iterator<Item = order::Event> + use<'a> {
    let mine = record.aggregate.kind == AggregateKind::Order;
    events.iter().filter(move |_| mine).filter_map(|stored| order::Event::from_stored(stored).ok())
}

fn log_events<'a>(record: &Record, events: &'a [Stored]) -> impl Iterator<Item = log::Event> + use<'a> {
    let mine = record.aggregate.kind == AggregateKind::Log;
    events.iter().filter(move |_| mine).filter_map(|stored| log::Event::from_stored(stored).ok())
}

fn identity_events<'a>(
    record: &Record,
    events: &'a [Stored],
) -> impl Iterator<Item = identity::Event> + use<'a> {
    let mine = record.aggregate.kind == AggregateKind::Identity;
    events.iter().filter(move |_| mine).filter_map(|stored| identity::Event::from_stored(stored).ok())
}
