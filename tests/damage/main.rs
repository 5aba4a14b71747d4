//! A home whose files were cut, changed, exchanged or lost: refused with an error that says what to do, or served with all
//! that was acknowledged; never shorter in silence, never with another commitment or secret.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod chains;
mod exchange;
mod harm;
mod inside;
mod judge;
#[path = "../kit/mod.rs"]
mod kit;
mod outside;
mod published;
mod rollback;
mod specimen;
