//! Once after a start: whether what was copied before is still there.

use std::time::Duration;

use super::{BATCH, Copier, Failure, blocking, cid_of};
use crate::actors::log::PublishedAt;

/// How long it leaves the disk to others between two batches.
pub(super) const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// How far the look at what was copied before this start has come: the exchange's files may have been lost or damaged.
#[derive(Clone, Copy)]
pub(super) enum Look {
    /// Of what was copied up to `until`, all up to `after` is there. What is copied since is not looked at.
    At {
        after: Option<PublishedAt>,
        until: PublishedAt,
    },
    Done,
}

impl Copier {
    /// Looks at the next blocks that should be there, and copies again those that are not, or not whole.
    pub(super) async fn look_again(&mut self) -> Result<(), Failure> {
        let Look::At { after, until } = self.look else { return Ok(()) };
        let log = self.parts.log.clone();
        let mut batch = blocking(move || log.published(after, BATCH)).await??;
        batch.retain(|(at, _)| *at <= until);
        if batch.is_empty() {
            self.look = Look::Done;
            if self.mended > 0 {
                let blocks = self.mended;
                tracing::warn!(blocks, "blocks on IPFS were missing or damaged, and were copied again");
            }
        }
        for (at, block) in batch {
            let cid = cid_of(&block)?;
            if !self.parts.exchange.whole(cid).await? {
                self.parts.exchange.put(block).await?;
                self.mended += 1;
            }
            self.look = Look::At { after: Some(at), until };
        }
        Ok(())
    }
}
