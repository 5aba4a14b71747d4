//! The read model of histories: what happened to each order, refusals included, one row an entry.

use dta_events::order::{Event, Origin, Outcome, Party};
use dta_events::record::{AggregateKind, Effect, Record};
use dta_protocol::Cid;
use serde::{Deserialize, Serialize};

use crate::projection::{Change, Projection, ProjectionError, Rows};

/// One entry of an order's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// The record it stands in.
    pub sequence: u64,
    /// When it was recorded, by this node's clock, milliseconds since 1970 UTC.
    pub at_ms: u64,
    /// Who caused it: `local`, `timer`, `peer:<CID>`, `oidc:…`.
    pub by: String,
    /// The command that led to it.
    pub command: String,
    /// What happened.
    pub entry: Entry,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// A step joined the order.
    Step {
        /// The envelope's kind.
        kind: String,
        /// The envelope.
        cid: Cid,
        /// Who signed it.
        signer: Cid,
        /// Signed on this node.
        issued_here: bool,
    },
    /// A command was refused, or a pending step turned down by the fiduciary.
    Refused {
        /// The reason's name.
        code: String,
        /// For people.
        details: String,
    },
    /// A signer was caught with two statements in one place.
    Equivocation {
        /// The one that counts.
        first: Cid,
        /// The other one.
        second: Cid,
    },
    /// The sealed secret was dropped.
    RetentionEnded {
        /// Its block.
        secret: Cid,
    },
    /// Bringing a step to a party on another node ended.
    DeliveryEnded {
        /// To whom.
        to: Party,
        /// The step.
        step: Cid,
        /// How.
        outcome: Outcome,
    },
    /// Deliveries are tried again.
    DeliveriesResumed,
    /// A recovery did not find what custody held for the order.
    CustodyLost,
    /// It is here after all.
    CustodyFound,
    /// A recovery leaves the step that is due to the operator.
    Held,
    /// The order's seed is to be destroyed.
    ShredOrdered {
        /// From when on, milliseconds since 1970 UTC.
        due_ms: u64,
    },
    /// It is destroyed.
    Shredded,
}

/// The common beginning of the row keys of one order's history; what follows is the record's sequence and the position in
/// the record, big-endian.
pub fn history_prefix(order: &[u8; 32]) -> Vec<u8> {
    [b"h".as_slice(), order].concat()
}

/// The projection.
#[derive(Debug)]
pub struct History;

impl Projection for History {
    fn name(&self) -> &'static str {
        "history"
    }

    fn schema(&self) -> u16 {
        1
    }

    fn reads(&self, _: &Record) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn apply(&self, _: &Rows, record: &Record) -> Result<Vec<Change>, ProjectionError> {
        if record.aggregate.kind != AggregateKind::Order {
            return Ok(Vec::new());
        }
        let entries = match &record.effect {
            Effect::Refused { code, details } => {
                vec![Entry::Refused { code: code.clone(), details: details.clone() }]
            }
            Effect::Events(events) => events
                .iter()
                .map(|stored| Ok(entry(Event::from_stored(stored)?)))
                .collect::<Result<_, ProjectionError>>()?,
        };
        let prefix = history_prefix(&record.aggregate.id);
        let row = |entry| HistoryRow {
            sequence: record.sequence,
            at_ms: record.time_ms,
            by: record.by.clone(),
            command: record.command.name.clone(),
            entry,
        };
        (0u16..)
            .zip(entries)
            .map(|(position, entry)| {
                let key =
                    [&prefix, record.sequence.to_be_bytes().as_slice(), &position.to_be_bytes()].concat();
                Change::put(key, &row(entry))
            })
            .collect()
    }
}

fn entry(event: Event) -> Entry {
    match event {
        Event::StepAppended(appended) => Entry::Step {
            kind: appended.step.facts.kind().as_str().to_owned(),
            cid: appended.step.cid,
            signer: appended.step.signer,
            issued_here: appended.origin == Origin::Issued,
        },
        Event::StepRefused { cid, code } => {
            Entry::Refused { code, details: format!("the fiduciary turned {cid} down") }
        }
        Event::EquivocationSeen { first, second } => Entry::Equivocation { first, second },
        Event::RetentionEnded { secret, .. } => Entry::RetentionEnded { secret },
        Event::DeliveryEnded { to, step, outcome } => Entry::DeliveryEnded { to, step, outcome },
        Event::DeliveriesResumed { .. } => Entry::DeliveriesResumed,
        Event::CustodyLost { .. } => Entry::CustodyLost,
        Event::CustodyFound { .. } => Entry::CustodyFound,
        Event::Held { .. } => Entry::Held,
        Event::ShredOrdered { due_ms, .. } => Entry::ShredOrdered { due_ms },
        Event::Shredded { .. } => Entry::Shredded,
    }
}
