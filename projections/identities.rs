//! The read model of identities: every identity this node hosts or has learned, by CID and by ordinal.

use dta_events::identity::{Event, Known};
use dta_events::record::{AggregateKind, Effect, Record};
use dta_protocol::Cid;
use serde::{Deserialize, Serialize};

use crate::projection::{COUNT_KEY, Change, Projection, ProjectionError, Rows};

/// One identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityRow {
    /// Its place in the list, counted from 0 in the order of the log.
    pub ordinal: u64,
    /// Its keys are derived from this node's seed.
    pub hosted: bool,
    /// The UUID its seed is derived under; none for the node's own identity and for learned ones.
    pub uuid: Option<[u8; 16]>,
    /// What its document says.
    pub known: Known,
}

/// Row key of an identity.
pub fn identity_key(identity: &Cid) -> Vec<u8> {
    [b"i".as_slice(), &identity.to_bytes()].concat()
}

/// Row key of the nth identity; its value is the CID.
pub fn identity_ordinal_key(ordinal: u64) -> Vec<u8> {
    [b"n".as_slice(), &ordinal.to_be_bytes()].concat()
}

/// The projection.
#[derive(Debug)]
pub struct Identities;

impl Projection for Identities {
    fn name(&self) -> &'static str {
        "identities"
    }

    fn schema(&self) -> u16 {
        1
    }

    fn reads(&self, record: &Record) -> Vec<Vec<u8>> {
        if record.aggregate.kind == AggregateKind::Identity { vec![COUNT_KEY.to_vec()] } else { Vec::new() }
    }

    fn apply(&self, rows: &Rows, record: &Record) -> Result<Vec<Change>, ProjectionError> {
        let (AggregateKind::Identity, Effect::Events(events)) = (record.aggregate.kind, &record.effect)
        else {
            return Ok(Vec::new());
        };
        let mut changes = Vec::new();
        // An identity's first event brings it in; there is no second that changes what is shown.
        if let Some(stored) = events.first() {
            let event = Event::from_stored(stored)?;
            let (hosted, uuid) = match &event {
                Event::Created { uuid, .. } => (true, *uuid),
                Event::Learned { .. } => (false, None),
            };
            let ordinal = rows.count()?;
            let known = event.known().clone();
            let cid = known.cid;
            changes.push(Change::put(COUNT_KEY.to_vec(), &(ordinal + 1))?);
            changes.push(Change::put(identity_ordinal_key(ordinal), &cid)?);
            changes.push(Change::put(identity_key(&cid), &IdentityRow { ordinal, hosted, uuid, known })?);
        }
        Ok(changes)
    }
}
