//! Invalid statements and descriptors.

use dta_protocol::{Codec, canonical};
use ipld_core::ipld::Ipld;

use crate::cases::{Cases, Map, descriptor, inner, int, items, link, set, text};

pub fn statements(cases: &mut Cases) {
    let (committed, placed, identity) =
        ("statement:order/committed", "statement:order/placed", "statement:identity");
    let mut edit =
        |base, what, reason, field, change: &dyn Fn(&mut Map)| cases.edit(base, what, reason, field, change);
    edit(committed, "version 2", "version-unsupported", "v", &|map| set(map, "v", int(2)));
    edit(committed, "version as text", "field-type", "v", &|map| set(map, "v", text("1")));
    edit(committed, "no version", "field-missing", "v", &|map| drop(map.remove("v")));
    edit(committed, "a key more", "field-unknown", "extra", &|map| {
        drop(map.insert("extra".into(), Ipld::Null))
    });
    edit(committed, "an unknown kind", "kind-unknown", "kind", &|map| {
        set(map, "kind", text("order/promised"))
    });
    edit(committed, "a kind in capitals", "kind-unknown", "kind", &|map| {
        set(map, "kind", text("Order/Committed"))
    });
    edit(committed, "no kind", "field-missing", "kind", &|map| drop(map.remove("kind")));
    edit(committed, "no signer", "signer-missing", "signer", &|map| set(map, "signer", Ipld::Null));
    edit(committed, "a signer that is a raw block", "field-type", "signer", &|map| {
        set(map, "signer", link(Codec::Raw))
    });
    edit(committed, "a signer as text", "field-type", "signer", &|map| set(map, "signer", text("bob")));
    edit(committed, "answers nothing", "previous-missing", "previous", &|map| {
        set(map, "previous", Ipld::Null)
    });
    edit(placed, "answers something", "previous-not-allowed", "previous", &|map| {
        set(map, "previous", link(Codec::DagCbor))
    });
    edit(committed, "no reference", "subject-invalid", "subject", &|map| set(map, "subject", text("")));
    for (what, subject) in [
        ("a UUIDv4", "0192f5a0-5b1e-4c3a-8f00-0123456789ab"),
        ("a UUIDv7 in capitals", "0192F5A0-5B1E-7C3A-8F00-0123456789AB"),
        ("a UUIDv7 of another variant", "0192f5a0-5b1e-7c3a-cf00-0123456789ab"),
        ("a UUIDv7 without hyphens", "0192f5a05b1e7c3a8f000123456789ab"),
    ] {
        edit(committed, what, "subject-invalid", "subject", &|map| set(map, "subject", text(subject)));
    }
    edit(committed, "a reference with braces", "field-limit", "subject", &|map| {
        set(map, "subject", text("{0192f5a0-5b1e-7c3a-8f00-0123456789ab}"));
    });
    edit(committed, "time as text", "field-type", "issued_at_ms", &|map| {
        set(map, "issued_at_ms", text("now"))
    });
    edit(committed, "time before 1970", "cbor-negative-integer", "", &|map| {
        set(map, "issued_at_ms", int(-1))
    });
    edit(committed, "time 2^53", "cbor-integer-too-large", "", &|map| set(map, "issued_at_ms", int(1 << 53)));
    edit(committed, "time as a float", "cbor-float", "", &|map| set(map, "issued_at_ms", Ipld::Float(1.0)));
    edit(committed, "no note", "field-missing", "note", &|map| drop(inner(map, "body").remove("note")));
    edit(committed, "a body with more", "field-unknown", "detail", &|map| {
        drop(inner(map, "body").insert("detail".into(), text("x")))
    });
    edit(committed, "a note of 4,097 bytes", "field-limit", "note", &|map| {
        set(inner(map, "body"), "note", text(&"n".repeat(4097)))
    });
    edit(committed, "a note as bytes", "field-type", "note", &|map| {
        set(inner(map, "body"), "note", Ipld::Bytes(vec![1]))
    });
    edit(committed, "a body that is null", "field-type", "body", &|map| set(map, "body", Ipld::Null));
    edit(identity, "an identity with a signer", "signer-not-allowed", "signer", &|map| {
        set(map, "signer", link(Codec::DagCbor))
    });
    edit(identity, "an identity that answers", "previous-not-allowed", "previous", &|map| {
        set(map, "previous", link(Codec::DagCbor))
    });
    edit(identity, "an identity with a subject", "subject-not-allowed", "subject", &|map| {
        set(map, "subject", text("x"))
    });
    let name = |to: &'static str| move |map: &mut Map| set(inner(map, "body"), "name", text(to));
    edit(identity, "no name", "field-value", "name", &name(""));
    edit(identity, "a name with a line break", "field-value", "name", &name("al\nice"));
    edit(identity, "a name with a right-to-left override", "field-value", "name", &name("al\u{202e}ice"));
    edit(identity, "a name with an isolate", "field-value", "name", &name("al\u{2068}ice"));
    edit(identity, "a name of 129 bytes", "field-limit", "name", &|map| {
        set(inner(map, "body"), "name", text(&"x".repeat(129)))
    });
    edit(identity, "a BLS key of 95 bytes", "field-length", "bls", &|map| {
        set(inner(map, "body"), "bls", Ipld::Bytes(vec![0; 95]))
    });
    edit(identity, "no Ed25519 proof", "field-missing", "ed25519_proof", &|map| {
        drop(inner(map, "body").remove("ed25519_proof"))
    });
    edit(identity, "supersedes a raw block", "field-type", "supersedes", &|map| {
        set(inner(map, "body"), "supersedes", link(Codec::Raw))
    });
    let not_a_map = canonical::encode(&Ipld::List(vec![]));
    cases.add("statement", "a list", &not_a_map, "field-type");
}

