//! How far a long command has come, on standard error.

use std::io::{IsTerminal as _, Write as _};

use indicatif::{ProgressBar, ProgressStyle};

/// How far it has come: a bar with rate and time left, or ten plain lines where nobody looks at a terminal.
pub(super) struct Progress {
    name: &'static str,
    /// What is counted.
    unit: &'static str,
    bar: Option<ProgressBar>,
    tenths: u64,
}

impl Progress {
    /// Of records.
    pub(super) fn start(name: &'static str) -> Self {
        Self::counting(name, "records")
    }

    /// Of something else.
    pub(super) fn counting(name: &'static str, unit: &'static str) -> Self {
        let template = format!("{{prefix:12}} {{bar:40}} {{pos}}/{{len}} {unit} {{per_sec}}, {{eta}} left");
        let style = ProgressStyle::with_template(&template);
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0).with_prefix(name);
            if let Ok(style) = style { bar.with_style(style) } else { bar }
        });
        Self { name, unit, bar, tenths: 0 }
    }

    pub(super) fn show(&mut self, done: u64, of: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(of);
            bar.set_position(done);
            return;
        }
        let tenths = done.saturating_mul(10).checked_div(of).unwrap_or(0);
        if tenths > self.tenths {
            self.tenths = tenths;
            // Nobody is left to be told if this fails.
            let _ = writeln!(std::io::stderr(), "{}: {done} of {of} {}", self.name, self.unit);
        }
    }

    pub(super) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
