//! The binary
fn main() {}
