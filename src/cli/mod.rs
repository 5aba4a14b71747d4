//! The command line: one file for each noun.

pub mod daemon;
pub mod identity;
pub mod init;
pub mod log;
mod progress;
pub mod projection;
pub mod unlock;

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
    /// The event log: read it, check it, index it anew
    #[command(subcommand)]
    Log(log::LogCommand),
    /// The read models
    #[command(subcommand)]
    Projection(projection::ProjectionCommand),
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
            Command::Log(command) => log::run(&home, command),
            Command::Projection(command) => projection::run(&home.root, command),
        }
    }
}
