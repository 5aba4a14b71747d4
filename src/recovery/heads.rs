//! Where a recovery begins: checkpoints that somebody named, and those that mirrors say they hold.

use std::collections::BTreeMap;

use dta_crypto::IdentityKeys;
use dta_proof::Note;
use dta_proof::checkpoints::Checkpoint;
use dta_protocol::{Body, Cid, Envelope, Identity};

use super::RecoverError;
use super::fetch::Fetch;
use crate::actors::follow::said::Said;
use crate::ports::OsEntropy;

/// Checkpoints that are taken from one mirror's answer, at most.
const HEADS_MAX: usize = 1_024;

/// The newest checkpoint that a mirror says it holds of each chain: whose that is, the checkpoint says.
pub fn heads_of(mirror: &Said) -> Vec<Cid> {
    let named = mirror.following.iter().filter_map(|copy| copy.checkpoint.as_ref()?.parse().ok());
    named.take(HEADS_MAX).collect()
}

/// A checkpoint of the identity that is recovered, signed by it.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) cid: Cid,
    pub(super) number: u64,
    pub(super) note: Note,
}

/// The identity that the seed makes, and its checkpoints among these, the newest first. Others' are passed over.
///
/// # Errors
/// `NoHead`: none of them is, with what is wrong with each. `TwoIdentities`.
pub(super) fn of_seed(
    fetch: &Fetch<'_>,
    keys: &IdentityKeys,
    named: &[Cid],
) -> Result<(Identity, Vec<Head>), RecoverError> {
    let mut wrong = Vec::new();
    let mut envelopes: BTreeMap<Cid, Vec<Envelope>> = BTreeMap::new();
    for (cid, block) in named.iter().zip(fetch.all(named.to_vec())?) {
        match block.map_err(|error| error.to_string()).and_then(|block| read(&block)) {
            Ok((signer, envelope)) => envelopes.entry(signer).or_default().push(envelope),
            Err(why) => wrong.push(format!("{cid}: {why}")),
        }
    }
    let signers: Vec<Cid> = envelopes.keys().copied().collect();
    let mut own: Vec<(Identity, Vec<Envelope>)> = Vec::new();
    for ((cid, envelopes), block) in envelopes.into_iter().zip(fetch.all(signers)?) {
        let identity = block
            .map_err(|error| format!("its identity is not to be had: {error}"))
            .and_then(|block| Identity::decode(&block).map_err(|error| error.to_string()));
        match identity {
            Ok(identity) if identity.public() == keys.public() => own.push((identity, envelopes)),
            Ok(_) => wrong.push(format!("a checkpoint of {cid}, whose keys this seed does not make")),
            Err(why) => wrong.push(format!("a checkpoint of {cid}: {why}")),
        }
    }
    // What only says that it is this node's is nobody's.
    let mut heads: Vec<(Identity, Vec<Head>)> = Vec::new();
    for (identity, envelopes) in own {
        let cids: Vec<Cid> = envelopes.iter().map(Envelope::cid).collect();
        let verified = Envelope::verify_batch(envelopes, &identity, &mut OsEntropy);
        let mut good = Vec::new();
        for (envelope, cid) in verified.into_iter().zip(cids) {
            let checkpoint = envelope.map_err(|error| error.to_string()).and_then(|envelope| {
                Checkpoint::read(&identity, envelope).map_err(|error| error.to_string())
            });
            match checkpoint {
                Ok(checkpoint) => {
                    good.push(Head { cid, number: checkpoint.number(), note: checkpoint.note().clone() });
                }
                Err(why) => wrong.push(format!("{cid}: {why}")),
            }
        }
        if !good.is_empty() {
            heads.push((identity, good));
        }
    }
    let mut heads = heads.into_iter();
    let Some((identity, mut own)) = heads.next() else { return Err(RecoverError::NoHead(wrong.join("; "))) };
    if let Some((other, _)) = heads.next() {
        return Err(RecoverError::TwoIdentities(identity.cid(), other.cid()));
    }
    for why in wrong {
        tracing::warn!(why, "not a checkpoint to recover from");
    }
    own.sort_by_key(|head| std::cmp::Reverse((head.note.origin().epoch, head.number)));
    Ok((identity, own))
}

/// An envelope that says it is a checkpoint, and whose.
fn read(block: &[u8]) -> Result<(Cid, Envelope), String> {
    let envelope = Envelope::decode(block).map_err(|error| error.to_string())?;
    match (&envelope.statement().body, envelope.statement().signer) {
        (Body::Checkpoint(_), Some(signer)) => Ok((signer, envelope)),
        _ => Err(format!("is {} and no checkpoint", envelope.statement().kind)),
    }
}
