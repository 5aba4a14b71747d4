//! The binary `dta`: reads the command line and says what went wrong.

use std::process::ExitCode;

use clap::Parser;
use milagro_dta::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dta: {error:#}");
            ExitCode::FAILURE
        }
    }
}
