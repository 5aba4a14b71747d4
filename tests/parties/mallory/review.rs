//! What she may not: speak for a node that she only names, make a release that its beneficiary cannot take, drop another
//! order's secret, keep a node calling.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use dta_crypto::{ContentKey, IdentityKeys, OrderKey, Secret};
use dta_protocol::body::{BeneficiaryData, Committed, DisputeCode, Disputed, RedemptionRequested, Released};
use dta_protocol::car::{self, Block};
use dta_protocol::sealed::SealedBody;
use dta_protocol::{Cid, DeliveryPage, Envelope, Identity, Kind, Plaintext};
use serde_json::json;

use super::forge::{About, Forged, keys_of, new_key, new_reference, placed};
use super::{DELIVERIES, Heard, Mallory, ORDER, SECRET, STEP, block_of, identity_of, now_ms, random, server};
use crate::kit::{files, public_key_of};
use crate::world::{Party, Settings, waiting};

impl Mallory {
    /// An identity that names another as the holder of its log, which has not been asked.
    fn naming(name: &str, holder: Cid) -> Self {
        let keys = IdentityKeys::from_seed(&Secret::from_bytes(random()));
        let identity = Identity::create(&keys, name, None, Some(holder), now_ms()).unwrap();
        Self { keys, identity }
    }
}

/// Bob's node; alice orders there, for dave. The test has their keys.
struct Scene {
    bob: Party,
    bobs: Identity,
    alice: Mallory,
    dave: Mallory,
}

/// An order of alice's that bob has committed to.
struct Ordered {
    placed: Forged,
    committed: Envelope,
    keys: [(Cid, ContentKey); 2],
}

impl Scene {
    fn new() -> Self {
        let mut bob = Party::new("bob");
        bob.home.settings(&Settings::default().text("fiduciary", ""));
        bob.start();
        let [alice, dave] = ["alice", "dave"].map(Mallory::new);
        bob.pin(&alice.document(), None);
        let bobs = identity_of(&bob);
        Self { bob, bobs, alice, dave }
    }

    fn ordered(&self) -> Ordered {
        let (alice, reference) = (&self.alice, new_reference());
        let body = placed(&reference, &self.bobs, None);
        let placed = alice.step(&About::new_order(&reference), &body, &[&alice.identity, &self.bobs]);
        let (committed, blocks) = alice.post(&self.bob, ORDER, placed.cid(), &placed.blocks()).steps();
        let (cid, key, plaintext) = alice.open(&committed, &blocks);
        Committed::decode(&plaintext).unwrap();
        Ordered { keys: keys_of(&placed, (cid, key)), placed, committed }
    }

    fn redemption(&self, ordered: Ordered, beneficiary: &Identity) -> Forged {
        let to = [&self.alice.identity, &self.bobs, beneficiary];
        self.alice.redemption(&About::after(&ordered.committed), ordered.keys, beneficiary, &to)
    }

    fn redeem(&self, who: &Mallory, redemption: &Forged, beneficiary: &Identity) -> Heard {
        let blocks = [redemption.blocks(), vec![block_of(beneficiary), who.block()]].concat();
        who.post(&self.bob, SECRET, redemption.cid(), &blocks)
    }
}

#[test]
fn who_names_a_pinned_identity_as_its_node_is_a_stranger_all_the_same() {
    let scene = Scene::new();
    let eve = Mallory::naming("eve", scene.alice.cid());
    let reference = new_reference();
    let body = placed(&reference, &scene.bobs, None);
    let order = eve.step(&About::new_order(&reference), &body, &[&eve.identity, &scene.bobs]);
    let blocks = [order.blocks(), vec![eve.block()]].concat();
    let heard = eve.post(&scene.bob, ORDER, order.cid(), &blocks);
    assert_eq!((heard.status, heard.code().as_str()), (404, "not-found"), "she is not pinned");
}

