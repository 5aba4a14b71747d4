//! Wrong PINs, tokens that go and come back, and ones that do not answer.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use super::*;

#[test]
fn a_wrong_pin_is_tried_once_until_its_file_changes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pin");
    // The TPM locks itself after a few tries; SoftHSM would not tell.
    for under in [soft(Algorithm::AesGcm), tpm()] {
        write(&file, "wrong");
        let token = under.token_with(PinFrom::File(file.clone()));
        for _ in 0..20 {
            let error = token
                .make_or_adopt(&under.label(), &id(), under.algorithm, Vec::new(), &mut Counted)
                .unwrap_err();
            assert!(matches!(error, TokenError::Pin { .. }), "{error}");
        }
        write(&file, &std::fs::read_to_string(pin_file()).unwrap());
        let kek = under.kek(&token);
        assert!(wrap_one(&token, &kek, b"", &[1; 64]).is_ok());
    }
    // The TPM has counted that one, for whoever runs this again.
    assert!(Command::new("tpm2_dictionarylockout").arg("--clear-lockout").status().unwrap().success());
}

#[test]
fn a_pin_that_cannot_be_had_names_its_source() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pin");
    let under = soft(Algorithm::AesGcm);
    let said = |pin: PinFrom| {
        let token = under.token_with(pin);
        token.make_or_adopt("any", &id(), under.algorithm, Vec::new(), &mut Counted).unwrap_err().to_string()
    };
    assert!(said(PinFrom::File(file.clone())).contains("No such file"));
    write(&file, "");
    assert!(said(PinFrom::File(file.clone())).contains("1 to 256 bytes"));
    write(&file, &"1".repeat(257));
    assert!(said(PinFrom::File(file.clone())).contains("1 to 256 bytes"));
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    assert!(said(PinFrom::File(file)).contains("chmod 600"));
    assert!(said(PinFrom::Environment("DTA_NO_SUCH_PIN".to_owned())).contains("$DTA_NO_SUCH_PIN"));
    let asked = PinFrom::Asked(crate::Pin::new("wrong".to_owned()));
    let error = said(asked);
    assert!(error.contains("the prompt") && !error.contains("\"wrong\""), "{error}");
}

fn write(file: &Path, text: &str) {
    std::fs::write(file, text).unwrap();
    std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

#[test]
fn a_token_or_module_that_is_not_there_is_named() {
    let under = soft(Algorithm::AesGcm);
    let asked = |settings: Settings| {
        let token = Token::new(settings, PinFrom::File(pin_file())).unwrap();
        token.info().unwrap_err()
    };
    let label = Find::Label("no such token".to_owned());
    let error = asked(Settings { token: label, ..under.settings() });
    assert_eq!(error.to_string(), "there is no token with label \"no such token\"");
    let error = asked(Settings { library: "/no/such.so".into(), ..under.settings() });
    assert_eq!(error.code(), "token-library");
    // A library that is no PKCS#11 module.
    let error = asked(Settings { library: "libm.so.6".into(), ..under.settings() });
    assert_eq!(error.code(), "token-library");
}

#[test]
fn a_token_that_went_is_found_again_when_it_returns() {
    let under = Under { token: "dta-other", ..soft(Algorithm::AesGcm) };
    let token = under.token();
    let kek = under.kek(&token);
    let wrapped = wrap_one(&token, &kek, b"", &[1; 64]).unwrap();
    let serial = token.info().unwrap().serial;
    let tokens = Path::new(&variable("DTA_HSM")).join("softhsm");
    let is_its = |path: &Path| path.to_string_lossy().replace('-', "").ends_with(&serial);
    let folder = std::fs::read_dir(&tokens).unwrap().map(|entry| entry.unwrap().path());
    let folder = folder.into_iter().find(|path| is_its(path)).unwrap();
    let away = Path::new(&variable("DTA_HSM")).join("away");
    for _ in 0..3 {
        std::fs::rename(&folder, &away).unwrap();
        // It holds what it has read; what it must read anew is gone.
        until(|| code(token.check(&kek)) == "token-absent");
        assert_eq!(code(unwrap_one(&token, &kek, b"", &wrapped)), "token-absent");
        assert_eq!(code(wrap_one(&token, &kek, b"", &[1; 64])), "token-absent");
        std::fs::rename(&away, &folder).unwrap();
        until(|| unwrap_one(&token, &kek, b"", &wrapped).is_ok_and(|opened| opened == [1; 64]));
        // Each session finds it for itself.
        until(|| wrap_one(&token, &kek, b"", &[1; 64]).is_ok());
    }
}

/// Calls until a condition holds; each call waits on the token.
fn until(mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited a minute in vain");
        std::thread::yield_now();
    }
}

#[test]
fn a_token_that_does_not_answer_is_given_up_in_time_and_found_again() {
    let under = tpm();
    let signal = |name: &str| {
        let pid = std::fs::read_to_string(Path::new(&variable("DTA_HSM")).join("swtpm.pid")).unwrap();
        assert!(Command::new("kill").args([name, pid.trim()]).status().unwrap().success());
    };
    let limit = Duration::from_millis(500);
    let settings = Settings { limit, ..under.settings() };
    let patient = under.token();
    let kek = under.kek(&patient);
    let token = Token::new(settings, PinFrom::File(pin_file())).unwrap();
    until(|| token.check(&kek).is_ok());
    signal("-STOP");
    let begun = Instant::now();
    let jobs = || (0..4).map(|n| Unwrap { aad: vec![n], wrapped: kek.canary.clone() }).collect();
    let said: Vec<_> = token.unwrap(&kek, jobs()).into_iter().map(|answer| code(answer)).collect();
    assert_eq!(said, ["token-slow"; 4]);
    assert!(begun.elapsed() < Duration::from_secs(10));
    // Both sessions hang: nobody waits any more.
    let begun = Instant::now();
    for _ in 0..50 {
        assert_eq!(code(wrap_one(&token, &kek, b"", &[1; 64])), "token-slow");
    }
    assert!(begun.elapsed() < limit * 25);
    signal("-CONT");
    until(|| wrap_one(&token, &kek, b"", &[1; 64]).is_ok());
}
