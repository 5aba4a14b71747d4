//! The keeper over a store that the test holds still: groups, bounds, shutdown.

use super::kek::{KekEntry, Keks, Role};
use super::testing::{TestEntropy, cid};
use super::*;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

/// Answers nothing but errors; waits for a permit before each create and tells the size of each batch.
struct Still {
    permits: Receiver<()>,
    batches: Arc<Mutex<Vec<usize>>>,
}

impl SeedStore for Still {
    fn create(&mut self, orders: &[CidBytes], entropy: &mut dyn Entropy) -> Vec<Result<OrderKey, SeedError>> {
        self.batches.lock().unwrap().push(orders.len());
        _ = self.permits.recv();
        orders.iter().map(|_| Ok(OrderKey::from_seed(&dta_crypto::Secret::random(entropy)))).collect()
    }

    fn open(&mut self, orders: &[CidBytes]) -> Vec<Result<OrderKey, SeedError>> {
        orders.iter().map(|_| Err(SeedError::NotFound)).collect()
    }

    fn shred(&mut self, _: &CidBytes) -> Result<(), SeedError> {
        Err(SeedError::Locked)
    }

    fn holds(&mut self, _: &CidBytes) -> Result<bool, SeedError> {
        Ok(false)
    }

    fn knows(&self, _: &CidBytes) -> bool {
        false
    }

    fn orders(&self) -> Box<dyn Iterator<Item = &CidBytes> + '_> {
        Box::new(std::iter::empty())
    }

    fn keks(&self) -> &[KekEntry] {
        &[]
    }

    fn ready(&mut self) -> Result<(), SeedError> {
        Ok(())
    }

    fn check(&mut self) {}

    fn rotate(
        &mut self,
        _: Role,
        _: Option<&str>,
        _: &[KekEntry],
        _: &mut dyn Entropy,
    ) -> Result<KekStatus, SeedError> {
        Err(SeedError::ManyKeks { limit: 1 })
    }

    fn rewrap(&mut self, _: Option<u32>, _: usize, _: &mut dyn Entropy) -> Result<Rewrapped, SeedError> {
        Ok(Rewrapped { done: 1, left: 0, last: None, failed: Vec::new() })
    }

    fn verify(&mut self, after: Option<u32>, _: usize) -> Result<Vec<Verified>, SeedError> {
        let result = Err(SeedError::Damaged { slot: 7 });
        Ok(if after.is_none() { vec![Verified { slot: 7, placed: cid("a"), result }] } else { Vec::new() })
    }

    fn status(&mut self) -> SeedStatus {
        let (keks, damaged, conflicts, copies, amiss) = Default::default();
        SeedStatus { keks, used: 2, free: 3, shredded: 4, damaged, conflicts, copies, amiss }
    }

    fn newest(&mut self, _: usize) -> Vec<CidBytes> {
        vec![cid("a")]
    }

    fn list(&mut self) -> Vec<SeedListed> {
        vec![SeedListed { placed: cid("a"), commitment: [4; 65] }]
    }
}

fn keeper(queue: usize) -> (SeedKeeper, Sender<()>, Arc<Mutex<Vec<usize>>>) {
    let (permit, permits) = channel();
    let batches = Arc::<Mutex<Vec<usize>>>::default();
    let store = Stores::one(Still { permits, batches: Arc::clone(&batches) });
    (SeedKeeper::start(store, Box::new(TestEntropy::new("keeper")), queue).unwrap(), permit, batches)
}

