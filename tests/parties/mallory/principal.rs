//! Mallory orders at bob's node: two principals, two statements for one slot, other people's orders, other readers.

use dta_crypto::{ContentKey, OrderKey};
use dta_protocol::body::{
    CancellationRequested, Committed, Received, Released, SecretBody, sign_received_proof,
};
use dta_protocol::car::Block;
use dta_protocol::sealed::{self, SealRequest};
use dta_protocol::{Cid, DeliveryPage, Envelope, Identity, Kind, Plaintext, Policy, Role, car};
use serde_json::{Value, json};

use super::forge::{About, Forged, keys_of, new_key, new_reference, placed};
use super::{DELIVERIES, Heard, Mallory, ORDER, SECRET, STEP, envelope_in, identity_of, now_ms};
use crate::world::{Party, Settings, seeds};

/// Bob's node, and those whom it serves.
struct Scene {
    bob: Party,
    bobs: Identity,
    mallory: Mallory,
    eve: Mallory,
    dave: Mallory,
}

/// An order of hers that bob has committed to.
struct Ordered {
    placed: Forged,
    committed: Envelope,
    commitment: [u8; 65],
    keys: [(Cid, ContentKey); 2],
}

impl Scene {
    fn new() -> Self {
        let mut bob = Party::new("bob");
        bob.home.settings(&Settings::default().text("fiduciary", ""));
        bob.start();
        let [mallory, eve, dave] = ["mallory", "eve", "dave"].map(Mallory::new);
        for principal in [&mallory, &eve] {
            bob.pin(&principal.document(), None);
        }
        let bobs = identity_of(&bob);
        Self { bob, bobs, mallory, eve, dave }
    }

    fn place(&self, who: &Mallory, reference: &str) -> Forged {
        let body = placed(reference, &self.bobs, None);
        who.step(&About::new_order(reference), &body, &[&who.identity, &self.bobs])
    }

    fn ordered(&self, who: &Mallory, reference: &str) -> Ordered {
        let placed = self.place(who, reference);
        let (committed, blocks) = who.post(&self.bob, ORDER, placed.cid(), &placed.blocks()).steps();
        let (cid, key, plaintext) = who.open(&committed, &blocks);
        let commitment = Committed::decode(&plaintext).unwrap().commitment;
        Ordered { keys: keys_of(&placed, (cid, key)), placed, committed, commitment }
    }

    /// Sends a redemption with the document of its beneficiary, whom bob does not know.
    fn redeem(&self, who: &Mallory, redemption: &Forged) -> Heard {
        let blocks = [redemption.blocks(), vec![self.dave.block()]].concat();
        who.post(&self.bob, SECRET, redemption.cid(), &blocks)
    }

    fn redemption(&self, signer: &Mallory, ordered: Ordered, previous: &Envelope) -> Forged {
        let to = [&signer.identity, &self.bobs, &self.dave.identity];
        signer.redemption(&About::after(previous), ordered.keys, &self.dave.identity, &to)
    }

    fn history(&self, order: Cid) -> Vec<Value> {
        let history = self.bob.caught_up().get(&format!("/v1/order/{order}/history")).is(200);
        history.body["history"].as_array().unwrap().clone()
    }

    /// The newest refusal of an order is by this caller, for this reason.
    fn recorded(&self, order: Cid, by: &Mallory, code: &str) {
        let history = self.history(order);
        let last = history.iter().rfind(|entry| entry["refused"].is_object()).unwrap();
        assert_eq!(last["actor"], format!("peer:{}", by.cid()));
        assert_eq!(last["refused"]["code"], code);
        assert_ne!(last["refused"]["details"], "");
    }
}

