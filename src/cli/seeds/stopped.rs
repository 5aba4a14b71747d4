//! Custody of a node that is stopped: its files are opened here. `export` reads them whether or not it is.

use std::path::Path;

use anyhow::{Context as _, bail};
use dta_crypto::Secret;
use dta_protocol::Cid;

use super::SeedsCommand;
use crate::actors::seeds::{FileStore, SeedStore as _};
use crate::cli::unlock::protection;
use crate::cli::{plain, say};
use crate::config::{Config, Seeds};
use crate::home::{Home, HomeLock, make_private_folder};
use crate::keystore::Keystore;
use crate::node::copies;
use crate::node::custody::Configured;
use crate::node::open::identity_of;
use crate::ports::OsEntropy;

/// A node that is not running, and what opens its custody.
struct Stopped {
    config: Config,
    seed: Secret<32>,
    identity: Cid,
    /// Keeps it stopped.
    _lock: HomeLock,
}

impl Stopped {
    fn of(home: &Home, command: &SeedsCommand) -> anyhow::Result<Self> {
        if !home.is_initialised() {
            bail!("home {} holds no node: run `dta init` first", home.root.display());
        }
        let lock = HomeLock::acquire(home)?;
        let config = Config::read(home)?;
        copies::check(home, &config)?;
        let keystore = Keystore::read(&home.seed_file())?;
        let seed =
            keystore.unlock(&protection(&config, home, &keystore, command.passphrase_file.as_deref())?)?;
        Ok(Self { config, seed, identity: identity_of(home)?, _lock: lock })
    }

    fn stores(&self, home: &Home) -> anyhow::Result<Vec<Configured>> {
        Ok(Configured::of(home, &self.config, &self.seed, &self.identity)?)
    }

    fn store(&self, home: &Home, name: &str) -> anyhow::Result<Configured> {
        let found = self.stores(home)?.into_iter().find(|store| store.name == name);
        found.with_context(|| format!("the settings name no store {name:?}"))
    }
}

/// The store that a command is about.
fn the_one(config: &Config, named: Option<&str>) -> anyhow::Result<Seeds> {
    let mut stores = config.stores();
    let names: Vec<String> = stores.iter().map(|store| store.name.clone()).collect();
    match named {
        None if stores.len() == 1 => Ok(stores.remove(0)),
        None => bail!("there are several seed stores: say --store, with one of {}", names.join(", ")),
        Some(name) => match stores.into_iter().find(|store| store.name == name) {
            Some(store) => Ok(store),
            None => bail!("there is no seed store {name:?}: the settings name {}", names.join(", ")),
        },
    }
}

pub fn init(home: &Home, command: &SeedsCommand) -> anyhow::Result<()> {
    let node = Stopped::of(home, command)?;
    let many = node.config.stores().len() > 1;
    for store in node.stores(home)? {
        let name = store.name.clone();
        if let Some(missing) = store.missing_folder() {
            bail!("store {name}: {}: this folder of its copies is not there", missing.display());
        }
        if many {
            say(format_args!("store {name}"))?;
        }
        // One that a start has seen is never made anew: it is lost, or its disk is not mounted.
        let is_new = !store.has_own() && !copies::knew(home, &name)? && home.has_custody();
        let mut store = if is_new { store.open_or_make(true)? } else { store.open()? };
        let changed = store.complete(&mut OsEntropy)? || is_new;
        say(if changed { "custody has the keys that the settings name" } else { "nothing to do" })?;
        told(&mut store)?;
    }
    Ok(())
}

fn told(store: &mut FileStore) -> anyhow::Result<()> {
    store.check();
    let status = store.status();
    say(format_args!("{} seeds, {} shredded", status.used, status.shredded))?;
    for kek in &status.keks {
        let trouble = kek.trouble.as_deref().map_or_else(|| "ready".to_owned(), plain);
        let place = if kek.token.is_empty() {
            String::new()
        } else {
            format!(" {} in the token with {}", kek.label, kek.token)
        };
        say(format_args!(
            "KEK {} {}{place}, opens {} seeds: {trouble}",
            kek.role.as_str(),
            kek.kind.as_str(),
            kek.seeds
        ))?;
    }
    if let Some(trouble) = status.trouble() {
        bail!("custody needs its operator: {trouble}");
    }
    Ok(())
}

pub fn export(home: &Home, command: &SeedsCommand, output: &Path) -> anyhow::Result<()> {
    let store = the_one(&Config::read(home)?, command.store.as_deref())?;
    let seeds = FileStore::export(&home.seeds(&store.name), output)?;
    say(format_args!("{seeds} wrapped seeds in {}", output.display()))?;
    Ok(())
}

pub fn import(home: &Home, command: &SeedsCommand, from: &Path) -> anyhow::Result<()> {
    let node = Stopped::of(home, command)?;
    let Seeds { name, .. } = the_one(&node.config, command.store.as_deref())?;
    // Opened to write, as any copy: not the very one that is kept elsewhere.
    let taken = home.root.join("seeds.import");
    if taken.exists() {
        std::fs::remove_dir_all(&taken)?;
    }
    FileStore::export(from, &taken)?;
    let merged = merge(home, &node, &name, &taken);
    std::fs::remove_dir_all(&taken)?;
    merged?;
    told(&mut node.store(home, &name)?.open()?)?;
    say("custody has what that copy had")?;
    Ok(())
}

/// Fills the copies of the store from this one; all of them, or it is an error.
fn merge(home: &Home, node: &Stopped, name: &str, taken: &Path) -> anyhow::Result<()> {
    let own = home.seeds(name);
    let has_own = FileStore::is_in(std::slice::from_ref(&own));
    let mut store = node.store(home, name)?.with_copy(taken.to_owned()).open()?;
    if !has_own {
        make_private_folder(&own)?;
        store.add_copy(&own)?;
    }
    let troubled = store.status().copies.into_iter().find_map(|copy| copy.trouble);
    troubled.map_or(Ok(()), |trouble| bail!("{trouble}"))
}