pub fn descriptors(cases: &mut Cases) {
    let (committed, requested) = ("statement:order/committed", "statement:order/redemption-requested");
    let mut edit =
        |base, what, reason, field, change: &dyn Fn(&mut Map)| cases.edit(base, what, reason, field, change);
    edit(committed, "nothing sealed", "sealed-roles", "sealed", &|map| items(map, "sealed").clear());
    edit(committed, "parties twice", "sealed-roles", "sealed", &|map| {
        let first = items(map, "sealed")[0].clone();
        items(map, "sealed").push(first);
    });
    edit(committed, "a role of another kind", "sealed-roles", "sealed", &|map| {
        items(descriptor(map, 0), "to").truncate(1);
        set(descriptor(map, 0), "role", text("beneficiary"));
    });
    edit(requested, "roles in another order", "sealed-roles", "sealed", &|map| {
        items(map, "sealed").reverse()
    });
    edit(requested, "for the beneficiary alone", "sealed-roles", "sealed", &|map| {
        drop(items(map, "sealed").remove(0))
    });
    edit(requested, "three sealed bodies", "field-limit", "sealed", &|map| {
        let last = items(map, "sealed")[1].clone();
        items(map, "sealed").push(last);
    });
    edit(requested, "two recipients of what is for one", "field-value", "to", &|map| {
        let others = items(descriptor(map, 0), "to")[..2].to_vec();
        *items(descriptor(map, 1), "to") = others;
    });
    edit(committed, "an unknown role", "field-value", "role", &|map| {
        set(descriptor(map, 0), "role", text("guardian"))
    });
    edit(committed, "suite 2", "field-value", "suite", &|map| set(descriptor(map, 0), "suite", int(2)));
    edit(committed, "a commitment of 31 bytes", "field-length", "commit", &|map| {
        set(descriptor(map, 0), "commit", Ipld::Bytes(vec![0; 31]))
    });
    edit(committed, "a body that is an envelope", "field-type", "cid", &|map| {
        set(descriptor(map, 0), "cid", link(Codec::DagCbor))
    });
    edit(committed, "no recipient", "field-value", "to", &|map| items(descriptor(map, 0), "to").clear());
    edit(committed, "recipients that fall", "field-value", "to", &|map| {
        items(descriptor(map, 0), "to").reverse()
    });
    edit(committed, "a recipient twice", "field-value", "to", &|map| {
        let to = items(descriptor(map, 0), "to");
        to[1] = to[0].clone();
    });
    edit(committed, "an entry of 1,167 bytes", "field-length", "to", &|map| {
        items(descriptor(map, 0), "to")[0] = Ipld::Bytes(vec![0; 1167]);
    });
    edit(committed, "five recipients", "field-limit", "to", &|map| {
        items(descriptor(map, 0), "to").extend(vec![Ipld::Bytes(vec![]); 3]);
    });
    edit(committed, "a descriptor with more", "field-unknown", "from", &|map| {
        drop(descriptor(map, 0).insert("from".into(), Ipld::Null));
    });
}