#[test]
fn two_principals_under_one_reference_have_two_orders() {
    let scene = Scene::new();
    let reference = new_reference();
    let orders = [&scene.mallory, &scene.eve].map(|who| (who, scene.ordered(who, &reference)));
    assert_ne!(orders[0].1.commitment, orders[1].1.commitment);
    assert_eq!(seeds(&scene.bob), 2);
    // Neither speaks in the other's order, and neither learns that there is one.
    for (who, ordered) in orders {
        let other = if who.cid() == scene.eve.cid() { &scene.mallory } else { &scene.eve };
        let order = ordered.placed.cid();
        let steps = ordered.placed.blocks();
        let committed = ordered.committed.clone();
        let theirs = scene.redemption(who, ordered, &committed);
        assert_eq!(other.post(&scene.bob, ORDER, order, &steps).code(), "not-found");
        assert_eq!(scene.redeem(other, &theirs).code(), "not-found");
        let (released, _) = scene.redeem(who, &theirs).steps();
        assert_eq!(released.statement().kind, Kind::Released);
        assert_eq!(scene.bob.caught_up().state(&order.to_string()), "Released");
    }
}

#[test]
fn only_the_beneficiary_is_given_the_sealed_secret() {
    let scene = Scene::new();
    let (mallory, dave, to) = (&scene.mallory, &scene.dave, scene.bobs.cid());
    let ordered = scene.ordered(mallory, &new_reference());
    let (order, commitment, committed) =
        (ordered.placed.cid(), ordered.commitment, ordered.committed.clone());
    let redemption = scene.redemption(mallory, ordered, &committed);
    let (released, blocks) = scene.redeem(mallory, &redemption).steps();
    let (_, _, plaintext) = mallory.open(&released, &blocks);
    let secret = Released::decode(&plaintext).unwrap().secret;
    let has = |blocks: &[Block]| blocks.iter().any(|(cid, _)| *cid == secret.cid);
    assert!(!has(&blocks), "the principal reads where it is, and is not given it");
    scene.bob.caught_up();
    let fetch = |who: &Mallory, target: &str| {
        let heard = who.request("GET", target, &to, b"").send_to(&scene.bob);
        assert_eq!(heard.status, 200, "{}", heard.timeless());
        let (root, blocks) = car::decode(&heard.body).unwrap();
        let page = blocks.iter().find(|(cid, _)| *cid == root).unwrap();
        (DeliveryPage::decode(&page.1).unwrap(), blocks)
    };
    for other in [mallory, &scene.eve] {
        let (page, blocks) = fetch(other, DELIVERIES);
        assert!(page.step.is_none() && !has(&blocks));
    }
    // Dave is neither pinned nor served, but it is his.
    let (page, blocks) = fetch(dave, DELIVERIES);
    assert_eq!(page.step, Some((dave.cid(), released.cid())));
    let request = SealRequest::of(released.statement(), Role::Secret).unwrap();
    let sealed = &blocks.iter().find(|(cid, _)| *cid == secret.cid).unwrap().1;
    let (_, opened) = sealed::open(&dave.keys, &dave.cid(), &request, &secret, sealed).unwrap();
    let body = SecretBody::decode(opened.expose()).unwrap();
    let key = OrderKey::from_secret(body.secret).unwrap();
    assert_eq!((body.placed, key.commitment()), (order, commitment));
    let (rest, _) = fetch(dave, &format!("{DELIVERIES}?after={}", page.next));
    assert!(rest.step.is_none());

    // His receipt ends the order; one by another key, or by another person, does not.
    let about = About::after(&released);
    let all = [&mallory.identity, &scene.bobs, &dave.identity];
    let receipt = |who: &Mallory, key: &OrderKey| {
        let proof = sign_received_proof(key, &released.cid(), &dave.cid());
        who.step(&about, &Received { proof, seen: Vec::new() }, &all)
    };
    let send = |who: &Mallory, step: &Forged| who.post(&scene.bob, STEP, step.cid(), &step.blocks());
    send(dave, &receipt(dave, &new_key())).refuses(422, "proof-invalid");
    send(mallory, &receipt(mallory, &key)).refuses(422, "wrong-signer");
    let good = receipt(dave, &key);
    assert_eq!(send(&scene.eve, &good).code(), "not-found");
    assert_eq!(send(dave, &good).steps().0.cid(), good.cid());
    assert_eq!(scene.bob.caught_up().state(&order.to_string()), "Received");
    let (page, blocks) = fetch(mallory, DELIVERIES);
    assert_eq!(page.step, Some((mallory.cid(), good.cid())), "the principal fetches the receipt");
    assert!(!has(&blocks));
    assert_eq!(fetch(dave, DELIVERIES).0.step, None, "nothing is left for him");
}

