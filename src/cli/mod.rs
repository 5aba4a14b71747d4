//! The command line: one file for each noun.

pub mod daemon;
pub mod identity;
pub mod init;
pub mod ipfs;
pub mod log;
mod progress;
pub mod projection;
pub mod unlock;

use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::config::find_home;

/// A decentralized trust authority: a network HSM whose chain of custody anyone can check.
#[derive(Debug, Parser)]
#[command(name = "dta", version)]
pub struct Cli {
    /// The node's folder; else MILAGRO_HOME, else ~/.milagro
    #[arg(long, global = true, value_name = "FOLDER")]
    home: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a node: its seed, its identity, its log
    Init(init::InitCommand),
    /// Serve
    Daemon(daemon::DaemonCommand),
    /// The node's own identity
    #[command(subcommand)]
    Identity(identity::IdentityCommand),
    /// IPFS: who the node is there, private networks, fetching a block
    #[command(subcommand)]
    Ipfs(ipfs::IpfsCommand),
    /// The event log: read it, check it, index it anew
    #[command(subcommand)]
    Log(log::LogCommand),
    /// The read models
    #[command(subcommand)]
    Projection(projection::ProjectionCommand),
}

/// Prints a line on standard output; a reader that has gone, or a full disk, is an error and no panic.
///
/// # Errors
/// The line could not be written.
pub(crate) fn say(line: impl Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// An error and what caused it; a cause that the text before it has told already is not told twice.
pub fn causes(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| {
        if told.contains(&cause) {
            told
        } else if told.is_empty() {
            cause
        } else {
            format!("{told}: {cause}")
        }
    })
}

impl Cli {
    /// Does what the command line says.
    ///
    /// # Errors
    /// For people to read.
    pub fn run(self) -> anyhow::Result<()> {
        let home = find_home(self.home).map_err(anyhow::Error::msg)?;
        match self.command {
            Command::Init(command) => init::run(&home, &command),
            Command::Daemon(command) => daemon::run(home, &command),
            Command::Identity(command) => identity::run(&home, command),
            Command::Ipfs(command) => ipfs::run(&home, &command),
            Command::Log(command) => log::run(&home, command),
            Command::Projection(command) => projection::run(&home.root, command),
        }
    }
}
