//! What the embedded IPFS node costs as its blocks grow in number: time and CPU of a put, what lies on the disk, memory, a start.
//! `scripts/bench blocks` runs it; numbers of blocks choose where it looks.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use dta_crypto::Secret;
use dta_ipfs::embedded::{Embedded, Settings};
use dta_protocol::{Cid, Codec};
use tokio::runtime::Runtime;

/// Bytes of a block: an order's eleven are 5 KB at the middle.
const BLOCK_BYTES: usize = 5_000;
/// Where it looks, unless it is told.
const AT: [usize; 3] = [10_000, 50_000, 200_000];
/// Puts that are timed there.
const TIMED: usize = 2_000;

fn main() {
    // `cargo bench` adds arguments of its own.
    let told: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let at = if told.is_empty() { AT.to_vec() } else { told };
    let folder =
        tempfile::tempdir_in(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| ".".into())).unwrap();
    let runtime = Runtime::new().unwrap();
    println!(
        "\n| blocks | a put, ms | CPU ms | MB on the disk | files | MB resident | start, ms | a read, ms |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut there = 0;
    let mut node = runtime.block_on(start(folder.path())).0;
    for blocks in at {
        runtime.block_on(put(&node, there..blocks - TIMED));
        let (took, cpu) = (Instant::now(), ProcessTime::now());
        runtime.block_on(put(&node, blocks - TIMED..blocks));
        let each = |time: Duration| time.as_secs_f64() * 1e3 / TIMED as f64;
        let (took, cpu) = (each(took.elapsed()), each(cpu.elapsed()));
        there = blocks;
        runtime.block_on(node.stop()).unwrap();
        let (bytes, files) = on_disk(folder.path());
        let started;
        (node, started) = runtime.block_on(start(folder.path()));
        let read = runtime.block_on(read(&node, blocks));
        println!(
            "| {blocks} | {took:.2} | {cpu:.2} | {:.0} | {files} | {:.0} | {:.0} | {read:.2} |",
            bytes as f64 / 1e6,
            resident_mb(),
            started.as_secs_f64() * 1e3,
        );
    }
}

/// Until it answers from its store.
async fn start(folder: &Path) -> (Embedded, Duration) {
    let began = Instant::now();
    loop {
        let settings = Settings {
            folder: Some(folder.to_owned()),
            listen: Vec::new(),
            peers: Vec::new(),
            swarm_key: None,
            key: Secret::from_bytes([7; 32]),
            source: None,
        };
        let node = Embedded::start(settings, tokio::runtime::Handle::current()).await.unwrap();
        // The last one may let go of the folder a moment after its stop.
        if node.has(Cid::of(Codec::Raw, b"")).await.is_ok() {
            return (node, began.elapsed());
        }
    }
}

fn block(n: usize) -> Vec<u8> {
    let mut bytes = vec![0; BLOCK_BYTES];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    bytes
}

async fn put(node: &Embedded, which: std::ops::Range<usize>) {
    for n in which {
        let bytes = block(n);
        node.put(Cid::of(Codec::Raw, &bytes), bytes).await.unwrap();
    }
}

/// Milliseconds, of blocks spread over all.
async fn read(node: &Embedded, blocks: usize) -> f64 {
    let began = Instant::now();
    for n in 0..1_000 {
        let cid = Cid::of(Codec::Raw, &block(n * blocks / 1_000));
        node.get(cid, Duration::ZERO).await.unwrap();
    }
    began.elapsed().as_secs_f64()
}

/// Bytes that the files take, in whole blocks of the disk, and how many they are.
fn on_disk(folder: &Path) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::read_dir(folder).unwrap().fold((0, 0), |(bytes, files), entry| {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        let own = meta.blocks() * 512;
        let (more_bytes, more_files) = if meta.is_dir() { on_disk(&entry.path()) } else { (0, 1) };
        (bytes + own + more_bytes, files + more_files)
    })
}

fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1e3
}
