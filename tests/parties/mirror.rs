//! Bob keeps a copy of alice's chain: whole, checked, mended, and closed to him; and mallory's only as far as it is hers.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use dta_crypto::{ContentKey, IdentityKeys};
use dta_events::Rules;
use dta_proof::{Note, Origin};
use dta_protocol::car::Block;
use dta_protocol::sealed::{self, SealRequest};
use dta_protocol::{
    BlockPage, Body, CheckpointBody, Cid, Codec, Envelope, Identity, Kind, Place, Role, Statement, car,
};
use milagro_dta::actors::log::{LogReader as _, RocksLog};
use milagro_dta::actors::peers::{SignedRequest, answer};
use milagro_dta::home;
use milagro_dta::keystore::{Keystore, Protection};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::kit::{files, text};
use crate::mallory::{Mallory, identity_of, now_ms};
use crate::wire::{Mode, Wire};
use crate::world::Party;

const BLOCKS: &str = "/v1/fulfill/log/blocks";

/// A node of its own, which commits to its log soon after what happens.
fn party(name: &'static str) -> Party {
    let mut party = Party::new(name);
    party.home.settings("[checkpoints]\nafter_ms = 100\n[log]\nlevel = \"info,milagro_dta=debug\"\n");
    party.start();
    party
}

/// Alice, whom bob can follow, by way of a wire.
struct Scene {
    alice: Party,
    bob: Party,
    wire: Wire,
}

impl Scene {
    fn new() -> Self {
        let (alice, bob) = (party("alice"), party("bob"));
        let wire = Wire::to(alice.address.clone());
        bob.pin(&alice.document(&alice.cid), Some(&wire.url));
        alice.pin(&bob.document(&bob.cid), Some(&bob.url));
        Self { alice, bob, wire }
    }

    /// An order of alice's that goes all the way.
    fn order(&self) {
        let (reference, _) = self.alice.place("");
        self.alice.redeem(&reference, &self.alice.cid).is(200);
    }

    fn follow(&self) {
        let said = dta(&self.bob, &["mirror", "follow", &self.wire.url]);
        assert_eq!(said, format!("follows {}\n", self.alice.cid));
    }

    /// What bob says that he holds of her.
    fn held(&self) -> Value {
        held(&self.bob, &self.alice.cid)
    }

    /// Until bob has her newest checkpoint, which is of all but itself.
    fn copied(&self) {
        self.alice.until("a checkpoint of all", |alice| {
            let status = alice.get("/v1/status").is(200).body;
            status["checkpoint"]["size"].as_u64().is_some_and(|size| size + 1 == status["logLength"])
        });
        let newest = self.alice.get("/v1/status").is(200).body["checkpoint"].clone();
        self.bob.until("all is copied", |_| {
            let held = self.held();
            held["trouble"].is_null() && held["checkpointCID"] == newest["cid"]
        });
        let held = self.held();
        assert_eq!((&held["number"], &held["size"]), (&newest["number"], &newest["size"]));
        assert_eq!(held["epoch"], 0);
    }

    /// What alice says of bob's copy, and with which exit status.
    fn check(&self) -> (String, i32) {
        // He is somewhere else after each start.
        self.alice.pin(&self.bob.document(&self.bob.cid), Some(&self.bob.url));
        let output = self.alice.home.run(&[
            "mirror",
            "--node",
            &self.alice.url,
            "check",
            &self.bob.cid,
            "--samples",
            "1000",
        ]);
        (text(&output.stdout) + &text(&output.stderr), output.status.code().unwrap())
    }

    fn holds(&self) {
        let (said, status) = self.check();
        assert!(status == 0 && said.contains(", missing 0, lying 0, unanswered 0;"), "{status}: {said}");
    }
}

fn held(node: &Party, cid: &str) -> Value {
    let mirror = node.get("/v1/mirror").is(200).body;
    assert_eq!(mirror["ipfs"].as_array().unwrap().len(), 1, "{mirror}");
    let following = mirror["following"].as_array().unwrap().clone();
    following.into_iter().find(|one| one["idDocumentCID"] == cid).unwrap_or_default()
}

fn dta(party: &Party, arguments: &[&str]) -> String {
    party.home.must(&[arguments, &["--node", &party.url]].concat())
}

/// The file in which a node's IPFS node keeps a block, if it does.
fn file_of(party: &Party, cid: &Cid) -> Option<PathBuf> {
    let all = files(&party.home.path().join("ipfs/blockstore"));
    all.into_iter().find(|file| std::fs::read(file).is_ok_and(|bytes| cid.names(&bytes)))
}

