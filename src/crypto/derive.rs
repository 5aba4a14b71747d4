//! Key derivation: HKDF-SHA256 (RFC 5869) with an empty salt, and one label for each purpose.

use hkdf::Hkdf;
use sha2::Sha256;

use crate::{Secret, impossible};

/// HKDF-SHA256 of `ikm` with an empty salt; the parts of `info` are joined. `N` is at most 8,160 (checked when
/// compiling).
pub fn hkdf<const N: usize>(ikm: &[u8], info: &[&[u8]]) -> Secret<N> {
    const { assert!(N <= 255 * 32) };
    Secret::build(|okm| {
        if Hkdf::<Sha256>::new(None, ikm).expand_multi_info(info, okm).is_err() {
            impossible();
        }
    })
}

/// The 32 bytes of a seed that serve one purpose and nothing else: info `milagro-dta/v1/<purpose>`.
pub fn purpose(seed: &Secret<32>, purpose: &str) -> Secret<32> {
    hkdf(seed.expose(), &[b"milagro-dta/v1/", purpose.as_bytes()])
}

/// The seed of an identity hosted on a node, from the node's seed and the identity's UUID (16 bytes, from the log).
pub fn hosted_seed(node_seed: &Secret<32>, uuid: &[u8; 16]) -> Secret<32> {
    hkdf(node_seed.expose(), &[b"milagro-dta/v1/hosted/", uuid])
}
