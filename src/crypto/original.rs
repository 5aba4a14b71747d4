//! Keys as the original derived them: BIP32 with a fault of its library.
//!
//! That library (btcutil's `hdkeychain` of April 2019) kept a derived key without its leading zero bytes, and hashed what was left as if
//! it were the beginning of 32 bytes. A hardened child of a key that begins with a zero byte is therefore not BIP32's. On the way
//! m/44'/0'/0' there are two such keys, so one order in 128 has another key than BIP32 gives. Its commitment is of that other one.

use bip39::Mnemonic;
use hmac::{Hmac, KeyInit, Mac};
use k256::SecretKey;
use sha2::Sha512;

use crate::order_key::seed_of;
use crate::{OrderKey, OrderKeyError, Secret, impossible};

/// The first child whose key is derived from the parent's secret half.
const HARDENED: u32 = 1 << 31;
/// m/44'/0'/0'/0/0.
const PATH: [u32; 5] = [HARDENED + 44, HARDENED, HARDENED, 0, 0];

/// The key of an order's seed as the original derived it: BIP39 entropy of 24 words, then m/44'/0'/0'/0/0.
pub fn original_order_key(seed: &Secret<32>) -> OrderKey {
    // 32 bytes are entropy of BIP39; a child key outside the range has a chance of 2^-127.
    let mnemonic = Mnemonic::from_entropy(seed.expose()).unwrap_or_else(|_| impossible());
    original_ec_key(seed_of(&mnemonic).expose()).unwrap_or_else(|_| impossible())
}

/// The EC key of an identity of the original's, from its seed: m/44'/0'/0'/0/0 without BIP39 before it. Its seeds have 48 bytes.
///
/// # Errors
/// [`OrderKeyError::SeedLength`]; [`OrderKeyError::ScalarRange`] with a chance of 2^-127.
pub fn original_ec_key(seed: &[u8]) -> Result<OrderKey, OrderKeyError> {
    if !(16..=64).contains(&seed.len()) {
        return Err(OrderKeyError::SeedLength(seed.len()));
    }
    let (mut key, mut chain) = hashed(b"Bitcoin seed", &[seed]);
    for (depth, child) in PATH.into_iter().enumerate() {
        // The master key had all its bytes.
        let zeros = if depth == 0 { 0 } else { key.expose().iter().take_while(|byte| **byte == 0).count() };
        let (tweak, next) = match child >= HARDENED {
            true => {
                let (zeros, significant) =
                    key.expose().split_at_checked(zeros).unwrap_or_else(|| impossible());
                hashed(chain.expose(), &[&[0], significant, zeros, &child.to_be_bytes()])
            }
            false => {
                let public = OrderKey::from_secret(Secret::build(|copy| *copy = *key.expose()))?.compressed();
                hashed(chain.expose(), &[&public, &child.to_be_bytes()])
            }
        };
        key = sum(&key, &tweak)?;
        chain = next;
    }
    OrderKey::from_secret(key)
}

/// The halves of an HMAC-SHA512.
fn hashed(key: &[u8], parts: &[&[u8]]) -> (Secret<32>, Secret<32>) {
    let mut hmac = <Hmac<Sha512> as KeyInit>::new_from_slice(key).unwrap_or_else(|_| impossible());
    for part in parts {
        hmac.update(part);
    }
    let full = Secret::<64>::from_bytes(hmac.finalize().into_bytes().into());
    let half = |from: usize| {
        Secret::build(|half: &mut [u8; 32]| {
            half.iter_mut().zip(full.expose().iter().skip(from)).for_each(|(to, from)| *to = *from);
        })
    };
    (half(0), half(32))
}

/// The sum of two keys modulo the order of secp256k1.
fn sum(a: &Secret<32>, b: &Secret<32>) -> Result<Secret<32>, OrderKeyError> {
    let scalar =
        |bytes: &Secret<32>| SecretKey::from_slice(bytes.expose()).map_err(|_| OrderKeyError::ScalarRange);
    let (a, b) = (scalar(a)?, scalar(b)?);
    let sum = zeroize::Zeroizing::new(*a.to_nonzero_scalar() + *b.to_nonzero_scalar());
    Ok(Secret::from_bytes(sum.to_bytes().into()))
}

#[cfg(test)]
mod tests {
    use super::{original_ec_key, original_order_key};
    use crate::{OrderKey, OrderKeyError, Secret};

    #[test]
    fn most_keys_are_those_of_bip32_and_one_in_128_is_not() {
        let mut others = 0;
        for i in 0..1_024_u16 {
            let seed = Secret::build(|seed: &mut [u8; 32]| seed[..2].copy_from_slice(&i.to_be_bytes()));
            others += usize::from(
                original_order_key(&seed).commitment() != OrderKey::from_seed(&seed).commitment(),
            );
        }
        assert!((1..=24).contains(&others), "{others}");
    }

    #[test]
    fn seeds_of_lengths_that_bip32_has_not() {
        for bytes in [0, 15, 65, 1_000] {
            assert_eq!(original_ec_key(&vec![1; bytes]).err(), Some(OrderKeyError::SeedLength(bytes)));
        }
        for bytes in [16, 48, 64] {
            original_ec_key(&vec![1; bytes]).unwrap();
        }
    }
}