/// All that a node that is down has published, and its keys.
fn published(party: &Party) -> Vec<(Cid, Vec<u8>)> {
    let home = home::Home::new(party.home.path());
    let log = RocksLog::open_read_only(&home.log(), Arc::new(Rules)).unwrap();
    let all = log.published(None, 10_000).unwrap();
    all.into_iter()
        .map(|(_, block)| (Cid::from_bytes(block.cid()).unwrap(), block.bytes().to_vec()))
        .collect()
}

fn keys_of(party: &Party) -> IdentityKeys {
    let home = home::Home::new(party.home.path());
    let seed = Keystore::open(&home.seed_file(), &Protection::KeyFile(home.key_file())).unwrap();
    IdentityKeys::from_seed(&seed)
}

/// How many of the sealed bodies that these blocks name a node can open.
fn opened(blocks: &[(Cid, Vec<u8>)], keys: &IdentityKeys, own: &Cid) -> (usize, usize) {
    let all: std::collections::BTreeMap<_, _> = blocks.iter().cloned().collect();
    let (mut opened, mut sealed_bodies) = (0, 0);
    for block in all.iter().filter(|(cid, _)| cid.codec() == Codec::DagCbor).map(|(_, block)| block) {
        let envelope = Envelope::decode(block).unwrap();
        let statement = envelope.statement();
        for descriptor in &statement.sealed {
            let request = SealRequest::of(statement, descriptor.role).unwrap();
            sealed_bodies += 1;
            opened +=
                usize::from(sealed::open(keys, own, &request, descriptor, &all[&descriptor.cid]).is_ok());
        }
    }
    (opened, sealed_bodies)
}

#[test]
fn a_full_copy_is_kept_checked_and_mended_and_cannot_be_read() {
    let mut scene = Scene::new();
    for _ in 0..8 {
        scene.order();
    }
    assert!(scene.check().0.contains("it does not follow this node"));
    scene.follow();
    scene.copied();
    scene.holds();
    // It goes on as her log does.
    let before = scene.held()["blocks"].as_u64().unwrap();
    scene.order();
    scene.copied();
    assert!(scene.held()["blocks"].as_u64().unwrap() > before + 10);
    scene.holds();
    let list = dta(&scene.bob, &["mirror", "list"]);
    assert!(
        list.starts_with(&scene.alice.cid) && list.contains("  checkpoint ") && list.lines().count() == 1,
        "{list}"
    );

    // What bob has is what she published, to the byte; she can open all of it, and he nothing.
    let alice = scene.alice.cid.parse().unwrap();
    scene.bob.stop();
    scene.alice.stop();
    let all = published(&scene.alice);
    let (hers, sealed) = opened(&all, &keys_of(&scene.alice), &alice);
    assert!(hers == sealed && sealed > 50, "{hers} of {sealed}");
    let bob: Cid = scene.bob.cid.parse().unwrap();
    assert_eq!(opened(&all, &keys_of(&scene.bob), &bob).0, 0);
    scene.alice.start();
    scene.bob.start();
    scene.copied();
    let of_bob = published_by(&scene.bob);
    let copied: Vec<_> = all.iter().filter(|(cid, _)| !of_bob.contains(cid)).collect();
    for (cid, bytes) in &copied {
        assert_eq!(&std::fs::read(file_of(&scene.bob, cid).unwrap()).unwrap(), bytes);
    }

    // One that is gone is missing, one that is damaged too; the next start mends them.
    let (gone, damaged) = (copied[5].0, copied[9].0);
    std::fs::remove_file(file_of(&scene.bob, &gone).unwrap()).unwrap();
    std::fs::write(file_of(&scene.bob, &damaged).unwrap(), b"other bytes").unwrap();
    let (said, status) = scene.check();
    assert_eq!(status, 1, "{said}");
    for cid in [gone, damaged] {
        assert!(said.contains(&format!("missing  {cid}\n")), "{said}");
    }
    assert!(said.contains(", missing 2, lying 0, unanswered 0;"), "{said}");
    scene.bob.stop();
    scene.bob.start();
    scene.bob.until("they are fetched again", |_| {
        [gone, damaged].iter().all(|cid| file_of(&scene.bob, cid).is_some())
    });
    scene.holds();
    scene.bob.until("it says so", |_| {
        std::fs::read_to_string(scene.bob.home.log()).unwrap().contains("were fetched again")
    });

    // Not any more; and again, from the beginning.
    assert_eq!(
        dta(&scene.bob, &["mirror", "unfollow", &scene.alice.cid]),
        format!("follows no more {}\n", scene.alice.cid)
    );
    assert!(scene.check().0.contains("it does not follow this node"));
    scene.bob.until("how far it was is forgotten", |_| {
        files(&scene.bob.home.path().join("ipfs"))
            .iter()
            .all(|file| !file.to_string_lossy().contains("follow-"))
    });
    scene.follow();
    scene.copied();
    scene.holds();
    scene.bob.home.must_fail(&["mirror", "--node", &scene.bob.url, "follow", &scene.bob.cid]);
    scene.bob.stop();
    scene.bob.home.must(&["log", "verify", "--deep"]);
}

