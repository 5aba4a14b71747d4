//! Logs, a history for each: of the node's own the checkpoints by which it has committed to it before others, of others' the
//! notes by which they have.

mod checkpoint;
mod event;
mod watch;

pub use checkpoint::{Checkpoints, Draft, Facts, Last, Made, Model, Pace};
pub use event::{CHECKPOINT, Checkpointed, Event, WATCH};
pub use watch::{Alarm, AlarmCode, Answer, Change, Question, Tip, Watched};

#[cfg(test)]
mod tests;
