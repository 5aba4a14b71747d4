//! Many clients at once, and a disk that is slow or full: each order ends one way, each answer is of that way, and what
//! was not done is said.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod crowd;
mod disk;
mod flight;
mod full;
#[path = "../kit/mod.rs"]
mod kit;
mod one_key;
mod one_order;
mod slow;
