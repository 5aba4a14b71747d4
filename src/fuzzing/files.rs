//! What lies in a home, or is typed in: words, keys, addresses, settings, positions.

use std::path::PathBuf;
use std::sync::LazyLock;

use dta_crypto::Secret;
use dta_ipfs::{Multiaddr, SwarmKey, address};
use dta_protocol::{Cid, Codec};

use crate::config::{Settings, TEMPLATE, uncommented_template};
use crate::home::Home;
use crate::keystore::words::{from_words, to_words};

/// Words of a seed are the words of that seed, whatever their case and the space between.
pub fn words(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(seed) = from_words(text) {
        let again = to_words(&seed);
        let plain = text.to_ascii_lowercase();
        let plain: Vec<_> = plain.split_whitespace().collect();
        assert_eq!(plain.join(" ").as_bytes(), again.expose());
    }
}

pub fn words_samples() -> Vec<Vec<u8>> {
    [[0; 32], [7; 32], [255; 32]].map(|seed| to_words(&Secret::from_bytes(seed)).expose().to_vec()).into()
}

pub fn swarm_key(bytes: &[u8]) {
    if let Some(key) = SwarmKey::parse(bytes) {
        let text = key.text();
        assert!(bytes.trim_ascii_end().eq_ignore_ascii_case(text.trim_end().as_bytes()));
        assert!(SwarmKey::parse(text.as_bytes()).is_some_and(|again| *again.text() == *text));
    }
}

pub fn swarm_keys() -> Vec<Vec<u8>> {
    let digits = "8ab6e6aeb73353791b88c3c73e3d9a5111273e6d89edcbfb8be783f1e595617b";
    ["", "\n", "\r\n"]
        .map(|end| format!("/key/swarm/psk/1.0.0/\n/base16/\n{digits}{end}").into_bytes())
        .into()
}

/// An address of use is one of a peer or one to listen on, never both.
pub fn multiaddr(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(address) = text.parse::<Multiaddr>() else { return };
    let (listens, peer) = (address::check_listen(&address).is_ok(), address::peer(&address));
    assert!(!(listens && peer.is_ok()));
    if let Ok(peer) = peer {
        assert!(address::check_listen(&peer.address).is_ok());
    }
    let _ = address::is_loopback(&address);
}

pub fn multiaddrs() -> Vec<Vec<u8>> {
    let id = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
    let all = [
        "/ip4/127.0.0.1/tcp/4001".to_owned(),
        format!("/ip4/127.0.0.1/tcp/4001/p2p/{id}"),
        format!("/ip6/::1/tcp/0/p2p/{id}"),
        "/dns4/example.org/tcp/443/wss".to_owned(),
    ];
    all.map(String::into_bytes).into()
}

/// What is accepted keeps its bounds.
pub fn config(bytes: &[u8]) {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = std::env::temp_dir().join(format!("dta-fuzz-config-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    });
    let home = Home::new(FOLDER.as_path());
    std::fs::write(home.config(), bytes).unwrap();
    if let Ok(settings) = Settings::gather(&home, []) {
        assert!(settings.config.seeds.iter().filter(|store| store.default).count() <= 1);
        assert_eq!(Settings::gather(&home, []).unwrap().config, settings.config);
        assert!(settings.differing() <= settings.shown().len());
    }
}

pub fn configs() -> Vec<Vec<u8>> {
    vec![TEMPLATE.as_bytes().to_vec(), uncommented_template().into_bytes()]
}

pub fn positions() -> Vec<Vec<u8>> {
    let cid = Cid::of(Codec::DagCbor, b"a block");
    vec![format!(r#"{{"sequence":7,"n":1,"cid":"{cid}"}}"#).into_bytes()]
}

pub fn followed() -> Vec<Vec<u8>> {
    let cid = Cid::of(Codec::DagCbor, b"a checkpoint");
    let checkpoint = format!(r#"{{"cid":"{cid}","number":3,"epoch":0,"size":40,"sequence":41}}"#);
    let held = format!(
        r#"{{"last":{{"sequence":43,"n":1}},"blocks":99,"newest":{checkpoint},"whole":{checkpoint}}}"#
    );
    vec![held.into_bytes(), br#"{"blocks":0}"#.to_vec()]
}

pub fn acknowledged() -> Vec<Vec<u8>> {
    let head = [&7u64.to_be_bytes()[..], &[3; 32]].concat();
    vec![[head.clone(), dta_events::record::hash_of(&head).to_vec()].concat()]
}
