//! `dta peer`: whom this node trusts, and where they serve.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use dta_protocol::Cid;
use serde::Deserialize;
use serde_json::json;

use super::api::{Answer, Api, AtNode};
use super::{plain, say};
use crate::home::Home;
use crate::time::rfc3339;

/// The largest file that is posted as a document: that of any block.
const DOCUMENT_BYTES_MAX: u64 = 64 << 10;
/// Pins asked for at once.
const PER_PAGE: usize = 1_000;

/// What to do, and at which node.
#[derive(Debug, Args)]
pub struct PeerCommand {
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
    /// Trust an identity; a pin set before gets this URL, or none
    Pin {
        /// Its document as `dta identity export` writes it, or its CID if this node knows it
        #[arg(value_name = "FILE|CID")]
        identity: String,
        /// Where its node serves other nodes, as `https://bob.example`; without it, it is not called
        #[arg(long)]
        url: Option<String>,
    },
    /// Trust an identity no more
    Unpin {
        /// Which
        cid: Cid,
    },
    /// Show who is trusted, the newest first; in JSON a line for each 1,000 pins
    List,
}

#[derive(Deserialize)]
struct Named {
    #[serde(rename = "idDocumentCID")]
    cid: String,
}

#[derive(Deserialize)]
struct List {
    #[serde(rename = "peerList")]
    list: Vec<Peer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Peer {
    #[serde(rename = "idDocumentCID")]
    cid: String,
    #[serde(rename = "authenticationReference")]
    name: String,
    url: Option<String>,
    pinned_at: u64,
}

/// Does it.
///
/// # Errors
/// The node refuses, or is not there.
pub fn run(home: &Home, command: &PeerCommand) -> anyhow::Result<ExitCode> {
    let api = Api::of(home, &command.at)?;
    match &command.what {
        What::Pin { identity, url } => {
            let body = match identity.parse::<Cid>() {
                Ok(cid) => json!({ "idDocumentCID": cid.to_string(), "url": url }),
                Err(_) => json!({ "document": document(Path::new(identity))?, "url": url }),
            };
            tell("pinned", &api.post("/v1/peer", &body, None)?, command.json)?;
        }
        What::Unpin { cid } => {
            tell("unpinned", &api.delete(&format!("/v1/peer/{cid}"))?, command.json)?;
        }
        What::List => list(&api, command.json)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(done: &str, answer: &Answer, json: bool) -> anyhow::Result<()> {
    let Named { cid } = answer.read()?;
    if json { answer.print() } else { Ok(say(format_args!("{done} {}", plain(&cid)))?) }
}

fn document(path: &Path) -> anyhow::Result<String> {
    let named = || format!("{}: is no CID, and as a file", path.display());
    let bytes = std::fs::metadata(path).with_context(named)?.len();
    if bytes > DOCUMENT_BYTES_MAX {
        bail!("{}: a document has at most {DOCUMENT_BYTES_MAX} bytes, this file {bytes}", path.display());
    }
    Ok(STANDARD.encode(std::fs::read(path).with_context(named)?))
}

fn list(api: &Api, json: bool) -> anyhow::Result<()> {
    for page in 0u64.. {
        let answer = api.get(&format!("/v1/peer?page={page}&perPage={PER_PAGE}"))?;
        let List { list } = answer.read()?;
        if json {
            answer.print()?;
        } else {
            for peer in &list {
                let since = rfc3339(peer.pinned_at.saturating_mul(1_000));
                let url = peer.url.as_deref().map_or("-".to_owned(), plain);
                say(format_args!("{}  {since}  {url}  {}", plain(&peer.cid), plain(&peer.name)))?;
            }
        }
        if list.len() < PER_PAGE {
            break;
        }
    }
    Ok(())
}
