//! The original's `config.yaml`: every key of it is taken over, told, or refused.

use super::super::original::read as come_to;
use super::*;

/// As the original's `init` writes it.
const WRITTEN: &str = include_str!("../../../tests/vectors/original-config.yaml");
const CID: &str = "bafyreict2ejjb2jcobqobmfccgrpixuwyjkgh5pkvnnaf3fkazrxqqyzge";

fn yaml(text: &str) -> Result<Settings, String> {
    gather(&[("config.yaml", text)], &[])
}

/// The original's own file with one line changed.
fn with(key: &str, value: &str) -> String {
    let lines = WRITTEN.lines().map(|line| match line.trim_start().split_once(':') {
        Some((found, _)) if found == key => {
            let indent = &line[..line.len() - line.trim_start().len()];
            format!("{indent}{key}: {value}\n")
        }
        _ => format!("{line}\n"),
    });
    let changed: String = lines.collect();
    assert!(WRITTEN.contains(&format!("  {key}:")), "{key}");
    changed
}

#[test]
fn the_file_that_its_init_writes_is_a_node_on_loopback() {
    let settings = yaml(WRITTEN).unwrap();
    let mut expected = Config::default();
    expected.http.cors_allow = vec!["http://localhost:5556".into()];
    assert_eq!(settings.config, expected);
    assert_eq!(settings.name.as_deref(), Some("17c9f630d2e098e4"));
    assert!(settings.file.as_ref().unwrap().ends_with("config.yaml"));
    let told = [
        "config.yaml: http.listenAddr: :5556 was every interface; here it is 127.0.0.1:5556",
        "config.yaml: http.metricsAddr: not used",
        "config.yaml: node.nodeID: the original's identity",
        "config.yaml: node.dataStore: ",
        "config.yaml: ipfs.listenAddress: not taken over",
        "config.yaml: ipfs.bootstrap: 5 addresses are not taken over",
    ];
    for told in told {
        assert!(
            settings.warnings.iter().any(|warning| warning.starts_with(told)),
            "{told}: {:?}",
            settings.warnings
        );
    }
    assert_eq!(settings.warnings.len(), told.len(), "{:?}", settings.warnings);
    assert_eq!(settings.origin("http.cors_allow"), Origin::Original("http.corsAllow"));
    assert_eq!(settings.differing(), 1);
}

