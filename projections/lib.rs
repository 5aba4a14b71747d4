//! Read models, pure: from the rows that a record names and the record to row changes. They send nothing, read no clock,
//! and depend on nothing but the log, so that a rebuild gives the same bytes.

mod digest;
mod history;
mod identities;
mod orders;
mod peers;
mod projection;

pub use digest::{Digest, advance, genesis};
pub use history::{Entry, History, HistoryRow, history_prefix};
pub use identities::{Identities, IdentityRow, identity_key, identity_ordinal_key};
pub use orders::{
    OUTSTANDING_PREFIX, OrderRow, Orders, Outstanding, order_key, order_ordinal_key, outstanding_key,
    placed_key, reference_key,
};
pub use peers::{PEER_PREFIX, PeerRow, Peers};
pub use projection::{COUNT_KEY, Change, Projection, ProjectionError, Rows, decode_row};

/// Every projection there is, by name.
pub fn all() -> [&'static dyn Projection; 4] {
    [&Orders, &Identities, &History, &Peers]
}
