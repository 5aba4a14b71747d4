//! The node's seed at rest: right and wrong keys, damage, hostile files.

mod roundtrip;
mod words;

use super::*;
use crate::actors::seeds::testing::{TestEntropy, node_seed};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("seed.json")
    }

    fn key(&self) -> PathBuf {
        self.0.path().join("seed.key")
    }

    fn by_key(&self) -> Protection {
        Protection::KeyFile(self.key())
    }

    fn create(&self, protection: &Protection) -> Result<(), KeystoreError> {
        Keystore::create(&self.path(), &node_seed("node"), protection, &mut TestEntropy::new("keystore"))
    }

    fn created(self, protection: &Protection) -> Self {
        self.create(protection).unwrap();
        self
    }

    fn error(&self, protection: &Protection) -> String {
        Keystore::open(&self.path(), protection).err().expect("it opens").to_string()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path()).unwrap()).unwrap()
    }

    fn put(&self, json: &Value) {
        fs::write(self.path(), json.to_string()).unwrap();
    }
}

fn passphrase(text: &str) -> Protection {
    Protection::Passphrase(Passphrase::new(text.to_owned()))
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_key_file_opens_it() {
    let home = Home::new();
    home.create(&home.by_key()).unwrap();
    let seed = Keystore::open(&home.path(), &home.by_key()).unwrap();
    assert_eq!(seed.expose(), node_seed("node").expose());
    let read = Keystore::read(&home.path()).unwrap();
    assert_eq!(read.kind(), ProtectionKind::KeyFile);
    assert_eq!(read.fingerprint(), super::fingerprint(&seed));
    assert_eq!((mode(&home.path()), mode(&home.key())), (0o600, 0o600));
    assert_eq!(fs::read_dir(home.0.path()).unwrap().count(), 2); // no temporary file stays
}

#[test]
fn a_passphrase_opens_it() {
    let home = Home::new().created(&passphrase("correct horse"));
    let seed = Keystore::open(&home.path(), &passphrase("correct horse")).unwrap();
    assert_eq!(seed.expose(), node_seed("node").expose());
    assert_eq!(Keystore::read(&home.path()).unwrap().kind(), ProtectionKind::Passphrase);
    assert_eq!(home.error(&passphrase("correct horse ")), "the passphrase is wrong");
    assert_eq!(home.error(&passphrase("")), "the passphrase is wrong");
    assert_eq!(home.error(&home.by_key()), "this seed is opened by a passphrase");
}

#[test]
fn short_passphrases_are_refused_for_new_files() {
    let home = Home::new();
    assert!(matches!(home.create(&passphrase("7 bytes")), Err(KeystoreError::PassphraseShort { least: 8 })));
    assert!(!home.path().exists());
}

#[test]
fn another_key_file_does_not_open_it() {
    let home = Home::new();
    home.create(&home.by_key()).unwrap();
    fs::write(home.key(), "00".repeat(32)).unwrap();
    assert!(home.error(&home.by_key()).ends_with("seed.key is not the one of this seed"));
    assert_eq!(home.error(&passphrase("correct horse")), "this seed is opened by a key file");
    fs::remove_file(home.key()).unwrap();
    assert!(home.error(&home.by_key()).starts_with("there is no "));
}

#[test]
fn an_existing_key_file_is_used_and_not_changed() {
    for text in ["ab".repeat(32), "AB".repeat(32) + "\n", "ab".repeat(32) + "\r\n"] {
        let home = Home::new();
        fs::write(home.key(), &text).unwrap();
        set_mode(&home.key(), 0o400);
        home.create(&home.by_key()).unwrap();
        assert_eq!(fs::read_to_string(home.key()).unwrap(), text);
        assert!(Keystore::open(&home.path(), &home.by_key()).is_ok());
    }
}

#[test]
fn key_files_that_others_may_read_are_refused() {
    let home = Home::new();
    home.create(&home.by_key()).unwrap();
    for loose in [0o640, 0o604, 0o610, 0o601, 0o644, 0o660, 0o777] {
        set_mode(&home.key(), loose);
        let error = home.error(&home.by_key());
        assert!(
            error.ends_with(&format!("has mode {loose:04o}: others may read it; set it to 0600")),
            "{error}"
        );
    }
    fs::remove_file(home.path()).unwrap();
    assert!(matches!(home.create(&home.by_key()), Err(KeystoreError::KeyFileMode { mode: 0o777, .. })));
    assert!(!home.path().exists());
}

#[test]
fn malformed_key_files_are_refused_without_their_content() {
    let good = "ab".repeat(32);
    let bad = [
        String::new(),
        "\n".to_owned(),
        good[1..].to_owned(),
        good[2..].to_owned(),
        good.clone() + "a",
        good.clone() + "ab",
        good.clone() + "\n\n\n",
        " ".to_owned() + &good,
        good.replacen('a', "g", 1),
        good.replacen("ab", "é", 1),
        "ab".repeat(5000),
    ];
    for text in bad {
        let home = Home::new();
        fs::write(home.key(), &text).unwrap();
        set_mode(&home.key(), 0o600);
        let error = home.create(&home.by_key()).unwrap_err();
        assert!(matches!(error, KeystoreError::KeyFileForm { .. }), "{text:?}");
        assert!(!format!("{error} {error:?}").contains("abab"));
    }
}

#[test]
fn nothing_is_overwritten() {
    let home = Home::new();
    home.create(&home.by_key()).unwrap();
    let before = (fs::read(home.path()).unwrap(), fs::read(home.key()).unwrap());
    assert!(matches!(home.create(&home.by_key()), Err(KeystoreError::Exists { .. })));
    assert!(matches!(home.create(&passphrase("correct horse")), Err(KeystoreError::Exists { .. })));
    assert_eq!((fs::read(home.path()).unwrap(), fs::read(home.key()).unwrap()), before);
}

#[test]
fn a_leftover_of_a_crash_does_not_stand_in_the_way() {
    let home = Home::new();
    let leftover = home.0.path().join("seed.json.tmp");
    fs::write(&leftover, "half").unwrap();
    set_mode(&leftover, 0o666);
    home.create(&home.by_key()).unwrap();
    assert_eq!(mode(&home.path()), 0o600);
    assert!(!leftover.exists());
}

#[test]
fn the_seed_is_not_readable_in_the_file() {
    let home = Home::new();
    home.create(&home.by_key()).unwrap();
    let text = fs::read_to_string(home.path()).unwrap().to_lowercase();
    let seed = hex::encode(node_seed("node").expose());
    assert!((0..64 - 8).all(|at| !text.contains(&seed[at..at + 8])));
}

#[test]
fn any_changed_character_is_named_damage_or_refused() {
    let home = Home::new();
    home.create(&home.by_key()).unwrap();
    let whole = fs::read(home.path()).unwrap();
    for at in 0..whole.len() {
        let mut text = whole.clone();
        text[at] ^= 1;
        fs::write(home.path(), &text).unwrap();
        let error = Keystore::open(&home.path(), &home.by_key()).err();
        let named = matches!(error, Some(KeystoreError::Damaged { .. } | KeystoreError::Newer { .. }));
        assert!(named, "character {at}: {error:?}");
    }
}

#[test]
fn cut_files_are_damaged() {
    let home = Home::new();
    home.create(&home.by_key()).unwrap();
    let whole = fs::read(home.path()).unwrap();
    for length in 0..whole.len() - 1 {
        fs::write(home.path(), &whole[..length]).unwrap();
        let damaged = matches!(Keystore::read(&home.path()), Err(KeystoreError::Damaged { .. }));
        assert!(damaged, "{length}");
    }
}

#[test]
fn hostile_costs_are_refused_before_they_are_spent() {
    let home = Home::new().created(&passphrase("correct horse"));
    let whole = home.json();
    assert_eq!(whole["kdf"]["memory_kib"], 65536);
    let hostile = [
        ("memory_kib", 0u64),
        ("memory_kib", 8),
        ("memory_kib", 256 * 1024 + 1),
        ("memory_kib", u64::from(u32::MAX)),
        ("passes", 0),
        ("passes", 17),
        ("passes", u64::from(u32::MAX)),
        ("lanes", 0),
        ("lanes", 9),
    ];
    for (field, value) in hostile {
        let mut json = whole.clone();
        json["kdf"][field] = json!(value);
        home.put(&json);
        let error = Keystore::read(&home.path()).err().unwrap();
        assert!(error.to_string().contains(&format!("{field} = {value}; allowed")), "{error}");
    }
    // Within the bounds, and still not what was written.
    let mut json = whole.clone();
    json["kdf"]["passes"] = json!(1);
    home.put(&json);
    assert!(matches!(Keystore::read(&home.path()), Err(KeystoreError::Damaged { .. })));
}

#[test]
fn strange_files_are_refused() {
    let home = Home::new();
    home.create(&home.by_key()).unwrap();
    let whole = home.json();
    let refuse = |text: String| {
        fs::write(home.path(), &text).unwrap();
        assert!(matches!(Keystore::read(&home.path()), Err(KeystoreError::Damaged { .. })), "{text}");
    };
    let changed = |key: &str, value: Value| {
        let mut json = whole.clone();
        json[key] = value;
        json.to_string()
    };
    refuse(changed("protection", json!("none")));
    refuse(changed("protection", json!("passphrase")));
    refuse(changed("comment", json!("more")));
    refuse(changed("nonce", json!("00")));
    refuse(changed("nonce", json!([0, 1])));
    refuse(changed("ciphertext", json!("00".repeat(49))));
    refuse(changed("ciphertext", json!("é".repeat(48))));
    refuse(changed("kdf", json!({"name": "scrypt"})));
    refuse(changed("format", json!("1")));
    refuse(changed("format", json!(1.0)));
    for key in ["format", "protection", "nonce", "fingerprint", "ciphertext", "checksum"] {
        let mut json = whole.clone();
        json.as_object_mut().unwrap().remove(key);
        refuse(json.to_string());
    }
    refuse(whole.to_string() + "{}");
    refuse("[".repeat(4000));
    refuse(whole.to_string() + &" ".repeat(5000));
    refuse(changed("format", json!(2)));
    refuse(changed("protection", json!("token")));
    fs::write(home.path(), changed("format", json!(3))).unwrap();
    assert!(matches!(Keystore::read(&home.path()), Err(KeystoreError::Newer { format: 3, .. })));
    fs::remove_file(home.path()).unwrap();
    assert!(matches!(Keystore::read(&home.path()), Err(KeystoreError::Missing { .. })));
}

#[test]
fn a_seed_with_another_fingerprint_is_damage() {
    let home = Home::new();
    let key = super::key::make_or_read(&home.key(), &mut TestEntropy::new("key")).unwrap();
    let mut file = SeedFile::new(ProtectionKind::KeyFile, None, [1; 12], [2; 8]);
    let sealed = at_rest::seal_at_rest(&key, &[1; 12], &file.associated_data(), node_seed("node").expose());
    file.seal(sealed.try_into().unwrap());
    files::write_new(&home.path(), &file.to_json()).unwrap();
    assert!(home.error(&home.by_key()).ends_with("it holds another seed than its fingerprint names"));
}

/// The file was opened by an implementation in another language (Python `cryptography`: Argon2id, HKDF, AES-GCM),
/// written from the comments of `file`.
#[test]
fn the_format_stays() {
    let home = Home::new().created(&passphrase("correct horse"));
    assert_eq!(
        home.json()["ciphertext"],
        "68ee35ad8152ce726d624d2cb2fedeecc280c6905e58dd5dcdafa7b39a2e27a493e3310c2e84ce9c757cea31ada995aa"
    );
    let home = Home::new();
    home.create(&home.by_key()).unwrap();
    assert_eq!(
        home.json()["ciphertext"],
        "57b8c34d41279f29cc4ddcde99cb23cd0b7ddc270650594cf7265178b7674ba844a816c4744d683f60c7d9ac07606565"
    );
}
