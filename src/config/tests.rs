//! What the settings take and refuse, and that the template says what holds without it.

use std::net::SocketAddr;

use super::written::uncommented_template;
use super::*;

mod environment;
mod keys;
mod original;

/// What these files and variables come to.
fn gather(files: &[(&str, &str)], environment: &[(&str, &str)]) -> Result<Settings, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
    Settings::gather(&Home::new(folder.path()), environment).map_err(|error| error.to_string())
}

fn read(text: &str) -> Result<Config, String> {
    gather(&[("config.toml", text)], &[]).map(|settings| settings.config)
}

#[test]
fn the_template_is_the_defaults_whether_commented_or_not() {
    assert_eq!(read(TEMPLATE).unwrap(), Config::default());
    let live = uncommented_template();
    let mut expected = Config { seeds: vec![Seeds::default()], ..Config::default() };
    expected.keystore.key_file = Some("seed.key".into());
    expected.ipfs.swarm_key = Some("swarm.key".into());
    expected.ipfs.listen = Some(expected.ipfs.listen());
    expected.ipfs.keep_blocks = Some(expected.ipfs.keep_blocks());
    assert_eq!(read(&live).unwrap(), expected);
}

#[test]
fn what_is_not_a_setting_is_refused_by_name() {
    let large = format!("[http]\norder_wait_ms = {}0", i64::MAX);
    for (text, named) in [
        ("[http]\nlisten_on = \"127.0.0.1:1\"", "listen_on"),
        ("[htp]\n", "htp"),
        ("[http]\nlisten = \"everywhere\"", "listen"),
        ("[node]\ntype = \"king\"", "king"),
        ("[node]\nplugin = \"no plugin\"", "no plugin"),
        ("[node]\nfiduciary = \"bob\"", "node.fiduciary"),
        ("[node]\nfiduciary = 7", "node.fiduciary"),
        ("[http]\npeer_listen = \"5557\"", "http.peer_listen"),
        ("[http]\npeer_listen = \"bob.example:5557\"", "http.peer_listen"),
        ("[http]\norder_wait_ms = -1", "order_wait_ms"),
        ("[http]\norder_wait_ms = 60001", "60000"),
        ("[peers]\ntrust = \"all\"", "all"),
        ("[peers]\npins = []", "pins"),
        ("[peers]\nmissing_after_ms = 999", "peers.missing_after_ms: must be at least 1000"),
        ("[[seeds]]\ntype = \"hard\"", "hard"),
        ("[clock]\ntrusted_after_ms = -1", "trusted_after_ms"),
        ("[http]\ncors_allow = [\"*\"]", "cors_allow"),
        ("[http]\ncors_allow = [\"https://desk.example/page\"]", "cors_allow"),
        ("[ipfs]\nconnector = \"kubo\"", "kubo"),
        ("[ipfs]\nlisten = [\"localhost:5558\"]", "ipfs.listen"),
        ("[ipfs]\nlisten = [\"/ip4/127.0.0.1/udp/1/quic-v1\"]", "ipfs.listen: /ip4/127.0.0.1/udp/1/quic-v1"),
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
        ("[ipfs]\nkeep_blocks = 99", "ipfs.keep_blocks: is 99, must be at least 100"),
        ("[ipfs]\nkeep_blocks = -1", "keep_blocks"),
        ("[log]\nformat = \"xml\"", "xml"),
        ("[http\n", "line 1, column 6: no TOML"),
        ("[http]\nlisten = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\"", "line 3, column 1: no TOML"),
        ("[http]\norder_wait_ms = \"5000\"", "http.order_wait_ms: must be a whole number, without quotes"),
        ("[http]\norder_wait_ms = 5.5", "http.order_wait_ms: must be a whole number"),
        (&large, "TOML"),
        ("[http]\nlisten = 5556", "http.listen: must be text, in quotes"),
        ("[http]\nallowed_hosts = \"desk\"", "http.allowed_hosts: must be a list, in brackets"),
        ("[http]\nallowed_hosts = [7]", "http.allowed_hosts: each of them must be text"),
        ("http = \"127.0.0.1:5556\"", "http: must be a table"),
        ("[seeds]\ntype = \"soft\"", "seeds: is a list of blocks, each under its own [[…]]"),
        ("[ipfs]\npublic = \"true\"", "ipfs.public: must be true or false, without quotes"),
        ("[log]\nlevel = \"wat\"", "log.level: \"wat\": must be a level"),
        ("[log]\nlevel = \"info,milagro_dta=wat\"", "log.level"),
        ("[checkpoints]\nrecords = 0", "checkpoints.records: must be 1 to 4096, not 0"),
        ("[checkpoints]\nafter_ms = 60001", "checkpoints.after_ms: must be at most 60000"),
        (
            "[node]\nplugin = \"Milagro\"",
            "node.plugin: \"Milagro\" is no plugin's name: they have 1 to 32 of a-z, 0-9 and -",
        ),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(named) && error.contains("config.toml"), "{text}: {error}");
    }
}

