//! Mallory's notes: she says one thing to one node and another to the next, cuts her log, or speaks of a log that is not hers.
//! Bob keeps what he sees, asks for proofs, and raises an alarm that outlives his node's restart.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use dta_proof::tree::{self, Frontier, Hashes};
use dta_proof::{Hash, Note, Origin};
use dta_protocol::{Body, Cid, Envelope, Identity, Kind, Statement};
use serde_json::Value;

use super::forge::{About, Forged, new_reference, placed};
use super::{Heard, Mallory, ORDER, identity_of};
use crate::world::{Party, Settings};

/// A log of hers: leaves as she likes them.
#[derive(Default)]
pub struct Log(RefCell<Vec<Hash>>);

impl Hashes for Log {
    type Error = std::convert::Infallible;

    fn hashes(&self, places: &[u64]) -> Result<Vec<Hash>, Self::Error> {
        Ok(places.iter().map(|place| self.0.borrow()[*place as usize]).collect())
    }
}

impl Log {
    fn of(leaves: impl IntoIterator<Item = u8>) -> Self {
        Self::with(leaves.into_iter().map(|leaf| [leaf; 32]))
    }

    pub fn with(leaves: impl IntoIterator<Item = Hash>) -> Self {
        let (log, mut frontier) = (Self::default(), Frontier::empty());
        for leaf in leaves {
            log.0.borrow_mut().extend(frontier.push(leaf).into_iter().map(|(_, hash)| hash));
        }
        log
    }

    pub fn note(&self, who: &Mallory, epoch: u64, size: u64) -> Note {
        let origin = Origin { identity: who.cid(), epoch };
        Note::sign(origin, size, tree::root(self, size).unwrap(), &who.keys).unwrap()
    }
}

/// What her node answers: a status and a body, by path and query.
pub type Pages = Arc<Mutex<dyn Fn(&str) -> (u16, String) + Send>>;

fn serve(pages: Pages) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut first = String::new();
            if BufReader::new(&stream).read_line(&mut first).is_err() {
                continue;
            }
            let target = first.split(' ').nth(1).unwrap_or_default().to_owned();
            let (status, body) = pages.lock().unwrap()(&target);
            let head =
                format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            // Who hung up does not hear it.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
        }
    });
    url
}

pub struct Scene {
    pub bob: Party,
    bobs: Identity,
    pub mallory: Mallory,
}

impl Scene {
    /// Bob serves her; her node answers with these pages, if it serves at all.
    fn new(pages: Option<Pages>) -> Self {
        Self::with(&Settings::default(), pages)
    }

    pub fn with(settings: &Settings, pages: Option<Pages>) -> Self {
        let mut bob = Party::new("bob");
        bob.home.settings(&settings.text("fiduciary", ""));
        bob.start();
        let mallory = Mallory::new("mallory");
        bob.pin(&mallory.document(), pages.map(serve).as_deref());
        let bobs = identity_of(&bob);
        Self { bob, bobs, mallory }
    }

    /// She places an order with this note, and these of others.
    fn place(&self, note: &str, seen: &[String]) -> (Forged, Heard) {
        self.place_as(&self.mallory, note, seen)
    }

    fn place_as(&self, who: &Mallory, note: &str, seen: &[String]) -> (Forged, Heard) {
        let reference = new_reference();
        let about = About::new_order(&reference);
        let mut body = placed(&reference, &self.bobs, None);
        body.seen = seen.to_vec();
        let sealed = who.seal(&about, &body, &[&who.identity, &self.bobs]);
        let unsigned = who.sign(&about, Kind::Placed, vec![sealed]);
        let statement = Statement {
            body: Body::Order { note: Some(note.to_owned()) },
            ..unsigned.envelope.statement().clone()
        };
        let envelope = Envelope::sign(&statement, &who.keys).unwrap().into_inner();
        let forged = Forged { envelope, bodies: unsigned.bodies };
        let heard = who.post(&self.bob, ORDER, forged.cid(), &forged.blocks());
        (forged, heard)
    }

