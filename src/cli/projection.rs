//! `dta projection`: the read models from outside the daemon: where they stand, whether they are what the log says, and
//! making them anew.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use dta_events::Rules;
use dta_projections::Projection;

use super::progress::Progress;
use super::say;
use crate::actors::log::{LogReader, RocksLog, RocksReader};
use crate::actors::views::{Queries, Replay, Standing, Views, ViewsError};
use crate::home::{Home, HomeLock};

/// What to do with the read models.
#[derive(Clone, Debug, Subcommand)]
pub enum ProjectionCommand {
    /// Make read models anew from the log; the daemon must be down
    Rebuild {
        /// Which ones; all if none is named
        names: Vec<String>,
    },
    /// Show where each read model stands
    Status,
    /// Replay the log in memory and compare; fails at the first difference
    Verify,
}

/// Does it.
///
/// # Errors
/// As the function of that name.
pub fn run(home: &Path, command: ProjectionCommand) -> anyhow::Result<()> {
    match command {
        ProjectionCommand::Rebuild { names } => rebuild(home, &names),
        ProjectionCommand::Status => status(home),
        ProjectionCommand::Verify => verify(home),
    }
}

/// Makes the named read models anew, or all. Each goes on being read as it was until the new one is whole; only if what
/// is there does not open at all, and no names are given, is it deleted first.
///
/// # Errors
/// The home is in use; there is no such read model; the log cannot be read; a projection halts at a record.
pub fn rebuild(home: &Path, names: &[String]) -> anyhow::Result<()> {
    let home = Home::new(home);
    let projections = dta_projections::all();
    for name in names {
        if !projections.iter().any(|projection| projection.name() == name) {
            let known = projections.map(Projection::name).join(", ");
            bail!("there is no projection {name:?} (there are {known})");
        }
    }
    let _lock = HomeLock::acquire(&home)?;
    let log = open_log(&home)?;
    let views = match Views::open(&home.views(), &projections) {
        Err(error @ ViewsError::Open { .. }) if names.is_empty() => {
            eprintln!("{error}");
            std::fs::remove_dir_all(home.views()).context("deleting the read models")?;
            Views::open(&home.views(), &projections)?
        }
        Err(error @ ViewsError::Open { .. }) => {
            bail!("{error}; leave out the names, it concerns all of them")
        }
        other => other?,
    };
    for projection in projections {
        let name = projection.name();
        if names.is_empty() || names.iter().any(|named| named == name) {
            let mut progress = Progress::start(name);
            let standing = views.rebuild(name, &log, &mut |done, of| progress.show(done, of))?;
            progress.finish();
            say(format_args!(
                "{name}: {} records, digest {}",
                standing.position,
                hex::encode(standing.digest)
            ))?;
        }
    }
    Ok(())
}

/// Prints where each read model stands, also while the daemon is up.
///
/// # Errors
/// There is no log or there are no read models, or they cannot be read.
pub fn status(home: &Path) -> anyhow::Result<()> {
    let (views, log) = open(home)?;
    let head = log.head()?.count;
    for projection in views.projections() {
        say(format_args!("{}", status_line(&views, &log, *projection, head)?))?;
    }
    Ok(())
}

/// Compares each read model, rows and digest, with a replay of the log up to where it stands. Works while the daemon is
/// up; needs the memory for one read model.
///
/// # Errors
/// The first difference; or the log or the read models cannot be read.
pub fn verify(home: &Path) -> anyhow::Result<()> {
    let (views, log) = open(home)?;
    let head = log.head()?.count;
    for projection in views.projections() {
        let name = projection.name();
        let standing = views.standing(name)?;
        let standing = standing.with_context(|| format!("{name} has never been made"))?;
        let mut progress = Progress::start(name);
        let mut replay = Replay::start(*projection);
        replay.run(&log, standing.position, &mut |done| progress.show(done, standing.position))?;
        progress.finish();
        if let Some(difference) = replay.compare(&views, &standing)? {
            bail!("{name} is not what the log says: {difference}; run `dta projection rebuild {name}`");
        }
        say(format_args!(
            "{name}: {} of {head} records, {} rows, as the log says",
            standing.position,
            replay.rows().len()
        ))?;
    }
    Ok(())
}

fn open(home: &Path) -> anyhow::Result<(Queries, RocksReader)> {
    let home = Home::new(home);
    // In this order: the log then has all that the read models have.
    let views = Views::open_read_only(&home.views(), &dta_projections::all())?;
    Ok((views, open_log(&home)?))
}

fn open_log(home: &Home) -> anyhow::Result<RocksReader> {
    Ok(RocksLog::open_read_only(&home.log(), Arc::new(Rules))?)
}

fn status_line(
    views: &Queries,
    log: &dyn LogReader,
    projection: &dyn Projection,
    head: u64,
) -> anyhow::Result<String> {
    let name = projection.name();
    let Some(Standing { generation, schema, position, digest, .. }) = views.standing(name)? else {
        return Ok(format!("{name}: never made; the next start of the daemon makes it"));
    };
    let how = match views.try_next(name, log) {
        Err(error) => error.to_string(),
        Ok(()) if position == head => "up to date".into(),
        Ok(()) if position > head => "beyond the log; the next start of the daemon makes it anew".into(),
        Ok(()) => format!("behind by {}", head - position),
    };
    let digest = hex::encode(digest);
    Ok(format!(
        "{name}: generation {generation}, schema {schema}, position {position} of {head}, digest {digest}, {how}"
    ))
}

#[cfg(test)]
mod tests;
