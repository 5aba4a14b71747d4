//! The read model of orders: each order as the rules see it, found by reference, by `placed` CID and by ordinal.

use dta_events::order::{Event, Order};
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
        1
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
        changes.push(Change::put(order_key(&id), &row)?);
        Ok(changes)
    }
}
