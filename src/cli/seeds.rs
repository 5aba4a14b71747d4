//! `dta seeds`: custody. `status`, `list`, `rotate`, `rewrap`, `verify` and `shred` ask a running node; `init` and `import` change the
//! files of one that is stopped; `export` reads them either way.

mod stopped;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::json;

use super::api::{Answer, Api, AtNode};
use super::progress::Progress;
use super::{plain, say};
use crate::home::Home;
use crate::node::make::Wanted;

/// How often a job is asked how far it is.
const ASK: Duration = Duration::from_millis(200);

/// What to do, and at which node.
#[derive(Debug, Args)]
pub struct SeedsCommand {
    #[command(flatten)]
    at: AtNode,
    /// Print the node's answers as they came, in JSON, each on a line
    #[arg(long, global = true)]
    json: bool,
    /// Read the passphrase of the node's seed from the first line of a file instead of the terminal
    #[arg(long, value_name = "FILE", global = true)]
    passphrase_file: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make the key encryption keys that the settings name and custody does not have yet, or adopt those that are there; the node
    /// must be stopped
    Init {
        /// Make this store, which the settings name anew; a store that was there before is restored instead
        #[arg(long, value_name = "NAME")]
        new: Vec<String>,
        /// Make it although orders have their seeds in none of the stores that are there
        #[arg(long, requires = "new")]
        accept_loss: bool,
    },
    /// Show each store, its copies and its key encryption keys, and how many seeds each opens
    Status,
    /// Show the orders whose seeds are here, with their commitments
    List,
    /// Make a new key encryption key for new seeds; the one before opens what it wrapped until `rewrap` is done
    Rotate {
        #[command(flatten)]
        of: Which,
        /// The key's label in its token, made or adopted; else one is made up
        #[arg(long, value_name = "LABEL")]
        key: Option<String>,
        /// The key of the second token
        #[arg(long)]
        second: bool,
    },
    /// Bring every seed under the key encryption keys in use; it goes on in the node if this is interrupted
    Rewrap,
    /// Open every seed and derive its key again, and compare orders and seeds; the exit status is 1 if anything is wrong
    Verify,
    /// Destroy the seed of an order that has ended, for good, in every copy
    Shred {
        /// The order: its reference, or the CID of its `order/placed`
        order: String,
    },
    /// Copy the wrapped seeds into a new folder; they can be opened with this node's seed and its key encryption keys only
    Export {
        #[command(flatten)]
        of: Which,
        /// A folder that does not exist yet, or is empty
        #[arg(short, long, value_name = "FOLDER")]
        output: PathBuf,
    },
    /// Take over the seeds of an export that are not here; the node must be stopped
    Import {
        #[command(flatten)]
        of: Which,
        /// What `export` made, or any copy
        #[arg(value_name = "FOLDER")]
        from: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Which {
    /// Of several stores, which one
    #[arg(long, value_name = "NAME")]
    store: Option<String>,
}

#[derive(Deserialize)]
struct Seeds {
    stores: Vec<Store>,
    job: Option<Job>,
}

#[derive(Deserialize)]
struct Store {
    name: String,
    default: bool,
    used: u32,
    free: u32,
    shredded: u32,
    damaged: Vec<u32>,
    conflicts: Vec<String>,
    doubled: Doubled,
    copies: Vec<Copy>,
    keks: Vec<Kek>,
}

#[derive(Deserialize)]
struct Doubled {
    orders: u32,
    told: Vec<String>,
}

#[derive(Deserialize)]
struct Copy {
    folder: String,
    trouble: Option<String>,
}

#[derive(Deserialize)]
struct Kek {
    id: String,
    kind: String,
    role: String,
    token: String,
    key: String,
    seeds: u32,
    trouble: Option<String>,
}

#[derive(Deserialize)]
struct Job {
    kind: String,
    done: u32,
    left: Option<u32>,
    ended: bool,
    trouble: Option<String>,
    faults: u32,
    told: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(rename = "orderCID")]
    order: String,
    fault: String,
}

#[derive(Deserialize)]
struct List {
    seeds: Vec<Listed>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "orderCID")]
    order: String,
    commitment: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reconciliation {
    seeds_without_order: u64,
    orders_without_seed: u64,
    named: Vec<Odd>,
}

