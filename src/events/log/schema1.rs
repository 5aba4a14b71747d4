//! What schema 1 of the events about others' logs holds: no trees besides the longest, and no statements.

use serde::Deserialize;

use super::statements::Statements;
use super::watch::{Alarm, Tip, Watched};

/// [`Watched`] as it was. Frozen.
#[derive(Deserialize)]
pub(super) struct Watched1 {
    proved: Option<Tip>,
    pending: Vec<Tip>,
    alarms: Vec<Alarm>,
}

impl From<Watched1> for Watched {
    fn from(old: Watched1) -> Self {
        let Watched1 { proved, pending, alarms } = old;
        Self { proved, before: Vec::new(), pending, alarms, statements: Statements::default() }
    }
}
