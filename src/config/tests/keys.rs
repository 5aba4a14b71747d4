//! The keys there are follow from the types, and a wrong one is told with the one that was meant.

use super::super::schema::{Kind, kind_at, leaves};
use super::*;

#[test]
fn the_types_say_which_keys_there_are_and_of_what_kind() {
    let kind = kind_at::<Config>;
    assert!(
        matches!(kind(&[]), Some(Kind::Table(keys)) if keys.contains(&"checkpoints") && keys.len() == 12)
    );
    assert_eq!(kind(&["http", "listen"]), Some(Kind::Text));
    assert_eq!(kind(&["http", "peer_listen"]), Some(Kind::Text));
    assert_eq!(kind(&["http", "order_wait_ms"]), Some(Kind::Number));
    assert_eq!(kind(&["http", "allowed_hosts"]), Some(Kind::List(Box::new(Kind::Text))));
    assert_eq!(kind(&["ipfs", "listen"]), Some(Kind::List(Box::new(Kind::Text))));
    assert_eq!(kind(&["ipfs", "public"]), Some(Kind::Boolean));
    assert_eq!(kind(&["node", "type"]), Some(Kind::Text));
    assert!(matches!(kind(&["seeds"]), Some(Kind::List(blocks)) if matches!(*blocks, Kind::Table(_))));
    assert_eq!(kind(&["seeds", "token", "sessions"]), Some(Kind::Number));
    for none in
        [&["htp"][..], &["http", "lisen"], &["http", "listen", "port"], &["seeds", "token", "pins"], &[""]]
    {
        assert_eq!(kind(none), None, "{none:?}");
    }
}

/// Every key of every table is known to the walk, takes what the template says of it, and is refused by the name of the
/// next one when a letter is missing.
#[test]
fn every_key_is_known_and_told_when_a_letter_is_missing() {
    let leaves = leaves::<Config>();
    let table: toml::Table = uncommented_template().parse().unwrap();
    for (group, keys) in &table {
        let keys = match keys {
            toml::Value::Array(blocks) => blocks[0].as_table().unwrap(),
            keys => keys.as_table().unwrap(),
        };
        for key in keys.keys() {
            assert!(kind_at::<Config>(&[group, key]).is_some(), "{group}.{key}");
        }
    }
    assert!(leaves.len() > 30 && leaves.iter().all(|(path, _)| path.contains('.') || path == "seeds"));
    for (path, _) in leaves.iter().filter(|(path, _)| path != "seeds") {
        let (table, key) = path.rsplit_once('.').unwrap();
        let wrong = format!("{}_{}", &key[..1], &key[1..]);
        let error = read(&format!("[{table}]\n{wrong} = 1\n")).unwrap_err();
        assert!(error.contains(&format!("unknown key `{table}.{wrong}`: did you mean `{path}`?")), "{error}");
    }
}

#[test]
fn what_is_no_key_is_told_with_what_was_meant() {
    let second = "[[seeds]]\ntype = \"pkcs11\"\n[seeds.second]\nlabell = \"x\"";
    for (text, told) in [
        ("[http]\nlisen = 1", "unknown key `http.lisen`: did you mean `http.listen`?"),
        ("[http]\nListen = 1", "unknown key `http.Listen`: did you mean `http.listen`?"),
        ("[http]\nlistenAddr = \":5556\"", "unknown key `http.listenAddr`: did you mean `http.listen`?"),
        ("[http]\nlevel = \"info\"", "unknown key `http.level`: did you mean `log.level`?"),
        ("[htp]\nlisten = 1", "unknown key `htp`: did you mean `http`?"),
        ("listen = 1", "unknown key `listen`: did you mean `http.listen`?"),
        (
            "[peers]\npins = []",
            "unknown key `peers.pins`: known here are trust, give_up_after_ms, missing_after_ms",
        ),
        ("[nothing_like_it]\n", "unknown key `nothing_like_it`: known here are node, http"),
        ("[[seeds]]\ncopys = []", "unknown key `seeds.copys`: did you mean `seeds.copies`?"),
        ("[[seeds]]\n[[seeds]]\nnam = \"x\"", "unknown key `seeds.nam`: did you mean `seeds.name`?"),
        (&token("lable = \"x\""), "unknown key `seeds.token.lable`: did you mean `seeds.token.label`?"),
        (
            &token("time_limit = 5"),
            "unknown key `seeds.token.time_limit`: did you mean `seeds.token.time_limit_ms`?",
        ),
        (second, "unknown key `seeds.second.labell`: did you mean `seeds.second.label`?"),
        (
            "[keystore.token]\nsessionss = 1",
            "unknown key `keystore.token.sessionss`: did you mean `keystore.token.sessions`?",
        ),
        ("[seeds_token]\n", "unknown key `seeds_token`"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(told) && error.contains("config.toml: "), "{text}: {error}");
    }
}
