//! Variables: over the file, one value each, and none passed over that would be a setting.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use super::super::schema::{Kind, leaves};
use super::*;

fn with(environment: &[(&str, &str)]) -> Result<Settings, String> {
    gather(&[("config.toml", "[http]\nlisten = \"127.0.0.1:1\"\norder_wait_ms = 1\n")], environment)
}

#[test]
fn a_variable_overrides_the_file_and_says_so() {
    let settings = with(&[
        ("DTA_HTTP__LISTEN", "127.0.0.1:2"),
        ("DTA_LOG__FORMAT", "json"),
        ("DTA_IPFS__PUBLIC", "true"),
        ("DTA_CUSTODY__SHRED_AFTER_MS", "7"),
        ("DTA_KEYSTORE__TOKEN__LIBRARY", "/l.so"),
        ("DTA_KEYSTORE__TOKEN__LABEL", "7"),
        ("DTA_KEYSTORE__TOKEN__PIN", "env:PIN"),
    ])
    .unwrap();
    let config = &settings.config;
    assert_eq!((config.http.listen.port(), config.http.order_wait_ms), (2, 1));
    assert_eq!((config.log.format, config.ipfs.public), (LogFormat::Json, true));
    assert_eq!(config.custody.shred_after_ms, Some(7));
    assert_eq!(config.keystore.token.as_ref().unwrap().name, TokenName::Label("7".into()));
    assert_eq!(settings.origin("http.listen"), Origin::Environment("DTA_HTTP__LISTEN".into()));
    assert_eq!(settings.origin("http.order_wait_ms"), Origin::File);
    assert_eq!(settings.origin("log.level"), Origin::Default);
    let shown = settings.shown();
    let pin = shown.iter().find(|shown| shown.key == "keystore.token.pin").unwrap();
    assert_eq!(pin.from, Origin::Environment("DTA_KEYSTORE__TOKEN__PIN".into()));
    assert_eq!(with(&[("DTA_HTTP__PEER_LISTEN", "")]).unwrap().config.http.peer_listen, None);
}

#[test]
fn a_variable_overrides_the_originals_file_too() {
    let yaml = "http:\n  listenAddr: 10.0.0.7:5556\n";
    let settings = gather(&[("config.yaml", yaml)], &[("DTA_HTTP__LISTEN", "127.0.0.1:2")]).unwrap();
    assert_eq!(settings.config.http.listen.port(), 2);
    assert!(gather(&[], &[("DTA_HTTP__LISTEN", "127.0.0.1:2")]).is_ok());
}

#[test]
fn other_programs_variables_disturb_nothing() {
    let others = [
        ("DTA_CACHE", "/tmp"),
        ("DTA_NODE", "http://127.0.0.1:1"),
        ("DTA_HSM_MODULE", "x"),
        ("DTA_", ""),
        ("MILAGRO_HOME", "/srv"),
        ("XDTA_HTTP__LISTEN", "x"),
        ("dta_http__listen", "x"),
        ("PATH__X", "x"),
    ];
    assert_eq!(with(&others).unwrap().config.http.listen.port(), 1);
    let odd = [(OsString::from_vec(b"DTA_\xff__X".to_vec()), OsString::from("x"))];
    assert!(Settings::gather(&Home::new("/nowhere"), odd).is_ok());
}

