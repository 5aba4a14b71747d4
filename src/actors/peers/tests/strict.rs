//! No header stops a node, and none has two spellings.

use dta_crypto::{IdentityKeys, Secret, VerifyingKeys};
use dta_protocol::{Cid, Codec};
use proptest::prelude::*;

use crate::actors::peers::fields::Header;
use crate::actors::peers::request::{Draft, SignedRequest};

/// A request, and whose keys sign it.
fn signed() -> (SignedRequest, VerifyingKeys) {
    let keys = IdentityKeys::from_seed(&Secret::from_bytes([1; 32]));
    let (from, to) = (Cid::of(Codec::DagCbor, b"alice"), Cid::of(Codec::DagCbor, b"bob"));
    let draft =
        Draft { method: "POST", target: "/v1", body: b"body", from, to, created_s: 1_000, nonce: [7; 16] };
    (SignedRequest::sign(draft, &keys), keys.public().validate().unwrap())
}

#[test]
fn any_one_byte_changed_anywhere_is_noticed() {
    let (request, keys) = signed();
    let headers = request.headers();
    let mut tried = 0;
    for (n, (_, value)) in headers.iter().enumerate() {
        for at in 0..value.len() {
            for flip in [1, 2, 4, 8, 16, 32, 64, 128] {
                let mut changed: Vec<Vec<u8>> =
                    headers.iter().map(|(_, value)| value.as_bytes().to_vec()).collect();
                changed[n][at] ^= flip;
                let pairs: Vec<Header> = headers
                    .iter()
                    .zip(&changed)
                    .map(|((name, _), value)| (*name, value.as_slice()))
                    .collect();
                let read = SignedRequest::read("POST", "/v1", &pairs);
                assert!(read.is_err() || read.unwrap().verify(&keys, 1_000).is_err(), "{n} {at} {flip}");
                tried += 1;
            }
        }
    }
    assert!(tried > 3_000);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_header_panics(values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 4)) {
        let (request, _) = signed();
        let pairs: Vec<Header> =
            request.headers().iter().map(|(name, _)| *name).zip(values.iter().map(Vec::as_slice)).collect();
        prop_assert!(SignedRequest::read("POST", "/v1", &pairs).is_err());
    }

    #[test]
    fn no_near_miss_panics(
        input in r#"dta=\((["@;a-z= -]{0,40})\)(;(created|nonce|keyid|alg|tag)(=("[a-z@/=+]{0,8}"|-?[0-9.]{1,18}|:[A-Za-z=]{0,8}:|\?[01]))?){0,6}"#,
        signature in r"(dta|sig)=:[A-Za-z0-9+/]{80,90}={0,2}:",
    ) {
        let (request, _) = signed();
        let headers = request.headers();
        let pairs = [
            (headers[0].0, headers[0].1.as_bytes()),
            (headers[1].0, headers[1].1.as_bytes()),
            ("signature-input", input.as_bytes()),
            ("signature", signature.as_bytes()),
        ];
        prop_assert!(SignedRequest::read("POST", "/v1", &pairs).is_err());
    }
}
