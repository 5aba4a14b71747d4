//! The embedded node: as a backend of the suite, and what only it promises: to survive a restart, to dial again, to say
//! which address is of no use.

use std::path::PathBuf;
use std::sync::Arc;

use dta_ipfs::Multiaddr;
use tempfile::TempDir;

use super::super::testing::{append, log, publish};
use super::*;
use crate::actors::log::BlockClass::{Held, Published};
use crate::ports::OsEntropy;
use dta_ipfs::embedded::Settings;
use dta_ipfs::{Embedded, SwarmKey, address};

pub(super) struct Nodes {
    folder: TempDir,
    network: Network,
    swarm_key: SwarmKey,
}

impl Nodes {
    pub(super) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            network: Network::start().unwrap(),
            swarm_key: SwarmKey::random(&mut OsEntropy),
        }
    }

    fn home(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn key(&self) -> Option<SwarmKey> {
        let path = self.folder.path().join("swarm.key");
        std::fs::write(&path, self.swarm_key.text().as_bytes()).unwrap();
        Some(SwarmKey::read(&path).unwrap())
    }

    async fn settings(&self, name: &str, to: &[&Exchange]) -> Settings {
        let mut peers = Vec::new();
        for other in to {
            let addresses = other.standing().await.unwrap().addresses;
            peers.push(address::peer(&addresses[0].parse().unwrap()).unwrap());
        }
        Settings {
            folder: Some(self.home(name)),
            listen: vec![anywhere()],
            peers,
            swarm_key: self.key(),
            key: dta_crypto::hkdf(name.as_bytes(), &[b"test"]),
            source: None,
        }
    }

    async fn start(&self, settings: Settings) -> Exchange {
        Arc::new(Embedded::start(settings, self.network.handle().clone()).await.unwrap())
    }

    fn block_file(&self, name: &str, cid: &Cid) -> PathBuf {
        let bytes = std::fs::read_dir(self.home(name).join("blockstore")).unwrap();
        let files = bytes.flat_map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap());
        let is_block = |path: &PathBuf| cid.names(&std::fs::read(path).unwrap());
        files.map(|file| file.unwrap().path()).find(is_block).unwrap()
    }
}

fn anywhere() -> Multiaddr {
    "/ip4/127.0.0.1/tcp/0".parse().unwrap()
}

impl Backend for Nodes {
    async fn node(&self, name: &'static str, to: &[&Exchange]) -> Exchange {
        self.start(self.settings(name, to).await).await
    }

    async fn stranger(&self, to: &[&Exchange]) -> Exchange {
        let settings = self.settings("mallory", to).await;
        self.start(Settings { swarm_key: Some(SwarmKey::random(&mut OsEntropy)), ..settings }).await
    }

    fn damage(&self, name: &'static str, cid: &Cid) {
        std::fs::write(self.block_file(name, cid), b"other bytes").unwrap();
    }
}

#[test]
fn blocks_survive_a_restart_and_peers_are_dialled_again() {
    let nodes = Nodes::new();
    run(async {
        let alice = nodes.node("alice", &[]).await;
        let bob = nodes.node("bob", &[&alice]).await;
        meet(&alice, &bob).await;
        alice.put(published(b"kept")).await.unwrap();
        let before = alice.standing().await.unwrap();
        alice.stop().await.unwrap();
        drop(alice);
        until("bob loses alice", || async { bob.standing().await.unwrap().connected.is_empty() }).await;
        let mut settings = nodes.settings("alice", &[]).await;
        settings.listen = vec![address::peer(&before.addresses[0].parse().unwrap()).unwrap().address];
        let alice = nodes.start(settings).await;
        // Its folder may be let go of a moment after the stop: then this starts it.
        until("the store opens", || async { alice.has(raw(b"kept")).await == Ok(true) }).await;
        let after = alice.standing().await.unwrap();
        assert_eq!((&after.peer_id, &after.addresses), (&before.peer_id, &before.addresses));
        assert_eq!(bob.get(raw(b"kept"), LONG).await.unwrap(), b"kept", "bob has dialled again");
        assert_eq!(bob.standing().await.unwrap().connected, [before.peer_id]);
    });
}

