//! `dta plugin list`: which service plugins this program has.

use clap::Subcommand;
use dta_plugins::Registry;
use serde_json::json;

use super::say;
use crate::config::Config;
use crate::home::Home;

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
    let named = Config::read(home)?.node.plugin;
    for plugin in plugins.all() {
        let (name, about, runs) = (plugin.name(), plugin.about(), plugin.name() == named);
        if *json {
            say(json!({ "name": name, "about": about, "configured": runs }))?;
        } else {
            say(format_args!("{} {name:<16} {about}", if runs { '*' } else { ' ' }))?;
        }
    }
    Ok(())
}
