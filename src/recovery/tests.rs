//! A node's log from what others hold of it: whole, or not at all and with the reason.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dta_crypto::{IdentityKeys, Secret};
use dta_events::order::Stage;
use dta_events::record::AggregateKind;
use dta_events::replay_order;
use dta_proof::{Note, Origin, tree};
use dta_protocol::{Body, Cid, Envelope, Identity, Kind};
use serde_json::json;

use super::{RecoverError, Report, Sources, counterparties, recover};
use crate::actors::ipfs::BlockExchange as _;
use crate::actors::ipfs::memory::{MemoryExchange, MemoryNetwork};
use crate::actors::log::{LogReader, PublishedBlock, RocksLog, Tree};
use crate::actors::network::Network;
use crate::api::HttpSettings;
use crate::api::tests::kit::{Hands, Node, Routes, START_MS};
use crate::config::Config;
use crate::home::Home;
use crate::keystore::{Keystore, Protection};
use crate::node::OpenNode;
use crate::node::make::{Wanted, make};
use crate::node::open::identity_of;
use crate::ports::OsEntropy;

const SEED: [u8; 32] = [9; 32];

fn alice() -> Identity {
    Identity::create(&IdentityKeys::from_seed(&Secret::from_bytes(SEED)), "alice", None, None, START_MS)
        .unwrap()
}

fn node(document: &Identity) -> Node {
    Node::of(SEED, document, START_MS + 1)
}

async fn order(api: &Routes, redeem: Option<&str>) -> String {
    let order = api.order(json!({})).await;
    if let Some(bob) = redeem {
        let redeem = json!({ "orderReference": order, "beneficiaryIDDocumentCID": bob });
        api.post("/v1/order/secret", &redeem).await.ok();
    }
    order
}

/// A node with some orders, open and done, and five checkpoints.
async fn lived(document: &Identity) -> Node {
    let node = node(document);
    let api = node.routes().await;
    let bob = api.identity("bob").await;
    for n in 0..5 {
        order(&api, (n % 2 == 0).then_some(bob.as_str())).await;
        node.checkpoint().await;
    }
    node
}

/// All that a log published, in order.
fn published(log: &dyn LogReader) -> Vec<PublishedBlock> {
    log.published(None, usize::MAX).unwrap().into_iter().map(|(_, block)| block).collect()
}

fn cid_of(block: &PublishedBlock) -> Cid {
    Cid::from_bytes(block.cid()).unwrap()
}

/// Its checkpoints, oldest first.
fn checkpoints(log: &dyn LogReader) -> Vec<Cid> {
    let blocks = published(log);
    let is_one = |block: &&PublishedBlock| {
        Envelope::decode(block.bytes()).is_ok_and(|envelope| envelope.statement().kind == Kind::Checkpoint)
    };
    blocks.iter().filter(is_one).map(cid_of).collect()
}

/// A mirror that holds this, and somebody who may ask it.
async fn mirror(blocks: Vec<PublishedBlock>) -> (MemoryExchange, MemoryExchange) {
    let network = MemoryNetwork::new();
    let mirror = network.join("mirror");
    for block in blocks {
        mirror.put(block).await.unwrap();
    }
    (mirror, network.join("asking"))
}

/// A node that has lived, a mirror that holds all of it, and somebody who may ask that.
struct Scene {
    document: Identity,
    node: Node,
    /// Its checkpoints, oldest first.
    heads: Vec<Cid>,
    mirror: MemoryExchange,
    asking: MemoryExchange,
}

async fn scene() -> Scene {
    let document = alice();
    let node = lived(&document).await;
    let heads = checkpoints(&*node.app.services.log);
    let (mirror, asking) = mirror(published(&*node.app.services.log)).await;
    Scene { document, node, heads, mirror, asking }
}

/// An empty machine.
struct Empty {
    _folder: tempfile::TempDir,
    home: Home,
    key: std::path::PathBuf,
}

