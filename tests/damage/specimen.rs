//! Homes to be damaged, each made by real nodes with orders of every kind, and what must be true of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use dta_events::record::{Aggregate, AggregateKind};
use dta_events::replay_order;
use dta_protocol::Cid;
use milagro_dta::actors::log::{CidBytes, LogReader, StoredBlock};
use milagro_dta::home::Home as Layout;
use serde_json::json;

use crate::judge::open;
use crate::kit::{Home, Node, copy_tree};

/// Beside the home, if seeds are copied there.
const COPY: &str = "copy";

/// A home, an older state of it, and what is true of it.
pub struct Specimen {
    home: Home,
    older: Home,
    pub truth: Truth,
}

/// What a path answers: status and bytes.
pub type Asked = (String, (u16, Vec<u8>));

/// What a home holds.
pub struct Truth {
    /// In how many folders seeds are kept.
    pub copies: usize,
    /// How many records were acknowledged to anyone.
    pub acknowledged: u64,
    pub records: Vec<Vec<u8>>,
    pub aggregates: Vec<Aggregate>,
    /// Whether they are published, and their bytes.
    pub blocks: BTreeMap<CidBytes, (bool, Vec<u8>)>,
    /// Orders and commitments, as custody made them.
    pub seeds: Vec<(CidBytes, [u8; 65])>,
    /// What queries answer.
    pub answers: Vec<Asked>,
    /// Orders with their beneficiaries, and the secrets they were answered with.
    pub secrets: Vec<(String, String, String)>,
}

/// All of them.
pub struct Specimens {
    /// Stopped in order; its seeds have a copy.
    pub clean: Specimen,
    /// Killed with commands under way; its seeds have a copy.
    pub killed: Specimen,
    /// Another node's, stopped in order; its seeds have no copy.
    pub alone: Specimen,
}

static MADE: Mutex<Weak<Specimens>> = Mutex::new(Weak::new());

/// The homes; tests that run at a time share them.
pub fn specimens() -> Arc<Specimens> {
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    made.upgrade().unwrap_or_else(|| {
        let specimens = Arc::new(Specimens::make());
        *made = Arc::downgrade(&specimens);
        specimens
    })
}

impl Specimens {
    fn make() -> Self {
        let clean = told(true);
        let killed = killed(&clean);
        Self { killed, clean, alone: told(false) }
    }
}

impl Specimen {
    /// The folder of the home and what is beside it.
    pub fn folder(&self) -> &Path {
        self.home.folder()
    }

    /// The same, as it was earlier.
    pub fn older(&self) -> &Path {
        self.older.folder()
    }

    /// What was true then.
    pub fn truth_of_older(&self) -> Truth {
        Truth::of(self.older())
    }

    /// A copy to be damaged.
    pub fn copied(&self) -> Home {
        Home::copied(self.folder())
    }

    /// The same without what is on IPFS, which an opening does not look at.
    pub fn copied_unpublished(&self) -> Home {
        Home::copied_without(self.folder(), "ipfs")
    }

    /// Every file below home and copy, by its place.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = crate::kit::files(self.folder())
            .into_iter()
            .map(|file| file.strip_prefix(self.folder()).unwrap().to_owned())
            .filter(|file| file.starts_with("home") || file.starts_with(COPY))
            .collect();
        files.sort();
        files
    }

    fn of(home: Home, older: Home, secrets: Vec<(String, String, String)>) -> Self {
        let mut truth = Truth::of(home.folder());
        // Asked of a copy, since a node changes its home.
        let asked = Home::copied(home.folder());
        let node = asked.start();
        truth.answers = truth.asked(&node).expect("answers");
        truth.secrets = secrets;
        for (order, beneficiary, secret) in &truth.secrets {
            assert_eq!(node.redeem(order, beneficiary).is(200).str("secret"), *secret);
        }
        node.stop();
        Self { home, older, truth }
    }
}

