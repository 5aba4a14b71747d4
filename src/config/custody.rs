//! The settings of custody: `[keystore]`, `[custody]` and `[[seeds]]`, and the tokens that they name.

use std::fmt::{self, Display};
use std::path::PathBuf;

use dta_token::Algorithm;
use serde::{Deserialize, Serialize};

use super::Config;
use super::trouble::Fault;
use crate::home::Home;

/// `[keystore]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keystore {
    /// What opens the node's seed; `seed.key` in the home if not set.
    pub key_file: Option<PathBuf>,
    /// The token whose key opens it instead.
    pub token: Option<TokenKey>,
}

/// `[custody]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Custody {
    /// How long after an order has ended its seed is destroyed, in milliseconds; never if not set.
    pub shred_after_ms: Option<u64>,
}

/// `[[seeds]]`: a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seeds {
    /// What it is called: 1 to 32 lower-case letters, digits and hyphens; `main` if not set.
    pub name: String,
    /// Whether new seeds go there; the only block need not say so.
    pub default: bool,
    /// `soft` or `pkcs11`.
    pub r#type: SeedsType,
    /// Folders of further copies.
    pub copies: Vec<PathBuf>,
    /// The token with the key encryption key, if `pkcs11`.
    pub token: Option<TokenKey>,
    /// Another one, whose key opens every seed too.
    pub second: Option<TokenKey>,
}

/// `[seeds.token]`: a PKCS#11 token, and a key in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawTokenKey", into = "RawTokenKey")]
pub struct TokenKey {
    /// The vendor's module.
    pub library: PathBuf,
    /// Which token.
    pub name: TokenName,
    /// Where its PIN comes from.
    pub pin: PinSource,
    /// The label of the key.
    pub key: String,
    /// How the key wraps.
    pub algorithm: Algorithm,
    /// Sessions that work side by side, 1 to 64.
    pub sessions: usize,
    /// How long a call may take, in milliseconds; 100 to 600,000.
    pub time_limit_ms: u64,
}

/// How a token is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenName {
    /// By its label.
    Label(String),
    /// By its serial number.
    Serial(String),
    /// By the number of its slot.
    Slot(u64),
}

/// Where a PIN comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinSource {
    /// `file:PATH`, from the home.
    File(PathBuf),
    /// `env:NAME`.
    Environment(String),
    /// `prompt`.
    Prompt,
}

impl Display for PinSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PinSource::File(path) => write!(f, "file:{}", path.display()),
            PinSource::Environment(name) => write!(f, "env:{name}"),
            PinSource::Prompt => f.write_str("prompt"),
        }
    }
}

/// As it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTokenKey {
    library: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slot: Option<u64>,
    pin: String,
    #[serde(default = "default_key")]
    key: String,
    #[serde(default)]
    algorithm: Option<String>,
    #[serde(default = "default_sessions")]
    sessions: usize,
    #[serde(default = "default_time_limit_ms")]
    time_limit_ms: u64,
}

fn default_key() -> String {
    "milagro-dta".to_owned()
}

fn default_sessions() -> usize {
    4
}

fn default_time_limit_ms() -> u64 {
    5_000
}

impl TryFrom<RawTokenKey> for TokenKey {
    type Error = String;

    fn try_from(raw: RawTokenKey) -> Result<Self, String> {
        let name = match (raw.label, raw.serial, raw.slot) {
            (Some(label), None, None) => TokenName::Label(label),
            (None, Some(serial), None) => TokenName::Serial(serial),
            (None, None, Some(slot)) => TokenName::Slot(slot),
            _ => return Err("a token is named by one of label, serial and slot".to_owned()),
        };
        let pin = match raw.pin.split_once(':') {
            Some(("file", path)) if !path.is_empty() => PinSource::File(path.into()),
            Some(("env", name)) if !name.is_empty() => PinSource::Environment(name.to_owned()),
            None if raw.pin == "prompt" => PinSource::Prompt,
            // It may be the PIN itself, and must not get into a log line.
            _ => {
                return Err(
                    "pin: is \"file:PATH\", \"env:NAME\" or \"prompt\", never the PIN itself".to_owned()
                );
            }
        };
        if !(1..=40).contains(&raw.key.len()) {
            return Err(format!("key: must have 1 to 40 bytes, not {}", raw.key.len()));
        }
        if !(1..=64).contains(&raw.sessions) {
            return Err(format!("sessions: must be 1 to 64, not {}", raw.sessions));
        }
        if !(100..=600_000).contains(&raw.time_limit_ms) {
            return Err(format!("time_limit_ms: must be 100 to 600000, not {}", raw.time_limit_ms));
        }
        let algorithm = raw.algorithm.map_or(Ok(Algorithm::AesGcm), |text| text.parse())?;
        let (library, key, sessions, time_limit_ms) = (raw.library, raw.key, raw.sessions, raw.time_limit_ms);
        Ok(Self { library, name, pin, key, algorithm, sessions, time_limit_ms })
    }
}

