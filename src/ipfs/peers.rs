//! Keeps a node connected to its explicit peers: dials each that is not, again and again, less and less often.

use std::time::Duration;

use rust_ipfs::{DialOpts, Ipfs};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::address::Peer;

/// The first pause after a dial in vain, twice as long each time, and the longest.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);
/// How soon a lost connection is noticed.
const LOOK: Duration = Duration::from_secs(1);

/// One task for each peer; they end when the set is dropped.
pub(super) fn keep(ipfs: &Ipfs, peers: &[Peer]) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for peer in peers {
        tasks.spawn(connected(ipfs.clone(), peer.clone()));
    }
    tasks
}

async fn connected(ipfs: Ipfs, peer: Peer) {
    let mut pause = FIRST;
    let mut was_connected = None;
    loop {
        let now = ipfs.is_connected(peer.id).await.unwrap_or(false);
        if was_connected.replace(now) != Some(now) {
            tracing::info!(peer = %peer.id, address = %peer.address, connected = now, "IPFS peer");
        }
        if now {
            pause = FIRST;
            sleep(LOOK).await;
            continue;
        }
        let dial = DialOpts::peer_id(peer.id).addresses(vec![peer.address.clone()]).build();
        if let Err(error) = ipfs.connect(dial).await {
            tracing::debug!(peer = %peer.id, %error, "an IPFS peer is not reached");
            sleep(pause).await;
            pause = LONGEST.min(pause * 2);
        }
    }
}
