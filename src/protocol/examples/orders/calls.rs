//! Who may not call at all, what is no step of an order, and calls that were made before.

use dta_protocol::body::Placed;
use dta_protocol::{Cid, Codec, Kind};
use serde_json::json;

use crate::cases::{Case, Cases};
use crate::story::placed_body;
use crate::world::*;

pub fn outsiders(world: &World, cases: &mut Cases) {
    let (alice, bob, carol, mallory) = (&world.alice, &world.bob, &world.carol, &world.mallory);
    let given = world.until(Kind::Committed);
    let requested = world.told(Kind::RedemptionRequested);
    let mut outside = |what, judge, caller, given: &[&Step], step: &Step| {
        cases.refused(404, "not-found", Case::new(what, judge, caller, given).sends(step));
    };
    outside("alice's redemption, brought by mallory", bob, mallory, &given, requested);
    outside("alice's redemption, brought by carol", bob, carol, &given, requested);
    outside("alice's order, brought by mallory", bob, mallory, &[], world.told(Kind::Placed));
    let own = step(mallory, &About::after(given[1]), &wish(), &[mallory, bob]);
    outside("mallory's wish in alice's order", bob, mallory, &given, &own);
    let released = world.until(Kind::Released);
    outside("the receipt, brought to alice by carol", alice, carol, &released, world.told(Kind::Received));
    outside("a redemption of an order that bob does not know", bob, alice, &[], requested);
    let strange = Placed { reference: OTHER.into(), ..placed_body(bob, None) };
    let strange = step(&world.dave, &About::new_order(OTHER), &strange, &[&world.dave, bob]);
    let case = Case::new("an order of a stranger, who brings his document", bob, &world.dave, &[]);
    cases.refused(404, "not-found", case.sends(&strange).and(world.block_of(&world.dave)));
    let case = Case::new("an order of a stranger, who brings none", bob, &world.dave, &[]);
    cases.refused(404, "not-found", case.sends(&strange));
}

pub fn shapes(world: &World, cases: &mut Cases) {
    let (alice, bob) = (&world.alice, &world.bob);
    let now = world.told(Kind::Placed).issued_at_ms();
    let case = |what| Case::new(what, bob, alice, &[]);
    let (cid, document) = world.block_of(alice);
    cases.refused(422, "not-a-step", case("an identity").sends_root(cid, vec![(cid, document.clone())], now));
    let mut root = |reason, what, bytes: &[u8]| {
        let cid = Cid::of(Codec::DagCbor, bytes);
        cases.refused(422, reason, case(what).sends_root(cid, vec![(cid, bytes.to_vec())], now));
    };
    root("envelope-layout", "bytes that are no envelope", b"not an envelope");
    root("envelope-too-large", "an envelope of 65,537 bytes", &vec![0xa2; 65_537]);
    let placed = world.told(Kind::Placed).envelope.block();
    root("cbor-trailing-bytes", "an envelope with a byte more", &[placed, &[0]].concat());
    root("cbor-truncated", "an envelope with a byte less", &placed[..placed.len() - 1]);
    let mut kind = placed.to_vec();
    let at = kind.windows(12).position(|window| window == b"order/placed").unwrap();
    kind[at..at + 12].copy_from_slice(b"order/places");
    root("kind-unknown", "a kind that is none", &kind);
    // The root says one order, what it answers another.
    let about = About { reference: OTHER.into(), ..About::after(world.told(Kind::Placed)) };
    let other = step(alice, &about, &wish(), &world.two());
    let blocks = [other.blocks(), world.told(Kind::Placed).blocks()].concat();
    cases.refused(422, "other-order", case("steps of two orders").sends_blocks(&other, blocks));
    for (what, kind, route) in [
        ("an order where redemptions go", Kind::Placed, "/v1/fulfill/order/secret"),
        ("a redemption where orders go", Kind::RedemptionRequested, "/v1/fulfill/order"),
        ("a commitment, which only answers", Kind::Committed, "/v1/fulfill/order/step"),
        ("an order where steps go", Kind::Placed, "/v1/fulfill/order/step"),
    ] {
        let case = case(what).sends(world.told(kind)).with("route", json!(route));
        cases.refused(422, "other-route", case);
    }
}

/// The call itself: `created_s` is when it is signed (else the judge's clock), `started_ms` when the judge began to
/// remember calls, `replayed` that the very bytes came before (and are sent again at `replayed_at_ms`), `cut_body` that the last
/// byte is taken off what was signed.
pub fn replays(world: &World, cases: &mut Cases) {
    let (alice, bob) = (&world.alice, &world.bob);
    let placed = world.told(Kind::Placed);
    let now_s = (placed.issued_at_ms() + 1_000) / 1_000;
    let case = |what| Case::new(what, bob, alice, &[]).sends(placed);
    let mut refused = |reason, case: Case<'_>| cases.refused(401, reason, case);
    refused("peer-replayed", case("the same call twice").with("replayed", json!(true)));
    let late = 300_000 + placed.issued_at_ms() + 1_000;
    let replayed = case("the same call once more, 300 s later").with("replayed", json!(true));
    refused("peer-replayed", replayed.with("replayed_at_ms", json!(late)));
    let late = |ms: u64| placed.issued_at_ms() + 1_000 + ms;
    let replayed = case("the same call once more, 301 s later").with("replayed", json!(true));
    refused("peer-created", replayed.with("replayed_at_ms", json!(late(301_000))));
    let created = |what, created_s: u64| case(what).with("created_s", json!(created_s));
    refused("peer-created", created("signed 301 s ago", now_s - 301).with("started_ms", json!(0)));
    refused("peer-created", created("signed 301 s from now", now_s + 301));
    refused("peer-forgotten", created("signed before bob began to remember", now_s - 1));
    refused(
        "peer-digest",
        case("a body that lacks the last byte of what was signed").with("cut_body", json!(true)),
    );
    let mut taken = |case: Case<'_>| cases.taken(Kind::Committed, case);
    taken(created("signed 300 s ago", now_s - 300).with("started_ms", json!(0)));
    taken(created("signed 300 s from now", now_s + 300));
}
