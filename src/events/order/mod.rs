//! The order: one aggregate a node, whatever the node's roles in it. `prepare` judges a command and names the work,
//! `decide` turns the work's results into events, `apply` folds events into state; `table` says what follows what.

mod apply;
mod between;
mod command;
mod custody;
mod decide;
mod due;
mod event;
mod judge;
mod outbox;
mod prepare;
mod rejection;
mod said;
mod state;
mod table;
mod terms;

pub use between::{Answered, Root};
pub use command::{Command, Content, Draft, Facts, Made, ReceivedStep, Verdict, Work};
pub use custody::Custody;
pub use due::Due;
pub use event::{
    ClosedCode, DisputeCode, Event, Hosts, Origin, Outcome, Parties, Step, StepAppended, StepFacts, Terms,
};
pub use judge::CLOCK_SKEW_MS;
pub use outbox::{Delivery, MAX_CODE_BYTES, is_code};
pub use rejection::Rejection;
pub use said::{Said, said};
pub use state::{Accepted, Ended, HeldSecret, Order, TurnedDown};
pub use table::{Party, RULES, Rule, Stage, rule};
pub use terms::{RETENTION_LIMIT_MS, TIME_LIMIT_MS};

#[cfg(test)]
mod tests;
