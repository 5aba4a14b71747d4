//! What the proof of the log costs and gives: checkpoints, the mirror, an audit, a recovery; each beside what bounds it, in the
//! same run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dta_crypto::Secret;
use dta_events::Rules;
use dta_ipfs::embedded::{Embedded, Settings};
use dta_protocol::{Cid, Envelope, Identity, Kind};
use milagro_dta::actors::log::{LogReader, RocksLog, RocksReader};
use milagro_dta::ports::OsEntropy;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::archive;
use crate::kit::{Home, Node, pause};
use crate::load;
use crate::nodes::Nodes;

/// Orders of a run.
const ORDERS: usize = 400;
/// Blocks that are stored or fetched for comparison.
const SAMPLE: usize = 5_000;
/// As many as a recovery asks for at once.
const AT_ONCE: usize = 64;

/// All of it, but for the long recovery.
pub fn all() {
    checkpoints();
    audit();
    mirror_and_recovery(4_000);
}

/// A recovery of a long log.
pub fn long(orders: usize) {
    mirror_and_recovery(orders);
}

fn settings(more: &str) -> String {
    format!("[http]\norder_wait_ms = 60000\n[log]\nlevel = \"warn\"\n{more}")
}

fn node_of(more: &str) -> Nodes {
    let home = Home::initialised();
    home.settings(&settings(more));
    Nodes::of(home)
}

/// CPU of whole orders with checkpoints and without, in turns.
fn checkpoints() {
    let none = "[checkpoints]\nrecords = 4096\nafter_ms = 60000\n";
    let off = "[ipfs]\nconnector = \"none\"\n";
    let nodes = [node_of(&format!("{off}{none}")), node_of(off)];
    nodes.iter().for_each(|nodes| drop(load::whole(nodes, 32, 4)));
    let records =
        |nodes: &Nodes| nodes.nodes[0].get("/v1/status").is(200).body["logLength"].as_u64().unwrap();
    let before = records(&nodes[0]);
    let mut cpu_ms = [0.0; 2];
    for _ in 0..3 {
        for (nodes, cpu_ms) in nodes.iter().zip(&mut cpu_ms) {
            *cpu_ms += load::whole(nodes, ORDERS, 16).cpu_ms() * ORDERS as f64;
        }
    }
    let records = (records(&nodes[0]) - before) as f64;
    let each = cpu_ms.map(|ms| ms * 1e3 / records);
    println!(
        "\n| checkpoints after 256 records, against after 4,096 | µs CPU a record | of a record's without |\n|---|---|---|"
    );
    println!("| | {:.0} | {:.3} |", each[1] - each[0], (each[1] - each[0]) / each[0]);
}

/// What is published of a log, by CID.
fn published(log: &RocksReader) -> Vec<(Cid, Vec<u8>)> {
    let all = log.published(None, usize::MAX).unwrap();
    all.iter().map(|(_, block)| (Cid::from_bytes(block.cid()).unwrap(), block.bytes().to_vec())).collect()
}

fn reader(home: &Home) -> RocksReader {
    RocksLog::open_read_only(&home.path().join("log"), Arc::new(Rules)).unwrap()
}

