//! The read model of orders: each order as the rules see it, found by reference, by `placed` CID and by ordinal.

use dta_events::order::{Event, Order, Party};
use dta_events::record::{AggregateKind, Effect, Record};
use dta_protocol::Cid;
use serde::{Deserialize, Serialize};

use crate::projection::{COUNT_KEY, Change, Projection, ProjectionError, Rows};

/// One order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRow {
    /// Its place in the list of orders, counted from 0 in the order of the log.
    pub ordinal: u64,
    /// When its first record was written, milliseconds since 1970 UTC.
    pub created_at_ms: u64,
    /// When its last event happened.
    pub updated_at_ms: u64,
    /// The state, folded by the rules themselves.
    pub order: Order,
    /// What a party on another node has not got yet.
    pub outstanding: Vec<Outstanding>,
}

/// A step that a party on another node has not got yet, whether it is being brought to it or left for it to fetch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outstanding {
    /// The party.
    pub to: Party,
    /// Its identity.
    pub party: Cid,
    /// The step.
    pub step: Cid,
    /// The record since which it is.
    pub sequence: u64,
}

/// The first byte of the row keys of what parties have not got; the party's CID (36 bytes) follows.
pub const OUTSTANDING_PREFIX: &[u8] = b"d";

/// Row key of what a party has not got, by the record since which; its value is the aggregate id and the party's role. The
/// common beginning, if no sequence is given.
pub fn outstanding_key(party: &Cid, sequence: Option<u64>) -> Vec<u8> {
    let sequence = sequence.map(u64::to_be_bytes);
    [OUTSTANDING_PREFIX, &party.to_bytes(), sequence.as_ref().map_or(&[], |bytes| bytes.as_slice())].concat()
}

/// Row key of an order by its aggregate id.
pub fn order_key(id: &[u8; 32]) -> Vec<u8> {
    [b"o".as_slice(), id].concat()
}

/// Row key of the nth order; its value is the aggregate id.
pub fn order_ordinal_key(ordinal: u64) -> Vec<u8> {
    [b"n".as_slice(), &ordinal.to_be_bytes()].concat()
}

/// Row key of an order whose principal is hosted here, by its reference; its value is the aggregate id.
pub fn reference_key(reference: &str) -> Vec<u8> {
    [b"r".as_slice(), reference.as_bytes()].concat()
}

/// Row key of an order by its `order/placed` envelope; its value is the aggregate id.
pub fn placed_key(placed: &Cid) -> Vec<u8> {
    [b"p".as_slice(), &placed.to_bytes()].concat()
}

/// The projection.
#[derive(Debug)]
pub struct Orders;

impl Projection for Orders {
    fn name(&self) -> &'static str {
        "orders"
    }

    fn schema(&self) -> u16 {
        5
    }

    fn reads(&self, record: &Record) -> Vec<Vec<u8>> {
        if record.aggregate.kind == AggregateKind::Order {
            vec![COUNT_KEY.to_vec(), order_key(&record.aggregate.id)]
        } else {
            Vec::new()
        }
    }

    fn apply(&self, rows: &Rows, record: &Record) -> Result<Vec<Change>, ProjectionError> {
        let (AggregateKind::Order, Effect::Events(events)) = (record.aggregate.kind, &record.effect) else {
            return Ok(Vec::new());
        };
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let id = record.aggregate.id;
        let mut changes = Vec::new();
        let mut row = match rows.get::<OrderRow>(&order_key(&id))? {
            Some(row) => row,
            None => {
                let ordinal = rows.count()?;
                changes.push(Change::put(COUNT_KEY.to_vec(), &(ordinal + 1))?);
                changes.push(Change::put(order_ordinal_key(ordinal), &id)?);
                OrderRow { ordinal, created_at_ms: record.time_ms, ..OrderRow::default() }
            }
        };
        let named_before = row.order.placed();
        for stored in events {
            row.order = row.order.apply(&Event::from_stored(stored)?);
        }
        row.updated_at_ms = record.time_ms;
        if let (None, Some(placed)) = (named_before, row.order.placed()) {
            changes.push(Change::put(placed_key(&placed), &id)?);
            if row.order.hosts.principal {
                changes.push(Change::put(reference_key(&row.order.reference), &id)?);
            }
        }
        let outstanding = outstanding(&row, record.sequence);
        for gone in row.outstanding.iter().filter(|old| !outstanding.contains(old)) {
            changes.push(Change::delete(outstanding_key(&gone.party, Some(gone.sequence))));
        }
        for new in outstanding.iter().filter(|new| !row.outstanding.contains(new)) {
            changes.push(Change::put(outstanding_key(&new.party, Some(new.sequence)), &(id, new.to))?);
        }
        row.outstanding = outstanding;
        changes.push(Change::put(order_key(&id), &row)?);
        Ok(changes)
    }
}

fn outstanding(row: &OrderRow, sequence: u64) -> Vec<Outstanding> {
    let given_up = row.order.stalled().map(|(delivery, _)| delivery);
    let all = row.order.outbox().into_iter().chain(given_up);
    all.filter_map(|delivery| {
        let party = row.order.party(delivery.to)?;
        let since = row.outstanding.iter().find(|old| old.to == delivery.to && old.step == delivery.step);
        let sequence = since.map_or(sequence, |old| old.sequence);
        Some(Outstanding { to: delivery.to, party, step: delivery.step, sequence })
    })
    .collect()
}
