//! An IPFS node beside this one (Kubo), by its HTTP RPC. It has its own peers, keys and disk; this one gives it blocks, asks it
//! for blocks, and believes none that its CID does not name. While it is away every call says so.

mod rpc;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use dta_protocol::Cid;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::{Answer, BlockExchange, ExchangeError, Standing, check, checked, limit};
use crate::actors::log::PublishedBlock;
use crate::actors::peers::PeerUrl;
use rpc::{CALL, Refusal, Rpc};

/// The longest wait for a block that the other node looks for.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// The connector. It works on the runtime it was made with, whoever polls its answers.
pub struct Api {
    node: Arc<Node>,
    runtime: Handle,
    stop: watch::Sender<bool>,
}

struct Node {
    rpc: Rpc,
    pin: bool,
}

impl Api {
    /// A connector to the node with its RPC at `url`; nothing is called yet. `authorization` is the header's value; with
    /// `pin` each block that is put is pinned, so that the node's garbage collection keeps it.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(
        url: PeerUrl,
        authorization: Option<HeaderValue>,
        pin: bool,
        runtime: Handle,
    ) -> Result<Self, reqwest::Error> {
        let node = Arc::new(Node { rpc: Rpc::new(url, authorization)?, pin });
        Ok(Self { node, runtime, stop: watch::channel(false).0 })
    }

    /// Runs work on the runtime, unless it was stopped, and no longer than until it is.
    fn on_runtime<T, F>(&self, work: impl FnOnce(Arc<Node>) -> F) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ExchangeError>> + Send + 'static,
    {
        let mut stop = self.stop.subscribe();
        let work = work(self.node.clone());
        let task = self.runtime.spawn(async move {
            tokio::select! {
                biased;
                // The sender lives as long as there is somebody to ask.
                _ = stop.wait_for(|stopped| *stopped) => Err(ExchangeError::Stopped),
                done = work => done,
            }
        });
        Box::pin(async move { task.await.unwrap_or(Err(ExchangeError::Stopped)) })
    }
}

impl BlockExchange for Api {
    fn put(&self, block: PublishedBlock) -> Answer<()> {
        self.on_runtime(|node| async move { node.put(checked(&block)?, block.bytes()).await })
    }

    fn keep(&self, cid: Cid, bytes: Vec<u8>) -> Answer<()> {
        self.on_runtime(move |node| async move {
            check(&cid, &bytes)?;
            node.put(cid, &bytes).await
        })
    }