#[test]
fn what_the_log_published_and_the_node_does_not_keep_is_served_all_the_same() {
    let nodes = Nodes::new();
    run(async {
        let log = log();
        let contents: Vec<String> = (0..200).map(|n| format!("old {n}")).collect();
        let old = publish(&*log, &contents);
        let [held, spoilt] =
            [(raw(b"held"), Held, &b"held"[..]), (raw(b"spoilt"), Published, b"other bytes")]
                .map(|block| append(&*log, &[block])[0]);
        let settings = nodes.settings("alice", &[]).await;
        let source = Some(Arc::new(super::super::Published(log.clone())) as _);
        let alice = nodes.start(Settings { source, ..settings }).await;
        let bob = nodes.node("bob", &[&alice]).await;
        meet(&alice, &bob).await;
        let got: Vec<_> = old.iter().map(|cid| tokio::spawn(bob.get(*cid, LONG))).collect();
        for (got, content) in got.into_iter().zip(&contents) {
            assert_eq!(got.await.unwrap().unwrap(), content.as_bytes());
        }
        assert_eq!(alice.get(old[7], Duration::ZERO).await.unwrap(), b"old 7");
        for cid in [held, spoilt] {
            assert!(bob.get(cid, SHORT).await.is_err(), "{cid} is not given away");
            assert!(alice.get(cid, SHORT).await.is_err());
        }
        // What was put and is not kept any more is as what never was.
        let put = publish(&*log, ["put"])[0];
        alice.put(published(b"put")).await.unwrap();
        alice.forget(put).await.unwrap();
        assert_eq!(alice.has(put).await, Ok(false));
        assert_eq!(bob.get(put, LONG).await.unwrap(), b"put");
        // What is lent and put meanwhile stays, what is only lent is gone after the next start.
        alice.put(published(b"old 0")).await.unwrap();
        assert_eq!(alice.has(old[1]).await, Ok(true));
        alice.stop().await.unwrap();
        let settings = nodes.settings("alice", &[]).await;
        let source = Some(Arc::new(super::super::Published(super::super::testing::log())) as _);
        let alice = nodes.start(Settings { source, ..settings }).await;
        until("what was lent is gone", || async { alice.has(old[1]).await == Ok(false) }).await;
        until("all of it", || async { alice.has(old[199]).await == Ok(false) }).await;
        assert_eq!(alice.has(old[0]).await, Ok(true), "what is kept is not");
    });
}

#[test]
fn without_a_swarm_key_there_is_no_way_into_a_private_network() {
    let nodes = Nodes::new();
    run(async {
        let alice = nodes.node("alice", &[]).await;
        alice.put(published(b"among us")).await.unwrap();
        let settings = nodes.settings("mallory", &[&alice]).await;
        let open = nodes.start(Settings { swarm_key: None, folder: None, ..settings }).await;
        assert!(open.get(raw(b"among us"), SHORT * 2).await.is_err());
        assert!(alice.standing().await.unwrap().connected.is_empty());
    });
}

#[test]
fn a_node_that_dials_another_under_a_false_name_does_not_meet_it() {
    let nodes = Nodes::new();
    run(async {
        let alice = nodes.node("alice", &[]).await;
        let carol = nodes.node("carol", &[]).await;
        alice.put(published(b"alice's")).await.unwrap();
        let mut settings = nodes.settings("bob", &[&alice, &carol]).await;
        settings.peers[0].id = settings.peers[1].id;
        settings.peers.truncate(1);
        let bob = nodes.start(settings).await;
        assert!(bob.get(raw(b"alice's"), SHORT * 2).await.is_err());
        assert!(bob.standing().await.unwrap().connected.is_empty());
    });
}

#[test]
fn an_address_that_is_taken_is_named() {
    let nodes = Nodes::new();
    run(async {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let mut settings = nodes.settings("alice", &[]).await;
        settings.listen = vec![anywhere(), format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap()];
        let error = Embedded::start(settings, nodes.network.handle().clone()).await.err().unwrap();
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("ipfs.listen: cannot listen on /ip4/127.0.0.1/tcp/{port}: ")),
            "{text}"
        );
    });
}

#[test]
fn a_store_that_cannot_be_opened_is_tried_again() {
    let nodes = Nodes::new();
    run(async {
        std::fs::write(nodes.home("alice"), b"in the way").unwrap();
        let alice = nodes.node("alice", &[]).await;
        let refused = alice.put(published(b"a block")).await;
        assert!(matches!(refused, Err(ExchangeError::Away(_))), "{refused:?}");
        std::fs::remove_file(nodes.home("alice")).unwrap();
        alice.put(published(b"a block")).await.unwrap();
        assert!(!alice.standing().await.unwrap().addresses.is_empty());
    });
}

#[test]
fn the_name_is_that_of_the_key() {
    // The node id of the all-zero ed25519 seed (public key 3b6a27bc…, RFC 8032): an identity multihash of the protobuf
    // 08 01 12 20 ‖ key, in base58.
    let seed = Secret::from_bytes([0; 32]);
    let protobuf = hex::decode("00240801122_0".replace('_', "")).unwrap();
    let key = hex::decode("3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29").unwrap();
    let expected = dta_ipfs::PeerId::from_bytes(&[protobuf, key].concat()).unwrap();
    assert_eq!(dta_ipfs::embedded::peer_id(&seed).unwrap(), expected.to_string());
}