    pub fn taken(&self, note: &Note) -> Cid {
        self.taken_from(&self.mallory, note)
    }

    /// Another places an order.
    pub fn taken_from(&self, who: &Mallory, note: &Note) -> Cid {
        let (placed, heard) = self.place_as(who, note.text(), &[]);
        assert_eq!(heard.status, 200, "{}", heard.timeless());
        placed.cid()
    }

    /// What bob knows of a log.
    pub fn watched(&self, owner: Cid) -> Value {
        let all = self.bob.get("/v1/log/watched").is(200).body;
        let all = all.as_array().unwrap().iter();
        all.clone().find(|one| one["idDocumentCID"] == owner.to_string()).cloned().unwrap_or_default()
    }

    pub fn alarms(&self) -> Vec<String> {
        let watched = self.watched(self.mallory.cid());
        let alarms = watched["alarms"].as_array().unwrap();
        alarms.iter().map(|alarm| alarm["code"].as_str().unwrap().to_owned()).collect()
    }

    pub fn until(&self, what: &str, holds: impl Fn() -> bool) {
        self.bob.until(what, |_| holds());
    }
}

fn no_pages() -> Pages {
    Arc::new(Mutex::new(|_: &str| (404, String::new())))
}

#[test]
fn two_trees_of_one_size_are_an_alarm_that_stays() {
    let mut scene = Scene::new(None);
    let (one, other) =
        (Log::of([1, 2, 3, 4]).note(&scene.mallory, 0, 4), Log::of([1, 2, 3, 9]).note(&scene.mallory, 0, 4));
    scene.taken(&one);
    assert_eq!(scene.alarms(), [""; 0]);
    scene.taken(&other);
    scene.taken(&other);
    assert_eq!(scene.alarms(), ["fork"], "once");
    for _ in 0..2 {
        let alarm = &scene.watched(scene.mallory.cid())["alarms"][0];
        assert_eq!(
            (&alarm["known"]["note"], &alarm["other"]["note"]),
            (&one.text().into(), &other.text().into())
        );
        assert_eq!(
            scene.bob.get("/v1/status").is(200).body["watched"],
            serde_json::json!({ "logs": 1, "alarms": 1 })
        );
        scene.bob.stop();
        scene.bob.start();
    }
    let told = scene.bob.home.must(&["log", "replay"]);
    assert!(told.contains(&format!("log/alarm-raised fork {}", scene.mallory.cid())), "{told}");
    scene.bob.home.must(&["log", "verify", "--deep"]);
}

#[test]
fn a_log_that_grows_is_proved_and_one_that_was_rewritten_is_an_alarm() {
    let said = Arc::new(Mutex::new((200, "{}".to_owned())));
    let page = said.clone();
    let scene = Scene::new(Some(Arc::new(Mutex::new(move |target: &str| {
        assert!(
            target.starts_with("/v1/log/proof/consistency?from=4&to=") || target == "/v1/log/checkpoint",
            "{target}"
        );
        page.lock().unwrap().clone()
    }))));
    let (log, rewritten) = (Log::of(1..=9), Log::of([1, 9, 3, 4, 5, 6, 7, 8, 9]));
    scene.taken(&log.note(&scene.mallory, 0, 4));
    let proof = |log: &Log, size: u64| {
        let path = tree::prove_consistency(log, size, 4).unwrap();
        let path: Vec<String> = path.iter().map(hex::encode).collect();
        (200, serde_json::json!({ "from": 4, "to": size, "path": path }).to_string())
    };
    *said.lock().unwrap() = proof(&rewritten, 9);
    scene.taken(&rewritten.note(&scene.mallory, 0, 9));
    scene.until("the rewritten log is found", || scene.alarms() == ["fork"]);
    *said.lock().unwrap() = proof(&log, 8);
    scene.taken(&log.note(&scene.mallory, 0, 8));
    scene.until("the log is proved", || {
        scene.watched(scene.mallory.cid())["pending"] == serde_json::json!([])
    });
    assert_eq!(scene.watched(scene.mallory.cid())["proved"]["size"], 8);
    assert_eq!(scene.alarms(), ["fork"]);
}

