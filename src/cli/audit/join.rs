//! Makes one file of what several parties exported of an order.

use dta_verify::join as united;

use super::Join;
use super::export::write;
use super::verify::chains;
use crate::cli::say;

pub(super) fn join(command: &Join) -> anyhow::Result<()> {
    let chains = chains(&command.chains)?;
    let chains: Vec<&[u8]> = chains.iter().map(Vec::as_slice).collect();
    write(&command.output, 0o644, &united(&chains)?)?;
    Ok(say(format_args!("{}: {} files in one", command.output.display(), chains.len()))?)
}
