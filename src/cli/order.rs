//! `dta order`: orders at a running node, over its API.

mod words;

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use dta_protocol::Cid;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::api::{Answer, Api, AtNode};
use super::{plain, say};
use crate::api::KEY_CHARS_MAX;
use crate::home::Home;
use crate::ports::{Entropy as _, OsEntropy};

/// Characters of an order's name: a CID has 59, a reference fewer.
const NAME_CHARS_MAX: usize = 128;

/// What to do, and at which node. Exit status: 0 done, 3 accepted and not finished, 1 refused or failed.
#[derive(Debug, Args)]
pub struct OrderCommand {
    #[command(flatten)]
    at: AtNode,
    /// Print the node's answer as it came, in JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Order a key pair from the node's fiduciary
    Place(Place),
    /// Ask for the release of the secret; it is shown if its beneficiary is hosted at the node
    Redeem(Redeem),
    /// Ask the fiduciary to close an order that is not released
    Cancel {
        /// Its reference, or the CID of its `placed` envelope
        #[arg(value_parser = order_name)]
        order: String,
        /// Why
        #[arg(long, default_value = "")]
        detail: String,
    },
    /// Say as its beneficiary that what was released is not the secret
    Dispute(One),
    /// Try again at once what waits for another node
    Retry(One),
    /// Show an order and what happened to it
    Show(One),
    /// Show the orders, the newest first
    List {
        /// Which page, from 0
        #[arg(long, default_value_t = 0)]
        page: u64,
        /// Orders a page, 1 to 1,000
        #[arg(long, default_value_t = 10)]
        per_page: u64,
        /// The oldest first
        #[arg(long)]
        oldest_first: bool,
    },
    /// Fetch what the fiduciaries of pinned peers have for beneficiaries hosted at the node
    Collect {
        /// From this one only
        #[arg(long, value_name = "CID")]
        from: Option<Cid>,
    },
}

#[derive(Debug, Args)]
struct One {
    /// Its reference, or the CID of its `placed` envelope
    #[arg(value_parser = order_name)]
    order: String,
}

#[derive(Debug, Args)]
struct Place {
    /// Who gets the secret; may be named at redemption instead
    #[arg(long, value_name = "CID")]
    beneficiary: Option<Cid>,
    #[command(flatten)]
    more: More,
    /// Not released before this time, in milliseconds since 1970 UTC
    #[arg(long, value_name = "MS")]
    not_before_ms: Option<u64>,
    /// Not released from this time on, in milliseconds since 1970 UTC
    #[arg(long, value_name = "MS")]
    expires_at_ms: Option<u64>,
    /// How long a released secret can be fetched again, in milliseconds; 0: for good
    #[arg(long, value_name = "MS")]
    retention_ms: Option<u64>,
}

#[derive(Debug, Args)]
struct Redeem {
    /// Its reference, or the CID of its `placed` envelope
    #[arg(value_parser = order_name)]
    order: String,
    /// Who gets the secret, if the order does not name one
    #[arg(long, value_name = "CID")]
    beneficiary: Option<Cid>,
    #[command(flatten)]
    more: More,
    /// Write the secret to this new file, readable by its owner alone, instead of showing it
    #[arg(short, long, value_name = "FILE", conflicts_with = "json")]
    output: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct More {
    /// For the fiduciary's plugin; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = extension)]
    extension: Vec<(String, String)>,
    /// The idempotency key: the same command under the same key is done once; a random one if none is given
    #[arg(long, value_name = "KEY", value_parser = idempotency_key)]
    key: Option<String>,
}

/// What stands in the path of a request.
fn order_name(text: &str) -> Result<String, String> {
    let fits = (1..=NAME_CHARS_MAX).contains(&text.len());
    if fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Ok(text.to_owned());
    }
    Err(format!("must be a reference or a CID: 1 to {NAME_CHARS_MAX} letters, digits and hyphens"))
}

