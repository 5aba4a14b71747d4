//! How an event changes an identity: total, no rule, no panic.

use super::event::Event;
use super::state::{Identity, Standing};

impl Identity {
    /// The identity after one more event.
    pub fn apply(mut self, event: &Event) -> Self {
        match event {
            Event::Created { known, uuid } => {
                self.standing = Standing::Hosted;
                self.known = Some(known.clone());
                self.uuid = *uuid;
            }
            Event::Learned { known } => {
                if self.standing == Standing::Unknown {
                    self.standing = Standing::Learned;
                    self.known = Some(known.clone());
                }
            }
        }
        self
    }
}
