//! The book of pins in memory: whom the operator trusts, and where they serve. It follows from the log, is read from it at
//! start, and is kept by the actor that appends pins, so that commands need not ask a read model.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dta_events::peer::{Event, Pin};
use dta_events::record::{AggregateKind, Effect};
use dta_protocol::Cid;

use crate::actors::log::LogReader;
use crate::actors::services::Services;
use crate::actors::unavailable::Unavailable;

/// The book.
pub struct Book {
    open: bool,
    pins: Mutex<BTreeMap<Cid, Pin>>,
}

impl Book {
    /// What the log says of all pins. `open`: whoever is not pinned is trusted too.
    ///
    /// # Errors
    /// The log cannot be read, or newer code wrote it.
    pub fn read(log: &dyn LogReader, open: bool) -> Result<Self, Unavailable> {
        let book = Self { open, pins: Mutex::default() };
        for peer in log.aggregates(AggregateKind::Peer)? {
            for record in log.load(&peer)? {
                let Effect::Events(events) = &record.effect else { continue };
                for stored in events {
                    let event = Event::from_stored(stored);
                    book.note(&event.map_err(|error| Unavailable::Inconsistent(error.to_string()))?);
                }
            }
        }
        Ok(book)
    }

    /// What happened to a pin; it is in the log already.
    pub(super) fn note(&self, event: &Event) {
        match event {
            Event::Pinned { identity, url } => self.pins().insert(*identity, Pin { url: url.clone() }),
            Event::Unpinned { identity } => self.pins().remove(identity),
        };
    }

    /// The pin of an identity.
    pub fn pinned(&self, identity: &Cid) -> Option<Pin> {
        self.pins().get(identity).cloned()
    }

    /// Every pinned identity, in the order of their CIDs.
    pub fn all(&self) -> Vec<Cid> {
        self.pins().keys().copied().collect()
    }

    /// Every pinned identity that serves somewhere, and where, in the order of their CIDs.
    pub fn with_url(&self) -> Vec<(Cid, String)> {
        self.pins().iter().filter_map(|(identity, pin)| Some((*identity, pin.url.clone()?))).collect()
    }

    /// Whether the operator trusts an identity, by its pin or because everyone is trusted. For those hosted here ask
    /// [`Services::trusts`].
    pub fn trusts(&self, identity: &Cid) -> bool {
        self.open || self.pins().contains_key(identity)
    }

    fn pins(&self) -> MutexGuard<'_, BTreeMap<Cid, Pin>> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Services {
    /// Whether this node serves an identity: it is hosted here, pinned, or everyone is trusted.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn trusts(&self, identity: &Cid) -> Result<bool, Unavailable> {
        if self.peers.trusts(identity) {
            return Ok(true);
        }
        Ok(self.known(identity).await?.is_some_and(|known| known.keys.is_some()))
    }
}