impl Truth {
    fn of(folder: &Path) -> Self {
        let acknowledged = std::fs::read(folder.join("home/log/ACKNOWLEDGED")).unwrap();
        let copy = Home::copied(folder);
        let mut node = open(&Layout::new(copy.path())).unwrap();
        let copies = node.seeds.status().remove(0).of.copies.len();
        let log = node.log;
        let aggregates = |kind| log.aggregates(kind).unwrap();
        let orders = aggregates(AggregateKind::Order);
        let mut blocks: BTreeMap<_, _> = log
            .published(None, usize::MAX)
            .unwrap()
            .into_iter()
            .map(|(_, block)| (*block.cid(), (true, block.bytes().to_vec())))
            .collect();
        let mut seeds = Vec::new();
        for id in &orders {
            let order = replay_order(&log.load(id).unwrap()).unwrap();
            if let Some(secret) = order.secret
                && let Some(StoredBlock::Held(held)) = log.block(&secret.cid.to_bytes()).unwrap()
            {
                blocks.insert(*held.cid(), (false, held.bytes().to_vec()));
            }
            let placed: Cid = order.placed().unwrap();
            seeds.extend(order.commitment().map(|commitment| (placed.to_bytes(), commitment)));
        }
        let kinds = [AggregateKind::Node, AggregateKind::Identity, AggregateKind::Peer, AggregateKind::Log];
        let records = log.read(0, usize::MAX).unwrap();
        Self {
            copies,
            acknowledged: u64::from_be_bytes(acknowledged[..8].try_into().unwrap()),
            records: records.into_iter().map(|(_, record)| record).collect(),
            aggregates: kinds.into_iter().flat_map(aggregates).chain(orders).collect(),
            blocks,
            seeds,
            answers: Vec::new(),
            secrets: Vec::new(),
        }
    }

    /// What queries answer now.
    pub fn asked(&self, node: &Node) -> Option<Vec<Asked>> {
        let mut paths =
            vec!["/v1/order?perPage=1000&sortBy=dateCreatedAsc".to_owned(), "/v1/identity".to_owned()];
        for (placed, _) in &self.seeds {
            let placed = Cid::from_bytes(placed).unwrap();
            paths.extend(["", "/history", "/chain"].map(|part| format!("/v1/order/{placed}{part}")));
        }
        paths.into_iter().map(|path| Some((path.clone(), node.try_bytes(&path)?))).collect()
    }
}

/// A home in which orders were placed, redeemed, cancelled and left open, by two nodes one after the other.
fn told(copied: bool) -> Specimen {
    let home = Home::in_memory();
    let mut settings = "[clock]\ntrusted_after_ms = 1\n".to_owned();
    if copied {
        std::fs::create_dir(home.folder().join(COPY)).unwrap();
        settings.push_str("[[seeds]]\ncopies = [\"../copy\"]\n");
    }
    home.settings(&settings);
    home.must(&["init", "--name", "bob"]);
    let node = home.start();
    let (me, carol) = (node.cid(), node.identity("carol"));
    let [one, open, cancelled] = [(); 3].map(|()| node.place("").0);
    let mut secrets = vec![redeemed(&node, &one, &carol)];
    node.post(&format!("/v1/order/{cancelled}/cancel"), &json!({})).is(200);
    settled(&node);
    node.stop();
    let older = Home::in_memory();
    copy_tree(home.folder(), older.folder());
    let node = home.start();
    secrets.push(redeemed(&node, &open, &me));
    let named = node.place(&carol).0;
    node.place("");
    secrets.push(redeemed(&node, &named, &carol));
    settled(&node);
    node.stop();
    Specimen::of(home, older, secrets)
}

/// The same home after a node that was killed while it worked.
fn killed(clean: &Specimen) -> Specimen {
    let home = clean.copied();
    let node = home.start();
    let me = node.cid();
    let (order, _) = node.place("");
    let mut secrets = clean.truth.secrets.clone();
    secrets.push(redeemed(&node, &order, &me));
    let (url, over) = (node.url.clone(), Arc::new(AtomicBool::new(false)));
    let workers = [(); 4].map(|()| {
        let (url, over) = (url.clone(), over.clone());
        std::thread::spawn(move || {
            let client = reqwest::blocking::Client::new();
            // Until the node is gone, so that it is killed at work whatever the machine is busy with.
            while !over.load(SeqCst) && client.post(format!("{url}/v1/order")).json(&json!({})).send().is_ok()
            {
            }
        })
    });
    let length = |node: &Node| node.get("/v1/status").is(200).body["logLength"].as_u64().unwrap();
    let before = length(&node);
    node.until("work is under way", |node| length(node) > before + 4);
    node.kill();
    over.store(true, SeqCst);
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    let older = Home::copied(clean.folder());
    Specimen::of(home, older, secrets)
}

fn redeemed(node: &Node, order: &str, beneficiary: &str) -> (String, String, String) {
    let secret = node.redeem(order, beneficiary).is(200).str("secret");
    (order.to_owned(), beneficiary.to_owned(), secret)
}

/// Until all is published.
fn settled(node: &Node) {
    node.until("all is published", |node| node.get("/v1/status").is(200).body["ipfs"]["backlog"] == 0);
}
