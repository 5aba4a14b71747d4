//! A `dta` of one's own: the plugins that ship, and one more. `cargo run --example plugins -- plugin list` shows it.

mod second_factor;

use std::process::ExitCode;

use dta_plugins::Registry;
use second_factor::SecondFactor;

fn main() -> ExitCode {
    match Registry::shipped().with(SecondFactor) {
        Ok(plugins) => milagro_dta::cli::main(&plugins),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
