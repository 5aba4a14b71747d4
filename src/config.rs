//! Settings: the only reader of `config.toml` and of the environment. Every key has a default; unknown keys are refused,
//! so that a typing error is not a silent default.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use config::{Config as Source, File, FileFormat};
use dta_ipfs::{Multiaddr, Protocol};
use dta_protocol::Cid;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use thiserror::Error;

use crate::home::Home;
use dta_ipfs::address::{check_listen, is_loopback, peer};

/// The longest that an order may wait for its fiduciary, in milliseconds.
const ORDER_WAIT_MS_MAX: u64 = 60_000;

/// What a new home's `config.toml` says.
pub const TEMPLATE: &str = "\
# Settings of this node. Every key may be left out; what stands here is the default. Unknown keys are refused.

# [node]
# type = \"multi\"              # principal, fiduciary and beneficiary in one; or \"principal\", or \"fiduciary\"
# fiduciary = \"\"              # who keeps the keys of orders placed here, by its CID; this node itself if empty
# plugin = \"milagro\"

# [http]
# listen = \"127.0.0.1:5556\"   # whoever reaches this address can redeem: keep it on loopback or behind a gateway
# peer_listen = \"\"            # a second address, as \"0.0.0.0:5557\", that answers other nodes only
# order_wait_ms = 5000         # how long an order waits for a fiduciary elsewhere before it is answered 202
# allowed_hosts = []           # names besides localhost and loopback addresses that clients may call this node by
# cors_allow = []              # web origins that may call it, as \"https://desk.example\"

# [peers]
# trust = \"pinned\"            # whom this node serves: identities pinned by `dta peer pin`, or \"open\": any
# give_up_after_ms = 259200000 # how long a delivery to a node that is away is tried before it shows as stalled

# [ipfs]
# connector = \"embedded\"     # or \"none\": then nothing is published on IPFS
# listen = [\"/ip4/127.0.0.1/tcp/5558\"]
# peers = []                   # whom to stay connected with, as \"/ip4/10.0.0.7/tcp/5558/p2p/12D3Koo…\"; nobody else is dialled
# swarm_key = \"swarm.key\"     # the private network's key, made by `dta ipfs swarm-key`; relative to this folder
# public = false               # without a swarm key only loopback addresses are used, unless this is true

# [keystore]
# key_file = \"seed.key\"       # what opens the node's seed at an unattended start; relative to this folder

# [[seeds]]
# type = \"soft\"
# copies = []                  # further folders, on other disks, that get every seed before its order is answered

# [clock]
# trusted_after_ms = 600000    # how long the clock must run steadily before an order is closed for good

# [refusals]
# burst = 100                  # refusals recorded in a row, and
# refill_every_ms = 1000       # one more after each such time

# [storage]
# reserve_bytes = 67108864     # free disk space below which no commands are taken

# [log]
# level = \"info\"              # or a filter, as \"info,milagro_dta=debug\"
# format = \"text\"             # or \"json\"
";

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

/// `[ipfs]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ipfs {
    /// What publishes.
    pub connector: Connector,
    /// Where the embedded node listens.
    pub listen: Vec<Multiaddr>,
    /// Whom it stays connected with.
    pub peers: Vec<Multiaddr>,
    /// The private network's key; none: no private network.
    pub swarm_key: Option<PathBuf>,
    /// Whether addresses beyond loopback may be used without a swarm key.
    pub public: bool,
}

/// What publishes blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Connector {
    /// An IPFS node inside this process.
    #[default]
    Embedded,
    /// Nothing.
    None,
}

impl Connector {
    /// As in `ipfs.connector` of the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Connector::Embedded => "embedded",
            Connector::None => "none",
        }
    }
}

impl Ipfs {
    /// What is wrong with it, and with which key.
    fn trouble(&self) -> Option<String> {
        let bad = |key: &str, address: &Multiaddr, why: &dyn Display| format!("ipfs.{key}: {address}: {why}");
        let listen = self.listen.iter().map(|address| ("listen", address, check_listen(address)));
        let peers = self.peers.iter().map(|address| ("peers", address, peer(address).map(drop)));
        listen.chain(peers).find_map(|(key, address, usable)| match usable {
            Err(why) => Some(bad(key, address, &why)),
            Ok(()) if is_loopback(address) || self.swarm_key.is_some() || self.public => None,
            Ok(()) => {
                Some(bad(key, address, &"beyond loopback it needs ipfs.swarm_key, or ipfs.public = true"))
            }
        })
    }
}

/// `[keystore]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keystore {
    /// What opens the node's seed; `seed.key` in the home if not set.
    pub key_file: Option<PathBuf>,
}

/// `[[seeds]]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seeds {
    /// `soft`.
    pub r#type: SeedsType,
    /// Folders of further copies.
    pub copies: Vec<PathBuf>,
}

/// The seed stores there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeedsType {
    /// A file, sealed under the node's seed.
    #[default]
    Soft,
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
        Self { trust: Trust::Pinned, give_up_after_ms: 259_200_000 }
    }
}

