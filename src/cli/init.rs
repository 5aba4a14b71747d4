//! `dta init`: makes a node.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::say;
use super::unlock::passphrase;
use crate::config::Config;
use crate::home::Home;
use crate::keystore::{Keystore, Passphrase, Protection, ProtectionKind};
use crate::node::custody::place;
use crate::node::initialise;
use crate::ports::SystemClock;

/// What may be said of a new node.
#[derive(Debug, Args)]
pub struct InitCommand {
    /// What the node calls itself, for people: 1 to 128 bytes
    #[arg(long, default_value = "milagro-dta")]
    pub(super) name: String,
    /// Seal the node's seed under a passphrase instead of a key file; the daemon then needs it at every start
    #[arg(long)]
    pub(super) passphrase: bool,
    /// Read the passphrase from the first line of a file instead of the terminal
    #[arg(long, value_name = "FILE")]
    pub(super) passphrase_file: Option<PathBuf>,
}

/// Makes it and says who it is.
///
/// # Errors
/// There is a node already, or a file cannot be written.
pub fn run(home: &Home, command: &InitCommand) -> anyhow::Result<()> {
    // An imported seed is opened as it was sealed.
    let kind = match Keystore::read(&home.seed_file()) {
        Ok(imported) => imported.kind(),
        Err(_) if command.passphrase || command.passphrase_file.is_some() => ProtectionKind::Passphrase,
        Err(_) if Config::read(home)?.keystore.token.is_some() => ProtectionKind::Token,
        Err(_) => ProtectionKind::KeyFile,
    };
    let in_token = match (kind, Config::read(home)?.keystore.token) {
        (ProtectionKind::Token, Some(key)) => Some(place(home, &key)?),
        (ProtectionKind::Token, None) => {
            bail!("the node's seed is under a key in a token: name that token in [keystore.token]")
        }
        _ => None,
    };
    let typed: Option<Passphrase> = match kind {
        ProtectionKind::Passphrase if !home.is_initialised() => {
            Some(passphrase(command.passphrase_file.as_deref(), !home.seed_file().exists())?)
        }
        _ => None,
    };
    let made = initialise(
        home,
        &command.name,
        |config| match (typed, in_token) {
            (Some(passphrase), _) => Protection::Passphrase(passphrase),
            (None, Some(place)) => Protection::Token(place),
            (None, None) => Protection::KeyFile(config.key_file(home)),
        },
        &SystemClock::default(),
    )?;
    say(format_args!("node {}", made.identity))?;
    say(format_args!("home {}", home.root.display()))?;
    let seed = if made.imported { "imported, and" } else { "made, and" };
    let under = match kind {
        ProtectionKind::Passphrase => "a passphrase",
        ProtectionKind::Token => "a key in a token: without that token the words are the only way to open it",
        ProtectionKind::KeyFile => {
            "a key file; keep the key on another medium than the home if the disk may be stolen"
        }
    };
    say(format_args!("seed {seed} sealed under {under}"))?;
    say(format_args!("back it up with `dta identity seed export`, then start with `dta daemon`"))?;
    Ok(())
}
