//! Reads the home of the original D-TA (Apache Milagro, Go): what it held, and what of it cannot be read. Changes nothing there.
//!
//! `home` reads the files; `bolt` the pages of its store, `gob` the values in them, `store` what they mean; `settings` and
//! `keys` its two other files; `answers` and `check` say whether a seed is the one that a client was promised. `kept` is what a
//! node of ours keeps of it, sealed. All but `home` is pure, and stands any bytes: no panic, no loop without end, memory in
//! proportion to the file.

pub mod answers;
pub mod bolt;
pub mod check;
mod gob;
pub mod home;
pub mod kept;
mod keys;
pub mod settings;
pub mod store;

#[cfg(test)]
mod tests;

pub use answers::{Answer, AnswersError};
pub use check::{Checked, check};
pub use home::{ReadError, read};
pub use kept::{Check, ImportedOrder, Judged, Kept, KeptError, Listed, Taken, judge};
pub use settings::Settings;
pub use store::{Identity, Left, Order};

/// What a home of the original holds.
pub struct Original {
    /// `config.yaml`.
    pub settings: Settings,
    /// Whose keys are here: the node's, and those of identities made over its API.
    pub identities: Vec<Identity>,
    /// Orders by their references, those without a seed too.
    pub orders: Vec<Order>,
    /// What cannot be taken over, or could not be read.
    pub left: Vec<Left>,
}