#[test]
fn a_second_statement_for_one_order_is_equivocation_once() {
    let scene = Scene::new();
    let reference = new_reference();
    let first = scene.ordered(&scene.mallory, &reference);
    let order = first.placed.cid();
    // The same bytes, and the same statement in another envelope: the same answer.
    let again = scene.mallory.again(&first.placed);
    let mut blocks = first.placed.blocks();
    blocks[0] = (again.cid(), again.block().to_vec());
    for (root, blocks) in [(order, first.placed.blocks()), (again.cid(), blocks)] {
        let (answer, _) = scene.mallory.post(&scene.bob, ORDER, root, &blocks).steps();
        assert_eq!((answer.cid(), answer.statement().previous), (first.committed.cid(), Some(order)));
    }
    assert_eq!(scene.history(order).len(), 2);
    for round in 0..3 {
        let other = scene.place(&scene.mallory, &reference);
        let heard = scene.mallory.post(&scene.bob, ORDER, other.cid(), &other.blocks());
        if round == 0 {
            let (answer, blocks) = heard.steps();
            let first_step = envelope_in(&blocks, answer.statement().previous.unwrap());
            assert_eq!((answer.cid(), first_step.cid()), (first.committed.cid(), order), "the first stands");
            let told = scene.history(order).pop().unwrap()["equivocation"].clone();
            assert_eq!(told, json!({ "first": order.to_string(), "second": other.cid().to_string() }));
        } else {
            heard.refuses(409, "equivocation");
            scene.recorded(order, &scene.mallory, "equivocation");
        }
    }
    let recorded = scene.history(order).iter().filter(|entry| entry["equivocation"].is_object()).count();
    assert_eq!((recorded, seeds(&scene.bob)), (1, 1));
    // Both blocks are kept: the second one's signature is verified with the log.
    let verified = scene.bob.home.must(&["log", "verify", "--deep"]);
    assert!(verified.contains("6 indexed, 6 signatures verified"), "{verified}");
    let redemption = scene.redemption(&scene.mallory, first, &envelope_of(&scene, order));
    scene.redeem(&scene.mallory, &redemption).steps();
}

/// The newest step that bob has of an order.
fn envelope_of(scene: &Scene, order: Cid) -> Envelope {
    let (_, car) = scene.bob.caught_up().bytes(&format!("/v1/order/{order}/chain"));
    let (root, blocks) = dta_protocol::car::decode(&car).unwrap();
    envelope_in(&blocks, root)
}

