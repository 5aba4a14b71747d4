//! The oracle is hpke's own X-Wing: whatever it is given, it must say the same.

use hpke::kem::XWing as Oracle;
use hpke::rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};

use super::*;

/// A source that the test decides: a hash chain.
struct Source([u8; 32]);

impl TryRng for Source {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        unreachable!("both draw bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        unreachable!("both draw bytes")
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in to.chunks_mut(32) {
            self.0 = Sha256::digest(self.0).into();
            chunk.copy_from_slice(&self.0[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Source {}

fn seed(n: u32) -> [u8; 32] {
    Sha256::digest(n.to_be_bytes()).into()
}

fn encapsulated<K: Kem>(public: &[u8], n: u32) -> Option<(Vec<u8>, Vec<u8>)> {
    let public = K::PublicKey::from_bytes(public).ok()?;
    let (secret, encapped) = K::encap_with_rng(&public, None, &mut Source(seed(n))).unwrap();
    Some((secret.0.to_vec(), encapped.to_bytes().to_vec()))
}

fn decapsulated<K: Kem>(key: &[u8], encapped: &[u8]) -> Vec<u8> {
    let (key, encapped) =
        (K::PrivateKey::from_bytes(key).unwrap(), K::EncappedKey::from_bytes(encapped).unwrap());
    K::decap(&key, None, &encapped).unwrap().0.to_vec()
}

fn public<K: Kem>(key: &[u8]) -> Vec<u8> {
    K::sk_to_pk(&K::PrivateKey::from_bytes(key).unwrap()).to_bytes().to_vec()
}

#[test]
fn keys_encapsulations_and_secrets_are_the_oracles() {
    for n in 0..64 {
        let key = seed(n);
        let public = public::<XWing>(&key);
        assert_eq!(public, self::public::<Oracle>(&key));
        let (secret, encapped) = encapsulated::<XWing>(&public, 1_000 + n).unwrap();
        assert_eq!(encapsulated::<Oracle>(&public, 1_000 + n).unwrap(), (secret.clone(), encapped.clone()));
        assert_eq!(decapsulated::<XWing>(&key, &encapped), secret);
        assert_eq!(decapsulated::<Oracle>(&key, &encapped), secret);
        assert_eq!(XWing::derive_keypair(&key).1.to_bytes(), Oracle::derive_keypair(&key).1.to_bytes());
    }
}

#[test]
fn a_changed_or_foreign_encapsulation_gives_the_oracles_secret() {
    let key = seed(7);
    let (secret, encapped) = encapsulated::<XWing>(&public::<XWing>(&key), 8).unwrap();
    for at in (0..encapped.len()).step_by(37).chain([ML_KEM_CIPHERTEXT_BYTES, encapped.len() - 1]) {
        for bit in [1, 0x80] {
            let mut changed = encapped.clone();
            changed[at] ^= bit;
            let got = decapsulated::<XWing>(&key, &changed);
            assert_eq!(got, decapsulated::<Oracle>(&key, &changed), "{at} {bit}");
            assert_ne!(got, secret);
        }
    }
    for fill in [0, 0xff] {
        let changed = vec![fill; encapped.len()];
        assert_eq!(decapsulated::<XWing>(&key, &changed), decapsulated::<Oracle>(&key, &changed));
    }
    let other = seed(9);
    assert_eq!(decapsulated::<XWing>(&other, &encapped), decapsulated::<Oracle>(&other, &encapped));
}

#[test]
fn points_of_low_order_and_not_canonical_ones_are_taken_as_by_the_oracle() {
    let key = seed(1);
    let (_, encapped) = encapsulated::<XWing>(&public::<XWing>(&key), 2).unwrap();
    let mut one = [0; 32];
    one[0] = 1;
    let mut p = [0xff; 32];
    (p[0], p[31]) = (0xed, 0x7f);
    let mut p_plus_two = p;
    p_plus_two[0] += 2;
    for point in [[0; 32], one, p, p_plus_two, [0xff; 32]] {
        let mut changed = encapped.clone();
        changed[ML_KEM_CIPHERTEXT_BYTES..].copy_from_slice(&point);
        assert_eq!(decapsulated::<XWing>(&key, &changed), decapsulated::<Oracle>(&key, &changed));
        let mut public = public::<XWing>(&key);
        public[ML_KEM_PUBLIC_BYTES..].copy_from_slice(&point);
        assert_eq!(encapsulated::<XWing>(&public, 3), encapsulated::<Oracle>(&public, 3));
    }
}

#[test]
fn public_keys_are_refused_where_the_oracle_refuses_them() {
    let good = public::<XWing>(&seed(3));
    let mut refused = 0;
    for at in (0..ML_KEM_PUBLIC_BYTES).step_by(3) {
        let mut changed = good.clone();
        // Twelve bits beyond the modulus, wherever this is in the vector; in the last 32 bytes it is a seed.
        changed[at] = 0xff;
        changed[at + 1] |= 0x0f;
        let ours = PublicKey::from_bytes(&changed).is_ok();
        assert_eq!(ours, <Oracle as Kem>::PublicKey::from_bytes(&changed).is_ok(), "{at}");
        refused += usize::from(!ours);
    }
    assert!(refused > 300, "{refused}");
    for wrong in [&good[1..], &[good.as_slice(), &[0]].concat(), &[]] {
        assert!(PublicKey::from_bytes(wrong).is_err());
        assert!(PrivateKey::from_bytes(wrong).is_err());
        assert!(EncappedKey::from_bytes(wrong).is_err());
    }
}

#[test]
fn no_sender_is_authenticated() {
    let key = PrivateKey::from_bytes(&seed(1)).unwrap();
    let public = XWing::sk_to_pk(&key);
    assert!(XWing::encap_with_rng(&public, Some((&key, &public)), &mut Source([0; 32])).is_err());
    let encapped = EncappedKey::from_bytes(&[0; ENCAPSULATED_BYTES]).unwrap();
    assert!(XWing::decap(&key, Some(&public), &encapped).is_err());
}
