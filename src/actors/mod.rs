//! All I/O, no rules: each actor gathers facts, asks the pure rules of `dta-events`, does the work they name, and appends.

pub mod checkpoints;
pub mod clock_watch;
pub mod crypto_pool;
pub mod follow;
pub mod identities;
pub mod ipfs;
pub mod keyring;
pub mod log;
pub mod mirror;
pub mod network;
pub mod order_chain;
pub mod orders;
pub mod outbox;
pub mod peers;
pub mod plugged;
pub mod projector;
pub mod proofs;
pub mod seeds;
pub mod services;
pub mod timers;
pub mod unavailable;
pub mod verifier;
pub mod views;
pub mod witness;
