//! Fills a new log with the records of an older one, from copies of them, as if each had just been appended.

use super::commit::{Draft, Stop};
use super::open::{Log, Writing};
use super::port::{Block, BlockClass, Damage, NotWritten, ReadError};
use super::reindex::index_timers;
use super::store::{EngineError, Store};

/// A record from elsewhere.
pub struct Adopted {
    /// As it was stored.
    pub record: Vec<u8>,
    /// The blocks that it published; those that are there already are passed over.
    pub blocks: Vec<Block>,
}

impl<S: Store> Log<S, Writing> {
    /// Takes records that follow its last one, in one synced write: all of them, or none. Whether they are those that the log
    /// has committed to is the caller's to check; they form a chain, and take nothing twice.
    ///
    /// # Errors
    /// `Damaged` for the first that does not follow, that this program does not understand, or that takes what is taken.
    pub fn adopt(&self, batch: Vec<Adopted>) -> Result<(), ReadError> {
        let mut pen = self.writing.pen.lock().map_err(|_| stopped())?;
        let mut draft = Draft::after(pen.head, pen.frontier.clone(), &self.store, &*self.indexing);
        for Adopted { record, blocks } in batch {
            let sequence = draft.head.count;
            draft.adopt(record, blocks).map_err(|stop| match stop {
                Stop::Failed(error) => error,
                Stop::Refused(why) => Damage::Record { sequence, reason: refusal(why) }.into(),
            })?;
        }
        let (head, frontier, changes) = draft.finish();
        self.store.write(changes)?;
        (pen.head, pen.frontier) = (head, frontier);
        Ok(())
    }

    /// Takes held blocks that its records name, in one synced write. One that is there stays.
    ///
    /// # Errors
    /// `Engine` if the disk fails.
    pub fn hold(&self, blocks: Vec<Block>) -> Result<(), ReadError> {
        let blocks = blocks.into_iter().map(|block| Block { class: BlockClass::Held, ..block }).collect();
        let pen = self.writing.pen.lock().map_err(|_| stopped())?;
        let mut draft = Draft::after(pen.head, pen.frontier.clone(), &self.store, &*self.indexing);
        match draft.change_blocks(pen.head.count, blocks, &[], &[]) {
            Ok(()) => Ok(self.store.write(draft.kept())?),
            Err(Stop::Failed(error)) => Err(error),
            Err(Stop::Refused(why)) => Err(EngineError(refusal(why)).into()),
        }
    }

    /// Sets the timers of all that was adopted. `progress` is told how many records' histories are done.
    ///
    /// # Errors
    /// `Engine` if the disk fails.
    pub fn set_timers(&self, progress: &mut dyn FnMut(u64)) -> Result<(), ReadError> {
        let _pen = self.writing.pen.lock().map_err(|_| stopped())?;
        index_timers(self, progress)
    }
}

fn refusal(why: NotWritten) -> String {
    why.to_string()
}

fn stopped() -> ReadError {
    EngineError("a commit before this one broke off".into()).into()
}