#[test]
fn who_names_a_party_as_its_node_is_no_party() {
    let scene = Scene::new();
    let ordered = scene.ordered();
    let steps = ordered.placed.blocks();
    let eve = Mallory::naming("eve", scene.alice.cid());
    // The order's first step is on IPFS for all to see.
    let blocks = [steps.clone(), vec![eve.block()]].concat();
    let heard = eve.post(&scene.bob, ORDER, steps[0].0, &blocks);
    assert_eq!((heard.status, heard.code().as_str()), (404, "not-found"), "she is no party");
}

#[test]
fn who_names_a_beneficiary_as_its_node_gets_no_sealed_secret() {
    let scene = Scene::new();
    let (alice, dave) = (&scene.alice, &scene.dave);
    let redemption = scene.redemption(scene.ordered(), &dave.identity);
    let (released, blocks) = scene.redeem(alice, &redemption, &dave.identity).steps();
    let (_, _, plaintext) = alice.open(&released, &blocks);
    let secret = Released::decode(&plaintext).unwrap().secret.cid;
    assert!(!blocks.iter().any(|(cid, _)| *cid == secret), "alice is not its beneficiary");
    let eve = Mallory::naming("eve", dave.cid());
    let heard = scene.redeem(&eve, &redemption, &dave.identity);
    let theirs = car::decode(&heard.body).map(|(_, blocks)| blocks).unwrap_or_default();
    assert!(!theirs.iter().any(|(cid, _)| *cid == secret), "nor is eve");
    assert_eq!((heard.status, heard.code().as_str()), (404, "not-found"), "she is no party");
}

#[test]
fn who_names_the_principal_as_its_node_hides_no_dispute_from_it() {
    let scene = Scene::new();
    let (alice, dave) = (&scene.alice, &scene.dave);
    let redemption = scene.redemption(scene.ordered(), &dave.identity);
    let (released, _) = scene.redeem(alice, &redemption, &dave.identity).steps();
    let body = Disputed { code: DisputeCode::CannotOpen, content_key: None, seen: Vec::new() };
    let all = [&alice.identity, &scene.bobs, &dave.identity];
    let disputed = dave.step(&About::after(&released), &body, &all);
    let eve = Mallory::naming("eve", alice.cid());
    let blocks = [disputed.blocks(), vec![eve.block()]].concat();
    eve.post(&scene.bob, STEP, disputed.cid(), &blocks);
    dave.post(&scene.bob, STEP, disputed.cid(), &disputed.blocks()).steps();
    scene.bob.caught_up();
    let page = alice.request("GET", DELIVERIES, &scene.bobs.cid(), b"").send_to(&scene.bob);
    let (root, blocks) = car::decode(&page.body).unwrap();
    let (_, page) = blocks.iter().find(|(cid, _)| *cid == root).unwrap();
    let page = DeliveryPage::decode(page).unwrap();
    assert_eq!(page.step, Some((alice.cid(), disputed.cid())), "alice has yet to be told");
}

#[test]
fn a_redemption_that_discloses_other_keys_is_refused() {
    let scene = Scene::new();
    let mut ordered = scene.ordered();
    for (_, key) in &mut ordered.keys {
        *key = ContentKey::from_bytes(random());
    }
    let redemption = scene.redemption(ordered, &scene.dave.identity);
    let heard = scene.redeem(&scene.alice, &redemption, &scene.dave.identity);
    // Released all the same, nobody but alice and bob could ever read the order, and dave could not take the release.
    assert_eq!(heard.status, 422, "{}", heard.timeless());
}

