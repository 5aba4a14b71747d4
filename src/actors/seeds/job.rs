//! Work that goes through all stores, a step at a time, so that nobody who waits for a seed waits for it.

use std::time::{Duration, Instant};

use dta_crypto::Entropy;

use super::{CidBytes, SeedError, SeedStore, Stores};

/// Seeds of one step: some tens of milliseconds.
const STEP: usize = 16;
/// How long a job that cannot go on rests before it tries again.
const REST: Duration = Duration::from_secs(2);
/// So often a verification rests for a token before what it cannot open is a fault.
const RESTS: u32 = 5;
/// Findings that are told one by one; the rest is counted.
const TOLD: usize = 100;

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// Wraps every seed under the KEKs in use. Can be interrupted anywhere: what is done is known by the seeds themselves.
    Rewrap,
    /// Opens every seed and derives its key again; changes nothing.
    Verify,
}

impl JobKind {
    /// As it is told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rewrap => "rewrap",
            Self::Verify => "verify",
        }
    }
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobStatus {
    /// What it does.
    pub kind: JobKind,
    /// Seeds that it has done.
    pub done: u32,
    /// Seeds that are left in the store it is at, once it is known.
    pub left: Option<u32>,
    /// Whether it has come to its end.
    pub ended: bool,
    /// What keeps it from going on; it tries again.
    pub trouble: Option<String>,
    /// Seeds that it found fault with.
    pub faults: u32,
    /// The first hundred of them, with what is wrong.
    pub told: Vec<(CidBytes, String)>,
}

/// A job under way, or ended.
pub(super) struct Job {
    status: JobStatus,
    /// The number of the store it is at.
    store: usize,
    after: Option<u32>,
    next: Instant,
    /// Seeds done since it was last at the beginning of the store.
    pass: u32,
    /// Faults of the stores before.
    faults_before: u32,
    /// Rests since it last went on.
    rests: u32,
}

impl Job {
    pub fn new(kind: JobKind) -> Self {
        let (trouble, told) = Default::default();
        let status = JobStatus { kind, done: 0, left: None, ended: false, trouble, faults: 0, told };
        Self { status, store: 0, after: None, next: Instant::now(), pass: 0, faults_before: 0, rests: 0 }
    }

    pub fn status(&self) -> JobStatus {
        self.status.clone()
    }

    pub fn is_under_way(&self, kind: JobKind) -> bool {
        self.status.kind == kind && !self.status.ended
    }

    /// How long the thread may wait for requests before the next step; none if there is no next one.
    pub fn idle_for(&self) -> Option<Duration> {
        (!self.status.ended).then(|| self.next.saturating_duration_since(Instant::now()))
    }

    pub fn step(&mut self, stores: &mut Stores, entropy: &mut dyn Entropy) {
        let Some(store) = stores.at(self.store) else {
            self.status.ended = true;
            return;
        };
        let stepped = match self.status.kind {
            JobKind::Rewrap => self.rewrap(store, entropy),
            JobKind::Verify => self.verify(store),
        };
        if let Ok(true) = stepped {
            self.store += 1;
            (self.after, self.pass, self.faults_before) = (None, 0, self.status.faults);
            self.status.ended = stores.at(self.store).is_none();
        }
        self.status.trouble = stepped.err().map(|error| error.to_string());
        self.rests = if self.status.trouble.is_some() { self.rests + 1 } else { 0 };
        if self.status.trouble.is_some() {
            self.next = Instant::now() + REST;
        }
    }

    /// Whether that store is done.
    fn rewrap(&mut self, store: &mut dyn SeedStore, entropy: &mut dyn Entropy) -> Result<bool, SeedError> {
        let step = store.rewrap(self.after, STEP, entropy)?;
        self.status.done += step.done;
        self.status.left = Some(step.left);
        self.pass += step.done;
        self.after = step.last;
        for (placed, error) in step.failed {
            self.fault(placed, &error);
        }
        // Those that failed once may have failed with their token: they are tried again as long as others are done.
        let at_the_end = step.last.is_none();
        let done = step.left == 0 || (at_the_end && self.pass == 0);
        if at_the_end && !done {
            self.pass = 0;
            self.status.faults = self.faults_before;
            self.status.told.truncate(self.faults_before as usize);
        }
        Ok(done)
    }

    fn fault(&mut self, placed: CidBytes, error: &SeedError) {
        self.status.faults += 1;
        if self.status.told.len() < TOLD {
            self.status.told.push((placed, error.to_string()));
        }
    }

    /// Whether that store is done.
    fn verify(&mut self, store: &mut dyn SeedStore) -> Result<bool, SeedError> {
        let verified = store.verify(self.after, STEP)?;
        // A token that is away says nothing about a seed, unless it stays away.
        let away = verified.iter().find_map(|seed| match &seed.result {
            Err(error) if error.is_temporary() => Some(error.clone()),
            _ => None,
        });
        if let Some(away) = away.filter(|_| self.rests < RESTS) {
            return Err(away);
        }
        let done = verified.is_empty();
        for seed in verified {
            self.after = Some(seed.slot);
            self.status.done += 1;
            if let Err(error) = seed.result {
                self.fault(seed.placed, &error);
            }
        }
        Ok(done)
    }
}
