//! Work that goes through all stores, a step at a time, so that nobody who waits for a seed waits for it.

use std::time::{Duration, Instant};

use dta_crypto::Entropy;

use super::{CidBytes, SeedError, SeedStore, Stores};

/// Seeds of one step: some tens of milliseconds.
const STEP: usize = 16;
/// How long a job that cannot go on rests before it tries again.
const REST: Duration = Duration::from_secs(2);
/// So often it rests at a store: then it goes on with the next one and comes back, and what a verification cannot open is a fault.
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
    /// Seeds that are left in all stores, as far as it has come to them.
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
    kind: JobKind,
    /// One for each store.
    parts: Vec<Part>,
    /// The one it is at.
    at: usize,
    next: Instant,
}

/// How far a job is in one store.
#[derive(Default)]
struct Part {
    /// The store's name, if there are several.
    store: Option<String>,
    after: Option<u32>,
    done: u32,
    left: Option<u32>,
    ended: bool,
    trouble: Option<String>,
    faults: Vec<(CidBytes, String)>,
    more_faults: u32,
    /// Seeds done since it was last at the beginning.
    pass: u32,
    /// Rests since it last went on.
    rests: u32,
}

impl Job {
    pub fn new(kind: JobKind, stores: &Stores) -> Self {
        let names = stores.names();
        let several = names.len() > 1;
        let part = |name| Part { store: Some(name).filter(|_| several), ..Part::default() };
        Self { kind, parts: names.into_iter().map(part).collect(), at: 0, next: Instant::now() }
    }

    pub fn status(&self) -> JobStatus {
        let parts = || self.parts.iter();
        let trouble: Vec<&str> = parts().filter_map(|part| part.trouble.as_deref()).collect();
        JobStatus {
            kind: self.kind,
            done: parts().map(|part| part.done).sum(),
            left: parts().filter_map(|part| part.left).reduce(u32::saturating_add),
            ended: self.has_ended(),
            trouble: (!trouble.is_empty()).then(|| trouble.join("; ")),
            faults: parts().map(|part| part.faults.len() as u32 + part.more_faults).sum(),
            told: parts().flat_map(|part| part.faults.iter().cloned()).take(TOLD).collect(),
        }
    }

    fn has_ended(&self) -> bool {
        self.parts.iter().all(|part| part.ended)
    }

    pub fn is_under_way(&self, kind: JobKind) -> bool {
        self.kind == kind && !self.has_ended()
    }

    /// How long the thread may wait for requests before the next step; none if there is no next one.
    pub fn idle_for(&self) -> Option<Duration> {
        (!self.has_ended()).then(|| self.next.saturating_duration_since(Instant::now()))
    }

    pub fn step(&mut self, stores: &mut Stores, entropy: &mut dyn Entropy) {
        let Some(part) = self.parts.get_mut(self.at) else { return };
        let stepped = stores.ask(self.at, |store| match self.kind {
            JobKind::Rewrap => part.rewrap(store, entropy),
            JobKind::Verify => part.verify(store),
        });
        let goes_on = match stepped {
            Ok(ended) => {
                (part.ended, part.trouble, part.rests) = (ended, None, 0);
                !ended
            }
            Err(error) => {
                part.trouble = Some(error.to_string());
                part.rests += 1;
                self.next = Instant::now() + REST;
                part.rests % RESTS != 0
            }
        };
        if !goes_on {
            let behind = (self.at + 1..self.parts.len()).chain(0..=self.at);
            self.at = behind.into_iter().find(|at| !self.parts[*at].ended).unwrap_or(self.at);
        }
    }
}

impl Part {
    /// Whether the store is done.
    fn rewrap(&mut self, store: &mut dyn SeedStore, entropy: &mut dyn Entropy) -> Result<bool, SeedError> {
        let step = store.rewrap(self.after, STEP, entropy)?;
        self.done += step.done;
        self.left = Some(step.left);
        self.pass += step.done;
        self.after = step.last;
        for (placed, error) in step.failed {
            self.fault(placed, error);
        }
        // Those that failed once may have failed with their token: they are tried again as long as others are done.
        let at_the_end = step.last.is_none();
        let done = step.left == 0 || (at_the_end && self.pass == 0);
        if at_the_end && !done {
            (self.pass, self.more_faults) = (0, 0);
            self.faults.clear();
        }
        Ok(done)
    }

    fn fault(&mut self, placed: CidBytes, error: SeedError) {
        if self.faults.len() == TOLD {
            self.more_faults += 1;
            return;
        }
        let error = match &self.store {
            Some(name) => error.in_store(name),
            None => error,
        };
        self.faults.push((placed, error.to_string()));
    }

    /// Whether the store is done.
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
            self.done += 1;
            if let Err(error) = seed.result {
                self.fault(seed.placed, error);
            }
        }
        Ok(done)
    }
}