#[test]
fn a_beneficiary_gets_its_secret_whatever_the_principal_says_to_it_alone() {
    let scene = Scene::new();
    let mut carol = Party::new("carol");
    carol.home.settings(&Settings::default().text("principal", &scene.bob.cid));
    carol.start();
    carol.pin(&scene.bob.document(&scene.bob.cid), Some(&scene.bob.url));
    scene.bob.pin(&carol.document(&carol.cid), Some(&carol.url));
    let (alice, carols) = (&scene.alice, identity_of(&carol));
    let ordered = scene.ordered();
    let order = ordered.placed.cid().to_string();
    let about = About::after(&ordered.committed);
    let body = RedemptionRequested {
        beneficiary: carols.cid(),
        keys: ordered.keys.into(),
        extension: BTreeMap::new(),
        seen: Vec::new(),
    };
    let parties = alice.seal(&about, &body, &[&alice.identity, &scene.bobs, &carols]);
    // Bob cannot see that it is not for carol.
    let data = alice.seal(&about, &BeneficiaryData { extension: BTreeMap::new() }, &[&alice.identity]);
    let redemption = alice.sign(&about, Kind::RedemptionRequested, vec![parties, data]);
    let (released, _) = scene.redeem(alice, &redemption, &carols).steps();
    assert_eq!(released.statement().kind, Kind::Released);
    scene.bob.until("it is brought, or given up", |bob| {
        bob.state(&order) == "Received" || waiting(bob, &order).iter().any(|waits| waits["stalled"] == true)
    });
    assert!(waiting(&scene.bob, &order).iter().all(|waits| waits["to"] != "beneficiary"));
    assert_eq!(scene.bob.caught_up().state(&order), "Received");
}

/// A whole order of hers, in which she is principal and fiduciary, for carol: its chain, the release first.
fn own_order(
    mallory: &Mallory,
    carol: &Identity,
    retention_ms: u64,
    secret: impl FnOnce(&About, Cid, &OrderKey) -> SealedBody,
) -> (Cid, Vec<Block>) {
    own_order_at(mallory, carol, now_ms(), retention_ms, secret)
}

/// The same, ordered at this time.
fn own_order_at(
    mallory: &Mallory,
    carol: &Identity,
    issued_at_ms: u64,
    retention_ms: u64,
    secret: impl FnOnce(&About, Cid, &OrderKey) -> SealedBody,
) -> (Cid, Vec<Block>) {
    let (reference, key) = (new_reference(), new_key());
    let mut body = placed(&reference, &mallory.identity, None);
    body.policy.retention_ms = retention_ms;
    let first =
        mallory.step(&About { issued_at_ms, ..About::new_order(&reference) }, &body, &[&mallory.identity]);
    let second = mallory.committed(&first.envelope, &key, &key, &[&mallory.identity]);
    let opened = mallory.open(&second.envelope, &second.blocks());
    let keys = keys_of(&first, (opened.0, opened.1));
    let two = [&mallory.identity, carol];
    let third = mallory.redemption(&About::after(&second.envelope), keys, carol, &two);
    let about = About::after(&third.envelope);
    let secret = secret(&about, first.cid(), &key);
    let (fourth, secret) = mallory.released(&about, secret, carol.cid(), &two);
    let people = vec![secret, mallory.block(), block_of(carol)];
    let steps = [&fourth, &third, &second, &first].map(|step| step.blocks()).concat();
    (first.cid(), [steps, people].concat())
}

#[test]
fn the_end_of_one_orders_retention_takes_no_other_orders_secret() {
    let mallory = Mallory::new("mallory");
    let mut carol = Party::new("carol");
    carol.home.settings(&Settings::default().text("principal", &mallory.cid().to_string()));
    carol.start();
    carol.pin(&mallory.document(), None);
    let carols = identity_of(&carol);
    let kept = Mutex::new(None);
    let (order, blocks) = own_order(&mallory, &carols, 0, |about, placed, key| {
        let secret = mallory.secret(about, placed, key, &carols);
        *kept.lock().unwrap() = Some((secret.descriptor.clone(), secret.block.clone()));
        secret
    });
    let (received, _) = mallory.post(&carol, STEP, blocks[0].0, &blocks).steps();
    assert_eq!(received.statement().kind, Kind::Received);
    let given = carol.redeem(&order.to_string(), &carol.cid).is(200);
    public_key_of(&given.str("secret"));
    // She has the receipt. Now another order, kept for a millisecond, releases the very same block.
    let (descriptor, block) = kept.into_inner().unwrap().unwrap();
    let (other, blocks) = own_order(&mallory, &carols, 1, |about, placed, key| {
        let mut secret = mallory.secret(about, placed, key, &carols);
        (secret.descriptor, secret.block) = (descriptor, block);
        secret
    });
    if mallory.post(&carol, STEP, blocks[0].0, &blocks).status == 200 {
        carol.until("the retention of the other order ends", |carol| {
            let history = carol.get(&format!("/v1/order/{other}/history")).is(200);
            history.body["history"]
                .as_array()
                .unwrap()
                .iter()
                .any(|entry| entry["retentionEnded"].is_string())
        });
    }
    assert_eq!(carol.redeem(&order.to_string(), &carol.cid), given, "carol's secret is still there");
}

