//! Fetches what peers have for this node: for whoever they cannot call.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dta_events::order::Stage;
use dta_protocol::{Cid, DeliveryPage, car};

use super::Outbox;
use crate::actors::crypto_pool::Priority;
use crate::actors::keyring::Known;
use crate::actors::orders::{Arrival, OrderError};
use crate::actors::peers::{PeerError, PeerUrl};
use crate::actors::unavailable::Unavailable;
use crate::contain::contain;
use crate::crash_points::{CrashPoint, reached};

/// How long all of it may take; what is left comes with the next command.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// Steps fetched of one peer for one identity; more come with the next command.
const STEPS_MAX: usize = 1_000;

/// What was fetched.
#[derive(Default)]
pub struct Collected {
    /// Steps that were taken, in the order in which they came.
    pub taken: Vec<Fetched>,
    /// What went wrong: with which peer, and what.
    pub failed: Vec<(Cid, String)>,
}

/// An order that has come on.
pub struct Fetched {
    /// Its reference.
    pub reference: String,
    /// The CID of its `order/placed`.
    pub placed: Option<Cid>,
    /// How far it is.
    pub stage: Stage,
    /// The newest record behind it.
    pub sequence: Option<u64>,
}

/// Why nothing came.
enum Failed {
    /// The peer has nothing to say to this caller, or no such route.
    Outsider,
    Other(String),
}

/// One page, read.
enum Page {
    Last,
    Step {
        next: u64,
        arrival: Box<Arrival>,
    },
    /// Its step cannot be read, for this reason; it is passed over.
    Unreadable {
        next: u64,
        why: String,
    },
}

impl Outbox {
    /// Fetches what a peer, or every pinned peer that serves somewhere, has for this node and for
    /// these identities, which live here too.
    ///
    /// # Errors
    /// Not now. What is wrong with a peer is in the answer.
    pub async fn collect(
        self: &Arc<Self>,
        from: Option<Cid>,
        hosted: &[Cid],
    ) -> Result<Collected, Unavailable> {
        let mut collected = Collected::default();
        let end = tokio::time::Instant::now() + TIME_LIMIT;
        let peers = self.services.peers.with_url();
        let peers: Vec<_> =
            peers.into_iter().filter(|(peer, _)| from.is_none_or(|from| from == *peer)).collect();
        if let (Some(from), true) = (from, peers.is_empty()) {
            collected.failed.push((from, "is not pinned with a URL".to_owned()));
        }
        for (peer, url) in peers {
            let Ok(url) = url.parse::<PeerUrl>() else { continue };
            let peer = self.services.party(&peer).await?;
            let mut heard = false;
            for own in std::iter::once(&self.services.node).chain(hosted) {
                match self.collect_from(&peer, &url, *own, end, &mut collected).await? {
                    Ok(()) => heard = true,
                    // It does not know this one, but may know another who lives here.
                    Err(Failed::Outsider) => {}
                    Err(Failed::Other(why)) => {
                        heard = true;
                        collected.failed.push((peer.cid(), why));
                        break;
                    }
                }
            }
            // A principal's node has no such route: whoever asks them all wants to hear of the others.
            if !heard && from.is_some() {
                let why = "it has no such route, or knows nobody who lives here";
                collected.failed.push((peer.cid(), why.to_owned()));
            }
        }
        Ok(collected)
    }

    async fn collect_from(
        &self,
        peer: &Known,
        url: &PeerUrl,
        own: Cid,
        end: tokio::time::Instant,
        collected: &mut Collected,
    ) -> Result<Result<(), Failed>, Unavailable> {
        let from = self.services.party(&own).await?;
        let mut after = None;
        for _ in 0..STEPS_MAX {
            let target = match after {
                Some(after) => format!("/v1/fulfill/order/deliveries?after={after}"),
                None => "/v1/fulfill/order/deliveries".to_owned(),
            };
            let answer = self.client.get(url, &target, &from, &peer.document);
            let Ok(answer) = tokio::time::timeout_at(end, answer).await else {
                return Ok(Err(Failed::Other(
                    "this takes too long: what is left comes with the next".to_owned(),
                )));
            };
            let answer = match answer {
                Ok(answer) => answer,
                Err(PeerError::Unauthentic { status: 404, .. }) => return Ok(Err(Failed::Outsider)),
                Err(error) => return Ok(Err(Failed::Other(error.to_string()))),
            };
            let document = peer.document.clone();
            let read = move || read(document, &answer.body);
            let page = match self.services.crypto.run(Priority::Interactive, read).await? {
                Ok(page) => page,
                Err(why) => return Ok(Err(Failed::Other(why))),
            };
            let next = match page {
                Page::Last => return Ok(Ok(())),
                Page::Unreadable { next, why } => {
                    collected.failed.push((peer.cid(), why));
                    next
                }
                Page::Step { next, arrival } => {
                    let caller = self.caller(format!("peer:{}", peer.cid()));
                    reached(CrashPoint::CollectFetched);
                    let taken = self.desk.take(None, *arrival, caller).await;
                    reached(CrashPoint::CollectTaken);
                    match taken {
                        Ok(stands) => collected.taken.push(Fetched {
                            reference: stands.order.reference.clone(),
                            placed: stands.order.placed(),
                            stage: stands.order.stage,
                            sequence: stands.sequence,
                        }),
                        // It is asked for again: what lies behind the cursor counts as taken.
                        Err(error @ (OrderError::Unavailable(_) | OrderError::Unfinished { .. })) => {
                            return Ok(Err(Failed::Other(error.to_string())));
                        }
                        Err(error) => collected.failed.push((peer.cid(), error.to_string())),
                    }
                    next
                }
            };
            // A cursor only goes forward: a peer cannot keep us here.
            if after.is_some_and(|after| next <= after) {
                return Ok(Err(Failed::Other("the peer's cursor does not go forward".to_owned())));
            }
            after = Some(next);
        }
        Ok(Ok(()))
    }
}

fn read(from: dta_protocol::Identity, body: &[u8]) -> Result<Page, String> {
    let decoded = contain(|| car::decode(body)).map_err(|error| error.to_string())?;
    let (root, blocks) = decoded.map_err(|error| error.to_string())?;
    let blocks: HashMap<Cid, Vec<u8>> = blocks.into_iter().collect();
    let page = blocks.get(&root).ok_or("the root block is not in the CAR")?;
    let page = contain(|| DeliveryPage::decode(page)).map_err(|error| error.to_string())?;
    let DeliveryPage { step, next } = page.map_err(|error| error.to_string())?;
    let Some((party, head)) = step else { return Ok(Page::Last) };
    Ok(match Arrival::read(from, party, head, blocks) {
        Ok(arrival) => Page::Step { next, arrival: Box::new(arrival) },
        Err(error) => Page::Unreadable { next, why: error.to_string() },
    })
}
