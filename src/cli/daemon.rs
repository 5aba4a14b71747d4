//! `dta daemon`: serves until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::Args;
use dta_plugins::Registry;

use super::say;
use super::unlock::protection;
use crate::config::{self, LogFormat, Plugin, Settings};
use crate::contain::abort_on_panic;
use crate::crash_points::{CrashPoint, reached};
use crate::harden::lock_memory;
use crate::home::Home;
use crate::node::{OpenNode, Running, VERSION};

/// What may be said at a start.
#[derive(Debug, Args)]
pub struct DaemonCommand {
    /// Listen here instead of where the settings say; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Use this plugin instead of the one that the settings say
    #[arg(long, value_name = "PLUGIN")]
    service: Option<Plugin>,
    /// Log by this level or filter instead of the one that the settings say
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Read the passphrase from the first line of a file instead of the terminal
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// Serves. Prints one line on standard output once it listens; log lines go to standard error.
///
/// # Errors
/// The home does not open, or the address is taken.
pub fn run(home: Home, command: &DaemonCommand, plugins: &Registry) -> anyhow::Result<()> {
    let mut settings = Settings::gather(&home, std::env::vars_os())?;
    if let Some(level) = &command.log_level {
        settings.config.log.level.clone_from(level);
    }
    log_lines(&settings.config.log)?;
    for warning in &settings.warnings {
        tracing::warn!("settings: {warning}");
    }
    abort_on_panic();
    if lock_memory() {
        tracing::info!("memory is locked: keys cannot reach a swap disk");
    } else {
        tracing::warn!("memory is not locked (RLIMIT_MEMLOCK): have no swap disk, or an encrypted one");
    }
    let keystore_of = home.clone();
    let mut node = OpenNode::open(home, |config, keystore| {
        protection(config, &keystore_of, keystore, command.passphrase_file.as_deref())
    })?;
    if let Some(plugin) = &command.service {
        node.config.node.plugin.clone_from(plugin);
    }
    tracing::info!(node = %node.identity, version = VERSION, home = %node.home.root.display(), "starting");
    reached(CrashPoint::StartOpened);
    let system = actix::System::new();
    let lock = system.block_on(async {
        let mut running = Running::start(node, command.listen, plugins)?;
        running.caught_up().await?;
        if let Some(address) = running.peer_address {
            tracing::info!(%address, "listening for other nodes");
        }
        reached(CrashPoint::StartServing);
        // The one line that scripts wait for; a node that nobody listens to serves all the same.
        let _ = say(format_args!("listening on http://{}", running.address));
        running.serve().await.context("serving")
    })?;
    // RocksDB must be closed by its last user before the process tears down what it works with.
    drop(system);
    drop(lock);
    Ok(())
}

/// Log lines go to standard error, as the settings say.
pub(super) fn log_lines(log: &config::Log) -> anyhow::Result<()> {
    let filter = log.filter().map_err(|why| anyhow!("log.level {why}"))?;
    // A line that cannot be written (a full disk, a reader that has gone) is dropped; reporting it there would panic.
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    match log.format {
        LogFormat::Text => lines.with_ansi(false).init(),
        LogFormat::Json => lines.json().init(),
    }
    Ok(())
}
