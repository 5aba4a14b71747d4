//! All checkpoints up to one, along their skip links: in few steps, and side by side.

use std::collections::{BTreeMap, BTreeSet};

use dta_proof::Note;
use dta_protocol::checkpoint::{CheckpointBody, skip_number};
use dta_protocol::{Body, Cid, Descriptor, Envelope, Identity, Role, Verified};

use super::RecoverError;
use super::fetch::Fetch;
use crate::ports::OsEntropy;

/// A checkpoint that is its owner's.
pub(super) struct Checkpoint {
    pub(super) envelope: Verified<Envelope>,
    pub(super) body: CheckpointBody,
    pub(super) note: Note,
    /// Its sealed records.
    pub(super) sealed: Descriptor,
}

/// The checkpoints from 0 to `head`, in order, each verified and linked to those that it must be.
///
/// # Errors
/// `Fetch` for one that nobody has; `Checkpoint` for the first that is not what it should be. `progress`: how many of how many.
pub(super) fn walk(
    fetch: &Fetch<'_>,
    owner: &Identity,
    head: Cid,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<Checkpoint>, RecoverError> {
    let mut found: BTreeMap<u64, Checkpoint> = BTreeMap::new();
    let mut asked = BTreeSet::from([head]);
    let mut wanted: Vec<(Cid, Option<u64>)> = vec![(head, None)];
    while !wanted.is_empty() {
        let fetched = fetch.all(wanted.iter().map(|(cid, _)| *cid).collect())?;
        let blocks = fetched.into_iter().collect::<Result<Vec<_>, _>>()?;
        let asked_for = std::mem::take(&mut wanted);
        for (checkpoint, (cid, number)) in verify(owner, blocks)?.into_iter().zip(asked_for) {
            let number_is = checkpoint.body.number;
            let wrong = |why: String| RecoverError::Checkpoint { cid, why };
            if number.is_some_and(|number| number != number_is) {
                return Err(wrong(format!("is number {number_is}, where a link leads to another")));
            }
            for (k, link) in checkpoint.body.skip.iter().enumerate() {
                if asked.insert(*link) {
                    wanted.push((*link, skip_number(number_is, k)));
                }
            }
            if let Some(other) = found.insert(number_is, checkpoint) {
                let other = other.envelope.cid();
                return Err(wrong(format!(
                    "is number {number_is}, and so is {other}: its owner has forked it"
                )));
            }
        }
        let newest = found.keys().next_back().copied().unwrap_or_default();
        progress(found.len() as u64, newest.saturating_add(1));
    }
    in_order(found)
}

/// Decodes and verifies, all signatures together.
fn verify(owner: &Identity, blocks: Vec<Vec<u8>>) -> Result<Vec<Checkpoint>, RecoverError> {
    let mut envelopes = Vec::with_capacity(blocks.len());
    for block in blocks {
        let cid = Cid::of(dta_protocol::Codec::DagCbor, &block);
        let envelope = Envelope::decode(&block);
        envelopes.push(envelope.map_err(|error| RecoverError::Checkpoint { cid, why: error.to_string() })?);
    }
    let cids: Vec<Cid> = envelopes.iter().map(Envelope::cid).collect();
    let verified = Envelope::verify_batch(envelopes, owner, &mut OsEntropy);
    verified
        .into_iter()
        .zip(cids)
        .map(|(verified, cid)| {
            let wrong = |why: String| RecoverError::Checkpoint { cid, why };
            let envelope = verified.map_err(|error| wrong(error.to_string()))?;
            let statement = envelope.statement();
            let Body::Checkpoint(body) = &statement.body else {
                return Err(wrong(format!("is {} and no checkpoint", statement.kind)));
            };
            let body = body.clone();
            let note = Note::verify(&body.note, owner).map_err(|error| wrong(error.to_string()))?;
            let sealed = statement.sealed_for(Role::Log).cloned();
            let sealed = sealed.ok_or_else(|| wrong("has no sealed records".into()))?;
            Ok(Checkpoint { envelope, body, note, sealed })
        })
        .collect()
}

/// Each follows the one before it, and each link leads where its place says.
fn in_order(found: BTreeMap<u64, Checkpoint>) -> Result<Vec<Checkpoint>, RecoverError> {
    let cids: BTreeMap<u64, Cid> =
        found.iter().map(|(number, checkpoint)| (*number, checkpoint.envelope.cid())).collect();
    let mut before: Option<(u64, u64, u64)> = None;
    for (expected, (number, checkpoint)) in (0_u64..).zip(&found) {
        let statement = checkpoint.envelope.statement();
        let wrong = |why: &str| RecoverError::Checkpoint { cid: checkpoint.envelope.cid(), why: why.into() };
        if *number != expected {
            return Err(wrong("does not have all before it"));
        }
        let leads = |(k, link): (usize, &Cid)| {
            skip_number(*number, k).and_then(|earlier| cids.get(&earlier)) == Some(link)
        };
        if !checkpoint.body.skip.iter().enumerate().all(leads) {
            return Err(wrong("has a link that leads elsewhere"));
        }
        let now = (checkpoint.note.origin().epoch, checkpoint.note.size(), statement.issued_at_ms);
        let follows =
            |(epoch, size, at_ms): (u64, u64, u64)| now.0 >= epoch && now.1 >= size && now.2 >= at_ms;
        if !before.is_none_or(follows) {
            return Err(wrong(
                "is of an earlier epoch, a smaller log or an earlier time than the one before it",
            ));
        }
        before = Some(now);
    }
    Ok(found.into_values().collect())
}
