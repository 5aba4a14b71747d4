//! Custody after a recovery: from a copy, if there is one; and which orders have lost what was kept for them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use dta_crypto::Secret;
use dta_events::order::{Command, Custody, Facts, Order, StepFacts};
use dta_events::record::{Aggregate, AggregateKind};
use dta_events::replay_order;
use dta_protocol::body::SecretBody;
use dta_protocol::sealed::{self, SealRequest};
use dta_protocol::{Cid, Identity, Kind, Plaintext as _, Role};

use super::error::io_at;
use super::{RecoverError, append};
use crate::actors::log::{Append, Block, BlockClass, EventLog as _, LogReader as _, RocksLog};
use crate::actors::seeds::{
    CidBytes, FileStore, Named, SeedError, SeedStatus, SeedStore as _, StoreStatus, Stores,
};
use crate::config::{Config, Seeds};
use crate::home::Home;
use crate::keystore::files;
use crate::node::copies;
use crate::node::custody::{Configured, reserved};

/// The file of a copy.
const FILE: &str = "seeds.dta";
/// Records or blocks written together.
const BATCH: usize = 256;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Seeds in custody now.
    pub seeds: usize,
    /// Orders of this log.
    pub orders: usize,
    /// Open orders whose seed is nowhere.
    pub lost_seeds: usize,
    /// Released secrets, which no mirror has, that were sealed again from their seeds.
    pub sealed_again: usize,
    /// Orders whose next step may have been made before: they wait for the operator.
    pub held: usize,
    /// Orders whose sealed secret is gone.
    pub lost_secrets: usize,
}

/// Opens custody, each store from its copy or what the settings name or else new and empty, and records of each order that lost what was
/// kept for it that it did.
pub(super) fn restore(
    home: &Home,
    config: &Config,
    (seed, owner): (&Secret<32>, &Identity),
    copies: &BTreeMap<String, Vec<u8>>,
    log: &RocksLog,
    now_ms: u64,
    accept_loss: bool,
) -> Result<Found, RecoverError> {
    let mut stores = open(home, config, (seed, owner), copies)?;
    let unread = unread(&mut stores);
    if let Some(what) = unread.filter(|_| !accept_loss) {
        return Err(RecoverError::SeedsUnread(what));
    }
    let seeds: BTreeSet<CidBytes> = stores.list().into_iter().map(|listed| listed.placed).collect();
    let mut found = Found { seeds: seeds.len(), ..Found::default() };
    let (mut changes, mut again) = (Vec::new(), Vec::new());
    for aggregate in log.aggregates(AggregateKind::Order)? {
        let order = replay_order(&log.load(&aggregate)?);
        let order = order.map_err(|error| RecoverError::Record(error.to_string()))?;
        found.orders += 1;
        let Some(custody) = order.custody() else { continue };
        let is_here = match custody {
            Custody::Seed => order.placed().is_some_and(|placed| seeds.contains(&placed.to_bytes())),
            Custody::Secret(secret) if log.block(&secret.to_bytes())?.is_some() => true,
            Custody::Secret(secret) => match seal_again(&mut stores, log, &order, secret, accept_loss)? {
                None => false,
                Some(block) => {
                    found.sealed_again += 1;
                    again.push(block);
                    if again.len() == BATCH {
                        log.hold(std::mem::take(&mut again))?;
                    }
                    true
                }
            },
        };
        match custody {
            _ if is_here => {}
            Custody::Seed => found.lost_seeds += 1,
            Custody::Secret(_) => found.lost_secrets += 1,
        }
        let commands = order.recovered(is_here);
        found.held += usize::from(commands.contains(&Command::Hold));
        changes.extend(changed(log, aggregate, order, &commands, now_ms)?);
    }
    log.hold(again)?;
    while !changes.is_empty() {
        for written in log.commit(changes.drain(..BATCH.min(changes.len())).collect())? {
            written?;
        }
    }
    Ok(found)
}

fn open(
    home: &Home,
    config: &Config,
    (seed, owner): (&Secret<32>, &Identity),
    copies: &BTreeMap<String, Vec<u8>>,
) -> Result<Stores, RecoverError> {
    let mut stores = Vec::new();
    let mut taken = reserved(home);
    for store in Configured::of(home, config, seed, &owner.cid())? {
        let Configured { name, own: folder, .. } = &store;
        let (name, folder) = (name.clone(), folder.clone());
        if let Some(bytes) = copies.get(&name) {
            // An interrupted try has left the same, or an empty one.
            let own = folder.join(FILE);
            if !own.exists() || FileStore::is_unused(&folder).unwrap_or(false) {
                files::private_folder(&folder).map_err(io_at(&folder))?;
                files::replace(&own, bytes).map_err(io_at(&own))?;
            } else if std::fs::read(&own).map_err(io_at(&own))? != *bytes {
                return Err(RecoverError::SeedsThere(folder));
            }
        }
        let store = store.open_or_make(true, &taken)?;
        taken.extend_from_slice(store.keks());
        stores.push(Named { name, store: Box::new(store) });
    }
    let default = stores.remove(0); // there is one at least
    Ok(Stores::new(default, stores))
}

