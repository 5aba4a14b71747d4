//! Mallory keeps the keys: false commitments, wrong releases, two faces. What alice's and carol's nodes make of it.

use std::sync::{Arc, Mutex};

use dta_crypto::OrderKey;
use dta_protocol::body::{Closed, ClosedCode, DisputeCode, Disputed};
use dta_protocol::car::Block;
use dta_protocol::{Cid, Envelope, Identity, Kind, Plaintext, Role};
use serde_json::{Value, json};

use super::forge::{About, Forged, new_key};
use super::{Mallory, ORDER, SECRET, STEP, block_of, chance, envelope_in, identity_of, server};
use crate::audit::Handed;
use crate::kit::Node;
use crate::world::{Party, Settings, chain, waiting};

/// How she commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Commits {
    Well,
    /// To somebody else's key, which she cannot prove.
    ToARogueKey,
    /// With a proof for another order.
    WithAnotherOrdersProof,
    /// For others to read, too.
    ForAllToRead,
    /// For herself alone.
    ForHerself,
}

/// What she answers to a redemption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Releases {
    Well,
    /// With a second commitment.
    CommitsAgain,
    /// Closes the order.
    Closes,
}

/// What she knows of the order that she was asked for last.
#[derive(Default)]
struct Book {
    commits: Option<Commits>,
    releases: Option<Releases>,
    key: Option<Arc<OrderKey>>,
    /// Everything she has got and made of it.
    blocks: Vec<Block>,
    placed: Option<Envelope>,
    redemption: Option<Envelope>,
    committed: Option<Envelope>,
    /// What she was told last of what came of a release.
    told: Option<Envelope>,
}

struct Scene {
    alice: Party,
    carol: Party,
    alices: Identity,
    carols: Identity,
    mallory: Arc<Mallory>,
    book: Arc<Mutex<Book>>,
}

impl Scene {
    fn new() -> Self {
        let mallory = Arc::new(Mallory::new("mallory"));
        let [mut alice, mut carol] = ["alice", "carol"].map(Party::new);
        for party in [&mut alice, &mut carol] {
            let settings = Settings::impatient().text("principal", &mallory.cid().to_string());
            party.home.settings(&settings);
            party.start();
        }
        let (alices, carols) = (identity_of(&alice), identity_of(&carol));
        let book = Arc::new(Mutex::new(Book::default()));
        let scene = Self { alice, carol, alices, carols, mallory, book };
        let (mallory, book) = (scene.mallory.clone(), scene.book.clone());
        let people = (scene.alices.clone(), scene.carols.clone());
        let answers = move |target: &str, root: Envelope, blocks: Vec<Block>| {
            answer(&mallory, &mut book.lock().unwrap(), &people, target, root, blocks)
                .map(server::Reply::from)
        };
        let url = server::serve(scene.mallory.clone(), Arc::new(answers));
        scene.alice.pin(&scene.mallory.document(), Some(&url));
        scene.carol.pin(&scene.mallory.document(), Some(&url));
        scene.alice.pin(&scene.carol.document(&scene.carol.cid), None);
        scene
    }

    fn begin(&self, commits: Commits, releases: Releases) {
        *self.book.lock().unwrap() =
            Book { commits: Some(commits), releases: Some(releases), ..Book::default() };
    }

    /// An order of alice's, released for carol as far as alice knows; what she needs to make another release of it.
    fn released(&self) -> (String, About) {
        self.begin(Commits::Well, Releases::Well);
        let (reference, _) = self.alice.place("");
        assert_eq!(self.alice.redeem(&reference, &self.carol.cid).is(200).str("secret"), "");
        let about = About::after(self.book.lock().unwrap().redemption.as_ref().unwrap());
        (reference, about)
    }

    fn all(&self) -> [&Identity; 3] {
        [&self.alices, &self.mallory.identity, &self.carols]
    }

    /// The chain with this release at its end, which comes first.
    fn chain_with(&self, (released, secret): (Forged, Block)) -> Vec<Block> {
        let book = self.book.lock().unwrap();
        let people = [block_of(&self.alices), block_of(&self.carols), self.mallory.block(), secret];
        [released.blocks(), book.blocks.clone(), people.to_vec()].concat()
    }

