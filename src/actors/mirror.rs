//! The mirror: copies what the log publishes to the block exchange, in order, off everyone's way. What it has copied it
//! notes in a file; what it could not, it tries again, less and less often, and says so. After a start it looks once, slowly,
//! whether what it has copied is still there. If it is to keep only the newest, it takes back the oldest as it goes.

mod look;
pub(crate) mod position;
mod retention;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dta_protocol::Cid;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};

use super::ipfs::{BlockExchange, ExchangeError};
use super::log::{LogReader, PublishedAt, PublishedBlock, ReadError};
use crate::backoff::Backoff;
use crate::crash_points::{CrashPoint, reached};
use crate::ports::Clock;
use look::{LOOK_PAUSE, Look};
use position::Position;
use retention::Retention;

/// Blocks read from the log at once, and copied between two notes of the position.
const BATCH: usize = 64;
/// The pauses after failures, unless a test has others.
pub const BACKOFF: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(60));
/// How long a stop waits for what is left: it is copied after the next start as well.
const DRAIN: Duration = Duration::from_secs(2);

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MirrorStatus {
    /// What the records before this sequence published is copied.
    pub mirrored: u64,
    /// Why it does not go on, if it does not.
    pub trouble: Option<Trouble>,
}

/// A failure that lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What the last try met.
    pub error: String,
    /// When the first one failed: milliseconds since 1970.
    pub since_ms: u64,
}

/// Why a try failed.
#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    #[error(transparent)]
    Log(#[from] ReadError),
    #[error("the mirror's position is not written: {0}")]
    Position(std::io::Error),
    #[error("the runtime stops")]
    Stopping,
}

/// What it works with.
pub struct Parts {
    /// What publishes.
    pub log: Arc<dyn LogReader>,
    /// Where it is copied to.
    pub exchange: Arc<dyn BlockExchange>,
    /// The sequence of the next record, from the log's writer.
    pub head: watch::Receiver<u64>,
    /// Where the position is kept; lost or unreadable, or another log's, it begins anew.
    pub position: PathBuf,
    /// When trouble began.
    pub clock: Arc<dyn Clock>,
    /// The pauses between tries.
    pub backoff: Backoff,
    /// How many of the newest blocks stay there; none: all.
    pub keep_blocks: Option<u64>,
}

/// The running task.
pub struct Mirror {
    handle: MirrorHandle,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// What others see of it; clones see the same.
#[derive(Clone)]
pub struct MirrorHandle(watch::Receiver<MirrorStatus>);

impl Mirror {
    /// Starts the task on this runtime.
    pub fn start(parts: Parts, runtime: &Handle) -> Self {
        let (publish, status) = watch::channel(MirrorStatus::default());
        let (stop, stopping) = oneshot::channel();
        let task = runtime.spawn(Copier::new(parts, publish).run(stopping));
        Self { handle: MirrorHandle(status), stop, task }
    }

    /// What others see of it.
    pub fn handle(&self) -> MirrorHandle {
        self.handle.clone()
    }