#[derive(Deserialize)]
struct Odd {
    #[serde(rename = "orderCID")]
    order: String,
    lacks: String,
}

/// Does it.
///
/// # Errors
/// The node refuses, or is not there; or the home does not open.
pub fn run(home: &Home, command: &SeedsCommand) -> anyhow::Result<ExitCode> {
    match &command.what {
        What::Init { new, accept_loss } => {
            stopped::init(home, command, &Wanted { new, accept_loss: *accept_loss })?;
        }
        What::Export { of, output } => stopped::export(home, of.store.as_deref(), output)?,
        What::Import { of, from } => stopped::import(home, command, of.store.as_deref(), from)?,
        asked => return ask(&Api::of(home, &command.at)?, asked, command),
    }
    Ok(ExitCode::SUCCESS)
}

fn ask(api: &Api, what: &What, command: &SeedsCommand) -> anyhow::Result<ExitCode> {
    let in_json = command.json;
    match what {
        What::Status => {
            let answer = api.get("/v1/seeds")?;
            if in_json { said(&answer)? } else { status(&answer.read()?)? }
        }
        What::List => list(api, in_json)?,
        What::Rotate { of: Which { store }, key, second } => {
            let role = if *second { "second" } else { "first" };
            let answer =
                api.post("/v1/seeds/rotate", &json!({ "store": store, "role": role, "key": key }), None)?;
            if in_json {
                said(&answer)?;
            } else {
                let kek: Kek = answer.read()?;
                let of = store.as_ref().map_or_else(String::new, |store| format!(" of store {store}"));
                say(format_args!("new seeds{of} are wrapped under {}", kek_line(&kek)))?;
                say("bring the others under it with `dta seeds rewrap`")?;
            }
        }
        What::Rewrap => {
            api.post("/v1/seeds/rewrap", &json!({}), None)?;
            let job = follow(api, "rewrapped")?;
            say(format_args!("{} seeds wrapped anew", job.done))?;
            if job.faults > 0 {
                say(format_args!("{} seeds could not be: `dta seeds verify` says which", job.faults))?;
                return Ok(ExitCode::FAILURE);
            }
        }
        What::Verify => return verify(api),
        What::Shred { order } => {
            let answer = api.post(&format!("/v1/order/{order}/shred"), &json!({}), None)?;
            if in_json {
                said(&answer)?
            } else {
                say(format_args!("the seed of {} is destroyed", plain(order)))?
            }
        }
        What::Init { .. } | What::Export { .. } | What::Import { .. } => bail!("not asked of a node"),
    }
    Ok(ExitCode::SUCCESS)
}

fn said(answer: &Answer) -> anyhow::Result<()> {
    Ok(say(String::from_utf8_lossy(&answer.body))?)
}

fn status(seeds: &Seeds) -> anyhow::Result<()> {
    for store in &seeds.stores {
        if seeds.stores.len() > 1 {
            let new = if store.default { "; new seeds go there" } else { "" };
            say(format_args!("store    {}{new}", plain(&store.name)))?;
        }
        status_of(store)?;
    }
    if let Some(job) = &seeds.job {
        let left = job.left.map_or_else(String::new, |left| format!(", {left} left"));
        let how = match (&job.trouble, job.ended) {
            (Some(trouble), _) => plain(trouble),
            (None, true) => "done".to_owned(),
            (None, false) => "under way".to_owned(),
        };
        say(format_args!("job      {}: {} seeds{left}; {how}", plain(&job.kind), job.done))?;
    }
    Ok(())
}

fn status_of(store: &Store) -> anyhow::Result<()> {
    let Store { used, free, shredded, .. } = store;
    say(format_args!("seeds    {used}; {shredded} shredded, {free} free slots"))?;
    for Copy { folder, trouble } in &store.copies {
        let how = trouble.as_deref().map_or_else(|| "whole".to_owned(), plain);
        say(format_args!("copy     {}  {how}", plain(folder)))?;
    }
    for kek in &store.keks {
        let how = kek.trouble.as_deref().map_or_else(|| "ready".to_owned(), plain);
        say(format_args!("KEK      {:<8} opens {} seeds: {}  {how}", kek.role, kek.seeds, kek_line(kek)))?;
    }
    unreadable(store)
}

