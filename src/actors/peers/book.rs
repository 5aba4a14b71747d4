//! The book of pins in memory: whom the operator trusts, where they serve, and whose logs are followed. It follows from the log, is read from it at
//! start, and is kept by the actor that appends pins, so that commands need not ask a read model.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dta_events::peer::{Event, Peer, Pin, Standing};
use dta_events::record::{AggregateKind, Effect};
use dta_protocol::Cid;
use tokio::sync::watch;

use crate::actors::log::LogReader;
use crate::actors::services::Services;
use crate::actors::unavailable::Unavailable;

/// The book.
pub struct Book {
    open: bool,
    /// Those that are pinned, and no others.
    pins: Mutex<BTreeMap<Cid, Peer>>,
    /// Counts what happens to pins, for those who go by them all the time.
    changes: watch::Sender<u64>,
}

impl Book {
    /// What the log says of all pins. `open`: whoever is not pinned is trusted too.
    ///
    /// # Errors
    /// The log cannot be read, or newer code wrote it.
    pub fn read(log: &dyn LogReader, open: bool) -> Result<Self, Unavailable> {
        let book = Self { open, pins: Mutex::default(), changes: watch::channel(0).0 };
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
        {
            let (mut pins, identity) = (self.pins(), *event.identity());
            let peer = pins.remove(&identity).unwrap_or_default().apply(event);
            if peer.pin.is_some() {
                pins.insert(identity, peer);
            }
        }
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Changes when something happens to a pin.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The pin of an identity.
    pub fn pinned(&self, identity: &Cid) -> Option<Pin> {
        self.pins().get(identity)?.pin.clone()
    }

    /// Every pinned identity, in the order of their CIDs.
    pub fn all(&self) -> Vec<Cid> {
        self.pins().keys().copied().collect()
    }

    /// Every pinned identity that serves somewhere, and where, in the order of their CIDs.
    pub fn with_url(&self) -> Vec<(Cid, String)> {
        let pins = self.pins();
        pins.iter()
            .filter_map(|(identity, peer)| Some((*identity, peer.pin.as_ref()?.url.clone()?)))
            .collect()
    }

    /// Every identity whose log is followed, in the order of their CIDs.
    pub fn followed(&self) -> Vec<Cid> {
        let pins = self.pins();
        let followed = pins.iter().filter(|(_, peer)| peer.standing() == Standing::Followed);
        followed.map(|(identity, _)| *identity).collect()
    }

    /// Whether the operator trusts an identity, by its pin or because everyone is trusted. For those hosted here ask
    /// [`Services::trusts`].
    pub fn trusts(&self, identity: &Cid) -> bool {
        self.open || self.pins().contains_key(identity)
    }

    fn pins(&self) -> MutexGuard<'_, BTreeMap<Cid, Peer>> {
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
