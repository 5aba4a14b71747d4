//! The fixture's home as a whole, and homes that are refused.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use dta_crypto::OrderKey;
use sha2::{Digest as _, Sha256};

use super::{BOB, NODE, copy, expected, folder};
use crate::store::Left;
use crate::{Checked, Original, ReadError, answers, check, read};

fn refused(home: &Path) -> ReadError {
    read(home).err().unwrap()
}

fn hashes(home: &Path) -> BTreeMap<std::path::PathBuf, (Vec<u8>, std::time::SystemTime, u32)> {
    let entries = std::fs::read_dir(home).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            let (bytes, about) = (std::fs::read(&path).unwrap(), std::fs::metadata(&path).unwrap());
            let hash = Sha256::digest(bytes).to_vec();
            (path, (hash, about.modified().unwrap(), about.permissions().mode()))
        })
        .collect()
}

#[test]
fn what_the_originals_libraries_derived_is_derived_here() {
    let Original { settings, identities, orders, left } = read(&folder().join("home")).unwrap();
    let expected = expected();
    assert_eq!(settings.node_name(), Some("alice's \"old\" node: №1"));
    assert_eq!(settings.node_id(), Some(NODE));
    assert_eq!(settings.get("plugins.service"), Some("bitcoinwallet"));

    let ids: Vec<_> = identities.iter().map(|identity| (identity.cid.as_str(), identity.of_node)).collect();
    assert_eq!(ids, [(NODE, true), (BOB, false), ("keys", false)]);
    let public = |at: usize| hex::encode(identities[at].ec_key().unwrap().compressed());
    assert_eq!(public(0), expected["nodeECPublicKey"].as_str().unwrap());
    assert_eq!(public(1), expected["bobECPublicKey"].as_str().unwrap());
    assert_eq!(public(2), expected["keysECPublicKey"].as_str().unwrap());
    let node = identities[0].ec_key().unwrap();
    assert_eq!(hex::encode(node.secret().expose()), expected["nodeECSecret"].as_str().unwrap());

    let by_reference: BTreeMap<_, _> = orders.iter().map(|order| (order.reference.as_str(), order)).collect();
    assert_eq!(orders.len(), 302);
    for known in expected["orders"].as_array().unwrap() {
        let order = by_reference[known["reference"].as_str().unwrap()];
        let key = order.key().unwrap();
        assert_eq!(hex::encode(key.commitment()), known["commitment"].as_str().unwrap());
        assert_eq!(hex::encode(key.secret().expose()), known["secret"].as_str().unwrap());
        assert!(order.document.as_ref().unwrap().starts_with("Qm"));
        assert!(order.changed.as_ref().unwrap().starts_with("2019-11-0"));
    }
    let bip32 =
        orders.iter().filter_map(|order| Some((OrderKey::from_seed(order.seed.as_ref()?), order.key()?)));
    let others = bip32.filter(|(bip32, original)| bip32.commitment() != original.commitment()).count();
    assert!(others > 0, "the fixture has orders whose keys are not BIP32's");
    assert!(by_reference["elsewhere"].seed.is_none(), "its fiduciary was another node");
    assert!(by_reference["unanswered"].document.is_none(), "its answer was not stored");

    let left: Vec<_> = left.iter().map(ToString::to_string).collect();
    assert_eq!(
        left,
        [
            "datastore.dat: keySeed short: the seed is not 64 hex digits",
            "datastore.dat: keySeed torn: the seed is torn, or of a kind that the original never stored",
            "keys: unknown: a key of which nothing is known",
        ]
    );
}

#[test]
fn each_seed_against_what_its_client_was_answered() {
    let Original { identities, orders, .. } = read(&folder().join("home")).unwrap();
    let answers = answers::parse(&std::fs::read(folder().join("answers.json")).unwrap()).unwrap();
    let keys: Vec<_> = identities.iter().map(|identity| identity.ec_key().unwrap()).collect();
    let mut counts = BTreeMap::new();
    for order in &orders {
        let Some(key) = order.key() else { continue };
        let answer = answers.get(&order.reference).map(|answer| &answer.commitment[..]);
        let checked = check(&key, answer, &keys);
        *counts.entry(format!("{checked:?}")).or_insert(0) += 1;
    }
    let expected = [
        (format!("{:?}", Checked::Differs), 1),
        (format!("{:?}", Checked::Matches), 17),
        (format!("{:?}", Checked::OtherAddend), 1),
        (format!("{:?}", Checked::Sum { identity: 1 }), 1),
        (format!("{:?}", Checked::Unchecked), 281),
    ];
    assert_eq!(counts, BTreeMap::from(expected));
}

#[test]
fn nothing_there_is_changed_and_a_folder_for_reading_is_enough() {
    let home = copy();
    let before = hashes(home.path());
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o500)).unwrap();
    for name in ["config.yaml", "datastore.dat", "keys"] {
        std::fs::set_permissions(home.path().join(name), std::fs::Permissions::from_mode(0o400)).unwrap();
    }
    let orders = read(home.path()).unwrap().orders.len();
    let after = hashes(home.path());
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(orders, 302);
    let content = |of: &BTreeMap<std::path::PathBuf, (Vec<u8>, std::time::SystemTime, u32)>| {
        of.iter().map(|(path, (hash, time, _))| (path.clone(), hash.clone(), *time)).collect::<Vec<_>>()
    };
    assert!(content(&before) == content(&after));
}

#[test]
fn a_store_that_is_open_in_the_original_is_refused() {
    let home = copy();
    let store = std::fs::File::open(home.path().join("datastore.dat")).unwrap();
    store.lock().unwrap();
    assert!(
        refused(home.path()).to_string().ends_with("is in use by the original's daemon: stop that first")
    );
    drop(store);
    read(home.path()).unwrap();
}

#[test]
fn folders_that_are_no_home() {
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(refused(empty.path()), ReadError::NoHome(_)));
    assert!(matches!(refused(&empty.path().join("nowhere")), ReadError::NoHome(_)));
    std::fs::create_dir(empty.path().join("config.yaml")).unwrap();
    assert!(matches!(refused(empty.path()), ReadError::Io { .. }));
    let no_store = copy();
    std::fs::write(no_store.path().join("datastore.dat"), "no store").unwrap();
    assert!(refused(no_store.path()).to_string().contains("datastore.dat: not a bbolt file"));
    let file = std::fs::OpenOptions::new().write(true).open(no_store.path().join("datastore.dat")).unwrap();
    file.set_len(1 << 31).unwrap();
    assert!(matches!(refused(no_store.path()), ReadError::TooLarge { .. }));
}

#[test]
fn a_home_of_the_last_commits_has_the_seed_in_a_file() {
    let home = copy();
    std::fs::remove_file(home.path().join("datastore.dat")).unwrap();
    let Original { identities, orders, left, .. } = read(home.path()).unwrap();
    assert!(orders.is_empty());
    assert_eq!((identities[0].cid.as_str(), identities[0].of_node), (NODE, true));
    assert_eq!(identities[0].name, "alice's \"old\" node: №1");
    assert!(left.iter().any(|left| left.to_string() == "datastore.dat: is not there: no orders"));
    std::fs::write(home.path().join("keys"), "{\"seed\":\"AAEC\"}").unwrap();
    assert!(read(home.path()).unwrap().left.iter().any(Left::is_damage));
    std::fs::create_dir(home.path().join("ipfs-data")).unwrap();
    assert!(read(home.path()).unwrap().left.contains(&Left::Ipfs));
}