impl Default for Ipfs {
    fn default() -> Self {
        let place = Protocol::Ip4([127, 0, 0, 1].into());
        let listen = vec![Multiaddr::from(place).with(Protocol::Tcp(5558))];
        Self { connector: Connector::Embedded, listen, peers: Vec::new(), swarm_key: None, public: false }
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

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

/// Why the settings cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file is not TOML, or holds a key or value that is none of ours.
    #[error("{}: {source}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<config::ConfigError>,
    },
    /// An origin that no browser sends.
    #[error("{}: http.cors_allow: {origin:?} is no origin, as \"https://desk.example\" is; there is no wildcard", .path.display())]
    Origin {
        /// The file.
        path: PathBuf,
        /// What it says.
        origin: String,
    },
    /// Longer than a client waits.
    #[error("{}: http.order_wait_ms: is {ms}, must be at most {ORDER_WAIT_MS_MAX}", .path.display())]
    OrderWait {
        /// The file.
        path: PathBuf,
        /// What it says.
        ms: u64,
    },
    /// An IPFS address that is of no use or unsafe.
    #[error("{}: {what}", .path.display())]
    Ipfs {
        /// The file.
        path: PathBuf,
        /// Which key, and why.
        what: String,
    },
    /// More than one seed store.
    #[error("{}: [[seeds]]: one block at most for now", .0.display())]
    ManySeeds(PathBuf),
}

impl Config {
    /// The settings of a home; a home without `config.toml` has the defaults.
    ///
    /// # Errors
    /// The file names the key or value that is wrong.
    pub fn read(home: &Home) -> Result<Self, ConfigError> {
        let path = home.config();
        let file = File::from(path.clone()).format(FileFormat::Toml).required(false);
        let settings: Self = Source::builder()
            .add_source(file)
            .build()
            .and_then(Source::try_deserialize)
            .map_err(|source| ConfigError::Unusable { path: path.clone(), source: source.into() })?;
        for origin in &settings.http.cors_allow {
            let named = ["http://", "https://"].iter().find_map(|scheme| origin.strip_prefix(scheme));
            if !named.is_some_and(|host| !host.is_empty() && !host.contains(['*', '/', ' '])) {
                return Err(ConfigError::Origin { path, origin: origin.clone() });
            }
        }
        if settings.http.order_wait_ms > ORDER_WAIT_MS_MAX {
            return Err(ConfigError::OrderWait { path, ms: settings.http.order_wait_ms });
        }
        if let Some(what) = settings.ipfs.trouble() {
            return Err(ConfigError::Ipfs { path, what });
        }
        if settings.seeds.len() > 1 {
            return Err(ConfigError::ManySeeds(path));
        }
        Ok(settings)
    }

    /// The key file, found from the home.
    pub fn key_file(&self, home: &Home) -> PathBuf {
        match &self.keystore.key_file {
            Some(path) => home.root.join(path),
            None => home.key_file(),
        }
    }

    /// The private network's key, found from the home.
    pub fn swarm_key(&self, home: &Home) -> Option<PathBuf> {
        self.ipfs.swarm_key.as_ref().map(|path| home.root.join(path))
    }

    /// The folders of further seed copies, found from the home.
    pub fn seed_copies(&self, home: &Home) -> Vec<PathBuf> {
        self.seeds.iter().flat_map(|seeds| &seeds.copies).map(|folder| home.root.join(folder)).collect()
    }
}

/// A value in its own notation; an empty text is none.
fn parsed<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(D::Error::custom) }
}

/// The home to use: the one named, else `MILAGRO_HOME` as the original had it, else `~/.milagro`.
///
/// # Errors
/// Neither is set and there is no `HOME`.
pub fn find_home(named: Option<PathBuf>) -> Result<Home, &'static str> {
    let from_environment = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let root = named
        .or_else(|| from_environment("MILAGRO_HOME").map(PathBuf::from))
        .or_else(|| from_environment("HOME").map(|home| PathBuf::from(home).join(".milagro")))
        .ok_or("no home: give --home, or set MILAGRO_HOME or HOME")?;
    Ok(Home::new(root))
}

