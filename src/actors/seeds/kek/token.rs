//! A KEK in a PKCS#11 token (package `dta-token`): it never leaves it, and every use is a call to it.

use std::sync::Arc;

use dta_crypto::{Entropy, SecretBytes};
use dta_token::{Token, TokenError, Unwrap, Wrap};

use super::{Kek, KekEntry};

struct InToken {
    /// None if the settings do not name it any more.
    token: Option<Arc<Token>>,
    named: String,
    kek: Arc<dta_token::Kek>,
}

/// The KEK of an entry; asks nothing yet.
pub fn open(token: Option<Arc<Token>>, entry: &KekEntry, kek: dta_token::Kek) -> Box<dyn Kek> {
    Box::new(InToken { token, named: entry.token.clone(), kek: Arc::new(kek) })
}

impl InToken {
    fn token(&self) -> Result<&Token, TokenError> {
        // As good as not there.
        self.token.as_deref().ok_or_else(|| TokenError::Absent {
            token: format!("{}, since [[seeds]] names no such", self.named),
        })
    }
}

impl Kek for InToken {
    fn wrap(
        &self,
        jobs: Vec<(Vec<u8>, SecretBytes)>,
        entropy: &mut dyn Entropy,
    ) -> Vec<Result<Vec<u8>, TokenError>> {
        let token = match self.token() {
            Ok(token) => token,
            Err(error) => return jobs.iter().map(|_| Err(error.clone())).collect(),
        };
        let jobs = jobs.into_iter().map(|(aad, plain)| Wrap { aad, plain }).collect();
        token.wrap(&self.kek, jobs, entropy)
    }

    fn unwrap(&self, jobs: Vec<(Vec<u8>, Vec<u8>)>) -> Vec<Result<SecretBytes, TokenError>> {
        let token = match self.token() {
            Ok(token) => token,
            Err(error) => return jobs.iter().map(|_| Err(error.clone())).collect(),
        };
        token.unwrap(&self.kek, jobs.into_iter().map(|(aad, wrapped)| Unwrap { aad, wrapped }).collect())
    }

    fn check(&self) -> Result<(), TokenError> {
        self.token()?.check(&self.kek)
    }
}
