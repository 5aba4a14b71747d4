//! Where a recovery begins: checkpoints that somebody named, and those that mirrors say they hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use dta_crypto::IdentityKeys;
use dta_protocol::{Body, Cid, Envelope, Identity};
use serde::Deserialize;

use super::RecoverError;
use super::fetch::Fetch;
use crate::actors::peers::{PeerClient, PeerUrl};

/// Bytes of a mirror's answer.
const ANSWER_BYTES_MAX: usize = 1 << 20;

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
        self.following.iter().filter_map(|one| one.checkpoint.as_ref()?.parse().ok()).collect()
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
/// `NoHead`: none of them is, with what is wrong with each.
pub(super) fn of_seed(
    fetch: &Fetch<'_>,
    keys: &IdentityKeys,
    named: &[Cid],
) -> Result<(Identity, Vec<Head>), RecoverError> {
    let mut wrong = Vec::new();
    let mut identities: BTreeMap<Cid, Identity> = BTreeMap::new();
    let mut heads = Vec::new();
    for cid in named {
        match head(fetch, keys, *cid)? {
            Ok((identity, head)) => {
                heads.push((identity.cid(), head));
                identities.insert(identity.cid(), identity);
            }
            Err(why) => wrong.push(format!("{cid}: {why}")),
        }
    }
    heads.sort_by_key(|(_, head)| std::cmp::Reverse(head.number));
    let Some((owner, _)) = heads.first() else { return Err(RecoverError::NoHead(wrong.join("; "))) };
    let owner = *owner;
    let identity = identities.remove(&owner).ok_or(RecoverError::Stopping)?;
    if let Some(other) = identities.into_keys().next() {
        return Err(RecoverError::TwoIdentities(owner, other));
    }
    for why in wrong {
        tracing::warn!(why, "not a checkpoint to recover from");
    }
    Ok((identity, heads.into_iter().map(|(_, head)| head).collect()))
}

/// What is wrong with it is in the inner answer.
fn head(
    fetch: &Fetch<'_>,
    keys: &IdentityKeys,
    cid: Cid,
) -> Result<Result<(Identity, Head), String>, RecoverError> {
    let block = match fetch.all(vec![cid])?.pop() {
        Some(Ok(block)) => block,
        Some(Err(error)) => return Ok(Err(error.to_string())),
        None => return Err(RecoverError::Stopping),
    };
    let read = Envelope::decode(&block).map_err(|error| error.to_string()).and_then(|envelope| {
        let statement = envelope.statement();
        match (&statement.body, statement.signer) {
            (Body::Checkpoint(body), Some(signer)) => Ok((signer, body.number)),
            _ => Err(format!("is {} and no checkpoint", statement.kind)),
        }
    });
    let (signer, number) = match read {
        Ok(read) => read,
        Err(why) => return Ok(Err(why)),
    };
    let identity = match fetch.all(vec![signer])?.pop() {
        Some(Ok(block)) => Identity::decode(&block).map_err(|error| format!("its signer: {error}")),
        _ => Err(format!("its signer's identity {signer} is not to be had")),
    };
    Ok(identity.and_then(|identity| match identity.public() == keys.public() {
        true => Ok((identity, Head { cid, number })),
        false => Err(format!("is of {signer}, whose keys this seed does not make")),
    }))
}
