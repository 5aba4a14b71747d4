//! What a page of another node's log must be to be believed, and what is held of the log with it. Pure: it works on bytes from
//! outside, and signatures, so it belongs on the crypto pool.

use std::collections::HashMap;

use dta_proof::{Note, NoteError};
use dta_protocol::page::PageError;
use dta_protocol::{
    BlockPage, Body, CarError, Cid, Codec, Envelope, EnvelopeError, Identity, Kind, Place, Statement, car,
};
use thiserror::Error;

/// A checkpoint of a followed log, signed by its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Its envelope.
    pub cid: Cid,
    /// Which it is.
    pub number: u64,
    /// The epoch of the log.
    pub epoch: u64,
    /// How many records it is of.
    pub size: u64,
    /// The record that published it.
    pub sequence: u64,
}

/// What is held of a followed log: all that it published up to a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Where the last block stands; none: nothing is held yet.
    pub last: Option<Place>,
    /// How many blocks are held.
    pub blocks: u64,
    /// The newest checkpoint among them.
    pub newest: Option<Checkpoint>,
    /// The newest that is held whole, with all that its record and those before it published.
    pub whole: Option<Checkpoint>,
    /// The epoch as which the log has been copied from its beginning: a recovery may have other blocks where others stood.
    pub epoch: u64,
}

/// The next blocks of a log, each with its place and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// In the order of their places.
    pub blocks: Vec<(Place, Cid, Vec<u8>)>,
    /// Whether there are more.
    pub more: bool,
}

/// Why what a node gives is not what its log publishes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotItsLog {
    /// No CAR: it is cut, or a block in it is another than its name says.
    #[error("it gives no page of its log: {0}")]
    Car(#[from] CarError),
    /// No page at its root.
    #[error("it gives no page of its log: {0}")]
    Page(#[from] PageError),
    /// The decoder met a fault of its own.
    #[error("it gives no page of its log: this input met a fault of the program")]
    Fault,
    /// What it names is not what it brings.
    #[error("block {0}: the page names it and does not bring it, or brings it and does not name it")]
    OtherBlocks(Cid),
    /// It begins again.
    #[error("the page does not go on after the place that was asked for")]
    Backwards,
    /// Another log than before.
    #[error("block {cid}: another stands at {sequence}.{n} of its log now than when it was copied", sequence = .at.sequence, n = .at.n)]
    Changed {
        /// The block that was copied.
        cid: Cid,
        /// Where.
        at: Place,
    },
    /// A checkpoint that the owner of the log did not sign.
    #[error("checkpoint {cid}: {why}")]
    Checkpoint {
        /// Which.
        cid: Cid,
        /// What is wrong.
        #[source]
        why: EnvelopeError,
    },
    /// A checkpoint whose note is not of this log.
    #[error("checkpoint {cid}: {why}")]
    Note {
        /// Which.
        cid: Cid,
        /// What is wrong.
        #[source]
        why: NoteError,
    },
    /// Its owner recovered it, and records are lost: what stands where is to be asked anew.
    #[error("checkpoint {cid}: its log is of epoch {epoch} now")]
    NewEpoch {
        /// Which.
        cid: Cid,
        /// The new epoch.
        epoch: u64,
    },
    /// A checkpoint is left out, or comes again.
    #[error("checkpoint {cid}: has the number {found}, and {expected} comes next")]
    Number {
        /// Which.
        cid: Cid,
        /// What it says.
        found: u64,
        /// What it must say.
        expected: u64,
    },
    /// It goes on from another checkpoint.
    #[error("checkpoint {0}: does not link to the one that came before it")]
    Previous(Cid),
    /// It is of fewer records than the one before.
    #[error("checkpoint {0}: is of fewer records than the one before it")]
    Shorter(Cid),
}

impl NotItsLog {
    /// A stable name for this error.
    pub const fn code(&self) -> &'static str {
        match self {
            NotItsLog::Car(error) => error.code(),
            NotItsLog::Page(_) => "page-malformed",
            NotItsLog::Fault => "page-fault",
            NotItsLog::OtherBlocks(_) => "page-other-blocks",
            NotItsLog::Backwards => "page-backwards",
            NotItsLog::Changed { .. } => "log-changed",
            NotItsLog::Checkpoint { why, .. } => why.code(),
            NotItsLog::Note { why, .. } => why.code(),
            NotItsLog::NewEpoch { .. } => "log-new-epoch",
            NotItsLog::Number { .. } => "checkpoint-number",
            NotItsLog::Previous(_) => "checkpoint-previous",
            NotItsLog::Shorter(_) => "checkpoint-shorter",
        }
    }
}

