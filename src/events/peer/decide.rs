//! Which events follow from a command.

use super::command::{Command, Facts, Work};
use super::event::Event;
use super::rejection::Rejection;
use super::state::Peer;

impl Peer {
    /// The events of a command. None: it was so before.
    pub fn decide(&self, command: &Command, facts: &Facts) -> Result<Vec<Event>, Rejection> {
        match (self.prepare(command, facts)?, command) {
            (Work::Done, _) => Ok(Vec::new()),
            (Work::Record, Command::Pin { identity, url }) => {
                Ok(vec![Event::Pinned { identity: *identity, url: url.clone() }])
            }
            (Work::Record, Command::Unpin { identity }) => Ok(vec![Event::Unpinned { identity: *identity }]),
            (Work::Record, Command::Follow { identity }) => Ok(vec![Event::Followed { identity: *identity }]),
            (Work::Record, Command::Unfollow { identity }) => {
                Ok(vec![Event::Unfollowed { identity: *identity }])
            }
        }
    }
}
