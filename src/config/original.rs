//! The original's `config.yaml`: its groups and keys, and what they are here.

use std::collections::BTreeMap;

use dta_ipfs::Multiaddr;
use dta_ipfs::address::is_loopback;
use dta_protocol::Cid;
use serde::Deserialize;
use toml::{Table, Value};

use super::environment::put;
use super::sift::{Scalars, sift};
use super::trouble::Fault;
use crate::actors::peers::PeerUrl;

/// The file, in the original's words. A group or a key without a value is one that is not there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Original {
    http: Option<Http>,
    node: Option<Node>,
    log: Option<Log>,
    ipfs: Option<Ipfs>,
    plugins: Option<Plugins>,
    blockchain: Option<Blockchain>,
}

type Text = Option<String>;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Http {
    listen_addr: Text,
    metrics_addr: Text,
    oidc_provider: Text,
    #[serde(rename = "oidcClientID")]
    oidc_client_id: Text,
    oidc_client_key: Text,
    cors_allow: Text,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Node {
    node_type: Text,
    master_fiduciary_server: Text,
    #[serde(rename = "masterFiduciaryNodeID")]
    master_fiduciary_node_id: Text,
    #[serde(rename = "nodeID")]
    node_id: Text,
    node_name: Text,
    data_store: Text,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Log {
    format: Text,
    level: Text,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Ipfs {
    connector: Text,
    bootstrap: Option<Vec<String>>,
    listen_address: Text,
    api_address: Text,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Plugins {
    service: Text,
}

/// Of its last commits, which had a chain of Tendermint in place of IPFS.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Blockchain {
    broadcast_node: Text,
}

/// What a `config.yaml` comes to here.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Settings of ours.
    pub table: Table,
    /// Which of its keys a setting of ours is from.
    pub keys: BTreeMap<String, &'static str>,
    /// What is not taken over, or is something else here.
    pub notes: Vec<String>,
    /// What must not be passed over.
    pub faults: Vec<Fault>,
    /// What the node is to be called, for `dta init`.
    pub name: Option<String>,
}

impl Taken {
    fn take(&mut self, ours: &str, theirs: &'static str, value: impl Into<Value>) {
        let path: Vec<_> = ours.split('.').map(str::to_owned).collect();
        put(&mut self.table, &path, value.into());
        self.keys.insert(ours.to_owned(), theirs);
    }

    fn note(&mut self, key: &str, what: impl AsRef<str>) {
        self.notes.push(format!("{key}: {}", what.as_ref()));
    }

    fn refuse(&mut self, key: &str, why: impl Into<String>) {
        self.faults.push(Fault::new(key, why));
    }
}

/// Empty text is none, as in the original.
fn said(text: &Text) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

/// Reads it.
pub(super) fn read(text: &str) -> Taken {
    let mut taken = Taken::default();
    // The texts of the library's errors may quote a value, which may be the client's key: the place must do.
    let told = |error: &serde_saphyr::Error, what: &str| {
        let place = error.location().map(|at| format!("line {}, column {}: ", at.line(), at.column()));
        Fault::new(format!("{}{what}", place.unwrap_or_default()), "see docs/operate.md, The original's file")
    };
    let tree = match serde_saphyr::from_str::<Option<serde_json::Value>>(text) {
        Ok(tree) => tree.unwrap_or_default(),
        Err(error) => {
            taken.faults.push(told(&error, "this is no YAML of a settings file"));
            return taken;
        }
    };
    let mut table = match without_nulls(tree) {
        Some(Value::Table(table)) => table,
        None => Table::new(),
        Some(_) => {
            taken
                .faults
                .push(Fault::new("it", "must be groups of keys, as `http:` and under it `listenAddr:`"));
            return taken;
        }
    };
    taken.faults = sift::<Original>(&mut table, Scalars::Any);
    if !taken.faults.is_empty() {
        return taken;
    }
    match serde_saphyr::from_str::<Option<Original>>(text) {
        Ok(original) => original.unwrap_or_default().come_to(&mut taken),
        Err(error) => taken.faults.push(told(&error, "this value must be text")),
    }
    taken
}

fn without_nulls(value: serde_json::Value) -> Option<Value> {
    use serde_json::Value as Json;
    match value {
        Json::Null => None,
        Json::Bool(boolean) => Some(Value::Boolean(boolean)),
        Json::Number(number) => Some(
            number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap_or(f64::NAN)), Value::Integer),
        ),
        Json::String(text) => Some(Value::String(text)),
        Json::Array(list) => Some(Value::Array(list.into_iter().filter_map(without_nulls).collect())),
        Json::Object(map) => {
            let kept = map.into_iter().filter_map(|(key, value)| Some((key, without_nulls(value)?)));
            Some(Value::Table(kept.collect()))
        }
    }
}

