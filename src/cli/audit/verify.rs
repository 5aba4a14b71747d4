//! Checks a chain and says what was found: a table for people, JSON for programs, an exit status for scripts.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use dta_protocol::car::MAX_CAR_BYTES;
use dta_verify::{Disclosure, MAX_DISCLOSURE_BYTES, Outcome, Report, Subject, verify as check, verify_all};
use zeroize::Zeroizing;

use super::Verify;
use crate::cli::plain;
use crate::ports::{Clock as _, SystemClock};

pub(super) fn verify(command: &Verify) -> anyhow::Result<ExitCode> {
    let chains = chains(&command.chains)?;
    let disclosures: Vec<_> =
        command.keys.iter().map(|path| disclosure(path)).collect::<anyhow::Result<_>>()?;
    let trusted: BTreeSet<_> = command.trust.iter().copied().collect();
    let now_ms = command.at_ms.unwrap_or_else(|| SystemClock::default().wall_ms());
    let report = match (chains.as_slice(), disclosures.as_slice()) {
        ([chain], disclosed @ ([] | [_])) => check(chain, disclosed.first(), &trusted, now_ms),
        (chains, disclosures) => {
            let chains: Vec<&[u8]> = chains.iter().map(Vec::as_slice).collect();
            verify_all(&chains, disclosures, &trusted, now_ms)
        }
    };
    let mut out = io::stdout().lock();
    let printed = match command.json {
        true => writeln!(out, "{}", report.json()),
        false => table(&report, &mut out),
    };
    match printed.and_then(|()| out.flush()) {
        // Whoever reads has read enough; the status says what was found all the same.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ if report.holds() => Ok(ExitCode::SUCCESS),
        _ => Ok(ExitCode::FAILURE),
    }
}

/// Exported chains.
pub(super) fn chains(paths: &[PathBuf]) -> anyhow::Result<Vec<Vec<u8>>> {
    paths.iter().map(|path| read(path, MAX_CAR_BYTES)).collect()
}

fn disclosure(path: &Path) -> anyhow::Result<Disclosure> {
    let named = || format!("{}", path.display());
    let text = Zeroizing::new(read(path, MAX_DISCLOSURE_BYTES)?);
    let text = std::str::from_utf8(&text).with_context(named)?;
    Disclosure::decode(text).with_context(named)
}

/// A file of at most so many bytes.
fn read(path: &Path, limit: usize) -> anyhow::Result<Vec<u8>> {
    let named = || format!("{}", path.display());
    let file = File::open(path).with_context(named)?;
    let length = file.metadata().with_context(named)?.len();
    // Room for all of it at once, so that no copy of a key is left behind by a buffer that grew.
    let mut bytes = Vec::with_capacity(limit.min(usize::try_from(length).unwrap_or(limit)) + 1);
    file.take(limit as u64 + 1).read_to_end(&mut bytes).with_context(named)?;
    if bytes.len() > limit {
        bail!("{}: has more than {limit} bytes", path.display());
    }
    Ok(bytes)
}

fn table(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if let Some(about) = &report.about {
        let unknown = || "not disclosed".to_owned();
        let mut rows = vec![
            ("order", about.order.to_string()),
            ("reference", plain(&about.reference)),
            ("state", about.stage.as_str().to_owned()),
        ];
        for (party, cid) in about.parties {
            rows.push((party.as_str(), cid.map_or_else(unknown, |cid| cid.to_string())));
        }
        rows.push(("commitment", about.commitment.map_or_else(unknown, hex::encode)));
        for (name, value) in rows {
            writeln!(out, "{name:<15}{value}")?;
        }
        writeln!(out)?;
    }
    let mut count = [0; 3];
    for check in &report.checks {
        let (n, why) = match &check.outcome {
            Outcome::Holds => (0, String::new()),
            Outcome::Fails(failure) => (1, format!("{} ({})", plain(&failure.text), failure.code)),
            Outcome::NotDisclosed(why) => (2, (*why).to_owned()),
        };
        count[n] += 1;
        let (outcome, name, what) = (check.outcome.as_str(), check.name.as_str(), what(check.subject));
        let line = format!("{outcome:<15}{name:<19}{what:<40}{why}");
        writeln!(out, "{}", line.trim_end())?;
    }
    let [hold, fail, open] = count;
    let verdict =
        if report.holds() { "every check that can be made holds" } else { "the chain does not hold" };
    writeln!(out, "\n{verdict}: {hold} hold, {fail} fail, {open} not disclosed")
}

/// Short: of most kinds an order has one step.
pub(super) fn what(subject: Subject) -> String {
    match subject {
        Subject::File => String::new(),
        Subject::Part(number) => format!("file {number}"),
        Subject::Identity(cid) | Subject::Checkpoint(cid) => cid.to_string(),
        Subject::Step(kind, _) => kind.to_string(),
        Subject::Body(kind, role, _) => format!("{kind}, {role}"),
        Subject::Record(log, sequence) => format!("{sequence} of {log}"),
    }
}