    /// Brings carol such a chain.
    fn bring(&self, release: (Forged, Block)) -> super::Heard {
        let blocks = self.chain_with(release);
        self.mallory.post(&self.carol, STEP, blocks[0].0, &blocks)
    }

    fn order(&self) -> Cid {
        self.book.lock().unwrap().placed.as_ref().unwrap().cid()
    }
}

/// Her node.
fn answer(
    mallory: &Mallory,
    book: &mut Book,
    (alice, carol): &(Identity, Identity),
    target: &str,
    root: Envelope,
    blocks: Vec<Block>,
) -> Option<(Cid, Vec<Block>)> {
    let step = match target {
        ORDER => {
            let key = new_key();
            let (other, ours) = (new_key(), [alice, &mallory.identity]);
            let step = match book.commits? {
                Commits::Well => mallory.committed(&root, &key, &key, &ours),
                Commits::ToARogueKey => mallory.committed(&root, &other, &key, &ours),
                Commits::WithAnotherOrdersProof => {
                    mallory.committed_for(&root, alice.cid(), &key, &key, &ours)
                }
                Commits::ForAllToRead => {
                    mallory.committed(&root, &key, &key, &[alice, &mallory.identity, carol])
                }
                Commits::ForHerself => mallory.committed(&root, &key, &key, &[&mallory.identity]),
            };
            book.key = Some(Arc::new(key));
            book.placed = Some(root);
            book.blocks.extend(blocks);
            book.committed = Some(step.envelope.clone());
            step
        }
        SECRET => {
            let about = About::after(&root);
            let placed = book.placed.clone()?;
            book.redemption = Some(root);
            book.blocks.extend(blocks);
            match book.releases? {
                Releases::CommitsAgain => {
                    let (key, ours) = (new_key(), [alice, &mallory.identity]);
                    let second = mallory.committed(&placed, &key, &key, &ours);
                    return Some((second.cid(), second.blocks()));
                }
                Releases::Closes => {
                    let closed =
                        Closed { code: ClosedCode::Cancelled, detail: String::new(), seen: Vec::new() };
                    mallory.step(&about, &closed, &[alice, &mallory.identity, carol])
                }
                Releases::Well => {
                    let key = book.key.clone()?;
                    let secret = mallory.secret(&about, placed.cid(), &key, carol);
                    let all = [alice, &mallory.identity, carol];
                    let (released, _) = mallory.released(&about, secret, carol.cid(), &all);
                    released
                }
            }
        }
        _ => {
            book.told = Some(root.clone());
            return Some((root.cid(), blocks));
        }
    };
    book.blocks.extend(step.blocks());
    Some((step.cid(), step.blocks()))
}

/// The refusals that a node has recorded of an order, as (who, why).
fn refusals(node: &Party, order: &str) -> Vec<(String, String)> {
    let history = node.caught_up().get(&format!("/v1/order/{order}/history")).is(200);
    let entries = history.body["history"].as_array().unwrap().clone();
    let refused = entries.iter().filter(|entry| entry["refused"].is_object());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    refused.map(|entry| (text(&entry["actor"]), text(&entry["refused"]["code"]))).collect()
}

#[test]
fn a_false_commitment_is_refused_and_a_good_one_still_comes() {
    let scene = Scene::new();
    let by = format!("peer:{}", scene.mallory.cid());
    for (commits, code) in [
        (Commits::ToARogueKey, "proof-invalid"),
        (Commits::WithAnotherOrdersProof, "proof-invalid"),
        (Commits::ForAllToRead, "other-recipients"),
        (Commits::ForHerself, "cannot-open"),
    ] {
        scene.begin(commits, Releases::Well);
        let placed = scene.alice.post("/v1/order", &json!({})).is(202);
        assert_eq!(placed.body["commitment"], Value::Null);
        let order = placed.str("orderCID");
        let recorded = refusals(&scene.alice, &order);
        assert!(
            !recorded.is_empty() && recorded.iter().all(|one| *one == (by.clone(), code.into())),
            "{recorded:?}"
        );
        assert_eq!(scene.alice.state(&order), "New");
        let waits = waiting(&scene.alice, &order);
        assert!(waits[0]["error"].as_str().unwrap().starts_with("the answer: "), "{waits:?}");
        scene.begin(Commits::Well, Releases::Well);
        scene.alice.post(&format!("/v1/order/{order}/retry"), &json!({}));
        scene.alice.until("she commits well at last", |alice| alice.state(&order) == "Committed");
    }
}

