//! Logs, a history for each: of the node's own the checkpoints by which it has committed to it before others, of others' the
//! notes by which they have, and whether what they sign stands in them.

mod checkpoint;
mod event;
mod schema1;
mod statements;
mod unsettled;
mod watch;

pub use checkpoint::{Checkpoints, Draft, Facts, Last, Made, Model, Pace};
pub use event::{CHECKPOINT, Checkpointed, Event, WATCH};
pub use statements::{Heard, MISSING_STATEMENT, Missing, Patience, Statements, Taken};
pub use unsettled::{Unsettled, WAITING_MAX};
pub use watch::{Alarm, AlarmCode, Answer, Change, Question, Standing, Tip, Watched};

#[cfg(test)]
mod tests;
