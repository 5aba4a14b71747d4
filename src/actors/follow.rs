//! Following: keeps a full copy of what the logs of other nodes publish, without being able to read it. One task a followed node
//! fetches page after page, believes none that is not that node's, and keeps each block in this node's IPFS node; then it looks,
//! slowly and again every day, whether all of it is still there.
//!
//! ```text
//! pure  chain ── what a page must be, and what is held after it
//! files ── what is held, beside the blocks        give ── pages for those who follow this node
//! follower ── the task of one followed node       check ── whether another node holds what it says that it holds
//! said ── what another node says that it holds
//! ```

pub(crate) mod chain;
pub mod check;
pub(crate) mod files;
mod follower;
pub mod give;
pub mod said;

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dta_proof::Note;
use dta_protocol::{Body, Cid, Envelope};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::ipfs::BlockExchange;
use super::peers::PeerClient;
use super::services::Services;
use crate::backoff::Backoff;
use chain::Held;
use follower::Follower;

/// How often things are done, unless a test has other times.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The pauses after failures.
    pub failed: Backoff,
    /// The pauses while the followed node has nothing new.
    pub idle: Backoff,
    /// Between two looks at some blocks that should be here.
    pub look: Duration,
    /// From the end of a look at all of them to the next.
    pub look_again: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            failed: Backoff::new(Duration::from_millis(500), Duration::from_secs(60)),
            idle: Backoff::new(Duration::from_secs(1), Duration::from_secs(15)),
            look: Duration::from_millis(50),
            look_again: Duration::from_secs(86_400),
        }
    }
}

/// What it works with.
pub struct Parts {
    /// The node.
    pub services: Arc<Services>,
    /// Calls the followed nodes.
    pub client: PeerClient,
    /// Where their blocks are kept; none: nowhere, and nobody is followed.
    pub exchange: Option<Arc<dyn BlockExchange>>,
    /// What the files of a followed node are named, without their endings.
    pub files: Box<dyn Fn(&Cid) -> PathBuf + Send + Sync>,
    /// How often.
    pub pace: Pace,
}

/// Whom this node follows, and what it holds of them.
pub struct Following {
    parts: Parts,
    replicas: Mutex<BTreeMap<Cid, Replica>>,
}

/// What is held of a followed node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replica {
    /// How far it is.
    pub held: Held,
    /// Why it does not go on, if it does not; for everybody to read.
    pub trouble: Option<String>,
}

impl Following {
    /// Nothing runs yet.
    pub fn new(parts: Parts) -> Self {
        Self { parts, replicas: Mutex::default() }
    }

    /// Whom this node follows, in the order of their CIDs, and what it holds of each.
    pub fn all(&self) -> Vec<(Cid, Replica)> {
        let replicas = self.replicas();
        let replica = |peer: Cid| match (replicas.get(&peer), &self.parts.exchange) {
            (Some(replica), _) => (peer, replica.clone()),
            (None, Some(_)) => (peer, Replica::default()),
            (None, None) => {
                (peer, Replica { trouble: Some("ipfs.connector is \"none\"".into()), ..Replica::default() })
            }
        };
        self.parts.services.peers.followed().into_iter().map(replica).collect()
    }

    /// The note of the newest checkpoint that is held of a followed log. It was verified before it was kept.
    pub async fn note_of(&self, peer: &Cid) -> Option<Note> {
        let newest = self.replicas().get(peer).and_then(|replica| replica.held.newest.clone())?;
        let block = self.parts.exchange.as_ref()?.stored(newest.cid).await.ok()??;
        let owner = self.parts.services.known(peer).await.ok()??;
        match &Envelope::decode(&block).ok()?.statement().body {
            Body::Checkpoint(body) => Note::verify(&body.note, &owner.document).ok(),
            _ => None,
        }
    }

    /// Follows whom the operator says, until `stopping` says so.
    pub async fn run(self: Arc<Self>, mut stopping: watch::Receiver<bool>) {
        let Some(exchange) = self.parts.exchange.clone() else { return };
        let mut changes = self.parts.services.peers.changes();
        let (mut tasks, mut running) = (JoinSet::new(), HashSet::new());
        loop {
            changes.borrow_and_update();
            for peer in self.parts.services.peers.followed() {
                if running.insert(peer) {
                    let follower = Follower::new(self.clone(), exchange.clone(), peer);
                    tasks.spawn_local(follower.run(stopping.clone()));
                }
            }
            tokio::select! {
                biased;
                // A sender that has gone stops it too.
                _ = stopping.wait_for(|stop| *stop) => break,
                Some(ended) = tasks.join_next() => {
                    // It panics only where the process aborts.
                    if let Ok(peer) = ended {
                        running.remove(&peer);
                    }
                }
                // The book is there as long as the services are.
                _ = changes.changed() => {}
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    fn replicas(&self) -> MutexGuard<'_, BTreeMap<Cid, Replica>> {
        self.replicas.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