impl Empty {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().join("home"));
        crate::home::make_private_folder(&home.root).unwrap();
        let key = folder.path().join("key");
        let protection = Protection::KeyFile(key.clone());
        Keystore::create(&home.seed_file(), &Secret::from_bytes(SEED), &protection, &mut OsEntropy).unwrap();
        Self { _folder: folder, home, key }
    }

    fn recover(
        &self,
        exchange: &MemoryExchange,
        heads: &[Cid],
        seeds: Option<&Home>,
    ) -> Result<Report, RecoverError> {
        let seeds: Vec<_> = seeds.map(|home| ("main", Some(home.seeds("main")))).into_iter().collect();
        self.recover_with(exchange, heads, &Config::default(), &seeds, true)
    }

    fn recover_with(
        &self,
        exchange: &MemoryExchange,
        heads: &[Cid],
        config: &Config,
        seeds: &[(&str, Option<PathBuf>)],
        accept_loss: bool,
    ) -> Result<Report, RecoverError> {
        let network = Network::start().unwrap();
        let sources = Sources {
            exchange: Arc::new(exchange.clone()),
            heads: heads.to_vec(),
            timeout: Duration::from_millis(20),
            seeds: seeds.iter().map(|(name, folder)| ((*name).to_owned(), folder.clone())).collect(),
            accept_loss,
        };
        let clock = Arc::new(Hands::at(START_MS + 9));
        let seed = Secret::from_bytes(SEED);
        let done = recover(&self.home, config, &seed, sources, (&network, clock), &mut |_, _, _| {});
        network.stop();
        done
    }

    fn open(&self) -> OpenNode {
        OpenNode::open(self.home.clone(), |_, _| Ok(Protection::KeyFile(self.key.clone()))).unwrap()
    }
}

fn records(log: &dyn LogReader) -> Vec<Vec<u8>> {
    log.read(0, usize::MAX).unwrap().into_iter().map(|(_, stored)| stored).collect()
}

fn stages(log: &dyn LogReader) -> Vec<(Stage, bool)> {
    let orders = log.aggregates(AggregateKind::Order).unwrap().into_iter();
    let mut stages: Vec<_> = orders
        .map(|order| replay_order(&log.load(&order).unwrap()).unwrap())
        .map(|order| (order.stage, order.custody_lost))
        .collect();
    stages.sort();
    stages
}

#[actix_web::test]
async fn with_a_copy_of_the_seeds_nothing_is_lost_but_what_no_checkpoint_had() {
    let Scene { document, node, heads, asking, .. } = scene().await;
    let log = &node.app.services.log;
    let empty = Empty::new();
    let report = empty.recover(&asking, &heads[heads.len() - 1..], Some(node.home())).unwrap();
    let before = records(&**log);
    // The last record is that of the last checkpoint, which no checkpoint has.
    assert_eq!(report.records, before.len() as u64 - 1);
    assert_eq!((report.epoch, report.seen, report.checkpoint.1), (1, None, heads.len() as u64 - 1));
    assert_eq!((report.custody.seeds, report.custody.orders), (5, 5));
    assert_eq!(
        (report.custody.lost_seeds, report.custody.lost_secrets, report.custody.sealed_again),
        (0, 0, 3)
    );

    let opened = empty.open();
    assert_eq!((opened.identity, opened.epoch), (document.cid(), 1));
    assert_eq!(opened.checkpoint.as_ref().map(|newest| newest.cid), heads.last().copied());
    let after = records(&*opened.log);
    assert_eq!(after[..before.len() - 1], before[..before.len() - 1], "byte for byte");
    assert_eq!(after.len(), before.len() + 1, "the recovery, and the last checkpoint told again");
    assert_eq!(stages(&*opened.log), stages(&**log));
    let size = report.records;
    assert_eq!(tree::root(&Tree(&*opened.log), size).unwrap(), tree::root(&Tree(&**log), size).unwrap());
    for block in published(&**log) {
        assert!(opened.log.published_block(block.cid()).unwrap().is_some(), "{}", cid_of(&block));
    }
    crate::actors::log::verify::verify(&opened.log, &mut |_, _| {}).unwrap();
}

