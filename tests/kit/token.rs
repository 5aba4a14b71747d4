//! The tokens of `scripts/hsm`, as nodes of tests use them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: these tests want the tokens that `scripts/test` makes (scripts/hsm)")
    })
}

/// Where the PIN of all of them is.
pub fn pin_file() -> PathBuf {
    variable("DTA_HSM_PIN").into()
}

/// A label that no other test has.
pub fn label() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("node-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A token of SoftHSM2 that no other test of this process has, while they last: processes that share one disturb each other, since
/// each login is written to its files.
pub fn own() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("dta-node-{}", NEXT.fetch_add(1, Ordering::Relaxed) % 16 + 1)
}

/// The settings of a token of SoftHSM2, as a table of this name.
pub fn soft(table: &str, token: &str, key: &str, pin_file: &Path) -> String {
    let library = variable("DTA_HSM_SOFT");
    let pin = pin_file.display();
    format!(
        "[{table}]\nlibrary = \"{library}\"\nlabel = \"{token}\"\npin = \"file:{pin}\"\nkey = \"{key}\"\nsessions = 2\n"
    )
}

/// A `[[seeds]]` block with its key in a token of SoftHSM2; `more` are lines of the block itself.
pub fn seeds(more: &str) -> String {
    seeds_in(&own(), more)
}

/// The same in this token.
pub fn seeds_in(token: &str, more: &str) -> String {
    format!("[[seeds]]\ntype = \"pkcs11\"\n{more}{}", soft("seeds.token", token, &label(), &pin_file()))
}

/// The folder of a token's objects, by its label: without it the token is gone.
pub fn folder_of(token: &str) -> PathBuf {
    let tokens = Path::new(&variable("DTA_HSM")).join("softhsm");
    let has = |folder: &PathBuf| {
        let object = std::fs::read(folder.join("token.object")).unwrap_or_default();
        object.windows(token.len()).any(|part| part == token.as_bytes())
    };
    let folders = std::fs::read_dir(tokens).unwrap().map(|entry| entry.unwrap().path());
    folders.into_iter().find(has).unwrap_or_else(|| panic!("no token {token}"))
}
