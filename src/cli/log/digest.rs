//! `dta log replay --digest`: what a checkpoint says of the log and of the read models, from the records alone.

use std::io::Write;

use anyhow::ensure;
use dta_events::Rules;
use dta_events::index::Indexing as _;
use dta_proof::tree::Frontier;
use serde_json::json;

use super::fold::each_record;
use crate::actors::log::{LogReader, leaf};
use crate::actors::views::Replay;
use crate::cli::progress::Progress;

/// Prints the root of the tree over the first `at` records, computed from them and not read, and the digest of each read model.
///
/// # Errors
/// The log is shorter, or damaged; or the output's.
pub(super) fn print(
    log: &dyn LogReader,
    at: Option<u64>,
    as_json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let count = log.head()?.count;
    let size = at.unwrap_or(count);
    ensure!(size <= count, "--at {size}: the log has {count} records");
    let mut tree = Frontier::empty();
    if let Some(last) = size.checked_sub(1) {
        each_record(log, Some(last), &mut |entry| {
            let envelopes = Rules.envelopes(&entry.record);
            tree.push(leaf(&entry.record, entry.hash, &envelopes).hash());
            Ok(())
        })?;
    }
    let mut digests = Vec::new();
    for projection in dta_projections::all() {
        let mut progress = Progress::start(projection.name());
        let mut replay = Replay::start(projection);
        replay.run(log, size, &mut |done| progress.show(done, size))?;
        progress.finish();
        digests
            .push((format!("{}/{}", projection.name(), projection.schema()), hex::encode(replay.digest())));
    }
    let root = hex::encode(tree.root());
    if as_json {
        let digests: serde_json::Map<_, _> =
            digests.into_iter().map(|(label, digest)| (label, digest.into())).collect();
        return Ok(writeln!(out, "{}", json!({ "size": size, "root": root, "digests": digests }))?);
    }
    writeln!(out, "{:<14}{size}", "records")?;
    writeln!(out, "{:<14}{root}", "root")?;
    for (label, digest) in digests {
        writeln!(out, "{label:<14}{digest}")?;
    }
    Ok(())
}
