//! The checkpoints of a log as a chain, from blocks that anybody may have given: found by its links, and judged as a whole.
//!
//! [`Walk`] says which blocks are to be fetched, many at a time, from the newest back to the first. [`Chain`] judges them from
//! the first on, and keeps no more than the last. Both take envelopes whose signatures are verified, so that the caller may
//! verify many together.

use std::collections::BTreeMap;

use dta_protocol::checkpoint::{skip_after, skip_number};
use dta_protocol::{Body, Cid, Envelope, Identity, Verified};
use thiserror::Error;

use crate::note::{Note, NoteError};

/// A checkpoint that its log's owner signed, and the note in it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    envelope: Verified<Envelope>,
    number: u64,
    skip: Vec<Cid>,
    note: Note,
}

/// The checkpoints of one log from number 0 on, as far as they have been judged.
#[derive(Clone, Debug)]
pub struct Chain {
    owner: Cid,
    first: Option<Cid>,
    last: Option<Checkpoint>,
}

/// A chain that is being fetched, from its newest checkpoint back to number 0.
#[derive(Clone, Debug)]
pub struct Walk<'a> {
    owner: &'a Identity,
    /// Where the links lead that were seen so far, by number.
    leads: BTreeMap<u64, Cid>,
    found: BTreeMap<u64, Checkpoint>,
}

/// Which checkpoint is not as it should be, and in what.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("checkpoint {cid}: {fault}")]
pub struct ChainError {
    /// Its envelope.
    pub cid: Cid,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// An envelope of another kind.
    #[error("is an envelope of another kind")]
    OtherKind,
    /// Signed by another than the log's owner.
    #[error("is of another signer than the log's owner")]
    OtherSigner,
    /// Its note is not one that the owner signed, of that log.
    #[error("its note: {0}")]
    Note(#[from] NoteError),
    /// Another block than the one that was asked for.
    #[error("is not what was asked for")]
    OtherBlock,
    /// It says that it is another than the one that the link to it should lead to, or the next one.
    #[error("has the number {is}, where {expected} belongs")]
    Number {
        /// What it says.
        is: u64,
        /// What it should be.
        expected: u64,
    },
    /// There is another with its number.
    #[error("is one of two checkpoints with the number {0}")]
    Twice(u64),
    /// The one before it is not there.
    #[error("is there, and checkpoint {0} before it is not")]
    Gap(u64),
    /// A link leads to it, and it was not found.
    #[error("was not found, and is checkpoint {0}")]
    Missing(u64),
    /// The newest is not the one that it was said to be.
    #[error("is not the newest one")]
    NotNewest,
    /// `previous` is not the checkpoint before it.
    #[error("its previous is not checkpoint {0}")]
    Previous(u64),
    /// A skip link leads elsewhere than to the checkpoint that its place says.
    #[error("its skip link {k} does not lead to checkpoint {number}")]
    Skip {
        /// Which, from 0.
        k: usize,
        /// Where it should lead.
        number: u64,
    },
    /// Issued before the one before it.
    #[error("was issued before the one before it")]
    Time,
    /// Its epoch is behind that of the one before it.
    #[error("its epoch is behind that of the one before it")]
    Epoch,
    /// About fewer records than the one before it, in the same epoch.
    #[error("is about fewer records than the one before it")]
    Size,
    /// About as many records as the one before it, in the same epoch, and of another tree.
    #[error("has another root for the same records as the one before it")]
    Root,
}

impl Fault {
    /// A stable name for it.
    pub const fn code(&self) -> &'static str {
        match self {
            Fault::OtherKind => "checkpoint-other-kind",
            Fault::OtherSigner => "checkpoint-other-signer",
            Fault::Note(error) => error.code(),
            Fault::OtherBlock => "checkpoint-other-block",
            Fault::Number { .. } => "checkpoint-number",
            Fault::Twice(_) => "checkpoint-twice",
            Fault::Gap(_) => "checkpoint-gap",
            Fault::Missing(_) => "checkpoint-missing",
            Fault::NotNewest => "checkpoint-not-newest",
            Fault::Previous(_) => "checkpoint-previous",
            Fault::Skip { .. } => "checkpoint-skip",
            Fault::Time => "checkpoint-time",
            Fault::Epoch => "checkpoint-epoch",
            Fault::Size => "checkpoint-size",
            Fault::Root => "checkpoint-root",
        }
    }
}

