//! `dta init`: makes a node.

use std::io::{self, BufRead, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, bail};
use clap::Args;
use dta_plugins::Registry;
use dta_protocol::Cid;

use super::plugin::is_known;
use super::say;
use super::unlock::passphrase;
use crate::actors::peers::PeerUrl;
use crate::config::{NewNode, Origin, Plugin, Settings};
use crate::home::Home;
use crate::keystore::{Keystore, Passphrase, Protection, ProtectionKind};
use crate::node::custody::place;
use crate::node::initialise;
use crate::ports::SystemClock;

/// What a node is called that nobody names.
const NAME: &str = "milagro-dta";

/// What may be said of a new node.
#[derive(Debug, Default, Args)]
pub struct InitCommand {
    /// What the node calls itself, for people: 1 to 128 bytes [default: milagro-dta]
    #[arg(long, visible_alias = "nodename")]
    pub(super) name: Option<String>,
    /// Make it a principal whose orders' keys this fiduciary keeps
    #[arg(long, value_name = "CID,URL")]
    pub(super) masterfiduciarynode: Option<MasterFiduciary>,
    /// The plugin [default: milagro]
    #[arg(long, value_name = "PLUGIN")]
    pub(super) service: Option<Plugin>,
    /// Ask for these at the terminal
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true",
        hide_default_value = true,
        value_parser = go_bool
    )]
    pub(super) interactive: bool,
    /// Seal the node's seed under a passphrase instead of a key file; the daemon then needs it at every start
    #[arg(long)]
    pub(super) passphrase: bool,
    /// Read the passphrase from the first line of a file instead of the terminal
    #[arg(long, value_name = "FILE")]
    pub(super) passphrase_file: Option<PathBuf>,
}

/// `CID,URL`: who keeps the keys, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MasterFiduciary {
    cid: Cid,
    url: PeerUrl,
}

impl FromStr for MasterFiduciary {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<_> = text.split(',').collect();
        let [cid, url] = parts[..] else {
            return Err(
                "must be a CID and a URL with a comma between, as bafy…,https://bob.example".to_owned()
            );
        };
        let url = url.trim().parse::<PeerUrl>().map_err(|error| error.to_string())?;
        Ok(Self { cid: fiduciary(cid)?, url })
    }
}

fn fiduciary(text: &str) -> Result<Cid, String> {
    text.trim().parse().map_err(|error| {
        format!("{error}; it is the CID that `dta identity show` says at the fiduciary's; the original's identities (Qm…) are none")
    })
}

/// What Go's flags take for a truth value.
fn go_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

/// Makes it and says who it is.
///
/// # Errors
/// There is a node already, the settings that are there say otherwise, or a file cannot be written.
pub fn run(home: &Home, command: &InitCommand, plugins: &Registry) -> anyhow::Result<()> {
    let settings = Settings::gather(home, std::env::vars_os())?;
    let mut told = Told::of(command, &settings);
    if command.interactive && !home.is_initialised() {
        if !io::stdin().is_terminal() {
            bail!(
                "-interactive asks at a terminal, and standard input is none: give -nodename, -masterfiduciarynode and -service instead"
            );
        }
        told.ask(&mut io::stdin().lock(), &mut io::stderr())?;
    }
    is_known(told.plugin.as_ref().unwrap_or(&settings.config.node.plugin), plugins)?;
    let new = told.new_node();
    if !home.is_initialised() {
        agree(&settings, &new)?;
    }
    // An imported seed is opened as it was sealed.
    let kind = match Keystore::read(&home.seed_file()) {
        Ok(imported) => imported.kind(),
        Err(_) if command.passphrase || command.passphrase_file.is_some() => ProtectionKind::Passphrase,
        Err(_) if settings.config.keystore.token.is_some() => ProtectionKind::Token,
        Err(_) => ProtectionKind::KeyFile,
    };
    let in_token = match (kind, &settings.config.keystore.token) {
        (ProtectionKind::Token, Some(key)) => Some(place(home, key)?),
        (ProtectionKind::Token, None) => {
            bail!("the node's seed is under a key in a token: name that token in [keystore.token]")
        }
        _ => None,
    };
    let typed: Option<Passphrase> = match kind {
        ProtectionKind::Passphrase if !home.is_initialised() => {
            Some(passphrase(command.passphrase_file.as_deref(), !home.seed_file().exists())?)
        }
        _ => None,
    };
    let made = initialise(
        home,
        &told.name,
        &new.written(),
        |config| match (typed, in_token) {
            (Some(passphrase), _) => Protection::Passphrase(passphrase),
            (None, Some(place)) => Protection::Token(place),
            (None, None) => Protection::KeyFile(config.key_file(home)),
        },
        &SystemClock::default(),
    )?;
    say(format_args!("node {}", made.identity))?;
    say(format_args!("home {}", home.root.display()))?;
    let seed = if made.imported { "imported, and" } else { "made, and" };
    let under = match kind {
        ProtectionKind::Passphrase => "a passphrase",
        ProtectionKind::Token => "a key in a token: without that token the words are the only way to open it",
        ProtectionKind::KeyFile => {
            "a key file; keep the key on another medium than the home if the disk may be stolen"
        }
    };
    say(format_args!("seed {seed} sealed under {under}"))?;
    say(format_args!("back it up with `dta identity seed export`, then start with `dta daemon`"))?;
    if let Some(MasterFiduciary { cid, url }) = &told.fiduciary {
        say(format_args!("fiduciary {cid}"))?;
        say(format_args!(
            "once the daemon runs, pin it: `dta peer pin fiduciary.id --url {url}`, with the file that `dta identity export -o fiduciary.id` makes there"
        ))?;
    }
    Ok(())
}

