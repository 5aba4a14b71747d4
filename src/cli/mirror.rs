//! `dta mirror follow`, `unfollow`, `list`, `check`: copies of chains, asked for and checked at a running node.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::json;

use super::api::{Answer, Api, AtNode};
use super::{plain, say};
use crate::home::Home;

/// What to do, and at which node.
#[derive(Debug, Args)]
pub struct MirrorCommand {
    #[command(flatten)]
    at: AtNode,
    /// Print the node's answers as they came, in JSON, each on a line
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Keep a full copy of another node's chain: all that its log publishes, which only its owner can read
    Follow {
        /// The CID of the node's own identity, which is pinned, or the URL that it is pinned with
        peer: String,
    },
    /// Copy no more of it; the blocks stay, and to follow it again is to begin anew
    Unfollow {
        /// As for `follow`
        peer: String,
    },
    /// Show whose chains are copied here, up to which checkpoint, how many blocks, and what keeps it from going on
    List,
    /// Have another node prove that it holds this one's chain; the exit status is 1 unless it proves each block
    Check {
        /// The other node, as for `follow`
        peer: String,
        /// How many blocks, drawn at random: 1 to 1000; all, if there are no more
        #[arg(long, default_value_t = 64)]
        samples: u64,
    },
}

#[derive(Deserialize)]
struct Named {
    #[serde(rename = "idDocumentCID")]
    cid: String,
}

#[derive(Deserialize)]
struct Mirror {
    following: Vec<Followed>,
}

#[derive(Deserialize)]
struct Followed {
    #[serde(rename = "idDocumentCID")]
    cid: String,
    number: Option<u64>,
    size: Option<u64>,
    blocks: u64,
    trouble: Option<String>,
}

#[derive(Deserialize)]
struct Checked {
    number: u64,
    newest: Option<u64>,
    held: usize,
    missing: Vec<String>,
    lying: Vec<String>,
    unanswered: Vec<String>,
}

/// Does it.
///
/// # Errors
/// The node refuses, or is not there.
pub fn run(home: &Home, command: &MirrorCommand) -> anyhow::Result<ExitCode> {
    let api = Api::of(home, &command.at)?;
    let post = |path: &str, body| api.post(path, &body, None);
    match &command.what {
        What::Follow { peer } => {
            tell("follows", &post("/v1/mirror/follow", json!({ "peer": peer }))?, command.json)?;
        }
        What::Unfollow { peer } => {
            let answer = post("/v1/mirror/unfollow", json!({ "peer": peer }))?;
            tell("follows no more", &answer, command.json)?;
        }
        What::List => list(&api.get("/v1/mirror")?, command.json)?,
        What::Check { peer, samples } => {
            let answer = post("/v1/mirror/check", json!({ "peer": peer, "samples": samples }))?;
            return checked(&answer, command.json);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(done: &str, answer: &Answer, json: bool) -> anyhow::Result<()> {
    let Named { cid } = answer.read()?;
    if json { answer.print() } else { Ok(say(format_args!("{done} {}", plain(&cid)))?) }
}

fn list(answer: &Answer, json: bool) -> anyhow::Result<()> {
    if json {
        return answer.print();
    }
    let Mirror { following } = answer.read()?;
    for Followed { cid, number, size, blocks, trouble } in following {
        let whole = match (number, size) {
            (Some(number), Some(size)) => format!("checkpoint {number} of {size} records"),
            _ => "no checkpoint yet".to_owned(),
        };
        let trouble = trouble.map(|trouble| format!("  {}", plain(&trouble))).unwrap_or_default();
        say(format_args!("{}  {whole}  {blocks} blocks{trouble}", plain(&cid)))?;
    }
    Ok(())
}

fn checked(answer: &Answer, json: bool) -> anyhow::Result<ExitCode> {
    let Checked { number, newest, held, missing, lying, unanswered } = answer.read()?;
    if json {
        answer.print()?;
    } else {
        for (word, blocks) in [("missing", &missing), ("lying", &lying), ("unanswered", &unanswered)] {
            for cid in blocks {
                say(format_args!("{word}  {}", plain(cid)))?;
            }
        }
        let newest = newest.map_or("none".to_owned(), |newest| newest.to_string());
        say(format_args!(
            "held {held}, missing {}, lying {}, unanswered {}; up to checkpoint {number}, the newest is {newest}",
            missing.len(),
            lying.len(),
            unanswered.len()
        ))?;
    }
    let all = held > 0 && missing.is_empty() && lying.is_empty() && unanswered.is_empty();
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