fn idempotency_key(text: &str) -> Result<String, String> {
    if (1..=KEY_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err(format!("must be 1 to {KEY_CHARS_MAX} visible ASCII characters"))
}

fn extension(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl More {
    fn extension(&self) -> anyhow::Result<Value> {
        let mut all = Map::new();
        for (name, value) in &self.extension {
            if all.insert(name.clone(), value.clone().into()).is_some() {
                bail!("--extension: {} is there twice", plain(name));
            }
        }
        Ok(all.into())
    }

    /// The key, told before anything is sent: what gets no answer can be repeated.
    fn key(&self) -> String {
        let key = self.key.clone().unwrap_or_else(|| {
            let mut random = [0; 16];
            OsEntropy.fill(&mut random);
            hex::encode(random)
        });
        eprintln!("to repeat this and not do it twice, add --key {key}");
        key
    }
}

/// Does it.
///
/// # Errors
/// The node refuses, or is not there.
pub fn run(home: &Home, command: &OrderCommand) -> anyhow::Result<ExitCode> {
    let api = Api::of(home, &command.at)?;
    match &command.what {
        What::Place(one) => place(&api, one, command.json),
        What::Redeem(one) => redeem(&api, one, command.json),
        What::Cancel { order, detail } => {
            let path = format!("/v1/order/{order}/cancel");
            tell(api.post(&path, &json!({ "detail": detail }), None)?, command.json, words::state)
        }
        What::Dispute(One { order }) => {
            let path = format!("/v1/order/{order}/dispute");
            tell(api.post(&path, &json!({}), None)?, command.json, words::state)
        }
        What::Retry(One { order }) => {
            let path = format!("/v1/order/{order}/retry");
            tell(api.post(&path, &json!({}), None)?, command.json, words::state)
        }
        What::Show(One { order }) => show(&api, order, command.json),
        What::List { page, per_page, oldest_first } => {
            let sort = if *oldest_first { "dateCreatedAsc" } else { "dateCreatedDsc" };
            let path = format!("/v1/order?page={page}&perPage={per_page}&sortBy={sort}");
            tell(api.get(&path)?, command.json, words::list)
        }
        What::Collect { from } => {
            let from = json!({ "from": from.map(|from| from.to_string()) });
            let answer = api.post("/v1/order/collect", &from, None)?;
            let failed = words::failed(&answer.read()?);
            let done = tell(answer, command.json, words::collected)?;
            if failed.is_empty() { Ok(done) } else { bail!("not all could be asked:\n{}", failed.join("\n")) }
        }
    }
}

/// Prints an answer as it came, or in words.
fn tell(answer: Answer, json: bool, words: fn(&Value) -> Vec<String>) -> anyhow::Result<ExitCode> {
    if json {
        answer.print()?;
    } else {
        for line in words(&answer.read()?) {
            say(line)?;
        }
    }
    Ok(answer.exit())
}

fn place(api: &Api, place: &Place, json: bool) -> anyhow::Result<ExitCode> {
    let mut policy = Map::new();
    for (name, value) in [
        ("notBeforeMs", place.not_before_ms),
        ("expiresAtMs", place.expires_at_ms),
        ("retentionMs", place.retention_ms),
    ] {
        policy.extend(value.map(|value| (name.to_owned(), value.into())));
    }
    let body = json!({
        "beneficiaryIDDocumentCID": place.beneficiary.map(|cid| cid.to_string()),
        "extension": place.more.extension()?,
        "policy": policy,
    });
    let answer = api.post("/v1/order", &body, Some(&place.more.key()))?;
    if !answer.is_done() {
        eprintln!("the fiduciary has not answered yet; the order stands, and the node goes on asking");
    }
    tell(answer, json, words::placed)
}

/// The answer to a redemption, its secret not copied out of the bytes that wipe themselves.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Redeemed<'a> {
    secret: Option<&'a str>,
    commitment: Option<&'a str>,
    order_reference: Option<&'a str>,
    state: Option<&'a str>,
}

fn redeem(api: &Api, redeem: &Redeem, json: bool) -> anyhow::Result<ExitCode> {
    // Said before anything is asked; that it is made by nobody else meanwhile is seen when it is written.
    if let Some(path) = redeem.output.as_deref().filter(|path| path.symlink_metadata().is_ok()) {
        bail!("{}: is there already and is not overwritten", path.display());
    }
    let body = json!({
        "orderReference": redeem.order,
        "beneficiaryIDDocumentCID": redeem.beneficiary.map(|cid| cid.to_string()),
        "extension": redeem.more.extension()?,
    });
    let answer = api.post("/v1/order/secret", &body, Some(&redeem.more.key()))?;
    if json {
        answer.print()?;
        return Ok(answer.exit());
    }
    let said: Redeemed =
        serde_json::from_slice(&answer.body).context("the answer is not what a node answers")?;
    for (name, value) in
        [("order", said.order_reference), ("commitment", said.commitment), ("state", said.state)]
    {
        if let Some(value) = value {
            say(format_args!("{name} {}", plain(value)))?;
        }
    }
    match (said.secret.filter(|secret| !secret.is_empty()), &redeem.output) {
        (Some(secret), Some(path)) => {
            write_secret(path, secret).with_context(|| format!("{}", path.display()))?;
            say(format_args!("secret written to {}", path.display()))?;
        }
        (Some(secret), None) => say(format_args!("secret {secret}"))?,
        (None, _) if answer.is_done() => {
            eprintln!("released; the secret goes to its beneficiary, who is not hosted at this node");
        }
        (None, _) => eprintln!("asked for; the secret is not released yet"),
    }
    Ok(answer.exit())
}

fn write_secret(path: &Path, secret: &str) -> std::io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(secret.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// The order, then its history, page by page.
fn show(api: &Api, order: &str, json: bool) -> anyhow::Result<ExitCode> {
    tell(api.get(&format!("/v1/order/{order}"))?, json, words::order)?;
    let mut after = String::new();
    loop {
        let page = api.get(&format!("/v1/order/{order}/history{after}"))?;
        let next = page.read::<Value>()?.get("next").and_then(Value::as_u64);
        tell(page, json, words::history)?;
        match next {
            Some(next) => after = format!("?after={next}"),
            None => return Ok(ExitCode::SUCCESS),
        }
    }
}
