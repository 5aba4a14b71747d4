//! Service plugins: what they are (`plugin`), which there are (`registry`), and the three that ship (`milagro`, `safeguardsecret`,
//! `bitcoinwallet`). Pure: no I/O, no clock; randomness is injected ([`dta_crypto::Entropy`]).
//!
//! Below them: `ecies` seals a text to an order's commitment; `keys` adds the keys of several parties; `share` proves that one of
//! them holds its part; `bitcoin` writes the sum as an address; `field` reads all of these from an order's extension.

pub mod bitcoin;
mod bitcoinwallet;
pub mod ecies;
pub mod field;
pub mod keys;
pub mod milagro;
mod plugin;
mod registry;
mod safeguardsecret;
pub mod share;

#[cfg(test)]
mod tests;

pub use bitcoinwallet::BitcoinWallet;
pub use keys::PublicPoint;
pub use milagro::Milagro;
pub use plugin::*;
pub use registry::{NAME_MAX, Registry, RegistryError, is_name};
pub use safeguardsecret::SafeguardSecret;

/// Ends the process where an interface allows an error that cannot occur: a length fixed by a type, or a chance
/// below 2^-120. A made-up address instead would be paid to.
pub(crate) fn impossible() -> ! {
    std::process::abort()
}