/// Seeds that are there and that nobody can read: a better copy may have them, so none of them is lost in silence.
fn unread(stores: &mut Stores) -> Option<String> {
    let told = |store: StoreStatus| {
        let SeedStatus { damaged, conflicts, .. } = store.of;
        let counts = (damaged.len(), conflicts.len(), store.doubled.orders);
        let (damaged, conflicts, doubled) = counts;
        (counts != (0, 0, 0)).then(|| {
            let name = store.name;
            format!(
                "store {name}: {damaged} damaged slots, {conflicts} orders about which copies disagree, {doubled} with a seed in \
                 another store, too"
            )
        })
    };
    let told: Vec<String> = stores.status().into_iter().filter_map(told).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// The sealed secret of a release, from the order's seed: the very block that the release names. None without the seed.
fn seal_again(
    stores: &mut Stores,
    log: &RocksLog,
    order: &Order,
    secret: Cid,
    accept_loss: bool,
) -> Result<Option<Block>, RecoverError> {
    let (Some(placed), Some(released)) = (order.placed(), order.step(Kind::Released)) else {
        return Ok(None);
    };
    let StepFacts::Released { beneficiary, .. } = &released.step.facts else { return Ok(None) };
    let key = match stores.open(&[placed.to_bytes()]).pop() {
        Some(Ok(key)) => key,
        Some(Err(SeedError::NotFound | SeedError::Shredded)) | None => return Ok(None),
        // A token or a copy that is away is no loss.
        Some(Err(error)) if error.is_temporary() || !accept_loss => return Err(error.into()),
        Some(Err(_)) => return Ok(None),
    };
    let Some(document) = log.published_block(&beneficiary.to_bytes())? else { return Ok(None) };
    let record = |error: &dyn std::fmt::Display| RecoverError::Record(format!("order {placed}: {error}"));
    let document = Identity::decode(document.bytes()).map_err(|error| record(&error))?;
    let request = SealRequest {
        kind: Kind::Released,
        role: Role::Secret,
        signer: released.step.signer,
        subject: &order.reference,
        previous: released.step.previous,
        issued_at_ms: released.step.issued_at_ms,
    };
    let body = SecretBody::of(&key, &placed);
    let content_key = body.content_key(&request, beneficiary);
    let plaintext = body.encode().map_err(|error| record(&error))?;
    let to = [(*beneficiary, document.verifying())];
    let sealed =
        sealed::seal(&request, plaintext.expose(), content_key, &to).map_err(|error| record(&error))?;
    // A release of an older program was sealed under a key that nobody can make again.
    let same = sealed.descriptor.cid == secret;
    Ok(same.then(|| Block { cid: secret.to_bytes(), class: BlockClass::Held, bytes: sealed.block }))
}

/// What these commands make of an order, a record each; none for what is so already.
fn changed(
    log: &RocksLog,
    aggregate: Aggregate,
    mut order: Order,
    commands: &[Command],
    now_ms: u64,
) -> Result<Vec<Append>, RecoverError> {
    let facts = Facts { now_ms, ..Facts::default() };
    let records = |error: dta_events::stored::StoredError| RecoverError::Records(error.to_string());
    let mut appends: Vec<Append> = Vec::new();
    for command in commands {
        let events = order.decide(command, &facts, None);
        let events = events.map_err(|error| RecoverError::Records(error.to_string()))?;
        let Some(event) = events.first() else { continue };
        order = order.apply(event);
        let stored = event.to_stored().map_err(records)?;
        let mut append = append(log, aggregate, now_ms, command.to_stored().map_err(records)?, stored)?;
        append.expected_version = append.expected_version.saturating_add(appends.len() as u64);
        append.due_ms = order.next_due_ms();
        appends.push(append);
    }
    Ok(appends)
}

/// What the named copies hold, all of them read before anything is made; and what the home and its settings say goes with that.
///
/// # Errors
/// `NoSeeds` if nothing is said of one of several stores that is not there; `Copies`; `Io`.
pub(super) fn copies(
    home: &Home,
    config: &Config,
    named: &BTreeMap<String, Option<PathBuf>>,
) -> Result<BTreeMap<String, Vec<u8>>, RecoverError> {
    let given = || named.iter().filter_map(|(store, folder)| Some((store, folder.as_deref()?)));
    let more: Vec<(&str, &Path)> = given().map(|(store, folder)| (store.as_str(), folder)).collect();
    copies::check(home, config, &more)?;
    let stores = config.stores();
    for Seeds { name, copies, .. } in stores.iter().filter(|_| stores.len() > 1) {
        let mut folders = vec![home.seeds(name)];
        folders.extend(copies.iter().map(|folder| home.root.join(folder)));
        if !named.contains_key(name) && !FileStore::is_in(&folders) {
            return Err(RecoverError::NoSeeds { name: name.clone() });
        }
    }
    let read = |(store, folder): (&String, &Path)| {
        let from = folder.join(FILE);
        Ok((store.clone(), std::fs::read(&from).map_err(io_at(&from))?))
    };
    given().map(read).collect()
}
