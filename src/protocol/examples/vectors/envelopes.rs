//! Invalid envelopes and identities.

use dta_protocol::{Body, Envelope, IdentityBody, Statement, canonical, strict};
use ipld_core::ipld::Ipld;

use crate::cases::{Cases, inner};
use crate::story::Story;

pub fn envelopes(cases: &mut Cases) {
    let base = "envelope:order/committed";
    let mut change = |what: &str, reason: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut block = cases.bytes(base);
        change(&mut block);
        cases.splice(base, what, &block, reason);
    };
    change("a map of three", "envelope-layout", &|block| block[0] = 0xa3);
    change("another first key", "envelope-layout", &|block| block[2] = b'S');
    change("a signature of 3,356 bytes", "envelope-layout", &|block| block[13] = 0x1c);
    change("another second key", "envelope-layout", &|block| block[3380] = b's');
    change("ends inside the signature", "envelope-layout", &|block| block.truncate(3000));
    change("ends after the second key", "cbor-truncated", &|block| block.truncate(3381));
    change("ends inside the statement", "cbor-truncated", &|block| block.truncate(block.len() - 1));
    change("a byte more", "cbor-trailing-bytes", &|block| block.push(0));
    change("a BLS signature with a bit changed", "signature-invalid", &|block| block[40] ^= 1);
    change("a BLS signature at infinity", "signature-invalid", &|block| {
        block[14..62].fill(0);
        block[14] = 0xc0;
    });
    change("an ML-DSA signature with a bit changed", "signature-invalid", &|block| block[1000] ^= 1);
    change("an ML-DSA signature of zeros", "signature-invalid", &|block| block[62..3371].fill(0));
    change("a time stamp changed after signing", "signature-invalid", &|block| {
        *block.last_mut().unwrap() ^= 1
    });
    let mut swapped = cases.bytes(base);
    let other = cases.bytes("envelope:order/released");
    swapped[14..62].copy_from_slice(&other[14..62]);
    cases.splice(base, "the BLS signature of the signer's next step", &swapped, "signature-invalid");
}

pub fn identities(cases: &mut Cases, story: &Story) {
    let base = "identity:alice";
    let statement = story.alice.identity.envelope().statement().clone();
    let Body::Identity(body) = &statement.body else { panic!("an identity") };
    let (mut cases_of, carol) = (vec![], &story.carol.identity.envelope().statement().body);
    let Body::Identity(carol) = carol else { panic!("an identity") };
    let mut signed = |what, reason, change: &dyn Fn(&mut IdentityBody)| {
        let mut body = body.clone();
        change(&mut body);
        let statement = Statement { body: Body::Identity(body), ..statement.clone() };
        let envelope = Envelope::sign(&statement, &story.alice.keys).unwrap();
        cases_of.push((what, envelope.block().to_vec(), reason));
    };
    signed("another's BLS proof", "identity-bls-proof", &|body| body.bls_proof = carol.bls_proof);
    signed("another's secp256k1 proof", "identity-secp256k1-proof", &|body| {
        body.secp256k1_proof = carol.secp256k1_proof
    });
    signed("another's Ed25519 proof", "identity-ed25519-proof", &|body| {
        body.ed25519_proof = carol.ed25519_proof
    });
    signed("a name that the proofs do not cover", "identity-secp256k1-proof", &|body| {
        body.name = "malice".into()
    });
    signed("another's KEM key", "identity-secp256k1-proof", &|body| body.keys.kem = carol.keys.kem.clone());
    for (what, block, reason) in cases_of {
        cases.splice(base, what, &block, reason);
    }
    // Keys are judged before signatures, so these need not be signed again.
    let mut key = |what: &str, field: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let Ipld::Map(mut map) = strict::decode(&cases.bytes("statement:identity")).unwrap() else {
            panic!("a map")
        };
        let Some(Ipld::Bytes(bytes)) = inner(&mut map, "body").get_mut(field) else { panic!("bytes") };
        change(bytes);
        let head = cases.bytes(base)[..3381].to_vec();
        let block = [head, canonical::encode(&Ipld::Map(map))].concat();
        cases.splice(base, what, &block, "identity-key-invalid");
    };
    key("a BLS key at infinity", "bls", &|bytes| {
        bytes.fill(0);
        bytes[0] = 0xc0;
    });
    key("a BLS key that is no point", "bls", &|bytes| bytes.fill(0xff));
    key("a KEM key with a zero X25519 half", "kem", &|bytes| bytes[1184..].fill(0));
    key("a KEM key with a coefficient of 4,095", "kem", &|bytes| bytes[..2].fill(0xff));
    key("a secp256k1 key off the curve", "secp256k1", &|bytes| bytes[1..].fill(0xff));
    key("an uncompressed prefix on a secp256k1 key", "secp256k1", &|bytes| bytes[0] = 4);
    key("an Ed25519 key of low order", "ed25519", &|bytes| {
        bytes.fill(0);
        bytes[0] = 1;
    });
    let mut signature = cases.bytes(base);
    signature[2000] ^= 1;
    cases.splice(base, "a signature with a bit changed", &signature, "signature-invalid");
    cases.add("identity", "a step", &cases.bytes("envelope:order/placed"), "identity-other-kind");
}