/// Judges all checkpoints of `owner`'s log, from number 0 to `newest`, in whatever order they are given; answers them in
/// that of their numbers.
///
/// # Errors
/// The first by number that is not as it should be, or is not there.
pub fn check(
    owner: &Identity,
    newest: &Cid,
    all: Vec<Verified<Envelope>>,
) -> Result<Vec<Checkpoint>, ChainError> {
    let mut by_number = BTreeMap::new();
    for envelope in all {
        let checkpoint = Checkpoint::read(owner, envelope)?;
        let (cid, number) = (checkpoint.cid(), checkpoint.number);
        if by_number.insert(number, checkpoint).is_some_and(|other| other.cid() != cid) {
            return Err(ChainError { cid, fault: Fault::Twice(number) });
        }
    }
    let mut chain = Chain::new(owner);
    for checkpoint in by_number.values() {
        chain.add(checkpoint.clone())?;
    }
    match chain.last().map(Checkpoint::cid) {
        Some(last) if last == *newest => Ok(by_number.into_values().collect()),
        last => Err(ChainError { cid: last.unwrap_or(*newest), fault: Fault::NotNewest }),
    }
}

impl Checkpoint {
    /// Reads one of `owner`'s log. Nothing is said yet about where its links lead.
    ///
    /// # Errors
    /// `OtherKind`, `OtherSigner` or `Note`.
    pub fn read(owner: &Identity, envelope: Verified<Envelope>) -> Result<Self, ChainError> {
        let cid = envelope.cid();
        let fails = |fault| Err(ChainError { cid, fault });
        let statement = envelope.statement();
        let Body::Checkpoint(body) = &statement.body else { return fails(Fault::OtherKind) };
        if statement.signer != Some(owner.cid()) {
            return fails(Fault::OtherSigner);
        }
        let note = match Note::verify(&body.note, owner) {
            Ok(note) => note,
            Err(error) => return fails(error.into()),
        };
        let (number, skip) = (body.number, body.skip.clone());
        Ok(Self { envelope, number, skip, note })
    }

    /// Its envelope's name.
    pub fn cid(&self) -> Cid {
        self.envelope.cid()
    }

    /// Which of its log, from 0.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What it commits to.
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// Its skip links, the checkpoint before it first.
    pub fn skip(&self) -> &[Cid] {
        &self.skip
    }

    /// Its envelope.
    pub fn envelope(&self) -> &Verified<Envelope> {
        &self.envelope
    }

    /// Its skip links, each with the number of the checkpoint to which it should lead.
    fn links(&self) -> impl Iterator<Item = (usize, u64, Cid)> {
        let numbered = |(k, cid): (usize, &Cid)| Some((k, skip_number(self.number, k)?, *cid));
        self.skip.iter().enumerate().filter_map(numbered)
    }
}

impl Chain {
    /// Of this owner's log; nothing is judged yet.
    pub fn new(owner: &Identity) -> Self {
        Self { owner: owner.cid(), first: None, last: None }
    }

    /// The newest that was judged.
    pub fn last(&self) -> Option<&Checkpoint> {
        self.last.as_ref()
    }

