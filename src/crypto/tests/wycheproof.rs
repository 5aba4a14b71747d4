//! Project Wycheproof's vectors for Ed25519 and AES-256-GCM. Those for ML-DSA are beside its backends.
#![allow(clippy::unwrap_used)]

mod support;

use dta_crypto::{Secret, open_at_rest, seal_at_rest};
use support::identity;
use wycheproof::{TestResult, aead, eddsa};

#[test]
fn ed25519() {
    let mut public = identity(1).public().clone();
    let (mut valid, mut invalid) = (0, 0);
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        public.ed25519 = group.key.pk[..].try_into().unwrap();
        let keys = public.validate();
        for test in group.tests {
            let verifies = test.sig[..].try_into().is_ok_and(|signature| {
                keys.as_ref().is_ok_and(|keys| keys.verify_ed25519(&test.msg, signature).is_ok())
            });
            assert_eq!(verifies, test.result == TestResult::Valid, "test {}: {}", test.tc_id, test.comment);
            *(if verifies { &mut valid } else { &mut invalid }) += 1;
        }
    }
    assert!(valid > 50 && invalid > 50, "{valid} valid, {invalid} invalid");
}

#[test]
fn aes_256_gcm() {
    let (mut valid, mut invalid) = (0, 0);
    for group in aead::TestSet::load(aead::TestName::AesGcm).unwrap().test_groups {
        if (group.key_size, group.nonce_size, group.tag_size) != (256, 96, 128) {
            continue;
        }
        for test in group.tests {
            let key = Secret::from_bytes(test.key[..].try_into().unwrap());
            let nonce = test.nonce[..].try_into().unwrap();
            let sealed = [&test.ct[..], &test.tag[..]].concat();
            let opened = open_at_rest(&key, nonce, &test.aad, &sealed);
            assert_eq!(opened.is_ok(), test.result == TestResult::Valid, "test {}", test.tc_id);
            if let Ok(plaintext) = opened {
                assert_eq!(plaintext.expose(), &test.pt[..]);
                assert_eq!(seal_at_rest(&key, nonce, &test.aad, &test.pt), sealed);
                valid += 1;
            } else {
                invalid += 1;
            }
        }
    }
    assert!(valid > 30 && invalid > 10, "{valid} valid, {invalid} invalid");
}