/// What is in a node's log too, by its documents: its own and those that it knows.
fn published_by(party: &Party) -> Vec<Cid> {
    let list = party.get("/v1/identity?perPage=100").is(200).body;
    let list = list["idDocumentList"].as_array().unwrap().clone();
    list.iter().map(|one| one["idDocumentCID"].as_str().unwrap().parse().unwrap()).collect()
}

#[test]
fn a_follower_that_is_killed_midway_or_cut_off_goes_on() {
    let mut scene = Scene::new();
    for _ in 0..12 {
        scene.order();
    }
    scene.follow();
    scene
        .bob
        .until("something is held", |_| scene.held()["blocks"].as_u64().is_some_and(|blocks| blocks > 0));
    scene.bob.kill();
    scene.bob.start();
    scene.wire.set(Mode::Cut);
    scene.order();
    scene.bob.until("there is trouble", |_| scene.held()["trouble"].is_string());
    scene.bob.kill();
    scene.wire.set(Mode::Whole);
    scene.bob.start();
    scene.copied();
    scene.holds();
    // Known to bob while he was down, too.
    scene.bob.stop();
    scene.order();
    scene.bob.start();
    scene.copied();
    scene.holds();
}

#[test]
fn blocks_kept_for_others_stay_whatever_is_kept_of_ones_own() {
    let mut scene = Scene::new();
    let settings = std::fs::read_to_string(scene.bob.home.path().join("config.toml")).unwrap();
    scene.bob.stop();
    scene.bob.home.settings(&format!("{settings}\nkeep_blocks = 100\n"));
    scene.bob.start();
    scene.order();
    scene.follow();
    scene.copied();
    for _ in 0..12 {
        let (reference, _) = scene.bob.place("");
        scene.bob.redeem(&reference, &scene.bob.cid).is(200);
    }
    let own = |scene: &Scene| {
        let position = std::fs::read(scene.bob.home.path().join("ipfs/mirror.json")).unwrap();
        serde_json::from_slice::<Value>(&position).unwrap()["forgotten"].is_object()
    };
    scene.bob.until("bob forgets his oldest", |_| own(&scene));
    // Her document, which is in his log too, among them.
    scene.holds();
}

#[test]
fn two_who_follow_each_other_fall_silent() {
    let scene = Scene::new();
    scene.follow();
    dta(&scene.alice, &["mirror", "follow", &scene.bob.cid]);
    scene.copied();
    let length = |party: &Party| party.get("/v1/status").is(200).body["logLength"].as_u64().unwrap();
    let all_held = || {
        [(&scene.bob, &scene.alice), (&scene.alice, &scene.bob)].iter().all(|(mirror, owner)| {
            let status = owner.get("/v1/status").is(200).body;
            let newest = &status["checkpoint"];
            held(mirror, &owner.cid)["checkpointCID"] == newest["cid"]
                && newest["size"].as_u64().is_some_and(|size| size + 1 == status["logLength"])
        })
    };
    // Each has the other's newest, which is about all, and that is not news any more.
    scene.bob.until("both have all of the other's", |_| all_held());
    let (a, b) = (length(&scene.alice), length(&scene.bob));
    assert!(a < 40 && b < 40, "{a} and {b} records");
}

