//! Blocks by CID, many at once: what a long chain costs is round trips, not bytes.

use std::sync::Arc;
use std::time::Duration;

use dta_protocol::Cid;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::RecoverError;
use crate::actors::ipfs::{BlockExchange, ExchangeError};
use crate::actors::network::Network;

/// Blocks asked for at once.
const AT_ONCE: usize = 64;
/// How often each is asked for before it counts as not there.
const TRIES: usize = 2;

/// What somebody connected answered.
pub(super) type Fetched = Result<Vec<u8>, ExchangeError>;

/// Fetches from whoever the exchange is connected to. Nothing stays in the exchange's own store.
pub(super) struct Fetch<'a> {
    pub(super) exchange: Arc<dyn BlockExchange>,
    pub(super) network: &'a Network,
    /// How long each try waits.
    pub(super) timeout: Duration,
}

impl Fetch<'_> {
    /// These blocks, in their order. Each is what its CID names, whoever gave it.
    ///
    /// # Errors
    /// The network threads have stopped.
    pub(super) fn all(&self, cids: Vec<Cid>) -> Result<Vec<Fetched>, RecoverError> {
        let (exchange, timeout) = (self.exchange.clone(), self.timeout);
        let all = async move {
            let room = Arc::new(Semaphore::new(AT_ONCE));
            let mut tasks = JoinSet::new();
            let mut answers: Vec<Fetched> = cids.iter().map(|_| Err(ExchangeError::Stopped)).collect();
            for (n, cid) in cids.into_iter().enumerate() {
                let (exchange, room) = (exchange.clone(), room.clone());
                tasks.spawn(async move {
                    // Nobody closes it.
                    let _room = room.acquire().await;
                    (n, one(&*exchange, cid, timeout).await)
                });
            }
            while let Some(done) = tasks.join_next().await {
                if let Ok((n, answer)) = done
                    && let Some(place) = answers.get_mut(n)
                {
                    *place = answer;
                }
            }
            answers
        };
        self.network.wait(all).ok_or(RecoverError::Stopping)
    }
}

async fn one(exchange: &dyn BlockExchange, cid: Cid, timeout: Duration) -> Fetched {
    let mut answer = exchange.get(cid, timeout).await;
    for _ in 1..TRIES {
        if !matches!(answer, Err(ExchangeError::TimedOut { .. })) {
            break;
        }
        answer = exchange.get(cid, timeout).await;
    }
    // It goes into the log; if it stays here too, it is only memory.
    let _ = exchange.forget(cid).await;
    answer
}
