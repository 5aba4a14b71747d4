//! The thread that owns the seed stores: bounded queue in, one-shot replies out, creates and opens done in groups, and a job
//! that goes through all of them when nothing waits.

use super::job::{Job, JobKind, JobStatus};
use super::kek::Role;
use super::stores::{StoreStatus, Stores};
use super::{CidBytes, KekStatus, SeedError, SeedListed};
use dta_crypto::{Entropy, OrderKey};
use std::io;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
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
    Rotate(Option<String>, Role, Option<String>, Reply<Result<(String, KekStatus), SeedError>>),
    Start(JobKind, Reply<JobStatus>),
    Job(Reply<Option<JobStatus>>),
    Status(Reply<Vec<StoreStatus>>),
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
    pub fn start(stores: Stores, entropy: Box<dyn Entropy + Send>, queue: usize) -> io::Result<SeedKeeper> {
        let (requests, waiting) = sync_channel(queue);
        let thread = thread::Builder::new()
            .name("seeds".to_owned())
            .spawn(move || serve(stores, entropy, &waiting))?;
        Ok(SeedKeeper { requests, queue, thread: Mutex::new(Some(thread)) })
    }

    /// `Stores::create` for one order; orders that wait together share one sync.
    pub async fn create(&self, placed: CidBytes) -> Result<OrderKey, SeedError> {
        self.ask(|reply| Request::Create(placed, reply)).await?
    }

    /// `Stores::open`.
    pub async fn open(&self, placed: CidBytes) -> Result<OrderKey, SeedError> {
        self.ask(|reply| Request::Open(placed, reply)).await?
    }

    /// `Stores::shred`.
    pub async fn shred(&self, placed: CidBytes) -> Result<(), SeedError> {
        self.ask(|reply| Request::Shred(placed, reply)).await?
    }

    /// `Stores::ready`.
    pub async fn ready(&self) -> Result<(), SeedError> {
        self.ask(Request::Ready).await?
    }

    /// `Stores::rotate`.
    pub async fn rotate(
        &self,
        store: Option<String>,
        role: Role,
        label: Option<String>,
    ) -> Result<(String, KekStatus), SeedError> {
        self.ask(|reply| Request::Rotate(store, role, label, reply)).await?
    }

    /// Starts a job, in place of one that is under way unless it is of the same kind.
    pub async fn start_job(&self, kind: JobKind) -> Result<JobStatus, SeedError> {
        self.ask(|reply| Request::Start(kind, reply)).await
    }

    /// The job that is under way, or the last one.
    pub async fn job(&self) -> Result<Option<JobStatus>, SeedError> {
        self.ask(Request::Job).await
    }

    /// `Stores::status`.
    pub async fn status(&self) -> Result<Vec<StoreStatus>, SeedError> {
        self.ask(Request::Status).await
    }

    /// `Stores::list`.
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

fn serve(mut stores: Stores, mut entropy: Box<dyn Entropy + Send>, waiting: &Receiver<Request>) {
    let mut job: Option<Job> = None;
    let mut running = true;
    while running {
        let first = match job.as_ref().and_then(Job::idle_for) {
            None => waiting.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(idle) => waiting.recv_timeout(idle),
        };
        let first = match first {
            Ok(first) => first,
            Err(RecvTimeoutError::Timeout) => {
                if let Some(job) = &mut job {
                    job.step(&mut stores, &mut *entropy);
                }
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let mut group = Group::default();
        let mut others = Vec::new();
        for request in std::iter::once(first).chain(waiting.try_iter()).take(GROUP) {
            match request {
                Request::Create(placed, reply) => group.create.add(placed, reply),
                Request::Open(placed, reply) => group.open.add(placed, reply),
                other => others.push(other),
            }
        }
        // Requests that wait together have no order among them, so creates may go first. A caller that has gone
        // away is no error: its seed is kept, and found again by the next create.
        group.create.answer(|orders| stores.create(orders, &mut *entropy));
        group.open.answer(|orders| stores.open(orders));
        for request in others {
            running &= answer(&mut stores, &mut *entropy, &mut job, request);
        }
    }
}

/// What is asked of the store together.
#[derive(Default)]
struct Group {
    create: Orders,
    open: Orders,
}

#[derive(Default)]
struct Orders {
    placed: Vec<CidBytes>,
    replies: Vec<Reply<Result<OrderKey, SeedError>>>,
}

impl Orders {
    fn add(&mut self, placed: CidBytes, reply: Reply<Result<OrderKey, SeedError>>) {
        self.placed.push(placed);
        self.replies.push(reply);
    }

    fn answer(self, ask: impl FnOnce(&[CidBytes]) -> Vec<Result<OrderKey, SeedError>>) {
        if self.placed.is_empty() {
            return;
        }
        for (reply, key) in self.replies.into_iter().zip(ask(&self.placed)) {
            _ = reply.send(key);
        }
    }
}

/// False when it is time to stop.
fn answer(stores: &mut Stores, entropy: &mut dyn Entropy, job: &mut Option<Job>, request: Request) -> bool {
    match request {
        Request::Create(..) | Request::Open(..) => (), // answered in their group
        Request::Shred(placed, reply) => _ = reply.send(stores.shred(&placed)),
        Request::Ready(reply) => _ = reply.send(stores.ready()),
        Request::Rotate(store, role, label, reply) => {
            _ = reply.send(stores.rotate(store.as_deref(), role, label.as_deref(), entropy));
        }
        Request::Start(kind, reply) => {
            let begun = match job.take() {
                Some(job) if job.is_under_way(kind) => job,
                _ => Job::new(kind, stores),
            };
            _ = reply.send(job.insert(begun).status());
        }
        Request::Job(reply) => _ = reply.send(job.as_ref().map(Job::status)),
        Request::Status(reply) => _ = reply.send(stores.status()),
        Request::List(reply) => _ = reply.send(stores.list()),
        Request::Stop => return false,
    }
    true
}
