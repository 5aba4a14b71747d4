//! What every token must do.

use super::*;

const PLAIN: [u8; 64] = [7; 64];

#[test]
fn what_is_wrapped_opens_with_its_key_and_aad_alone() {
    for under in all() {
        let token = under.token();
        let kek = under.kek(&token);
        let wrapped = wrap_one(&token, &kek, b"order 1", &PLAIN).unwrap();
        assert!(wrapped.len() <= crate::WRAPPED_MAX_BYTES);
        assert!(!wrapped.windows(8).any(|part| part == &PLAIN[..8]));
        assert_eq!(unwrap_one(&token, &kek, b"order 1", &wrapped).unwrap(), PLAIN);
        assert_eq!(code(unwrap_one(&token, &kek, b"order 2", &wrapped)), "token-refused");
        for bit in (0..wrapped.len() * 8).step_by(29) {
            let mut changed = wrapped.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(code(unwrap_one(&token, &kek, b"order 1", &changed)), "token-refused", "bit {bit}");
        }
        for len in [0, 1, 13, 28, 32, 48, wrapped.len() - 1] {
            assert_eq!(code(unwrap_one(&token, &kek, b"order 1", &wrapped[..len])), "token-refused");
        }
        // And still works.
        assert_eq!(unwrap_one(&token, &kek, b"order 1", &wrapped).unwrap(), PLAIN);
    }
}

#[test]
fn no_two_wrappings_are_alike() {
    for under in all() {
        let token = under.token();
        let kek = under.kek(&token);
        let jobs = (0..20).map(|_| Wrap { aad: vec![1], plain: SecretBytes::new(PLAIN.to_vec()) }).collect();
        let wrapped = token.wrap(&kek, jobs, &mut Counted);
        let wrapped: std::collections::HashSet<_> = wrapped.into_iter().map(Result::unwrap).collect();
        assert_eq!(wrapped.len(), 20);
    }
}

#[test]
fn a_batch_is_answered_in_its_order() {
    for under in all() {
        let token = under.token();
        let kek = under.kek(&token);
        let plain = |n: u8| SecretBytes::new(vec![n; 64]);
        let jobs = (0..9).map(|n| Wrap { aad: vec![n], plain: plain(n) }).collect();
        let wrapped: Vec<_> = token.wrap(&kek, jobs, &mut Counted).into_iter().map(Result::unwrap).collect();
        let jobs = wrapped.iter().enumerate().map(|(n, wrapped)| {
            // One of them is asked for under another's name.
            let aad = vec![if n == 4 { 5 } else { n as u8 }];
            Unwrap { aad, wrapped: wrapped.clone() }
        });
        let opened = token.unwrap(&kek, jobs.collect());
        for (n, opened) in opened.into_iter().enumerate() {
            match opened {
                Ok(opened) => assert_eq!(opened.expose(), [n as u8; 64]),
                Err(error) => assert_eq!((n, error), (4, TokenError::Refused)),
            }
        }
    }
}

#[test]
fn a_key_that_is_there_is_adopted_and_another_process_finds_it() {
    for under in all() {
        let token = under.token();
        let label = under.label();
        let (kek, made) =
            token.make_or_adopt(&label, &id(), under.algorithm, Vec::new(), &mut Counted).unwrap();
        assert_eq!(made, under.made.is_none());
        let wrapped = wrap_one(&token, &Arc::new(kek.clone()), b"", &PLAIN).unwrap();
        let other = under.token();
        assert_eq!(unwrap_one(&other, &Arc::new(kek.clone()), b"", &wrapped).unwrap(), PLAIN);
        // Adopted under another id it is another KEK, by its canary.
        let (adopted, made) =
            other.make_or_adopt(&label, &id(), under.algorithm, Vec::new(), &mut Counted).unwrap();
        assert!(!made && adopted.canary != kek.canary);
        other.check(&Arc::new(adopted)).unwrap();
        other.check(&Arc::new(kek)).unwrap();
    }
}

#[test]
fn a_canary_tells_another_key_of_the_same_name() {
    for under in all() {
        let token = under.token();
        let kek = under.kek(&token);
        let wrapped = wrap_one(&token, &kek, b"", &PLAIN).unwrap();
        let mut other = (*kek).clone();
        // As if the token had been initialised anew and given a key of the same label.
        other.id = id();
        let other = Arc::new(other);
        assert_eq!(code(token.check(&other)), "token-swapped");
        assert_eq!(code(unwrap_one(&token, &other, b"", &wrapped)), "token-swapped");
        assert_eq!(code(wrap_one(&token, &other, b"", &PLAIN)), "token-swapped");
        let gone = Arc::new(Kek { label: "no such key".to_owned(), ..(*kek).clone() });
        assert_eq!(code(token.check(&gone)), "token-key-missing");
        token.check(&kek).unwrap();
    }
}

#[test]
fn a_token_says_what_it_is() {
    let info = soft(Algorithm::AesGcm).token().info().unwrap();
    assert_eq!((info.label.as_str(), info.aes_gcm), ("dta-test", true));
    let by_serial = Settings { token: Find::Serial(info.serial), ..soft(Algorithm::AesGcm).settings() };
    assert_eq!(Token::new(by_serial, PinFrom::File(pin_file())).unwrap().info().unwrap().label, "dta-test");
    let info = tpm().token().info().unwrap();
    assert_eq!((info.label.as_str(), info.aes_gcm), ("dta-tpm", false));
}

#[test]
fn a_key_that_is_a_kek_already_is_not_adopted_by_whatever_name_its_token_goes() {
    let under = soft(Algorithm::AesGcm);
    let token = under.token();
    let label = under.label();
    let make = |token: &Token, label: &str, taken: &[Kek]| {
        token.make_or_adopt(label, &id(), under.algorithm, taken.to_vec(), &mut Counted)
    };
    let (kek, _) = make(&token, &label, &[]).unwrap();
    let by_serial = Settings { token: Find::Serial(token.info().unwrap().serial), ..under.settings() };
    let same = Token::new(by_serial, PinFrom::File(pin_file())).unwrap();
    let other = (*under.kek(&token)).clone();
    let error = make(&same, &label, &[other.clone(), kek.clone()]).unwrap_err();
    assert_eq!(error, TokenError::KeyTaken { label: label.clone() });
    let (adopted, made) = make(&same, &label, std::slice::from_ref(&other)).unwrap();
    assert!(!made && adopted.label == label);
    assert!(make(&same, &under.label(), &[other, kek]).unwrap().1);
}

#[test]
fn a_module_is_one_by_whatever_path_it_is_named() {
    let under = soft(Algorithm::AesGcm);
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("link.so");
    std::os::unix::fs::symlink(&under.library, &link).unwrap();
    let get = |path| crate::library::Library::get(path).unwrap();
    assert!(Arc::ptr_eq(&get(&under.library), &get(&link)));
}
