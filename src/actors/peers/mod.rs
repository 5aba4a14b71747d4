//! Other nodes: whom this node's operator trusts, and where they serve.

pub mod book;
pub mod pins;
pub mod url;
