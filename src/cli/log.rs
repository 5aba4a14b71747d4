//! `dta log`: the event log from outside the daemon: read as a story, checked to the last signature, indexed anew.

mod audit;
mod books;
mod deep;
mod digest;
mod envelopes;
mod fold;
mod json;
mod released;
mod replay;
mod verify;
mod words;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;
use clap::{Args, Subcommand};
use dta_events::Rules;
use dta_events::order::Event;
use dta_events::record::{Aggregate, AggregateKind};
use dta_protocol::Cid;

use self::fold::{Happened, each_record};
use super::progress::Progress;
use super::unlock::protection;
use crate::actors::keyring::Keyring;
use crate::actors::log::reindex::reindex;
use crate::actors::log::rocks::RocksStore;
use crate::actors::log::{LogReader, RocksLog, RocksReader};
use crate::config::Config;
use crate::home::{Home, HomeLock};
use crate::keystore::Keystore;
use crate::node::open::{check_seed, whose};

/// What to do with the log.
#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Fold the records by the rules and print them; also while the daemon is up
    Replay(ReplayCommand),
    /// Check every record, index entry, block, link and signature; also while the daemon is up
    Verify(VerifyCommand),
    /// Build the indexes anew from the records; the daemon must be down
    Reindex,
}

/// What to print.
#[derive(Debug, Default, Args)]
pub struct ReplayCommand {
    /// The first record to print; those before it are replayed all the same
    #[arg(long, value_name = "SEQUENCE")]
    from: Option<u64>,
    /// The last record to replay
    #[arg(long, value_name = "SEQUENCE")]
    to: Option<u64>,
    /// Only the records of this order, and its state after them: its reference, or the CID of one of its envelopes
    #[arg(long, value_name = "REFERENCE|CID")]
    order: Option<String>,
    /// Print the root of the tree and the digests of the read models, as a checkpoint has them, instead of the records
    #[arg(long, conflicts_with_all = ["from", "to", "order"])]
    digest: bool,
    /// How many records the digests are of; all, if not given
    #[arg(long, value_name = "SIZE", requires = "digest")]
    at: Option<u64>,
    /// Print one JSON object a line; the last is the summary
    #[arg(long)]
    json: bool,
}

/// How much to check.
#[derive(Debug, Default, Args)]
pub struct VerifyCommand {
    /// Unlock the node's seed, open what is sealed to identities hosted here, and check what it says and proves
    #[arg(long)]
    deep: bool,
    /// Open the bodies of this order only: its reference, or the CID of one of its envelopes
    #[arg(long, value_name = "REFERENCE|CID", requires = "deep")]
    order: Option<String>,
    /// Read the passphrase from the first line of a file instead of the terminal
    #[arg(long, value_name = "FILE", requires = "deep")]
    passphrase_file: Option<PathBuf>,
}

/// Does it, and prints on standard output; progress goes to standard error.
///
/// # Errors
/// For people to read: there is no log, it is newer than this program, or the first damage.
pub fn run(home: &Home, command: LogCommand) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match command {
        LogCommand::Replay(command) if command.digest => {
            quietly(digest::print(&*open(home)?, command.at, command.json, &mut out), &mut out)
        }
        LogCommand::Replay(command) => quietly(replay::replay(&*open(home)?, &command, &mut out), &mut out),
        LogCommand::Verify(command) => finish(verify::verify(home, &command, &mut out), &mut out),
        LogCommand::Reindex => {
            rebuild(home)?;
            finish(verify::verify(home, &VerifyCommand::default(), &mut out), &mut out)
        }
    }
}

/// What has been printed is seen before an error is.
fn finish(done: anyhow::Result<()>, out: &mut dyn Write) -> anyhow::Result<()> {
    let flushed = out.flush();
    done.and(flushed.map_err(Into::into))
}

/// As [`finish`], but whoever reads may close the pipe when it has seen enough.
fn quietly(done: anyhow::Result<()>, out: &mut dyn Write) -> anyhow::Result<()> {
    match finish(done, out) {
        Err(error)
            if error.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe) =>
        {
            Ok(())
        }
        other => other,
    }
}

/// The log, also while the daemon has it.
pub(super) fn open(home: &Home) -> anyhow::Result<Arc<RocksReader>> {
    Ok(Arc::new(RocksLog::open_read_only(&home.log(), Arc::new(Rules))?))
}

/// The keys of all identities hosted here; asks for what opens the node's seed.
pub(super) fn unlocked(
    home: &Home,
    passphrase_file: Option<&Path>,
    log: &Arc<RocksReader>,
) -> anyhow::Result<Keyring> {
    let config = Config::read(home)?;
    let keystore = Keystore::read(&home.seed_file())?;
    let seed = keystore.unlock(&protection(&config, home, &keystore, passphrase_file)?)?;
    check_seed(&**log, &seed, &whose(&**log)?)?;
    Ok(Keyring::new(seed, log.clone()))
}

fn rebuild(home: &Home) -> anyhow::Result<()> {
    if !home.is_initialised() {
        bail!("there is no log at {}", home.log().display());
    }
    let _lock = HomeLock::acquire(home)?;
    let store = RocksStore::open(&home.log())?;
    let mut progress = Progress::start("reindex");
    reindex(store, Arc::new(Rules), &mut |done, of| progress.show(done, of))?;
    progress.finish();
    Ok(())
}

/// The order that a person names. By its reference it is looked for in all records.
pub(super) fn find_order(log: &dyn LogReader, name: &str) -> anyhow::Result<Aggregate> {
    if let Ok(cid) = name.parse::<Cid>() {
        return match log.envelope(&cid.to_bytes())? {
            Some(aggregate) if aggregate.kind == AggregateKind::Order => Ok(aggregate),
            _ => bail!("no order in this log has an envelope {cid}"),
        };
    }
    let mut found: Vec<(Aggregate, Cid)> = Vec::new();
    each_record(log, None, &mut |entry| {
        for happened in Happened::of(&entry.record)? {
            if let Happened::Order(Event::StepAppended(appended)) = happened
                && appended.reference == name
                && found.iter().all(|(aggregate, _)| *aggregate != entry.record.aggregate)
            {
                found.push((entry.record.aggregate, appended.step.cid));
            }
        }
        Ok(())
    })?;
    match found.as_slice() {
        [] => bail!("there is no order {name:?} in this log"),
        [(aggregate, _)] => Ok(*aggregate),
        several => {
            let cids: Vec<_> = several.iter().map(|(_, cid)| cid.to_string()).collect();
            bail!(
                "several orders, of different principals, have the reference {name}: name one of {}",
                cids.join(", ")
            )
        }
    }
}