/// Envelopes a second by the commands that verify all, beside the same signatures verified together and nothing else.
fn audit() {
    let home = Home::initialised();
    home.settings(&settings("[ipfs]\nconnector = \"none\"\n"));
    let nodes = Nodes::of(home);
    load::whole(&nodes, ORDERS, 16);
    let (node, home) = nodes.into_one();
    node.stop();
    let log = reader(&home);
    let blocks = published(&log);
    let envelopes: Vec<_> = blocks.iter().filter_map(|(_, block)| Envelope::decode(block).ok()).collect();
    let signed = |envelope: &&Envelope| envelope.statement().kind != Kind::Identity;
    let (signed, owner) =
        (envelopes.iter().filter(signed), envelopes.iter().find(|one| !signed(one)).unwrap());
    let owner = Identity::decode(owner.block()).unwrap();
    let signed: Vec<Envelope> = signed.cloned().collect();
    drop(log);
    let bare = timed(|| {
        let half = signed.len().div_ceil(2);
        std::thread::scope(|scope| {
            for half in signed.chunks(half) {
                let owner = &owner;
                scope.spawn(move || {
                    let verdicts = Envelope::verify_batch(half.to_vec(), owner, &mut OsEntropy);
                    assert!(verdicts.iter().all(Result::is_ok));
                });
            }
        });
    });
    println!(
        "\n| {} envelopes of one signer, two cores | envelopes a second | of the bare batch |",
        signed.len()
    );
    println!("|---|---|---|");
    let rate = |took: Duration| signed.len() as f64 / took.as_secs_f64();
    println!("| the bare batch | {:.0} | 1 |", rate(bare));
    for command in [&["log", "verify"][..], &["log", "verify", "--deep"], &["audit", "verify", "--all"]] {
        let took = timed(|| drop(home.must(command)));
        println!("| dta {} | {:.0} | {:.2} |", command.join(" "), rate(took), rate(took) / rate(bare));
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

/// Blocks a second into the mirror's store, and back out of it into an empty home.
fn mirror_and_recovery(orders: usize) {
    let home = archive::home(orders);
    // All stay in the store: what a mirror has that does not keep the log itself.
    home.settings(&settings("[ipfs]\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\nkeep_blocks = 100000000\n"));
    let began = Instant::now();
    let node = home.start();
    let status = |node: &Node| node.get("/v1/status").is(200).body;
    loop {
        let now = status(&node);
        if now["ipfs"]["backlog"] == 0 && commits_to_all(&node, now["logLength"].as_u64().unwrap()) {
            break;
        }
        pause();
    }
    let mirrored = began.elapsed();
    let checkpoint = newest(&node).0;
    let address = status(&node)["ipfs"]["addresses"][0].as_str().unwrap().to_owned();
    let blocks = published(&reader(&home));
    let count = blocks.len() as f64;
    let runtime = Runtime::new().unwrap();
    let sample: Vec<_> = blocks.iter().step_by((blocks.len() / SAMPLE).max(1)).cloned().collect();
    let puts = runtime.block_on(put(&sample));
    println!("\n| {orders} orders, {count} blocks | blocks a second | of the bare exchange |\n|---|---|---|");
    let rate = count / mirrored.as_secs_f64();
    println!(
        "| mirrored, with the checkpoints made meanwhile | {rate:.0} | {:.2} of puts into an empty store |",
        rate / puts
    );

    let words = home.must(&["identity", "seed", "export"]);
    let empty = Home::empty();
    assert!(empty.run_with(&["identity", "seed", "import"], &words).status.success());
    let mut report = String::new();
    let took = timed(|| report = empty.must(&["recover", "--from-ipfs", &checkpoint, "--peer", &address]));
    let gets = runtime.block_on(get(&sample, &address));
    let rate = count / took.as_secs_f64();
    println!(
        "| recovered, read models made and compared | {rate:.0} | {:.2} of gets, {AT_ONCE} at once |",
        rate / gets
    );
    let recovered = report.lines().find(|line| line.starts_with("recovered")).unwrap();
    println!("\n{orders} orders are recovered in {:.1} s: {}", took.as_secs_f64(), recovered);
    node.stop();
}

/// Whether a checkpoint is about all records but those of the last checkpoints.
fn commits_to_all(node: &Node, records: u64) -> bool {
    node.bytes("/v1/log/checkpoint").0 == 200 && newest(node).1 + 2 >= records
}

/// The newest checkpoint: its CID, and of how many records it is.
fn newest(node: &Node) -> (String, u64) {
    let answer = reqwest::blocking::get(format!("{}/v1/log/checkpoint", node.url)).unwrap();
    let cid = answer.headers()["dta-checkpoint"].to_str().unwrap().to_owned();
    let size = answer.text().unwrap().lines().nth(1).unwrap().parse().unwrap();
    (cid, size)
}

async fn embedded(folder: Option<std::path::PathBuf>, peers: &[&str]) -> Embedded {
    let peers = peers.iter().map(|peer| dta_ipfs::address::peer(&peer.parse().unwrap()).unwrap());
    let settings = Settings {
        folder,
        listen: Vec::new(),
        peers: peers.collect(),
        swarm_key: None,
        key: Secret::random(&mut OsEntropy),
        source: None,
    };
    Embedded::start(settings, tokio::runtime::Handle::current()).await.unwrap()
}

/// Puts a second, one after the other, as the mirror does.
async fn put(blocks: &[(Cid, Vec<u8>)]) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let node = embedded(Some(folder.path().to_owned()), &[]).await;
    let began = Instant::now();
    for (cid, bytes) in blocks {
        node.put(*cid, bytes.clone()).await.unwrap();
    }
    let took = began.elapsed();
    node.stop().await.unwrap();
    blocks.len() as f64 / took.as_secs_f64()
}

/// Gets a second, as many at once as a recovery has.
async fn get(blocks: &[(Cid, Vec<u8>)], from: &str) -> f64 {
    let node = Arc::new(embedded(None, &[from]).await);
    // The connection is there once the first has come.
    node.get(blocks[0].0, Duration::from_secs(20)).await.unwrap();
    let (began, mut tasks) = (Instant::now(), JoinSet::new());
    for (cid, _) in &blocks[1..] {
        if tasks.len() == AT_ONCE {
            tasks.join_next().await.unwrap().unwrap();
        }
        let (node, cid) = (node.clone(), *cid);
        tasks.spawn(async move { drop(node.get(cid, Duration::from_secs(20)).await.unwrap()) });
    }
    tasks.join_all().await;
    let took = began.elapsed();
    node.stop().await.unwrap();
    (blocks.len() - 1) as f64 / took.as_secs_f64()
}