/// What is said of a new node, by options, by the original's file and by answers.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    name: String,
    fiduciary: Option<MasterFiduciary>,
    plugin: Option<Plugin>,
}

impl Told {
    fn of(command: &InitCommand, settings: &Settings) -> Self {
        let name = command.name.clone().or_else(|| settings.name.clone());
        Self {
            name: name.unwrap_or_else(|| NAME.to_owned()),
            fiduciary: command.masterfiduciarynode.clone(),
            plugin: command.service.clone(),
        }
    }

    fn new_node(&self) -> NewNode {
        NewNode {
            fiduciary: self.fiduciary.as_ref().map(|fiduciary| fiduciary.cid),
            plugin: self.plugin.clone(),
        }
    }

    /// Asks for all of it; an empty answer is what stands in brackets.
    fn ask(&mut self, input: &mut dyn BufRead, output: &mut dyn Write) -> anyhow::Result<()> {
        let mut asked = Asked { input, output };
        self.name = asked.answer("The node's name", &self.name, |answer| {
            dta_events::identity::check_name(answer)
                .map(|()| answer.to_owned())
                .map_err(|error| error.to_string())
        })?;
        let given = self.fiduciary.as_ref().map_or(String::new(), |given| given.cid.to_string());
        let cid = asked.answer(
            "The CID of its master fiduciary, or - if it keeps the keys itself",
            or_dash(&given),
            |answer| {
                if answer == "-" { Ok(None) } else { fiduciary(answer).map(Some) }
            },
        )?;
        let given = self.fiduciary.as_ref().map_or("", |given| given.url.as_str());
        self.fiduciary = match cid {
            None => None,
            Some(cid) => {
                let url = asked.answer("Where that one serves, as https://bob.example", given, |answer| {
                    answer.parse::<PeerUrl>().map_err(|error| error.to_string())
                })?;
                Some(MasterFiduciary { cid, url })
            }
        };
        let given = self.plugin.clone().unwrap_or_default();
        let question = "The plugin: milagro, (b)itcoinwallet or (s)afeguardsecret";
        self.plugin = Some(asked.answer(question, given.as_str(), |answer| match answer {
            "b" | "B" => "bitcoinwallet".parse(),
            "s" | "S" => "safeguardsecret".parse(),
            other => other.parse(),
        })?);
        Ok(())
    }
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// Who asks, and who answers.
struct Asked<'a> {
    input: &'a mut dyn BufRead,
    output: &'a mut dyn Write,
}

impl Asked<'_> {
    /// Asks until the answer is usable.
    fn answer<T>(
        &mut self,
        question: &str,
        default: &str,
        judge: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        loop {
            let brackets = if default.is_empty() { String::new() } else { format!(" [{default}]") };
            write!(self.output, "{question}{brackets}: ")?;
            self.output.flush()?;
            let mut line = String::new();
            if self.input.read_line(&mut line).context("the answer")? == 0 {
                bail!("there is no answer: nothing was made");
            }
            let answer = if line.trim().is_empty() { default } else { line.trim() };
            match judge(answer) {
                Ok(value) => return Ok(value),
                Err(why) => writeln!(self.output, "{why}")?,
            }
        }
    }
}

/// Settings that are there already must say the same: they are not overwritten.
fn agree(settings: &Settings, new: &NewNode) -> anyhow::Result<()> {
    let shown = settings.shown();
    for (key, value) in new.says() {
        let path = format!("node.{key}");
        let said = shown.iter().find(|shown| shown.key == path);
        if said.is_some_and(|said| said.value == *value) {
            continue;
        }
        if let Some(Origin::Environment(name)) = said.map(|said| &said.from) {
            bail!(
                "environment variable {name} says otherwise, and would override `{key} = \"{value}\"` in config.toml: unset it"
            );
        }
        if let Some(file) = &settings.file {
            let yaml = file.extension() == Some(Path::new("yaml").as_os_str());
            let remedy = if yaml { "move it away, or leave the option out" } else { "say it there" };
            bail!(
                "{} is there already, and does not say `{key} = \"{value}\"` under [node]: {remedy}",
                file.display()
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
