//! Calls between two whole nodes over real HTTP, with the real client, and with somebody on the way.

mod answers;
mod calls;
mod kit;
mod outsiders;
