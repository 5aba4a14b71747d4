//! `dta recover`: a home that has a node's seed and nothing else becomes that node again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use dta_crypto::Secret;
use dta_ipfs::address::peer;
use dta_ipfs::embedded::Settings;
use dta_ipfs::{Embedded, Multiaddr, SwarmKey};
use dta_protocol::Cid;

use super::daemon::log_lines;
use super::progress::Progress;
use super::projection::rebuild;
use super::say;
use super::unlock::protection;
use crate::actors::follow::said::Said;
use crate::actors::log::RocksLog;
use crate::actors::network::Network;
use crate::actors::peers::{PeerClient, PeerUrl};
use crate::actors::views::Replay;
use crate::config::Config;
use crate::home::Home;
use crate::keystore::Keystore;
use crate::ports::{OsEntropy, SystemClock};
use crate::recovery::{Report, Sources, heads_of, recover};
use crate::time::rfc3339;

/// How long is waited for the first connection.
const CONNECT: Duration = Duration::from_secs(20);

/// Where it is recovered from.
#[derive(Debug, Args)]
pub struct RecoverCommand {
    /// A checkpoint of the node (its CID), or a node that mirrors it (its URL); more than one may be named
    #[arg(long = "from-ipfs", required = true, value_name = "CHECKPOINT|URL")]
    from: Vec<String>,
    /// An IPFS node that has the blocks: /ip4/…/tcp/…/p2p/…; a mirror that is named by its URL says where its own is
    #[arg(long, value_name = "MULTIADDR")]
    peer: Vec<Multiaddr>,
    /// A copy of the seeds in custody: a folder with seeds.dta; of several stores one for each, by its name, or STORE=none if it has
    /// none. Without it each open order of a fiduciary is custody-lost
    #[arg(long, value_name = "[STORE=]FOLDER")]
    seeds: Vec<String>,
    /// Go on although somebody has seen more of this node's log than is found, or seeds in custody cannot be read
    #[arg(long)]
    accept_loss: bool,
    /// How long to wait for each block
    #[arg(long, default_value_t = 10_000, value_name = "MS")]
    timeout_ms: u64,
    /// Read the passphrase from the first line of a file instead of the terminal
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// Recovers, and says what was.
///
/// # Errors
/// For people to read.
pub fn run(home: &Home, command: &RecoverCommand) -> anyhow::Result<()> {
    if home.is_initialised() {
        bail!("home {} holds a node already: nothing was changed", home.root.display());
    }
    if !home.seed_file().exists() {
        bail!(
            "home {} has no seed: run `dta identity seed import` with the node's 24 words first",
            home.root.display()
        );
    }
    let config = Config::read(home)?;
    // Who is passed over, and why.
    log_lines(&config.log)?;
    let keystore = Keystore::read(&home.seed_file())?;
    let seed = keystore.unlock(&protection(&config, home, &keystore, command.passphrase_file.as_deref())?)?;
    let network = Network::start()?;
    let (heads, peers) = named(command, &config, &network)?;
    let settings = Settings {
        folder: None,
        listen: Vec::new(),
        peers: peers.iter().map(peer).collect::<Result<_, _>>().context("--peer")?,
        swarm_key: config.swarm_key(home).map(|path| SwarmKey::read(&path)).transpose()?,
        key: Secret::random(&mut OsEntropy),
        source: None,
    };
    let exchange = network.wait(Embedded::start(settings, network.handle().clone()));
    let exchange = Arc::new(exchange.context("the network threads have stopped")??);
    connected(&exchange, &network)?;
    let sources = Sources {
        exchange: exchange.clone(),
        heads,
        timeout: Duration::from_millis(command.timeout_ms),
        seeds: copies_named(&command.seeds, &config)?,
        accept_loss: command.accept_loss,
    };
    let mut bars = Bars::default();
    let clock = Arc::new(SystemClock::default());
    let done = recover(home, &config, &seed, sources, (&network, clock), &mut |what, done, of| {
        bars.show(what, done, of);
    });
    bars.finish();
    network.wait(exchange.stop());
    network.stop();
    let report = done?;
    rebuild(&home.root, &[])?;
    tell(&report)?;
    digests(home, &report)
}

/// The folder of each store's copy, or that it has none; of a single store the name need not be said.
fn copies_named(named: &[String], config: &Config) -> anyhow::Result<BTreeMap<String, Option<PathBuf>>> {
    let names: Vec<String> = config.stores().into_iter().map(|store| store.name).collect();
    let mut copies = BTreeMap::new();
    for text in named {
        let by_name = text.split_once('=').filter(|(name, _)| names.iter().any(|known| known == name));
        let (store, folder) = match (by_name, names.as_slice()) {
            (Some(by_name), _) => by_name,
            (None, [single]) => (single.as_str(), text.as_str()),
            (None, several) => {
                bail!(
                    "--seeds {text}: there are several stores: say NAME=FOLDER, with one of {}",
                    several.join(", ")
                )
            }
        };
        let folder = (folder != "none").then(|| PathBuf::from(folder));
        ensure!(
            copies.insert(store.to_owned(), folder).is_none(),
            "--seeds: two folders for the store {store:?}"
        );
    }
    Ok(copies)
}

/// Checkpoints to begin from, and whom to connect to.
fn named(
    command: &RecoverCommand,
    config: &Config,
    network: &Network,
) -> anyhow::Result<(Vec<Cid>, Vec<Multiaddr>)> {
    let mut heads = Vec::new();
    let mut peers: Vec<Multiaddr> = command.peer.iter().chain(&config.ipfs.peers).cloned().collect();
    let client = Arc::new(PeerClient::new(Arc::new(SystemClock::default()), Box::new(OsEntropy))?);
    for from in &command.from {
        if let Ok(cid) = from.parse::<Cid>() {
            heads.push(cid);
            continue;
        }
        let url: PeerUrl =
            from.parse().with_context(|| format!("--from-ipfs {from}: neither a CID nor a URL"))?;
        let asking = client.clone();
        let mirror = network
            .wait(async move { Said::ask(&asking, &url).await })
            .context("the network threads have stopped")?;
        match mirror {
            Ok(mirror) => {
                heads.extend(heads_of(&mirror));
                peers.extend(mirror.ipfs.iter().filter_map(|address| address.parse::<Multiaddr>().ok()));
            }
            // Others may answer.
            Err(why) => tracing::warn!(from, %why, "this mirror is passed over"),
        }
    }
    if heads.is_empty() {
        bail!("none of those named has a checkpoint to begin from");
    }
    if peers.is_empty() {
        bail!("no IPFS node to fetch from: name one with --peer, or in ipfs.peers of config.toml");
    }
    Ok((heads, peers))
}

/// Waits until somebody is connected.
fn connected(exchange: &Arc<Embedded>, network: &Network) -> anyhow::Result<()> {
    let exchange = exchange.clone();
    let connected = async move {
        loop {
            match exchange.standing().await {
                Ok(standing) if standing.connected.is_empty() => {}
                other => return other.map(|_| ()),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = network.wait(async move { tokio::time::timeout(CONNECT, connected).await });
    let waited = waited.context("the network threads have stopped")?;
    Ok(waited.context("none of the IPFS nodes can be connected to")??)
}

#[derive(Default)]
struct Bars(Option<(&'static str, Progress)>);

impl Bars {
    fn show(&mut self, what: &'static str, done: u64, of: u64) {
        if self.0.as_ref().is_none_or(|(shown, _)| *shown != what) {
            self.finish();
            self.0 = Some((what, Progress::start(what)));
        }
        if let Some((_, bar)) = &mut self.0 {
            bar.show(done, of);
        }
    }

    fn finish(&mut self) {
        if let Some((_, bar)) = self.0.take() {
            bar.finish();
        }
    }
}

fn tell(report: &Report) -> anyhow::Result<()> {
    let Report {
        identity, records, up_to_ms, checkpoint: (cid, number), epoch, seen, asked, custody, ..
    } = report;
    say(format_args!("node            {identity}"))?;
    say(format_args!("recovered       {records} records, up to {}", rfc3339(*up_to_ms)))?;
    say(format_args!("checkpoint      {number}, {cid}"))?;
    let (asked, answered) = *asked;
    let lost = match seen {
        Some(seen) => {
            format!("{} records at least: somebody has a note of {seen}", seen.saturating_sub(*records))
        }
        None => "what was written after that, if anything was".to_owned(),
    };
    say(format_args!("lost            {lost} ({answered} of {asked} counterparties answered)"))?;
    say(format_args!("epoch           {epoch} begins, which tells everybody so"))?;
    say(format_args!(
        "custody         {} seeds, {} orders; {} released secrets sealed again from their seeds",
        custody.seeds, custody.orders, custody.sealed_again
    ))?;
    say(format_args!(
        "custody-lost    {} open orders without their seed, {} sealed secrets that are on no mirror",
        custody.lost_seeds, custody.lost_secrets
    ))?;
    say(format_args!(
        "held            {} orders whose next step may have been made before: ask the other party, then `dta order retry`",
        custody.held
    ))?;
    Ok(())
}

/// Whether the recovered records make the read models that the checkpoint says they made.
fn digests(home: &Home, report: &Report) -> anyhow::Result<()> {
    let log = RocksLog::open_read_only(&home.log(), Arc::new(dta_events::Rules))?;
    for projection in dta_projections::all() {
        let label = format!("{}/{}", projection.name(), projection.schema());
        // One of another schema, or that had halted, cannot be compared.
        let Some(said) = report.digests.get(&label) else { continue };
        let mut progress = Progress::start(projection.name());
        let mut replay = Replay::start(projection);
        replay.run(&log, report.size, &mut |done| progress.show(done, report.size))?;
        progress.finish();
        ensure!(
            replay.digest() == *said,
            "read model {label}: the recovered records do not make what checkpoint {} says they made",
            report.checkpoint.0
        );
        say(format_args!("read model      {label} at {} records is what the checkpoint says", report.size))?;
    }
    say("go on with `dta daemon`")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Seeds;

    #[test]
    fn of_several_stores_each_copy_says_whose_it_is() {
        let with = |names: &[&str]| {
            let block = |name: &&str| Seeds { name: (*name).to_owned(), ..Seeds::default() };
            Config { seeds: names.iter().map(block).collect(), ..Config::default() }
        };
        let named = |texts: &[&str], names: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            copies_named(&texts, &with(names)).map_err(|error| error.to_string())
        };
        let one =
            |name: &str, folder: Option<&str>| BTreeMap::from([(name.to_owned(), folder.map(PathBuf::from))]);
        assert_eq!(named(&["/a"], &["main"]).unwrap(), one("main", Some("/a")));
        assert_eq!(named(&["/a=b"], &["main"]).unwrap(), one("main", Some("/a=b")));
        assert_eq!(named(&["main=/a"], &["main"]).unwrap(), one("main", Some("/a")));
        assert_eq!(named(&["hsm=none"], &["main", "hsm"]).unwrap(), one("hsm", None));
        for text in ["/a", "hms=/a"] {
            let why = named(&[text], &["main", "hsm"]).unwrap_err();
            assert!(why.contains("say NAME=FOLDER, with one of main, hsm"), "{why}");
        }
        let why = named(&["hsm=/a", "hsm=/b"], &["main", "hsm"]).unwrap_err();
        assert!(why.contains("two folders for the store \"hsm\""), "{why}");
    }
}
