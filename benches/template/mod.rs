//! Real orders by the thousand, which by requests would take half an hour.
//!
//! One is placed and redeemed at a node. Every further one is decided by the same rules, with a seed of its own in custody;
//! its envelopes and bodies are those of the real one but for subject, links and a few bytes of ciphertext, so sizes, CIDs,
//! indexes and chain are real and signatures are not. Nothing that is measured with them looks at those.

use std::ops::Range;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use dta_events::ids::order_aggregate;
use dta_events::order::{Command, Event, Facts, Hosts, Made, Order, StepFacts, Verdict};
use dta_events::record::{Aggregate, Effect};
use dta_events::{Rules, replay_order};
use dta_protocol::{Cid, Codec, Envelope, Statement};
use milagro_dta::actors::log::{Append, Block, BlockClass, LogReader, RocksLog, StoredBlock};
use milagro_dta::actors::seeds::{FileStore, SeedStore};
use milagro_dta::config::Config;
use milagro_dta::home::Home as Layout;
use milagro_dta::keystore::{Keystore, Protection};
use milagro_dta::node::custody::Configured;
use milagro_dta::node::open::{entropy, whose};
use milagro_dta::ports::OsEntropy;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::kit::Home;

/// Ten years, in milliseconds: orders in kept homes do not fall due.
const RETENTION_MS: u64 = 300_000_000_000;
/// Where an envelope's statement begins (docs/protocol.md, section 1).
const STATEMENT_AT: usize = 3_381;

/// A home with its first order, and all it takes to decide further ones.
pub struct Template {
    home: Home,
    log: RocksLog,
    seeds: FileStore,
    steps: Vec<Step>,
    owner: Cid,
}

/// A step of the real order.
struct Step {
    command: Command,
    /// Head, signature and the key of the statement.
    head: Vec<u8>,
    statement: Statement,
    bodies: Vec<Vec<u8>>,
    /// The sealed secret of a release.
    held: Option<Vec<u8>>,
}

impl Template {
    /// A new home in which one order was placed and redeemed at its own node.
    pub fn make() -> Self {
        let home = Home::initialised();
        home.settings("[ipfs]\nconnector = \"none\"\n[log]\nlevel = \"warn\"\n");
        let node = home.start();
        let policy = json!({ "retentionMs": RETENTION_MS });
        let body = json!({ "beneficiaryIDDocumentCID": node.cid(), "policy": policy });
        let reference = node.post("/v1/order", &body).is(200).str("orderReference");
        node.redeem(&reference, &node.cid()).is(200);
        node.stop();

        let layout = Layout::new(home.path());
        let seed = Keystore::open(&layout.seed_file(), &Protection::KeyFile(layout.key_file())).unwrap();
        let log = RocksLog::open(&layout.log(), Arc::new(Rules), entropy()).unwrap();
        let owner = whose(&log).unwrap();
        let custody = Configured::of(&layout, &Config::default(), &seed, &owner).unwrap().remove(0);
        let seeds = custody.open().unwrap();
        let steps = read(&log, &order_aggregate(&owner, &reference));
        Self { home, log, seeds, steps, owner }
    }

    /// Decides further orders: all their first steps, then all their second ones, and so on. `each` takes what is to be
    /// appended for one step of all of them.
    pub fn decide(&mut self, numbers: Range<usize>, each: &mut dyn FnMut(&RocksLog, Vec<Append>)) {
        let mut orders: Vec<(usize, Order)> = numbers.map(|number| (number, Order::default())).collect();
        for (at, step) in self.steps.iter().enumerate() {
            let commitments = match step.command {
                Command::Commit => {
                    let placed: Vec<_> =
                        orders.iter().map(|(_, order)| order.placed().unwrap().to_bytes()).collect();
                    let made = self.seeds.create(&placed, &mut OsEntropy);
                    made.into_iter().map(|key| Some(key.unwrap().commitment())).collect()
                }
                _ => vec![None; orders.len()],
            };
            let appends = orders
                .iter_mut()
                .zip(commitments)
                .map(|((number, order), commitment)| {
                    append(step, at as u64, self.owner, *number, order, commitment)
                })
                .collect();
            each(&self.log, appends);
        }
    }

    /// The home, closed.
    pub fn into_home(self) -> Home {
        self.home
    }
}