#[test]
fn what_is_no_setting_is_refused_by_name() {
    for (name, value, told) in [
        ("DTA_HTTP__LISEN", "x", "is no setting: did you mean DTA_HTTP__LISTEN?"),
        ("DTA_HTTP_LISTEN__", "x", "is no setting: did you mean DTA_HTTP__LISTEN?"),
        ("DTA_http__listen", "127.0.0.1:2", "is no setting: did you mean DTA_HTTP__LISTEN?"),
        ("DTA__LISTEN", "x", "is no setting"),
        ("DTA__HTTP__LISTEN", "x", "did you mean DTA_HTTP__LISTEN?"),
        ("DTA_HTTP__", "x", "is no setting"),
        ("DTA_HTTP__LISTEN__PORT", "x", "is no setting"),
        ("DTA___", "x", "DTA_TABLE__KEY"),
        ("DTA_KEYSTORE__TOKEN", "x", "is a table: set one of DTA_KEYSTORE__TOKEN__LIBRARY"),
        ("DTA_SEEDS__TYPE", "pkcs11", "[[seeds]] is a list of blocks"),
        ("DTA_SEEDS__NONE", "x", "[[seeds]] is a list of blocks"),
        ("DTA_HTTP__CORS_ALLOW", "https://desk.example", "http.cors_allow: is a list"),
        ("DTA_IPFS__PEERS", "", "ipfs.peers: is a list"),
        ("DTA_HTTP__ORDER_WAIT_MS", "five", "http.order_wait_ms: must be a whole number"),
        ("DTA_HTTP__ORDER_WAIT_MS", "", "http.order_wait_ms: must be a whole number"),
        ("DTA_HTTP__ORDER_WAIT_MS", "-1", "http.order_wait_ms: must be a whole number"),
        ("DTA_HTTP__ORDER_WAIT_MS", "18446744073709551615", "http.order_wait_ms: must be a whole number"),
        ("DTA_HTTP__ORDER_WAIT_MS", "60001", "http.order_wait_ms: is 60001, must be at most 60000"),
        ("DTA_IPFS__PUBLIC", "yes", "ipfs.public: must be true or false"),
        ("DTA_HTTP__LISTEN", "everywhere", "http.listen: "),
        ("DTA_NODE__PLUGIN", "King", "node.plugin: \"King\" is no plugin"),
        ("DTA_NODE__TYPE", "king", "node.type: unknown variant `king`"),
        ("DTA_KEYSTORE__TOKEN__PIN", "12345678", "keystore.token"),
        ("DTA_LOG__LEVEL", "wat", "log.level"),
    ] {
        let error = with(&[(name, value)]).unwrap_err();
        assert!(
            error.starts_with(&format!("environment variable {name}: ")) && error.contains(told),
            "{name}: {error}"
        );
        assert!(!error.contains("345678"), "{error}");
    }
    let odd = [(OsString::from("DTA_HTTP__LISTEN"), OsString::from_vec(b"\xff".to_vec()))];
    let error = Settings::gather(&Home::new("/nowhere"), odd).unwrap_err().to_string();
    assert!(error.contains("DTA_HTTP__LISTEN: its value is not UTF-8"), "{error}");
}

/// A malformed PIN source may be the PIN itself, wherever it stands.
#[test]
fn a_pin_in_a_variable_is_never_told() {
    let token = "[keystore.token]\nlibrary = \"/l.so\"\nlabel = \"x\"\npin = \"prompt\"\n";
    for pin in ["12345678", "12:345678", "file:", "env:"] {
        let error = gather(&[("config.toml", token)], &[("DTA_KEYSTORE__TOKEN__PIN", pin)]).unwrap_err();
        assert!(error.contains("never the PIN itself") && !error.contains("345678"), "{error}");
        assert!(error.contains("DTA_KEYSTORE__TOKEN__PIN"), "{error}");
    }
}

#[test]
fn every_setting_of_one_value_has_a_variable() {
    for (path, kind) in leaves::<Config>().into_iter().filter(|(path, _)| path != "seeds") {
        let name = format!("DTA_{}", path.to_uppercase().replace('.', "__"));
        let value = match kind {
            Kind::Number => "not a number",
            Kind::Boolean => "not a boolean",
            _ => "",
        };
        let told = match gather(&[], &[(&name, value)]) {
            Ok(settings) => settings.origin(&path).to_string(),
            Err(error) => error,
        };
        assert!(told.contains(&name) && !told.contains("is no setting"), "{name}: {told}");
    }
}
