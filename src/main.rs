//! The binary `dta`, with the plugins that ship.

use std::process::ExitCode;

use dta_plugins::Registry;

fn main() -> ExitCode {
    milagro_dta::cli::main(&Registry::shipped())
}
