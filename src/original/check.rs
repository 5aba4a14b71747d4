//! Whether a seed is the one of its order: whether it gives the commitment that the client has.

use dta_crypto::OrderKey;
use dta_plugins::keys::{COMPRESSED_BYTES, PublicPoint, add_points};

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// Nobody said what the commitment is.
    Unchecked,
    /// The seed gives it.
    Matches,
    /// The seed's key and that of an identity here add up to it: `bitcoinwallet`, with this identity as beneficiary.
    Sum {
        /// Which of the identities that were given.
        identity: usize,
    },
    /// It is compressed, as a sum of `bitcoinwallet` is, and the other addend is not here.
    OtherAddend,
    /// The seed does not give it: the seed is damaged, or of another order.
    Differs,
}

/// Compares the commitment that a client has with the order's key, and with its sums with the keys of `identities`.
pub fn check(order: &OrderKey, commitment: Option<&[u8]>, identities: &[OrderKey]) -> Checked {
    let Some(bytes) = commitment else { return Checked::Unchecked };
    let Ok(commitment) = PublicPoint::parse(bytes) else { return Checked::Differs };
    let own = PublicPoint::of(order);
    if own == commitment {
        return Checked::Matches;
    }
    let sum = |key: &OrderKey| add_points(&own, &PublicPoint::of(key)).ok();
    match identities.iter().position(|key| sum(key) == Some(commitment)) {
        Some(identity) => Checked::Sum { identity },
        None if bytes.len() == COMPRESSED_BYTES => Checked::OtherAddend,
        None => Checked::Differs,
    }
}
