//! An identity as a node knows it: hosted here, or learned from its document. Its id is the CID of that document.

mod apply;
mod command;
mod decide;
mod event;
mod prepare;
mod rejection;
mod state;

pub use command::{Command, Work};
pub use event::{Event, Known};
pub use prepare::check_name;
pub use rejection::Rejection;
pub use state::{Identity, RULES, Rule, Standing};

#[cfg(test)]
mod tests;
