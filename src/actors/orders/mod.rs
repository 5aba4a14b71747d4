//! Orders: one FIFO for each order, many orders at once. `desk` is what the API and the timers call; `shard` is the actor;
//! `requests` is what clients ask; `course` takes one command through prepare, work, decide, append, apply; `work` signs and
//! seals what prepare named; `reopen` reads back what an earlier step sealed; `shred` destroys a seed. Between nodes:
//! `arrival` is what came, `believe` verifies and opens it, `arrive` takes it; `parcel` is what goes out.

mod arrival;
mod arrive;
mod believe;
mod course;
mod desk;
mod error;
mod message;
mod parcel;
mod plugin;
mod prior;
mod reopen;
mod requests;
mod shard;
mod shred;
mod slot;
#[cfg(test)]
pub(crate) mod testing;
mod work;

pub use arrival::{Arrival, ArrivalError};
pub use arrive::Arrived;
pub use desk::Desk;
pub use error::OrderError;
pub use message::{Named, Place, Placed, Redeem, Redeemed, Stands};
pub use parcel::Parcel;
pub use prior::{Prior, prior};
pub use shard::Shard;
