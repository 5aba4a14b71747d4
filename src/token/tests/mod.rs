//! Over real tokens, as `scripts/hsm` makes them: SoftHSM2 with AES-GCM, and a TPM that has HMAC only.

mod faults;
mod form;
mod oracle;
mod whole;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dta_crypto::{Entropy, SecretBytes};

use crate::{Algorithm, Find, Kek, KekId, PinFrom, Settings, Token, TokenError, Unwrap, Wrap};

/// Bytes that never repeat.
struct Counted;

impl Entropy for Counted {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
        bytes[..8].copy_from_slice(&number().to_le_bytes());
        bytes[8..12].copy_from_slice(&std::process::id().to_le_bytes());
    }
}

fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: these tests want the tokens that `scripts/test` makes (scripts/hsm)")
    })
}

fn pin_file() -> PathBuf {
    variable("DTA_HSM_PIN").into()
}

/// A token of a test, and how keys of it come about.
struct Under {
    library: PathBuf,
    token: &'static str,
    algorithm: Algorithm,
    /// A TPM's keys are made by its administrator; `None` makes one for each test.
    made: Option<&'static str>,
    /// The TPM is one for all, and some tests stop it.
    _alone: Option<MutexGuard<'static, ()>>,
}

/// SoftHSM2 by AES-GCM, the same by HMAC, and the TPM.
fn all() -> Vec<Under> {
    vec![soft(Algorithm::AesGcm), soft(Algorithm::HmacKdf), tpm()]
}

fn soft(algorithm: Algorithm) -> Under {
    let library = variable("DTA_HSM_SOFT").into();
    Under { library, token: "dta-test", algorithm, made: None, _alone: None }
}

fn tpm() -> Under {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let library = variable("DTA_HSM_TPM").into();
    let (algorithm, made) = (Algorithm::HmacKdf, Some("kek-1"));
    Under { library, token: "dta-tpm", algorithm, made, _alone: Some(alone) }
}

impl Under {
    fn settings(&self) -> Settings {
        Settings {
            library: self.library.clone(),
            token: Find::Label(self.token.to_owned()),
            sessions: 2,
            limit: Duration::from_secs(20),
        }
    }

    fn token(&self) -> Token {
        self.token_with(PinFrom::File(pin_file()))
    }

    fn token_with(&self, pin: PinFrom) -> Token {
        Token::new(self.settings(), pin).unwrap()
    }

    /// A label that no other test has, or the administrator's.
    fn label(&self) -> String {
        match self.made {
            Some(label) => label.to_owned(),
            None => format!("kek {} {}", std::process::id(), number()),
        }
    }

    fn kek(&self, token: &Token) -> Arc<Kek> {
        Arc::new(
            token.make_or_adopt(&self.label(), &id(), self.algorithm, Vec::new(), &mut Counted).unwrap().0,
        )
    }
}

fn id() -> KekId {
    let mut id = [0; 16];
    Counted.fill(&mut id);
    id
}

fn wrap_one(token: &Token, kek: &Arc<Kek>, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, TokenError> {
    let job = Wrap { aad: aad.to_vec(), plain: SecretBytes::new(plain.to_vec()) };
    token.wrap(kek, vec![job], &mut Counted).remove(0)
}

fn unwrap_one(token: &Token, kek: &Arc<Kek>, aad: &[u8], wrapped: &[u8]) -> Result<Vec<u8>, TokenError> {
    let job = Unwrap { aad: aad.to_vec(), wrapped: wrapped.to_vec() };
    token.unwrap(kek, vec![job]).remove(0).map(|opened| opened.expose().to_vec())
}

fn code<T>(result: Result<T, TokenError>) -> &'static str {
    result.err().map_or("ok", |error| error.code())
}
