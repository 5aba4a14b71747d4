//! `dta plugin list`: which service plugins this program has.

use anyhow::ensure;
use clap::Subcommand;
use dta_plugins::Registry;
use serde_json::json;

use super::say;
use crate::config::{Plugin, Settings};
use crate::home::Home;

/// Whether this program has the plugin of this name.
///
/// # Errors
/// It has not; which it has.
pub(super) fn is_known(name: &Plugin, plugins: &Registry) -> anyhow::Result<()> {
    let known = || {
        format!("{name:?} is none of the plugins of this program: {}", plugins.names(), name = name.as_str())
    };
    ensure!(plugins.get(name.as_str()).is_some(), "node.plugin: {}", known());
    Ok(())
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Show each plugin, and which one the settings name
    List {
        /// Print them in JSON
        #[arg(long)]
        json: bool,
    },
}

/// Does it.
///
/// # Errors
/// The settings cannot be read.
pub fn run(home: &Home, command: &PluginCommand, plugins: &Registry) -> anyhow::Result<()> {
    let PluginCommand::List { json } = command;
    let named = Settings::gather(home, std::env::vars_os())?.config.node.plugin;
    for plugin in plugins.all() {
        let (name, about, runs) = (plugin.name(), plugin.about(), plugin.name() == named.as_str());
        if *json {
            say(json!({ "name": name, "about": about, "configured": runs }))?;
        } else {
            say(format_args!("{} {name:<16} {about}", if runs { '*' } else { ' ' }))?;
        }
    }
    Ok(())
}