#[test]
fn an_order_that_breaks_a_rule_is_refused_and_leaves_no_seed() {
    let scene = Scene::new();
    let (mallory, bobs) = (&scene.mallory, &scene.bobs);
    let sealed_to = |to: &[&Identity], change: &dyn Fn(&mut dta_protocol::body::Placed)| {
        let reference = new_reference();
        let mut body = placed(&reference, bobs, None);
        change(&mut body);
        mallory.step(&About::new_order(&reference), &body, to)
    };
    let ours = [&mallory.identity, bobs];
    let as_it_is = |_: &mut dta_protocol::body::Placed| {};
    let with = |change: &dyn Fn(&mut Policy)| sealed_to(&ours, &|body| change(&mut body.policy));
    let cases: Vec<(Forged, u16, &str)> = vec![
        (sealed_to(&[&mallory.identity, bobs, &scene.eve.identity], &as_it_is), 422, "other-recipients"),
        (sealed_to(&[bobs], &as_it_is), 422, "other-recipients"),
        (sealed_to(&[bobs, &scene.eve.identity], &as_it_is), 422, "other-recipients"),
        (sealed_to(&[&mallory.identity], &as_it_is), 422, "cannot-open"),
        (sealed_to(&ours, &|body| body.reference = new_reference()), 422, "cannot-open"),
        (sealed_to(&ours, &|body| body.plugin = "other".to_owned()), 422, "unknown-plugin"),
        (sealed_to(&ours, &|body| body.beneficiary = Some(scene.dave.cid())), 422, "unknown-identity"),
        (sealed_to(&ours, &|body| body.fiduciary = scene.dave.cid()), 422, "unknown-identity"),
        (sealed_to(&ours, &|body| body.fiduciary = scene.eve.cid()), 422, "other-recipients"),
        (with(&|policy| policy.expires_at_ms = 1), 422, "policy-invalid"),
        (with(&|policy| policy.delay_ms = 1), 422, "policy-unsupported"),
        (with(&|policy| policy.guardian = Some(scene.eve.cid())), 422, "policy-unsupported"),
        (with(&|policy| policy.approvals_required = 1), 422, "policy-unsupported"),
        (with(&|policy| policy.retention_ms = (1 << 53) - 1), 422, "policy-invalid"),
    ];
    for (step, status, code) in &cases {
        mallory.post(&scene.bob, ORDER, step.cid(), &step.blocks()).refuses(*status, code);
    }
    let early = About { issued_at_ms: now_ms() + 400_000, ..About::new_order(&new_reference()) };
    let body = placed(&early.reference, bobs, None);
    let ahead = mallory.step(&early, &body, &ours);
    mallory.post(&scene.bob, ORDER, ahead.cid(), &ahead.blocks()).refuses(503, "issued-in-future");
    let whole = sealed_to(&ours, &as_it_is);
    let without_body = &whole.blocks()[..1];
    mallory.post(&scene.bob, ORDER, whole.cid(), without_body).refuses(422, "block-missing");
    // In another's name: the caller is no party of it.
    let eves = scene.place(&scene.eve, &new_reference());
    assert_eq!(mallory.post(&scene.bob, ORDER, eves.cid(), &eves.blocks()).code(), "not-found");
    // Signed with other keys in eve's name.
    let in_eves_name = Mallory { keys: Mallory::new("other").keys, identity: scene.eve.identity.clone() };
    let forged = in_eves_name.step(&About::new_order(&eves.envelope.statement().subject), &body, &ours);
    scene.eve.post(&scene.bob, ORDER, forged.cid(), &forged.blocks()).refuses(422, "signature-invalid");
    // None of it took its slot, or anything else.
    assert_eq!(seeds(&scene.bob), 0);
    assert_eq!(scene.bob.caught_up().get("/v1/order").body["orderReference"], json!([]));
    mallory.post(&scene.bob, ORDER, whole.cid(), &whole.blocks()).steps();
    assert_eq!(seeds(&scene.bob), 1);
}

