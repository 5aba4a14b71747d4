//! `dta audit`: the chain of custody of an order, handed to an auditor and checked by one.

mod all;
mod disclose;
mod export;
mod join;
mod summary;
mod verify;

use std::io::{self, BufWriter, Write as _};
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
    /// Check what was exported of an order; needs no node. Or with --all every order of a node's own log, also while the daemon is
    /// up. Exit status: 0 if every check that can be made holds, else 1
    Verify(Verify),
    /// Make one file of what several parties exported of an order; needs no node
    Join(Join),
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
    /// The exported chain; several of one order, as its parties exported it, are judged together
    #[arg(value_name = "FILE", required_unless_present = "all")]
    chains: Vec<PathBuf>,
    /// Every order of this home's log instead, with all that the node can open
    #[arg(long, conflicts_with_all = ["chains", "keys"])]
    all: bool,
    /// What a party has disclosed of it; may be given for each
    #[arg(long, value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// The identities that were verified by other means, as over the phone; with --all, if none is given, those that live on this
    /// node and those that it has pinned
    #[arg(long, value_name = "CID", required_unless_present = "all", num_args = 1..)]
    trust: Vec<Cid>,
    /// Check only what everybody may see, without the node's seed
    #[arg(long, requires = "all")]
    public: bool,
    /// Read the passphrase from the first line of a file instead of the terminal
    #[arg(long, value_name = "FILE", requires = "all", conflicts_with = "public")]
    passphrase_file: Option<PathBuf>,
    /// Check as of this time, in milliseconds since 1970 UTC; else now
    #[arg(long, value_name = "MS")]
    at_ms: Option<u64>,
    /// Print one JSON object; with --all one a line, for each order that fails, and last a summary
    #[arg(long)]
    json: bool,
}

/// What to make one file of.
#[derive(Debug, Args)]
pub struct Join {
    /// The exported chains
    #[arg(value_name = "FILE", required = true)]
    chains: Vec<PathBuf>,
    /// Where the chain with the proofs of all is written. A file that is there is not overwritten
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

/// Does it, and answers the exit status: of a check 0 if every check that can be made holds, else 1. A home is looked for only
/// where one is needed.
///
/// # Errors
/// For people to read: a file cannot be read or is there already, there is no such order, or the seed cannot be unlocked.
pub fn run(command: &AuditCommand, home: impl FnOnce() -> anyhow::Result<Home>) -> anyhow::Result<ExitCode> {
    match command {
        AuditCommand::Verify(command) if command.all => {
            let mut out = BufWriter::new(io::stdout().lock());
            let status = all::verify_all(&home()?, command, &mut out)?;
            out.flush()?;
            Ok(status)
        }
        AuditCommand::Verify(command) => verify::verify(command),
        AuditCommand::Join(command) => join::join(command).map(|()| ExitCode::SUCCESS),
        AuditCommand::Export(command) => export::export(&home()?, command).map(|()| ExitCode::SUCCESS),
    }
}