/// The steps of the real order, which are its records.
fn read(log: &RocksLog, order: &Aggregate) -> Vec<Step> {
    let block = |cid: &Cid| match log.block(&cid.to_bytes()).unwrap().unwrap() {
        StoredBlock::Published(block) => block.bytes().to_vec(),
        StoredBlock::Held(block) => block.bytes().to_vec(),
    };
    let order = replay_order(&log.load(order).unwrap()).unwrap();
    let step = |step: &dta_events::order::Step| {
        let bytes = block(&step.cid);
        let statement = Envelope::decode(&bytes).unwrap().statement().clone();
        let (command, held) = match &step.facts {
            StepFacts::Placed { parties, plugin, coin, terms } => {
                let (parties, plugin, coin, terms) = (parties.clone(), plugin.clone(), *coin, terms.clone());
                (Command::Place { reference: String::new(), parties, plugin, coin, terms }, None)
            }
            StepFacts::Committed { .. } => (Command::Commit, None),
            StepFacts::RedemptionRequested { beneficiary } => {
                (Command::RequestRedemption { beneficiary: *beneficiary }, None)
            }
            StepFacts::Released { secret, .. } => (Command::Release, Some(block(secret))),
            _ => (Command::Acknowledge(Verdict::Genuine), None),
        };
        let bodies = statement.sealed.iter().map(|descriptor| block(&descriptor.cid)).collect();
        Step { command, head: bytes[..STATEMENT_AT].to_vec(), statement, bodies, held }
    };
    assert_eq!(order.steps.len(), 5);
    order.steps.iter().map(|accepted| step(&accepted.step)).collect()
}

/// One step of one order, as the rules decide it.
fn append(
    step: &Step,
    version: u64,
    owner: Cid,
    number: usize,
    order: &mut Order,
    commitment: Option<[u8; 65]>,
) -> Append {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let reference = reference(number);
    let body = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
        (Cid::of(Codec::Raw, &bytes), bytes)
    };
    let block = |cid: Cid, class, bytes| Block { cid: cid.to_bytes(), class, bytes };
    let mut statement = step.statement.clone();
    statement.subject.clone_from(&reference);
    statement.previous = order.head().map(|step| step.cid);
    statement.issued_at_ms = now_ms;
    let mut blocks = Vec::new();
    for (descriptor, bytes) in statement.sealed.iter_mut().zip(&step.bodies) {
        let (cid, bytes) = body(bytes);
        descriptor.cid = cid;
        blocks.push(block(cid, BlockClass::Published, bytes));
    }
    let secret = step.held.as_ref().map(|bytes| {
        let (cid, bytes) = body(bytes);
        blocks.push(block(cid, BlockClass::Held, bytes));
        cid
    });
    let statement_bytes = statement.encode().unwrap();
    let envelope = [step.head.as_slice(), &statement_bytes].concat();
    let made = Made {
        cid: Cid::of(Codec::DagCbor, &envelope),
        statement: Sha256::digest(&statement_bytes).into(),
        sealed: statement.sealed.iter().map(|descriptor| descriptor.cid).collect(),
        commitment,
        secret,
    };
    blocks.push(block(made.cid, BlockClass::Published, envelope));
    let hosts = Hosts { principal: true, fiduciary: true, beneficiary: true };
    let facts = Facts { now_ms, clock_trusted: true, hosts, plugin: "milagro".into(), ..Facts::default() };
    let mut command = step.command.clone();
    if let Command::Place { reference: own, .. } = &mut command {
        own.clone_from(&reference);
    }
    let events = order.decide(&command, &facts, Some(&made)).unwrap();
    *order = events.iter().fold(std::mem::take(order), Order::apply);
    Append {
        aggregate: order_aggregate(&owner, &reference),
        expected_version: version,
        time_ms: now_ms,
        by: "local".into(),
        request: None,
        trace_id: Sha256::digest(&reference).as_slice()[..16].try_into().unwrap(),
        command: command.to_stored().unwrap(),
        effect: Effect::Events(events.iter().map(|event| Event::to_stored(event).unwrap()).collect()),
        blocks,
        drop_held: Vec::new(),
        publish: Vec::new(),
        due_ms: order.next_due_ms(),
    }
}

/// A UUIDv7 whose random part is as spread as a real one's.
fn reference(number: usize) -> String {
    let spread: [u8; 32] = Sha256::digest(number.to_be_bytes()).into();
    let random: [u8; 10] = spread[..10].try_into().unwrap();
    let at_ms = 1_790_000_000_000 + number as u64;
    uuid::Builder::from_unix_timestamp_millis(at_ms, &random).into_uuid().hyphenated().to_string()
}
