//! Addresses of Bitcoin that a public key is paid at.
//!
//! The key is the sum of several parties' keys ([`crate::keys`]); the secret that a wallet needs is the sum of theirs.

use bech32::{hrp, segwit};
use dta_crypto::bip340;
use k256::elliptic_curve::PrimeField;
use k256::{ProjectivePoint, Scalar};
use ripemd::Ripemd160;
use sha2::{Digest, Sha256};

use crate::impossible;
use crate::keys::PublicPoint;

/// A network, and with it the prefix of its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// The network whose coins are money: `1…`, `bc1…`.
    Main,
    /// Test networks, signet too: `m…` or `n…`, `tb1…`.
    Test,
}

/// What an output asks of who spends it, and with it the form of the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressType {
    /// Pay to public key hash, of the uncompressed key, in Base58Check: what the original D-TA makes. The secret must be
    /// imported as the key of an uncompressed public key, else a wallet looks at another address.
    P2pkhUncompressed,
    /// Pay to witness public key hash (BIP141), of the compressed key, in Bech32 (BIP173).
    P2wpkh,
    /// Pay to taproot (BIP341) by the key alone, as BIP86 has it, in Bech32m (BIP350). The secret is that of the *internal* key:
    /// a wallet that imports it, in a descriptor `tr(…)`, tweaks it itself.
    P2tr,
}

impl AddressType {
    /// As an order's `addressType` names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::P2pkhUncompressed => "p2pkh",
            Self::P2wpkh => "p2wpkh",
            Self::P2tr => "p2tr",
        }
    }

    /// The one that is named so.
    pub fn named(name: &str) -> Option<Self> {
        [Self::P2pkhUncompressed, Self::P2wpkh, Self::P2tr].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// The address at which `point` is paid.
pub fn address(point: &PublicPoint, network: Network, kind: AddressType) -> String {
    match kind {
        AddressType::P2pkhUncompressed => base58_check(network, &hash160(&point.uncompressed())),
        AddressType::P2wpkh => bech32_check(network, segwit::VERSION_0, &hash160(&point.compressed())),
        AddressType::P2tr => bech32_check(network, segwit::VERSION_1, &output_key(point)),
    }
}

/// RIPEMD-160 of SHA-256.
fn hash160(bytes: &[u8]) -> [u8; 20] {
    Ripemd160::digest(Sha256::digest(bytes)).into()
}

fn base58_check(network: Network, hash: &[u8; 20]) -> String {
    let version = match network {
        Network::Main => 0,
        Network::Test => 0x6f,
    };
    bs58::encode(hash).with_check_version(version).into_string()
}

fn bech32_check(network: Network, version: bech32::Fe32, program: &[u8]) -> String {
    let prefix = match network {
        Network::Main => hrp::BC,
        Network::Test => hrp::TB,
    };
    segwit::encode(prefix, version, program).unwrap_or_else(|_| impossible())
}

/// The x coordinate of Q = P + hash_TapTweak(x)·G, where P is the point of even y with the internal key's x (BIP341): an
/// output without scripts, which nobody can spend but by its key.
fn output_key(internal: &PublicPoint) -> [u8; 32] {
    let x = internal.x_only();
    let mut even = [2; 33];
    even.iter_mut().skip(1).zip(x).for_each(|(to, from)| *to = from);
    let even = PublicPoint::parse(&even).unwrap_or_else(|_| impossible());
    // Not below the order, or the opposite of the key: for a hash a chance of 2^-127 each.
    let tweak = Scalar::from_repr(bip340::tagged_hash("TapTweak", &x).into()).into_option();
    let tweak = ProjectivePoint::GENERATOR * tweak.unwrap_or_else(|| impossible());
    let output = PublicPoint::of_projective(tweak + even.key().as_affine());
    output.unwrap_or_else(|| impossible()).x_only()
}
