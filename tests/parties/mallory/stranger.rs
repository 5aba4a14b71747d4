//! What those learn who are no party, and what a node makes of bytes that are no calls.

use std::collections::BTreeSet;

use dta_protocol::{Cid, Codec, car};

use super::forge::{About, Forged, new_reference, placed};
use super::{Call, DELIVERIES, Mallory, ORDER, SECRET, STEP, chance, identity_of};
use crate::world::{Party, Settings, chain};

fn fiduciary(trust: &str) -> Party {
    let mut bob = Party::new("bob");
    let settings = Settings::default().text("fiduciary", "");
    bob.home.settings(&settings.replace("[peers]\n", &format!("[peers]\ntrust = \"{trust}\"\n")));
    bob.start();
    bob
}

fn order_of(who: &Mallory, bob: &Party) -> Forged {
    let (bobs, reference) = (identity_of(bob), new_reference());
    let body = placed(&reference, &bobs, None);
    who.step(&About::new_order(&reference), &body, &[&who.identity, &bobs])
}

/// Her order and her own document.
fn car_of(who: &Mallory, order: &Forged) -> Vec<u8> {
    let blocks = [order.blocks(), vec![who.block()]].concat();
    car::encode(order.cid(), blocks.iter().map(|(cid, block)| (*cid, block.as_slice()))).unwrap()
}

#[test]
fn strangers_learn_nothing_always_in_the_same_bytes() {
    let bob = fiduciary("pinned");
    let [alice, mallory, eve] = ["alice", "mallory", "eve"].map(Mallory::new);
    // Alice is served; mallory is pinned and no party; nobody knows eve.
    for pinned in [&alice, &mallory] {
        bob.pin(&pinned.document(), None);
    }
    let to = identity_of(&bob).cid();
    let order = order_of(&alice, &bob);
    let (committed, _) = alice.post(&bob, ORDER, order.cid(), &order.blocks()).steps();
    let redemption = |who: &Mallory| {
        let keys =
            [0, 1].map(|at| (Cid::of(Codec::Raw, &[at]), dta_crypto::ContentKey::from_bytes([at; 32])));
        who.redemption(&About::after(&committed), keys, &who.identity, &[&who.identity])
    };
    let mut told = BTreeSet::new();
    let mut tell = |what: &str, call: &Call| {
        let heard = call.send_to(&bob);
        assert_eq!((heard.status, heard.code().as_str()), (404, "not-found"), "{what}");
        told.insert(heard.timeless());
    };
    for (name, who) in [("mallory", &mallory), ("eve", &eve)] {
        let steps = redemption(who);
        for (target, body) in [
            (ORDER, car_of(who, &order)),
            (SECRET, car_of(who, &steps)),
            (STEP, car_of(who, &who.step(&About::after(&committed), &wish(), &[&who.identity]))),
        ] {
            tell(&format!("{name} in {target}"), &who.request("POST", target, &to, &body));
        }
    }
    let own = car_of(&eve, &order_of(&eve, &bob));
    tell("an order of somebody who is not pinned", &eve.request("POST", ORDER, &to, &own));
    tell("deliveries for nobody", &eve.request("GET", DELIVERIES, &to, b""));
    for target in [ORDER, SECRET, STEP] {
        tell("no CAR", &eve.request("POST", target, &to, b"nonsense"));
        tell("for somebody else", &alice.request("POST", target, &eve.cid(), &own));
    }
    let mut transplanted = eve.request("POST", ORDER, &to, &own);
    transplanted.body = car_of(&eve, &order_of(&eve, &bob));
    transplanted.head.retain(|line| !line.starts_with("content-length"));
    transplanted.head.push(format!("content-length: {}", transplanted.body.len()));
    tell("a body of hers under another signature of hers", &transplanted);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(!told.iter().any(|bytes| bytes.contains("signature")), "unsigned: {told:?}");
    // Pinned, she may ask what there is for her: nothing, though there are orders.
    let nothing = mallory.request("GET", DELIVERIES, &to, b"").send_to(&bob);
    let (root, blocks) = car::decode(&nothing.body).unwrap();
    let page = dta_protocol::DeliveryPage::decode(&blocks[0].1).unwrap();
    assert_eq!((blocks.len(), blocks[0].0, page.step, page.next), (1, root, None, 0));
    assert_eq!(bob.caught_up().get("/v1/order").body["orderReference"].as_array().unwrap().len(), 1);
    assert_eq!(chain(bob.caught_up(), &order.cid().to_string()).len(), 2);
}

