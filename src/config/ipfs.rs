//! `[ipfs]`: what publishes blocks, and which of the keys belong to which connector.

use std::fmt::Display;
use std::path::PathBuf;

use dta_ipfs::address::{check_listen, is_loopback, peer};
use dta_ipfs::{Multiaddr, Protocol};
use serde::Deserialize;

use super::settings::parsed;
use crate::actors::peers::PeerUrl;

/// Where Kubo has its RPC if nobody says otherwise.
const KUBO: &str = "http://127.0.0.1:5001";

/// Blocks that the embedded node keeps: those of some 4,500 orders.
const KEEP_BLOCKS: u64 = 50_000;
/// Fewer are of no use.
const KEEP_BLOCKS_MIN: u64 = 100;

/// `[ipfs]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
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
    #[serde(deserialize_with = "parsed")]
    pub api: Option<PeerUrl>,
    /// A file with the token that its RPC wants.
    pub api_token: Option<PathBuf>,
    /// Whether what is published is pinned there; it is, if nothing is said.
    pub pin: Option<bool>,
}

/// What publishes blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
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

    /// What is wrong with it, and with which key.
    pub(super) fn trouble(&self) -> Option<String> {
        self.misplaced()
            .or_else(|| self.too_few())
            .or_else(|| self.bad_address())
            .or_else(|| self.token_in_the_open())
    }

    /// A key that says something to another connector. Nothing is published by `none`, so it may leave all of them.
    fn misplaced(&self) -> Option<String> {
        let embedded = [
            ("listen", self.listen.is_some()),
            ("peers", !self.peers.is_empty()),
            ("swarm_key", self.swarm_key.is_some()),
            ("public", self.public),
            ("keep_blocks", self.keep_blocks.is_some()),
        ];
        let api = [
            ("api", self.api.is_some()),
            ("api_token", self.api_token.is_some()),
            ("pin", self.pin.is_some()),
        ];
        let (others, whose) = match self.connector {
            Connector::Embedded => (&api[..], "ipfs.connector = \"api\"; this one is \"embedded\""),
            Connector::Api => (
                &embedded[..],
                "ipfs.connector = \"embedded\"; with \"api\" the other node has its own settings",
            ),
            Connector::None => return None,
        };
        let (key, _) = others.iter().find(|(_, set)| *set)?;
        Some(format!("ipfs.{key}: is for {whose}"))
    }

    fn too_few(&self) -> Option<String> {
        let blocks = self.keep_blocks.filter(|blocks| *blocks < KEEP_BLOCKS_MIN)?;
        Some(format!("ipfs.keep_blocks: is {blocks}, must be at least {KEEP_BLOCKS_MIN}"))
    }

    fn bad_address(&self) -> Option<String> {
        let bad = |key: &str, address: &Multiaddr, why: &dyn Display| format!("ipfs.{key}: {address}: {why}");
        let listen = self.listen.iter().flatten().map(|address| ("listen", address, check_listen(address)));
        let peers = self.peers.iter().map(|address| ("peers", address, peer(address).map(drop)));
        listen.chain(peers).find_map(|(key, address, usable)| match usable {
            Err(why) => Some(bad(key, address, &why)),
            Ok(()) if is_loopback(address) || self.swarm_key.is_some() || self.public => None,
            Ok(()) => {
                Some(bad(key, address, &"beyond loopback it needs ipfs.swarm_key, or ipfs.public = true"))
            }
        })
    }

    /// Whoever reads the token on its way can do everything to that node.
    fn token_in_the_open(&self) -> Option<String> {
        let api = self.api();
        (self.api_token.is_some() && !api.is_private())
            .then(|| format!("ipfs.api: {api}: with ipfs.api_token it must be https://, or on loopback"))
    }
}
