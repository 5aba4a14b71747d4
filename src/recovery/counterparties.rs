//! Those whom the recovered log pins are asked what they have seen of it: how much is lost, at least.

use std::sync::Arc;

use dta_crypto::Secret;
use dta_proof::{Note, tree};
use dta_protocol::{Identity, NotePage, car};

use super::RecoverError;
use crate::actors::keyring::Keyring;
use crate::actors::log::{LogReader, RocksLog, Tree};
use crate::actors::network::Network;
use crate::actors::peers::book::Book;
use crate::actors::peers::{PeerClient, PeerUrl};
use crate::ports::{Clock, OsEntropy};

/// Where a node answers what it has seen of its caller's log.
pub const NOTE: &str = "/v1/fulfill/log/note";

/// How many were asked and how many answered; the notes that they have.
pub(super) fn ask(
    log: &Arc<RocksLog>,
    seed: &Secret<32>,
    owner: &Identity,
    network: &Network,
    clock: Arc<dyn Clock>,
) -> Result<((usize, usize), Vec<Note>), RecoverError> {
    let pinned = Book::read(&**log, false)?.with_url();
    let keyring = Keyring::new(Secret::build(|bytes| bytes.copy_from_slice(seed.expose())), log.clone());
    let Some(own) = keyring.load(&owner.cid())? else { return Ok(((0, 0), Vec::new())) };
    let mut calls = Vec::new();
    for (peer, url) in pinned {
        if let (Some(peer), Ok(url)) = (keyring.load(&peer)?, url.parse::<PeerUrl>()) {
            calls.push((peer, url));
        }
    }
    let asked = calls.len();
    let client = PeerClient::new(clock, Box::new(OsEntropy)).map_err(RecoverError::Client)?;
    let client = Arc::new(client);
    let answers = async move {
        let mut tasks = tokio::task::JoinSet::new();
        for (peer, url) in calls {
            let (client, own) = (client.clone(), own.clone());
            tasks.spawn(async move {
                let answer = client.get(&url, NOTE, &own, &peer.document).await;
                (peer.document.cid(), answer)
            });
        }
        tasks.join_all().await
    };
    let answers = network.wait(answers).ok_or(RecoverError::Stopping)?;
    let (mut answered, mut notes) = (0, Vec::new());
    for (peer, answer) in answers {
        let read = answer.map_err(|error| error.to_string()).and_then(|answer| note(&answer.body, owner));
        match read {
            Ok(note) => {
                answered += 1;
                notes.extend(note);
            }
            Err(why) => tracing::warn!(%peer, why, "what it has seen of this log is not known"),
        }
    }
    Ok(((asked, answered), notes))
}

fn note(body: &[u8], owner: &Identity) -> Result<Option<Note>, String> {
    let (root, blocks) = car::decode(body).map_err(|error| error.to_string())?;
    let page = blocks.iter().find(|(cid, _)| *cid == root).map(|(_, block)| block.as_slice());
    let page = NotePage::decode(page.unwrap_or_default()).map_err(|error| error.to_string())?;
    let note = page.note.map(|note| Note::verify(&note, owner)).transpose();
    note.map_err(|error| error.to_string())
}

/// The epoch that is to begin: after every one that anybody has seen.
///
/// # Errors
/// `Conflict`: somebody has a note of this epoch that the recovered records contradict.
pub(super) fn judge(log: &dyn LogReader, own: u64, seen: &[Note]) -> Result<u64, RecoverError> {
    let count = log.head()?.count;
    for note in seen.iter().filter(|note| note.origin().epoch == own && note.size() <= count) {
        let root = tree::root(&Tree(log), note.size());
        if root.is_ok_and(|root| root != note.root()) {
            return Err(RecoverError::Conflict(format!(
                "a note of {} records that this node signed is known to others, and the recovered records are not those: \
                 it is of another log of this node",
                note.size()
            )));
        }
    }
    let newest = seen.iter().map(|note| note.origin().epoch).max().unwrap_or_default();
    Ok(own.max(newest).saturating_add(1))
}