#[test]
fn each_connector_has_keys_of_its_own() {
    let token = "api_token = \"kubo.token\"";
    let peer = format!("peers = [\"{}\"]", OUTSIDE.replace("10.0.0.7", "127.0.0.1"));
    for (connector, line, named) in [
        ("api", "listen = []", "ipfs.listen: is for ipfs.connector = \"embedded\""),
        ("api", &peer, "ipfs.peers: is for ipfs.connector = \"embedded\""),
        ("api", "swarm_key = \"swarm.key\"", "ipfs.swarm_key: is for ipfs.connector = \"embedded\""),
        ("api", "keep_blocks = 1000", "ipfs.keep_blocks: is for ipfs.connector = \"embedded\""),
        ("api", "public = true", "ipfs.public: is for ipfs.connector = \"embedded\""),
        ("embedded", "api = \"http://127.0.0.1:5001\"", "ipfs.api: is for ipfs.connector = \"api\""),
        ("embedded", token, "ipfs.api_token: is for ipfs.connector = \"api\""),
        ("embedded", "pin = true", "ipfs.pin: is for ipfs.connector = \"api\""),
        ("api", "api = \"127.0.0.1:5001\"", "ipfs.api"),
        ("api", "api = \"/ip4/127.0.0.1/tcp/5001\"", "ipfs.api"),
        ("api", "api = \"http://me:secret@127.0.0.1:5001\"", "ipfs.api"),
        (
            "api",
            &format!("api = \"http://kubo.example:5001\"\n{token}"),
            "ipfs.api: http://kubo.example:5001",
        ),
        ("api", &format!("api = \"http://10.0.0.7:5001\"\n{token}"), "must be https://, or on loopback"),
    ] {
        let error = read(&format!("[ipfs]\nconnector = \"{connector}\"\n{line}\n")).unwrap_err();
        assert!(error.contains(named) && error.contains("config.toml"), "{connector}, {line}: {error}");
        // Nothing is published: what the keys are for may stay for another day.
        let none = read(&format!("[ipfs]\nconnector = \"none\"\n{line}\n"));
        assert_eq!(none.is_ok(), named.contains("is for"), "{line}");
    }
    let settings = read("[ipfs]\nconnector = \"api\"").unwrap().ipfs;
    assert_eq!((settings.api().as_str(), settings.pin), ("http://127.0.0.1:5001", None));
    for url in
        ["http://[::1]:5001", "http://localhost:5001", "https://kubo.example", "http://127.0.0.1:5001/"]
    {
        let settings = read(&format!("[ipfs]\nconnector = \"api\"\napi = \"{url}\"\n{token}\npin = false"));
        let settings = settings.unwrap();
        assert_eq!(settings.ipfs.api().as_str(), url.trim_end_matches('/'));
        assert_eq!(settings.api_token(&Home::new("/srv/dta")), Some("/srv/dta/kubo.token".into()));
    }
    assert!(read("[ipfs]\nconnector = \"api\"\napi = \"http://kubo.example:5001\"").is_ok());
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
    let text = format!("[node]\ntype = \"principal\"\nfiduciary = \"{cid}\"\n[peers]\ntrust = \"open\"\n");
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
    assert_eq!(config.key_file(&home), PathBuf::from("/run/keys/dta"));
}

