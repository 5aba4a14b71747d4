//! `dta identity`: the node's own identity, its document for others to pin, and its seed as words for a backup on paper.

use std::fs::File;
use std::io::{IsTerminal, Read, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use dta_events::Rules;
use dta_protocol::Cid;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::api::{Api, AtNode};
use super::say;
use super::unlock::{protection, protection_of_new};
use crate::actors::log::RocksLog;
use crate::config::Config;
use crate::home::{Home, HomeLock, make_private_folder};
use crate::keystore::{Keystore, words};
use crate::node::open::{check_seed, identity_of, whose};
use crate::ports::OsEntropy;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum IdentityCommand {
    /// Print the node's identity
    Show,
    /// Write an identity's document to a file, for other nodes to pin; asks the running node
    Export(Export),
    /// The seed that the node's identity, its hosted identities and custody's key derive from
    #[command(subcommand)]
    Seed(SeedCommand),
}

/// What to do with the seed.
#[derive(Debug, Subcommand)]
pub enum SeedCommand {
    /// Print the seed as 24 words: whoever reads them is this node
    Export(Unlock),
    /// Read 24 words from standard input and seal them as the seed of this home
    Import(Seal),
}

/// Whose document, and where to.
#[derive(Debug, Args)]
pub struct Export {
    /// Which identity; the node's own if none is named
    cid: Option<Cid>,
    /// Where to; a file that is there already is not overwritten
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    at: AtNode,
}

/// How the seed is opened.
#[derive(Debug, Args)]
pub struct Unlock {
    /// Read the passphrase from the first line of a file instead of the terminal
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// How the seed is sealed.
#[derive(Debug, Args)]
pub struct Seal {
    /// Seal it under a passphrase instead of a key file
    #[arg(long)]
    passphrase: bool,
    /// Read the passphrase from the first line of a file instead of the terminal
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// Does it.
///
/// # Errors
/// For people to read; never with a word of the seed in it.
pub fn run(home: &Home, command: IdentityCommand) -> anyhow::Result<()> {
    match command {
        IdentityCommand::Show => {
            say(format_args!("{}", identity_of(home)?))?;
            Ok(())
        }
        IdentityCommand::Export(command) => export_document(home, &command),
        IdentityCommand::Seed(SeedCommand::Export(unlock)) => export(home, &unlock),
        IdentityCommand::Seed(SeedCommand::Import(seal)) => import(home, &seal),
    }
}

#[derive(Deserialize)]
struct Status {
    #[serde(rename = "nodeCID")]
    node: String,
}

fn export_document(home: &Home, command: &Export) -> anyhow::Result<()> {
    let api = Api::of(home, &command.at)?;
    let cid = match command.cid {
        Some(cid) => cid,
        None => api.get("/v1/status")?.read::<Status>()?.node.parse().context("nodeCID")?,
    };
    let document = api.get(&format!("/v1/identity/{cid}/document"))?.body;
    if !cid.names(&document) {
        bail!("what the node answered is not the document of {cid}");
    }
    let named = || format!("{}", command.output.display());
    let mut file = File::create_new(&command.output).with_context(named)?;
    file.write_all(&document).and_then(|()| file.sync_all()).with_context(named)?;
    say(format_args!("{cid}"))?;
    Ok(())
}

fn export(home: &Home, unlock: &Unlock) -> anyhow::Result<()> {
    let config = Config::read(home)?;
    let keystore = Keystore::read(&home.seed_file())?;
    let seed = keystore.unlock(&protection(&config, home, &keystore, unlock.passphrase_file.as_deref())?)?;
    let words = words::to_words(&seed);
    let words = std::str::from_utf8(words.expose()).context("the words are not text")?;
    eprintln!(
        "Whoever reads these words can be this node and open its custody. Write them on paper, in order:"
    );
    say(format_args!("{words}"))?;
    Ok(())
}

fn import(home: &Home, seal: &Seal) -> anyhow::Result<()> {
    make_private_folder(&home.root).with_context(|| format!("{}", home.root.display()))?;
    let _lock = HomeLock::acquire(home)?;
    if home.seed_file().exists() {
        bail!("{} is there already and is not overwritten", home.seed_file().display());
    }
    if std::io::stdin().is_terminal() {
        eprintln!("Type the 24 words, then Ctrl-D:");
    }
    let mut text = Zeroizing::new(String::new());
    std::io::stdin().take(4_096).read_to_string(&mut text)?;
    let seed = words::from_words(&text)?;
    if home.is_initialised() {
        let log = RocksLog::open_read_only(&home.log(), Arc::new(Rules))?;
        check_seed(&log, &seed, &whose(&log)?).context("nothing was written")?;
    }
    let config = Config::read(home)?;
    let protection = protection_of_new(&config, home, seal.passphrase, seal.passphrase_file.as_deref())?;
    Keystore::create(&home.seed_file(), &seed, &protection, &mut OsEntropy)?;
    say(format_args!("seed imported into {}", home.root.display()))?;
    if home.is_initialised() {
        say("go on with `dta daemon`")?;
    } else {
        say("if there is a backup of this node's log/ and seeds/, restore it here now, then `dta daemon`;")?;
        say("without one, `dta recover` builds the log again from a mirror;")?;
        say("`dta init` makes another identity and an empty log, for a new node only")?;
    }
    Ok(())
}
