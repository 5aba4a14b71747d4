//! What happened and what may happen: the aggregates, their rules and the stored record. PURE: no clock, no randomness,
//! no I/O; time and results are arguments. A test holds the whole dependency tree to an allow-list.
//!
//! A command meets `prepare(state, command, facts)`, which makes all checks and names what to sign, seal or derive; the
//! actor does that; `decide` checks again and gives events; `apply` folds events into state.

pub mod codec;
pub mod identity;
pub mod ids;
pub mod index;
pub mod log;
pub mod node;
pub mod order;
pub mod peer;
pub mod record;
pub mod rules;
pub mod stored;

pub use rules::{Rules, replay_identity, replay_order, replay_peer};