/// The template with every setting in it in force.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn uncommented_template() -> String {
    TEMPLATE
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.starts_with('[') || line.contains(" = "))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        std::fs::write(home.config(), text).unwrap();
        Config::read(&home).map_err(|error| error.to_string())
    }

    #[test]
    fn the_template_is_the_defaults_whether_commented_or_not() {
        assert_eq!(read(TEMPLATE).unwrap(), Config::default());
        let live = uncommented_template();
        let mut expected = Config { seeds: vec![Seeds::default()], ..Config::default() };
        expected.keystore.key_file = Some("seed.key".into());
        expected.ipfs.swarm_key = Some("swarm.key".into());
        assert_eq!(read(&live).unwrap(), expected);
    }

    #[test]
    fn what_is_not_a_setting_is_refused_by_name() {
        for (text, named) in [
            ("[http]\nlisten_on = \"127.0.0.1:1\"", "listen_on"),
            ("[htp]\n", "htp"),
            ("[http]\nlisten = \"everywhere\"", "listen"),
            ("[node]\ntype = \"king\"", "king"),
            ("[node]\nplugin = \"none\"", "none"),
            ("[node]\nfiduciary = \"bob\"", "node.fiduciary"),
            ("[node]\nfiduciary = 7", "node.fiduciary"),
            ("[http]\npeer_listen = \"5557\"", "http.peer_listen"),
            ("[http]\npeer_listen = \"bob.example:5557\"", "http.peer_listen"),
            ("[http]\norder_wait_ms = -1", "order_wait_ms"),
            ("[http]\norder_wait_ms = 60001", "60000"),
            ("[peers]\ntrust = \"all\"", "all"),
            ("[peers]\npins = []", "pins"),
            ("[[seeds]]\ntype = \"hard\"", "hard"),
            ("[[seeds]]\n[[seeds]]\n", "[[seeds]]"),
            ("[clock]\ntrusted_after_ms = -1", "trusted_after_ms"),
            ("[http]\ncors_allow = [\"*\"]", "cors_allow"),
            ("[http]\ncors_allow = [\"https://desk.example/page\"]", "cors_allow"),
            ("[ipfs]\nconnector = \"kubo\"", "kubo"),
            ("[ipfs]\nlisten = [\"localhost:5558\"]", "ipfs.listen"),
            (
                "[ipfs]\nlisten = [\"/ip4/127.0.0.1/udp/1/quic-v1\"]",
                "ipfs.listen: /ip4/127.0.0.1/udp/1/quic-v1",
            ),
            (
                "[ipfs]\nlisten = [\"/ip4/0.0.0.0/tcp/5558\"]",
                "ipfs.listen: /ip4/0.0.0.0/tcp/5558: beyond loopback",
            ),
            (
                "[ipfs]\npeers = [\"/ip4/127.0.0.1/tcp/5558\"]",
                "ipfs.peers: /ip4/127.0.0.1/tcp/5558: must end in /p2p",
            ),
            ("[ipfs]\npeers = [\"/dnsaddr/bootstrap.libp2p.io\"]", "ipfs.peers"),
            (&format!("[ipfs]\npeers = [\"{OUTSIDE}\"]"), "ipfs.swarm_key"),
            ("[ipfs]\nbootstrap = []", "bootstrap"),
            ("[log]\nformat = \"xml\"", "xml"),
            ("[http\n", "TOML"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(named) && error.contains("config.toml"), "{text}: {error}");
        }
    }

    /// A peer on another machine.
    const OUTSIDE: &str = "/ip4/10.0.0.7/tcp/5558/p2p/QmaCpDMGvV2BGHeYERUEnRQAwe3N8SzbUtfsmvsqQLuvuJ";

    #[test]
    fn beyond_loopback_takes_a_key_or_a_word() {
        let beyond = format!("[ipfs]\nlisten = [\"/ip6/::/tcp/5558\"]\npeers = [\"{OUTSIDE}\"]\n");
        let keyed = read(&format!("{beyond}swarm_key = \"keys/swarm.key\"")).unwrap();
        assert_eq!(keyed.swarm_key(&Home::new("/srv/dta")), Some("/srv/dta/keys/swarm.key".into()));
        assert_eq!(keyed.ipfs.peers[0].to_string(), OUTSIDE);
        assert!(read(&format!("{beyond}public = true")).unwrap().ipfs.public);
        assert!(read(&format!("{beyond}public = false")).is_err());
    }

    #[test]
    fn what_a_node_is_and_whom_it_asks() {
        let cid = "bafyreict2ejjb2jcobqobmfccgrpixuwyjkgh5pkvnnaf3fkazrxqqyzge";
        let text =
            format!("[node]\ntype = \"principal\"\nfiduciary = \"{cid}\"\n[peers]\ntrust = \"open\"\n");
        let settings = read(&text).unwrap();
        assert_eq!(settings.node.fiduciary, Some(cid.parse().unwrap()));
        assert_eq!((settings.node.r#type.as_str(), settings.peers.trust), ("principal", Trust::Open));
        for name in ["fiduciary", "masterfiduciary"] {
            let settings = read(&format!("[node]\ntype = \"{name}\"\n")).unwrap();
            assert_eq!(settings.node.r#type.as_str(), "fiduciary");
        }
        let settings = read("[http]\npeer_listen = \"[::]:5557\"\norder_wait_ms = 60000\n").unwrap();
        assert_eq!(settings.http.peer_listen, Some(SocketAddr::from(([0u16; 8], 5557))));
    }

    #[test]
    fn paths_are_found_from_the_home() {
        let home = Home::new("/srv/dta");
        let mut config = Config::default();
        assert_eq!(config.key_file(&home), PathBuf::from("/srv/dta/seed.key"));
        config.keystore.key_file = Some("/run/keys/dta".into());
        config.seeds = vec![Seeds { copies: vec!["other".into(), "/mnt/b".into()], ..Seeds::default() }];
        assert_eq!(config.key_file(&home), PathBuf::from("/run/keys/dta"));
        assert_eq!(config.seed_copies(&home), [PathBuf::from("/srv/dta/other"), PathBuf::from("/mnt/b")]);
    }
}
