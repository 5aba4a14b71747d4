//! Invalid plaintexts, and bodies that do not open.

use std::collections::BTreeMap;

use dta_protocol::{Cid, Codec};
use ipld_core::ipld::Ipld;
use serde_json::json;

use crate::cases::{Cases, Map, inner, int, items, link, set, text};

pub fn orders(cases: &mut Cases) {
    let (placed, committed) = ("plaintext:order/placed:parties", "plaintext:order/committed:parties");
    let mut edit =
        |base, what, reason, field, change: &dyn Fn(&mut Map)| cases.edit(base, what, reason, field, change);
    edit(placed, "another type", "field-value", "type", &|map| set(map, "type", text("safeguard_secret")));
    edit(placed, "no type", "field-missing", "type", &|map| drop(map.remove("type")));
    edit(placed, "coin 2", "field-limit", "coin", &|map| set(map, "coin", int(2)));
    edit(placed, "coin as text", "field-type", "coin", &|map| set(map, "coin", text("0")));
    edit(placed, "no plugin", "field-value", "plugin", &|map| set(map, "plugin", text("")));
    edit(placed, "a plugin's name of 129 bytes", "field-limit", "plugin", &|map| {
        set(map, "plugin", text(&"p".repeat(129)))
    });
    edit(placed, "a reference that is no UUIDv7", "field-value", "reference", &|map| {
        set(map, "reference", text("order 1"))
    });
    edit(placed, "no fiduciary", "field-type", "fiduciary", &|map| set(map, "fiduciary", Ipld::Null));
    edit(placed, "a fiduciary that is a raw block", "field-type", "fiduciary", &|map| {
        set(map, "fiduciary", link(Codec::Raw))
    });
    edit(placed, "a beneficiary as text", "field-type", "beneficiary", &|map| {
        set(map, "beneficiary", text("carol"))
    });
    edit(placed, "a policy without expiry", "field-missing", "expires_at_ms", &|map| {
        drop(inner(map, "policy").remove("expires_at_ms"))
    });
    edit(placed, "a policy with more", "field-unknown", "quorum", &|map| {
        drop(inner(map, "policy").insert("quorum".into(), int(2)))
    });
    edit(placed, "a guardian as text", "field-type", "guardian", &|map| {
        set(inner(map, "policy"), "guardian", text("dave"))
    });
    edit(placed, "seventeen approvers", "field-limit", "approvers", &|map| {
        set(inner(map, "policy"), "approvers", Ipld::List(vec![Ipld::Null; 17]));
    });
    edit(placed, "an extension of integers", "field-type", "extension", &|map| {
        set(inner(map, "extension"), "coin", int(0))
    });
    edit(placed, "an extension of 65 entries", "field-limit", "extension", &|map| {
        let entries = (0..65).map(|n| (n.to_string(), text(""))).collect();
        set(map, "extension", Ipld::Map(entries));
    });
    edit(placed, "an extension of 16,385 bytes", "field-limit", "extension", &|map| {
        let entries = BTreeMap::from([("k".into(), text(&"v".repeat(16_384)))]);
        set(map, "extension", Ipld::Map(entries));
    });
    edit(placed, "four notes seen", "field-limit", "seen", &|map| {
        set(map, "seen", Ipld::List(vec![text("note"); 4]))
    });
    edit(placed, "a seen note of 4,097 bytes", "field-limit", "seen", &|map| {
        set(map, "seen", Ipld::List(vec![text(&"n".repeat(4097))]));
    });
    edit(placed, "nothing about notes", "field-missing", "seen", &|map| drop(map.remove("seen")));
    edit(committed, "a compressed commitment", "field-length", "commitment", &|map| {
        set(map, "commitment", Ipld::Bytes(vec![2; 33]))
    });
    edit(committed, "a commitment in hybrid form", "field-value", "commitment", &|map| {
        let Some(Ipld::Bytes(point)) = map.get_mut("commitment") else { panic!("bytes") };
        point[0] = 6 | (point[64] & 1);
    });
    edit(committed, "a commitment off the curve", "field-value", "commitment", &|map| {
        let Some(Ipld::Bytes(point)) = map.get_mut("commitment") else { panic!("bytes") };
        point[64] ^= 1;
    });
    edit(committed, "a proof of 63 bytes", "field-length", "proof", &|map| {
        set(map, "proof", Ipld::Bytes(vec![1; 63]))
    });
    edit(committed, "no proof", "field-type", "proof", &|map| set(map, "proof", Ipld::Null));
}