#[test]
fn a_redemption_that_breaks_a_rule_is_refused_and_may_come_again() {
    let scene = Scene::new();
    let (mallory, eve, dave, bobs) = (&scene.mallory, &scene.eve, &scene.dave, &scene.bobs);
    let reference = new_reference();
    let ordered = scene.ordered(mallory, &reference);
    let (order, committed) = (ordered.placed.cid(), ordered.committed.clone());
    let keys = || ordered.keys.each_ref().map(|(cid, key)| (*cid, ContentKey::from_bytes(*key.expose())));
    let about = || About::after(&committed);
    let all = [&mallory.identity, bobs, &dave.identity];
    let refused = |step: &Forged, status, code: &str| {
        scene.redeem(mallory, step).refuses(status, code);
        scene.recorded(order, mallory, code);
        assert_eq!(scene.bob.caught_up().state(&order.to_string()), "Committed");
    };
    // By somebody who is not the principal, in a call of the principal's.
    let by_eve = eve.redemption(&about(), keys(), &dave.identity, &[&mallory.identity, bobs, &dave.identity]);
    refused(&by_eve, 422, "wrong-signer");
    let also_to_eve = [&mallory.identity, bobs, &dave.identity, &eve.identity];
    refused(&mallory.redemption(&about(), keys(), &dave.identity, &also_to_eve), 422, "other-recipients");
    let without_dave = [&mallory.identity, bobs];
    refused(&mallory.redemption(&about(), keys(), &dave.identity, &without_dave), 422, "other-recipients");
    // To what has been answered already: she is told that answer.
    let of_placed = About { previous: Some(order), ..about() };
    let (stands, _) =
        scene.redeem(mallory, &mallory.redemption(&of_placed, keys(), &dave.identity, &all)).steps();
    assert_eq!(stands.cid(), committed.cid());
    scene.recorded(order, mallory, "wrong-previous");
    let other_order = About { reference: new_reference(), ..about() };
    refused(&mallory.redemption(&other_order, keys(), &dave.identity, &all), 422, "wrong-reference");
    let backwards = About { issued_at_ms: committed.statement().issued_at_ms - 1, ..about() };
    let backwards = mallory.redemption(&backwards, keys(), &dave.identity, &all);
    refused(&backwards, 422, "issued-before-previous");
    let good = mallory.redemption(&about(), keys(), &dave.identity, &all);
    let alone: &[Block] = &good.blocks();
    mallory.post(&scene.bob, SECRET, good.cid(), alone).refuses(422, "unknown-identity");
    mallory.post(&scene.bob, STEP, good.cid(), alone).refuses(422, "other-route");
    mallory.post(&scene.bob, ORDER, good.cid(), alone).refuses(422, "other-route");

    let (released, _) = scene.redeem(mallory, &good).steps();
    assert_eq!(released.statement().kind, Kind::Released);
    assert_eq!(
        scene.redeem(mallory, &good).steps().0.cid(),
        released.cid(),
        "asked again, answered the same"
    );
    // Another statement in the slot of the one that was accepted.
    let other = mallory.redemption(&about(), keys(), &mallory.identity, &[&mallory.identity, bobs]);
    scene.redeem(mallory, &other).steps();
    scene.redeem(mallory, &other).refuses(409, "equivocation");
    let told = scene.history(order);
    assert_eq!(told.iter().filter(|entry| entry["equivocation"].is_object()).count(), 1);
    assert_eq!(scene.bob.caught_up().state(&order.to_string()), "Released");
}

#[test]
fn nothing_follows_what_is_closed() {
    let scene = Scene::new();
    let (mallory, bobs) = (&scene.mallory, &scene.bobs);
    let ordered = scene.ordered(mallory, &new_reference());
    let (order, committed) = (ordered.placed.cid(), ordered.committed.clone());
    let detail = CancellationRequested { detail: String::new(), seen: Vec::new() };
    let cancel =
        |previous: &Envelope| mallory.step(&About::after(previous), &detail, &[&mallory.identity, bobs]);
    let wish = cancel(&committed);
    let (closed, _) = mallory.post(&scene.bob, STEP, wish.cid(), &wish.blocks()).steps();
    assert_eq!((closed.statement().kind, closed.statement().previous), (Kind::Closed, Some(wish.cid())));
    // Whoever has not heard of it is told what stands instead; whoever has is refused.
    let late = scene.redemption(mallory, ordered, &committed);
    assert_eq!(scene.redeem(mallory, &late).steps().0.cid(), closed.cid());
    scene.recorded(order, mallory, "closed");
    let more = cancel(&closed);
    mallory.post(&scene.bob, STEP, more.cid(), &more.blocks()).refuses(410, "closed");
    assert_eq!(scene.bob.caught_up().state(&order.to_string()), "Closed");
}
