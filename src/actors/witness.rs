//! The witness: keeps every note of others' logs that this node sees, has their owners prove that each tree goes with those
//! before it and that what they signed stands there, and raises an alarm where it does not.

mod inclusion;
pub(super) mod owner;
mod prove;
mod statements;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use dta_events::ids::log_aggregate;
use dta_events::log::{Change, Event, MISSING_STATEMENT, Tip, WATCH, Watched};
use dta_events::record::{Aggregate, AggregateKind, Effect, Record, Stored};
use dta_proof::{Note, NoteError, Origin};
use dta_protocol::Cid;

use super::log::{LogReader, NotWritten};
use super::services::{Caller, Services};
use super::timers;
use super::unavailable::Unavailable;

pub use prove::run;
pub use statements::Seeker;

/// What is known of others' logs, by owner. It follows from the log, and is read from it at start.
pub struct Witness {
    watched: Mutex<HashMap<Cid, Kept>>,
    /// One record at a time, so that each is about what the one before left.
    turn: tokio::sync::Mutex<()>,
    /// Says that there may be something to prove.
    more: tokio::sync::Notify,
}

#[derive(Clone, Default)]
struct Kept {
    watched: Watched,
    /// Records of its history.
    version: u64,
}

/// What the log says of one history: its newest record says all.
fn found(log: &dyn LogReader, aggregate: &Aggregate) -> Result<Option<(Cid, Kept)>, Unavailable> {
    let Some(Record { sequence, version, effect: Effect::Events(events), .. }) = log.newest(aggregate)?
    else {
        return Ok(None);
    };
    let Some(stored) = events.last() else { return Ok(None) };
    let event = Event::from_stored(stored)
        .map_err(|error| Unavailable::Inconsistent(format!("record {sequence}: {error}")))?;
    Ok(event.watched().map(|(owner, watched)| (owner, Kept { watched: watched.clone(), version })))
}

impl Witness {
    /// What the log says; `own` is whose it is.
    ///
    /// # Errors
    /// The log cannot be read, or newer code wrote it.
    pub fn read(log: &dyn LogReader, own: &Cid) -> Result<Self, Unavailable> {
        let mut all = HashMap::new();
        for aggregate in log.aggregates(AggregateKind::Log)? {
            if aggregate == log_aggregate(own) {
                continue;
            }
            all.extend(found(log, &aggregate)?);
        }
        Ok(Self {
            watched: Mutex::new(all),
            turn: tokio::sync::Mutex::default(),
            more: tokio::sync::Notify::new(),
        })
    }

    /// What is known of each log, in the order of their owners' CIDs.
    pub fn all(&self) -> Vec<(Cid, Watched)> {
        let kept = self.kept();
        let mut all: Vec<_> = kept.iter().map(|(owner, kept)| (*owner, kept.watched.clone())).collect();
        all.sort_by_key(|(owner, _)| *owner);
        all
    }

    /// How many alarms there are.
    pub fn alarms(&self) -> u64 {
        self.kept().values().map(|kept| kept.watched.alarms()).fold(0, u64::saturating_add)
    }

    /// Epoch and size that the newest note of a log is about.
    pub fn known(&self, owner: &Cid) -> Option<(u64, u64)> {
        self.kept().get(owner).and_then(|kept| kept.watched.newest().map(|tip| (tip.epoch, tip.size)))
    }

    /// The newest note of a log.
    pub fn newest(&self, owner: &Cid) -> Option<String> {
        self.kept().get(owner).and_then(|kept| Some(kept.watched.newest()?.note.clone()))
    }

    fn of(&self, owner: &Cid) -> Kept {
        self.kept().get(owner).cloned().unwrap_or_default()
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<Cid, Kept>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a note says, seen now.
fn tip_of(note: &Note, seen_ms: u64) -> Tip {
    let (epoch, size, root) = (note.origin().epoch, note.size(), note.root());
    // Without what others may have signed, so that what is known of a log is small.
    Tip { epoch, size, root, note: note.own_text().to_owned(), seen_ms }
}

impl Services {
    /// Keeps a note that somebody handed on, once it is verified to be its log owner's; one whose owner is not known says
    /// nothing. When this returns it is in the log.
    ///
    /// # Errors
    /// Inside: the note is not its owner's. Outside: the log takes no records.
    pub async fn see_note(&self, text: &str) -> Result<Result<(), NoteError>, Unavailable> {
        let origin = match Origin::claimed(text) {
            Ok(origin) => origin,
            Err(error) => return Ok(Err(error)),
        };
        let owner = origin.identity;
        if owner == self.node || self.witness.newest(&owner).as_deref() == Some(text) {
            return Ok(Ok(()));
        }
        let Some(known) = self.known(&owner).await? else { return Ok(Ok(())) };
        let note = match Note::verify(text, &known.document) {
            Ok(note) => note,
            Err(error) => return Ok(Err(error)),
        };
        let tip = tip_of(&note, self.clock.wall_ms());
        self.watch(owner, |watched| watched.see(tip)).await?;
        Ok(Ok(()))
    }

    /// The newest notes of the logs that hold what these parties sign, without this node's own: at most three.
    pub async fn notes_of(&self, parties: &[Cid]) -> Result<Vec<String>, Unavailable> {
        let mut nodes: Vec<Cid> = Vec::new();
        for party in parties {
            if let Some(known) = self.known(party).await? {
                nodes.push(known.document.node());
            }
        }
        nodes.sort();
        nodes.dedup();
        nodes.retain(|node| *node != self.node);
        Ok(nodes
            .iter()
            .filter_map(|node| self.witness.newest(node))
            .take(dta_protocol::body::MAX_SEEN)
            .collect())
    }

    /// Records what a look at a log changes in what is known of it, if anything.
    async fn watch(
        &self,
        owner: Cid,
        look: impl FnOnce(&Watched) -> Option<Change>,
    ) -> Result<(), Unavailable> {
        let _turn = self.witness.turn.lock().await;
        let Kept { watched, version } = self.witness.of(&owner);
        let Some(change) = look(&watched) else { return Ok(()) };
        let event = Event::of(owner, change);
        match &event {
            Event::AlarmRaised { code, .. } => {
                tracing::error!(%owner, code = code.as_str(), "ALARM: the log of another node is not what it was");
            }
            Event::StatementsMissing { statements, .. } => {
                for statement in statements {
                    tracing::error!(%owner, code = MISSING_STATEMENT, %statement, "ALARM: the log of another node does not hold what was signed");
                }
            }
            _ => {}
        }
        let stored = event.to_stored().map_err(|error| Unavailable::Inconsistent(error.to_string()))?;
        let caller = Caller { by: timers::BY.to_owned(), trace_id: self.random(), request: None };
        let command = Stored { name: WATCH.into(), schema: 1, bytes: Vec::new() };
        let effect = Effect::Events(vec![stored]);
        let append =
            self.append(&caller, log_aggregate(&owner), version, self.clock.wall_ms(), command, effect);
        let appended = self.writer.append(append).await.map_err(Unavailable::NotWritten);
        if let Err(Unavailable::NotWritten(NotWritten::Version { .. })) = &appended {
            // A caller that went away before it heard of its record.
            self.witness.kept().extend(found(&*self.log, &log_aggregate(&owner))?);
        }
        let version = appended?.version;
        if let Some((_, watched)) = event.watched() {
            self.witness.kept().insert(owner, Kept { watched: watched.clone(), version });
        }
        self.witness.more.notify_one();
        Ok(())
    }
}
