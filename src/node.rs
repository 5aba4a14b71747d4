//! A node, wired: makes a home, opens it, starts the threads and actors, and stops them in the order that loses nothing.

pub mod copies;
pub mod custody;
pub mod derived;
pub mod init;
pub mod make;
pub mod open;
pub mod original;
pub mod publishing;
pub mod start;

pub use copies::CopiesError;
pub use derived::DerivedError;
pub use init::{InitError, Initialised, initialise};
pub use open::{OpenNode, OpenNodeError};
pub use publishing::{Publishing, PublishingError, PublishingHandle};
pub use start::{Running, StartError};

/// The node's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
