//! The original's settings in ours: those that mean the same, and a line about each that does not.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use dta_original::Settings;
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer as _};
use tracing_subscriber::filter::LevelFilter;

use crate::config::{LogFormat, NodeType, Plugin};

/// What becomes of the original's settings.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Ours: table, key, value in TOML.
    pub settings: Vec<(&'static str, &'static str, String)>,
    /// What has no equivalent, or means less.
    pub told: Vec<String>,
}

/// The original's defaults, which say nothing.
const SAME: &[(&str, &str)] = &[
    ("node.dataStore", "embedded"),
    ("http.corsAllow", "http://localhost:5556"),
    ("http.metricsAddr", ":5557"),
    ("node.masterFiduciaryServer", "http://localhost:5556"),
];

/// Translates them.
pub fn carry(original: &Settings) -> Carried {
    let mut carried = Carried::default();
    for (name, value) in original.all() {
        if SAME.contains(&(name, value)) || name == "node.nodeName" || name == "node.nodeID" {
            continue;
        }
        match name {
            "node.nodeType" => carried.if_known::<NodeType>(name, &value.to_lowercase(), "node", "type"),
            "plugins.service" => carried.if_known::<Plugin>(name, value, "node", "plugin"),
            "log.format" => carried.if_known::<LogFormat>(name, value, "log", "format"),
            "log.level" => match value.parse::<LevelFilter>() {
                Ok(_) => carried.set("log", "level", value),
                Err(_) => carried.tell(name, "is no level here"),
            },
            "http.listenAddr" => carried.listen(name, value),
            "http.corsAllow" => match is_origin(value) {
                true => carried.settings.push(("http", "cors_allow", format!("[{}]", quoted(value)))),
                false => {
                    carried.tell(name, "is no origin; list each in http.cors_allow, there is no wildcard")
                }
            },
            "node.masterFiduciaryNodeID" if original.node_id() == Some(value) => (),
            "node.masterFiduciaryNodeID" | "node.masterFiduciaryServer" => carried.tell(
                name,
                "the fiduciary has a new identity too: pin it with `dta peer pin`, then set node.fiduciary",
            ),
            _ if name.starts_with("http.oidc") => {
                carried.tell(
                    name,
                    "no equivalent: there are no users; put a gateway with authentication in front",
                );
            }
            _ if name.starts_with("ipfs.") || name.starts_with("blockchain.") => (),
            _ => carried.tell(name, "no equivalent"),
        }
    }
    // The original's default listed public bootstrap nodes; ours speaks to whom it is told.
    if original.all().any(|(name, _)| name.starts_with("ipfs.")) {
        carried.told.push(
            "setting ipfs: not carried over: this node's IPFS is on loopback until [ipfs] says otherwise"
                .into(),
        );
    }
    if original.all().any(|(name, _)| name.starts_with("blockchain.")) {
        carried.told.push("setting blockchain: no equivalent: there is no chain".into());
    }
    carried
}

impl Carried {
    /// Ours as `config.toml` has them.
    pub fn to_toml(&self) -> String {
        let mut toml = String::new();
        let mut settings = self.settings.clone();
        settings.sort();
        let mut table = "";
        for (of, key, value) in &settings {
            if table != *of {
                table = of;
                toml += &format!("\n[{of}]\n");
            }
            toml += &format!("{key} = {value}\n");
        }
        toml
    }

    fn set(&mut self, table: &'static str, key: &'static str, value: &str) {
        self.settings.push((table, key, quoted(value)));
    }

    fn tell(&mut self, name: &str, why: &str) {
        self.told.push(format!("setting {name}: {why}"));
    }

    fn if_known<T: DeserializeOwned>(
        &mut self,
        name: &str,
        value: &str,
        table: &'static str,
        key: &'static str,
    ) {
        let text: StrDeserializer<'_, Error> = value.into_deserializer();
        match T::deserialize(text) {
            Ok(_) => self.set(table, key, value),
            Err(_) => {
                self.told.push(format!("setting {name}: {value:?} is not known here: the default holds"))
            }
        }
    }

    /// Where the original listened on every interface by default, this node does not: whoever reaches it can redeem.
    fn listen(&mut self, name: &str, value: &str) {
        let (host, port) = value.rsplit_once(':').unwrap_or((value, ""));
        let Ok(port) = port.parse::<u16>() else {
            return self.tell(name, "has no port");
        };
        let inside = match host.trim_matches(['[', ']']) {
            "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            host => host.parse::<IpAddr>().ok().filter(IpAddr::is_loopback),
        };
        if inside.is_none() {
            self.tell(name, "listens on loopback now: whoever reaches it can redeem; see Start in docs/operate.md before it leaves it");
        }
        let address = SocketAddr::new(inside.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), port);
        self.set("http", "listen", &address.to_string());
    }
}

fn is_origin(text: &str) -> bool {
    let host = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    host.is_some_and(|host| !host.is_empty() && !host.contains(['*', '/', ' ', ',', '"', '\\']))
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted += &format!("\\u{:04X}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, TEMPLATE};
    use crate::home::Home;

    fn carried(yaml: &str) -> Carried {
        carry(&Settings::parse(yaml.as_bytes()))
    }

    #[test]
    fn what_means_the_same_is_carried_over_and_is_read() {
        let carried = carried(
            "http:\n  listenAddr: localhost:5560\n  corsAllow: https://desk.example\nnode:\n  nodeType: MasterFiduciary\nlog:\n  level: debug\n  \
             format: json\nplugins:\n  service: milagro\n",
        );
        assert_eq!(carried.told, [""; 0]);
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        std::fs::write(home.config(), format!("{TEMPLATE}{}", carried.to_toml())).unwrap();
        let config = Config::read(&home).unwrap();
        assert_eq!(config.http.listen.to_string(), "127.0.0.1:5560");
        assert_eq!(config.http.cors_allow, ["https://desk.example"]);
        assert_eq!(config.node.r#type, NodeType::Fiduciary);
        assert_eq!((config.log.level.as_str(), config.log.format), ("debug", LogFormat::Json));
    }

    #[test]
    fn what_does_not_is_told() {
        let carried = carried(
            "http:\n  listenAddr: :5556\n  corsAllow: '*'\n  oidcProvider: local\n  oidcClientKey: hush\nnode:\n  nodeType: none\n  nodeID: Q1\n  \
             masterFiduciaryNodeID: Q2\nlog:\n  level: loud\nipfs:\n  connector: embedded\nplugins:\n  service: Own\nblockchain:\n  broadcastNode: a:1\nother:\n  key: x\n",
        );
        assert_eq!(carried.settings, [("http", "listen", "\"127.0.0.1:5556\"".to_owned())]);
        let of = |name: &str| {
            carried.told.iter().filter(|told| told.starts_with(&format!("setting {name}: "))).count()
        };
        for name in [
            "http.listenAddr",
            "http.corsAllow",
            "http.oidcProvider",
            "http.oidcClientKey",
            "node.nodeType",
            "node.masterFiduciaryNodeID",
            "log.level",
            "ipfs",
            "plugins.service",
            "blockchain",
            "other.key",
        ] {
            assert_eq!(of(name), 1, "{name}: {:?}", carried.told);
        }
        assert_eq!(carried.told.len(), 11);
        assert!(!carried.told.concat().contains("hush"));
    }

    #[test]
    fn a_node_that_is_its_own_fiduciary_has_nothing_to_tell() {
        assert_eq!(carried("node:\n  nodeID: Q\n  masterFiduciaryNodeID: Q\n"), Carried::default());
    }
}
