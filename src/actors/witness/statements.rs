//! Asks the owners of logs to prove that what was accepted of those who live with them stands there:
//! `GET /v1/log/proof/inclusion` where they serve, under their newest note.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use dta_events::log::{Heard, Patience, Standing, Taken, Unsettled, WAITING_MAX};
use dta_events::record::Record;
use dta_protocol::Cid;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

use super::inclusion::{answered, target};
use super::owner::{ANSWER_BYTES_MAX, Pauses, newest_note, url_of};
use super::tip_of;
use crate::actors::log::{Damage, LogReader};
use crate::actors::peers::{PeerClient, PeerUrl};
use crate::actors::services::Services;
use crate::actors::unavailable::Unavailable;

/// The log is read, and an owner that answered is asked again, once in this part of the limit, and
const PARTS: u64 = 10;
/// as often as once in this time, and as seldom as once in that, in milliseconds.
const EVERY_MS: (u64, u64) = (200, 60_000);
/// How often it is looked whose pause is over, and which note was proved meanwhile.
const TICK: Duration = Duration::from_millis(500);
/// Records read at once, and chunks of them before owners are asked again.
const CHUNK: usize = 64;
const CHUNKS: usize = 256;
/// Owners that are asked at the same time.
const AT_ONCE: usize = 64;

/// Asks, as the log grows.
pub struct Seeker {
    services: Arc<Services>,
    client: Arc<PeerClient>,
    missing_after_ms: u64,
    /// How often the log is read, in milliseconds.
    every_ms: u64,
    /// When it is read next, by the monotonic clock.
    read_at_ms: u64,
    unsettled: Unsettled,
    pauses: Pauses,
    /// Who is being asked.
    asking: JoinSet<Answered>,
    asked: HashSet<Cid>,
    /// Answers under notes that are still to be proved, and when they were asked for.
    heard: HashMap<Cid, (Heard, Patience)>,
}

/// What came of asking an owner, see [`ask_one`].
struct Answered {
    owner: Cid,
    /// When it was asked: what is not missing then is not for an answer that is judged later.
    asked: Patience,
    heard: Option<Heard>,
    is_whole: bool,
}

impl Seeker {
    /// Goes on where the log says that everything was settled. A statement that is not proved is missing so many milliseconds
    /// after it was accepted.
    pub fn new(services: Arc<Services>, client: PeerClient, missing_after_ms: u64) -> Self {
        let known = services.witness.all();
        let unsettled = Unsettled::after(known.iter().map(|(owner, watched)| (*owner, &watched.statements)));
        let (least, most) = EVERY_MS;
        Self {
            services,
            client: Arc::new(client),
            missing_after_ms,
            every_ms: (missing_after_ms / PARTS).clamp(least, most),
            read_at_ms: 0,
            unsettled,
            pauses: Pauses::default(),
            asking: JoinSet::new(),
            asked: HashSet::new(),
            heard: HashMap::new(),
        }
    }

