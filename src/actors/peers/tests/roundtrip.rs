//! Whatever is signed is read from its headers as it was, and believed; by no other keys, and of no other message.

use std::sync::LazyLock;

use dta_crypto::{IdentityKeys, Secret};
use dta_protocol::{Cid, Codec};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::actors::peers::request::{Draft, SignedRequest};
use crate::actors::peers::{PeerCallError, answer};

static KEYS: LazyLock<[IdentityKeys; 2]> =
    LazyLock::new(|| [[1; 32], [2; 32]].map(|seed| IdentityKeys::from_seed(&Secret::from_bytes(seed))));

fn target() -> impl Strategy<Value = String> {
    "/[!-~]{0,80}"
}

proptest! {
    #[test]
    fn requests_and_answers(
        post: bool,
        target in target(),
        body in vec(any::<u8>(), 0..200),
        names in (any::<[u8; 4]>(), any::<[u8; 4]>()),
        created_s in 0..1u64 << 45,
        nonce: [u8; 16],
        status in 100..600u16,
        other in 1..300u64,
    ) {
        let [keys, others] = &*KEYS;
        let (from, to) = (Cid::of(Codec::DagCbor, &names.0), Cid::of(Codec::DagCbor, &names.1));
        let method = if post { "POST" } else { "GET" };
        let draft = Draft { method, target: &target, body: &body, from, to, created_s, nonce };
        let signed = SignedRequest::sign(draft, keys);
        let headers = signed.headers();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let read = SignedRequest::read(method, &target, &headers).unwrap();
        prop_assert_eq!(read.headers(), signed.headers());
        prop_assert_eq!((read.caller(), read.to(), read.created_s(), read.nonce()), (from, to, created_s, &nonce));
        let verifying = keys.public().validate().unwrap();
        prop_assert_eq!(read.verify(&verifying, created_s + other), Ok(()));
        prop_assert_eq!(read.check_body(&body), Ok(()));
        prop_assert_eq!(read.check_body(&[&body[..], b"."].concat()), Err(PeerCallError::Digest));
        prop_assert_eq!(read.verify(&others.public().validate().unwrap(), created_s), Err(PeerCallError::Signature));
        let late = created_s + 300 + other;
        prop_assert_eq!(read.verify(&verifying, late), Err(PeerCallError::Created { created_s, now_s: late }));
        let elsewhere = SignedRequest::read(method, &format!("{target}."), &headers).unwrap();
        prop_assert_eq!(elsewhere.verify(&verifying, created_s), Err(PeerCallError::Signature));

        let answered = answer::sign(&read, keys, status, &body, created_s);
        let headers: Vec<_> = answered.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        prop_assert_eq!(answer::verify(&signed, &verifying, status, &headers, &body), Ok(()));
        let wrong = answer::verify(&signed, &verifying, status + 1, &headers, &body);
        prop_assert_eq!(wrong, Err(PeerCallError::Signature));
        let again = SignedRequest::sign(Draft { nonce: nonce.map(|byte| !byte), ..draft }, keys);
        let wrong = answer::verify(&again, &verifying, status, &headers, &body);
        prop_assert_eq!(wrong, Err(PeerCallError::Signature));
    }
}
