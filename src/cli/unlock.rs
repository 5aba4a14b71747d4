//! How a command gets what opens the node's seed: the key file, or a passphrase from a file or from the person at the
//! terminal; never from the command line, where everyone on the machine could read it.

use std::io::IsTerminal;
use std::path::Path;

use anyhow::{Context, bail};
use zeroize::Zeroizing;

use crate::config::Config;
use crate::home::Home;
use crate::keystore::{Keystore, Passphrase, Protection, ProtectionKind};

/// What opens this keystore.
///
/// # Errors
/// A passphrase is needed, and there is neither a file nor a terminal to ask at.
pub fn protection(
    config: &Config,
    home: &Home,
    keystore: &Keystore,
    passphrase_file: Option<&Path>,
) -> anyhow::Result<Protection> {
    match keystore.kind() {
        ProtectionKind::KeyFile => Ok(Protection::KeyFile(config.key_file(home))),
        ProtectionKind::Passphrase => Ok(Protection::Passphrase(passphrase(passphrase_file, false)?)),
    }
}

/// A passphrase: the first line of a file, or typed at the terminal, twice if it is new.
///
/// # Errors
/// The file cannot be read, the two are not the same, or there is no terminal.
pub fn passphrase(file: Option<&Path>, new: bool) -> anyhow::Result<Passphrase> {
    if let Some(path) = file {
        let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
        let text = Zeroizing::new(text);
        return Ok(Passphrase::new(text.lines().next().unwrap_or_default().to_owned()));
    }
    if !std::io::stdin().is_terminal() {
        bail!("the node's seed is under a passphrase: run this at a terminal, or give --passphrase-file");
    }
    let first = Zeroizing::new(rpassword::prompt_password("Passphrase: ")?);
    if new {
        let again = Zeroizing::new(rpassword::prompt_password("The same again: ")?);
        if *first != *again {
            bail!("the two passphrases are not the same");
        }
    }
    Ok(Passphrase::new(first.to_string()))
}
