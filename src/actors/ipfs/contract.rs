//! What every block exchange must do: one suite, run over each backend.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dta_crypto::Secret;
use dta_protocol::{Cid, Codec};

use super::testing::{published, published_as, raw, until};
use super::*;
use crate::actors::network::Network;

/// Long enough for any machine, when a block must come.
const LONG: Duration = Duration::from_secs(60);
/// Long enough to be sure, when none must.
const SHORT: Duration = Duration::from_millis(700);

pub(super) type Exchange = Arc<dyn BlockExchange>;

/// Nodes of one kind.
pub(super) trait Backend: Sync {
    /// A node of the network, which reaches those named `to`.
    fn node(&self, name: &'static str, to: &[&Exchange]) -> impl Future<Output = Exchange> + Send;
    /// A node without the network's key that tries to reach them.
    fn stranger(&self, to: &[&Exchange]) -> impl Future<Output = Exchange> + Send;
    /// Changes the bytes that a node has stored for a block.
    fn damage(&self, name: &'static str, cid: &Cid);
    /// Ends what goes on when the node has stopped, if anything does.
    fn leave(&self, _name: &'static str) {}
}

/// Makes one test of each clause, over a backend made by an expression.
macro_rules! contract_tests {
    ($(#[$ignore:meta])? $module:ident, $backend:expr) => {
        contract_tests!([$(#[$ignore])?] $module, $backend; what_is_put_is_there
            what_is_kept_for_others_is_as_what_is_put what_is_stored_is_fetched_from_nowhere a_block_travels_both_ways
            through_nobody_else_than_who_has_it who_waits_gets_what_comes_later unknown_blocks_time_out
            damaged_bytes_are_never_given what_is_damaged_is_put_again
            what_is_forgotten_is_gone_until_it_is_put_again what_its_name_does_not_fit_is_not_put sizes_are_bounded
            a_stranger_gets_nothing many_at_once stopped_is_stopped);
    };
    ($ignore:tt $module:ident, $backend:expr; $($clause:ident)*) => {
        mod $module {
            use super::*;
            $(contract_tests!($ignore $clause, $backend);)*
        }
    };
    ([$(#[$ignore:meta])?] $clause:ident, $backend:expr) => {
        #[test]
        $(#[$ignore])?
        fn $clause() {
            run(super::$clause(&$backend));
        }
    };
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test)
}

async fn pair(backend: &impl Backend) -> (Exchange, Exchange) {
    let alice = backend.node("alice", &[]).await;
    let bob = backend.node("bob", &[&alice]).await;
    meet(&alice, &bob).await;
    (alice, bob)
}

async fn meet(one: &Exchange, other: &Exchange) {
    let id = other.standing().await.unwrap().peer_id;
    until("they meet", || async { one.standing().await.unwrap().connected.contains(&id) }).await;
}

async fn what_is_put_is_there(backend: &impl Backend) {
    let alice = backend.node("alice", &[]).await;
    let cid = raw(b"a block");
    assert_eq!(alice.has(cid).await, Ok(false));
    for _ in 0..2 {
        alice.put(published(b"a block")).await.unwrap();
        assert_eq!(alice.has(cid).await, Ok(true));
        assert_eq!(alice.get(cid, Duration::ZERO).await.unwrap(), b"a block");
    }
}

async fn what_is_kept_for_others_is_as_what_is_put(backend: &impl Backend) {
    let (alice, bob) = pair(backend).await;
    let cid = raw(b"somebody's");
    let other = raw(b"another");
    assert_eq!(alice.keep(other, b"this".to_vec()).await, Err(ExchangeError::NotItsBytes(other)));
    assert_eq!(alice.has(other).await, Ok(false));
    for _ in 0..2 {
        alice.keep(cid, b"somebody's".to_vec()).await.unwrap();
        assert_eq!(alice.whole(cid).await, Ok(true));
    }
    backend.damage("alice", &cid);
    alice.keep(cid, b"somebody's".to_vec()).await.unwrap();
    assert_eq!(bob.get(cid, LONG).await.unwrap(), b"somebody's");
    alice.put(published(b"somebody's")).await.unwrap();
    assert_eq!(alice.stored(cid).await.unwrap().as_deref(), Some(&b"somebody's"[..]));
}

async fn what_is_stored_is_fetched_from_nowhere(backend: &impl Backend) {
    let (alice, bob) = pair(backend).await;
    let cid = raw(b"only at alice's");
    assert_eq!(alice.stored(cid).await, Ok(None));
    alice.put(published(b"only at alice's")).await.unwrap();
    assert_eq!(alice.stored(cid).await.unwrap().as_deref(), Some(&b"only at alice's"[..]));
    assert_eq!(bob.stored(cid).await, Ok(None));
    assert_eq!(bob.has(cid).await, Ok(false));
    backend.damage("alice", &cid);
    assert_eq!(alice.stored(cid).await, Ok(None), "what is damaged is not held");
}

async fn a_block_travels_both_ways(backend: &impl Backend) {
    let (alice, bob) = pair(backend).await;
    alice.put(published(b"from alice")).await.unwrap();
    bob.put(published(b"from bob")).await.unwrap();
    assert_eq!(bob.get(raw(b"from alice"), LONG).await.unwrap(), b"from alice");
    assert_eq!(alice.get(raw(b"from bob"), LONG).await.unwrap(), b"from bob");
    let standing = bob.standing().await.unwrap();
    assert_eq!(standing.connected, [alice.standing().await.unwrap().peer_id]);
    assert!(!standing.addresses.is_empty() && standing.peer_id.len() > 2);
}

async fn through_nobody_else_than_who_has_it(backend: &impl Backend) {
    let (alice, bob) = pair(backend).await;
    let carol = backend.node("carol", &[&alice, &bob]).await;
    meet(&carol, &alice).await;
    meet(&carol, &bob).await;
    bob.put(published(b"only at bob's")).await.unwrap();
    assert_eq!(carol.get(raw(b"only at bob's"), LONG).await.unwrap(), b"only at bob's");
    assert_eq!(alice.has(raw(b"only at bob's")).await, Ok(false));
}

async fn who_waits_gets_what_comes_later(backend: &impl Backend) {
    let (alice, bob) = pair(backend).await;
    let waiting = tokio::spawn(bob.get(raw(b"later"), LONG));
    assert_eq!(bob.get(raw(b"never"), SHORT).await.unwrap_err().to_string().split(':').nth(1), {
        Some(" nobody connected gave it within 700 ms")
    });
    assert!(!waiting.is_finished());
    alice.put(published(b"later")).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), b"later");
}

async fn unknown_blocks_time_out(backend: &impl Backend) {
    let (_alice, bob) = pair(backend).await;
    let alone = backend.node("carol", &[]).await;
    for node in [&bob, &alone] {
        let began = Instant::now();
        let cid = raw(b"nobody has it");
        let timeout_ms = 700;
        assert_eq!(node.get(cid, SHORT).await, Err(ExchangeError::TimedOut { cid, timeout_ms }));
        assert!(began.elapsed() >= SHORT && began.elapsed() < LONG / 2);
        assert_eq!(node.has(cid).await, Ok(false));
    }
    // An unreasonable limit must not overflow anything.
    let waiting = tokio::spawn(bob.get(raw(b"for ever"), Duration::MAX));
    assert!(bob.get(raw(b"meanwhile"), SHORT).await.is_err());
    assert!(!waiting.is_finished());
}

async fn damaged_bytes_are_never_given(backend: &impl Backend) {
    let (alice, bob) = pair(backend).await;
    alice.put(published(b"will be damaged")).await.unwrap();
    let cid = raw(b"will be damaged");
    backend.damage("alice", &cid);
    let own = alice.get(cid, SHORT).await.unwrap_err();
    assert!(matches!(own, ExchangeError::NotItsBytes(_) | ExchangeError::Store(_)), "{own}");
    assert!(bob.get(cid, SHORT).await.is_err());
    alice.put(published(b"whole")).await.unwrap();
    assert_eq!(bob.get(raw(b"whole"), LONG).await.unwrap(), b"whole");
}

async fn what_is_damaged_is_put_again(backend: &impl Backend) {
    let (alice, bob) = pair(backend).await;
    let cid = raw(b"will be damaged");
    assert_eq!(alice.whole(cid).await, Ok(false));
    for _ in 0..2 {
        alice.put(published(b"will be damaged")).await.unwrap();
        assert_eq!(alice.whole(cid).await, Ok(true));
        backend.damage("alice", &cid);
        assert_eq!(alice.whole(cid).await, Ok(false));
        assert_eq!(alice.has(cid).await, Ok(false), "it is not kept as if it were the block");
    }
    for _ in 0..2 {
        alice.put(published(b"will be damaged")).await.unwrap();
        backend.damage("alice", &cid);
    }
    alice.put(published(b"will be damaged")).await.unwrap();
    assert_eq!(bob.get(cid, LONG).await.unwrap(), b"will be damaged");
}

async fn what_is_forgotten_is_gone_until_it_is_put_again(backend: &impl Backend) {
    let (alice, bob) = pair(backend).await;
    let cid = raw(b"a block");
    for _ in 0..2 {
        alice.put(published(b"a block")).await.unwrap();
        // One that is not there, too.
        for _ in 0..2 {
            alice.forget(cid).await.unwrap();
            assert_eq!(alice.has(cid).await, Ok(false));
        }
        assert!(bob.get(cid, SHORT).await.is_err());
    }
    alice.put(published(b"a block")).await.unwrap();
    assert_eq!(bob.get(cid, LONG).await.unwrap(), b"a block");
}

async fn what_its_name_does_not_fit_is_not_put(backend: &impl Backend) {
    let alice = backend.node("alice", &[]).await;
    for cid in [raw(b"another"), Cid::of(Codec::DagCbor, b"another")] {
        let refused = alice.put(published_as(cid, b"this")).await;
        assert_eq!(refused, Err(ExchangeError::NotItsBytes(cid)));
        assert_eq!(alice.has(cid).await, Ok(false));
    }
}

async fn sizes_are_bounded(backend: &impl Backend) {
    let (alice, bob) = pair(backend).await;
    for (codec, limit) in [(Codec::DagCbor, 64 << 10), (Codec::Raw, 256 << 10)] {
        let mut bytes = vec![0x60; limit + 1];
        if codec == Codec::DagCbor {
            // A byte string, its length in the fewest bytes: Kubo pins nothing that is not DAG-CBOR.
            let [high, low] = ((limit - 3) as u16).to_be_bytes();
            bytes[..3].copy_from_slice(&[0x59, high, low]);
        }
        let (fits, too_large) = (Cid::of(codec, &bytes[..limit]), Cid::of(codec, &bytes));
        alice.put(published_as(fits, &bytes[..limit])).await.unwrap();
        assert_eq!(bob.get(fits, LONG).await.unwrap(), &bytes[..limit]);
        let refused = ExchangeError::TooLarge { cid: too_large, bytes: limit + 1, limit };
        assert_eq!(alice.put(published_as(too_large, &bytes)).await, Err(refused));
    }
}

async fn a_stranger_gets_nothing(backend: &impl Backend) {
    let (alice, bob) = pair(backend).await;
    alice.put(published(b"among us")).await.unwrap();
    let mallory = backend.stranger(&[&alice, &bob]).await;
    let waiting = mallory.get(raw(b"among us"), SHORT * 3).await;
    assert!(matches!(waiting, Err(ExchangeError::TimedOut { .. })), "{waiting:?}");
    assert!(mallory.standing().await.unwrap().connected.is_empty());
    assert_eq!(bob.get(raw(b"among us"), LONG).await.unwrap(), b"among us", "the others go on");
    let id = bob.standing().await.unwrap().peer_id;
    assert_eq!(alice.standing().await.unwrap().connected, [id]);
}

async fn many_at_once(backend: &impl Backend) {
    let (alice, bob) = pair(backend).await;
    let contents: Vec<String> = (0..100).map(|n| format!("block {n}")).collect();
    let fetches: Vec<_> =
        contents.iter().map(|content| tokio::spawn(bob.get(raw(content.as_bytes()), LONG))).collect();
    for content in &contents {
        alice.put(published(content.as_bytes())).await.unwrap();
    }
    for (content, fetch) in contents.iter().zip(fetches) {
        assert_eq!(fetch.await.unwrap().unwrap(), content.as_bytes());
    }
}

async fn stopped_is_stopped(backend: &impl Backend) {
    let (alice, bob) = pair(backend).await;
    alice.put(published(b"before")).await.unwrap();
    for _ in 0..2 {
        alice.stop().await.unwrap();
        assert_eq!(alice.put(published(b"after")).await, Err(ExchangeError::Stopped));
        assert_eq!(alice.get(raw(b"before"), SHORT).await, Err(ExchangeError::Stopped));
        assert_eq!(alice.keep(raw(b"after"), b"after".to_vec()).await, Err(ExchangeError::Stopped));
        assert_eq!(alice.stored(raw(b"before")).await, Err(ExchangeError::Stopped));
        assert_eq!(alice.has(raw(b"before")).await, Err(ExchangeError::Stopped));
        assert_eq!(alice.whole(raw(b"before")).await, Err(ExchangeError::Stopped));
        assert_eq!(alice.forget(raw(b"before")).await, Err(ExchangeError::Stopped));
        assert_eq!(alice.standing().await, Err(ExchangeError::Stopped));
    }
    backend.leave("alice");
    until("bob notices", || async { bob.standing().await.unwrap().connected.is_empty() }).await;
    assert!(bob.get(raw(b"before"), SHORT).await.is_err());
}

mod embedded_node;
mod kubo;

/// Nodes in memory; a network is its own key.
struct Memory(memory::MemoryNetwork);

impl Backend for Memory {
    async fn node(&self, name: &'static str, _: &[&Exchange]) -> Exchange {
        Arc::new(self.0.join(name))
    }

    async fn stranger(&self, _: &[&Exchange]) -> Exchange {
        Arc::new(memory::MemoryNetwork::new().join("mallory"))
    }

    fn damage(&self, name: &'static str, cid: &Cid) {
        self.0.join(name).damage(cid);
    }
}

contract_tests!(in_memory, Memory(memory::MemoryNetwork::new()));
contract_tests!(embedded, embedded_node::Nodes::new());
contract_tests!(
    #[ignore = "needs Kubo: scripts/test-kubo"]
    beside,
    kubo::Kubos::new()
);
