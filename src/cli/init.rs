//! `dta init`: makes a node.

use std::path::PathBuf;

use clap::Args;

use super::say;
use super::unlock::passphrase;
use crate::home::Home;
use crate::keystore::{Keystore, Passphrase, Protection, ProtectionKind};
use crate::node::initialise;
use crate::ports::SystemClock;

/// What may be said of a new node.
#[derive(Debug, Args)]
pub struct InitCommand {
    /// What the node calls itself, for people: 1 to 128 bytes
    #[arg(long, default_value = "milagro-dta")]
    name: String,
    /// Seal the node's seed under a passphrase instead of a key file; the daemon then needs it at every start
    #[arg(long)]
    passphrase: bool,
    /// Read the passphrase from the first line of a file instead of the terminal
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
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
        Err(_) => ProtectionKind::KeyFile,
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
        |config| match typed {
            Some(passphrase) => Protection::Passphrase(passphrase),
            None => Protection::KeyFile(config.key_file(home)),
        },
        &SystemClock::default(),
    )?;
    say(format_args!("node {}", made.identity))?;
    say(format_args!("home {}", home.root.display()))?;
    let seed = if made.imported { "imported, and" } else { "made, and" };
    let under = match kind {
        ProtectionKind::Passphrase => "a passphrase",
        ProtectionKind::KeyFile => {
            "a key file; keep the key on another medium than the home if the disk may be stolen"
        }
    };
    say(format_args!("seed {seed} sealed under {under}"))?;
    say(format_args!("back it up with `dta identity seed export`, then start with `dta daemon`"))?;
    Ok(())
}
