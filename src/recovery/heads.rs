//! Where a recovery begins: checkpoints that somebody named, and those that mirrors say they hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dta_crypto::IdentityKeys;
use dta_protocol::{Body, Cid, Envelope, Identity};
use serde::Deserialize;

use super::RecoverError;
use super::fetch::Fetch;
use crate::actors::peers::{PeerClient, PeerUrl};

/// Bytes of a mirror's answer.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Checkpoints that are taken from one mirror's answer, at most.
const HEADS_MAX: usize = 1_024;

/// What a mirror says of itself: `GET /v1/mirror`.
#[derive(Debug, Default, Deserialize)]
pub struct Mirror {
    /// Where its IPFS node listens, as it says.
    #[serde(default)]
    pub ipfs: Vec<String>,
    /// Whose chains it keeps.
    #[serde(default)]
    following: Vec<Following>,
}

#[derive(Debug, Deserialize)]
struct Following {
    #[serde(rename = "checkpointCID")]
    checkpoint: Option<String>,
}

impl Mirror {
    /// Asks the node at this address.
    ///
    /// # Errors
    /// For people: no such answer.
    pub async fn ask(client: Arc<PeerClient>, url: PeerUrl) -> Result<Self, String> {
        let answer = client.fetch(&url, "/v1/mirror", ANSWER_BYTES_MAX).await;
        match answer.map_err(|error| error.to_string())? {
            (200, body) => serde_json::from_slice(&body).map_err(|error| format!("its answer: {error}")),
            (status, _) => Err(format!("it answers {status} to GET /v1/mirror")),
        }
    }

    /// The newest checkpoint that it holds of each chain: whose that is, the checkpoint says.
    pub fn heads(&self) -> Vec<Cid> {
        let named = self.following.iter().filter_map(|one| one.checkpoint.as_ref()?.parse().ok());
        named.take(HEADS_MAX).collect()
    }
}

/// A checkpoint of the identity that is recovered.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) cid: Cid,
    pub(super) number: u64,
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
    let mut heads = Vec::new();
    for (cid, block) in named.iter().zip(fetch.all(named.to_vec())?) {
        match block.map_err(|error| error.to_string()).and_then(|block| read(&block)) {
            Ok((signer, number)) => heads.push((signer, Head { cid: *cid, number })),
            Err(why) => wrong.push(format!("{cid}: {why}")),
        }
    }
    let signers: BTreeSet<Cid> = heads.iter().map(|(signer, _)| *signer).collect();
    let signers: Vec<Cid> = signers.into_iter().collect();
    let mut own = BTreeMap::new();
    for (cid, block) in signers.iter().zip(fetch.all(signers.clone())?) {
        let identity = block
            .map_err(|error| format!("its identity is not to be had: {error}"))
            .and_then(|block| Identity::decode(&block).map_err(|error| error.to_string()));
        match identity {
            Ok(identity) if identity.public() == keys.public() => drop(own.insert(*cid, identity)),
            Ok(_) => wrong.push(format!("a checkpoint of {cid}, whose keys this seed does not make")),
            Err(why) => wrong.push(format!("a checkpoint of {cid}: {why}")),
        }
    }
    heads.retain(|(signer, _)| own.contains_key(signer));
    let mut identities = own.into_values();
    let Some(identity) = identities.next() else { return Err(RecoverError::NoHead(wrong.join("; "))) };
    if let Some(other) = identities.next() {
        return Err(RecoverError::TwoIdentities(identity.cid(), other.cid()));
    }
    for why in wrong {
        tracing::warn!(why, "not a checkpoint to recover from");
    }
    heads.sort_by_key(|(_, head)| std::cmp::Reverse(head.number));
    Ok((identity, heads.into_iter().map(|(_, head)| head).collect()))
}

/// Whose checkpoint it is, and which, as it says itself.
fn read(block: &[u8]) -> Result<(Cid, u64), String> {
    let envelope = Envelope::decode(block).map_err(|error| error.to_string())?;
    let statement = envelope.statement();
    match (&statement.body, statement.signer) {
        (Body::Checkpoint(body), Some(signer)) => Ok((signer, body.number)),
        _ => Err(format!("is {} and no checkpoint", statement.kind)),
    }
}