impl Original {
    fn come_to(self, taken: &mut Taken) {
        self.http.unwrap_or_default().come_to(taken);
        self.node.unwrap_or_default().come_to(taken);
        self.log.unwrap_or_default().come_to(taken);
        self.ipfs.unwrap_or_default().come_to(taken);
        if let Some(service) = said(&self.plugins.unwrap_or_default().service) {
            taken.take("node.plugin", "plugins.service", service);
        }
        if said(&self.blockchain.unwrap_or_default().broadcast_node).is_some() {
            taken.note(
                "blockchain.broadcastNode",
                "not used: no chain of Tendermint takes part; the node's log does",
            );
        }
    }
}

impl Http {
    fn come_to(self, taken: &mut Taken) {
        if let Some(address) = said(&self.listen_addr) {
            listen(address, taken);
        }
        if said(&self.metrics_addr).is_some() {
            taken.note("http.metricsAddr", "not used: there are no metrics yet");
        }
        for (key, value) in [
            ("http.oidcProvider", &self.oidc_provider),
            ("http.oidcClientID", &self.oidc_client_id),
            ("http.oidcClientKey", &self.oidc_client_key),
        ] {
            if said(value).is_some() {
                taken.refuse(
                    key,
                    "OIDC comes with authentication, which is not built yet: leave it empty, and put a gateway that asks for tokens in front",
                );
            }
        }
        if let Some(origin) = said(&self.cors_allow) {
            taken.take("http.cors_allow", "http.corsAllow", vec![origin]);
        }
    }
}

/// Go takes an address without a host as all interfaces, and the original wrote such a one into every file. Nobody chose
/// it, and whoever reaches the port can redeem: it is loopback here, until somebody says an address.
fn listen(address: &str, taken: &mut Taken) {
    const THEIRS: &str = "http.listenAddr";
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let host = match host {
        "" => {
            taken.note(
                THEIRS,
                format!(
                    "{address} was every interface; here it is 127.0.0.1:{port}, because whoever reaches the port can redeem every \
                     order: to open it, say an address, as 0.0.0.0:{port}"
                ),
            );
            "127.0.0.1"
        }
        "localhost" => "127.0.0.1",
        host => host,
    };
    match format!("{host}:{port}").parse::<std::net::SocketAddr>() {
        Ok(address) => taken.take("http.listen", THEIRS, address.to_string()),
        Err(_) => {
            taken.refuse(THEIRS, format!("{address:?} must be an IP address and a port, as 127.0.0.1:5556"));
        }
    }
}

impl Node {
    fn come_to(self, taken: &mut Taken) {
        if let Some(kind) = said(&self.node_type) {
            taken.take("node.type", "node.nodeType", kind.to_lowercase());
        }
        self.fiduciary(taken);
        if let Some(id) = said(&self.node_id) {
            let whose =
                if id.parse::<Cid>().is_ok() { "not used" } else { "the original's identity, not used" };
            taken.note(
                "node.nodeID",
                format!("{whose}: a node's identity is in its log (`dta identity show`)"),
            );
        }
        taken.name = said(&self.node_name).map(str::to_owned);
        match said(&self.data_store) {
            None => {}
            Some("embedded") => taken.note(
                "node.dataStore",
                "the log and custody take its place; what the original kept in datastore.dat is not read",
            ),
            Some(_) => taken.refuse("node.dataStore", "must be embedded: the original had no other either"),
        }
    }

