//! Orders: one FIFO for each order, many orders at once. `desk` is what the API and the timers call; `shard` is the actor;
//! `requests` is what clients ask; `course` takes one command through prepare, work, decide, append, apply; `work` signs and
//! seals what prepare named; `reopen` reads back what an earlier step sealed.

mod course;
mod desk;
mod error;
mod message;
mod prior;
mod reopen;
mod requests;
mod shard;
mod slot;
mod work;

pub use desk::Desk;
pub use error::OrderError;
pub use message::{Named, Place, Placed, Redeem, Redeemed};
pub use prior::{Prior, prior};
pub use shard::Shard;
