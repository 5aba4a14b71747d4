//! Checkpoints: commits to the log before others, often enough and once more at the end, and keeps a sealed copy of the
//! records in each (docs/protocol.md, section 8). What it publishes it notes in a file beside the log too.

mod forge;
pub mod published;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dta_events::ids::log_aggregate;
use dta_events::log::{CHECKPOINT, Checkpoints, Event, Facts, Model, Pace};
use dta_events::record::{Effect, Record, Stored};
use dta_proof::Note;
use dta_protocol::Cid;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::sleep;

use super::crypto_pool::Priority;
use super::log::{LogReader, NotWritten, ReadError};
use super::projector::{ProjectionStatus, ProjectorHandle};
use super::services::{Caller, Services};
use super::timers;
use super::unavailable::Unavailable;
use crate::backoff::Backoff;
use crate::crash_points::{CrashPoint, reached};

/// The pauses after failures.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(60));
/// Checkpoints made at the end, at most: more are made after the next start.
const LAST: usize = 64;

/// The newest checkpoint, as envelopes and the API hand it on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its envelope.
    pub cid: Cid,
    /// Which it is.
    pub number: u64,
    /// Its signed note.
    pub note: Note,
}

/// Where the newest checkpoint is seen; none before the first.
pub type Newest = watch::Receiver<Option<Arc<Published>>>;

/// What it works with.
pub struct Parts {
    /// The node.
    pub services: Arc<Services>,
    /// What the read models are.
    pub projector: ProjectorHandle,
    /// The sequence of the next record.
    pub head: watch::Receiver<u64>,
    /// How often.
    pub pace: Pace,
    /// The epoch of the log.
    pub epoch: u64,
    /// Where the newest is noted outside the log.
    pub file: PathBuf,
    /// Where it is seen.
    pub publish: watch::Sender<Option<Arc<Published>>>,
}

/// Makes them.
pub struct Checkpointer {
    parts: Parts,
    checkpoints: Checkpoints,
    /// Records of the log's own history.
    version: u64,
    /// In the log, and not yet in the file: nobody is told before.
    unnoted: Option<Published>,
}

/// Why there is none now.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// Not now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The file beside the log.
    #[error("the checkpoint is not noted beside the log: {0}")]
    File(std::io::Error),
}

impl From<ReadError> for CheckpointError {
    fn from(error: ReadError) -> Self {
        Unavailable::Read(error).into()
    }
}

/// The checkpoints that a log tells of, and how many records its own history has.
///
/// # Errors
/// The log cannot be read, or holds what only newer code knows.
pub fn found(log: &dyn LogReader, owner: &Cid) -> Result<(Checkpoints, u64), Unavailable> {
    let Some(record) = log.newest(&log_aggregate(owner))? else { return Ok((Checkpoints::default(), 0)) };
    let inconsistent =
        |what: String| Unavailable::Inconsistent(format!("record {}: {what}", record.sequence));
    let Record { effect: Effect::Events(events), .. } = &record else {
        return Err(inconsistent("a checkpoint is never refused".into()));
    };
    let checkpoints = events.iter().try_fold(Checkpoints::default(), |checkpoints, stored| {
        Event::from_stored(stored).map(|event| checkpoints.apply(&event, record.sequence))
    });
    Ok((checkpoints.map_err(|error| inconsistent(error.to_string()))?, record.version))
}

impl Checkpointer {
    /// Goes on after the checkpoints that the log tells of.
    ///
    /// # Errors
    /// See [`found`].
    pub fn new(parts: Parts) -> Result<Self, Unavailable> {
        let (checkpoints, version) = found(&*parts.services.log, &parts.services.node)?;
        Ok(Self { parts, checkpoints, version, unnoted: None })
    }

