//! Threads for signing, sealing and opening: one a core, so that no HTTP worker and no order waits behind arithmetic it
//! did not ask for. Interactive work goes before bulk.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use thiserror::Error;
use tokio::sync::oneshot;

/// Jobs that may wait; one more is refused.
const QUEUE: usize = 1_024;

type Job = Box<dyn FnOnce() + Send>;

/// What goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Somebody waits for it.
    Interactive,
    /// It may wait: audits, verification in batches.
    Bulk,
}

/// The pool takes no more jobs: it is full, or the node is stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the crypto pool is busy")]
pub struct PoolBusy;

#[derive(Default)]
struct Queues {
    interactive: VecDeque<Job>,
    bulk: VecDeque<Job>,
    stopping: bool,
}

struct Shared {
    queues: Mutex<Queues>,
    work: Condvar,
}

impl Shared {
    // A panic aborts the process (`crate::contain`), so a poisoned lock is never seen; the guard is taken all the same.
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pool; dropping it finishes what waits and joins the threads.
pub struct CryptoPool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl CryptoPool {
    /// Starts this many threads, at least one.
    ///
    /// # Errors
    /// The system starts no thread.
    pub fn start(threads: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { queues: Mutex::default(), work: Condvar::new() });
        let threads = (0..threads.max(1))
            .map(|n| {
                let shared = shared.clone();
                std::thread::Builder::new().name(format!("crypto-{n}")).spawn(move || serve(&shared))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { shared, threads })
    }

    /// Runs a job and answers what it gives. A caller that goes away drops only its wait.
    ///
    /// # Errors
    /// The queue is full, or the pool is stopping.
    pub async fn run<T, F>(&self, priority: Priority, job: F) -> Result<T, PoolBusy>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        {
            let mut queues = self.shared.lock();
            if queues.stopping || queues.interactive.len() + queues.bulk.len() >= QUEUE {
                return Err(PoolBusy);
            }
            let queue = match priority {
                Priority::Interactive => &mut queues.interactive,
                Priority::Bulk => &mut queues.bulk,
            };
            // Nobody waits any more if the send fails: nothing to do about it.
            queue.push_back(Box::new(move || drop(reply.send(job()))));
        }
        self.shared.work.notify_one();
        answer.await.map_err(|_| PoolBusy)
    }
}

impl Drop for CryptoPool {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.work.notify_all();
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

fn serve(shared: &Shared) {
    loop {
        let mut queues = shared.lock();
        let job = loop {
            if let Some(job) = queues.interactive.pop_front().or_else(|| queues.bulk.pop_front()) {
                break job;
            }
            if queues.stopping {
                return;
            }
            queues = shared.work.wait(queues).unwrap_or_else(PoisonError::into_inner);
        };
        drop(queues);
        job();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn interactive_goes_before_bulk_and_all_is_done_before_it_stops() {
        let pool = CryptoPool::start(1).unwrap();
        let (order, seen) = mpsc::channel();
        let (open, gate) = mpsc::channel::<()>();
        // The only thread is held at the gate while the others queue up.
        let first = pool.run(Priority::Interactive, move || gate.recv().unwrap());
        let mut first = Box::pin(first);
        assert!(futures_pending(&mut first).await);
        let (bulk, interactive) = (order.clone(), order);
        let mut bulk = Box::pin(pool.run(Priority::Bulk, move || bulk.send("bulk").unwrap()));
        assert!(futures_pending(&mut bulk).await);
        let mut interactive =
            Box::pin(pool.run(Priority::Interactive, move || interactive.send("now").unwrap()));
        assert!(futures_pending(&mut interactive).await);
        open.send(()).unwrap();
        first.await.unwrap();
        interactive.await.unwrap();
        bulk.await.unwrap();
        drop(pool);
        assert_eq!(seen.iter().collect::<Vec<_>>(), ["now", "bulk"]);
    }

    #[tokio::test]
    async fn a_full_queue_is_said() {
        let pool = CryptoPool::start(1).unwrap();
        let (open, gate) = mpsc::channel::<()>();
        let mut held = Box::pin(pool.run(Priority::Bulk, move || gate.recv().unwrap()));
        assert!(futures_pending(&mut held).await);
        let mut waiting = Vec::new();
        let refused = loop {
            let mut job = Box::pin(pool.run(Priority::Bulk, || ()));
            match std::future::poll_fn(|cx| std::task::Poll::Ready(job.as_mut().poll(cx))).await {
                std::task::Poll::Ready(answer) => break answer,
                std::task::Poll::Pending => waiting.push(job),
            }
        };
        assert_eq!(refused, Err(PoolBusy));
        assert!(waiting.len() >= QUEUE - 1);
        open.send(()).unwrap();
        held.await.unwrap();
    }

    async fn futures_pending<F: Future>(future: &mut std::pin::Pin<Box<F>>) -> bool {
        std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending())).await
    }
}
