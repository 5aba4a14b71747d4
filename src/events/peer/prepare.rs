//! Every check of a command against a pin.

use dta_protocol::Cid;

use super::command::{Command, Facts, Work};
use super::rejection::Rejection;
use super::state::{Peer, RULES, Standing};

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
            Command::Unpin { identity } | Command::Follow { identity } if !legal => {
                Err(Rejection::NotPinned(*identity))
            }
            Command::Follow { identity } => self.follow(identity, facts),
            Command::Unfollow { identity } if !legal => Err(Rejection::NotFollowed(*identity)),
            _ => Ok(Work::Record),
        }
    }

    /// Whether the log of a pinned identity can be followed.
    fn follow(&self, identity: &Cid, facts: &Facts) -> Result<Work, Rejection> {
        if facts.hosted {
            return Err(Rejection::OwnLog(*identity));
        }
        match facts.log {
            Some(owner) if owner != *identity => {
                return Err(Rejection::LogElsewhere { identity: *identity, owner });
            }
            Some(_) => {}
            None => return Err(Rejection::UnknownIdentity(*identity)),
        }
        if self.pin.as_ref().is_none_or(|pin| pin.url.is_none()) {
            return Err(Rejection::NotAddressed(*identity));
        }
        if !facts.keeps_blocks {
            return Err(Rejection::KeepsNoBlocks);
        }
        Ok(if self.standing() == Standing::Followed { Work::Done } else { Work::Record })
    }
}
