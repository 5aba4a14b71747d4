//! The binary `dta`: reads the command line and says what went wrong.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use milagro_dta::cli::{Cli, causes, with_two_dashes};
use milagro_dta::harden;

fn main() -> ExitCode {
    harden::no_core_dumps();
    match Cli::parse_from(with_two_dashes(std::env::args_os())).run() {
        Ok(status) => status,
        // Who reads has read enough.
        Err(error) if error.downcast_ref::<io::Error>().is_some_and(is_broken_pipe) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to be told if this fails.
            let _ = writeln!(io::stderr(), "dta: {}", causes(&error));
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}
