//! The plugin `safeguardsecret`: a text is sealed to the order's commitment, and opens with the released secret.
//!
//! As in the original: `extension.plainText` of the order comes back as `cypherText`, `v` and `t` (ECIES, [`crate::ecies`]); the
//! redemption takes those three and answers `plainText`. Neither the text nor what it is sealed in is part of the order: the fiduciary,
//! who has the secret half, sees neither. The three reach the beneficiary in the body sealed to it alone.

use dta_crypto::{Entropy, hkdf};
use sha2::{Digest as _, Sha256};

use crate::ecies::{PLAINTEXT_MAX_BYTES, Sealed, decrypt, encrypt};
use crate::plugin::{
    Answer, Ask, Extension, Final, Given, Order, Placing, Plugin, Private, Redeeming, Refusal, Released,
};

/// The plugin.
pub struct SafeguardSecret;

const PLAIN: &str = "plainText";
const FIELDS: [&str; 3] = ["cypherText", "v", "t"];

impl Plugin for SafeguardSecret {
    fn name(&self) -> &'static str {
        "safeguardsecret"
    }

    fn about(&self) -> &'static str {
        "a text is sealed to the order's key, and opens with the released secret"
    }

    fn place(&self, ask: &Ask<'_>, _: &mut Given<'_>) -> Result<Placing, Refusal> {
        plain_text(ask.extension)?;
        // What opens with the fiduciary's secret half is not for the fiduciary.
        if let Some(name) = FIELDS.iter().find(|name| ask.extension.contains_key(**name)) {
            return Err(Refusal::new(format!(
                "extension.{name}: is for the redemption, and no part of an order"
            )));
        }
        let rest = ask.extension.iter().filter(|(name, _)| *name != PLAIN);
        Ok(Placing { coin: 0, extension: rest.map(|(name, text)| (name.clone(), text.clone())).collect() })
    }

    fn answer(&self, order: &Order, asked: &Private, given: &mut Given<'_>) -> Result<Answer, Refusal> {
        let commitment = order.commitment.ok_or_else(|| Refusal::new("commitment: there is none yet"))?;
        let plain = plain_text(asked)?;
        // The same answer to the same request, and for another text another key: what is sealed twice under one key tells its sum.
        let hash = Sha256::digest(plain);
        let ephemeral = hkdf::<32>(given.key.expose(), &[b"ecies", &hash]);
        let mut once = Once(Some(ephemeral));
        let sealed = encrypt(&commitment.uncompressed(), plain.as_bytes(), &mut once)
            .map_err(|error| Refusal::new(format!("extension.{PLAIN}: {error}")))?;
        let fields = sealed.to_fields();
        let extension = FIELDS.into_iter().zip([fields.cypher_text, fields.v, fields.t]);
        Ok(Answer {
            commitment: hex::encode(commitment.uncompressed()),
            extension: extension.map(|(name, text)| (name.to_owned(), text)).collect(),
        })
    }

    fn redeem(&self, _: &Order, asked: &Private, _: &mut Given<'_>) -> Result<Redeeming, Refusal> {
        sealed_in(asked)?;
        // All of it is for the beneficiary alone, also what is misspelled.
        Ok(Redeeming { extension: Extension::new(), data: Private::new((**asked).clone()) })
    }

    fn finish(&self, _: &Order, released: &Released<'_>) -> Result<Final, Refusal> {
        let sealed = match sealed_in(released.asked)? {
            Some(sealed) => Some(sealed),
            None => sealed_in(released.data)?,
        };
        let mut extension = Extension::new();
        if let Some(sealed) = sealed {
            let plain = decrypt(released.key.secret(), &sealed)
                .map_err(|error| Refusal::new(format!("extension.cypherText: {error}")))?;
            let text = std::str::from_utf8(plain.expose())
                .map_err(|_| Refusal::new("extension.cypherText: what it opens to is no UTF-8 text"))?;
            extension.insert(PLAIN.to_owned(), text.to_owned());
        }
        Ok(Final {
            key: None,
            commitment: hex::encode(released.key.commitment()),
            extension: Private::new(extension),
        })
    }
}

fn plain_text(asked: &Private) -> Result<&String, Refusal> {
    let plain = asked.get(PLAIN).ok_or_else(|| Refusal::missing(PLAIN))?;
    if plain.len() > PLAINTEXT_MAX_BYTES {
        let (bytes, limit) = (plain.len(), PLAINTEXT_MAX_BYTES);
        return Err(Refusal::new(format!("extension.{PLAIN}: is {bytes} bytes long, at most {limit}")));
    }
    Ok(plain)
}

/// The three fields; none if none of them is there.
fn sealed_in(extension: &Private) -> Result<Option<Sealed>, Refusal> {
    if FIELDS.iter().all(|name| !extension.contains_key(*name)) {
        return Ok(None);
    }
    let field = |name: &str| extension.get(name).ok_or_else(|| Refusal::missing(name));
    Ok(Some(Sealed::from_fields(field(FIELDS[0])?, field(FIELDS[1])?, field(FIELDS[2])?)?))
}

/// Gives 32 bytes, once.
struct Once(Option<dta_crypto::Secret<32>>);

impl Entropy for Once {
    fn fill(&mut self, bytes: &mut [u8]) {
        // A second draw, or one of another size, is no randomness: zeros, which ECIES refuses.
        bytes.fill(0);
        if let Some(secret) = self.0.take()
            && bytes.len() == secret.expose().len()
        {
            bytes.copy_from_slice(secret.expose());
        }
    }
}
