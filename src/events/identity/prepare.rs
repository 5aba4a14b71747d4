//! Every check of a command against an identity.

use super::command::{Command, Work};
use super::rejection::Rejection;
use super::state::{Identity, RULES};

/// The longest name, in bytes.
pub const NAME_BYTES: usize = 128;

impl Identity {
    /// Judges a command and names the work.
    pub fn prepare(&self, command: &Command) -> Result<Work, Rejection> {
        let legal = RULES.iter().any(|rule| rule.act == command.name() && rule.from.contains(&self.standing));
        match command {
            Command::Create { name, .. } => {
                check_name(name)?;
                if legal { Ok(Work::Create) } else { Err(Rejection::Exists) }
            }
            Command::Learn { .. } => Ok(if legal { Work::Verify } else { Work::Done }),
        }
    }
}

/// A name is 1 to 128 bytes without control or bidirectional characters: it is shown to people, never trusted.
pub fn check_name(name: &str) -> Result<(), Rejection> {
    if name.is_empty() || name.len() > NAME_BYTES {
        return Err(Rejection::NameLength { bytes: name.len(), limit: NAME_BYTES });
    }
    match dta_protocol::name_is_plain(name) {
        true => Ok(()),
        false => Err(Rejection::NameCharacter),
    }
}
