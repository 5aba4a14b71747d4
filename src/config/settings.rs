//! Every setting with its default, a type a table of `config.toml`.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use dta_events::log::Pace;
use dta_protocol::Cid;
use dta_token::Algorithm;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::ipfs::Ipfs;

/// All settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What the node is.
    pub node: Node,
    /// The API.
    pub http: Http,
    /// Other nodes.
    pub peers: Peers,
    /// Publishing.
    pub ipfs: Ipfs,
    /// The node's own seed.
    pub keystore: Keystore,
    /// Custody. One block for now.
    pub seeds: Vec<Seeds>,
    /// The wall clock.
    pub clock: Clock,
    /// Recorded refusals.
    pub refusals: Refusals,
    /// Disk space.
    pub storage: Storage,
    /// Checkpoints of the event log.
    pub checkpoints: Checkpoints,
    /// Log lines.
    pub log: Log,
}

/// `[node]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Node {
    /// `multi`, `principal` or `fiduciary`.
    pub r#type: NodeType,
    /// Who keeps the keys of orders placed here; the node itself if none.
    #[serde(deserialize_with = "parsed")]
    pub fiduciary: Option<Cid>,
    /// The plugin; `milagro`.
    pub plugin: Plugin,
}

/// What a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeType {
    /// Principal, fiduciary and beneficiary in one.
    #[default]
    Multi,
    /// Places orders with a fiduciary elsewhere.
    Principal,
    /// Keeps keys for principals elsewhere; the original calls it `masterfiduciary`.
    #[serde(alias = "masterfiduciary")]
    Fiduciary,
}

impl NodeType {
    /// As in `nodeType` of the status.
    pub fn as_str(self) -> &'static str {
        match self {
            NodeType::Multi => "multi",
            NodeType::Principal => "principal",
            NodeType::Fiduciary => "fiduciary",
        }
    }
}

/// The plugins there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plugin {
    /// The key pair itself, nothing added.
    #[default]
    Milagro,
}

impl Plugin {
    /// As in `plugin` of orders and of the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Plugin::Milagro => "milagro",
        }
    }
}

/// `[http]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Where other nodes, and only they, are answered too.
    #[serde(deserialize_with = "parsed")]
    pub peer_listen: Option<SocketAddr>,
    /// How long an order waits for a fiduciary elsewhere before it is answered 202, in milliseconds.
    pub order_wait_ms: u64,
    /// Names besides loopback's.
    pub allowed_hosts: Vec<String>,
    /// Web origins that may call.
    pub cors_allow: Vec<String>,
}

/// `[peers]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Peers {
    /// Whom this node serves.
    pub trust: Trust,
    /// How long a delivery to another node is tried before it is given up until told otherwise, in milliseconds.
    pub give_up_after_ms: u64,
    /// How long after it was accepted a statement may be missing from its signer's log before that is an alarm, in milliseconds;
    /// at least a second.
    pub missing_after_ms: u64,
}

/// Whom a node serves, besides the identities it hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// Identities that its operator pinned.
    #[default]
    Pinned,
    /// Any identity.
    Open,
}

/// `[keystore]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keystore {
    /// What opens the node's seed; `seed.key` in the home if not set.
    pub key_file: Option<PathBuf>,
    /// The token whose key opens it instead.
    pub token: Option<TokenKey>,
}

/// `[[seeds]]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seeds {
    /// `soft` or `pkcs11`.
    pub r#type: SeedsType,
    /// Folders of further copies.
    pub copies: Vec<PathBuf>,
    /// The token with the key encryption key, if `pkcs11`.
    pub token: Option<TokenKey>,
    /// Another one, whose key opens every seed too.
    pub second: Option<TokenKey>,
    /// How long after an order has ended its seed is destroyed, in milliseconds; never if not set.
    pub shred_after_ms: Option<u64>,
}

/// `[seeds.token]`: a PKCS#11 token, and a key in it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawTokenKey")]
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

/// As it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTokenKey {
    library: PathBuf,
    label: Option<String>,
    serial: Option<String>,
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

impl Seeds {
    /// What is wrong with it, and with which key.
    pub(super) fn trouble(&self) -> Option<String> {
        let trouble = |text: &str| Some(text.to_owned());
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
}

/// The seed stores there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeedsType {
    /// The key encryption key is sealed under the node's seed.
    #[default]
    Soft,
    /// It is in a PKCS#11 token.
    Pkcs11,
}

/// `[clock]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Clock {
    /// Milliseconds of steady running before expiry acts.
    pub trusted_after_ms: u64,
}

/// `[refusals]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Refusals {
    /// Recorded in a row.
    pub burst: u64,
    /// One more after this many milliseconds.
    pub refill_every_ms: u64,
}

/// `[storage]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// Free bytes below which nothing is appended.
    pub reserve_bytes: u64,
}

/// `[checkpoints]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Checkpoints {
    /// New records after which one is made, 1 to 4,096.
    pub records: u64,
    /// Milliseconds after which one is made, if there are fewer; at most a minute, so that others need not wait for it.
    pub after_ms: u64,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// A level or a filter.
    pub level: String,
    /// `text` or `json`.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines, one object a line.
    Json,
}

impl Default for Node {
    fn default() -> Self {
        Self { r#type: NodeType::Multi, fiduciary: None, plugin: Plugin::Milagro }
    }
}

impl Default for Http {
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 5556));
        Self {
            listen,
            peer_listen: None,
            order_wait_ms: 5_000,
            allowed_hosts: Vec::new(),
            cors_allow: Vec::new(),
        }
    }
}

impl Default for Peers {
    fn default() -> Self {
        Self { trust: Trust::Pinned, give_up_after_ms: 259_200_000, missing_after_ms: 600_000 }
    }
}

impl Peers {
    /// What is wrong with it, and with which key.
    pub(super) fn trouble(&self) -> Option<String> {
        (self.missing_after_ms < 1_000)
            .then(|| format!("peers.missing_after_ms: must be at least 1000, not {}", self.missing_after_ms))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self { trusted_after_ms: 600_000 }
    }
}

impl Default for Refusals {
    fn default() -> Self {
        Self { burst: 100, refill_every_ms: 1_000 }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self { reserve_bytes: 64 << 20 }
    }
}

impl Default for Checkpoints {
    fn default() -> Self {
        Self { records: 256, after_ms: 5_000 }
    }
}

impl Checkpoints {
    /// As the rules take it.
    pub fn pace(&self) -> Pace {
        Pace { records: self.records, after_ms: self.after_ms }
    }

    /// What is wrong with it, and with which key.
    pub(super) fn trouble(&self) -> Option<String> {
        if !(1..=4_096).contains(&self.records) {
            return Some(format!("checkpoints.records: must be 1 to 4096, not {}", self.records));
        }
        (self.after_ms > 60_000)
            .then(|| format!("checkpoints.after_ms: must be at most 60000, not {}", self.after_ms))
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

/// A value in its own notation; an empty text is none.
pub(super) fn parsed<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(D::Error::custom) }
}