/// What no copy, or not every copy alike, can tell.
fn unreadable(store: &Store) -> anyhow::Result<()> {
    for slot in &store.damaged {
        say(format_args!("damaged  slot {slot} of {}, in every copy", plain(&store.name)))?;
    }
    for order in &store.conflicts {
        say(format_args!("conflict {}: its copies in {} disagree", plain(order), plain(&store.name)))?;
    }
    for order in &store.doubled.told {
        say(format_args!(
            "conflict {}: {} and another store have a seed of it",
            plain(order),
            plain(&store.name)
        ))?;
    }
    let more = (store.doubled.orders as usize).saturating_sub(store.doubled.told.len());
    if more > 0 {
        say(format_args!(
            "conflict {more} more orders have a seed in {} and in another store",
            plain(&store.name)
        ))?;
    }
    Ok(())
}

fn kek_line(kek: &Kek) -> String {
    let Kek { id, kind, token, key, .. } = kek;
    let short = id.get(..8).unwrap_or(id);
    match token.is_empty() {
        true => format!("{short} {}", plain(kind)),
        false => format!("{short} {}, key {} in the token with {}", plain(kind), plain(key), plain(token)),
    }
}

fn list(api: &Api, in_json: bool) -> anyhow::Result<()> {
    let mut after = String::new();
    loop {
        let answer = api.get(&format!("/v1/seeds/list{after}"))?;
        let List { seeds, next } = answer.read()?;
        if in_json {
            said(&answer)?;
        } else {
            for Listed { order, commitment } in &seeds {
                say(format_args!("{} {}", plain(order), plain(commitment)))?;
            }
        }
        match next {
            Some(next) => after = format!("?after={next}"),
            None => return Ok(()),
        }
    }
}

/// Shows how far a job is, until it has ended.
fn follow(api: &Api, name: &'static str) -> anyhow::Result<Job> {
    let mut progress = Progress::counting(name, "seeds");
    let mut told = None;
    loop {
        let Seeds { stores, job } = api.get("/v1/seeds")?.read()?;
        let job = job.context("the node has forgotten the job: it was started anew; run this again")?;
        if job.ended {
            progress.finish();
            return Ok(job);
        }
        if job.trouble.is_some() && job.trouble != told {
            eprintln!("it waits: {}", plain(job.trouble.as_deref().unwrap_or_default()));
            told.clone_from(&job.trouble);
        }
        let all = stores.iter().map(|store| store.used).sum();
        let of = job.left.filter(|_| stores.len() == 1).map_or(all, |left| job.done.saturating_add(left));
        progress.show(job.done.into(), of.into());
        // People watch this; the node is not waited on otherwise.
        std::thread::sleep(ASK);
    }
}

fn verify(api: &Api) -> anyhow::Result<ExitCode> {
    api.post("/v1/seeds/verify", &json!({}), None)?;
    let job = follow(api, "verified")?;
    for Fault { order, fault } in &job.told {
        say(format_args!("seed     {}: {}", plain(order), plain(fault)))?;
    }
    let seeds: Seeds = api.get("/v1/seeds")?.read()?;
    let mut faults = u64::from(job.faults);
    for store in &seeds.stores {
        unreadable(store)?;
        faults += (store.damaged.len() + store.conflicts.len()) as u64 + u64::from(store.doubled.orders);
    }
    let odd: Reconciliation = api.get("/v1/seeds/reconciliation")?.read()?;
    for Odd { order, lacks } in &odd.named {
        match lacks.as_str() {
            "order" => say(format_args!("seed     {}: the log has no such order", plain(order)))?,
            _ => say(format_args!("order    {}: custody has no seed for it", plain(order)))?,
        }
    }
    faults += odd.seeds_without_order + odd.orders_without_seed;
    say(format_args!(
        "{} seeds opened and derived; {faults} faults, {} seeds without their order, {} orders without their seed",
        job.done, odd.seeds_without_order, odd.orders_without_seed
    ))?;
    Ok(if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
