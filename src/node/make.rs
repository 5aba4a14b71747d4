//! Makes the stores and the keys of custody that the settings of a stopped node name and it lacks. A store is made only if it is asked
//! for by its name: one that is not there may be one that was lost, or that a restore forgot.

use dta_crypto::Secret;
use dta_protocol::Cid;
use thiserror::Error;

use super::custody::{Configured, CustodyError, reserved};
use super::derived::wanting_seeds;
use crate::actors::log::{LogReader, ReadError};
use crate::actors::seeds::kek::KekEntry;
use crate::actors::seeds::{FileStore, SeedError, SeedStore as _};
use crate::config::Config;
use crate::home::{Home, seeds_folder};
use crate::ports::OsEntropy;

/// What is to be made.
#[derive(Default)]
pub struct Wanted<'a> {
    /// Stores, by their names.
    pub new: &'a [String],
    /// Although seeds are missing.
    pub accept_loss: bool,
}

/// Custody as it is now.
pub struct Made {
    /// The stores that are there.
    pub stores: Vec<Store>,
    /// What keeps others from being so.
    pub troubles: Vec<String>,
}

/// A store that is there.
pub struct Store {
    /// Its name.
    pub name: String,
    /// The store.
    pub store: FileStore,
    /// Whether it, or a key of it, was made now.
    pub changed: bool,
}

