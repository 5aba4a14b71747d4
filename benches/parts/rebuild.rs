//! Rebuild: what `dta projection rebuild` does to every read model, against reading the records that it reads.
//!
//! The raw scan is RocksDB's own iterator over the log's column family of records: it checks the checksums of the blocks, so it
//! looks at every byte, each record is copied once, and nothing is made of it. Between the two stands what a rebuild cannot do without, one after the other: records decoded
//! and hashed, and the rows it comes to written by RocksDB alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use criterion::Criterion;
use dta_events::Rules;
use dta_events::record::{Record, hash_of};
use dta_projections::Projection;
use milagro_dta::actors::log::{RocksLog, RocksReader};
use milagro_dta::actors::views::{Replay, Views};
use milagro_dta::home::Home as Layout;
use rocksdb::{DB, WriteBatch};

use crate::append::settings;
use crate::archive;
use crate::pairs::{Pair, ROUNDS, pair, timed};

/// Orders in the log, of five records each.
const ORDERS: usize = 4_000;
/// Records of a rebuild, of those of a raw scan, in the same time.
const LIMIT: f64 = 0.5;
/// Rows that RocksDB alone writes at a time.
const BATCH_ROWS: usize = 256;

pub fn run(criterion: &mut Criterion) {
    let home = archive::home(ORDERS);
    let layout = Layout::new(home.path());
    let log = RocksLog::open_read_only(&layout.log(), Arc::new(Rules)).unwrap();
    let views = Views::open(&layout.views(), &dta_projections::all()).unwrap();
    let (options, families) = settings(&layout.log());
    let raw = DB::open_cf_descriptors_read_only(&options, layout.log(), families, false).unwrap();
    let (records, bytes) = counted(&raw);

    let mut rows = Vec::new();
    let mut against = |name: &str, names: &[&str]| {
        let took = pair(
            criterion,
            "rebuild",
            name,
            ROUNDS,
            records,
            &mut || timed(|| rebuild(&views, &log, names)),
            &mut || timed(|| scan(&raw)),
        );
        rows.push((name.to_owned(), took));
    };
    let all = dta_projections::all().map(|projection| projection.name());
    against("all read models", &all);
    for name in all {
        against(name, &[name]);
    }
    let mut between = |name: &str, call: &mut dyn FnMut() -> Duration| {
        let took = pair(criterion, "rebuild", name, ROUNDS, records, call, &mut || timed(|| scan(&raw)));
        rows.push((name.to_owned(), took));
    };
    between("records decoded and hashed", &mut || timed(|| decode(&raw)));
    let rows_of = dta_projections::all().map(|projection| (projection.name(), folded(projection, &log)));
    between("their rows written by RocksDB alone", &mut || written(&layout, &rows_of));

    println!(
        "\n| rebuild of {records} records, {:.0} MB | ms | raw scan, ms | speed, limit {LIMIT} |",
        bytes as f64 / 1e6
    );
    println!("|---|---|---|---|");
    for (name, Pair { ours, bare, speed }) in rows {
        println!("| {name} | {:.0} | {:.1} | {speed:.3} |", ours * 1e3, bare * 1e3);
    }
}

fn rebuild(views: &Views, log: &RocksReader, names: &[&str]) {
    for name in names {
        views.rebuild(name, log, &mut |_, _| {}).unwrap();
    }
}

/// Shows every record, as it is stored.
fn each(raw: &DB, visit: &mut dyn FnMut(&[u8])) {
    let mut records = raw.raw_iterator_cf(raw.cf_handle("records").unwrap());
    records.seek_to_first();
    while let Some(record) = records.value() {
        visit(record);
        records.next();
    }
    records.status().unwrap();
}

fn counted(raw: &DB) -> (u64, usize) {
    let (mut records, mut bytes) = (0, 0);
    each(raw, &mut |record| {
        records += 1;
        bytes += record.len();
    });
    (records, bytes)
}

fn scan(raw: &DB) -> Vec<u8> {
    let mut last = Vec::new();
    each(raw, &mut |record| {
        last.clear();
        last.extend_from_slice(record);
    });
    last
}

fn decode(raw: &DB) -> usize {
    let mut different = 0;
    each(raw, &mut |record| {
        let decoded = Record::decode(record).unwrap();
        different += usize::from(decoded.previous != hash_of(record));
    });
    different
}

type Folded = BTreeMap<Vec<u8>, Vec<u8>>;

/// The rows that a projection comes to.
fn folded(projection: &'static dyn Projection, log: &RocksReader) -> Folded {
    let mut replay = Replay::start(projection);
    replay.run(log, u64::MAX, &mut |_| {}).unwrap();
    replay.rows().clone()
}

/// Each row once, as a rebuild writes it last, with the options of the read models.
fn written(layout: &Layout, rows_of: &[(&str, Folded)]) -> Duration {
    let (mut options, families) = settings(&layout.views());
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    let folder = tempfile::tempdir().unwrap();
    let names = DB::list_cf(&options, layout.views()).unwrap();
    let db = DB::open_cf_descriptors(&options, folder.path(), families).unwrap();
    timed(|| {
        for (name, rows) in rows_of {
            let family = names.iter().find(|family| family.starts_with(&format!("{name}."))).unwrap();
            let family = db.cf_handle(family).unwrap();
            let rows: Vec<_> = rows.iter().collect();
            for rows in rows.chunks(BATCH_ROWS) {
                let mut batch = WriteBatch::default();
                for (key, row) in rows {
                    batch.put_cf(family, key, row);
                }
                db.write(batch).unwrap();
            }
        }
    })
}
