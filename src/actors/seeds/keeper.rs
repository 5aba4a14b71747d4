//! The thread that owns the seed store: bounded queue in, one-shot replies out, creates committed in groups.

use super::{CidBytes, SeedError, SeedListed, SeedStatus, SeedStore};
use dta_crypto::{Entropy, OrderKey};
use std::io;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;

/// The most requests of one group: at 2 ms of key derivation each, it bounds how long the first one waits.
const GROUP: usize = 64;

type Reply<T> = oneshot::Sender<T>;

enum Request {
    Create(CidBytes, Reply<Result<OrderKey, SeedError>>),
    Open(CidBytes, Reply<Result<OrderKey, SeedError>>),
    Shred(CidBytes, Reply<Result<(), SeedError>>),
    Ready(Reply<Result<(), SeedError>>),
    Status(Reply<SeedStatus>),
    List(Reply<Vec<SeedListed>>),
    Stop,
}

/// The way to custody: shared by all who need it, dropped or stopped once.
///
/// Every request may fail with `Busy` (the queue is full; nothing was done) or `Stopped`. A caller that stops
/// waiting does not undo its request.
pub struct SeedKeeper {
    requests: SyncSender<Request>,
    queue: usize,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl SeedKeeper {
    /// Starts the thread. `queue` is the number of requests that may wait.
    /// Errors: the system gives no thread.
    pub fn start(
        store: Box<dyn SeedStore>,
        entropy: Box<dyn Entropy + Send>,
        queue: usize,
    ) -> io::Result<SeedKeeper> {
        let (requests, waiting) = sync_channel(queue);
        let thread =
            thread::Builder::new().name("seeds".to_owned()).spawn(move || serve(store, entropy, &waiting))?;
        Ok(SeedKeeper { requests, queue, thread: Mutex::new(Some(thread)) })
    }

    /// `SeedStore::create` for one order; orders that wait together share one sync.
    pub async fn create(&self, placed: CidBytes) -> Result<OrderKey, SeedError> {
        self.ask(|reply| Request::Create(placed, reply)).await?
    }

    /// `SeedStore::open`.
    pub async fn open(&self, placed: CidBytes) -> Result<OrderKey, SeedError> {
        self.ask(|reply| Request::Open(placed, reply)).await?
    }

    /// `SeedStore::shred`.
    pub async fn shred(&self, placed: CidBytes) -> Result<(), SeedError> {
        self.ask(|reply| Request::Shred(placed, reply)).await?
    }

    /// `SeedStore::ready`.
    pub async fn ready(&self) -> Result<(), SeedError> {
        self.ask(Request::Ready).await?
    }

    /// `SeedStore::status`.
    pub async fn status(&self) -> Result<SeedStatus, SeedError> {
        self.ask(Request::Status).await
    }

    /// `SeedStore::list`.
    pub async fn list(&self) -> Result<Vec<SeedListed>, SeedError> {
        self.ask(Request::List).await
    }

    /// Answers what waits, then ends the thread; blocks until it has. Later requests are `Stopped`.
    pub fn stop(&self) {
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        if let Some(thread) = thread {
            // If it cannot be sent, or the thread panicked, it has ended already.
            _ = self.requests.send(Request::Stop);
            _ = thread.join();
        }
    }

    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, SeedError> {
        let (reply, answer) = oneshot::channel();
        self.requests.try_send(request(reply)).map_err(|error| match error {
            TrySendError::Full(_) => SeedError::Busy { queue: self.queue },
            TrySendError::Disconnected(_) => SeedError::Stopped,
        })?;
        answer.await.map_err(|_| SeedError::Stopped)
    }
}

impl Drop for SeedKeeper {
    fn drop(&mut self) {
        self.stop();
    }
}

fn serve(mut store: Box<dyn SeedStore>, mut entropy: Box<dyn Entropy + Send>, waiting: &Receiver<Request>) {
    let mut running = true;
    while running {
        let Ok(first) = waiting.recv() else { return };
        let (mut orders, mut replies, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for request in std::iter::once(first).chain(waiting.try_iter()).take(GROUP) {
            match request {
                Request::Create(placed, reply) => {
                    orders.push(placed);
                    replies.push(reply);
                }
                other => others.push(other),
            }
        }
        // Requests that wait together have no order among them, so creates may go first. A caller that has gone
        // away is no error: its seed is kept, and found again by the next create.
        if !orders.is_empty() {
            for (reply, key) in replies.into_iter().zip(store.create(&orders, &mut *entropy)) {
                _ = reply.send(key);
            }
        }
        for request in others {
            running &= answer(&mut *store, request);
        }
    }
}

/// False when it is time to stop.
fn answer(store: &mut dyn SeedStore, request: Request) -> bool {
    match request {
        Request::Create(..) => (), // answered in its group
        Request::Open(placed, reply) => _ = reply.send(store.open(&placed)),
        Request::Shred(placed, reply) => _ = reply.send(store.shred(&placed)),
        Request::Ready(reply) => _ = reply.send(store.ready()),
        Request::Status(reply) => _ = reply.send(store.status()),
        Request::List(reply) => _ = reply.send(store.list()),
        Request::Stop => return false,
    }
    true
}
