//! Mallory orders a Bitcoin wallet whose second half is not hers: bob's plugin refuses it, and no key is made.

use std::collections::BTreeMap;

use dta_crypto::OrderKey;
use dta_plugins::{field, share};
use dta_protocol::body::Placed;
use dta_protocol::{Cid, Identity, Kind};
use serde_json::Value;

use super::forge::{About, Forged, new_key, new_reference, placed};
use super::{Heard, Mallory, ORDER, identity_of};
use crate::world::{Party, Settings, seeds};

struct Scene {
    bob: Party,
    bobs: Identity,
    mallory: Mallory,
}

impl Scene {
    fn new() -> Self {
        let mut bob = Party::new("bob");
        let settings = Settings { plugin: "bitcoinwallet", ..Settings::default() };
        bob.home.settings(&settings.text("fiduciary", ""));
        bob.start();
        let mallory = Mallory::new("mallory");
        bob.pin(&mallory.document(), None);
        let bobs = identity_of(&bob);
        Self { bob, bobs, mallory }
    }

    /// What her own plugin would put into the order of this reference.
    fn extension(&self, key: &OrderKey, reference: &str) -> BTreeMap<String, String> {
        let (hers, bobs) = (self.mallory.cid().to_bytes(), self.bobs.cid().to_bytes());
        let proof = share::prove(key, reference, &hers, &bobs).unwrap();
        let fields = [
            ("coin", "0".to_owned()),
            ("addressType", "p2tr".to_owned()),
            ("share", field::write(&key.compressed())),
            ("shareProof", field::write(&proof)),
        ];
        fields.map(|(name, text)| (name.to_owned(), text)).into()
    }

    fn places(&self, reference: &str, change: impl FnOnce(&mut Placed)) -> (Forged, Heard) {
        let mut body = Placed { plugin: "bitcoinwallet".into(), ..placed(reference, &self.bobs, None) };
        body.extension = self.extension(&new_key(), reference);
        change(&mut body);
        let to = [&self.mallory.identity, &self.bobs];
        let step = self.mallory.step(&About::new_order(reference), &body, &to);
        let heard = self.mallory.post(&self.bob, ORDER, step.cid(), &step.blocks());
        (step, heard)
    }

    fn refuses(&self, order: Cid, heard: &Heard) -> String {
        heard.refuses(422, "plugin-refused");
        let history = self.bob.caught_up().get(&format!("/v1/order/{order}/history"));
        let known = history.body["history"].as_array().cloned().unwrap_or_default();
        let last: Option<Value> = known.into_iter().rfind(|entry| entry["refused"].is_object());
        last.map_or_else(String::new, |last| last["refused"]["details"].as_str().unwrap().to_owned())
    }
}

#[test]
fn a_share_that_is_not_proved_for_this_order_is_no_half_of_a_wallet() {
    let scene = Scene::new();
    let reference = new_reference();
    let other = scene.extension(&new_key(), &new_reference());
    // Somebody else's key, which the sum would be made to hit, without its secret half.
    let rogue = field::write(&new_key().compressed());
    type Change<'a> = Box<dyn FnOnce(&mut Placed) + 'a>;
    let changes: Vec<Change<'_>> = vec![
        Box::new(|body| body.extension.clear()),
        Box::new(|body| _ = body.extension.remove("coin")),
        Box::new(|body| body.coin = 1),
        Box::new(|body| _ = body.extension.remove("share")),
        Box::new(|body| _ = body.extension.remove("shareProof")),
        Box::new(|body| body.extension = other),
        Box::new(|body| _ = body.extension.insert("share".to_owned(), rogue)),
        Box::new(|body| _ = body.extension.insert("share".to_owned(), "02".repeat(33))),
        Box::new(|body| _ = body.extension.insert("shareProof".to_owned(), "0".repeat(128))),
        Box::new(|body| _ = body.extension.insert("addressType".to_owned(), "p2sh".to_owned())),
    ];
    for change in changes {
        let (step, heard) = scene.places(&reference, change);
        scene.refuses(step.cid(), &heard);
        assert_eq!(seeds(&scene.bob), 0, "no key is made");
    }
    // As it should be, under the very reference.
    let (_, heard) = scene.places(&reference, |_| {});
    let (committed, _) = heard.steps();
    assert_eq!(committed.statement().kind, Kind::Committed);
    assert_eq!(seeds(&scene.bob), 1);
}