#[test]
fn only_those_who_are_pinned_are_given_the_log() {
    let (bob, mallory, alice) = (party("bob"), Mallory::new("mallory"), Mallory::new("alice"));
    let to = identity_of(&bob).cid();
    let ask = |who: &Mallory, target: &str| who.request("GET", target, &to, b"").send_to(&bob);
    let nobodys = ask(&mallory, "/v1/fulfill/log/note").timeless();
    assert!(nobodys.starts_with("404 ") && nobodys.contains("not-found"));
    assert_eq!(ask(&mallory, BLOCKS).timeless(), nobodys, "a stranger");
    // Known, and trusted no more.
    bob.pin(&mallory.document(), None);
    let page = ask(&mallory, BLOCKS);
    assert_eq!(page.status, 200);
    dta(&bob, &["peer", "unpin", &mallory.cid().to_string()]);
    for target in [BLOCKS.to_owned(), format!("{BLOCKS}?after=x"), format!("{BLOCKS}?after=0.0")] {
        assert_eq!(ask(&mallory, &target).timeless(), nobodys, "{target}");
    }
    bob.pin(&alice.document(), None);
    ask(&alice, &format!("{BLOCKS}?after=x")).refuses(422, "after");
    // Not in the name of somebody who lives there.
    let erin = bob.identity("erin").parse().unwrap();
    assert_eq!(alice.request("GET", BLOCKS, &erin, b"").send_to(&bob).timeless(), nobodys);
    // Page after page, and no more.
    let mut after = None;
    let mut given = Vec::new();
    loop {
        let target =
            after.map_or(BLOCKS.to_owned(), |Place { sequence, n }| format!("{BLOCKS}?after={sequence}.{n}"));
        let (root, blocks) = car::decode(&ask(&alice, &target).body).unwrap();
        let page = BlockPage::decode(&blocks.iter().find(|(cid, _)| *cid == root).unwrap().1).unwrap();
        given.extend(page.blocks.iter().map(|(_, cid)| *cid));
        after = page.blocks.last().map(|(at, _)| *at).or(after);
        if !page.more && page.blocks.is_empty() {
            break;
        }
    }
    assert!(given.contains(&to) && given.contains(&erin) && given.contains(&alice.cid()));
    // Any block that is there is proved to anybody.
    for cid in given {
        let challenge = [5; 32];
        let answer = bob.get(&format!("/v1/mirror/proof?cid={cid}&challenge={}", hex::encode(challenge)));
        assert_eq!(answer.is(200).str("sha256").len(), 64);
    }
    let (_, block) = bob.bytes(&format!("/v1/identity/{to}/document"));
    let proved = bob.get(&format!("/v1/mirror/proof?cid={to}&challenge={}", "07".repeat(16))).is(200);
    let expected = Sha256::new().chain_update([7; 16]).chain_update(block).finalize();
    assert_eq!(proved.str("sha256"), hex::encode(expected));
}

#[test]
fn without_an_ipfs_node_nobody_is_followed() {
    let mut bob = Party::new("bob");
    bob.home.settings("[ipfs]\nconnector = \"none\"\n");
    bob.start();
    let alice = Mallory::new("alice");
    bob.pin(&alice.document(), Some("http://127.0.0.1:1"));
    let said = bob.home.must_fail(&["mirror", "--node", &bob.url, "follow", &alice.cid().to_string()]);
    assert!(said.contains("ipfs.connector is \"none\"") && said.contains("keeps-no-blocks"), "{said}");
    assert_eq!(bob.get("/v1/mirror").is(200).body, json!({ "ipfs": [], "following": [] }));
}

/// What mallory's node gives to whoever follows her, whatever is asked.
type Given = Arc<Mutex<Vec<u8>>>;

/// A node of hers that signs what it gives.
fn serve(mallory: Arc<Mallory>, given: Given) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines: Vec<String> = BufReader::new(&stream)
                .lines()
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            let Some(target) = lines.first().and_then(|line| line.split(' ').nth(1)) else { continue };
            let headers: Vec<_> = lines.iter().filter_map(|line| line.split_once(": ")).collect();
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_bytes())).collect();
            let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
            // What is not signed is asked of everybody.
            let Ok(request) = SignedRequest::read("GET", target, &headers) else { continue };
            let body = given.lock().unwrap().clone();
            let mut head =
                format!("HTTP/1.1 200 X\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
            for (name, value) in answer::sign(&request, &mallory.keys, 200, &body, now_ms() / 1_000) {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            // Who hung up does not hear it.
            let _ = stream.write_all(format!("{head}\r\n").as_bytes()).and_then(|()| stream.write_all(&body));
        }
    });
    url
}

