//! Exchange nodes joined in one process, for tests: each can be told to fail, and to damage what it has.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dta_protocol::Cid;
use tokio::sync::watch;

use super::{Answer, BlockExchange, ExchangeError, Standing, check, checked};
use crate::actors::log::PublishedBlock;

/// A network: its nodes all reach each other.
#[derive(Clone)]
pub(crate) struct MemoryNetwork {
    nodes: Arc<Mutex<BTreeMap<String, Node>>>,
    /// Counts changes, for those who wait for a block.
    changes: Arc<watch::Sender<u64>>,
}

#[derive(Default)]
struct Node {
    blocks: BTreeMap<Cid, Vec<u8>>,
    /// In the order in which they were put.
    puts: Vec<Cid>,
    /// How many more puts succeed; none: all.
    puts_left: Option<u64>,
    forgets_nothing: bool,
    stopped: bool,
}

/// One node of it.
#[derive(Clone)]
pub(crate) struct MemoryExchange {
    name: String,
    network: MemoryNetwork,
}

impl MemoryNetwork {
    pub(crate) fn new() -> Self {
        Self { nodes: Arc::default(), changes: Arc::new(watch::channel(0).0) }
    }

    pub(crate) fn join(&self, name: &str) -> MemoryExchange {
        self.lock().entry(name.to_owned()).or_default();
        MemoryExchange { name: name.to_owned(), network: self.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Node>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryExchange {
    /// Another node of its network.
    pub(crate) fn beside(&self, name: &str) -> Self {
        self.network.join(name)
    }

    /// Every put after this many fails, until it is told otherwise.
    pub(crate) fn let_puts(&self, puts_left: Option<u64>) {
        self.node(|node| node.puts_left = puts_left);
    }

    /// Whether it forgets what it is told to, or fails.
    pub(crate) fn let_forget(&self, forgets: bool) {
        self.node(|node| node.forgets_nothing = !forgets);
    }

    /// What was put, repetitions included, in order.
    pub(crate) fn puts(&self) -> Vec<Cid> {
        self.node(|node| node.puts.clone())
    }

    /// The block stays under its name with other bytes.
    pub(crate) fn damage(&self, cid: &Cid) {
        self.node(|node| node.blocks.insert(*cid, b"other bytes".to_vec()));
    }

    /// The block is gone.
    pub(crate) fn lose(&self, cid: &Cid) {
        self.node(|node| node.blocks.remove(cid));
    }

    fn node<T>(&self, with: impl FnOnce(&mut Node) -> T) -> T {
        with(self.network.lock().entry(self.name.clone()).or_default())
    }

    fn going<T>(&self, with: impl FnOnce(&mut Node) -> T) -> Result<T, ExchangeError> {
        self.node(|node| if node.stopped { Err(ExchangeError::Stopped) } else { Ok(with(node)) })
    }

    /// Its own block, whatever it is worth, else a good one of another node.
    fn find(&self, cid: &Cid) -> Result<Option<Vec<u8>>, ExchangeError> {
        if let Some(own) = self.going(|node| node.blocks.get(cid).cloned())? {
            return check(cid, &own).map(|()| Some(own));
        }
        let nodes = self.network.lock();
        let mut others = nodes.values().filter(|node| !node.stopped).filter_map(|node| node.blocks.get(cid));
        Ok(others.find(|bytes| check(cid, bytes).is_ok()).cloned())
    }
}

impl BlockExchange for MemoryExchange {
    fn put(&self, block: PublishedBlock) -> Answer<()> {
        match checked(&block) {
            Ok(cid) => self.keep(cid, block.bytes().to_vec()),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn keep(&self, cid: Cid, bytes: Vec<u8>) -> Answer<()> {
        let put = check(&cid, &bytes).and_then(|()| {
            self.going(|node| match &mut node.puts_left {
                Some(0) => Err(ExchangeError::Store("told to fail".into())),
                left => {
                    left.iter_mut().for_each(|left| *left -= 1);
                    node.puts.push(cid);
                    node.blocks.insert(cid, bytes);
                    Ok(())
                }
            })?
        });
        self.network.changes.send_modify(|changes| *changes += 1);
        Box::pin(std::future::ready(put))
    }

    fn stored(&self, cid: Cid) -> Answer<Option<Vec<u8>>> {
        let stored =
            self.going(|node| node.blocks.get(&cid).filter(|bytes| check(&cid, bytes).is_ok()).cloned());
        Box::pin(std::future::ready(stored))
    }

    fn get(&self, cid: Cid, timeout: Duration) -> Answer<Vec<u8>> {
        let this = self.clone();
        let mut changes = self.network.changes.subscribe();
        Box::pin(async move {
            let look = async {
                loop {
                    if let Some(bytes) = this.find(&cid)? {
                        return Ok(bytes);
                    }
                    // The network holds the sender, and this node the network.
                    let _ = changes.changed().await;
                }
            };
            let timeout_ms = timeout.as_millis() as u64;
            tokio::time::timeout(timeout, look)
                .await
                .unwrap_or(Err(ExchangeError::TimedOut { cid, timeout_ms }))
        })
    }

    fn has(&self, cid: Cid) -> Answer<bool> {
        Box::pin(std::future::ready(self.going(|node| node.blocks.contains_key(&cid))))
    }

    fn whole(&self, cid: Cid) -> Answer<bool> {
        let whole = self.going(|node| {
            let whole = node.blocks.get(&cid).is_some_and(|bytes| check(&cid, bytes).is_ok());
            if !whole {
                node.blocks.remove(&cid);
            }
            whole
        });
        Box::pin(std::future::ready(whole))
    }

    fn forget(&self, cid: Cid) -> Answer<()> {
        let forget = self.going(|node| match node.forgets_nothing {
            true => Err(ExchangeError::Store("told to fail".into())),
            false => {
                node.blocks.remove(&cid);
                Ok(())
            }
        });
        Box::pin(std::future::ready(forget.flatten()))
    }

    fn standing(&self) -> Answer<Standing> {
        let standing = self.going(|_| ()).map(|()| {
            let nodes = self.network.lock();
            let others = nodes.iter().filter(|(name, node)| **name != self.name && !node.stopped);
            Standing {
                peer_id: self.name.clone(),
                addresses: vec![format!("/memory/{}", self.name)],
                connected: others.map(|(name, _)| name.clone()).collect(),
            }
        });
        Box::pin(std::future::ready(standing))
    }

    fn stop(&self) -> Answer<()> {
        self.node(|node| node.stopped = true);
        Box::pin(std::future::ready(Ok(())))
    }
}
