//! Custody of a node that is stopped: its files are opened here. `export` reads them whether or not it is.

use std::path::Path;

use anyhow::bail;
use dta_crypto::Secret;
use dta_events::Rules;
use dta_protocol::Cid;
use std::sync::Arc;

use super::SeedsCommand;
use crate::actors::log::RocksLog;
use crate::actors::seeds::{FileStore, SeedStore as _};
use crate::cli::unlock::protection;
use crate::cli::{plain, say};
use crate::config::{Config, Seeds};
use crate::home::{Home, HomeLock};
use crate::keystore::Keystore;
use crate::node::copies;
use crate::node::custody::Configured;
use crate::node::make::{Store, Wanted, make};
use crate::node::open::identity_of;

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
        let keystore = Keystore::read(&home.seed_file())?;
        let seed =
            keystore.unlock(&protection(&config, home, &keystore, command.passphrase_file.as_deref())?)?;
        Ok(Self { config, seed, identity: identity_of(home)?, _lock: lock })
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

pub fn init(home: &Home, command: &SeedsCommand, wanted: &Wanted<'_>) -> anyhow::Result<()> {
    let node = Stopped::of(home, command)?;
    copies::check(home, &node.config, &[])?;
    let log = RocksLog::open_read_only(&home.log(), Arc::new(Rules))?;
    let mut made = make(home, &node.config, (&node.seed, &node.identity), &log, wanted)?;
    let several = node.config.stores().len() > 1;
    if made.troubles.is_empty() {
        copies::note(home, &node.config)?;
    }
    for Store { name, store, changed } in &mut made.stores {
        if several {
            say(format_args!("store {name}"))?;
        }
        say(if *changed { "custody has the keys that the settings name" } else { "nothing to do" })?;
        if let Err(trouble) = told(store) {
            made.troubles.push(if several {
                format!("store {name}: {trouble}")
            } else {
                trouble.to_string()
            });
        }
    }
    if !made.troubles.is_empty() {
        bail!("{}", made.troubles.join("; "));
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

pub fn export(home: &Home, store: Option<&str>, output: &Path) -> anyhow::Result<()> {
    let store = the_one(&Config::read(home)?, store)?;
    let seeds = FileStore::export(&home.seeds(&store.name), output)?;
    say(format_args!("{seeds} wrapped seeds in {}", output.display()))?;
    Ok(())
}

pub fn import(home: &Home, command: &SeedsCommand, store: Option<&str>, from: &Path) -> anyhow::Result<()> {
    let node = Stopped::of(home, command)?;
    let store = the_one(&node.config, store)?;
    // Opened to write, as any copy: not the very one that is kept elsewhere.
    let taken = home.seeds_in_import();
    if taken.exists() {
        std::fs::remove_dir_all(&taken)?;
    }
    copies::check(home, &node.config, &[(&store.name, from)])?;
    // A first copy that is gone is put in its place last, and whole.
    let merged = FileStore::export(from, &taken)
        .and_then(|_| Configured::one(home, store, &node.seed, &node.identity))
        .and_then(|store| store.with_copy(taken.clone()).open()?.take_over(&taken));
    // It stays if this is interrupted, and tells so.
    if taken.exists() {
        std::fs::remove_dir_all(&taken)?;
    }
    told(&mut merged?)?;
    say("custody has what that copy had")?;
    Ok(())
}