#[test]
fn an_answer_about_another_order_does_not_keep_a_node_calling() {
    let mallory = Arc::new(Mallory::new("mallory"));
    let mut alice = Party::new("alice");
    alice.home.settings(&Settings::impatient().text("principal", &mallory.cid().to_string()));
    alice.start();
    let (alices, calls) = (identity_of(&alice), Arc::new(AtomicU32::new(0)));
    let keeper = Mutex::new(None::<(Cid, Vec<Block>)>);
    let (signer, count) = (mallory.clone(), calls.clone());
    let answers = move |_: &str, root: Envelope, _: Vec<Block>| {
        count.fetch_add(1, Ordering::SeqCst);
        let mut first = keeper.lock().unwrap();
        let answer = first.get_or_insert_with(|| {
            let key = new_key();
            let step = signer.committed(&root, &key, &key, &[&alices, &signer.identity]);
            (step.cid(), step.blocks())
        });
        Some(answer.clone().into())
    };
    alice.pin(&mallory.document(), Some(&server::serve(mallory.clone(), Arc::new(answers))));
    alice.place("");
    calls.store(0, Ordering::SeqCst);
    // It waits a second, and tries again every quarter of one.
    let other = alice.post("/v1/order", &json!({})).is(202);
    let called = calls.load(Ordering::SeqCst);
    assert!(called <= 8, "{called} calls within a second");
    assert_eq!(waiting(&alice, &other.str("orderReference")).len(), 1);
}

/// A redemption that came too early is undone at its principal. Its blocks are on IPFS all the same.
#[test]
fn a_redemption_that_was_refused_is_the_principals_alone_to_bring_again() {
    let [mut alice, mut bob] = ["alice", "bob"].map(Party::new);
    alice.home.settings(&Settings::default().text("principal", &bob.cid));
    bob.home.settings(&Settings::default().text("fiduciary", ""));
    alice.start();
    bob.start();
    alice.pin(&bob.document(&bob.cid), Some(&bob.url));
    bob.pin(&alice.document(&alice.cid), Some(&alice.url));
    let dave = Mallory::new("dave");
    alice.pin(&dave.document(), None);
    let not_before_ms = now_ms() + 4_000;
    let (dave_cid, policy) = (dave.cid().to_string(), json!({ "notBeforeMs": not_before_ms }));
    let order = json!({ "beneficiaryIDDocumentCID": dave_cid, "policy": policy });
    let placed = alice.post("/v1/order", &order).is(200);
    let (reference, order) = (placed.str("orderReference"), placed.str("orderCID"));
    alice.redeem(&reference, &dave_cid).refuses(409, "not-before");
    assert_eq!(alice.caught_up().state(&reference), "Committed");
    // What alice's node has on IPFS.
    let folder = alice.home.path().join("ipfs");
    let public =
        || -> Vec<Vec<u8>> { files(&folder).iter().filter_map(|file| std::fs::read(file).ok()).collect() };
    let redemption_in = |blocks: &[Vec<u8>]| {
        let mut envelopes = blocks.iter().filter_map(|block| Envelope::decode(block).ok());
        envelopes.find(|envelope| envelope.statement().kind == Kind::RedemptionRequested)
    };
    let found = || -> Option<(Envelope, Vec<Block>)> {
        let blocks = public();
        let redemption = redemption_in(&blocks)?;
        let body = |cid: Cid| Some((cid, blocks.iter().find(|block| cid.names(block))?.clone()));
        let bodies =
            redemption.statement().sealed.iter().map(|sealed| body(sealed.cid)).collect::<Option<_>>()?;
        Some((redemption, bodies))
    };
    alice.until("the mirror has it", |_| found().is_some());
    let (redemption, bodies) = found().unwrap();
    let call = [vec![(redemption.cid(), redemption.block().to_vec()), dave.block()], bodies].concat();
    alice.until("the time comes", |_| now_ms() > not_before_ms);
    let heard = dave.post(&bob, SECRET, redemption.cid(), &call);
    if heard.status == 200 {
        // What comes of it: bob has released, dave disputes, and alice can never hear of it.
        let (released, _) = heard.steps();
        let body = Disputed { code: DisputeCode::CannotOpen, content_key: None, seen: Vec::new() };
        let all = [&identity_of(&alice), &identity_of(&bob), &dave.identity];
        let disputed = dave.step(&About::after(&released), &body, &all);
        dave.post(&bob, STEP, disputed.cid(), &disputed.blocks()).steps();
        bob.until("alice has been told", |bob| {
            bob.get(&format!("/v1/order/{order}")).body["waiting"]
                .as_array()
                .unwrap()
                .iter()
                .all(|waits| waits["stalled"] == true)
        });
        assert_eq!(
            (alice.caught_up().state(&reference), waiting(&bob, &order)),
            (bob.caught_up().state(&order), Vec::new()),
            "alice and bob agree"
        );
    }
    assert_eq!(bob.caught_up().state(&order), "Committed", "alice has not asked again");
}