fn page_of(blocks: &[(Place, Block)], more: bool) -> Vec<u8> {
    let named = blocks.iter().map(|(at, (cid, _))| (*at, *cid)).collect();
    let page = BlockPage { blocks: named, more }.encode();
    let root = Cid::of(Codec::DagCbor, &page);
    let brought = blocks.iter().map(|(_, (cid, block))| (*cid, block.as_slice()));
    car::encode(root, std::iter::once((root, page.as_slice())).chain(brought)).unwrap()
}

/// A checkpoint of a log of hers.
fn checkpoint(who: &Mallory, number: u64, previous: Option<Cid>, size: u64) -> Block {
    let signer = who.cid();
    let (kind, role, issued_at_ms) = (Kind::Checkpoint, Role::Log, now_ms());
    let request = SealRequest { kind, role, signer, subject: "", previous, issued_at_ms };
    let key = ContentKey::from_bytes([3; 32]);
    let body = sealed::seal(&request, b"records", key, &[(signer, who.identity.verifying())]).unwrap();
    let note = Note::sign(Origin { identity: signer, epoch: 0 }, size, [7; 32], &who.keys).unwrap();
    let body_of =
        CheckpointBody { number, note: note.text().to_owned(), skip: previous.into_iter().collect() };
    let statement = Statement {
        kind,
        body: Body::Checkpoint(body_of),
        sealed: vec![body.descriptor],
        signer: Some(signer),
        subject: String::new(),
        previous,
        issued_at_ms,
    };
    let envelope = Envelope::sign(&statement, &who.keys).unwrap();
    (envelope.cid(), envelope.block().to_vec())
}

#[test]
fn what_is_not_her_log_is_refused_by_name_and_goes_no_further() {
    let bob = party("bob");
    let (mallory, eve) = (Arc::new(Mallory::new("mallory")), Mallory::new("eve"));
    let first = checkpoint(&mallory, 0, None, 4);
    let at = |sequence, n| Place { sequence, n };
    let raw = |text: &str| (Cid::of(Codec::Raw, text.as_bytes()), text.as_bytes().to_vec());
    let given = Given::default();
    let url = serve(mallory.clone(), given.clone());
    bob.pin(&mallory.document(), Some(&url));
    let cid = mallory.cid().to_string();
    let refused = |body: Vec<u8>, code: &str| {
        *given.lock().unwrap() = body;
        // It is asked again at once.
        bob.pin(&mallory.document(), None);
        bob.pin(&mallory.document(), Some(&url));
        bob.until(code, |_| {
            held(&bob, &cid)["trouble"].as_str().is_some_and(|why| why.contains(&format!("({code})")))
        });
    };
    *given.lock().unwrap() = page_of(&[(at(4, 0), first.clone()), (at(4, 1), raw("body"))], false);
    dta(&bob, &["mirror", "follow", &cid]);
    bob.until("her first", |_| held(&bob, &cid)["number"] == 0);
    let mut wrong = page_of(&[(at(5, 0), raw("a block"))], false);
    *wrong.last_mut().unwrap() ^= 1;
    refused(wrong, "car-other-block");
    refused(page_of(&[(at(5, 0), checkpoint(&eve, 1, Some(first.0), 9))], false), "envelope-other-signer");
    refused(page_of(&[(at(5, 0), checkpoint(&mallory, 2, Some(first.0), 9))], false), "checkpoint-number");
    let others = checkpoint(&mallory, 0, None, 3).0;
    refused(page_of(&[(at(5, 0), checkpoint(&mallory, 1, Some(others), 9))], false), "checkpoint-previous");
    refused(page_of(&[(at(5, 0), checkpoint(&mallory, 1, Some(first.0), 3))], false), "checkpoint-shorter");
    refused(page_of(&[(at(4, 1), raw("a block"))], false), "page-backwards");
    refused(b"nonsense".to_vec(), "car-truncated");
    assert_eq!((&held(&bob, &cid)["number"], &held(&bob, &cid)["blocks"]), (&json!(0), &json!(2)));
    let next = checkpoint(&mallory, 1, Some(first.0), 9);
    *given.lock().unwrap() = page_of(&[(at(9, 0), next.clone())], false);
    bob.pin(&mallory.document(), None);
    bob.pin(&mallory.document(), Some(&url));
    bob.until("her second", |_| held(&bob, &cid)["checkpointCID"] == next.0.to_string());
    assert!(Identity::decode(&mallory.block().1).is_ok());
}
