//! Which events follow from a command and the verified document.

use super::command::{Command, Work};
use super::event::{Event, Known};
use super::rejection::Rejection;
use super::state::Identity;

impl Identity {
    /// The events of a command; `known` is what the verified document says. No events: it was known before.
    pub fn decide(&self, command: &Command, known: Option<Known>) -> Result<Vec<Event>, Rejection> {
        let work = self.prepare(command)?;
        match (work, command) {
            (Work::Done, _) => Ok(Vec::new()),
            (_, Command::Create { uuid, name }) => {
                let known = known.filter(|known| known.name == *name).ok_or(Rejection::NotAsPrepared)?;
                Ok(vec![Event::Created { known, uuid: *uuid }])
            }
            (_, Command::Learn { cid }) => {
                let known = known.filter(|known| known.cid == *cid).ok_or(Rejection::NotAsPrepared)?;
                Ok(vec![Event::Learned { known }])
            }
        }
    }
}