/// Until the store is inside its `n`th create.
async fn in_create(batches: &Mutex<Vec<usize>>, n: usize) {
    while batches.lock().unwrap().len() < n {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn creates_that_wait_together_are_one_group() {
    let (keeper, permit, batches) = keeper(8);
    let first = keeper.create(cid("1"));
    let others = async {
        in_create(&batches, 1).await;
        // Polled in order: the requests wait in the queue before the permits are given.
        tokio::join!(
            keeper.create(cid("2")),
            keeper.open(cid("x")),
            keeper.create(cid("3")),
            keeper.create(cid("4")),
            async {
                permit.send(()).unwrap();
                permit.send(()).unwrap();
            }
        )
    };
    let (first, (second, opened, third, fourth, ())) = tokio::join!(first, others);
    assert_eq!(*batches.lock().unwrap(), [1, 3]);
    assert_eq!(opened.err().unwrap().code(), "custody-not-found");
    let keys: Vec<_> = [first, second, third, fourth].map(|key| key.unwrap().commitment()).into();
    assert_eq!(keys.iter().collect::<std::collections::HashSet<_>>().len(), 4);
}

#[tokio::test]
async fn a_full_queue_is_busy_and_nothing_is_done() {
    let (keeper, permit, batches) = keeper(2);
    let first = keeper.create(cid("1"));
    let others = async {
        in_create(&batches, 1).await;
        tokio::join!(
            keeper.create(cid("2")),
            keeper.create(cid("3")),
            keeper.create(cid("4")),
            keeper.status(),
            async {
                permit.send(()).unwrap();
                permit.send(()).unwrap();
            }
        )
    };
    let (_, (second, third, fourth, status, ())) = tokio::join!(first, others);
    assert!(second.is_ok() && third.is_ok());
    assert!(matches!(fourth.err(), Some(SeedError::Busy { queue: 2 })));
    assert_eq!(status.unwrap_err().code(), "custody-busy");
    assert_eq!(*batches.lock().unwrap(), [1, 2]);
}

#[tokio::test]
async fn every_request_reaches_the_store() {
    let (keeper, _permit, _) = keeper(1);
    assert_eq!(keeper.open(cid("1")).await.err().unwrap().code(), "custody-not-found");
    assert_eq!(keeper.shred(cid("1")).await.unwrap_err().code(), "custody-locked");
    assert_eq!(keeper.status().await.unwrap()[0].of.used, 2);
    assert_eq!(keeper.list().await.unwrap()[0].placed, cid("a"));
}

#[tokio::test]
async fn stopping_answers_what_waits_then_nothing() {
    let (keeper, permit, batches) = keeper(8);
    let keeper = Arc::new(keeper);
    let waiting = tokio::join!(keeper.create(cid("1")), async {
        in_create(&batches, 1).await;
        tokio::join!(keeper.create(cid("2")), async {
            let stopping = Arc::clone(&keeper);
            let stopping = tokio::task::spawn_blocking(move || stopping.stop());
            permit.send(()).unwrap();
            permit.send(()).unwrap();
            stopping.await.unwrap();
        })
    });
    let (first, (second, ())) = waiting;
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(keeper.create(cid("3")).await.err().unwrap().code(), "custody-stopped");
    assert_eq!(keeper.status().await.unwrap_err().code(), "custody-stopped");
    keeper.stop(); // harmless
}

#[tokio::test]
async fn jobs_go_on_between_requests_to_their_end() {
    let (keeper, _permit, _) = keeper(8);
    assert_eq!(keeper.job().await.unwrap(), None);
    for (kind, done, faults) in [(JobKind::Verify, 1, 1), (JobKind::Rewrap, 1, 0)] {
        keeper.start_job(kind).await.unwrap();
        let job = loop {
            let job = keeper.job().await.unwrap().unwrap();
            if job.ended {
                break job;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!((job.kind, job.done, job.faults, job.trouble), (kind, done, faults, None));
        // Requests are answered beside it.
        assert_eq!(keeper.status().await.unwrap()[0].of.used, 2);
    }
    assert_eq!(keeper.rotate(None, Role::First, None).await.unwrap_err().code(), "custody-many-keks");
}

#[tokio::test]
async fn a_caller_that_goes_away_changes_nothing() {
    let (keeper, permit, batches) = keeper(8);
    let mut first = Box::pin(keeper.create(cid("1")));
    tokio::select! {
        biased;
        _ = &mut first => panic!("no permit was given"),
        () = in_create(&batches, 1) => (),
    }
    drop(first);
    permit.send(()).unwrap();
    permit.send(()).unwrap();
    assert!(keeper.create(cid("2")).await.is_ok());
}

#[tokio::test]
async fn the_soft_store_behind_a_keeper() {
    let home = tempfile::TempDir::new().unwrap();
    let seed = testing::node_seed("node");
    let own = home.path().join("seeds");
    let entropy = &mut TestEntropy::new("store");
    let store = FileStore::create(&own, &[], Keks::soft(&seed), &cid("node"), &[], entropy).unwrap();
    let keeper = SeedKeeper::start(Stores::one(store), Box::new(TestEntropy::new("keeper")), 16).unwrap();
    let (one, again, other) =
        tokio::join!(keeper.create(cid("1")), keeper.create(cid("1")), keeper.create(cid("2")));
    let one = one.unwrap().commitment();
    assert_eq!(again.unwrap().commitment(), one);
    assert_ne!(other.unwrap().commitment(), one);
    keeper.shred(cid("2")).await.unwrap();
    drop(keeper); // ends the thread, so the file may be opened again
    let mut store = FileStore::open(&own, &[], Keks::soft(&seed), &cid("node")).unwrap();
    assert_eq!(SeedStore::open(&mut store, &[cid("1")]).remove(0).unwrap().commitment(), one);
    assert_eq!((store.status().used, store.status().shredded), (1, 1));
}
