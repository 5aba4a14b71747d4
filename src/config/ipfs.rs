//! `[ipfs]`: what publishes blocks, and which of the keys belong to which connector.

use std::fmt::Display;
use std::path::PathBuf;

use dta_ipfs::address::{check_listen, is_loopback, peer};
use dta_ipfs::{Multiaddr, Protocol};
use serde::{Deserialize, Serialize};

use super::settings::{parsed, shown};
use super::trouble::Fault;
use crate::actors::peers::PeerUrl;

/// Where Kubo has its RPC if nobody says otherwise.
const KUBO: &str = "http://127.0.0.1:5001";

/// Blocks that the embedded node keeps: those of some 4,500 orders.
const KEEP_BLOCKS: u64 = 50_000;
/// Fewer are of no use.
const KEEP_BLOCKS_MIN: u64 = 100;

/// `[ipfs]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ipfs {
    /// What publishes.
    pub connector: Connector,
    /// Where the embedded node listens, if not at [`Ipfs::listen`]'s default.
    pub listen: Option<Vec<Multiaddr>>,
    /// Whom it stays connected with.
    pub peers: Vec<Multiaddr>,
    /// The private network's key; none: no private network.
    pub swarm_key: Option<PathBuf>,
    /// Whether addresses beyond loopback may be used without a swarm key.
    pub public: bool,
    /// How many of the newest blocks it keeps, if not [`Ipfs::keep_blocks`]'s default.
    pub keep_blocks: Option<u64>,
    /// Where the other node has its RPC, if not at [`Ipfs::api`]'s default.
    #[serde(deserialize_with = "parsed", serialize_with = "shown")]
    pub api: Option<PeerUrl>,
    /// A file with the token that its RPC wants.
    pub api_token: Option<PathBuf>,
    /// Whether what is published is pinned there; it is, if nothing is said.
    pub pin: Option<bool>,
}

/// What publishes blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Connector {
    /// An IPFS node inside this process.
    #[default]
    Embedded,
    /// An IPFS node beside it, by Kubo's RPC.
    Api,
    /// Nothing.
    None,
}

impl Connector {
    /// As in `ipfs.connector` of the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Connector::Embedded => "embedded",
            Connector::Api => "api",
            Connector::None => "none",
        }
    }
}

impl Ipfs {
    /// Where the embedded node listens.
    pub fn listen(&self) -> Vec<Multiaddr> {
        let place = Protocol::Ip4([127, 0, 0, 1].into());
        self.listen.clone().unwrap_or_else(|| vec![Multiaddr::from(place).with(Protocol::Tcp(5558))])
    }

    /// How many of the newest blocks the embedded node keeps; older ones are served from the log.
    pub fn keep_blocks(&self) -> u64 {
        self.keep_blocks.unwrap_or(KEEP_BLOCKS)
    }

    /// Where the other node has its RPC.
    ///
    /// # Panics
    /// Never: the default is a URL.
    #[allow(clippy::unwrap_used)]
    pub fn api(&self) -> PeerUrl {
        self.api.clone().unwrap_or_else(|| KUBO.parse().unwrap())
    }

    /// With what holds where nothing is said, for the connector there is.
    pub(super) fn spelled_out(&self) -> Self {
        let mut all = self.clone();
        match self.connector {
            Connector::Embedded => {
                all.listen = Some(self.listen());
                all.keep_blocks = Some(self.keep_blocks());
            }
            Connector::Api => {
                all.api = Some(self.api());
                all.pin = Some(self.pin.unwrap_or(true));
            }
            Connector::None => {}
        }
        all
    }

    /// What is wrong with it.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults = self.misplaced();
        faults.extend(self.too_few());
        faults.extend(self.bad_addresses());
        faults.extend(self.token_in_the_open());
        faults
    }

    /// Keys that say something to another connector. Nothing is published by `none`, so it may leave all of them.
    fn misplaced(&self) -> Vec<Fault> {
        let embedded = [
            ("ipfs.listen", self.listen.is_some()),
            ("ipfs.peers", !self.peers.is_empty()),
            ("ipfs.swarm_key", self.swarm_key.is_some()),
            ("ipfs.public", self.public),
            ("ipfs.keep_blocks", self.keep_blocks.is_some()),
        ];
        let api = [
            ("ipfs.api", self.api.is_some()),
            ("ipfs.api_token", self.api_token.is_some()),
            ("ipfs.pin", self.pin.is_some()),
        ];
        let (others, whose) = match self.connector {
            Connector::Embedded => (&api[..], "ipfs.connector = \"api\"; this one is \"embedded\""),
            Connector::Api => (
                &embedded[..],
                "ipfs.connector = \"embedded\"; with \"api\" the other node has its own settings",
            ),
            Connector::None => return Vec::new(),
        };
        let set = others.iter().filter(|(_, set)| *set);
        set.map(|(key, _)| Fault::new(*key, format!("is for {whose}"))).collect()
    }

    fn too_few(&self) -> Option<Fault> {
        let blocks = self.keep_blocks.filter(|blocks| *blocks < KEEP_BLOCKS_MIN)?;
        Some(Fault::new("ipfs.keep_blocks", format!("is {blocks}, must be at least {KEEP_BLOCKS_MIN}")))
    }

    fn bad_addresses(&self) -> Vec<Fault> {
        let bad = |key: &str, address: &Multiaddr, why: &dyn Display| {
            Some(Fault::new(key, format!("{address}: {why}")))
        };
        let listen =
            self.listen.iter().flatten().map(|address| ("ipfs.listen", address, check_listen(address)));
        let peers = self.peers.iter().map(|address| ("ipfs.peers", address, peer(address).map(drop)));
        let judged = listen.chain(peers).filter_map(|(key, address, usable)| match usable {
            Err(why) => bad(key, address, &why),
            Ok(()) if is_loopback(address) || self.swarm_key.is_some() || self.public => None,
            Ok(()) => bad(key, address, &"beyond loopback it needs ipfs.swarm_key, or ipfs.public = true"),
        });
        judged.collect()
    }

    /// Whoever reads the token on its way can do everything to that node.
    fn token_in_the_open(&self) -> Option<Fault> {
        let api = self.api();
        let open = self.api_token.is_some() && !api.is_private();
        let why = || format!("{api}: with ipfs.api_token it must be https://, or on loopback");
        open.then(|| Fault::new("ipfs.api", why()))
    }
}
