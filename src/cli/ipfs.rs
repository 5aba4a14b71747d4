//! `dta ipfs`: who the node is on IPFS, the key of a private network, and blocks fetched from one peer, as an auditor would.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use dta_crypto::Secret;
use dta_protocol::{Cid, Codec, Envelope, Identity};

use super::say;
use super::unlock::protection;
use crate::actors::network::Network;
use crate::config::{Config, Connector};
use crate::home::Home;
use crate::keystore::Keystore;
use crate::node::open::{identity_of, libp2p_key};
use crate::node::publishing;
use crate::ports::OsEntropy;
use crate::time::rfc3339;
use dta_ipfs::address::peer;
use dta_ipfs::embedded::{Settings, peer_id};
use dta_ipfs::{Embedded, SwarmKey};

/// What to do.
#[derive(Debug, Subcommand)]
pub enum IpfsCommand {
    /// Print the node's IPFS peer id and its identity; the daemon need not run
    Id(IdCommand),
    /// Print a new private network's key: save it as swarm.key on each of its nodes, readable to nobody else
    SwarmKey,
    /// Fetch one block from one peer, check it against its CID, and print what it is
    Get(GetCommand),
}

/// How the seed is opened.
#[derive(Debug, Args)]
pub struct IdCommand {
    /// Read the passphrase from the first line of a file instead of the terminal
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// What is fetched, and from whom.
#[derive(Debug, Args)]
pub struct GetCommand {
    /// The block
    cid: Cid,
    /// Who has it, as its status names it: /ip4/…/tcp/…/p2p/…; nobody else is dialled
    #[arg(long, value_name = "MULTIADDR")]
    peer: dta_ipfs::Multiaddr,
    /// The private network's key
    #[arg(long, value_name = "FILE")]
    swarm_key: Option<PathBuf>,
    /// Write the block's bytes there instead of saying what it is
    #[arg(short, long, value_name = "FILE", conflicts_with = "follow")]
    output: Option<PathBuf>,
    /// Go on with what the envelope answers, back to the first
    #[arg(long)]
    follow: bool,
    /// How long to wait for each block, the connection included
    #[arg(long, default_value_t = 10_000, value_name = "MS")]
    timeout_ms: u64,
}

/// Does it.
///
/// # Errors
/// For people to read.
pub fn run(home: &Home, command: &IpfsCommand) -> anyhow::Result<()> {
    match command {
        IpfsCommand::Id(unlock) => id(home, unlock),
        IpfsCommand::SwarmKey => {
            say(SwarmKey::random(&mut OsEntropy).text().trim_end())?;
            Ok(())
        }
        IpfsCommand::Get(command) => get(command),
    }
}

fn id(home: &Home, unlock: &IdCommand) -> anyhow::Result<()> {
    let config = Config::read(home)?;
    if config.ipfs.connector == Connector::Api {
        say(format_args!("peer {}", peer_beside(home, &config)?))?;
        say(format_args!("node {}", identity_of(home)?))?;
        return Ok(());
    }
    let keystore = Keystore::read(&home.seed_file())?;
    let seed = keystore.unlock(&protection(&config, home, &keystore, unlock.passphrase_file.as_deref())?)?;
    say(format_args!("peer {}", peer_id(&libp2p_key(&seed)).context("the key is none")?))?;
    say(format_args!("node {}", identity_of(home)?))?;
    Ok(())
}

/// The peer id of the node at `ipfs.api`, which must run.
fn peer_beside(home: &Home, config: &Config) -> anyhow::Result<String> {
    let network = Network::start()?;
    let standing = network.wait(publishing::api(config, home, &network)?.standing());
    network.stop();
    Ok(standing.context("the network threads have stopped")?.context("ipfs.api")?.peer_id)
}

fn get(command: &GetCommand) -> anyhow::Result<()> {
    let settings = Settings {
        folder: None,
        listen: Vec::new(),
        peers: vec![peer(&command.peer).context("--peer")?],
        swarm_key: command.swarm_key.as_deref().map(SwarmKey::read).transpose()?,
        key: Secret::random(&mut OsEntropy),
        source: None,
    };
    let network = Network::start()?;
    let node = network.wait(Embedded::start(settings, network.handle().clone()));
    let node = node.context("the network threads have stopped")??;
    let fetched = fetch(command, |cid| {
        let block = network.wait(node.get(cid, Duration::from_millis(command.timeout_ms)));
        Ok(block.context("the network threads have stopped")??)
    });
    network.wait(node.stop());
    network.stop();
    fetched
}

fn fetch(command: &GetCommand, get: impl Fn(Cid) -> anyhow::Result<Vec<u8>>) -> anyhow::Result<()> {
    let mut next = Some(command.cid);
    while let Some(cid) = next {
        let block = get(cid)?;
        if let Some(path) = &command.output {
            return std::fs::write(path, &block).with_context(|| format!("{}", path.display()));
        }
        if cid.codec() == Codec::Raw {
            say(format_args!("{cid} sealed body bytes={}", block.len()))?;
            return Ok(());
        }
        let envelope = Envelope::decode(&block).with_context(|| format!("block {cid}"))?;
        let statement = envelope.statement();
        let link = |cid: Option<Cid>| cid.map_or("none".to_owned(), |cid| cid.to_string());
        say(format_args!(
            "{cid} {} signer={} previous={} issued_at={} signature={}",
            statement.kind.as_str(),
            link(statement.signer),
            link(statement.previous),
            rfc3339(statement.issued_at_ms),
            signature(&envelope, &get)?,
        ))?;
        next = statement.previous.filter(|_| command.follow);
    }
    Ok(())
}

/// `valid`, if the peer has the signer's identity too; an envelope that its signer did not sign is an error.
fn signature(
    envelope: &Envelope,
    get: &impl Fn(Cid) -> anyhow::Result<Vec<u8>>,
) -> anyhow::Result<&'static str> {
    let cid = envelope.cid();
    match envelope.statement().signer {
        None => drop(Identity::decode(envelope.block()).with_context(|| format!("identity {cid}"))?),
        Some(signer) => {
            let Ok(block) = get(signer) else {
                return Ok("unchecked (the peer has no identity of its signer)");
            };
            let identity = Identity::decode(&block).with_context(|| format!("identity {signer}"))?;
            if envelope.clone().verify(&identity).is_err() {
                bail!("block {cid}: its signer did not sign it");
            }
        }
    }
    Ok("valid")
}