#[actix_web::test]
async fn without_the_seeds_each_open_order_and_each_sealed_secret_is_lost_and_said_to_be() {
    let Scene { heads, asking, .. } = scene().await;
    let empty = Empty::new();
    let report = empty.recover(&asking, &heads[heads.len() - 1..], None).unwrap();
    assert_eq!((report.custody.seeds, report.custody.lost_seeds, report.custody.lost_secrets), (0, 2, 3));
    let opened = empty.open();
    assert!(stages(&*opened.log).iter().all(|(_, lost)| *lost));
    crate::actors::log::verify::verify(&opened.log, &mut |_, _| {}).unwrap();
}

#[actix_web::test]
async fn an_older_checkpoint_gives_what_was_then_and_the_newest_named_counts() {
    let Scene { heads, asking, .. } = scene().await;
    let old = Empty::new().recover(&asking, &heads[1..2], None).unwrap();
    let new = Empty::new().recover(&asking, &[heads[1], heads[4], heads[0]], None).unwrap();
    assert!(old.records < new.records);
    assert_eq!((old.checkpoint.1, new.checkpoint.1), (1, 4));
}

#[actix_web::test]
async fn a_copy_of_the_seeds_that_turns_up_gives_back_what_was_lost() {
    let Scene { node, heads, mirror, asking, .. } = scene().await;
    let poor = Empty::new();
    poor.recover(&asking, &heads[4..], None).unwrap();
    // It serves, and commits to its losses.
    let lived_on = Node::opened(poor.open(), START_MS + 10);
    lived_on.checkpoint().await;
    let log = &lived_on.app.services.log;
    assert!(stages(&**log).iter().all(|(_, lost)| *lost));
    for block in published(&**log) {
        mirror.put(block).await.unwrap();
    }
    let head = *checkpoints(&**log).last().unwrap();
    // The old head is of an epoch that was left: no other log of this node.
    let again = Empty::new();
    let report = again.recover(&asking, &[heads[4], head], Some(node.home())).unwrap();
    assert_eq!((report.epoch, report.checkpoint.0, report.custody.seeds), (2, head, 5));
    let opened = again.open();
    assert!(stages(&*opened.log).iter().all(|(_, lost)| !*lost), "{:?}", stages(&*opened.log));
    crate::actors::log::verify::verify(&opened.log, &mut |_, _| {}).unwrap();
}

#[actix_web::test]
async fn what_only_says_that_it_is_a_checkpoint_of_this_node_keeps_nobody() {
    let Scene { node, heads, asking, .. } = scene().await;
    let log = &node.app.services.log;
    let newest = log.published_block(&heads[4].to_bytes()).unwrap().unwrap();
    // A bit of its signature.
    let mut forged = newest.bytes().to_vec();
    forged[100] ^= 1;
    let cid = Cid::of(dta_protocol::Codec::DagCbor, &forged);
    asking.beside("liar").keep(cid, forged).await.unwrap();
    assert_eq!(Empty::new().recover(&asking, &[cid, heads[3]], None).unwrap().checkpoint.0, heads[3]);
    let why = Empty::new().recover(&asking, &[cid], None).unwrap_err();
    assert!(matches!(why, RecoverError::NoHead(_)) && why.to_string().contains(&cid.to_string()), "{why}");
}

#[actix_web::test]
async fn a_block_that_nobody_has_or_that_is_another_is_named_and_nothing_is_made() {
    let document = alice();
    let node = lived(&document).await;
    let blocks = published(&*node.app.services.log);
    let heads = checkpoints(&*node.app.services.log);
    let head = &heads[4..];
    // Every kind of block there is, from the first to the last.
    for (n, block) in blocks.iter().enumerate().filter(|(n, _)| n % 5 == 0 || *n + 3 > blocks.len()) {
        let cid = cid_of(block);
        for damaged in [false, true] {
            let (mirror, asking) = mirror(published(&*node.app.services.log)).await;
            match damaged {
                true => mirror.damage(&cid),
                false => mirror.lose(&cid),
            }
            let empty = Empty::new();
            let why = empty.recover(&asking, head, Some(node.home())).unwrap_err().to_string();
            assert!(why.contains(&cid.to_string()), "block {n}: {why}");
            assert!(
                !empty.home.is_initialised() && !empty.home.has_custody() && !empty.home.config().exists()
            );
        }
        // With another mirror it goes on.
        let (mirror, asking) = mirror(published(&*node.app.services.log)).await;
        mirror.lose(&cid);
        let _second = {
            let second = asking.beside("second");
            for block in published(&*node.app.services.log) {
                second.put(block).await.unwrap();
            }
            second
        };
        Empty::new().recover(&asking, head, Some(node.home())).unwrap();
    }
}

