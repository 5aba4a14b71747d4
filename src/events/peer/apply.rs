//! How an event changes a pin: total, no rule, no panic.

use super::event::Event;
use super::state::{Peer, Pin};

impl Peer {
    /// The pin after one more event.
    pub fn apply(mut self, event: &Event) -> Self {
        self.pin = match event {
            Event::Pinned { url, .. } => Some(Pin { url: url.clone() }),
            Event::Unpinned { .. } => None,
        };
        self
    }
}
