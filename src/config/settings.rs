//! Every setting with its default, a type a table of `config.toml`.

use std::fmt::Display;
use std::net::SocketAddr;
use std::str::FromStr;

use dta_events::log::Pace;
use dta_protocol::Cid;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::custody::{Custody, Keystore, Seeds};
use super::ipfs::Ipfs;
use super::plugin::Plugin;
use super::trouble::Fault;

/// All settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Where seeds are kept: a store a block; one of the defaults if there is none.
    pub seeds: Vec<Seeds>,
    /// What becomes of seeds.
    pub custody: Custody,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Node {
    /// `multi`, `principal` or `fiduciary`.
    pub r#type: NodeType,
    /// Who keeps the keys of orders placed here; the node itself if none.
    #[serde(deserialize_with = "parsed", serialize_with = "shown")]
    pub fiduciary: Option<Cid>,
    /// The plugin.
    pub plugin: Plugin,
}

/// What a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// `[http]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Where other nodes, and only they, are answered too.
    #[serde(deserialize_with = "parsed", serialize_with = "shown")]
    pub peer_listen: Option<SocketAddr>,
    /// How long an order waits for a fiduciary elsewhere before it is answered 202, in milliseconds.
    pub order_wait_ms: u64,
    /// Names besides loopback's.
    pub allowed_hosts: Vec<String>,
    /// Web origins that may call.
    pub cors_allow: Vec<String>,
}

/// `[peers]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// Identities that its operator pinned.
    #[default]
    Pinned,
    /// Any identity.
    Open,
}

/// `[clock]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Clock {
    /// Milliseconds of steady running before expiry acts.
    pub trusted_after_ms: u64,
}

/// `[refusals]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Refusals {
    /// Recorded in a row.
    pub burst: u64,
    /// One more after this many milliseconds.
    pub refill_every_ms: u64,
}

/// `[storage]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// Free bytes below which nothing is appended.
    pub reserve_bytes: u64,
}

/// `[checkpoints]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Checkpoints {
    /// New records after which one is made, 1 to 4,096.
    pub records: u64,
    /// Milliseconds after which one is made, if there are fewer; at most a minute, so that others need not wait for it.
    pub after_ms: u64,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// A level or a filter.
    pub level: String,
    /// `text` or `json`.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
        Self { r#type: NodeType::Multi, fiduciary: None, plugin: Plugin::default() }
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

/// The longest that an order may wait for its fiduciary, in milliseconds.
const ORDER_WAIT_MS_MAX: u64 = 60_000;

impl Http {
    /// What is wrong with it.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let no_origin = |origin: &&String| {
            let named = ["http://", "https://"].iter().find_map(|scheme| origin.strip_prefix(scheme));
            !named.is_some_and(|host| !host.is_empty() && !host.contains(['*', '/', ' ']))
        };
        let told = |origin: &String| {
            let why =
                format!("{origin:?} is no origin, as \"https://desk.example\" is; there is no wildcard");
            Fault::new("http.cors_allow", why)
        };
        let mut faults: Vec<_> = self.cors_allow.iter().filter(no_origin).map(told).collect();
        if self.order_wait_ms > ORDER_WAIT_MS_MAX {
            let why = format!("is {}, must be at most {ORDER_WAIT_MS_MAX}", self.order_wait_ms);
            faults.push(Fault::new("http.order_wait_ms", why));
        }
        faults
    }
}

impl Peers {
    /// What is wrong with it.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let why = || format!("must be at least 1000, not {}", self.missing_after_ms);
        let short = (self.missing_after_ms < 1_000).then(|| Fault::new("peers.missing_after_ms", why()));
        short.into_iter().collect()
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

    /// What is wrong with it.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if !(1..=4_096).contains(&self.records) {
            faults
                .push(Fault::new("checkpoints.records", format!("must be 1 to 4096, not {}", self.records)));
        }
        if self.after_ms > 60_000 {
            faults.push(Fault::new(
                "checkpoints.after_ms",
                format!("must be at most 60000, not {}", self.after_ms),
            ));
        }
        faults
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

impl Log {
    /// What picks the lines.
    ///
    /// # Errors
    /// The level is none, and no filter.
    pub fn filter(&self) -> Result<EnvFilter, String> {
        let unusable = |why: &dyn Display| {
            format!("{:?}: must be a level (error, warn, info, debug, trace) or a filter: {why}", self.level)
        };
        let filter = EnvFilter::try_new(quieted(&self.level)).map_err(|error| unusable(&error))?;
        // To the filter a word alone may be a module too: then nothing else would be logged, in silence.
        for word in self.level.split(',').map(str::trim).filter(|word| !word.contains(['=', '['])) {
            word.parse::<LevelFilter>().map_err(|error| unusable(&error))?;
        }
        Ok(filter)
    }

    /// What is wrong with it.
    pub(super) fn faults(&self) -> Vec<Fault> {
        self.filter().err().map(|why| Fault::new("log.level", why)).into_iter().collect()
    }
}

/// The IPFS node's library reports each ping, and each dial in vain as an error; whoever wants it asks by `debug` or by name.
fn quieted(level: &str) -> String {
    match level.to_ascii_lowercase().as_str() {
        "debug" | "trace" => level.to_owned(),
        _ => format!("connexa=off,{level}"),
    }
}

/// As [`parsed`] reads it.
pub(super) fn shown<S: Serializer, T: Display>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
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