    fn stored(&self, cid: Cid) -> Answer<Option<Vec<u8>>> {
        self.on_runtime(move |node| async move {
            match node.stored(&cid).await {
                Ok(stored) => Ok(stored.filter(|bytes| check(&cid, bytes).is_ok())),
                Err(ExchangeError::TooLarge { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn get(&self, cid: Cid, timeout: Duration) -> Answer<Vec<u8>> {
        self.on_runtime(move |node| async move {
            if let Some(bytes) = node.stored(&cid).await? {
                return check(&cid, &bytes).map(|()| bytes);
            }
            let target = format!("block/get?arg={cid}");
            let timeout = timeout.min(LONGEST_WAIT);
            // Its own limit is left behind ours: the answer is the same whichever clock is faster.
            let fetched = node.rpc.block(&target, LONGEST_WAIT * 2, limit(cid.codec()));
            let fetched =
                tokio::time::timeout(timeout, fetched).await.map_err(|_| ExchangeError::TimedOut {
                    cid,
                    timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
                })?;
            let bytes = fetched.map_err(|refusal| too_large(&cid, refusal))?;
            check(&cid, &bytes).map(|()| bytes)
        })
    }

    fn has(&self, cid: Cid) -> Answer<bool> {
        self.on_runtime(move |node| async move {
            match node.rpc.done(&format!("block/stat?arg={cid}&offline=true")).await {
                Ok(()) => Ok(true),
                Err(Refusal::NotHere) => Ok(false),
                Err(refusal) => Err(refusal.into()),
            }
        })
    }

    fn whole(&self, cid: Cid) -> Answer<bool> {
        self.on_runtime(move |node| async move { node.whole(&cid).await })
    }

    fn forget(&self, cid: Cid) -> Answer<()> {
        self.on_runtime(move |node| async move { node.remove(&cid).await })
    }

    fn standing(&self) -> Answer<Standing> {
        self.on_runtime(|node| async move { node.standing().await })
    }

    /// Ends what is under way. The other node goes on: it is not ours.
    fn stop(&self) -> Answer<()> {
        self.stop.send_replace(true);
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Node {
    /// Stores a block that is what its CID names, and pins it.
    async fn put(&self, cid: Cid, bytes: &[u8]) -> Result<(), ExchangeError> {
        // It would keep a damaged block as if it were there.
        if !self.whole(&cid).await? {
            self.rpc.put(&cid, bytes).await?;
        }
        if self.pin { self.pinned(&cid).await } else { Ok(()) }
    }

    /// What its store has under this name, whatever it is worth; it looks nowhere else. More bytes than a block has are
    /// `TooLarge`.
    async fn stored(&self, cid: &Cid) -> Result<Option<Vec<u8>>, ExchangeError> {
        let target = format!("block/get?arg={cid}&offline=true");
        match self.rpc.block(&target, CALL, limit(cid.codec())).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Refusal::NotHere) => Ok(None),
            Err(refusal) => Err(too_large(cid, refusal)),
        }
    }

    /// Whether its store has the block, whole; one that is not whole is removed.
    async fn whole(&self, cid: &Cid) -> Result<bool, ExchangeError> {
        let stored = match self.stored(cid).await {
            Ok(None) => return Ok(false),
            Ok(Some(bytes)) => check(cid, &bytes),
            Err(error @ ExchangeError::TooLarge { .. }) => Err(error),
            Err(error) => return Err(error),
        };
        if stored.is_err() {
            self.remove(cid).await?;
        }
        Ok(stored.is_ok())
    }

    /// Pins the block alone: a recursive pin would go after links to blocks that are not published.
    async fn pinned(&self, cid: &Cid) -> Result<(), ExchangeError> {
        match self.rpc.done(&format!("pin/add?arg={cid}&recursive=false")).await {
            // Somebody else's pin keeps it as well.
            Err(Refusal::Failed(ExchangeError::Store(why))) if why.contains("already pinned") => Ok(()),
            done => Ok(done?),
        }
    }

    async fn remove(&self, cid: &Cid) -> Result<(), ExchangeError> {
        #[derive(Deserialize)]
        struct Removed {
            #[serde(rename = "Error", default)]
            error: String,
        }
        // A pin keeps what it pins. There may be none.
        let _ = self.rpc.done(&format!("pin/rm?arg={cid}")).await;
        let removed: Removed = self.rpc.json(&format!("block/rm?arg={cid}&force=true")).await?;
        if removed.error.is_empty() { Ok(()) } else { Err(ExchangeError::Store(removed.error)) }
    }

    async fn standing(&self) -> Result<Standing, ExchangeError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Id {
            #[serde(rename = "ID")]
            id: String,
            addresses: Option<Vec<String>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Peers {
            peers: Option<Vec<Peer>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Peer {
            peer: String,
        }
        let (id, peers) = tokio::join!(self.rpc.json::<Id>("id"), self.rpc.json::<Peers>("swarm/peers"));
        let Id { id: peer_id, addresses } = id?;
        let peers = peers?.peers.unwrap_or_default();
        let mut connected: Vec<String> = peers.into_iter().map(|peer| peer.peer).collect();
        connected.sort();
        // One with two connections is listed twice.
        connected.dedup();
        Ok(Standing { peer_id, addresses: addresses.unwrap_or_default(), connected })
    }
}

/// A block that is longer than its kind may be; how much longer was not read.
fn too_large(cid: &Cid, refusal: Refusal) -> ExchangeError {
    match refusal {
        Refusal::TooLarge(limit) => ExchangeError::TooLarge { cid: *cid, bytes: limit + 1, limit },
        other => other.into(),
    }
}
