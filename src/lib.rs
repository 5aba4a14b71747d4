//! The library behind the binary `dta`: module map.
//!
//! ```text
//! api ─> actors ─> dta-events (rules) ─> dta-protocol ─> dta-crypto
//!          │  log, seeds, views, timers, crypto pool
//!          └─> dta-projections (read models)
//! ```
//!
//! `cli` reads the command line, `config` the settings, `node` wires everything together, `recovery` builds a lost log
//! again from IPFS; `ports` holds clock and
//! entropy, `home` the files' places, `http_client` what calls out.

pub mod actors;
pub mod api;
pub mod backoff;
pub mod cli;
pub mod config;
pub mod contain;
pub mod crash_points;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod harden;
pub mod home;
mod http_client;
pub mod keystore;
pub mod node;

pub mod ports;
pub mod quota;
pub mod recovery;
mod time;