#[actix_web::test]
async fn what_is_no_checkpoint_of_this_node_is_refused_by_name() {
    let document = alice();
    let node = lived(&document).await;
    let log = &node.app.services.log;
    let heads = checkpoints(&**log);
    let mallory = Node::start(HttpSettings::default());
    mallory.checkpoint().await;
    let hers = checkpoints(&*mallory.app.services.log);
    let step = published(&**log).iter().map(cid_of).find(|cid| !heads.contains(cid)).unwrap();
    let mut all = published(&**log);
    all.extend(published(&*mallory.app.services.log));
    let (_mirror, asking) = mirror(all).await;
    let nobodys = Cid::of(dta_protocol::Codec::DagCbor, b"nobody has it");
    for (named, words) in [
        (hers[0], "whose keys this seed does not make"),
        (step, "and no checkpoint"),
        (nobodys, "nobody connected gave it"),
    ] {
        let empty = Empty::new();
        let why = empty.recover(&asking, &[named], None).unwrap_err();
        assert!(matches!(why, RecoverError::NoHead(_)) && why.to_string().contains(words), "{why}");
        assert!(!empty.home.is_initialised());
        // Beside a good one it is passed over.
        assert_eq!(empty.recover(&asking, &[named, heads[4]], None).unwrap().checkpoint.0, heads[4]);
        let again = empty.recover(&asking, &heads[4..], None).unwrap_err();
        assert!(matches!(again, RecoverError::Exists(_)), "{again}");
    }
}

#[actix_web::test]
async fn two_logs_of_one_node_are_not_chosen_between() {
    let document = alice();
    let (one, other) = (lived(&document).await, lived(&document).await);
    let (mut all, more) = (published(&*one.app.services.log), published(&*other.app.services.log));
    let heads = [checkpoints(&*one.app.services.log)[4], checkpoints(&*other.app.services.log)[3]];
    all.extend(more);
    let (_mirror, asking) = mirror(all).await;
    let why = Empty::new().recover(&asking, &heads, None).unwrap_err();
    assert!(matches!(why, RecoverError::Conflict(_)), "{why}");
    assert!(heads.iter().all(|head| Empty::new().recover(&asking, &[*head], None).is_ok()));
}

#[actix_web::test]
async fn what_others_have_seen_tells_of_a_loss_and_of_another_log() {
    let document = alice();
    let node = lived(&document).await;
    let log: &dyn LogReader = &*node.app.services.log;
    let keys = IdentityKeys::from_seed(&Secret::from_bytes(SEED));
    let sign = |epoch, size, root| {
        Note::sign(Origin { identity: document.cid(), epoch }, size, root, &keys).unwrap()
    };
    let true_root = tree::root(&Tree(log), 7).unwrap();
    assert_eq!(counterparties::judge(log, 0, &[sign(0, 7, true_root)]).unwrap(), 1);
    assert_eq!(counterparties::judge(log, 0, &[sign(0, 1_000_000, [1; 32])]).unwrap(), 1, "it is longer");
    assert_eq!(counterparties::judge(log, 0, &[sign(4, 3, [1; 32])]).unwrap(), 5, "of a later epoch");
    let why = counterparties::judge(log, 0, &[sign(0, 7, [1; 32])]).unwrap_err();
    assert!(matches!(why, RecoverError::Conflict(_)), "{why}");
}

#[actix_web::test]
async fn the_file_beside_a_log_that_is_gone_tells_how_much_is_lost() {
    let Scene { document, node, heads, asking, .. } = scene().await;
    let empty = Empty::new();
    std::fs::copy(node.noted(), empty.home.checkpoint()).unwrap();
    let report = empty.recover(&asking, &heads[2..3], None).unwrap();
    let Body::Checkpoint(newest) = newest(&*node.app.services.log, heads[4]) else { panic!() };
    let size = Note::verify(&newest.note, &document).unwrap().size();
    assert_eq!(report.seen, Some(size));
    assert_eq!(empty.open().epoch, 1);
}

