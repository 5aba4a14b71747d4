//! Writes an order's chain, and the disclosure beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use dta_events::replay_order;
use dta_protocol::manifest::Proof;
use dta_protocol::{Cid, Codec, Envelope, Manifest, car};

use super::Export;
use super::disclose::{Reveal, disclose};
use crate::actors::checkpoints;
use crate::actors::log::LogReader;
use crate::actors::order_chain::{Named, OrderChain, order_chain};
use crate::actors::proofs::{self, Brought, Inclusion};
use crate::cli::log::{find_order, open, unlocked};
use crate::cli::say;
use crate::home::Home;
use crate::node::open::whose;

pub(super) fn export(home: &Home, command: &Export) -> anyhow::Result<()> {
    // Said before the seed is asked for; that they are made by nobody else meanwhile is seen when they are written.
    for path in [Some(&command.output), command.disclose.as_ref()].into_iter().flatten() {
        if path.symlink_metadata().is_ok() {
            bail!("{}: is there already and is not overwritten", path.display());
        }
    }
    let log = open(home)?;
    let order = replay_order(&log.load(&find_order(&*log, &command.order)?)?)?;
    let all = order_chain(&*log, &order)?;
    let logged = logged(&*log, &all, newest(&*log)?.as_ref())?;
    let chain = pack(&all, &logged)?;
    // What can be disclosed is known before anything is written.
    let disclosure = match &command.disclose {
        None => None,
        Some(path) => {
            let keyring = unlocked(home, command.passphrase_file.as_deref(), &log)?;
            let reveal = if command.disclose_secret { Reveal::SecretKey } else { Reveal::NoSecret };
            let disclosure = disclose(&*log, &keyring, &order, &all, reveal)?;
            Some((
                path,
                disclosure.context("no party of this order is hosted here that could open anything of it")?,
            ))
        }
    };
    write(&command.output, 0o644, &chain)?;
    let (steps, blocks, proved) = (all.steps.len(), steps_and_more(&all, &logged), logged.proofs.len());
    say(format_args!(
        "{}: {steps} steps, {blocks} blocks, nothing that is not published; {proved} records proved to stand in this node's log",
        command.output.display()
    ))?;
    if let Some((path, disclosure)) = disclosure {
        write(path, 0o600, disclosure.encode().as_bytes())?;
        let bodies = disclosure.bodies().count();
        say(format_args!("{}: the keys of {bodies} sealed bodies", path.display()))?;
        eprintln!(
            "whoever has both files reads for good who the parties are, the policy, the commitment and every extension that \
             these keys open; hand them to nobody but the auditor"
        );
        if command.disclose_secret {
            eprintln!("and whoever has the sealed secret, and these keys, has the secret");
        }
    }
    Ok(())
}

/// The newest checkpoint of this node's log, and the document of its owner.
pub(super) struct Newest {
    checkpoint: Envelope,
    /// How many records it is about.
    size: u64,
    node: Named,
}

/// That the steps stand in this node's log, as far as its newest checkpoint goes.
pub(super) struct Logged {
    proofs: Vec<Proof>,
    /// The checkpoint; none without a proof.
    pub(super) checkpoint: Option<Envelope>,
    /// The document of the log's owner; none without a proof.
    pub(super) node: Option<Named>,
}

/// Reads it; none before the first.
pub(super) fn newest(log: &dyn LogReader) -> anyhow::Result<Option<Newest>> {
    let node = whose(log)?;
    let Some(last) = checkpoints::found(log, &node)?.0.last else { return Ok(None) };
    let block = |cid: Cid| {
        let block = log.published_block(&cid.to_bytes())?;
        let block = block.with_context(|| format!("block {cid} is not published in the log"))?;
        anyhow::Ok(block.bytes().to_vec())
    };
    let cid = last.checkpointed.cid;
    let checkpoint = Envelope::decode(&block(cid)?).with_context(|| format!("checkpoint {cid}"))?;
    Ok(Some(Newest { checkpoint, size: last.checkpointed.size, node: (node, block(node)?) }))
}

/// Proves what is under the newest checkpoint.
pub(super) fn logged(
    log: &dyn LogReader,
    all: &OrderChain,
    newest: Option<&Newest>,
) -> anyhow::Result<Logged> {
    let mut logged = Logged { proofs: Vec::new(), checkpoint: None, node: None };
    let Some(Newest { checkpoint, size, node }) = newest else { return Ok(logged) };
    // A record that brought several steps is proved once.
    let mut by_record = BTreeMap::new();
    for step in &all.steps {
        if let Ok(Inclusion { leaf, brought: Some(brought), path, .. }) =
            proofs::of_envelope(log, &step.cid(), *size)?
        {
            let Brought { blind, envelopes } = brought;
            let (sequence, record) = (leaf.sequence, leaf.record);
            let checkpoint = checkpoint.cid();
            let proof = Proof { log: node.0, checkpoint, sequence, record, blind, envelopes, path };
            by_record.insert(sequence, proof);
        }
    }
    logged.proofs = by_record.into_values().collect();
    if !logged.proofs.is_empty() {
        (logged.checkpoint, logged.node) = (Some(checkpoint.clone()), Some(node.clone()));
    }
    Ok(logged)
}

fn steps_and_more(all: &OrderChain, logged: &Logged) -> usize {
    let owner = logged.node.iter().filter(|(cid, _)| !all.identities.contains_key(cid)).count();
    // And the manifest.
    1 + all.steps.len() + all.identities.len() + all.bodies.len() + logged.checkpoint.iter().count() + owner
}

/// The CAR: a manifest, then what it lists.
pub(super) fn pack(all: &OrderChain, logged: &Logged) -> anyhow::Result<Vec<u8>> {
    let logs = logged.proofs.iter().map(|proof| proof.log);
    let identities: BTreeSet<Cid> = all.identities.keys().copied().chain(logs).collect();
    let manifest = Manifest {
        steps: all.steps.iter().map(|step| step.cid()).collect(),
        identities: identities.into_iter().collect(),
        proofs: logged.proofs.clone(),
    };
    let root = manifest.encode().context("the order has more steps than an exported chain holds")?;
    let name = Cid::of(Codec::DagCbor, &root);
    let mut blocks = BTreeMap::new();
    blocks.extend(all.steps.iter().map(|step| (step.cid(), step.block())));
    blocks.extend(all.identities.iter().map(|(cid, block)| (*cid, block.as_slice())));
    blocks.extend(all.bodies.iter().map(|(cid, block)| (*cid, block.as_slice())));
    blocks.extend(logged.checkpoint.iter().map(|checkpoint| (checkpoint.cid(), checkpoint.block())));
    blocks.extend(logged.node.iter().map(|(cid, block)| (*cid, block.as_slice())));
    Ok(car::encode(name, [(name, root.as_slice())].into_iter().chain(blocks))?)
}

/// Writes a file that is not there yet.
pub(super) fn write(path: &Path, mode: u32, bytes: &[u8]) -> anyhow::Result<()> {
    let named = || format!("{}", path.display());
    let mut file = File::options().write(true).create_new(true).mode(mode).open(path).with_context(named)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).with_context(named)
}