#[test]
fn what_it_says_is_taken_over() {
    let config = |key, value| yaml(&with(key, value)).unwrap().config;
    for (value, address) in [
        ("127.0.0.1:5556", "127.0.0.1:5556"),
        ("localhost:7", "127.0.0.1:7"),
        ("0.0.0.0:5556", "0.0.0.0:5556"),
        ("\"[::1]:5556\"", "[::1]:5556"),
        ("\":7\"", "127.0.0.1:7"),
        ("\"\"", "127.0.0.1:5556"),
        ("", "127.0.0.1:5556"),
    ] {
        assert_eq!(config("listenAddr", value).http.listen.to_string(), address);
    }
    for (value, kind) in [
        ("multi", NodeType::Multi),
        ("Principal", NodeType::Principal),
        ("fiduciary", NodeType::Fiduciary),
        ("MasterFiduciary", NodeType::Fiduciary),
        ("\"\"", NodeType::Multi),
    ] {
        assert_eq!(config("nodeType", value).node.r#type, kind);
    }
    assert_eq!(config("corsAllow", "https://desk.example").http.cors_allow, ["https://desk.example"]);
    assert!(config("corsAllow", "\"\"").http.cors_allow.is_empty());
    assert_eq!(config("format", "json").log.format, LogFormat::Json);
    assert_eq!(config("level", "DEBUG").log.level, "debug");
    assert_eq!(config("service", "bitcoinwallet").node.plugin.as_str(), "bitcoinwallet");
    let beside = config("connector", "api").ipfs;
    assert_eq!((beside.connector, beside.api().as_str()), (Connector::Api, "http://localhost:5001"));
    let beside = with("connector", "api").replace("http://localhost:5001", "127.0.0.1:5001");
    assert_eq!(yaml(&beside).unwrap().config.ipfs.api().as_str(), "http://127.0.0.1:5001");
    let near = "/ip4/127.0.0.1/tcp/4001/ipfs/QmaCpDMGvV2BGHeYERUEnRQAwe3N8SzbUtfsmvsqQLuvuJ";
    let near =
        WRITTEN.replace("/ip4/104.131.131.82", "/ip4/127.0.0.1").replace("/ip4/0.0.0.0", "/ip4/127.0.0.1")
            + "#"
            + near;
    let settings = yaml(&near).unwrap();
    assert_eq!(settings.config.ipfs.listen().first().unwrap().to_string(), "/ip4/127.0.0.1/tcp/4001");
    assert!(settings.config.ipfs.peers[0].to_string().starts_with("/ip4/127.0.0.1/tcp/4001/p2p/Qma"));
    assert!(settings.warnings.iter().any(|warning| warning.contains("4 addresses are not taken over")));
}

#[test]
fn another_nodes_keys_stay_another_nodes() {
    let settings = yaml(
        &with("masterFiduciaryNodeID", CID).replace("localhost:5556\n  master", "bob.example:5556\n  master"),
    )
    .unwrap();
    assert_eq!(settings.config.node.fiduciary, CID.parse().ok());
    let told = "node.masterFiduciaryServer: pin it once the daemon runs: `dta peer pin FILE --url http://bob.example:5556`";
    assert!(settings.warnings.iter().any(|warning| warning.contains(told)), "{:?}", settings.warnings);
    let settings = yaml(&format!("node:\n  masterFiduciaryNodeID: {CID}\n")).unwrap();
    assert!(settings.warnings[0].contains("`dta peer pin FILE --url URL`"), "{:?}", settings.warnings);
    for own in ["\"\"", "", "QmfZkZ8WR9N2nVg8rktbR2n7hBFN3HmYuFJeVuS3gcT3Mz # itself"] {
        let text = WRITTEN.replace(
            "masterFiduciaryNodeID: QmfZkZ8WR9N2nVg8rktbR2n7hBFN3HmYuFJeVuS3gcT3Mz",
            &format!("masterFiduciaryNodeID: {own}"),
        );
        assert_eq!(yaml(&text).unwrap().config.node.fiduciary, None);
    }
    let remote = yaml(&with("masterFiduciaryServer", "http://bob.example:5556")).unwrap();
    assert!(remote.warnings.iter().any(|warning| warning.contains("so this one keeps the keys")));
}

#[test]
fn what_must_not_be_passed_over_is_refused_with_the_reason() {
    for (key, value, told) in [
        (
            "oidcProvider",
            "https://id.example",
            "http.oidcProvider: OIDC comes with authentication, which is not built yet",
        ),
        ("oidcProvider", "local", "http.oidcProvider: OIDC comes with authentication"),
        ("oidcClientID", "b6mbvm7sr62f7oc72bu69h6if", "http.oidcClientID: OIDC comes with authentication"),
        ("oidcClientKey", "hunter2", "http.oidcClientKey: OIDC comes with authentication"),
        ("oidcClientKey", "[hunter2]", "http.oidcClientKey: must be text"),
        ("oidcClientKey", "*hunter2", "no YAML"),
        ("oidcClientKey", "\"hunter2", "no YAML"),
        (
            "listenAddr",
            "desk.example:5556",
            "http.listenAddr: \"desk.example:5556\" must be an IP address and a port",
        ),
        ("listenAddr", "\":http\"", "http.listenAddr"),
        ("listenAddr", "\":65536\"", "http.listenAddr"),
        ("listenAddr", "127.0.0.1", "http.listenAddr"),
        ("listenAddr", "5556", "http.listenAddr"),
        ("listenAddr", "[127.0.0.1]", "http.listenAddr: must be text"),
        ("corsAllow", "\"*\"", "http.corsAllow: \"*\" is no origin"),
        ("corsAllow", "https://desk.example/", "http.corsAllow"),
        ("nodeType", "king", "node.nodeType: unknown variant `king`"),
        ("nodeType", "master fiduciary", "node.nodeType"),
        (
            "masterFiduciaryNodeID",
            "QmR7JfvEwTbSkBZuRLdDcRTpZik2ZAuHnn9BA7giX7oJNK",
            "node.masterFiduciaryNodeID: is an identity of the original",
        ),
        ("masterFiduciaryNodeID", "bob", "node.masterFiduciaryNodeID: is an identity of the original"),
        ("dataStore", "postgres", "node.dataStore: must be embedded"),
        ("format", "fmt", "log.format: unknown variant `fmt`"),
        ("level", "wat", "log.level: \"wat\": must be a level"),
        ("connector", "kubo", "ipfs.connector: unknown variant `kubo`"),
        ("service", "King", "plugins.service: \"King\" is no plugin"),
    ] {
        let error = yaml(&with(key, value)).unwrap_err();
        assert!(error.contains(told) && error.contains("config.yaml: "), "{key}: {value}: {error}");
        assert!(!error.contains("hunter2") && !error.contains("b6mbvm"), "{error}");
    }
    let text =
        with("masterFiduciaryNodeID", CID).replace("Server: http://localhost:5556", "Server: bob.example");
    assert!(yaml(&text).unwrap_err().contains("node.masterFiduciaryServer: url: must begin with http"));
    let text = with("connector", "api").replace("http://localhost:5001", "/ip4/127.0.0.1/tcp/5001");
    assert!(yaml(&text).unwrap_err().contains("ipfs.apiAddress"), "{:?}", yaml(&text));
}

#[test]
fn what_is_no_key_of_its_is_refused_by_name() {
    for (text, told) in [
        ("http:\n  listenAdr: :5556\n", "unknown key `http.listenAdr`: did you mean `http.listenAddr`?"),
        ("http:\n  listenaddr: :5556\n", "unknown key `http.listenaddr`: did you mean `http.listenAddr`?"),
        ("http:\n  listen: 127.0.0.1:5556\n", "unknown key `http.listen`"),
        ("http:\n  oidcClientId: x\n", "unknown key `http.oidcClientId`: did you mean `http.oidcClientID`?"),
        ("node:\n  datastore: embedded\n", "unknown key `node.datastore`: did you mean `node.dataStore`?"),
        ("node:\n  level: info\n", "unknown key `node.level`: did you mean `log.level`?"),
        ("plugin:\n  service: milagro\n", "unknown key `plugin`: did you mean `plugins`?"),
        ("service: milagro\n", "unknown key `service`: did you mean `plugins.service`?"),
        ("nothing_like_it: 1\n", "unknown key `nothing_like_it`: known here are http, node"),
        ("http: 5556\n", "http: must be a table"),
        ("ipfs:\n  bootstrap: /ip4/127.0.0.1\n", "ipfs.bootstrap: must be a list"),
        ("- http\n", "must be groups of keys"),
        ("http\n", "must be groups of keys"),
        ("http:\n  listenAddr: :5556\n  listenAddr: :5557\n", "no YAML"),
        ("// http ports\nhttp:\n  listenAddr: :5556\n", "no YAML"),
        ("http:\n\tlistenAddr: :5556\n", "no YAML"),
        ("a: &a [x]\nb: *b\n", "no YAML"),
        ("---\nhttp:\n---\nnode:\n", "no YAML"),
    ] {
        let error = yaml(text).unwrap_err();
        assert!(error.contains(told) && error.contains("config.yaml: "), "{text}: {error}");
    }
    let bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned()
        + &(b'b'..b'm')
            .map(|name| {
                let (name, before) = (char::from(name), char::from(name - 1));
                format!("{name}: &{name} [{}]\n", vec![format!("*{before}"); 10].join(", "))
            })
            .collect::<String>();
    assert!(yaml(&bomb).unwrap_err().contains("no YAML"));
}

#[test]
fn little_is_enough() {
    for text in
        ["", "---\n", "# nothing\n", "http:\n", "http:\nnode: ~\n", "{}", "http: {listenAddr: null}\n"]
    {
        assert_eq!(yaml(text).unwrap().config, Config::default(), "{text:?}");
    }
    assert_eq!(yaml("node:\n  nodeName: 1234\n").unwrap().name.as_deref(), Some("1234"));
    assert_eq!(yaml("node:\n  nodeName: true\n").unwrap().name.as_deref(), Some("true"));
    let last = yaml("blockchain:\n  broadcastNode: tcp://127.0.0.1:26657\n").unwrap();
    assert!(last.warnings[0].contains("blockchain.broadcastNode: not used"), "{:?}", last.warnings);
    assert!(come_to("").table.is_empty());
}

#[test]
fn config_toml_counts_where_there_are_both() {
    let both = [("config.toml", "[log]\nlevel = \"warn\"\n"), ("config.yaml", "nothing: [")];
    let settings = gather(&both, &[]).unwrap();
    assert_eq!(settings.config.log.level, "warn");
    assert_eq!(settings.warnings, ["config.yaml is not read: config.toml counts"]);
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path());
    std::fs::write(home.original_config(), WRITTEN).unwrap();
    assert!(is_there(&home));
    write_new(&home, TEMPLATE).unwrap();
    assert!(!home.config().exists());
    std::fs::create_dir(home.config()).unwrap();
    assert!(Settings::gather(&home, []).unwrap_err().to_string().contains("config.toml: "));
}
