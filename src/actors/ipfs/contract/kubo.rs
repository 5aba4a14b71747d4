//! The connector to a node beside this one, each with a real Kubo: `scripts/test-kubo` runs these tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::*;
use crate::ports::OsEntropy;
use daemon::Kubo;
use dta_ipfs::SwarmKey;

#[path = "../../../../tests/kit/kubo.rs"]
mod daemon;

/// What one test has of them; all end with it.
pub(super) struct Kubos {
    network: Network,
    swarm_key: String,
    running: Mutex<BTreeMap<&'static str, Kubo>>,
}

impl Kubos {
    pub(super) fn new() -> Self {
        Self { network: Network::start().unwrap(), swarm_key: swarm_key(), running: Mutex::default() }
    }

    fn connector(&self, kubo: &Kubo, authorization: Option<&'static str>) -> Exchange {
        let authorization = authorization.map(reqwest::header::HeaderValue::from_static);
        let runtime = self.network.handle().clone();
        Arc::new(Api::new(kubo.url().parse().unwrap(), authorization, true, runtime).unwrap())
    }

    /// A Kubo with this key, and whether it reaches those.
    async fn join(&self, name: &'static str, swarm_key: &str, to: &[&Exchange]) -> (Exchange, bool) {
        let kubo = Kubo::start(swarm_key);
        let mut reached = true;
        for other in to {
            reached &= kubo.connect(&other.standing().await.unwrap().addresses[0]);
        }
        let exchange = self.connector(&kubo, None);
        self.running.lock().unwrap().insert(name, kubo);
        (exchange, reached)
    }

    fn with<T>(&self, name: &str, what: impl FnOnce(&mut Kubo) -> T) -> T {
        what(self.running.lock().unwrap().get_mut(name).unwrap())
    }
}

fn swarm_key() -> String {
    SwarmKey::random(&mut OsEntropy).text().to_string()
}

impl Backend for Kubos {
    async fn node(&self, name: &'static str, to: &[&Exchange]) -> Exchange {
        let (exchange, reached) = self.join(name, &self.swarm_key, to).await;
        assert!(reached, "{name} reaches the others");
        exchange
    }

    async fn stranger(&self, to: &[&Exchange]) -> Exchange {
        let (exchange, reached) = self.join("mallory", &swarm_key(), to).await;
        assert!(!reached, "whoever has another key reaches nobody");
        exchange
    }

    fn damage(&self, name: &'static str, cid: &Cid) {
        let file = self.with(name, |kubo| kubo.block_file(&cid.to_bytes()[2..]));
        assert!(cid.names(&std::fs::read(&file).unwrap()), "{} is the block", file.display());
        std::fs::write(&file, b"other bytes").unwrap();
    }

    fn leave(&self, name: &'static str) {
        self.with(name, Kubo::stop);
    }
}

#[test]
#[ignore = "needs Kubo: scripts/test-kubo"]
fn a_kubo_that_goes_and_comes_back_has_what_was_put() {
    let kubos = Kubos::new();
    run(async {
        let alice = kubos.node("alice", &[]).await;
        let before = alice.standing().await.unwrap();
        alice.put(published(b"kept")).await.unwrap();
        kubos.leave("alice");
        for error in [
            alice.put(published(b"meanwhile")).await.unwrap_err(),
            alice.get(raw(b"kept"), SHORT).await.unwrap_err(),
            alice.has(raw(b"kept")).await.unwrap_err(),
            alice.standing().await.unwrap_err(),
        ] {
            assert!(matches!(error, ExchangeError::Away(_)), "{error}");
        }
        kubos.with("alice", Kubo::resume);
        assert_eq!(alice.standing().await.unwrap(), before, "it is the same, where it was");
        assert_eq!(alice.get(raw(b"kept"), Duration::ZERO).await.unwrap(), b"kept");
        alice.put(published(b"meanwhile")).await.unwrap();
    });
}

#[test]
#[ignore = "needs Kubo: scripts/test-kubo"]
fn what_is_put_outlives_a_garbage_collection_and_what_was_fetched_does_not() {
    let kubos = Kubos::new();
    run(async {
        let alice = kubos.node("alice", &[]).await;
        let bob = kubos.node("bob", &[&alice]).await;
        // As an envelope, it links to a block that is not published.
        let held = Cid::of(Codec::Raw, b"held").to_bytes();
        let envelope = [&b"\xa1\x61a\xd8\x2a\x58\x25\x00"[..], &held].concat();
        let cid = Cid::of(Codec::DagCbor, &envelope);
        alice.put(published_as(cid, &envelope)).await.unwrap();
        assert_eq!(bob.get(cid, LONG).await.unwrap(), envelope);
        for name in ["alice", "bob"] {
            kubos.with(name, |kubo| kubo.must(&["repo", "gc"]));
        }
        assert_eq!(alice.whole(cid).await, Ok(true));
        assert_eq!(bob.whole(cid).await, Ok(false));
    });
}

#[test]
#[ignore = "needs Kubo: scripts/test-kubo"]
fn a_kubo_that_wants_a_token_gets_it() {
    let kubos = Kubos::new();
    let kubo = Kubo::start_guarded(&kubos.swarm_key, Some("hush"));
    run(async {
        let with = kubos.connector(&kubo, Some("Bearer hush"));
        with.put(published(b"a block")).await.unwrap();
        assert_eq!(with.has(raw(b"a block")).await, Ok(true));
        for wrong in [None, Some("Bearer hash")] {
            let error = kubos.connector(&kubo, wrong).put(published(b"a block")).await.unwrap_err();
            assert!(error.to_string().contains("ipfs.api_token"), "{error}");
        }
    });
}