    /// Takes the next one, which must follow the last in every respect. One that does not is not taken.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn add(&mut self, next: Checkpoint) -> Result<&Checkpoint, ChainError> {
        let cid = next.cid();
        self.follows(&next).map_err(|fault| ChainError { cid, fault })?;
        self.first.get_or_insert(cid);
        Ok(self.last.insert(next))
    }

    fn follows(&self, next: &Checkpoint) -> Result<(), Fault> {
        if next.note.origin().identity != self.owner {
            return Err(Fault::OtherSigner);
        }
        let expected = self.last.as_ref().map_or(0, |last| last.number.saturating_add(1));
        if next.number > expected {
            return Err(Fault::Gap(expected));
        }
        if next.number < expected {
            return Err(Fault::Number { is: next.number, expected });
        }
        // The first has no links, as every envelope of a checkpoint that could be read.
        let Some(last) = &self.last else { return Ok(()) };
        if next.envelope.statement().previous != Some(last.cid()) {
            return Err(Fault::Previous(last.number));
        }
        let skip = skip_after(last.number, last.cid(), &last.skip, self.first.unwrap_or(last.cid()));
        if let Some((k, number, _)) = next.links().find(|(k, _, link)| skip.get(*k) != Some(link)) {
            return Err(Fault::Skip { k, number });
        }
        if next.envelope.statement().issued_at_ms < last.envelope.statement().issued_at_ms {
            return Err(Fault::Time);
        }
        let (old, new) = (&last.note, &next.note);
        if new.origin().epoch != old.origin().epoch {
            let behind = new.origin().epoch < old.origin().epoch;
            return if behind { Err(Fault::Epoch) } else { Ok(()) };
        }
        if new.size() < old.size() {
            return Err(Fault::Size);
        }
        if new.size() == old.size() && new.root() != old.root() {
            return Err(Fault::Root);
        }
        Ok(())
    }
}

impl<'a> Walk<'a> {
    /// Begins at the newest checkpoint of `owner`'s log.
    ///
    /// # Errors
    /// See [`Checkpoint::read`].
    pub fn new(owner: &'a Identity, newest: Verified<Envelope>) -> Result<Self, ChainError> {
        let newest = Checkpoint::read(owner, newest)?;
        let mut walk = Self { owner, leads: BTreeMap::new(), found: BTreeMap::new() };
        walk.leads.insert(newest.number, newest.cid());
        walk.follow(newest)?;
        Ok(walk)
    }

    /// What is to be fetched next, side by side: each with its number, the oldest first. Nothing once all is there.
    pub fn wanted(&self) -> impl Iterator<Item = (u64, Cid)> {
        let open = |(number, _): &(&u64, &Cid)| !self.found.contains_key(number);
        self.leads.iter().filter(open).map(|(number, cid)| (*number, *cid))
    }

    /// Takes what was answered to the wish for checkpoint `number`. If it is refused, the wish stays.
    ///
    /// # Errors
    /// `OtherBlock` if it is not the block that is wanted there, `Number` if that says that it is another checkpoint, `Skip`
    /// if its links and those seen before do not lead to one chain, and see [`Checkpoint::read`].
    pub fn take(&mut self, number: u64, envelope: Verified<Envelope>) -> Result<(), ChainError> {
        let cid = envelope.cid();
        if self.leads.get(&number) != Some(&cid) {
            return Err(ChainError { cid, fault: Fault::OtherBlock });
        }
        let checkpoint = Checkpoint::read(self.owner, envelope)?;
        if checkpoint.number != number {
            let fault = Fault::Number { is: checkpoint.number, expected: number };
            return Err(ChainError { cid, fault });
        }
        self.follow(checkpoint)
    }

    /// Judges the whole chain; answers it from number 0 to the newest.
    ///
    /// # Errors
    /// `Missing` if something is still wanted, else the first by number that does not follow the one before it.
    pub fn finish(self) -> Result<Vec<Checkpoint>, ChainError> {
        if let Some((number, cid)) = self.wanted().next() {
            return Err(ChainError { cid, fault: Fault::Missing(number) });
        }
        let mut chain = Chain::new(self.owner);
        for checkpoint in self.found.values() {
            chain.add(checkpoint.clone())?;
        }
        Ok(self.found.into_values().collect())
    }

    fn follow(&mut self, checkpoint: Checkpoint) -> Result<(), ChainError> {
        let mut leads = BTreeMap::new();
        for (k, number, cid) in checkpoint.links() {
            let known = self.leads.get(&number).or_else(|| leads.get(&number));
            if known.is_some_and(|known| *known != cid) {
                return Err(ChainError { cid: checkpoint.cid(), fault: Fault::Skip { k, number } });
            }
            leads.insert(number, cid);
        }
        self.leads.extend(leads);
        self.found.insert(checkpoint.number, checkpoint);
        Ok(())
    }
}