#[test]
fn a_held_secret_is_not_published_as_the_body_of_another_orders_step() {
    let mallory = Mallory::new("mallory");
    let mut carol = Party::new("carol");
    carol.home.settings(&Settings::default().text("multi", &mallory.cid().to_string()));
    carol.start();
    carol.pin(&mallory.document(), None);
    let carols = identity_of(&carol);
    let kept = Mutex::new(None);
    let (order, blocks) = own_order(&mallory, &carols, 0, |about, placed, key| {
        let secret = mallory.secret(about, placed, key, &carols);
        *kept.lock().unwrap() = Some((secret.descriptor.cid, secret.block.clone()));
        secret
    });
    mallory.post(&carol, STEP, blocks[0].0, &blocks).steps();
    let (secret, block) = kept.into_inner().unwrap().unwrap();
    // Now carol keeps a key for her; what a redemption says to its beneficiary alone, carol does not open.
    let reference = new_reference();
    let both = [&mallory.identity, &carols];
    let first = mallory.step(&About::new_order(&reference), &placed(&reference, &carols, None), &both);
    let (committed, blocks) = mallory.post(&carol, ORDER, first.cid(), &first.blocks()).steps();
    let (cid, key, _) = mallory.open(&committed, &blocks);
    let about = About::after(&committed);
    let body = RedemptionRequested {
        beneficiary: mallory.cid(),
        keys: keys_of(&first, (cid, key)).into(),
        extension: BTreeMap::new(),
        seen: Vec::new(),
    };
    let parties = mallory.seal(&about, &body, &both);
    let mut data =
        mallory.seal(&about, &BeneficiaryData { extension: BTreeMap::new() }, &[&mallory.identity]);
    (data.descriptor.cid, data.block) = (secret, block);
    let redemption = mallory.sign(&about, Kind::RedemptionRequested, vec![parties, data]);
    mallory.post(&carol, SECRET, redemption.cid(), &redemption.blocks());
    // A chain holds only what is published.
    let (_, chain) = carol.caught_up().bytes(&format!("/v1/order/{}/chain", first.cid()));
    let (_, blocks) = car::decode(&chain).unwrap();
    assert!(!blocks.iter().any(|(cid, _)| *cid == secret), "the sealed secret of {order} is published");
}