impl From<TokenKey> for RawTokenKey {
    fn from(key: TokenKey) -> Self {
        let (label, serial, slot) = match key.name {
            TokenName::Label(label) => (Some(label), None, None),
            TokenName::Serial(serial) => (None, Some(serial), None),
            TokenName::Slot(slot) => (None, None, Some(slot)),
        };
        let (pin, algorithm) = (key.pin.to_string(), Some(key.algorithm.to_string()));
        let (library, sessions, time_limit_ms) = (key.library, key.sessions, key.time_limit_ms);
        Self { library, label, serial, slot, pin, key: key.key, algorithm, sessions, time_limit_ms }
    }
}

/// The name of a store that says none; its folder in the home has none either.
pub const MAIN: &str = "main";
/// Bytes of a store's name.
const NAME_MAX: usize = 32;

impl Default for Seeds {
    fn default() -> Self {
        let (r#type, copies, token, second) = Default::default();
        Self { name: MAIN.to_owned(), default: false, r#type, copies, token, second }
    }
}

impl Seeds {
    /// What is wrong with a block, and with which key.
    fn trouble(&self) -> Option<String> {
        let trouble = |text: &str| Some(text.to_owned());
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !(1..=NAME_MAX).contains(&self.name.len()) || !self.name.chars().all(fits) {
            return Some(format!(
                "name: must have 1 to {NAME_MAX} of a-z, 0-9 and -, not be {:?}",
                self.name
            ));
        }
        match (self.r#type, &self.token, &self.second) {
            (SeedsType::Soft, Some(_), _) | (SeedsType::Soft, _, Some(_)) => {
                trouble("[seeds.token] goes with type = \"pkcs11\"")
            }
            (SeedsType::Pkcs11, None, _) => trouble("type = \"pkcs11\" needs [seeds.token]"),
            (SeedsType::Pkcs11, Some(first), Some(second)) if first.name == second.name => {
                trouble("[seeds.second] is the token of [seeds.token]: one that dies would take both keys")
            }
            _ => None,
        }
    }

    /// What is wrong with each block, or with all of them together.
    pub(super) fn faults(config: &Config, home: &Home) -> Vec<Fault> {
        let blocks = &config.seeds;
        let told = |why| Fault::new("[[seeds]]", why);
        let of_one = |block: &Self| {
            let trouble = block.trouble()?;
            Some(if blocks.len() > 1 {
                format!("the block of name {:?}: {trouble}", block.name)
            } else {
                trouble
            })
        };
        let faults: Vec<_> = blocks.iter().filter_map(of_one).map(told).collect();
        if faults.is_empty() { Self::together(config, home).map(told).into_iter().collect() } else { faults }
    }

    fn together(config: &Config, home: &Home) -> Option<String> {
        let blocks = &config.seeds;
        for (number, block) in blocks.iter().enumerate() {
            if blocks.iter().skip(number + 1).any(|other| other.name == block.name) {
                return Some(format!("name: two blocks are called {:?}", block.name));
            }
        }
        let defaults = blocks.iter().filter(|block| block.default).count();
        match (blocks.len(), defaults) {
            (0 | 1, _) | (_, 1) => Self::folder_twice(&config.stores(), home).or_else(|| key_twice(config)),
            (blocks, 0) => Some(format!("default: one of the {blocks} blocks must say `default = true`")),
            _ => Some(format!("default: {defaults} blocks say `default = true`; one may")),
        }
    }

    /// A folder has the seeds of one store: a second one there would be made a copy of the first.
    fn folder_twice(stores: &[Self], home: &Home) -> Option<String> {
        let is_at = |path: PathBuf| path.canonicalize().unwrap_or(path);
        let mut taken: Vec<_> =
            stores.iter().map(|store| (is_at(home.seeds(&store.name)), &store.name)).collect();
        for store in stores {
            for folder in &store.copies {
                let path = is_at(home.root.join(folder));
                if let Some((_, other)) = taken.iter().find(|(taken, _)| *taken == path) {
                    let (name, folder) = (&store.name, folder.display());
                    return Some(format!(
                        "copies: {folder:?}, named for {name:?}, is a folder of {other:?} already"
                    ));
                }
                taken.push((path, &store.name));
            }
        }
        None
    }
}

/// One key in a token is one KEK: who is done with it in one place deletes it for all.
fn key_twice(config: &Config) -> Option<String> {
    let mut named: Vec<(String, &TokenKey)> = Vec::new();
    named.extend(config.keystore.token.iter().map(|key| ("[keystore.token]".to_owned(), key)));
    for store in &config.seeds {
        let of = |table| format!("[seeds.{table}] of {:?}", store.name);
        named.extend(store.token.iter().map(|key| (of("token"), key)));
        named.extend(store.second.iter().map(|key| (of("second"), key)));
    }
    for (number, (table, key)) in named.iter().enumerate() {
        let same = |(_, other): &&(String, &TokenKey)| {
            (&other.library, &other.name, &other.key) == (&key.library, &key.name, &key.key)
        };
        if let Some((other, _)) = named.iter().skip(number + 1).find(same) {
            return Some(format!(
                "key: {table} and {other} name one key of one token, {:?}: each needs its own",
                key.key
            ));
        }
    }
    None
}

/// The seed stores there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeedsType {
    /// The key encryption key is sealed under the node's seed.
    #[default]
    Soft,
    /// It is in a PKCS#11 token.
    Pkcs11,
}