impl Page {
    /// Reads an answer to what comes after this place. Every block is what its name says.
    ///
    /// # Errors
    /// It is none.
    pub fn decode(body: &[u8], after: Option<Place>) -> Result<Self, NotItsLog> {
        let (root, blocks) = car::decode(body)?;
        let mut brought: HashMap<Cid, Vec<u8>> = blocks.into_iter().collect();
        let page = brought.remove(&root).ok_or(CarError::RootMissing(root))?;
        let BlockPage { blocks: named, more } = BlockPage::decode(&page)?;
        if named.first().is_some_and(|(first, _)| after.is_some_and(|after| *first <= after)) {
            return Err(NotItsLog::Backwards);
        }
        let block = |(at, cid)| match brought.remove(&cid) {
            Some(bytes) => Ok((at, cid, bytes)),
            None => Err(NotItsLog::OtherBlocks(cid)),
        };
        let blocks = named.into_iter().map(block).collect::<Result<_, _>>()?;
        match brought.keys().next() {
            None => Ok(Self { blocks, more }),
            Some(unnamed) => Err(NotItsLog::OtherBlocks(*unnamed)),
        }
    }
}

impl Held {
    /// What is held once a page is held too, and the note of its last checkpoint.
    ///
    /// # Errors
    /// A checkpoint in it is not the owner's, or not the next of its log.
    pub fn with(&self, page: &Page, owner: &Identity) -> Result<(Self, Option<Note>), NotItsLog> {
        let (mut held, mut last) = (self.clone(), None);
        for (at, cid, block) in &page.blocks {
            // A record's blocks are published together: those of the last one are all here once another's come.
            held.whole = held.newest.clone().filter(|newest| newest.sequence < at.sequence).or(held.whole);
            (held.last, held.blocks) = (Some(*at), held.blocks.saturating_add(1));
            if let Some((checkpoint, note)) = held.checkpoint(at, *cid, block, owner)? {
                (held.newest, last) = (Some(checkpoint), Some(note));
            }
        }
        if !page.more {
            held.whole.clone_from(&held.newest);
        }
        Ok((held, last))
    }

    /// The next checkpoint, if the block is one. What this version does not know is kept as it is.
    fn checkpoint(
        &self,
        at: &Place,
        cid: Cid,
        block: &[u8],
        owner: &Identity,
    ) -> Result<Option<(Checkpoint, Note)>, NotItsLog> {
        if cid.codec() != Codec::DagCbor {
            return Ok(None);
        }
        let Ok(envelope) = Envelope::decode(block) else { return Ok(None) };
        if envelope.statement().kind != Kind::Checkpoint {
            return Ok(None);
        }
        let envelope = envelope.verify(owner).map_err(|why| NotItsLog::Checkpoint { cid, why })?;
        let Statement { body: Body::Checkpoint(body), previous, .. } = envelope.statement() else {
            return Ok(None);
        };
        let note = Note::verify(&body.note, owner).map_err(|why| NotItsLog::Note { cid, why })?;
        let (epoch, size) = (note.origin().epoch, note.size());
        if epoch > self.epoch {
            return Err(NotItsLog::NewEpoch { cid, epoch });
        }
        // A recovery tells of its last one again.
        if self.newest.as_ref().is_some_and(|newest| newest.cid == cid) {
            return Ok(None);
        }
        let expected = self.newest.as_ref().map_or(0, |newest| newest.number.saturating_add(1));
        if body.number != expected {
            return Err(NotItsLog::Number { cid, found: body.number, expected });
        }
        if *previous != self.newest.as_ref().map(|newest| newest.cid) {
            return Err(NotItsLog::Previous(cid));
        }
        if self.newest.as_ref().is_some_and(|newest| (epoch, size) < (newest.epoch, newest.size)) {
            return Err(NotItsLog::Shorter(cid));
        }
        let checkpoint = Checkpoint { cid, number: body.number, epoch, size, sequence: at.sequence };
        Ok(Some((checkpoint, note)))
    }
}