/// Why nothing was made.
#[derive(Debug, Error)]
pub enum MakeError {
    /// It is to be made, and it is there or was.
    #[error("there is a store {name:?}, in {}/: {why}", seeds_folder(.name))]
    There {
        /// Its name.
        name: String,
        /// What to do.
        why: &'static str,
    },
    /// What the settings say.
    #[error(transparent)]
    Seeds(#[from] SeedError),
    /// The log.
    #[error("the log: {0}")]
    Log(#[from] ReadError),
}

/// Makes what is wanted, and brings each store that is there to what the settings say of it; one in trouble keeps none of the others
/// from it.
///
/// # Errors
/// See [`MakeError`].
pub fn make(
    home: &Home,
    config: &Config,
    (seed, node): (&Secret<32>, &Cid),
    log: &dyn LogReader,
    wanted: &Wanted<'_>,
) -> Result<Made, MakeError> {
    let configured = Configured::of(home, config, seed, node)?;
    for name in wanted.new {
        let Some(store) = configured.iter().find(|store| store.name == *name) else {
            let names: Vec<&str> = configured.iter().map(|store| store.name.as_str()).collect();
            return Err(SeedError::NoStore { name: name.clone(), names: names.join(", ") }.into());
        };
        let there = |why| Err(MakeError::There { name: name.clone(), why });
        if store.has_own() {
            return there("leave it out");
        }
        if !store.is_unknown(home) {
            return there(
                "a start has noted it, so restore it; or take its line out of seed-folders if it is gone for good",
            );
        }
    }
    let mut made = Made { stores: Vec::new(), troubles: Vec::new() };
    let mut new = Vec::new();
    for store in configured {
        let name = store.name.clone();
        if let Some(missing) = store.missing_folder() {
            made.trouble(&name, format!("{}: this folder of its copies is not there", missing.display()));
        } else if wanted.new.contains(&name) {
            new.push(store);
        } else if store.is_unknown(home) {
            made.troubles.push(CustodyError::NotMade(name).to_string());
        } else {
            made.enter(name, false, store.open());
        }
    }
    if !new.is_empty() && !wanted.accept_loss {
        let missing = made.missing(log)?;
        if let Some(first) = missing.first() {
            made.troubles.push(format!(
                "{} orders, {first} first, have their seeds in none of the stores that are there: restore the one that has \
                 them; nothing new was made (but with --accept-loss)",
                missing.len()
            ));
            new.clear();
        }
    }
    for store in new {
        let name = store.name.clone();
        let taken = made.keks(home, None);
        made.enter(name, true, store.open_or_make(true, &taken));
    }
    for number in 0..made.stores.len() {
        let taken = made.keks(home, Some(number));
        let Some(store) = made.stores.get_mut(number) else { continue };
        match store.store.complete(&taken, &mut OsEntropy) {
            Ok(changed) => store.changed |= changed,
            Err(error) => {
                let name = store.name.clone();
                made.trouble(&name, error.to_string());
            }
        }
    }
    Ok(made)
}

impl Made {
    fn enter(&mut self, name: String, changed: bool, opened: Result<FileStore, SeedError>) {
        match opened {
            Ok(store) => self.stores.push(Store { name, store, changed }),
            Err(error) => self.trouble(&name, error.to_string()),
        }
    }

    fn trouble(&mut self, name: &str, what: String) {
        self.troubles.push(format!("store {name}: {what}"));
    }

    /// Every key in use, but those of the store of this number.
    fn keks(&self, home: &Home, but: Option<usize>) -> Vec<KekEntry> {
        let others = self.stores.iter().enumerate().filter(|(number, _)| Some(*number) != but);
        reserved(home).into_iter().chain(others.flat_map(|(_, other)| other.store.keks().to_vec())).collect()
    }

    /// Orders that need a seed which none of the stores has.
    fn missing(&self, log: &dyn LogReader) -> Result<Vec<Cid>, ReadError> {
        let mut missing = wanting_seeds(log)?;
        missing.retain(|placed| !self.stores.iter().any(|store| store.store.knows(&placed.to_bytes())));
        Ok(missing)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dta_events::Rules;

    use super::*;
    use crate::actors::log::RocksLog;
    use crate::config::{PinSource, Seeds, TokenKey, TokenName};
    use crate::keystore::{Keystore, Protection};
    use crate::node::{copies, initialise};
    use crate::ports::SystemClock;

    /// A node with these stores.
    struct Node {
        _folder: tempfile::TempDir,
        home: Home,
        seed: Secret<32>,
        node: Cid,
        log: Box<dyn LogReader>,
    }

    fn node() -> Node {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().join("home"));
        let key = || Protection::KeyFile(folder.path().join("key"));
        let made =
            initialise(&home, "node", crate::config::TEMPLATE, |_| key(), &SystemClock::default()).unwrap();
        let seed = Keystore::open(&home.seed_file(), &key()).unwrap();
        let log = Box::new(RocksLog::open_read_only(&home.log(), Arc::new(Rules)).unwrap());
        Node { _folder: folder, home, seed, node: made.identity, log }
    }

    impl Node {
        fn make(&self, config: &Config, new: &[&str]) -> Result<Made, MakeError> {
            let new: Vec<String> = new.iter().map(|name| (*name).to_owned()).collect();
            let wanted = Wanted { new: &new, accept_loss: false };
            make(&self.home, config, (&self.seed, &self.node), &*self.log, &wanted)
        }
    }

    fn config(blocks: Vec<Seeds>) -> Config {
        Config { seeds: blocks, ..Config::default() }
    }

    fn block(name: &str) -> Seeds {
        Seeds { name: name.to_owned(), ..Seeds::default() }
    }

    fn names(made: &Made) -> Vec<(&str, bool)> {
        made.stores.iter().map(|store| (store.name.as_str(), store.changed)).collect()
    }

    #[test]
    fn a_store_is_made_only_by_its_name() {
        let node = node();
        let two = config(vec![block("main"), block("hsm")]);
        let made = node.make(&two, &[]).unwrap();
        assert_eq!(names(&made), [("main", false)]);
        let told = "there is no store \"hsm\": restore seeds-hsm/ if it was there before, or make it with `dta seeds init --new hsm`";
        assert_eq!(made.troubles, [told]);
        assert!(!node.home.seeds("hsm").exists());
        let made = node.make(&two, &["hsm"]).unwrap();
        assert_eq!(names(&made), [("main", false), ("hsm", true)]);
        assert!(made.troubles.is_empty());
        drop(made);
        for (name, why) in [("hms", "there is no seed store \"hms\""), ("main", "in seeds/: leave it out")] {
            let said = node.make(&two, &[name]).err().unwrap().to_string();
            assert!(said.contains(why), "{said}");
        }
        // One that a start has noted is lost, and not new.
        copies::note(&node.home, &two).unwrap();
        std::fs::remove_dir_all(node.home.seeds("hsm")).unwrap();
        let said = node.make(&two, &["hsm"]).err().unwrap().to_string();
        assert!(said.contains("so restore it"), "{said}");
        let made = node.make(&two, &[]).unwrap();
        assert!(made.troubles[0].starts_with("store hsm: the seed copy in "), "{:?}", made.troubles);
    }

    #[test]
    fn a_store_in_trouble_keeps_no_other_from_being_made() {
        let node = node();
        let nowhere = TokenKey {
            library: "/no/such/module.so".into(),
            name: TokenName::Slot(0),
            pin: PinSource::Environment("DTA_NO_SUCH_PIN".to_owned()),
            key: "key".to_owned(),
            algorithm: dta_token::Algorithm::AesGcm,
            sessions: 1,
            time_limit_ms: 100,
        };
        let moved = Seeds { token: Some(nowhere), ..block("main") };
        let unmounted = Seeds { copies: vec![node.home.root.join("nowhere")], ..block("b") };
        let made =
            node.make(&config(vec![moved, unmounted, block("c"), block("d")]), &["b", "c", "d"]).unwrap();
        assert_eq!(names(&made), [("main", false), ("c", true), ("d", true)]);
        let told = |at: usize, begins: &str, has: &str| {
            let trouble = &made.troubles[at];
            assert!(trouble.starts_with(begins) && trouble.contains(has), "{trouble}");
        };
        told(0, "store b: ", "this folder of its copies is not there");
        told(1, "store main: ", "/no/such/module.so");
        assert_eq!(made.troubles.len(), 2);
    }

    #[test]
    fn a_key_that_opens_the_nodes_seed_is_none_of_custodys() {
        let node = node();
        assert!(reserved(&node.home).is_empty());
        // One in a token is the last of them.
        let in_token = crate::keystore::file::samples().pop().unwrap();
        std::fs::write(node.home.seed_file(), in_token).unwrap();
        let reserved = reserved(&node.home);
        assert_eq!((reserved[0].token.as_str(), reserved[0].label.as_str()), ("label \"a\"", "key"));
    }
}