#[test]
fn a_second_commitment_is_recorded_once_with_both_blocks() {
    let scene = Scene::new();
    scene.begin(Commits::Well, Releases::CommitsAgain);
    let (reference, commitment) = scene.alice.place("");
    let order = scene.order().to_string();
    scene.alice.redeem(&reference, &scene.carol.cid).is(202);
    let first = scene.book.lock().unwrap().committed.as_ref().unwrap().cid().to_string();
    scene.alice.until("it comes again", |_| {
        refusals(&scene.alice, &order).iter().any(|(_, code)| code == "equivocation")
    });
    let history = scene.alice.get(&format!("/v1/order/{order}/history")).is(200);
    let entries = history.body["history"].as_array().unwrap().clone();
    let seen: Vec<_> = entries.iter().filter(|entry| entry["equivocation"].is_object()).collect();
    assert_eq!((seen.len(), &seen[0]["equivocation"]["first"]), (1, &json!(first)));
    assert_eq!(seen[0]["actor"], format!("peer:{}", scene.mallory.cid()));
    // Both are in the log, and signed by her: her own identity, alice's and carol's, three steps, and the second commitment.
    let verified = scene.alice.home.must(&["log", "verify", "--deep"]);
    assert!(verified.contains("7 indexed, 7 signatures verified"), "{verified}");
    scene.book.lock().unwrap().releases = Some(Releases::Well);
    scene.alice.until("she releases after all", |alice| alice.state(&reference) == "Released");
    assert_eq!(scene.alice.redeem(&reference, &scene.carol.cid).is(200).str("commitment"), commitment);
}

#[test]
fn a_release_that_is_none_is_disputed_and_its_fiduciary_is_told() {
    let scene = Scene::new();
    let (mallory, carols) = (&scene.mallory, &scene.carols);
    for (what, code) in [
        ("garbage", DisputeCode::CannotOpen),
        ("sealed to somebody else", DisputeCode::CannotOpen),
        ("no plaintext of a secret", DisputeCode::CannotOpen),
        ("another secret", DisputeCode::WrongSecret),
        ("the secret of another order", DisputeCode::WrongSecret),
    ] {
        scene.released();
        let order = scene.order();
        // She gives alice one release, and carol another: then there are two statements.
        let about = About::after(scene.book.lock().unwrap().redemption.as_ref().unwrap());
        let key = scene.book.lock().unwrap().key.clone().unwrap();
        let kind = Kind::Released;
        let secret = match what {
            "garbage" => {
                let mut sealed = mallory.secret(&about, order, &key, carols);
                sealed.block = vec![7; 100];
                sealed.descriptor.cid = Cid::of(dta_protocol::Codec::Raw, &sealed.block);
                sealed
            }
            "sealed to somebody else" => mallory.secret(&about, order, &key, &mallory.identity),
            "no plaintext of a secret" => mallory.seal_bytes(&about, kind, Role::Secret, b"no", &[carols]),
            "another secret" => mallory.secret(&about, order, &new_key(), carols),
            _ => mallory.secret(&about, scene.carols.cid(), &key, carols),
        };
        let all = scene.all();
        let (disputed, blocks) = scene.bring(mallory.released(&about, secret, carols.cid(), &all)).steps();
        assert_eq!(disputed.statement().kind, Kind::Disputed, "{what}");
        assert_eq!(disputed.statement().signer, Some(carols.cid()));
        let (_, _, plaintext) = mallory.open(&disputed, &blocks);
        let said = Disputed::decode(&plaintext).unwrap();
        assert_eq!(said.code, code, "{what}");
        let opens = !matches!(what, "garbage" | "sealed to somebody else");
        assert_eq!(said.content_key.is_some(), opens, "{what}");
        assert_eq!(scene.carol.caught_up().state(&order.to_string()), "Disputed");
        // She was told in the answer, and is told once more by carol's outbox.
        scene.carol.until("the dispute is brought", |carol| waiting(carol, &order.to_string()).is_empty());
        assert_eq!(scene.book.lock().unwrap().told.as_ref().map(Envelope::cid), Some(disputed.cid()));
        let refused = scene.carol.redeem(&order.to_string(), &scene.carol.cid);
        assert_eq!((refused.status, refused.body.get("secret")), (409, None), "{refused:?}");
        // Whoever is shown the key and the sealed secret sees who is right.
        let handed = Handed::by(&scene.carol, &order.to_string(), &["--disclose-secret"]);
        let trusted = all.map(|one| one.cid().to_string());
        let judged = handed.judged(&trusted.each_ref().map(String::as_str));
        let released = "order/released";
        let (fails, outcome) = match (what, code) {
            // No key opens it, so none can be shown.
            ("garbage" | "sealed to somebody else", _) => (vec![], "not disclosed"),
            (_, DisputeCode::CannotOpen) => (vec![("secret", released, "cannot-open")], "holds"),
            (_, DisputeCode::WrongSecret) => (vec![("secret", released, "wrong-secret")], "holds"),
        };
        assert_eq!(judged.fails(), fails, "{what}");
        assert_eq!(judged.outcome("dispute"), [outcome], "{what}");
    }
}