    /// Copies what is left, for two seconds at most, and ends.
    pub async fn stop(self) {
        // It has ended already if it does not hear this; it panics only where the process aborts.
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

impl MirrorHandle {
    /// How far it is.
    pub fn status(&self) -> MirrorStatus {
        self.0.borrow().clone()
    }

    /// Changes of it.
    pub fn watch(&self) -> watch::Receiver<MirrorStatus> {
        self.0.clone()
    }
}

struct Copier {
    parts: Parts,
    look: Look,
    /// Blocks that it found missing or damaged.
    mended: u64,
    /// The last block copied, and the last whose copying is noted.
    after: Option<Position>,
    noted: Option<Position>,
    kept: Retention,
    publish: watch::Sender<MirrorStatus>,
}

impl Copier {
    fn new(parts: Parts, publish: watch::Sender<MirrorStatus>) -> Self {
        let kept = Retention::new(parts.keep_blocks);
        Self { parts, look: Look::Done, mended: 0, after: None, noted: None, kept, publish }
    }

    async fn run(mut self, mut stopping: oneshot::Receiver<()>) {
        let mut begun = false;
        loop {
            let attempt = async {
                if !begun {
                    self.begin().await?;
                    begun = true;
                }
                self.copy_all().await?;
                self.look_again().await
            };
            let done = tokio::select! {
                biased;
                _ = &mut stopping => break,
                done = attempt => done,
            };
            let wait = async {
                match done {
                    Ok(()) => {
                        self.parts.backoff.reset();
                        let more = async {
                            // The writer has gone: nothing comes any more.
                            if self.parts.head.changed().await.is_err() {
                                std::future::pending::<()>().await;
                            }
                        };
                        match self.look {
                            Look::Done => more.await,
                            Look::At { .. } => tokio::select! {
                                () = more => {}
                                () = sleep(LOOK_PAUSE) => {}
                            },
                        }
                    }
                    Err(failure) => {
                        trouble(&self.publish, &failure, self.parts.clock.wall_ms());
                        sleep(self.parts.backoff.pause()).await;
                    }
                }
            };
            tokio::select! {
                biased;
                _ = &mut stopping => break,
                () = wait => {}
            }
        }
        if begun && self.publish.borrow().trouble.is_none() {
            // What is left is found again by the next start.
            let _ = timeout(DRAIN, self.copy_all()).await;
        }
    }

    /// Reads the position, if it is one in this log.
    async fn begin(&mut self) -> Result<(), Failure> {
        let (log, path) = (self.parts.log.clone(), self.parts.position.clone());
        let most = self.parts.keep_blocks;
        (self.after, self.kept) = blocking(move || {
            let after = position::find(&path, &*log)?;
            Ok::<_, ReadError>((after, Retention::find(most, after, &*log)?))
        })
        .await??;
        self.noted = self.after;
        let forgotten = self.kept.forgotten;
        self.look = self.after.map_or(Look::Done, |copied| Look::At { after: forgotten, until: copied.at });
        let mirrored = self.after.map_or(0, |after| after.at.sequence);
        self.progress(mirrored, false);
        Ok(())
    }

    /// Copies until nothing is left.
    async fn copy_all(&mut self) -> Result<(), Failure> {
        loop {
            // Before the look at the log: what it does not show then was not published by records before this.
            let head = *self.parts.head.borrow_and_update();
            let (log, after) =
                (self.parts.log.clone(), self.after.map(|after| after.at).or(self.kept.forgotten));
            let batch = blocking(move || log.published(after, BATCH)).await??;
            let end = batch.is_empty();
            let copied = self.copy(batch).await;
            let forgotten = self.forget_the_oldest().await;
            self.note().await?;
            copied?;
            forgotten?;
            self.progress(if end { head } else { 0 }, true);
            if end {
                return Ok(());
            }
        }
    }

    async fn copy(&mut self, batch: Vec<(PublishedAt, PublishedBlock)>) -> Result<(), Failure> {
        for (at, block) in batch {
            let cid = *block.cid();
            reached(CrashPoint::MirrorBeforePut);
            self.parts.exchange.put(block).await?;
            reached(CrashPoint::MirrorPut);
            self.after = Some(Position { at, cid, forgotten: self.kept.forgotten });
            self.kept.blocks += 1;
        }
        Ok(())
    }

    /// Notes the position durably. Lost between a copy and this, the copy is made again, which changes nothing.
    async fn note(&mut self) -> Result<(), Failure> {
        let (Some(after), true) = (self.after, self.after != self.noted) else { return Ok(()) };
        let path = self.parts.position.clone();
        blocking(move || position::write(&path, &after)).await?.map_err(Failure::Position)?;
        reached(CrashPoint::MirrorNoted);
        self.noted = Some(after);
        self.progress(after.at.sequence, false);
        Ok(())
    }

    /// It is this far; and well again, if it is.
    fn progress(&self, mirrored: u64, well: bool) {
        self.publish.send_if_modified(|status| {
            let before = status.clone();
            status.mirrored = status.mirrored.max(mirrored);
            if well && status.trouble.take().is_some() {
                tracing::info!(mirrored = status.mirrored, "blocks are copied to IPFS again");
            }
            *status != before
        });
    }
}

fn cid_of(block: &PublishedBlock) -> Result<Cid, ExchangeError> {
    Cid::from_bytes(block.cid()).map_err(|error| ExchangeError::Store(error.to_string()))
}

fn trouble(publish: &watch::Sender<MirrorStatus>, failure: &Failure, now_ms: u64) {
    let error = failure.to_string();
    publish.send_if_modified(|status| {
        let since_ms = status.trouble.as_ref().map_or(now_ms, |trouble| trouble.since_ms);
        let now = Some(Trouble { error, since_ms });
        if status.trouble != now {
            tracing::warn!(%failure, mirrored = status.mirrored, "blocks are not copied to IPFS; it is tried again");
        }
        std::mem::replace(&mut status.trouble, now.clone()) != now
    });
}

/// Runs what waits for a disk where nobody else waits for it.
fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = Result<T, Failure>> {
    let task = spawn_blocking(work);
    async move { task.await.map_err(|_| Failure::Stopping) }
}

#[cfg(test)]
mod tests;