/// A `[seeds.token]` with these lines besides.
fn token(lines: &str) -> String {
    format!("[[seeds]]\ntype = \"pkcs11\"\n[seeds.token]\nlibrary = \"/usr/lib/hsm.so\"\n{lines}")
}

#[test]
fn a_token_is_named_once_and_its_pin_is_elsewhere() {
    let named = "label = \"custody\"\npin = \"file:hsm.pin\"\n";
    let seeds = read(&token(named)).unwrap().stores().remove(0);
    let key = seeds.token.unwrap();
    assert_eq!((key.name, key.pin), (TokenName::Label("custody".into()), PinSource::File("hsm.pin".into())));
    assert_eq!((key.key.as_str(), key.sessions, key.time_limit_ms), ("milagro-dta", 4, 5_000));
    for (lines, pin) in [
        ("serial = \"0a1b\"\npin = \"env:HSM_PIN\"", PinSource::Environment("HSM_PIN".into())),
        ("slot = 0\npin = \"prompt\"", PinSource::Prompt),
    ] {
        assert_eq!(read(&token(lines)).unwrap().seeds[0].token.as_ref().unwrap().pin, pin);
    }
    let with = |lines: &str| format!("{named}{lines}\n");
    let second = |name: &str| {
        with(&format!("[seeds.second]\nlibrary = \"/b.so\"\nlabel = \"{name}\"\npin = \"prompt\""))
    };
    assert!(read(&token(&second("other"))).is_ok());
    for (lines, told) in [
        ("pin = \"prompt\"", "label, serial and slot"),
        (&with("slot = 0"), "label, serial and slot"),
        (&with("serial = \"1\""), "label, serial and slot"),
        ("label = \"custody\"", "pin"),
        ("slot = 0\npin = \"12345678\"", "never the PIN itself"),
        ("slot = 0\npin = \"file:\"", "never the PIN itself"),
        ("slot = 0\npin = \"env:\"", "never the PIN itself"),
        ("slot = 0\npin = \"12:345678\"", "never the PIN itself"),
        ("slot = 0\npin = 12345678", "seeds.token.pin: must be text"),
        ("slot = 0\npin = 12.345678", "seeds.token.pin: must be text"),
        ("slot = 0\npin = [\"12345678\"]", "seeds.token.pin: must be text"),
        ("slot = 0\npin = 12 345678", "no TOML"),
        ("slot = 0\npin = \"12345678", "no TOML"),
        ("slot = 0\npin = x12345678", "no TOML"),
        ("slot = -1\npin = \"prompt\"", "slot"),
        (&with("key = \"\""), "key: must have 1 to 40 bytes, not 0"),
        (&with(&format!("key = \"{}\"", "k".repeat(41))), "key: must have 1 to 40 bytes, not 41"),
        (&with("sessions = 0"), "sessions: must be 1 to 64"),
        (&with("sessions = 65"), "sessions: must be 1 to 64"),
        (&with("time_limit_ms = 99"), "time_limit_ms: must be 100 to 600000"),
        (&with("time_limit_ms = 600001"), "time_limit_ms: must be 100 to 600000"),
        (&with("algorithm = \"aes-cbc\""), "aes-cbc"),
        (&with("pins = 3"), "pins"),
        (&second("custody"), "one that dies would take both keys"),
    ] {
        let error = read(&token(lines)).unwrap_err();
        assert!(error.contains(told) && error.contains("config.toml"), "{lines}: {error}");
        assert!(!error.contains("345678"), "{error}");
    }
    for (text, told) in [
        ("[[seeds]]\ntype = \"pkcs11\"\n", "needs [seeds.token]"),
        (&token(named).replace("pkcs11", "soft"), "goes with type = \"pkcs11\""),
        (&token(named).replace("seeds.token", "seeds.second"), "needs [seeds.token]"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(told), "{text}: {error}");
    }
}

