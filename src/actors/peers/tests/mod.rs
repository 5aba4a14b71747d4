//! Signed requests and answers against vectors made by others, and what the parts around them promise.

mod client;
mod nonces;
mod rfc;
mod roundtrip;
mod strict;
mod url;
mod vectors;
