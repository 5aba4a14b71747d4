//! `dta audit`: the chain of custody of an order, handed to an auditor and checked by one.

mod disclose;
mod export;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use dta_protocol::Cid;

use crate::home::Home;

/// What to do with a chain.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Write an order's chain for an auditor; also while the daemon is up
    Export(Export),
    /// Check an exported chain; needs no node. Exit status: 0 if every check that can be made holds, else 1
    Verify(Verify),
}

/// Of which order, and what of it.
#[derive(Debug, Args)]
pub struct Export {
    /// Its reference, or the CID of one of its envelopes
    #[arg(value_name = "REFERENCE|CID")]
    order: String,
    /// Where the chain is written: nothing in it that is not published. A file that is there is not overwritten
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Also write the keys of what this node can read of the order. Whoever gets them reads it too, for good
    #[arg(long, value_name = "FILE")]
    disclose: Option<PathBuf>,
    /// Disclose also the key of the released secret, and of a disputed one the sealed secret itself
    #[arg(long, requires = "disclose")]
    disclose_secret: bool,
    /// Read the passphrase from the first line of a file instead of the terminal
    #[arg(long, value_name = "FILE", requires = "disclose")]
    passphrase_file: Option<PathBuf>,
}

/// What to check, and whom to trust.
#[derive(Debug, Args)]
pub struct Verify {
    /// The exported chain
    #[arg(value_name = "FILE")]
    chain: PathBuf,
    /// What the parties have disclosed of it
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// The identities that were verified by other means, as over the phone
    #[arg(long, value_name = "CID", required = true, num_args = 1..)]
    trust: Vec<Cid>,
    /// Check as of this time, in milliseconds since 1970 UTC; else now
    #[arg(long, value_name = "MS")]
    at_ms: Option<u64>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Checks, and answers the exit status: 0 if every check that can be made holds, else 1.
///
/// # Errors
/// A file cannot be read, or what was found cannot be printed.
pub fn verify(command: &Verify) -> anyhow::Result<ExitCode> {
    verify::verify(command)
}

/// Exports.
///
/// # Errors
/// For people to read: there is no such order, a file is there already, or the seed cannot be unlocked.
pub fn export(home: &Home, command: &Export) -> anyhow::Result<()> {
    export::export(home, command)
}