#[test]
fn two_faces_are_seen_where_they_meet() {
    let scene = Scene::new();
    let (reference, about) = scene.released();
    let key = new_key();
    let secret = scene.mallory.secret(&about, scene.order(), &key, &scene.carols);
    let release = scene.mallory.released(&about, secret, scene.carols.cid(), &scene.all());
    let (second, second_blocks) = (release.0.cid(), release.0.blocks());
    let (disputed, blocks) = scene.bring(release).steps();
    // What carol answered, brought to alice, links to another release than the one that alice was given.
    let given = newest(&scene.alice, &reference).cid();
    let chain = [second_blocks, blocks].concat();
    let (stands, _) = scene.mallory.post(&scene.alice, STEP, disputed.cid(), &chain).steps();
    assert_eq!(stands.cid(), given);
    let history = scene.alice.caught_up().get(&format!("/v1/order/{reference}/history")).is(200);
    let entries = history.body["history"].as_array().unwrap().clone();
    let seen = entries.iter().find(|entry| entry["equivocation"].is_object()).unwrap();
    let both = json!({ "first": given.to_string(), "second": second.to_string() });
    assert_eq!(seen["equivocation"], both);
    assert_eq!(scene.alice.state(&reference), "Released");
}

#[test]
fn a_release_that_breaks_a_rule_is_refused() {
    let scene = Scene::new();
    let (mallory, carols) = (&scene.mallory, &scene.carols);
    let (_, about) = scene.released();
    let order = scene.order();
    let key = scene.book.lock().unwrap().key.clone().unwrap();
    let secret = || mallory.secret(&about, order, &key, carols);
    let all = scene.all();
    let dave = Mallory::new("dave");
    let to_dave = mallory.secret(&about, order, &key, &dave.identity);
    scene.bring(mallory.released(&about, to_dave, dave.cid(), &all)).refuses(409, "beneficiary-mismatch");
    let too_many = [all[0], all[1], all[2], &dave.identity];
    for to in [too_many.as_slice(), &all[1..]] {
        scene.bring(mallory.released(&about, secret(), carols.cid(), to)).refuses(422, "other-recipients");
    }
    scene.bring(mallory.released(&about, secret(), carols.cid(), &all[..2])).refuses(422, "cannot-open");
    let (released, _) = mallory.released(&about, secret(), carols.cid(), &all);
    scene.bring((released, block_of(&scene.alices))).refuses(422, "block-missing");
    // A body of the order, for all to see, as the secret.
    let (placed, blocks) = {
        let book = scene.book.lock().unwrap();
        (book.placed.clone().unwrap(), book.blocks.clone())
    };
    let mut no_secret = secret();
    no_secret.descriptor.cid = placed.statement().sealed[0].cid;
    no_secret.block = blocks.iter().find(|(cid, _)| *cid == no_secret.descriptor.cid).unwrap().1.clone();
    scene.bring(mallory.released(&about, no_secret, carols.cid(), &all)).refuses(422, "cannot-open");
    let elsewhere = About { previous: Some(order), ..about.clone() };
    let skipping = mallory.secret(&elsewhere, order, &key, carols);
    // Without the redemption she can read nothing of it.
    scene.bring(mallory.released(&elsewhere, skipping, carols.cid(), &all)).refuses(422, "cannot-open");
    // By somebody else, whom carol trusts, in her own call: it is not her order.
    scene.carol.pin(&dave.document(), None);
    let secret_of_dave = dave.secret(&about, order, &key, carols);
    let theirs = dave.released(&about, secret_of_dave, carols.cid(), &all);
    let blocks = scene.chain_with(theirs);
    dave.post(&scene.carol, STEP, blocks[0].0, &blocks).refuses(422, "wrong-signer");
    assert!(chain(scene.carol.caught_up(), &order.to_string()).is_empty(), "carol knows no such order");

    // And the one that breaks none.
    let good = mallory.released(&about, secret(), carols.cid(), &all);
    let (received, _) = scene.bring(good).steps();
    assert_eq!(received.statement().kind, Kind::Received);
    let commitment = hex::encode(key.commitment());
    let given = scene.carol.redeem(&order.to_string(), &scene.carol.cid).is(200);
    assert_eq!(given.str("commitment"), commitment);
    assert_eq!(crate::kit::public_key_of(&given.str("secret")), commitment);
    assert_eq!(hex::encode(key.secret().expose()), given.str("secret"));
}

