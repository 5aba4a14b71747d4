//! The end of a seed: what policy asks of an order that has ended, and the destruction itself.

use dta_events::order::{Command, Due, Rejection};
use dta_protocol::Cid;

use super::course::{Cause, Course};
use super::error::OrderError;
use super::message::Stands;
use super::work::Unsealed;
use crate::actors::seeds::SeedError;
use crate::actors::unavailable::Unavailable;

impl Course<'_> {
    /// The seed of an order that has ended is to be destroyed at this time; if that has come, it is destroyed here.
    pub(super) async fn shred(&mut self, placed: Option<Cid>, at_ms: u64) -> Result<Stands, OrderError> {
        self.is_named(placed)?;
        self.run(&Command::ShredAt { at_ms }, Unsealed::default(), Cause::Asked).await?;
        self.follow().await?;
        // It stays due, and the timers go on; but who asked for it is told what is in its way.
        if self.order()?.due(self.services.clock.wall_ms()) == Some(Due::Shred) {
            self.run(&Command::Shred, Unsealed::default(), Cause::Due).await?;
        }
        self.stands()
    }

    /// What the node's policy asks of the order, when nothing else is due.
    pub(super) fn by_policy(&self) -> Result<Option<Command>, Unavailable> {
        match self.services.shred_after_ms {
            Some(after_ms) => Ok(self.order()?.shred_by_policy(after_ms)),
            None => Ok(None),
        }
    }

    /// Destroys the order's seed in custody. A crash before that is in the log leaves it due: twice is as once.
    pub(super) async fn destroy_seed(&self) -> Result<(), OrderError> {
        let placed = self.order()?.placed().ok_or(Rejection::UnknownOrder)?;
        match self.services.seeds.shred(placed.to_bytes()).await {
            // Of an order that was closed before it was committed to there is none.
            Ok(()) | Err(SeedError::NotFound | SeedError::Shredded) => Ok(()),
            Err(why) => Err(Unavailable::Custody(why).into()),
        }
    }
}
