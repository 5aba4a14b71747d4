//! `dta original`: the orders that were taken over from a node of the original; `dta import-original` takes them over.

pub mod import;
mod settings;

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use dta_original::{Check, ImportedOrder};

use super::unlock::protection;
use super::{plain, say};
use crate::config::Config;
use crate::home::Home;
use crate::keystore::Keystore;
use crate::node::original;

/// What to do with what was taken over.
#[derive(Debug, Subcommand)]
pub enum OriginalCommand {
    /// Show the orders: reference, commitment, what came of comparing that with what the client has
    List,
    /// Print the secret key of an order, in hex: to hand it to its beneficiary is your act, and no log has it
    Secret(SecretCommand),
}

/// Which secret.
#[derive(Debug, Args)]
pub struct SecretCommand {
    /// The order's reference
    reference: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Print the secret of a seed that does not give the commitment that its client has
    #[arg(long)]
    anyway: bool,
    /// Read the passphrase of the node's seed from the first line of a file instead of the terminal
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// Does it.
///
/// # Errors
/// For people to read; never with a secret in it.
pub fn run(home: &Home, command: &OriginalCommand) -> anyhow::Result<()> {
    match command {
        OriginalCommand::List => list(home),
        OriginalCommand::Secret(command) => secret(home, command),
    }
}

fn list(home: &Home) -> anyhow::Result<()> {
    for order in original::list(home)? {
        say(format_args!(
            "{} {} {}",
            plain(&order.reference),
            plain(&order.commitment),
            order.checked.as_str()
        ))?;
    }
    Ok(())
}

fn secret(home: &Home, command: &SecretCommand) -> anyhow::Result<()> {
    let reference = plain(&command.reference);
    // What is not there is said before anybody types a passphrase.
    let listed = original::list(home)?;
    if !listed.iter().any(|order| order.reference == command.reference) {
        bail!("no order {reference} was taken over: `dta original list` shows which were");
    }
    let config = Config::read(home)?;
    let keystore = Keystore::read(&home.seed_file())?;
    let seed = keystore.unlock(&protection(&config, home, &keystore, command.passphrase_file.as_deref())?)?;
    let named = || format!("{}", home.original().display());
    let order = original::open(home, &seed)?.order(&command.reference).with_context(named)?;
    let order = order.with_context(|| format!("no order {reference} was taken over"))?;
    if order.listed.checked == Check::Differs && !command.anyway {
        bail!(
            "order {reference}: its seed does not give the commitment that its client has, so it is damaged or another order's; look for another copy \
             of the original's home, or print what it gives with --anyway"
        );
    }
    eprintln!("order {reference}: {}", what(&order));
    eprintln!(
        "Whoever has the secret has what it locks. To hand it over is your act: this node does not know who may have it, and its log says \
         nothing of the original's orders."
    );
    if !command.yes && !agreed()? {
        bail!("nothing was printed");
    }
    // The type that prints it is the one that is wiped.
    let hex = zeroize::Zeroizing::new(hex::encode(order.redeemed().secret().expose()));
    say(hex.as_str())?;
    Ok(())
}

/// What is about to be printed.
fn what(order: &ImportedOrder) -> &'static str {
    match order.listed.checked {
        Check::Matches => "the secret of the commitment that its client has",
        Check::Sum => {
            "the secret of the commitment that its client has: the fiduciary's, with the beneficiary's EC key added"
        }
        Check::OtherAddend => {
            "the fiduciary's addend of the secret; the other one is with the beneficiary or the principal"
        }
        Check::Differs => {
            "the secret that its seed gives, which is NOT that of the commitment that its client has"
        }
        Check::Unchecked => "the secret that its seed gives; nobody said what commitment its client has",
    }
}

fn agreed() -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("run this at a terminal, or say --yes");
    }
    eprint!("Print it? Type yes: ");
    std::io::stderr().flush()?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim() == "yes")
}
