//! `dta log verify`: the records, indexes and blocks by themselves, then what they say by the protocol.

use std::io::Write;

use anyhow::Context as _;
use dta_events::record::Aggregate;
use dta_protocol::Identity;

use super::audit::{Findings, audit};
use super::{VerifyCommand, find_order, open, unlocked};
use crate::actors::checkpoints::published;
use crate::actors::keyring::Keyring;
use crate::actors::log::verify::{Report, verify as verify_store};
use crate::actors::log::{LogReader as _, RocksReader};
use crate::cli::progress::Progress;
use crate::home::Home;
use crate::node::open::whose;
use std::sync::Arc;

/// Checks all of it, and prints what was found whole.
///
/// # Errors
/// The first damage, with sequence, order and CID where it has them.
pub(super) fn verify(home: &Home, command: &VerifyCommand, out: &mut dyn Write) -> anyhow::Result<()> {
    // Before the log, which may grow meanwhile.
    let noted = published::read(&home.checkpoint())?;
    let log = open(home)?;
    let only = command.order.as_deref().map(|name| find_order(&*log, name)).transpose()?;
    let deep = match command.deep {
        true => Some((unlocked(home, command.passphrase_file.as_deref(), &log)?, only)),
        false => None,
    };
    let findings = check_envelopes(&log, deep)?;
    let mut progress = Progress::start("indexes");
    let report = verify_store(&*log, &mut |done, of| progress.show(done, of))?;
    progress.finish();
    if let Some(block) = log.published_block(&whose(&*log)?.to_bytes())? {
        let owner = Identity::decode(block.bytes())?;
        published::compare(noted, &*log, &owner).with_context(|| home.checkpoint().display().to_string())?;
    }
    Ok(print(&report, &findings, out)?)
}

fn check_envelopes(
    log: &Arc<RocksReader>,
    deep: Option<(Keyring, Option<Aggregate>)>,
) -> anyhow::Result<Findings> {
    let mut progress = Progress::start("envelopes");
    let findings = audit(&**log, deep, &mut |done, of| progress.show(done, of))?;
    progress.finish();
    Ok(findings)
}

fn print(report: &Report, findings: &Findings, out: &mut dyn Write) -> std::io::Result<()> {
    let held = report.blocks.saturating_sub(report.published);
    let rows = [
        ("records", report.head.count.to_string()),
        ("head hash", hex::encode(report.head.hash)),
        ("histories", report.aggregates.to_string()),
        ("identities", findings.identities.to_string()),
        ("orders", findings.orders.to_string()),
        ("envelopes", format!("{} indexed, {} signatures verified", report.envelopes, findings.signatures)),
        ("claims", report.claims.to_string()),
        ("timers", report.timers.to_string()),
        ("blocks", format!("{} published, {held} held", report.published)),
    ];
    for (name, value) in rows {
        writeln!(out, "{name:<12}{value}")?;
    }
    if let Some(deep) = &findings.deep {
        let (opened, unopened) = deep.bodies();
        writeln!(out, "{:<12}{opened} opened and checked, {unopened} not openable here", "bodies")?;
        for report in deep.reports() {
            writeln!(out, "{}", report.line())?;
        }
    }
    writeln!(out, "the log is whole")
}
