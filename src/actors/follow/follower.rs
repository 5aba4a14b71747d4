//! The task of one followed node: fetches what comes next, keeps it, notes it; and looks whether it is all still there.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use dta_proof::Note;
use dta_protocol::{Cid, Place};
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use super::chain::{Held, NotItsLog, Page};
use super::files::Files;
use super::{Following, Replica};
use crate::actors::crypto_pool::Priority;
use crate::actors::ipfs::{BlockExchange, ExchangeError};
use crate::actors::keyring::Known;
use crate::actors::peers::{PeerError, PeerUrl};
use crate::actors::services::Services;
use crate::actors::unavailable::Unavailable;
use crate::actors::witness::owner::newest_note;
use crate::backoff::Backoff;
use crate::contain::contain;

/// Where a followed node gives what its log publishes.
const BLOCKS: &str = "/v1/fulfill/log/blocks";
/// Blocks looked at together.
const LOOKED_AT: usize = 64;
/// A note is handed on once the tree has grown by this many records since the newest that is known: as many as a node lets come
/// between two checkpoints. To hand on each would make a record of it here, and a checkpoint of that: two nodes that follow each
/// other would never be silent.
const NOTED_EVERY: u64 = 256;

/// Why a try failed. What it says is for everybody: causes that tell of this machine are in the log only.
#[derive(Debug, Error)]
enum Failure {
    #[error("it is pinned without a URL")]
    NotAddressed,
    #[error("it has not pinned this node, or has no such route")]
    Outsider,
    #[error(transparent)]
    Peer(PeerError),
    #[error("{0} ({code})", code = .0.code())]
    NotItsLog(#[from] NotItsLog),
    #[error("the IPFS node here does not keep its blocks")]
    Exchange(#[from] ExchangeError),
    #[error("how far the copy is cannot be noted here")]
    File(#[from] std::io::Error),
    #[error("this node is busy, or its log cannot be read or written")]
    Unavailable(#[from] Unavailable),
}

/// What is tried over and over: when next, and what the last try met.
struct Turn {
    at: Instant,
    backoff: Backoff,
    trouble: Option<String>,
}

impl Turn {
    fn new(backoff: Backoff) -> Self {
        Self { at: Instant::now(), backoff, trouble: None }
    }

    fn is_due(&self) -> bool {
        self.at <= Instant::now()
    }

    fn succeeded(&mut self, pause: Duration) {
        self.backoff.reset();
        self.trouble = None;
        self.at = Instant::now() + pause;
    }

    /// Whether that is news.
    fn failed(&mut self, failure: &Failure) -> bool {
        self.at = Instant::now() + self.backoff.pause();
        let now = Some(failure.to_string());
        std::mem::replace(&mut self.trouble, now.clone()) != now
    }
}

pub(super) struct Follower {
    following: Arc<Following>,
    exchange: Arc<dyn BlockExchange>,
    peer: Cid,
    files: Files,
    held: Held,
    /// The newest note that is not handed on yet.
    note: Option<Note>,
    /// For what is new.
    fetch: Turn,
    idle: Backoff,
    /// For what should be here.
    look: Turn,
    /// All blocks before the one of this number are here, as far as the look has come.
    looked: u64,
    /// Blocks that it found missing or damaged.
    mended: u64,
}

impl Follower {
    pub(super) fn new(following: Arc<Following>, exchange: Arc<dyn BlockExchange>, peer: Cid) -> Self {
        let parts = &following.parts;
        let (files, pace) = (Files::new((parts.files)(&peer)), parts.pace);
        Self {
            following,
            exchange,
            peer,
            files,
            held: Held::default(),
            note: None,
            fetch: Turn::new(pace.failed),
            idle: pace.idle,
            look: Turn::new(pace.failed),
            looked: 0,
            mended: 0,
        }
    }

    /// Follows until it is told to stop, or not to follow any more; answers whom it followed.
    pub(super) async fn run(mut self, mut stopping: watch::Receiver<bool>) -> Cid {
        let mut changes = self.services().peers.changes();
        let mut begun = false;
        loop {
            changes.borrow_and_update();
            let Some(pin) = self.services().peers.pinned(&self.peer).filter(|pin| pin.followed) else {
                self.end().await;
                break;
            };
            let turn = async {
                if !begun {
                    begun = self.begin().await;
                }
                if begun {
                    self.take_turn(pin.url.as_deref()).await;
                }
            };
            // A turn that is cut off is taken again: what was kept is kept again, which changes nothing.
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => break,
                () = turn => {}
            }
            self.publish();
            let next = if begun { self.fetch.at.min(self.look.at) } else { self.fetch.at };
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => break,
                // It may be somewhere else now.
                _ = changes.changed() => self.fetch.at = Instant::now(),
                () = sleep_until(next) => {}
            }
        }
        self.peer
    }

    /// What is new comes before the look at what is old.
    async fn take_turn(&mut self, url: Option<&str>) {
        let url = url.and_then(|url| url.parse().ok()).ok_or(Failure::NotAddressed);
        if self.fetch.is_due() {
            let fetched = match url {
                Ok(url) => self.fetch_next(&url).await,
                Err(failure) => Err(failure),
            };
            match fetched {
                Ok(pause) => self.fetch.succeeded(pause),
                Err(failure) if self.fetch.failed(&failure) => warn(&self.peer, &failure),
                Err(_) => {}
            }
        } else if self.look.is_due() {
            match self.look_at_next(url).await {
                Ok(pause) => self.look.succeeded(pause),
                Err(failure) if self.look.failed(&failure) => warn(&self.peer, &failure),
                Err(_) => {}
            }
        }
    }

    /// Reads how far it is; whether it could.
    async fn begin(&mut self) -> bool {
        let files = self.files.clone();
        match blocking(move || files.read()).await {
            Ok(held) => {
                if held.blocks == 0 {
                    // What this start copies need not be looked at today.
                    self.look.succeeded(self.following.parts.pace.look_again);
                }
                self.held = held;
                true
            }
            Err(failure) => {
                if self.fetch.failed(&failure) {
                    warn(&self.peer, &failure);
                }
                false
            }
        }
    }

    /// Forgets how far it is: to follow again is to begin anew.
    async fn end(&self) {
        let files = self.files.clone();
        if let Err(failure) = blocking(move || files.remove()).await {
            warn(&self.peer, &failure);
        }
        self.following.replicas().remove(&self.peer);
    }

    /// Fetches the next page and keeps it; how long to wait before the next one.
    async fn fetch_next(&mut self, url: &PeerUrl) -> Result<Duration, Failure> {
        let owner = self.services().party(&self.peer).await?;
        let page = self.ask(url, &owner, self.held.last).await?;
        let (is_empty, more) = (page.blocks.is_empty(), page.more);
        // An empty one still says that the newest record is here as a whole.
        if !is_empty || self.held.newest != self.held.whole {
            match self.keep(page, owner).await {
                Err(Failure::NotItsLog(NotItsLog::NewEpoch { epoch, .. })) => {
                    return self.begin_anew(epoch).await;
                }
                kept => kept?,
            }
        }
        if more {
            return Ok(Duration::ZERO);
        }
        if is_empty && let Some(epoch) = self.newer_epoch(url).await {
            return self.begin_anew(epoch).await;
        }
        self.hand_on().await?;
        if !is_empty {
            self.idle.reset();
        }
        Ok(self.idle.pause())
    }

    /// The epoch of the owner's newest note, if that is later than the copy's: a log that lost its end may give nothing after a
    /// place that it no longer has.
    async fn newer_epoch(&self, url: &PeerUrl) -> Option<u64> {
        let note = newest_note(self.services(), &self.following.parts.client, &self.peer, url).await?;
        Some(note.origin().epoch).filter(|epoch| *epoch > self.held.epoch)
    }

    /// Copies a log that was recovered from its beginning; what is here already is kept again, which changes nothing.
    async fn begin_anew(&mut self, epoch: u64) -> Result<Duration, Failure> {
        tracing::warn!(peer = %self.peer, epoch, "a followed node recovered its log: it is copied again from its beginning");
        let (files, before) = (self.files.clone(), Held { epoch, ..Held::default() });
        let held = before.clone();
        blocking(move || files.write(&before, &[], &before)).await?;
        (self.held, self.looked) = (held, 0);
        Ok(Duration::ZERO)
    }

    /// What the followed node published after this place, by its word; each block is what its name says.
    async fn ask(&self, url: &PeerUrl, owner: &Known, after: Option<Place>) -> Result<Page, Failure> {
        let own = self.services().party(&self.services().node).await?;
        let target = match after {
            Some(Place { sequence, n }) => format!("{BLOCKS}?after={sequence}.{n}"),
            None => BLOCKS.to_owned(),
        };
        let answer = match self.following.parts.client.get(url, &target, &own, &owner.document).await {
            Ok(answer) => answer,
            Err(PeerError::Unauthentic { status: 404, .. }) => return Err(Failure::Outsider),
            Err(error) => return Err(Failure::Peer(error)),
        };
        self.judge(move || Page::decode(&answer.body, after)).await
    }

    /// Judges a page as the next of the log, keeps its blocks, and notes that it does.
    async fn keep(&mut self, page: Page, owner: Arc<Known>) -> Result<(), Failure> {
        let before = self.held.clone();
        let judge = move || before.with(&page, &owner.document).map(|after| (before, page, after));
        let (before, page, (held, note)) = self.judge(judge).await?;
        let mut blocks = Vec::with_capacity(page.blocks.len());
        for (at, cid, bytes) in page.blocks {
            self.exchange.keep(cid, bytes).await?;
            blocks.push((at, cid));
        }
        let (files, noted) = (self.files.clone(), held.clone());
        blocking(move || files.write(&before, &blocks, &noted)).await?;
        self.held = held;
        self.note = note.or(self.note.take());
        Ok(())
    }

    /// Hands on the newest note, if it is far enough from what is known.
    async fn hand_on(&mut self) -> Result<(), Failure> {
        let Some(note) = &self.note else { return Ok(()) };
        let (epoch, size) = (note.origin().epoch, note.size());
        let known = self.services().witness.known(&self.peer);
        if known.is_none_or(|(known, least)| epoch != known || size >= least.saturating_add(NOTED_EVERY))
            && let Err(error) = self.services().see_note(note.text()).await?
        {
            tracing::warn!(%error, peer = %self.peer, "a note that was verified is refused");
        }
        self.note = None;
        Ok(())
    }

    /// Looks at the next blocks that should be here, and fetches again those that are not; how long to wait before the next look.
    async fn look_at_next(&mut self, url: Result<PeerUrl, Failure>) -> Result<Duration, Failure> {
        let pace = self.following.parts.pace;
        let left = self.held.blocks.saturating_sub(self.looked);
        let (files, from, limit) =
            (self.files.clone(), self.looked, LOOKED_AT.min(left.try_into().unwrap_or(LOOKED_AT)));
        // With the one before the first, after which that is asked for.
        let entries = blocking(move || {
            let before = from.checked_sub(1).map(|before| files.entries(before, 1)).transpose()?;
            Ok((before.and_then(|mut before| before.pop()), files.entries(from, limit)?))
        });
        let (before, entries) = entries.await?;
        if entries.is_empty() {
            if self.mended > 0 {
                let (peer, blocks) = (self.peer, self.mended);
                tracing::warn!(%peer, blocks, "blocks of a followed node were missing or damaged, and were fetched again");
            }
            (self.looked, self.mended) = (0, 0);
            return Ok(pace.look_again);
        }
        let mut before = before.map(|(at, _)| at);
        for (at, cid) in entries {
            if !self.is_here(cid).await? {
                match &url {
                    Ok(url) => self.mend(url, before, at, cid).await?,
                    Err(_) => return Err(Failure::NotAddressed),
                }
            }
            (self.looked, before) = (self.looked.saturating_add(1), Some(at));
        }
        Ok(pace.look)
    }

    /// In the IPFS node, or in the log of this one, from which that one lends it.
    async fn is_here(&self, cid: Cid) -> Result<bool, Failure> {
        if self.exchange.whole(cid).await? {
            return Ok(true);
        }
        let log = self.services().log.clone();
        let read = spawn_blocking(move || log.published_block(&cid.to_bytes()));
        let block = read.await.map_err(|_| Unavailable::Stopping)?.map_err(Unavailable::from)?;
        Ok(block.is_some())
    }

    /// Fetches a block again, and with it what else is missing of its page.
    async fn mend(
        &mut self,
        url: &PeerUrl,
        before: Option<Place>,
        at: Place,
        cid: Cid,
    ) -> Result<(), Failure> {
        let owner = self.services().party(&self.peer).await?;
        let page = self.ask(url, &owner, before).await?;
        if page.blocks.first().is_none_or(|(place, name, _)| (*place, *name) != (at, cid)) {
            return Err(NotItsLog::Changed { cid, at }.into());
        }
        let last = self.held.last;
        for (_, cid, bytes) in page.blocks.into_iter().filter(|(place, ..)| Some(*place) <= last) {
            if !self.is_here(cid).await? {
                self.exchange.keep(cid, bytes).await?;
                self.mended = self.mended.saturating_add(1);
            }
        }
        Ok(())
    }

    /// Judges bytes from outside, on the crypto pool.
    async fn judge<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, NotItsLog> + Send + 'static,
    ) -> Result<T, Failure> {
        let judged = self.services().crypto.run(Priority::Bulk, move || contain(work)).await;
        Ok(judged.map_err(Unavailable::from)?.map_err(|_| NotItsLog::Fault)??)
    }

    /// Shows how far it is.
    fn publish(&self) {
        let trouble = self.fetch.trouble.clone().or_else(|| self.look.trouble.clone());
        let replica = Replica { held: self.held.clone(), trouble };
        self.following.replicas().insert(self.peer, replica);
    }

    fn services(&self) -> &Services {
        &self.following.parts.services
    }
}

fn warn(peer: &Cid, failure: &Failure) {
    let cause = failure.source().map(ToString::to_string);
    tracing::warn!(%peer, %failure, cause, "the log of a followed node is not copied; it is tried again");
}

/// Runs what waits for a disk where nobody else waits for it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    Ok(spawn_blocking(work).await.map_err(|_| Unavailable::Stopping)??)
}
