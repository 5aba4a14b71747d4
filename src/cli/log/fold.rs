//! The records in order, each decoded and in its place in the chain, and the state they fold to by the pure rules.

use std::collections::BTreeMap;

use anyhow::Context as _;
use dta_events::identity::{self, Identity};
use dta_events::log;
use dta_events::node;
use dta_events::order::{self, Order, Stage};
use dta_events::peer;
use dta_events::record::{Aggregate, AggregateKind, Effect, NO_PREVIOUS, Record, Stored, hash_of};
use dta_events::stored::StoredError;
use dta_protocol::Cid;

use crate::actors::log::{Damage, LogReader};

/// Records read at once.
const CHUNK: usize = 256;

/// A record, and the hash that the next one names.
pub(super) struct Entry {
    pub(super) record: Record,
    pub(super) hash: [u8; 32],
}

/// What a record says happened.
pub(super) enum Happened {
    Node(node::Event),
    Identity(identity::Event),
    Order(order::Event),
    Peer(peer::Event),
    Log(log::Event),
}

/// What has become of everything. Holds the state of every order and identity: some KiB each.
#[derive(Default)]
pub(super) struct World {
    /// By the id of the aggregate.
    pub(super) orders: BTreeMap<[u8; 32], Order>,
    /// By the id of the aggregate.
    identities: BTreeMap<[u8; 32], Identity>,
}

impl Entry {
    /// Its hash is over its stored bytes.
    pub(super) fn decode(sequence: u64, stored: &[u8]) -> anyhow::Result<Self> {
        let record = Record::decode(stored).with_context(|| format!("sequence {sequence}"))?;
        Ok(Self { record, hash: hash_of(stored) })
    }
}

/// Shows every record up to and including `to`, in order.
pub(super) fn each_record(
    log: &dyn LogReader,
    to: Option<u64>,
    visit: &mut dyn FnMut(Entry) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (mut next, mut previous) = (0, NO_PREVIOUS);
    loop {
        let chunk = log.read(next, CHUNK)?;
        if chunk.is_empty() {
            return Ok(());
        }
        for (sequence, stored) in chunk {
            if to.is_some_and(|to| sequence > to) {
                return Ok(());
            }
            let entry = Entry::decode(sequence, &stored)?;
            let damage = |reason: &str| Damage::Record { sequence, reason: reason.into() };
            if entry.record.sequence != sequence {
                return Err(damage("the record says that it is another").into());
            }
            if entry.record.previous != previous {
                return Err(damage("the record does not follow the one before it").into());
            }
            (next, previous) = (sequence.saturating_add(1), entry.hash);
            visit(entry)?;
        }
    }
}

impl Happened {
    /// The events of a record; none if the command was refused.
    pub(super) fn of(record: &Record) -> anyhow::Result<Vec<Self>> {
        let Effect::Events(events) = &record.effect else { return Ok(Vec::new()) };
        let decoded = events.iter().map(|stored| Self::decode(record.aggregate.kind, stored));
        decoded.collect::<Result<_, _>>().with_context(|| format!("sequence {}", record.sequence))
    }

    fn decode(kind: AggregateKind, stored: &Stored) -> Result<Self, StoredError> {
        match kind {
            AggregateKind::Node => node::Event::from_stored(stored).map(Self::Node),
            AggregateKind::Identity => identity::Event::from_stored(stored).map(Self::Identity),
            AggregateKind::Order => order::Event::from_stored(stored).map(Self::Order),
            AggregateKind::Peer => peer::Event::from_stored(stored).map(Self::Peer),
            AggregateKind::Log => log::Event::from_stored(stored).map(Self::Log),
            // Reserved: nothing has been stored of these yet.
            AggregateKind::Seed => {
                Err(StoredError::Unknown { name: stored.name.clone(), schema: stored.schema })
            }
        }
    }
}

impl World {
    /// What follows from one more event; for an order, how far it has come.
    pub(super) fn apply(&mut self, aggregate: &Aggregate, happened: &Happened) -> Option<Stage> {
        match happened {
            Happened::Node(_) | Happened::Peer(_) | Happened::Log(_) => None,
            Happened::Identity(event) => {
                let identity = self.identities.entry(aggregate.id).or_default();
                *identity = std::mem::take(identity).apply(event);
                None
            }
            Happened::Order(event) => {
                let order = self.orders.entry(aggregate.id).or_default();
                *order = std::mem::take(order).apply(event);
                Some(order.stage)
            }
        }
    }

    /// The identity, if the records so far know it.
    pub(super) fn identity(&self, cid: &Cid) -> Option<&Identity> {
        let identity = self.identities.get(cid.digest())?;
        identity.known.as_ref().is_some_and(|known| known.cid == *cid).then_some(identity)
    }

    /// How many identities are known.
    pub(super) fn identities(&self) -> usize {
        self.identities.len()
    }
}
