//! Reads the file `keys`: a JSON object of names and keys in base64. The last commits kept the node's seed there, as `seed`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dta_crypto::SecretBytes;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use zeroize::Zeroizing;

/// How many names are listed.
const NAMES: usize = 16;

/// What the file holds.
#[derive(Default)]
pub struct Keys {
    /// The node's seed.
    pub seed: Option<SecretBytes>,
    /// Names of other keys, of which nothing is known.
    pub others: Vec<String>,
}

/// Reads the file; `None` if it is none of the original's.
pub fn parse(bytes: &[u8]) -> Option<Keys> {
    serde_json::from_slice(bytes).ok()
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(KeysVisitor)
    }
}

struct KeysVisitor;

impl<'de> Visitor<'de> for KeysVisitor {
    type Value = Keys;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object of keys in base64")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
        let mut keys = Keys::default();
        while let Some(name) = map.next_key::<String>()? {
            let Wiped(text) = map.next_value()?;
            if name != "seed" {
                if keys.others.len() < NAMES {
                    keys.others.push(name);
                }
                continue;
            }
            let seed = STANDARD.decode(text.as_bytes()).map(SecretBytes::new);
            keys.seed = Some(seed.map_err(|_| serde::de::Error::custom("not base64"))?);
        }
        Ok(keys)
    }
}

/// A text that is wiped.
#[derive(Default)]
pub struct Wiped(pub Zeroizing<String>);

impl<'de> Deserialize<'de> for Wiped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}