    /// Runs until `stopping` says so, and is then handed back to make the last ones. Pauses are kept on the monotonic clock.
    pub async fn run(mut self, mut stopping: watch::Receiver<bool>) -> Self {
        let clock = self.parts.services.clock.clone();
        let mut backoff = BACKOFF;
        let mut models = self.parts.projector.watch();
        let mut first_unsaid_ms = None;
        loop {
            let head = *self.parts.head.borrow_and_update();
            let now_ms = clock.monotonic_ms();
            let since_ms = match self.checkpoints.unsaid(head) {
                0 => None,
                _ => Some(first_unsaid_ms.unwrap_or(now_ms)),
            };
            first_unsaid_ms = since_ms;
            let waited_ms = since_ms.map_or(0, |since_ms| now_ms.saturating_sub(since_ms));
            let due_in = match self.unnoted {
                Some(_) => Some(0),
                None => self.checkpoints.due_in_ms(head, waited_ms, &self.parts.pace),
            };
            let mut behind = false;
            if due_in == Some(0) {
                models.mark_unchanged();
                // Not broken off by a stop: its record may be on its way into the log.
                match self.make().await {
                    Ok(true) => {
                        backoff.reset();
                        first_unsaid_ms = None;
                        continue;
                    }
                    Ok(false) => behind = true,
                    Err(error) => {
                        tracing::warn!(%error, "no checkpoint of the log; it is tried again");
                        tokio::select! {
                            biased;
                            _ = stopping.wait_for(|stopping| *stopping) => return self,
                            () = sleep(backoff.pause()) => continue,
                        }
                    }
                }
            }
            let wait = async {
                match due_in {
                    None => more(&mut self.parts.head).await,
                    Some(_) if behind => more(&mut models).await,
                    // Records that come meanwhile may make it due at once.
                    Some(ms) => tokio::select! {
                        () = sleep(Duration::from_millis(ms)) => {}
                        () = more(&mut self.parts.head) => {}
                    },
                }
            };
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return self,
                () = wait => {}
            }
        }
    }

    /// The last ones: all that the log holds is said, and sealed as far as some checkpoints go.
    pub async fn finish(&mut self) {
        for _ in 0..LAST {
            match self.make().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(%error, "no last checkpoint of the log; the next start makes it");
                    return;
                }
            }
        }
    }

    /// Makes the next one, if there is anything to say; first notes one that was not.
    async fn make(&mut self) -> Result<bool, CheckpointError> {
        if self.unnoted.is_some() {
            self.note().await?;
            return Ok(true);
        }
        let services = self.parts.services.clone();
        let models = self.parts.projector.status().into_iter().map(model).collect();
        let now_ms = services.clock.wall_ms();
        let facts = Facts { now_ms, head: services.log.head()?.count, models };
        let Some(draft) = self.checkpoints.prepare(&facts) else { return Ok(false) };
        let node = services.party(&services.node).await?;
        let (log, key, epoch) = (services.log.clone(), services.content_key(), self.parts.epoch);
        let work = draft.clone();
        let forged = services
            .crypto
            .run(Priority::Bulk, move || forge::forge(&*log, &work, &node, key, epoch))
            .await
            .map_err(Unavailable::from)??;
        let published = Published { cid: forged.made.cid, number: draft.number, note: forged.note };
        let event = self.checkpoints.decide(&draft, forged.made);
        let stored = event.to_stored().map_err(inconsistent)?;
        let caller = Caller { by: timers::BY.to_owned(), trace_id: services.random(), request: None };
        let command = Stored { name: CHECKPOINT.into(), schema: 1, bytes: Vec::new() };
        let aggregate = log_aggregate(&services.node);
        let effect = Effect::Events(vec![stored]);
        let mut append = services.append(&caller, aggregate, self.version, now_ms, command, effect);
        append.blocks = forged.blocks;
        reached(CrashPoint::CheckpointSigned);
        let appended = match services.writer.append(append).await {
            Ok(appended) => appended,
            Err(error) => {
                if matches!(error, NotWritten::Version { .. }) {
                    (self.checkpoints, self.version) = found(&*services.log, &services.node)?;
                }
                return Err(Unavailable::NotWritten(error).into());
            }
        };
        self.checkpoints = std::mem::take(&mut self.checkpoints).apply(&event, appended.sequence);
        self.version = appended.version;
        reached(CrashPoint::CheckpointAppended);
        self.unnoted = Some(published);
        self.note().await?;
        Ok(true)
    }

    /// Writes the file beside the log, then tells envelopes and API. The mirror may have been faster: it copies what is in the
    /// log, and a start brings the file up to date.
    async fn note(&mut self) -> Result<(), CheckpointError> {
        let Some(published) = self.unnoted.clone() else { return Ok(()) };
        let (file, noted) = (self.parts.file.clone(), published.clone());
        tokio::task::spawn_blocking(move || published::write(&file, &noted))
            .await
            .map_err(|_| Unavailable::Stopping)?
            .map_err(CheckpointError::File)?;
        self.parts.publish.send_replace(Some(Arc::new(published)));
        self.unnoted = None;
        Ok(())
    }
}

fn inconsistent(error: impl std::fmt::Display) -> Unavailable {
    Unavailable::Inconsistent(error.to_string())
}

fn model(status: ProjectionStatus) -> Model {
    Model {
        label: format!("{}/{}", status.name, status.schema),
        position: status.position,
        digest: status.digest,
        halted: status.halted.is_some(),
    }
}

/// Waits for a change; for ever, if none can come.
async fn more<T>(watched: &mut watch::Receiver<T>) {
    if watched.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests;
