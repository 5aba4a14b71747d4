//! The API over a whole node in this process: its own log, custody and read models, and a clock that the test sets.

mod bounds;
mod chance;
pub(crate) mod kit;
mod lifecycle;
mod log;
mod mirror;
mod peers;
mod plugin;
mod refused;
mod vectors;
mod wire;
