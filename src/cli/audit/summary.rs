//! What came of the audit of one order, and of all.

use std::io::{self, Write};

use dta_events::record::Aggregate;
use dta_protocol::Cid;
use dta_verify::{Check, Failure, Outcome, Report};
use serde_json::{Value, json};

use super::verify::what;
use crate::cli::{causes, plain};

/// What came of one order.
pub(super) struct Verdict {
    /// The order: its CID, or where it stands in the log if it cannot be read.
    name: String,
    reference: String,
    /// The checks that hold, fail, are not disclosed.
    count: [u64; 3],
    fails: Vec<Fails>,
}

/// A check that fails, in words and as JSON.
struct Fails {
    line: String,
    json: Value,
}

/// What came of all orders.
#[derive(Default)]
pub(super) struct Summary {
    /// Orders that have a step.
    orders: u64,
    failing: u64,
    count: [u64; 3],
    /// Envelopes whose signatures were verified.
    pub(super) envelopes: u64,
    pub(super) took_ms: u64,
}

impl Verdict {
    /// Of an order that has no step: all that was asked for was turned down.
    pub(super) fn empty() -> Self {
        Self { name: String::new(), reference: String::new(), count: [0; 3], fails: Vec::new() }
    }

    pub(super) fn of(order: Cid, reference: String, report: Report) -> Self {
        let mut count = [0; 3];
        for check in &report.checks {
            let [holds, fails, open] = &mut count;
            match check.outcome {
                Outcome::Holds => *holds += 1,
                Outcome::Fails(_) => *fails += 1,
                Outcome::NotDisclosed(_) => *open += 1,
            }
        }
        let fails = report.failures().map(|(check, failure)| Fails::of(check, failure)).collect();
        Self { name: order.to_string(), reference, count, fails }
    }

    /// Of an order whose chain cannot be made.
    pub(super) fn failed(order: Cid, reference: String, error: &anyhow::Error) -> Self {
        Self { name: order.to_string(), reference, count: [0, 1, 0], fails: vec![Fails::to_be_read(error)] }
    }

    /// Of an order that cannot even be read.
    pub(super) fn unreadable(order: &Aggregate, error: &anyhow::Error) -> Self {
        let name = hex::encode(order.id);
        Self { name, reference: String::new(), count: [0, 1, 0], fails: vec![Fails::to_be_read(error)] }
    }

    /// A line for each check that fails; nothing if none does.
    pub(super) fn print(&self, json: bool, out: &mut dyn Write) -> io::Result<()> {
        if json && !self.fails.is_empty() {
            let fails: Vec<&Value> = self.fails.iter().map(|fails| &fails.json).collect();
            let object = json!({ "order": self.name, "reference": self.reference, "fails": fails });
            return writeln!(out, "{object}");
        }
        for Fails { line, .. } in &self.fails {
            writeln!(out, "order {}: {line}", self.name)?;
        }
        Ok(())
    }
}

impl Fails {
    fn of(check: &Check, failure: &Failure) -> Self {
        let name = check.name.as_str();
        let line = format!("{name} {}: {} ({})", what(check.subject), plain(&failure.text), failure.code);
        Self { line, json: check.json() }
    }

    /// The chain is not there as it would be exported.
    fn to_be_read(error: &anyhow::Error) -> Self {
        let (code, text) = ("chain-unreadable", causes(error));
        let json = json!({ "check": "file", "outcome": "fails", "reason": code, "text": text });
        Self { line: format!("file: {} ({code})", plain(&text)), json }
    }
}

impl Summary {
    pub(super) fn add(&mut self, verdict: &Verdict) {
        self.orders += u64::from(!verdict.name.is_empty());
        self.failing += u64::from(!verdict.fails.is_empty());
        for (sum, more) in self.count.iter_mut().zip(verdict.count) {
            *sum += more;
        }
    }

    pub(super) fn holds(&self) -> bool {
        self.failing == 0
    }

    fn envelopes_per_second(&self) -> u64 {
        self.envelopes.saturating_mul(1_000) / self.took_ms.max(1)
    }

    pub(super) fn print(&self, json: bool, out: &mut dyn Write) -> io::Result<()> {
        let [hold, fail, open] = self.count;
        let rate = self.envelopes_per_second();
        if json {
            let summary = json!({
                "holds": self.holds(),
                "orders": self.orders,
                "ordersFailing": self.failing,
                "envelopes": self.envelopes,
                "checks": { "hold": hold, "fail": fail, "notDisclosed": open },
                "envelopesPerSecond": rate,
            });
            return writeln!(out, "{}", json!({ "summary": summary }));
        }
        writeln!(out, "{:<15}{}, {} of which fail", "orders", self.orders, self.failing)?;
        writeln!(out, "{:<15}{}, {rate} a second", "envelopes", self.envelopes)?;
        writeln!(out, "{:<15}{hold} hold, {fail} fail, {open} not disclosed", "checks")?;
        let verdict =
            if self.holds() { "every check that can be made holds" } else { "not every order holds" };
        writeln!(out, "{verdict}")
    }
}
