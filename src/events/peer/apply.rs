//! How an event changes a pin: total, no rule, no panic.

use super::event::Event;
use super::state::{Peer, Pin};

impl Peer {
    /// The pin after one more event.
    pub fn apply(mut self, event: &Event) -> Self {
        let followed = self.pin.as_ref().is_some_and(|pin| pin.followed);
        self.pin = match event {
            Event::Pinned { url, .. } => Some(Pin { url: url.clone(), followed }),
            Event::Unpinned { .. } => None,
            Event::Followed { .. } => self.pin.map(|pin| Pin { followed: true, ..pin }),
            Event::Unfollowed { .. } => self.pin.map(|pin| Pin { followed: false, ..pin }),
        };
        self
    }
}