    /// Runs until `stopping` says so. Pauses are kept on the monotonic clock.
    pub async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                biased;
                // Nobody waits for the owner of another log.
                _ = stopping.wait_for(|stopping| *stopping) => return,
                () = self.pass() => {}
            }
        }
    }

    async fn pass(&mut self) {
        if self.now_ms() >= self.read_at_ms {
            let whole = self.read().await.inspect_err(|error| {
                tracing::warn!(%error, "the log cannot be read for statements of others; it is tried again");
            });
            let pause_ms = if matches!(whole, Ok(false)) { 0 } else { self.every_ms };
            self.read_at_ms = self.now_ms().saturating_add(pause_ms);
        }
        self.settle_heard().await;
        self.ask().await;
        let read_in = Duration::from_millis(self.read_at_ms.saturating_sub(self.now_ms()));
        tokio::select! {
            Some(Ok(answered)) = self.asking.join_next() => self.take(answered),
            () = sleep(read_in.min(TICK)) => {}
        }
    }

    /// Takes what the log has more; whether that was all.
    async fn read(&mut self) -> Result<bool, Unavailable> {
        for _ in 0..CHUNKS {
            let (log, from) = (self.services.log.clone(), self.unsettled.from());
            let read = spawn_blocking(move || taken(&*log, from)).await;
            let (found, to) = read.map_err(|_| Unavailable::Stopping)??;
            if to == from {
                return Ok(true);
            }
            let mut statements = Vec::new();
            for (signer, taken) in found {
                let owner = self.services.party(&signer).await?.document.node();
                if owner != self.services.node {
                    statements.push((owner, taken));
                }
            }
            self.unsettled.take(statements, to);
        }
        Ok(false)
    }

    /// Asks whoever has statements to prove, serves somewhere and does not pause.
    async fn ask(&mut self) {
        let (now_ms, patience) = (self.now_ms(), self.patience());
        for owner in self.unsettled.due(&patience) {
            let is_free = self.asked.len() < AT_ONCE && !self.asked.contains(&owner);
            if !is_free || !self.pauses.is_over(&owner, now_ms) {
                continue;
            }
            let Some(url) = url_of(&self.services, &owner).await else {
                self.pauses.rest(owner, now_ms, self.every_ms);
                continue;
            };
            self.asked.insert(owner);
            let (services, client) = (self.services.clone(), self.client.clone());
            let statements = self.unsettled.due_of(&owner, &patience);
            self.asking.spawn(async move {
                let (heard, is_whole) = ask_one(&services, &client, owner, &url, &statements).await;
                Answered { owner, asked: patience, heard, is_whole }
            });
        }
    }

    fn take(&mut self, answered: Answered) {
        let Answered { owner, asked, heard, is_whole } = answered;
        let now_ms = self.now_ms();
        self.asked.remove(&owner);
        match is_whole {
            true => self.pauses.rest(owner, now_ms, self.every_ms),
            false => self.pauses.begin(owner, now_ms),
        }
        match heard {
            Some(heard) => self.heard.insert(owner, (heard, asked)),
            None => self.heard.remove(&owner),
        };
    }

    /// Records what the answers settle by now. One under a note that is still to be proved is kept until it is, or until the
    /// owner is asked anew.
    async fn settle_heard(&mut self) {
        for (owner, (heard, asked)) in std::mem::take(&mut self.heard) {
            let unsettled = &self.unsettled;
            let look = self.services.watch(owner, |watched| {
                watched.settle(&heard, &asked, |settled| unsettled.all_settled(&owner, settled))
            });
            if let Err(error) = look.await {
                tracing::warn!(%error, %owner, "what was proved of statements is not recorded; it is asked again");
                continue;
            }
            let watched = self.services.witness.of(&owner).watched;
            let settled = watched.statements.settled;
            self.unsettled.settle(&owner, settled);
            let is_all = heard.answers.last().is_none_or(|(taken, _)| taken.sequence < settled);
            if is_all && heard.answers.len() >= WAITING_MAX {
                // As many as wait at once: more were left out.
                self.pauses.end(&owner);
                self.read_at_ms = 0;
            }
            if !is_all && watched.standing(&heard.under) == Standing::Waits {
                self.heard.insert(owner, (heard, asked));
            }
        }
    }

    fn patience(&self) -> Patience {
        let Self { services, missing_after_ms, .. } = self;
        Patience {
            now_ms: services.clock.wall_ms(),
            missing_after_ms: *missing_after_ms,
            is_clock_trusted: services.clock_watch.look(&*services.clock),
        }
    }

    fn now_ms(&self) -> u64 {
        self.services.clock.monotonic_ms()
    }
}

/// What a chunk of records brought of others, and where the next one begins: there if there are no more.
fn taken(log: &dyn LogReader, from: u64) -> Result<(Vec<(Cid, Taken)>, u64), Unavailable> {
    let (mut found, mut to) = (Vec::new(), from);
    for (sequence, stored) in log.read(from, CHUNK)? {
        let record = Record::decode(&stored).map_err(|error| {
            let reason = error.to_string();
            Unavailable::Read(Damage::Record { sequence, reason }.into())
        })?;
        found.extend(Taken::of(&record));
        to = sequence.saturating_add(1);
    }
    Ok((found, to))
}

/// Asks an owner for its newest note, and for a proof of each of these statements under it; none if it said nothing that counts,
/// and whether it answered to the end.
async fn ask_one(
    services: &Services,
    client: &PeerClient,
    owner: Cid,
    url: &PeerUrl,
    statements: &[Taken],
) -> (Option<Heard>, bool) {
    let Some(note) = newest_note(services, client, &owner, url).await else { return (None, false) };
    // A sighting like any other: a proof is worth what the note is.
    let Ok(Ok(())) = services.see_note(note.text()).await else { return (None, false) };
    let under = tip_of(&note, services.clock.wall_ms());
    let mut said = Vec::new();
    for taken in statements {
        let told = client.fetch(url, &target(&taken.cid, &under), ANSWER_BYTES_MAX).await.ok();
        match told.and_then(|(status, body)| answered(status, &body, &taken.cid, &under)) {
            Some(proved) => said.push(proved),
            None => break,
        }
    }
    (Some(Heard::of(under, statements, &said)), said.len() == statements.len())
}