pub fn releases(cases: &mut Cases) {
    let requested = "plaintext:order/redemption-requested:parties";
    let (released, secret) = ("plaintext:order/released:parties", "plaintext:order/released:secret");
    let (received, disputed) = ("plaintext:order/received:parties", "plaintext:order/disputed:parties");
    let (closed, cancelling) =
        ("plaintext:order/closed:parties", "plaintext:order/cancellation-requested:parties");
    let data = "plaintext:order/redemption-requested:beneficiary";
    let mut edit =
        |base, what, reason, field, change: &dyn Fn(&mut Map)| cases.edit(base, what, reason, field, change);
    let other = |codec| Cid::of(codec, b"another body").to_string();
    let more = |map: &mut Map, cid: String| drop(inner(map, "keys").insert(cid, Ipld::Bytes(vec![0; 32])));
    edit(requested, "no beneficiary", "field-type", "beneficiary", &|map| {
        set(map, "beneficiary", Ipld::Null)
    });
    edit(requested, "one key", "field-value", "keys", &|map| drop(inner(map, "keys").pop_first()));
    edit(requested, "three keys", "field-limit", "keys", &|map| more(map, other(Codec::Raw)));
    edit(requested, "a key of an envelope", "field-value", "keys", &|map| {
        inner(map, "keys").pop_first();
        more(map, other(Codec::DagCbor));
    });
    edit(requested, "a key by a CID in capitals", "field-value", "keys", &|map| {
        inner(map, "keys").pop_first();
        more(map, other(Codec::Raw).to_uppercase());
    });
    edit(requested, "a key of 31 bytes", "field-length", "keys", &|map| {
        *inner(map, "keys").values_mut().next().unwrap() = Ipld::Bytes(vec![0; 31]);
    });
    edit(data, "notes where there are none", "field-unknown", "seen", &|map| {
        drop(map.insert("seen".into(), Ipld::List(vec![])))
    });
    edit(released, "the secret itself", "field-type", "secret", &|map| {
        set(map, "secret", Ipld::Bytes(vec![0; 32]))
    });
    edit(released, "a secret for the parties", "field-value", "secret", &|map| {
        set(inner(map, "secret"), "role", text("parties"))
    });
    edit(released, "a secret for two", "field-value", "to", &|map| {
        items(inner(map, "secret"), "to").insert(0, Ipld::Bytes(vec![0; 1168]));
    });
    edit(secret, "a secret of 31 bytes", "field-length", "secret", &|map| {
        set(map, "secret", Ipld::Bytes(vec![1; 31]))
    });
    edit(secret, "a secret as text", "field-type", "secret", &|map| set(map, "secret", text("secret")));
    edit(secret, "of no order", "field-missing", "placed", &|map| drop(map.remove("placed")));
    edit(received, "no proof", "field-missing", "proof", &|map| drop(map.remove("proof")));
    edit(disputed, "an unknown code", "field-value", "code", &|map| set(map, "code", text("late")));
    edit(disputed, "a wrong secret without its key", "field-value", "content_key", &|map| {
        set(map, "content_key", Ipld::Null)
    });
    edit(disputed, "a key of 16 bytes", "field-length", "content_key", &|map| {
        set(map, "content_key", Ipld::Bytes(vec![0; 16]))
    });
    edit(closed, "an unknown code", "field-value", "code", &|map| set(map, "code", text("refused")));
    edit(closed, "no detail", "field-type", "detail", &|map| set(map, "detail", Ipld::Null));
    edit(cancelling, "a detail of 1,025 bytes", "field-limit", "detail", &|map| {
        set(map, "detail", text(&"d".repeat(1025)))
    });
}

pub fn sealed(cases: &mut Cases) {
    let mut block = cases.bytes("block:order/committed:parties");
    block[0] ^= 1;
    cases.splice(
        "block:order/committed:parties",
        "a ciphertext with a bit changed",
        &block,
        "sealed-other-block",
    );
    let mut key = cases.bytes("key:order/committed:parties");
    key[31] ^= 1;
    cases.splice("key:order/committed:parties", "another content key", &key, "sealed-cannot-open");
    for (what, body, prescribed) in [
        ("one recipient more than prescribed", "order/committed:parties", &["alice"][..]),
        ("one recipient fewer than prescribed", "order/committed:parties", &["alice", "bob", "carol"]),
        ("another recipient than prescribed", "order/released:secret", &["alice"]),
    ] {
        let name = format!("recipients:{body}/{:03}", cases.list.len());
        cases.list.push(json!({
            "name": name, "what": what, "decoder": format!("recipients:{body}"), "prescribed": prescribed,
            "bytes": "", "reason": "sealed-other-recipients",
        }));
    }
}
