//! The projector: the one thread that brings the read models forward as the log grows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use dta_projections::{Digest, Projection};
use thiserror::Error;
use tokio::runtime;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::log::{LogReader, ReadError};
use super::views::{Feed, Standing, Views, ViewsError};
use crate::backoff::Backoff;

/// How many records it takes between two lines about how far it has come, when it has many to take.
const PROGRESS_RECORDS: u64 = 100_000;

/// The pauses before what halted because a disk failed is tried again.
const RETRY: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(60));

/// Where one read model stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectionStatus {
    /// The projection.
    pub name: &'static str,
    /// How often it has been made anew.
    pub generation: u64,
    /// The schema of its rows.
    pub schema: u16,
    /// The sequence of the record it takes next, or cannot take.
    pub position: u64,
    /// What it has changed so far.
    pub digest: Digest,
    /// Why it goes no further, if it has halted. A restart tries again; if a disk failed, so does the projector.
    pub halted: Option<String>,
}

/// Why a wait ended without the read models having come so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Waited {
    /// Not in this time.
    #[error("the read models are behind")]
    TimedOut,
    /// None goes on: all have halted, or the projector has stopped.
    #[error("the read models have halted")]
    Halted,
}

/// Why the projector does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The read models or the log cannot be read.
    #[error(transparent)]
    Views(#[from] ViewsError),
    /// The operating system has no thread to give.
    #[error("projector: {0}")]
    Thread(#[from] std::io::Error),
}

/// The running thread.
pub struct Projector {
    handle: ProjectorHandle,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// What others see of it; clones see the same.
#[derive(Clone)]
pub struct ProjectorHandle {
    status: watch::Receiver<Vec<ProjectionStatus>>,
}

impl Projector {
    /// Starts the thread, after it has begun anew each read model that is not of this log.
    ///
    /// `head` is the sequence of the next record, from the log's writer; it may be behind the log at first.
    ///
    /// # Errors
    /// `Views` if read models or log cannot be read; `Thread` if the system has no thread to give.
    pub fn start(
        log: Arc<dyn LogReader>,
        views: Views,
        head: watch::Receiver<u64>,
    ) -> Result<Self, StartError> {
        for name in views.reconcile(&*log)? {
            tracing::warn!(projection = name, "read model is not of this log: begun anew");
        }
        let found = log.head().map_err(ViewsError::from)?.count;
        let projections = views.projections().to_vec();
        let status =
            projections.iter().map(|projection| Ok(status_of(*projection, views.apply(*projection, &[])?)));
        let (publish, status) = watch::channel(status.collect::<Result<Vec<_>, ViewsError>>()?);
        let (stop, stopping) = oneshot::channel();
        let runtime = runtime::Builder::new_current_thread().enable_time().build()?;
        let (stuck, pauses) = (BTreeSet::new(), RETRY);
        let follower = Follower { log, views, projections, publish, stuck, pauses, again_at: None };
        let thread = std::thread::Builder::new()
            .name("projector".into())
            .spawn(move || runtime.block_on(follower.run(found, head, stopping)))?;
        Ok(Self { handle: ProjectorHandle { status }, stop, thread })
    }

    /// What others see of it.
    pub fn handle(&self) -> ProjectorHandle {
        self.handle.clone()
    }

    /// Applies what the log has by now, then ends; returns when the thread has ended.
    pub fn stop(self) {
        // It has ended already if it does not hear this.
        let _ = self.stop.send(());
        // It panics only where the process aborts.
        let _ = self.thread.join();
    }
}

impl ProjectorHandle {
    /// Where each read model stands.
    pub fn status(&self) -> Vec<ProjectionStatus> {
        self.status.borrow().clone()
    }

    /// Changes of [`ProjectorHandle::status`].
    pub fn watch(&self) -> watch::Receiver<Vec<ProjectionStatus>> {
        self.status.clone()
    }

    /// Waits until the record with this sequence is in every read model that has not halted: who has written reads it.
    ///
    /// # Errors
    /// `TimedOut` after this time; `Halted` at once if no read model goes on.
    pub async fn wait_for(&self, sequence: u64, timeout: Duration) -> Result<(), Waited> {
        let mut status = self.status.clone();
        let settled = status.wait_for(|all| going(all).all(|one| one.position > sequence));
        match tokio::time::timeout(timeout, settled).await {
            Ok(Ok(all)) if going(&all).next().is_some() => Ok(()),
            Ok(_) => Err(Waited::Halted),
            Err(_) => Err(Waited::TimedOut),
        }
    }
}

fn going(all: &[ProjectionStatus]) -> impl Iterator<Item = &ProjectionStatus> {
    all.iter().filter(|one| one.halted.is_none())
}

fn status_of(projection: &dyn Projection, standing: Standing) -> ProjectionStatus {
    let Standing { generation, schema, position, digest, .. } = standing;
    ProjectionStatus { name: projection.name(), generation, schema, position, digest, halted: None }
}

/// What the thread works with. It alone publishes, so what it published last is where it stands.
struct Follower {
    log: Arc<dyn LogReader>,
    views: Views,
    projections: Vec<&'static dyn Projection>,
    publish: watch::Sender<Vec<ProjectionStatus>>,
    /// Read models that halted because a disk failed, which may pass: they are tried again after pauses.
    stuck: BTreeSet<&'static str>,
    pauses: Backoff,
    again_at: Option<Instant>,
}

impl Follower {
    async fn run(mut self, found: u64, mut head: watch::Receiver<u64>, mut stop: oneshot::Receiver<()>) {
        self.follow(found);
        loop {
            let target = *head.borrow_and_update();
            self.follow(target);
            if self.stuck.is_empty() {
                self.pauses.reset();
            } else if self.again_at.is_none() {
                self.again_at = Some(Instant::now() + self.pauses.pause());
            }
            let again_at = self.again_at;
            let again = async {
                match again_at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                _ = &mut stop => break,
                () = again => self.try_again(),
                // The writer has gone: nothing comes any more, and what is there stays served until the end is called.
                changed = head.changed() => if changed.is_err() {
                    let _ = (&mut stop).await;
                    break;
                },
            }
        }
        let last = *head.borrow();
        self.follow(last);
    }

    /// What halted because a disk failed goes on where it stands. Nobody hears of it before it is known whether it does.
    fn try_again(&mut self) {
        self.again_at = None;
        let stuck = std::mem::take(&mut self.stuck);
        self.publish.send_if_modified(|all| {
            all.iter_mut().filter(|one| stuck.contains(one.name)).for_each(|one| one.halted = None);
            false
        });
    }

    /// Applies what the log has before `target`.
    fn follow(&mut self, target: u64) {
        let mut next_line = 0;
        while let Some(position) = self.behind(target) {
            if target.saturating_sub(position) >= PROGRESS_RECORDS && position >= next_line {
                tracing::info!(position, head = target, "read models are catching up");
                next_line = position.saturating_add(PROGRESS_RECORDS);
            }
            let mut all = self.publish.borrow().clone();
            match Feed::read(&*self.log, position) {
                Ok(feed) => self.apply(&mut all, &feed, position),
                Err(error) => all.iter_mut().for_each(|one| self.halt(one, &error)),
            }
            self.publish.send_replace(all);
        }
    }

    /// The first record that a read model still lacks, if it is before `target`.
    fn behind(&self, target: u64) -> Option<u64> {
        going(&self.publish.borrow()).map(|one| one.position).min().filter(|position| *position < target)
    }

    fn apply(&mut self, all: &mut [ProjectionStatus], feed: &Feed, from: u64) {
        for (one, projection) in all.iter_mut().zip(self.projections.clone()) {
            if one.halted.is_some() {
                continue;
            }
            match self.views.apply(projection, &feed.entries) {
                Ok(standing) => *one = status_of(projection, standing),
                Err(error) => {
                    // It has applied what came before the record it halts at.
                    if let Ok(standing) = self.views.apply(projection, &[]) {
                        *one = status_of(projection, standing);
                    }
                    self.halt(one, &error);
                }
            }
        }
        let end = from.saturating_add(feed.entries.len() as u64);
        let missing = ViewsError::Broken { reader: "the projector", sequence: end };
        let cut = feed.cut.as_ref().or(feed.entries.is_empty().then_some(&missing));
        if let Some(error) = cut {
            all.iter_mut().filter(|one| one.position == end).for_each(|one| self.halt(one, error));
        }
    }

    fn halt(&mut self, one: &mut ProjectionStatus, error: &ViewsError) {
        if one.halted.is_none() {
            tracing::error!(projection = one.name, position = one.position, %error, "read model halts");
            one.halted = Some(error.to_string());
            if matches!(error, ViewsError::Engine(_) | ViewsError::Log(ReadError::Engine(_))) {
                self.stuck.insert(one.name);
            }
        }
    }
}

#[cfg(test)]
mod tests;