#[test]
fn a_log_that_was_cut_is_an_alarm_and_one_that_is_away_is_none() {
    let checkpoint = Arc::new(Mutex::new((500, String::new())));
    let page = checkpoint.clone();
    let asked = Arc::new(Mutex::new(0));
    let count = asked.clone();
    let scene = Scene::new(Some(Arc::new(Mutex::new(move |target: &str| {
        if target == "/v1/log/checkpoint" {
            *count.lock().unwrap() += 1;
            return page.lock().unwrap().clone();
        }
        (422, "{}".into())
    }))));
    let log = Log::of(1..=9);
    scene.taken(&log.note(&scene.mallory, 0, 4));
    scene.taken(&log.note(&scene.mallory, 0, 9));
    scene.until("her node was asked twice", || *asked.lock().unwrap() >= 2);
    assert_eq!(scene.alarms(), [""; 0], "nobody has said that it is shorter");
    *checkpoint.lock().unwrap() = (200, Mallory::new("eve").note_of(&log, 6));
    scene.until("her node was asked again", || *asked.lock().unwrap() >= 4);
    assert_eq!(scene.alarms(), [""; 0], "somebody else has");
    *checkpoint.lock().unwrap() = (200, log.note(&scene.mallory, 0, 6).text().to_owned());
    scene.until("the cut is found", || scene.alarms() == ["shortened"]);
}

impl Mallory {
    fn note_of(&self, log: &Log, size: u64) -> String {
        log.note(self, 0, size).text().to_owned()
    }
}

#[test]
fn a_declared_loss_is_shown_for_good() {
    let scene = Scene::new(Some(no_pages()));
    let (log, recovered) = (Log::of(1..=9), Log::of([1, 2, 3, 7, 7]));
    scene.taken(&log.note(&scene.mallory, 0, 9));
    scene.taken(&recovered.note(&scene.mallory, 1, 5));
    scene.taken(&log.note(&scene.mallory, 0, 8));
    assert_eq!(scene.alarms(), ["lost-records"]);
    assert_eq!(scene.watched(scene.mallory.cid())["proved"]["epoch"], 1);
}

#[test]
fn notes_that_are_not_the_signers_are_refused_and_leave_nothing() {
    let scene = Scene::new(None);
    let eve = Mallory::new("eve");
    let log = Log::of(1..=4);
    let note = log.note(&scene.mallory, 0, 4);
    let forged = note.text().replace("\n4\n", "\n3\n");
    for wrong in
        [String::new(), "nonsense".into(), eve.note_of(&log, 4), forged, note.text()[..60].to_owned()]
    {
        let (placed, heard) = scene.place(&wrong, &[]);
        heard.refuses(422, "note-invalid");
        assert_eq!(scene.bob.get(&format!("/v1/order/{}", placed.cid())).status, 404);
    }
    assert_eq!(scene.watched(scene.mallory.cid()), Value::Null);
}

#[test]
fn notes_that_she_hands_on_are_kept_if_they_are_their_owners() {
    let scene = Scene::new(None);
    let [eve, stranger] = ["eve", "stranger"].map(Mallory::new);
    scene.bob.pin(&eve.document(), None);
    let log = Log::of(1..=4);
    let own = log.note(&scene.mallory, 0, 4);
    let handed_on = [eve.note_of(&log, 3), stranger.note_of(&log, 4), "nonsense".to_owned()];
    let (_, heard) = scene.place(own.text(), &handed_on);
    assert_eq!(heard.status, 200, "{}", heard.timeless());
    assert_eq!(scene.watched(eve.cid())["proved"]["size"], 3);
    assert_eq!(scene.watched(stranger.cid()), Value::Null, "nobody whom bob knows");
    assert_eq!(scene.watched(scene.bobs.cid()), Value::Null, "his own he knows");
}