#[test]
fn a_release_after_she_closed_the_order_comes_too_late() {
    let scene = Scene::new();
    let (mallory, carols) = (&scene.mallory, &scene.carols);
    scene.begin(Commits::Well, Releases::Closes);
    let (reference, _) = scene.alice.place("");
    let order = scene.order();
    scene.alice.redeem(&reference, &scene.carol.cid).refuses(410, "closed");
    let key = scene.book.lock().unwrap().key.clone().unwrap();
    let redemption = scene.book.lock().unwrap().redemption.clone().unwrap();
    let closed = newest(&scene.alice, &order.to_string());
    assert_eq!(closed.statement().kind, Kind::Closed);
    for previous in [&closed, &redemption] {
        let about = About::after(previous);
        let secret = mallory.secret(&about, order, &key, carols);
        let (late, secret) = mallory.released(&about, secret, carols.cid(), &scene.all());
        let blocks = [late.blocks(), vec![secret]].concat();
        let heard = mallory.post(&scene.alice, STEP, late.cid(), &blocks);
        if previous.cid() == closed.cid() {
            heard.refuses(410, "closed");
        } else {
            assert_eq!(heard.steps().0.cid(), closed.cid(), "told what stands instead");
        }
        assert_eq!(refusals(&scene.alice, &reference).last().unwrap().1, "closed");
    }
    assert_eq!(scene.alice.state(&reference), "Closed");
}

#[test]
fn no_release_stops_a_node() {
    let scene = Scene::new();
    let (_, about) = scene.released();
    let key = scene.book.lock().unwrap().key.clone().unwrap();
    let secret = scene.mallory.secret(&about, scene.order(), &key, &scene.carols);
    let release = scene.mallory.released(&about, secret, scene.carols.cid(), &scene.all());
    let blocks = scene.chain_with(release);
    let codes = chance::call_with_mutations(&scene.mallory, &scene.carol, STEP, &blocks, 200);
    assert!(codes.len() > 8, "it got somewhere: {codes:?}");
    scene.mallory.post(&scene.carol, STEP, blocks[0].0, &blocks).steps();
    assert_eq!(scene.carol.caught_up().state(&scene.order().to_string()), "Received");
}

fn newest(node: &Node, order: &str) -> Envelope {
    let (_, car) = node.bytes(&format!("/v1/order/{order}/chain"));
    let (root, blocks) = dta_protocol::car::decode(&car).unwrap();
    envelope_in(&blocks, root)
}