#[test]
fn several_stores_have_names_and_one_is_the_default() {
    let block = |lines: &str| format!("[[seeds]]\n{lines}\n");
    let names =
        |text: &str| read(text).unwrap().stores().into_iter().map(|store| store.name).collect::<Vec<_>>();
    assert_eq!(names(""), ["main"]);
    assert_eq!(names(&block("name = \"hsm-1\"")), ["hsm-1"]);
    let two = format!("{}{}", block(""), block("name = \"new\"\ndefault = true"));
    assert_eq!(names(&two), ["new", "main"]);
    for (second, told) in [
        ("name = \"new\"", "one of the 2 blocks must say `default = true`"),
        ("default = true", "two blocks are called \"main\""),
        ("name = \"\"", "name: must have 1 to 32"),
        ("name = \"New\"", "name: must have 1 to 32"),
        ("name = \"../new\"", "name: must have 1 to 32"),
        (&format!("name = \"{}\"", "n".repeat(33)), "name: must have 1 to 32"),
        ("name = \"new\"\ndefault = true\nshred_after_ms = 1", "did you mean `custody.shred_after_ms`?"),
        (
            "name = \"new\"\ndefault = true\ntype = \"pkcs11\"",
            "the block of name \"new\": type = \"pkcs11\" needs",
        ),
    ] {
        let error = read(&format!("{}{}", block(""), block(second))).unwrap_err();
        assert!(error.contains(told), "{second}: {error}");
    }
    let both = format!("{}{two}", block("name = \"old\"\ndefault = true"));
    assert!(read(&both).unwrap_err().contains("2 blocks say `default = true`"));
}

#[test]
fn every_trouble_is_told_at_once() {
    let text = "[http]\nlisten = \"everywhere\"\norder_wait_ms = 60001\ncors_allow = [\"*\", \"desk\"]\n[checkpoints]\nrecords = 0\n\
        after_ms = 60001\n[peers]\npins = 3\n[ipfs]\nkeep_blocks = 1\npin = true\n[node]\ntype = \"king\"\n[[seeds]]\ntype = \"hard\"\n";
    let error = gather(&[("config.toml", text)], &[("DTA_LOG__LEVEL", "wat"), ("DTA_LOG__LEVL", "info")])
        .unwrap_err();
    let told = [
        "http.listen: ",
        "checkpoints.records: must",
        "checkpoints.after_ms: must",
        "unknown key `peers.pins`",
        "ipfs.keep_blocks: is 1",
        "ipfs.pin: is for",
        "node.type: unknown variant `king`",
        "seeds.type: unknown variant `hard`",
        "environment variable DTA_LOG__LEVEL: log.level: \"wat\"",
        "environment variable DTA_LOG__LEVL: is no setting: did you mean DTA_LOG__LEVEL?",
    ];
    for told in told {
        assert!(error.contains(told), "{told} in {error}");
    }
    // What stands beside a broken value may be right with it: it is told once that is mended.
    assert_eq!(error.lines().count(), told.len(), "{error}");
    let error = gather(&[("config.toml", &text.replace("everywhere", "127.0.0.1:1"))], &[]).unwrap_err();
    for told in ["cors_allow: \"*\"", "cors_allow: \"desk\"", "order_wait_ms: is 60001"] {
        assert!(error.contains(told), "{told} in {error}");
    }
}

#[test]
fn what_is_shown_reads_as_the_same_settings() {
    let cid = "bafyreict2ejjb2jcobqobmfccgrpixuwyjkgh5pkvnnaf3fkazrxqqyzge";
    let two =
        "label = \"a\"\npin = \"env:PIN\"\n[seeds.second]\nlibrary = \"/b.so\"\nslot = 7\npin = \"prompt\"\n";
    for text in [
        String::new(),
        uncommented_template(),
        format!("[node]\nfiduciary = \"{cid}\"\n[ipfs]\nconnector = \"api\"\n[http]\npeer_listen = \"[::]:5557\"\n"),
        "[custody]\nshred_after_ms = 5\n[ipfs]\nconnector = \"none\"\n".to_owned(),
        token(two),
        "[keystore.token]\nlibrary = \"/l.so\"\nserial = \"0a\"\npin = \"file:hsm.pin\"\nalgorithm = \"hmac-kdf\"\n".to_owned(),
    ] {
        let all = read(&text).unwrap().spelled_out();
        let written = toml::Table::try_from(&all).unwrap().to_string();
        assert_eq!(read(&written).unwrap().spelled_out(), all, "{written}");
    }
}

