//! The command line: one file for each noun.

mod api;
pub mod audit;
pub mod config;
pub mod daemon;
mod go_flags;
pub mod identity;
pub mod init;
pub mod ipfs;
pub mod log;
pub mod mirror;
pub mod order;
pub mod original;
mod parallel;
pub mod peer;
pub mod plugin;
mod progress;
pub mod projection;
pub mod recover;
pub mod seeds;
pub mod unlock;

use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use dta_plugins::Registry;
use dta_protocol::name_is_plain;

use crate::config::find_home;
use crate::harden;

pub use go_flags::with_two_dashes;

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
    /// The settings: check them, show them
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// The node's own identity, and the documents of all it knows
    #[command(subcommand)]
    Identity(identity::IdentityCommand),
    /// Orders, at a running node: place, redeem, follow
    Order(order::OrderCommand),
    /// Whom a running node trusts
    Peer(peer::PeerCommand),
    /// Copies of other nodes' chains, at a running node, and proofs that others hold this one's
    Mirror(mirror::MirrorCommand),
    /// Custody: the seeds of orders and the keys that wrap them
    Seeds(seeds::SeedsCommand),
    /// The chain of custody of an order: export it for an auditor, check it offline
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// IPFS: who the node is there, private networks, fetching a block
    #[command(subcommand)]
    Ipfs(ipfs::IpfsCommand),
    /// Build a lost node again from what mirrors hold of it on IPFS
    Recover(recover::RecoverCommand),
    /// The service plugins of this program
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Take over what can be taken of a home of the original D-TA, into a node that is stopped or not made yet
    #[command(name = "import-original")]
    ImportOriginal(original::import::ImportCommand),
    /// The orders that were taken over from the original: list them, release a secret
    #[command(subcommand)]
    Original(original::OriginalCommand),
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

/// Text from elsewhere cannot steer the terminal.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if name_is_plain(c.encode_utf8(&mut [0; 4])) {
            plain.push(c);
        } else {
            plain.extend(c.escape_unicode());
        }
    }
    plain
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

/// The whole of `dta`, with these plugins: reads the command line, does what it says, and says what went wrong.
pub fn main(plugins: &Registry) -> ExitCode {
    harden::no_core_dumps();
    match Cli::parse_from(with_two_dashes(std::env::args_os())).run(plugins) {
        Ok(status) => status,
        // Who reads has read enough.
        Err(error) if error.downcast_ref::<io::Error>().is_some_and(is_broken_pipe) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to be told if this fails.
            let _ = writeln!(io::stderr(), "dta: {}", causes(&error));
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

impl Cli {
    /// Does what the command line says with these plugins, and answers the exit status: 3 if it is accepted and not finished.
    ///
    /// # Errors
    /// For people to read.
    pub fn run(self, plugins: &Registry) -> anyhow::Result<ExitCode> {
        // An auditor has no home.
        let find = || find_home(self.home).map_err(anyhow::Error::msg);
        if let Command::Audit(command) = &self.command {
            return audit::run(command, find);
        }
        let home = find()?;
        let done: anyhow::Result<()> = match self.command {
            Command::Order(command) => return order::run(&home, &command),
            Command::Peer(command) => return peer::run(&home, &command),
            Command::Mirror(command) => return mirror::run(&home, &command),
            Command::Seeds(command) => return seeds::run(&home, &command),
            Command::Init(command) => init::run(&home, &command, plugins),
            Command::Daemon(command) => daemon::run(home, &command, plugins),
            Command::Plugin(command) => plugin::run(&home, &command, plugins),
            Command::Config(command) => config::run(&home, &command, plugins),
            Command::Identity(command) => identity::run(&home, command),
            Command::Audit(command) => return audit::run(&command, || Ok(home)),
            Command::Ipfs(command) => ipfs::run(&home, &command),
            Command::Recover(command) => recover::run(&home, &command),
            Command::ImportOriginal(command) => return original::import::run(&home, &command, plugins),
            Command::Original(command) => original::run(&home, &command),
            Command::Log(command) => log::run(&home, command),
            Command::Projection(command) => projection::run(&home.root, command),
        };
        done.map(|()| ExitCode::SUCCESS)
    }
}