    /// A fiduciary that is left out would be this node itself: it would keep keys that were to be elsewhere.
    fn fiduciary(&self, taken: &mut Taken) {
        const THEIRS: &str = "node.masterFiduciaryNodeID";
        const SERVER: &str = "node.masterFiduciaryServer";
        let server = said(&self.master_fiduciary_server);
        let another = said(&self.master_fiduciary_node_id).filter(|id| Some(*id) != said(&self.node_id));
        let Some(id) = another else {
            let elsewhere = server.filter(|url| !url.contains("//localhost") && !url.contains("//127.0.0.1"));
            if elsewhere.is_some() {
                taken.note(
                    SERVER,
                    "not used: no other node is named as fiduciary, so this one keeps the keys",
                );
            }
            return;
        };
        if id.parse::<Cid>().is_err() {
            return taken.refuse(
                THEIRS,
                "is an identity of the original, which no node has here: put the CID that `dta identity show` says at the fiduciary's",
            );
        }
        taken.take("node.fiduciary", THEIRS, id);
        match server.map(|url| (url, url.parse::<PeerUrl>())) {
            None => taken.note(THEIRS, "pin it once the daemon runs, with its URL: `dta peer pin FILE --url URL`"),
            Some((_, Ok(url))) => taken.note(
                SERVER,
                format!(
                    "pin it once the daemon runs: `dta peer pin FILE --url {url}`, with the file that `dta identity export` makes \
                     there"
                ),
            ),
            Some((_, Err(error))) => taken.refuse(SERVER, error.to_string()),
        }
    }
}

impl Log {
    fn come_to(self, taken: &mut Taken) {
        if let Some(format) = said(&self.format) {
            taken.take("log.format", "log.format", format.to_lowercase());
        }
        if let Some(level) = said(&self.level) {
            taken.take("log.level", "log.level", level.to_lowercase());
        }
    }
}

impl Ipfs {
    fn come_to(self, taken: &mut Taken) {
        if let Some(connector) = said(&self.connector) {
            taken.take("ipfs.connector", "ipfs.connector", connector);
        }
        // As in the original, the keys of the other connector say nothing.
        if said(&self.connector) == Some("api") {
            if let Some(address) = said(&self.api_address) {
                let url =
                    if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
                taken.take("ipfs.api", "ipfs.apiAddress", url);
            }
            return;
        }
        let near = |text: &str| text.parse::<Multiaddr>().is_ok_and(|address| is_loopback(&address));
        if let Some(address) = said(&self.listen_address) {
            if near(address) {
                taken.take("ipfs.listen", "ipfs.listenAddress", vec![address]);
            } else {
                taken.note(
                    "ipfs.listenAddress",
                    "not taken over: beyond loopback the IPFS node needs a private network (ipfs.swarm_key), which config.toml can name",
                );
            }
        }
        // `/ipfs/` before a peer id is the older spelling of `/p2p/`.
        let peers = self.bootstrap.unwrap_or_default();
        let (peers, away): (Vec<_>, Vec<_>) =
            peers.iter().map(|peer| peer.trim().replace("/ipfs/", "/p2p/")).partition(|peer| near(peer));
        if !peers.is_empty() {
            taken.take("ipfs.peers", "ipfs.bootstrap", peers);
        }
        if !away.is_empty() {
            let each = if away.len() == 1 {
                "1 address is".to_owned()
            } else {
                format!("{} addresses are", away.len())
            };
            taken.note(
                "ipfs.bootstrap",
                format!("{each} not taken over: the node dials peers of its private network only (ipfs.peers in config.toml)"),
            );
        }
    }
}