fn newest(log: &dyn LogReader, cid: Cid) -> Body {
    let block = log.published_block(&cid.to_bytes()).unwrap().unwrap();
    Envelope::decode(block.bytes()).unwrap().statement().body.clone()
}

#[actix_web::test]
async fn what_an_interrupted_try_has_left_is_no_obstacle() {
    let Scene { node, heads, asking, .. } = scene().await;
    let empty = Empty::new();
    // All but the last act: with an empty custody, since the copy was forgotten.
    empty.recover(&asking, &heads[4..], None).unwrap();
    std::fs::rename(empty.home.log(), empty.home.log_in_recovery()).unwrap();
    let report = empty.recover(&asking, &heads[4..], Some(node.home())).unwrap();
    assert_eq!((report.custody.seeds, report.custody.lost_seeds, report.epoch), (5, 0, 1));
    assert!(!empty.home.log_in_recovery().exists());
    // Custody that holds something is not replaced.
    std::fs::rename(empty.home.log(), empty.home.log_in_recovery()).unwrap();
    let other = Empty::new();
    other.recover(&asking, &heads[4..], None).unwrap();
    let why = empty.recover(&asking, &heads[4..], Some(&other.home)).unwrap_err();
    assert!(matches!(why, RecoverError::SeedsThere(_)), "{why}");
    assert_eq!(empty.recover(&asking, &heads[4..], None).unwrap().custody.seeds, 5);
}

/// Two stores: `hsm` for new seeds, `main` for those from before.
const TWO: &str = "[[seeds]]\n[[seeds]]\nname = \"hsm\"\ndefault = true\n";

/// A node with two stores, seeds in both, whose newest checkpoint a mirror has.
struct TwoStores {
    node: Node,
    config: Config,
    heads: Vec<Cid>,
    asking: MemoryExchange,
    _mirror: MemoryExchange,
    _home: Empty,
}

async fn of_two_stores() -> TwoStores {
    let Scene { node, heads, mirror, asking, .. } = scene().await;
    let with_two = Empty::new();
    with_two.recover(&asking, &heads[4..], Some(node.home())).unwrap();
    std::fs::write(with_two.home.config(), TWO).unwrap();
    let config = Config::read(&with_two.home).unwrap();
    assert!(with_two.make(&config, &["hsm"], false).is_empty());
    let node = Node::opened(with_two.open(), START_MS + 10);
    let api = node.routes().await;
    for _ in 0..2 {
        order(&api, None).await;
    }
    node.checkpoint().await;
    for block in published(&*node.app.services.log) {
        mirror.put(block).await.unwrap();
    }
    let heads = checkpoints(&*node.app.services.log);
    TwoStores { node, config, heads, asking, _mirror: mirror, _home: with_two }
}

impl Empty {
    fn make(&self, config: &Config, new: &[&str], accept_loss: bool) -> Vec<String> {
        let log = RocksLog::open_read_only(&self.home.log(), Arc::new(dta_events::Rules)).unwrap();
        let new: Vec<String> = new.iter().map(|name| (*name).to_owned()).collect();
        let wanted = Wanted { new: &new, accept_loss };
        let (seed, node) = (Secret::from_bytes(SEED), identity_of(&self.home).unwrap());
        make(&self.home, config, (&seed, &node), &log, &wanted).unwrap().troubles
    }
}