fn wish() -> dta_protocol::body::CancellationRequested {
    dta_protocol::body::CancellationRequested { detail: String::new(), seen: Vec::new() }
}

#[test]
fn calls_are_taken_once_as_they_were_signed_and_in_car() {
    let bob = fiduciary("pinned");
    let mallory = Mallory::new("mallory");
    bob.pin(&mallory.document(), None);
    let to = identity_of(&bob).cid();
    let body = car_of(&mallory, &order_of(&mallory, &bob));
    for target in [ORDER, SECRET, STEP] {
        let call = mallory.request("POST", target, &to, &body);
        let heard = call.with_type("application/json").send_to(&bob);
        assert_eq!((heard.status, heard.code().as_str()), (415, "content-type"), "{target}");
        assert!(heard.header("signature").is_none());
    }
    let call = mallory.request("POST", ORDER, &to, &body);
    call.send_to(&bob).steps();
    call.send_to(&bob).refuses(401, "peer-replayed");
    mallory.request("POST", ORDER, &to, &body).send_to(&bob).steps();
    let mut transplanted = mallory.request("POST", ORDER, &to, &body);
    transplanted.body = car_of(&mallory, &order_of(&mallory, &bob));
    transplanted.head.retain(|line| !line.starts_with("content-length"));
    transplanted.head.push(format!("content-length: {}", transplanted.body.len()));
    transplanted.send_to(&bob).refuses(401, "peer-digest");
    let mut elsewhere = mallory.request("POST", SECRET, &to, &body);
    elsewhere.head[0] = format!("POST {ORDER} HTTP/1.1");
    assert_eq!(elsewhere.send_to(&bob).code(), "not-found");
    assert_eq!(bob.caught_up().get("/v1/order").body["orderReference"].as_array().unwrap().len(), 1);
}

#[test]
fn who_is_served_is_the_operators_choice() {
    let mallory = Mallory::new("mallory");
    for (trust, served) in [("pinned", false), ("open", true)] {
        let bob = fiduciary(trust);
        let to = identity_of(&bob).cid();
        let order = order_of(&mallory, &bob);
        let call = || mallory.request("POST", ORDER, &to, &car_of(&mallory, &order)).send_to(&bob);
        if served {
            let (committed, _) = call().steps();
            assert_eq!(committed.statement().previous, Some(order.cid()));
        } else {
            assert_eq!(call().code(), "not-found");
            bob.pin(&mallory.document(), None);
            call().steps();
            // Taken back: her order stays hers, and she gets no other.
            let unpinned = bob.home.must(&["peer", "--node", &bob.url, "unpin", &mallory.cid().to_string()]);
            assert!(unpinned.starts_with("unpinned"), "{unpinned}");
            call().steps();
            let other = order_of(&mallory, &bob);
            assert_eq!(mallory.post(&bob, ORDER, other.cid(), &other.blocks()).code(), "not-found");
        }
    }
}

#[test]
fn no_order_stops_a_node() {
    let bob = fiduciary("pinned");
    let mallory = Mallory::new("mallory");
    bob.pin(&mallory.document(), None);
    let order = order_of(&mallory, &bob);
    let blocks = [order.blocks(), vec![mallory.block()]].concat();
    let codes = chance::call_with_mutations(&mallory, &bob, ORDER, &blocks, 400);
    assert!(codes.len() > 12, "it got somewhere: {codes:?}");
    mallory.post(&bob, ORDER, order.cid(), &order.blocks()).steps();
}
