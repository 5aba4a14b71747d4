//! Addresses: the original's, those of the BIPs, and rust-bitcoin's for any key.

use ::bitcoin::key::{Keypair, TapTweak};
use ::bitcoin::secp256k1::{Secp256k1, SecretKey};
use ::bitcoin::{Address, CompressedPublicKey, KnownHrp, PublicKey, XOnlyPublicKey};
use dta_crypto::{OrderKey, Secret};
use proptest::prelude::*;

use super::{G, hex, original, point, secret, text};
use crate::bitcoin::{AddressType, Network, address};
use crate::keys::PublicPoint;

#[test]
fn the_originals_addresses() {
    for vector in original("bitcoinwallet") {
        let network = if vector["coin"] == "0" { Network::Main } else { Network::Test };
        let of_public = address(&point(text(&vector["commitment"])), network, AddressType::P2pkhUncompressed);
        assert_eq!(of_public, text(&vector["address"]));
        let key = OrderKey::from_secret(secret(text(&vector["secret"]))).unwrap();
        let of_secret = address(&PublicPoint::of(&key), network, AddressType::P2pkhUncompressed);
        assert_eq!(of_secret, text(&vector["address"]));
    }
}

#[test]
fn addresses_of_the_generator_in_bip173() {
    assert_eq!(
        address(&point(G), Network::Main, AddressType::P2wpkh),
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
    );
    assert_eq!(
        address(&point(G), Network::Test, AddressType::P2wpkh),
        "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"
    );
}

/// wallet-test-vectors.json of BIP341: `scriptPubKey[0]` and `keyPathSpending[0].inputSpending[0]`, the ones without scripts.
#[test]
fn the_output_without_scripts_in_bip341() {
    let internal = point("02d6889cb081036e0faefa3a35157ad71086b123b2b144b649798b494c300a961d");
    let address_of = |point: &PublicPoint| address(point, Network::Main, AddressType::P2tr);
    assert_eq!(address_of(&internal), "bc1p2wsldez5mud2yam29q22wgfh9439spgduvct83k3pm50fcxa5dps59h4z5");
    assert_eq!(
        output_of(&address_of(&internal)),
        "512053a1f6e454df1aa2776a2814a721372d6258050de330b3c6d10ee8f4e0dda343"
    );

    // The secret of the internal key is what is released; that of the output is what a wallet makes of it.
    let released = secret("6b973d88838f27366ed61c9ad6367663045cb456e28335c109e30717ae0c6baa");
    let tweaked = secret("2405b971772ad26915c8dcdf10f238753a9b837e5f8e6a86fd7c0cce5b7296d9");
    let released = PublicPoint::of(&OrderKey::from_secret(released).unwrap());
    assert_eq!(address_of(&released), address_of(&internal));
    let tweaked = PublicPoint::of(&OrderKey::from_secret(tweaked).unwrap());
    assert_eq!(tweaked.x_only(), hex("53a1f6e454df1aa2776a2814a721372d6258050de330b3c6d10ee8f4e0dda343"));
}

#[test]
fn the_first_addresses_of_the_account_in_bip86() {
    for (internal, output, expected) in [
        (
            "cc8a4bc64d897bddc5fbc2f670f7a8ba0b386779106cf1223c6fc5d7cd6fc115",
            "5120a60869f0dbcf1dc659c9cecbaf8050135ea9e8cdc487053f1dc6880949dc684c",
            "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
        ),
        (
            "83dfe85a3151d2517290da461fe2815591ef69f2b18a2ce63f01697a8b313145",
            "5120a82f29944d65b86ae6b5e5cc75e294ead6c59391a1edc5e016e3498c67fc7bbb",
            "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh",
        ),
        (
            "399f1b2f4393f29a18c937859c5dd8a77350103157eb880f02e8c08214277cef",
            "5120882d74e5d0572d5a816cef0041a96b6c1de832f6f9676d9605c44d5e9a97d3dc",
            "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7",
        ),
    ] {
        // The internal key is known by its x alone: both points that have it are paid at one address.
        for parity in ["02", "03"] {
            let address = address(&point(&format!("{parity}{internal}")), Network::Main, AddressType::P2tr);
            assert_eq!(address, expected);
            assert_eq!(output_of(&address), output);
        }
    }
}

#[test]
fn the_opposite_key_is_paid_elsewhere_except_by_taproot() {
    for network in [Network::Main, Network::Test] {
        let [even, odd] = ["02", "03"].map(|parity| point(&format!("{parity}{}", &G[2..])));
        for kind in [AddressType::P2pkhUncompressed, AddressType::P2wpkh] {
            assert_ne!(address(&even, network, kind), address(&odd, network, kind));
        }
        assert_eq!(address(&even, network, AddressType::P2tr), address(&odd, network, AddressType::P2tr));
    }
}

proptest! {
    #[test]
    fn addresses_are_those_of_rust_bitcoin(bytes: [u8; 32]) {
        let Ok(theirs) = SecretKey::from_slice(&bytes) else { return Ok(()) };
        let ours = PublicPoint::of(&OrderKey::from_secret(Secret::from_bytes(bytes)).unwrap());
        let secp = Secp256k1::new();
        let inner = theirs.public_key(&secp);
        let x = XOnlyPublicKey::from(inner);
        for (network, of_keys, prefix) in [
            (Network::Main, ::bitcoin::NetworkKind::Main, KnownHrp::Mainnet),
            (Network::Test, ::bitcoin::NetworkKind::Test, KnownHrp::Testnets),
        ] {
            let key = PublicKey::new_uncompressed(inner);
            let p2pkh = Address::p2pkh(key, of_keys).to_string();
            prop_assert_eq!(address(&ours, network, AddressType::P2pkhUncompressed), p2pkh);
            let p2wpkh = Address::p2wpkh(&CompressedPublicKey(inner), prefix).to_string();
            prop_assert_eq!(address(&ours, network, AddressType::P2wpkh), p2wpkh);
            let p2tr = Address::p2tr(&secp, x, None, prefix).to_string();
            prop_assert_eq!(&address(&ours, network, AddressType::P2tr), &p2tr);
            // A wallet that is given the secret spends from there.
            let tweaked = Keypair::from_secret_key(&secp, &theirs).tap_tweak(&secp, None);
            let spends = Address::p2tr_tweaked(tweaked.public_parts().0, prefix).to_string();
            prop_assert_eq!(spends, p2tr);
        }
    }
}

/// The scriptPubKey of an address, by rust-bitcoin.
fn output_of(address: &str) -> String {
    address.parse::<Address<_>>().unwrap().assume_checked().script_pubkey().to_hex_string()
}
