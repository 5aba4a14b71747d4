//! How a command gets what opens the node's seed: the key file, or a passphrase from a file or from the person at the
//! terminal; never from the command line, where everyone on the machine could read it.

use std::io::IsTerminal;
use std::path::Path;

use anyhow::{Context, bail};
use zeroize::Zeroizing;

use crate::config::Config;
use crate::home::Home;
use crate::keystore::{Keystore, Passphrase, Protection, ProtectionKind};
use crate::node::custody::place;

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
        ProtectionKind::Token => match &config.keystore.token {
            Some(key) => Ok(Protection::Token(place(home, key)?)),
            None => bail!("the node's seed is under a key in a token: name that token in [keystore.token]"),
        },
        ProtectionKind::Passphrase => Ok(Protection::Passphrase(passphrase(passphrase_file, false)?)),
    }
}

/// What seals a new seed: a passphrase if it is asked for, else the token or the key file of the settings.
///
/// # Errors
/// As [`passphrase`]; nobody can be asked for a PIN.
pub fn protection_of_new(
    config: &Config,
    home: &Home,
    by_passphrase: bool,
    passphrase_file: Option<&Path>,
) -> anyhow::Result<Protection> {
    match &config.keystore.token {
        _ if by_passphrase || passphrase_file.is_some() => {
            Ok(Protection::Passphrase(passphrase(passphrase_file, true)?))
        }
        Some(key) => Ok(Protection::Token(place(home, key)?)),
        None => Ok(Protection::KeyFile(config.key_file(home))),
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
