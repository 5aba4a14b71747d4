//! A pin: that this node's operator trusts an identity, where it serves, if it does, and whether a copy of its log is kept. One history for each identity;
//! its id is the digest of the identity's CID.

mod apply;
mod command;
mod decide;
mod event;
mod prepare;
mod rejection;
mod state;

pub use command::{Command, Facts, Work};
pub use event::Event;
pub use rejection::Rejection;
pub use state::{Peer, Pin, RULES, Rule, Standing};

#[cfg(test)]
mod tests;
