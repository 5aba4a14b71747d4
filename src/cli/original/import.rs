//! `dta import-original`: takes over what can be taken of a home of the original, says what cannot, and changes nothing there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use dta_crypto::Secret;
use dta_events::identity::check_name;
use dta_original::{Answer, Check, Judged, Left, Settings, Taken, judge};
use dta_plugins::Registry;

use super::settings::{Carried, carry};
use crate::cli::init::{self, InitCommand};
use crate::cli::progress::Progress;
use crate::cli::unlock::protection;
use crate::cli::{plain, say};
use crate::config::{Config, TEMPLATE};
use crate::home::{Home, HomeLock, make_private_folder};
use crate::keystore::{Keystore, files};
use crate::node::original::{open_or_new, save};
use crate::ports::OsEntropy;

/// The largest file of answers that is read.
const ANSWERS_BYTES: u64 = 1 << 28;

/// What is taken over, and how.
#[derive(Debug, Args)]
pub struct ImportCommand {
    /// The original's home, with config.yaml and datastore.dat; it is only read
    #[arg(value_name = "HOME")]
    from: PathBuf,
    /// Only say what is there and what can be taken over
    #[arg(long)]
    check: bool,
    /// What clients were answered to POST /v1/order, in JSON: their commitments are compared with the orders' seeds
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// What a new node calls itself, instead of what the original did
    #[arg(long)]
    name: Option<String>,
    /// Seal a new node's seed under a passphrase instead of a key file
    #[arg(long)]
    passphrase: bool,
    /// Read the passphrase from the first line of a file instead of the terminal
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// Does it; the exit status is 1 if something there is damaged, or a seed does not give its commitment, also where the rest was taken over.
///
/// # Errors
/// Nothing was taken over.
pub fn run(home: &Home, command: &ImportCommand, plugins: &Registry) -> anyhow::Result<ExitCode> {
    apart(&command.from, &home.root)?;
    let answers = answers(command.answers.as_deref())?;
    let read = dta_original::read(&command.from)?;
    let carried = carry(&read.settings);
    let mut progress = Progress::counting("derived", "orders");
    let judged = judge(read.identities, read.orders, answers, &mut |at, all| progress.show(at, all));
    progress.finish();
    found(&command.from, &read.settings, &judged)?;
    if !command.check {
        if !home.is_initialised() {
            new_node(home, command, (&read.settings, &carried), plugins)?;
        } else if !carried.settings.is_empty() {
            say(format_args!(
                "settings   not written, since this node has its own; the original's would be:"
            ))?;
            say(carried.to_toml().trim())?;
        }
        let taken = take(home, command, &judged)?;
        let Taken { identities, orders, learnt, known } = taken;
        say(format_args!(
            "taken over {identities} identities and {orders} orders, into {}; more is known of {learnt}; {known} were there",
            home.original().display()
        ))?;
    }
    let damaged = not_taken(&judged, &read.left, &carried)?;
    if !command.check {
        say(
            "back it up: no log and no mirror has original.json; then destroy the original's home, whose seeds lie open",
        )?;
    }
    let differs = judged.checked(Check::Differs).next().is_some();
    Ok(if damaged || differs { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The original's home must not be ours: both were `~/.milagro` by default.
fn apart(from: &Path, to: &Path) -> anyhow::Result<()> {
    let real = |path: &Path| std::fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    let (from, to) = (real(from)?, real(to)?);
    if from.starts_with(&to) || to.starts_with(&from) {
        bail!(
            "{} is the original's home, which is not changed: say where this node's is to be, as --home ~/.dta; then MILAGRO_HOME, or --home, \
             names it for every command",
            from.display()
        );
    }
    Ok(())
}

fn answers(file: Option<&Path>) -> anyhow::Result<BTreeMap<String, Answer>> {
    let Some(path) = file else { return Ok(BTreeMap::new()) };
    let named = || format!("{}", path.display());
    let bytes = std::fs::metadata(path).with_context(named)?.len();
    if bytes > ANSWERS_BYTES {
        bail!(
            "{}: has {bytes} bytes; at most {ANSWERS_BYTES} are read: split it, and run this with each",
            path.display()
        );
    }
    let bytes = std::fs::read(path).with_context(named)?;
    dta_original::answers::parse(&bytes).with_context(named)
}

/// What is there.
fn found(from: &Path, settings: &Settings, judged: &Judged) -> anyhow::Result<()> {
    let name = settings.node_name().map_or_else(|| "without a name".to_owned(), plain);
    let id = settings.node_id().map_or_else(|| "none".to_owned(), plain);
    say(format_args!("original   {}: {name}, node ID {id}", from.display()))?;
    for (cid, name, of_node, key) in judged.identities() {
        let node = if of_node { ", the node's own" } else { "" };
        let name: String = plain(name).chars().take(64).collect();
        say(format_args!("identity   {}{node}: EC key {key} {name}", plain(cid)))?;
    }
    let count = |check| judged.checked(check).count();
    say(format_args!(
        "orders     {} with their seeds: {} give the commitment that the client has, {} with an EC key here added; {} are an addend of it; {} unchecked; {} \
         give another",
        judged.orders(),
        count(Check::Matches),
        count(Check::Sum),
        count(Check::OtherAddend),
        count(Check::Unchecked),
        count(Check::Differs),
    ))?;
    if count(Check::Unchecked) > 0 {
        say(
            "unchecked  the home has no copy of any commitment but in sealed documents; --answers FILE has what clients were answered",
        )?;
    }
    Ok(())
}

/// A node for what is taken over, with the original's name and settings.
fn new_node(
    home: &Home,
    command: &ImportCommand,
    (settings, carried): (&Settings, &Carried),
    plugins: &Registry,
) -> anyhow::Result<()> {
    let name = command.name.as_deref().or(settings.node_name()).unwrap_or("milagro-dta").to_owned();
    if let Err(error) = check_name(&name) {
        bail!("{error}: the original's name cannot be this node's; give another by --name");
    }
    make_private_folder(&home.root).with_context(|| format!("{}", home.root.display()))?;
    if home.config().exists() {
        say(format_args!("settings   {} is there and stays as it is", home.config().display()))?;
    } else if !carried.settings.is_empty() {
        let toml = format!("{TEMPLATE}\n# Taken over from the original:\n{}", carried.to_toml());
        files::write_new(&home.config(), toml.as_bytes())
            .with_context(|| format!("{}", home.config().display()))?;
        Config::read(home)?;
        say(format_args!(
            "settings   {} of the original's are in {}",
            carried.settings.len(),
            home.config().display()
        ))?;
    }
    let (passphrase, passphrase_file) = (command.passphrase, command.passphrase_file.clone());
    init::run(
        home,
        &InitCommand { name: Some(name), passphrase, passphrase_file, ..InitCommand::default() },
        plugins,
    )
}

fn take(home: &Home, command: &ImportCommand, judged: &Judged) -> anyhow::Result<Taken> {
    let _lock = HomeLock::acquire(home)?;
    let config = Config::read(home)?;
    let keystore = Keystore::read(&home.seed_file())?;
    let seed: Secret<32> =
        keystore.unlock(&protection(&config, home, &keystore, command.passphrase_file.as_deref())?)?;
    let mut original = open_or_new(home, &seed)?;
    let taken =
        original.take(judged, &mut OsEntropy).with_context(|| format!("{}", home.original().display()))?;
    if taken != (Taken { known: taken.known, ..Taken::default() }) {
        save(home, &original)?;
    }
    Ok(taken)
}

/// What is not taken over, a line each; says whether any of it is damage.
fn not_taken(judged: &Judged, left: &[Left], carried: &Carried) -> anyhow::Result<bool> {
    for reference in judged.checked(Check::Differs) {
        say(format_args!(
            "differs    {}: its seed gives another commitment than its client has",
            plain(reference)
        ))?;
    }
    for reference in &judged.elsewhere {
        say(format_args!("not taken  order {}: no seed: its fiduciary was another node", plain(reference)))?;
    }
    for reference in &judged.unknown {
        say(format_args!("not taken  the answer about order {}: there is no such order", plain(reference)))?;
    }
    for told in left {
        say(format_args!("not taken  {}", plain(&told.to_string())))?;
    }
    for told in &carried.told {
        say(format_args!("not taken  {}", plain(told)))?;
    }
    say("not taken  SIKE and BLS keys: SIKE is broken, and BLS keys are of another form here")?;
    say(
        "not taken  identity documents and CIDs: this node has an identity of its own, which others must pin",
    )?;
    say(
        "not taken  orders' documents, with beneficiaries, coins and the principal's addends: on IPFS or a chain, sealed by SIKE",
    )?;
    Ok(left.iter().any(Left::is_damage))
}
