//! Appends: the log's writer, through the port that actors use, against RocksDB alone with the same bytes.
//!
//! A writer is an actor that appends the steps of its orders, each after the one before it was answered. What RocksDB alone
//! writes are the batches of a log to which the same appends were committed, a step of every writer at a time: records,
//! blocks, indexes, timers and head as they stand in that log's write-ahead log, so as many as wait, always, with the options
//! that stand in the log's own folder, each batch synced.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use criterion::Criterion;
use dta_events::Rules;
use milagro_dta::actors::log::writer::{BATCH_MAX, QUEUE};
use milagro_dta::actors::log::{Append, EventLog, LogHandle, LogWriter, RocksLog};
use milagro_dta::node::open::entropy;
use rocksdb::{Cache, DB, Env, Options, WriteBatch, WriteOptions};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::pairs::{Pair, ROUNDS, pair, timed};
use crate::template::Template;

/// Writers at once, and orders of each in one round.
const ROUND: [(usize, usize); 3] = [(1, 60), (16, 6), (64, 3)];
/// Against RocksDB alone.
const LIMIT: f64 = 0.8;

pub fn run(criterion: &mut Criterion) {
    let mut template = Template::make();
    let mut rows = Vec::new();
    for (writers, each) in ROUND {
        let orders = orders(&mut template, writers * each);
        let appends = orders.iter().map(Vec::len).sum::<usize>();
        let batches = batches(&orders, writers);
        let bytes: usize = batches.iter().map(Vec::len).sum();
        let mut commits = Vec::new();
        let took = pair(
            criterion,
            "append",
            &format!("{writers} writers"),
            ROUNDS,
            appends as u64,
            &mut || ours(&orders, writers, &mut commits),
            &mut || bare(&batches),
        );
        let joined = (commits.len() * appends) as f64 / commits.iter().sum::<usize>() as f64;
        rows.push((writers, appends, bytes, joined, took));
    }
    println!(
        "\n| appends, real orders | a second | joined in a sync | RocksDB alone | bytes each | speed, limit {LIMIT} |"
    );
    println!("|---|---|---|---|---|---|");
    for (writers, appends, bytes, joined, Pair { ours, bare, speed }) in rows {
        let per_second = |seconds: f64| appends as f64 / seconds;
        println!(
            "| {writers} at once | {:.0} | {joined:.1} | {:.0} | {} | {speed:.2}{} |",
            per_second(ours),
            per_second(bare),
            bytes / appends,
            if speed < LIMIT { ": missed" } else { "" },
        );
    }
}

/// The appends of new orders, order by order, of a log that is empty but for them.
fn orders(template: &mut Template, count: usize) -> Vec<Vec<Append>> {
    let mut orders = vec![Vec::new(); count];
    template.decide(1..count + 1, &mut |_, appends| {
        for (order, append) in orders.iter_mut().zip(appends) {
            order.push(append);
        }
    });
    orders
}

/// What the log writes of these orders if it always joins one append of each writer.
fn batches(orders: &[Vec<Append>], writers: usize) -> Vec<Vec<u8>> {
    let folder = made();
    let log = open(folder.path());
    for orders in orders.chunks(writers) {
        for step in 0..orders[0].len() {
            let together = orders.iter().map(|order| order[step].clone()).collect();
            for written in log.commit(together).unwrap() {
                written.unwrap();
            }
        }
    }
    drop(log);
    let batches = written(folder.path());
    assert_eq!(batches.len(), orders.len() / writers * orders[0].len());
    batches
}

/// The batches of a log's commits, as its write-ahead log has them: all, since a round is smaller than what RocksDB keeps in
/// memory.
fn written(folder: &Path) -> Vec<Vec<u8>> {
    let (options, families) = settings(folder);
    let db = DB::open_cf_descriptors_read_only(&options, folder, families, false).unwrap();
    let updates = db.get_updates_since(1).unwrap();
    updates.map(|update| update.unwrap().1.data().to_vec()).collect()
}

/// Also says in how many commits it came to be written.
fn ours(orders: &[Vec<Append>], writers: usize, commits: &mut Vec<usize>) -> Duration {
    let folder = made();
    let (on_commit, _) = watch::channel(0);
    let log = Arc::new(open(folder.path()));
    let writer =
        LogWriter::start(log, QUEUE, BATCH_MAX, on_commit, |uncertain| panic!("{uncertain}")).unwrap();
    let mut shares = vec![Vec::new(); writers];
    for (n, order) in orders.iter().enumerate() {
        shares[n % writers].extend(order.iter().cloned());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let took = timed(|| {
        runtime.block_on(async {
            let mut all = JoinSet::new();
            for share in shares {
                all.spawn(write(writer.handle(), share));
            }
            all.join_all().await;
        });
    });
    writer.stop();
    commits.push(written(folder.path()).len());
    took
}

async fn write(log: LogHandle, appends: Vec<Append>) {
    for append in appends {
        log.append(append).await.unwrap();
    }
}

fn bare(batches: &[Vec<u8>]) -> Duration {
    let folder = made();
    let (options, families) = settings(folder.path());
    let db = DB::open_cf_descriptors(&options, folder.path(), families).unwrap();
    let mut synced = WriteOptions::default();
    synced.set_sync(true);
    timed(|| {
        for batch in batches {
            db.write_opt(WriteBatch::from_data(batch), &synced).unwrap();
        }
    })
}

/// The folder of an empty log. It lies where homes of measured nodes lie.
fn made() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    drop(RocksLog::create(folder.path(), Arc::new(Rules), entropy()).unwrap());
    folder
}

fn open(folder: &Path) -> RocksLog {
    RocksLog::open(folder, Arc::new(Rules), entropy()).unwrap()
}

/// The options that the log itself was opened with last.
pub fn settings(folder: &Path) -> (Options, Vec<rocksdb::ColumnFamilyDescriptor>) {
    let cache = Cache::new_lru_cache(8 << 20);
    Options::load_latest(folder, Env::new().unwrap(), false, cache).unwrap()
}