#[test]
fn a_new_home_says_what_init_was_told() {
    let cid = "bafyreict2ejjb2jcobqobmfccgrpixuwyjkgh5pkvnnaf3fkazrxqqyzge".parse().ok();
    let plugin: Option<Plugin> = "bitcoinwallet".parse().ok();
    assert_eq!(NewNode::default().written(), TEMPLATE);
    for (fiduciary, plugin) in [(cid, None), (None, plugin.clone()), (cid, plugin)] {
        let new = NewNode { fiduciary, plugin: plugin.clone() };
        let mut expected = Config::default();
        if fiduciary.is_some() {
            (expected.node.r#type, expected.node.fiduciary) = (NodeType::Principal, fiduciary);
        }
        expected.node.plugin = plugin.unwrap_or_default();
        let written = new.written();
        assert_eq!(read(&written).unwrap(), expected, "{written}");
        assert_eq!(written.lines().count(), TEMPLATE.lines().count());
        let settings = gather(&[("config.toml", &written)], &[]).unwrap();
        assert_eq!(settings.differing(), new.says().len());
    }
}

#[test]
fn a_folder_and_a_key_are_of_one_store() {
    let block = |name: &str, lines: &str| format!("[[seeds]]\nname = {name:?}\n{lines}\n");
    let two = |first: &str, second: &str| {
        format!("{}{}", block("main", first), block("hsm", &format!("default = true\n{second}")))
    };
    let copies = |folders: &str| format!("copies = [{folders}]");
    assert!(read(&two(&copies("\"/a\""), &copies("\"/b\""))).is_ok());
    for (first, second, told) in [
        ("\"/a\"", "\"/b\", \"/a\"", "\"/a\", named for \"main\", is a folder of \"hsm\" already"),
        ("", "\"seeds\"", "\"seeds\", named for \"hsm\", is a folder of \"main\" already"),
        ("\"./seeds-hsm\"", "", "is a folder of \"hsm\" already"),
        ("\"/a\", \"/a\"", "", "is a folder of \"main\" already"),
    ] {
        let error = read(&two(&copies(first), &copies(second))).unwrap_err();
        assert!(error.contains(told), "{error}");
    }
    let table = |name: &str, token: &str, key: &str| {
        format!("[{name}]\nlibrary = \"/hsm.so\"\nlabel = {token:?}\npin = \"prompt\"\nkey = {key:?}\n")
    };
    let in_token =
        |token: &str, key: &str| format!("type = \"pkcs11\"\n{}", table("seeds.token", token, key));
    assert!(read(&two(&in_token("a", "k"), &in_token("a", "l"))).is_ok());
    assert!(read(&two(&in_token("a", "k"), &in_token("b", "k"))).is_ok());
    let second = format!("{}{}", in_token("b", "k"), table("seeds.second", "a", "k"));
    let keystore = table("keystore.token", "a", "k");
    for (text, one, other) in [
        (
            two(&in_token("a", "k"), &in_token("a", "k")),
            "[seeds.token] of \"main\"",
            "[seeds.token] of \"hsm\"",
        ),
        (two(&in_token("a", "k"), &second), "[seeds.token] of \"main\"", "[seeds.second] of \"hsm\""),
        (
            format!("{keystore}{}", block("main", &in_token("a", "k"))),
            "[keystore.token]",
            "[seeds.token] of \"main\"",
        ),
    ] {
        let error = read(&text).unwrap_err();
        assert!(error.contains(&format!("key: {one} and {other} name one key")), "{error}");
    }
}
