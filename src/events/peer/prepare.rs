//! Every check of a command against a pin.

use super::command::{Command, Facts, Work};
use super::rejection::Rejection;
use super::state::{Peer, RULES};

impl Peer {
    /// Judges a command and names the work.
    pub fn prepare(&self, command: &Command, facts: &Facts) -> Result<Work, Rejection> {
        let legal =
            RULES.iter().any(|rule| rule.act == command.name() && rule.from.contains(&self.standing()));
        match command {
            Command::Pin { identity, .. } if !facts.known => Err(Rejection::UnknownIdentity(*identity)),
            // The node does not call itself over the network.
            Command::Pin { identity, url: Some(_) } if facts.hosted => Err(Rejection::HostedHere(*identity)),
            Command::Pin { url, .. } if self.pin.as_ref().is_some_and(|pin| pin.url == *url) => {
                Ok(Work::Done)
            }
            Command::Unpin { identity } if !legal => Err(Rejection::NotPinned(*identity)),
            _ => Ok(Work::Record),
        }
    }
}
