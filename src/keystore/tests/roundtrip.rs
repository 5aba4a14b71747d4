//! Any seed is had back from its file with the key that sealed it, and with no other.

use dta_crypto::Secret;
use proptest::prelude::*;

use super::Home;
use crate::actors::seeds::testing::TestEntropy;
use crate::keystore::{Keystore, Protection};

proptest! {
    // Files and syncs.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_seed_file(seed: [u8; 32], entropy in prop::sample::select(&["one", "two", "three"][..]), bit in 0..256usize) {
        let home = Home::new();
        let mut entropy = TestEntropy::new(entropy);
        Keystore::create(&home.path(), &Secret::from_bytes(seed), &home.by_key(), &mut entropy).unwrap();
        let read = Keystore::open(&home.path(), &home.by_key()).unwrap();
        prop_assert_eq!(*read.expose(), seed);
        let mut key = hex::decode(std::fs::read_to_string(home.key()).unwrap().trim()).unwrap();
        key[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(home.key(), hex::encode(&key)).unwrap();
        prop_assert!(Keystore::open(&home.path(), &Protection::KeyFile(home.key())).is_err());
    }
}
