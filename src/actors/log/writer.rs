//! The writer: the one thread that appends. What waits is joined into one commit, so one sync serves many.

use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::port::{Append, Appended, EventLog, NotWritten, Uncertain};
use crate::crash_points::{CrashPoint, reached};

/// How many appends may wait.
pub const QUEUE: usize = 1_024;
/// How many appends one commit joins at most.
pub const BATCH_MAX: usize = 256;

/// How long a commit waits for those whom the last one answered, and how often at most: all of it is less than a sync takes on
/// most disks, and one pause in which nobody comes is the last.
const PAUSE: Duration = Duration::from_micros(50);
const PAUSES: usize = 8;

/// The running thread.
pub struct LogWriter {
    handle: LogHandle,
    thread: JoinHandle<()>,
}

/// Where appends are handed in; clones go to the same writer.
#[derive(Clone)]
pub struct LogHandle {
    /// None once it has stopped.
    queue: Arc<RwLock<Option<mpsc::Sender<Job>>>>,
}

type Reply = oneshot::Sender<Result<Appended, NotWritten>>;

struct Job {
    append: Append,
    reply: Reply,
}

impl LogWriter {
    /// Starts the thread.
    ///
    /// After each commit `on_commit` has the sequence of the next record. If a commit is uncertain `on_uncertain` runs
    /// on the writer's thread before anyone is answered: the daemon's aborts the process. If it returns, the writer
    /// has stopped.
    ///
    /// # Errors
    /// The operating system's, if it has no thread to give.
    pub fn start(
        log: Arc<dyn EventLog>,
        queue: usize,
        batch_max: usize,
        on_commit: watch::Sender<u64>,
        on_uncertain: impl FnOnce(Uncertain) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (sender, jobs) = mpsc::channel(queue.max(1));
        let handle = LogHandle { queue: Arc::new(RwLock::new(Some(sender))) };
        let stopping = handle.clone();
        let thread = std::thread::Builder::new().name("log-writer".into()).spawn(move || {
            if let Err(uncertain) = run(&*log, jobs, batch_max.max(1), &on_commit) {
                stopping.close();
                on_uncertain(uncertain.error);
                drop(uncertain.replies);
            }
        })?;
        Ok(Self { handle, thread })
    }

    /// Where appends are handed in.
    pub fn handle(&self) -> LogHandle {
        self.handle.clone()
    }

    /// Takes no more, commits what waits, and returns when the thread has ended.
    pub fn stop(self) {
        self.handle.close();
        // It panics only where the process aborts.
        let _ = self.thread.join();
    }
}

impl LogHandle {
    /// Hands in an append, at once and in the order of the calls; the future is its answer, which comes after the
    /// record is synced. Dropping the future does not take the append back.
    ///
    /// The answer is `Busy` if the queue is full and `Stopped` if the writer has stopped.
    pub fn append(
        &self,
        append: Append,
    ) -> impl Future<Output = Result<Appended, NotWritten>> + Send + use<> {
        let (reply, answer) = oneshot::channel();
        let refused = self.send(Job { append, reply });
        async move {
            match refused {
                Some(refused) => Err(refused),
                None => answer.await.unwrap_or(Err(NotWritten::Stopped)),
            }
        }
    }

    fn send(&self, job: Job) -> Option<NotWritten> {
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = &*queue else {
            return Some(NotWritten::Stopped);
        };
        match queue.try_send(job) {
            Ok(()) => None,
            Err(mpsc::error::TrySendError::Full(_)) => Some(NotWritten::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => Some(NotWritten::Stopped),
        }
    }

    /// Without a sender the thread drains the queue and ends.
    fn close(&self) {
        self.queue.write().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// A commit that may or may not be stored, and those who wait for it: they are told nothing before the process has
/// had its chance to stop.
struct Unanswered {
    error: Uncertain,
    replies: Vec<Reply>,
}

/// What one commit joins: what waits, and what comes from those who were answered together a moment ago. The first of
/// them is back before the last one is answered; without a pause it would have a sync to itself, and all others the next.
fn together<T>(
    first: T,
    jobs: &mut mpsc::Receiver<T>,
    batch_max: usize,
    answered: usize,
    pause: &mut dyn FnMut(),
) -> Vec<T> {
    let mut batch = vec![first];
    let (mut pauses, mut idle) = (0, false);
    while batch.len() < batch_max {
        match jobs.try_recv() {
            Ok(job) => {
                batch.push(job);
                idle = false;
            }
            Err(mpsc::error::TryRecvError::Empty) if batch.len() < answered && pauses < PAUSES && !idle => {
                pause();
                (pauses, idle) = (pauses + 1, true);
            }
            Err(_) => break,
        }
    }
    batch
}

fn run(
    log: &dyn EventLog,
    mut jobs: mpsc::Receiver<Job>,
    batch_max: usize,
    on_commit: &watch::Sender<u64>,
) -> Result<(), Unanswered> {
    let mut answered = 0;
    while let Some(first) = jobs.blocking_recv() {
        let joined = together(first, &mut jobs, batch_max, answered, &mut || std::thread::sleep(PAUSE));
        answered = joined.len();
        let (batch, replies): (_, Vec<_>) = joined.into_iter().map(|job| (job.append, job.reply)).unzip();
        let results = match log.commit(batch) {
            Ok(results) => results,
            Err(error) => return Err(Unanswered { error, replies }),
        };
        if let Some(last) = results.iter().flatten().last() {
            on_commit.send_replace(last.sequence + 1);
        }
        for (reply, result) in replies.into_iter().zip(results) {
            // Who no longer waits does not hear it; the record stands.
            let _ = reply.send(result);
        }
        reached(CrashPoint::LogReplied);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The batch, when this many come in each pause; and how many pauses there were.
    fn joined(answered: usize, in_each_pause: &[usize]) -> (usize, usize) {
        let (sender, mut jobs) = mpsc::channel(QUEUE);
        let mut pauses = 0;
        let batch = together((), &mut jobs, BATCH_MAX, answered, &mut || {
            for () in std::iter::repeat_n((), in_each_pause.get(pauses).copied().unwrap_or(0)) {
                sender.try_send(()).unwrap();
            }
            pauses += 1;
        });
        (batch.len(), pauses)
    }

    #[test]
    fn those_who_were_answered_together_are_joined_again_and_nobody_waits_for_nobody() {
        assert_eq!(joined(0, &[]), (1, 0), "the first");
        assert_eq!(joined(1, &[5]), (1, 0), "one alone");
        assert_eq!(joined(64, &[30, 33]), (64, 2), "until all are back");
        assert_eq!(joined(64, &[]), (1, 1), "nobody comes back");
        assert_eq!(joined(64, &[9, 0, 9]), (10, 2), "or only some");
        assert_eq!(joined(64, &[1; 64]), (1 + PAUSES, PAUSES), "or one at a time");
        assert_eq!(joined(1_000, &[BATCH_MAX]), (BATCH_MAX, 1), "more than one commit joins");
    }
}
