//! How many of the newest blocks the exchange keeps, and from where on it does.

use super::look::Look;
use super::position::Position;
use super::{BATCH, Copier, Failure, blocking, cid_of};
use crate::actors::log::{LogReader, PublishedAt, ReadError};

/// Blocks looked at together when they are counted.
const COUNTED: usize = 256;

/// What is kept of what was copied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retention {
    /// How many may be; none: all.
    most: Option<u64>,
    /// How many are.
    pub(super) blocks: u64,
    /// All up to this place is forgotten, or was never copied.
    pub(super) forgotten: Option<PublishedAt>,
}

impl Retention {
    pub(super) fn new(most: Option<u64>) -> Self {
        Self { most, blocks: 0, forgotten: None }
    }

    /// What is kept by an exchange with this position. Without one it begins with what the newest records published: a
    /// record publishes two blocks or three, so that is enough, and what is older need not be copied to be forgotten.
    pub(super) fn find(
        most: Option<u64>,
        position: Option<Position>,
        log: &dyn LogReader,
    ) -> Result<Self, ReadError> {
        let mut found = Self::new(most);
        let Some(most) = most else { return Ok(found) };
        let Some(position) = position else {
            let first = log.head()?.count.saturating_sub(most);
            found.forgotten = first.checked_sub(1).map(|sequence| PublishedAt { sequence, n: u32::MAX });
            return Ok(found);
        };
        found.forgotten = position.forgotten;
        let mut after = position.forgotten;
        loop {
            let some = log.published(after, COUNTED)?;
            let kept = some.iter().take_while(|(at, _)| *at <= position.at).count();
            found.blocks += kept as u64;
            if kept < COUNTED {
                return Ok(found);
            }
            after = some.last().map(|(at, _)| *at);
        }
    }

    /// How many more than may be.
    pub(super) fn too_many(&self) -> u64 {
        self.most.map_or(0, |most| self.blocks.saturating_sub(most))
    }
}

impl Copier {
    /// Takes back what is too much; what is noted then is never more than what was done.
    pub(super) async fn forget_the_oldest(&mut self) -> Result<(), Failure> {
        while let too_many @ 1.. = self.kept.too_many() {
            let (log, forgotten) = (self.parts.log.clone(), self.kept.forgotten);
            let limit = BATCH.min(usize::try_from(too_many).unwrap_or(BATCH));
            let oldest = blocking(move || log.published(forgotten, limit)).await??;
            if oldest.is_empty() {
                // It was counted wrong: nothing is there to be too much.
                self.kept.blocks = 0;
            }
            for (at, block) in oldest {
                self.parts.exchange.forget(cid_of(&block)?).await?;
                self.kept.forgotten = Some(at);
                self.kept.blocks = self.kept.blocks.saturating_sub(1);
                self.after = self.after.map(|after| Position { forgotten: Some(at), ..after });
            }
        }
        // It need not look for what it has taken back.
        if let Look::At { after, until } = self.look {
            self.look = Look::At { after: after.max(self.kept.forgotten), until };
        }
        Ok(())
    }
}