#[actix_web::test]
async fn each_of_two_stores_comes_back_from_its_copy() {
    let TwoStores { node, config, heads, asking, .. } = &of_two_stores().await;
    let head = &heads[heads.len() - 1..];
    let copy = |name: &str| Some(node.home().seeds(name));
    let recover = |empty: &Empty, seeds: &[(&str, Option<PathBuf>)]| {
        empty.recover_with(asking, head, config, seeds, true)
    };

    let empty = Empty::new();
    // What is not said is not lost in silence, and one store is not two; nothing is fetched for it.
    let why = recover(&empty, &[("main", copy("main"))]).unwrap_err();
    assert!(why.to_string().contains("--seeds hsm=none"), "{why}");
    let why = recover(&empty, &[("main", copy("hsm")), ("hsm", copy("hsm"))]).unwrap_err().to_string();
    assert!(why.contains("the stores hsm and main have copies of one store"), "{why}");
    assert!(!empty.home.is_initialised() && !empty.home.has_custody());

    let report = recover(&empty, &[("main", copy("main")), ("hsm", copy("hsm"))]).unwrap();
    assert_eq!((report.custody.seeds, report.custody.lost_seeds), (7, 0));
    assert_eq!(std::fs::read_to_string(empty.home.seed_folders_noted()).unwrap(), "seeds-hsm\nseeds\n");
    std::fs::write(empty.home.config(), TWO).unwrap();
    assert!(stages(&*empty.open().log).iter().all(|(_, lost)| !*lost));

    let report = recover(&Empty::new(), &[("main", copy("main")), ("hsm", None)]).unwrap();
    assert_eq!((report.custody.seeds, report.custody.lost_seeds), (5, 2));

    // Settings that leave out what is there are not gone on with.
    let rest = Empty::new();
    std::fs::create_dir(rest.home.seeds("old")).unwrap();
    std::fs::copy(node.home().seeds("hsm").join("seeds.dta"), rest.home.seeds("old").join("seeds.dta"))
        .unwrap();
    let why = recover(&rest, &[("main", copy("main")), ("hsm", None)]).unwrap_err();
    assert!(matches!(why, RecoverError::Copies(_)) && why.to_string().contains("\"seeds-old\""), "{why}");
}

#[actix_web::test]
async fn a_store_that_a_restore_forgot_is_not_made_anew() {
    let TwoStores { node, config, heads, asking, .. } = &of_two_stores().await;
    let copy = |name: &str| Some(node.home().seeds(name));
    let empty = Empty::new();
    let seeds = [("main", copy("main")), ("hsm", copy("hsm"))];
    empty.recover_with(asking, &heads[heads.len() - 1..], config, &seeds, true).unwrap();
    std::fs::write(empty.home.config(), TWO).unwrap();
    std::fs::remove_dir_all(empty.home.seeds("hsm")).unwrap();
    std::fs::remove_file(empty.home.seed_folders_noted()).unwrap();
    let protection = || Ok(Protection::KeyFile(empty.key.clone()));
    let why = OpenNode::open(empty.home.clone(), |_, _| protection()).err().unwrap().to_string();
    assert!(why.contains("restore seeds-hsm/ if it was there before"), "{why}");
    let troubles = empty.make(config, &["hsm"], false);
    assert!(troubles.len() == 1 && troubles[0].starts_with("2 orders, b"), "{troubles:?}");
    assert!(!empty.home.seeds("hsm").exists());
    assert!(empty.make(config, &["hsm"], true).is_empty());
}

#[actix_web::test]
async fn seeds_that_nobody_can_read_are_not_lost_in_silence() {
    let Scene { node, heads, asking, .. } = scene().await;
    let spare = Empty::new();
    let copy = spare.home.root.join("copy");
    std::fs::create_dir(&copy).unwrap();
    let mut bytes = std::fs::read(node.home().seeds("main").join("seeds.dta")).unwrap();
    // The first slot: that of an order whose secret is released.
    bytes[4096 + 200] ^= 1;
    std::fs::write(copy.join("seeds.dta"), bytes).unwrap();
    let seeds = [("main", Some(copy))];
    let recover = |accept_loss| {
        Empty::new().recover_with(&asking, &heads[4..], &Config::default(), &seeds, accept_loss)
    };
    let why = recover(false).unwrap_err().to_string();
    assert!(why.starts_with("store main: 1 damaged slots") && why.contains("--accept-loss"), "{why}");
    let custody = recover(true).unwrap().custody;
    assert_eq!((custody.seeds, custody.sealed_again, custody.lost_secrets), (4, 2, 1));
}