/// As ADR 0017 says: a peer that is away is called by one order at a time once the pause is over.
#[test]
fn a_peer_that_is_away_is_called_by_one_order_at_a_time() {
    let mallory = Mallory::new("mallory");
    let mut alice = Party::new("alice");
    let settings = Settings { order_wait_ms: 1, ..Settings::default() };
    alice.home.settings(&settings.text("principal", &mallory.cid().to_string()));
    alice.start();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (calls, open, most) =
        (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (count, now, peak) = (calls.clone(), open.clone(), most.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (now, peak) = (now.clone(), peak.clone());
            // The first calls are those of the commands themselves.
            let of_timers = count.fetch_add(1, Ordering::SeqCst) >= 20;
            let open = now.fetch_add(1, Ordering::SeqCst) + 1;
            if of_timers {
                peak.fetch_max(open, Ordering::SeqCst);
            }
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                // It reads, and hangs up after a while.
                let _ = stream.set_read_timeout(Some(std::time::Duration::from_millis(300)));
                let mut bytes = [0; 65_536];
                while let Ok(1..) = std::io::Read::read(&mut stream, &mut bytes) {}
                now.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    alice.pin(&mallory.document(), Some(&url));
    for _ in 0..20 {
        alice.post("/v1/order", &json!({})).is(202);
    }
    alice.until("the timers call", |_| calls.load(Ordering::SeqCst) > 21);
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[test]
fn whoever_is_refused_often_does_not_keep_others_refusals_out_of_the_log() {
    let mut bob = Party::new("bob");
    let settings = Settings::default().text("fiduciary", "");
    bob.home.settings(&format!("{settings}[refusals]\nburst = 4\nrefill_every_ms = 3600000\n"));
    bob.start();
    let [alice, mallory, dave] = ["alice", "mallory", "dave"].map(Mallory::new);
    for principal in [&alice, &mallory] {
        bob.pin(&principal.document(), None);
    }
    let scene = Scene { bobs: identity_of(&bob), bob, alice, dave };
    for _ in 0..5 {
        let body = placed(&new_reference(), &scene.bobs, None);
        let order = mallory.step(&About::new_order(&body.reference), &body, &[&mallory.identity]);
        mallory.post(&scene.bob, ORDER, order.cid(), &order.blocks()).refuses(422, "cannot-open");
    }
    let (alice, ordered) = (&scene.alice, scene.ordered());
    let order = ordered.placed.cid();
    let two = [&alice.identity, &scene.bobs];
    let bad = alice.redemption(&About::after(&ordered.committed), ordered.keys, &scene.dave.identity, &two);
    scene.redeem(alice, &bad, &scene.dave.identity).refuses(422, "other-recipients");
    let history = scene.bob.caught_up().get(&format!("/v1/order/{order}/history")).is(200);
    let entries = history.body["history"].as_array().unwrap();
    assert!(entries.iter().any(|entry| entry["refused"]["code"] == "other-recipients"), "{entries:?}");
}

/// A principal whose clock is 250 s ahead of its fiduciary's, whose clock is 150 s ahead of the beneficiary's: each pair can call
/// each other, and in 100 s the beneficiary will take what it refuses now.
#[test]
fn a_release_that_only_time_makes_good_is_not_refused_for_good() {
    let mallory = Mallory::new("mallory");
    let mut carol = Party::new("carol");
    carol.home.settings(&Settings::default().text("principal", &mallory.cid().to_string()));
    carol.start();
    carol.pin(&mallory.document(), None);
    let carols = identity_of(&carol);
    let (_, blocks) = own_order_at(&mallory, &carols, now_ms() + 400_000, 0, |about, placed, key| {
        mallory.secret(about, placed, key, &carols)
    });
    let heard = mallory.post(&carol, STEP, blocks[0].0, &blocks);
    let is_final = (400..500).contains(&heard.status) && ![401, 404, 408, 429].contains(&heard.status);
    assert!(!is_final, "{}", heard.timeless());
}
